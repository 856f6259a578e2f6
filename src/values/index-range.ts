/** Ranges over index keys: checked, and turned into bounds over the entries of an index. */

import { InvalidArgumentError } from '../errors.ts'
import type { Bound } from '../runtime/bytes.ts'
import { describe, isBytes, isWellFormed } from '../runtime/bytes.ts'
import type { TupleKey } from '../types.ts'
import { KeyCodec } from './key-codec.ts'
import { type ResolvedRange, resolveRange, successor } from './range.ts'
import { encodeTuple } from './tuple.ts'

/** Tuples, but a text is a prefix too: that of the texts which begin with it. */
class IndexKeyCodec extends KeyCodec {
  constructor() {
    super('tuple')
  }

  override prefix(prefix: unknown): Uint8Array {
    // The end of a text is its last byte.
    return typeof prefix === 'string' ? encodeTuple(prefix).slice(0, -1) : super.prefix(prefix)
  }
}

const INDEX_KEYS = /* @__PURE__ */ new IndexKeyCodec()

/**
 * `isJoined`: the key of the record stands behind the index key in an entry.
 * @throws InvalidArgumentError
 */
export const resolveIndexRange = (given: unknown, isJoined: boolean): ResolvedRange => {
  const resolved = resolveRange(isKey(given) ? { gte: given, lte: given } : given, INDEX_KEYS)
  return isJoined ? joinedRange(resolved) : resolved
}

/** A range of index keys, as bytes, as one of entries in which the key of the record stands behind the index key. */
export const joinedRange = (range: ResolvedRange): ResolvedRange => ({
  ...range,
  lower: behind(range.lower, false),
  upper: behind(range.upper, true),
})

/** @throws InvalidArgumentError */
export const requireIndexName = (name: unknown): string => {
  if (typeof name !== 'string' || name.length === 0)
    throw new InvalidArgumentError(
      `the name of an index is a string that is not empty, not ${typeof name === 'string' ? 'empty' : describe(name)}`,
    )
  if (!isWellFormed(name))
    throw new InvalidArgumentError('the name of an index must be well-formed Unicode; it has a lone surrogate')
  return name
}

/** A key that is no array stands for itself; an array, for what begins with it. */
const isKey = (given: unknown): given is TupleKey =>
  given === null || (given !== undefined && typeof given !== 'object') || isBytes(given)

/** A bound that entries with its index key lie before, where it would part them from itself. No index key begins with 255. */
const behind = (bound: Bound | undefined, inclusive: boolean): Bound | undefined =>
  bound === undefined || bound.inclusive !== inclusive
    ? bound
    : { key: successor(bound.key) ?? bound.key, inclusive: !inclusive }
