/** The options of a range: checked, and turned into two bounds. */

import { InvalidArgumentError, shown } from '../errors.ts'
import { type Bound, type Bounds, compareBytes, describe, isBytes, isDetached, isWellFormed } from '../runtime/bytes.ts'
import type { Key, Range } from '../types.ts'
import { keyBytes } from './key.ts'
import { MAX_KEY_BYTES } from './limits.ts'

export interface ResolvedRange extends Bounds {
  readonly reverse: boolean
  readonly limit: number
  /** No key can be in it. */
  readonly isEmpty: boolean
}

const KNOWN = new Set(['gt', 'gte', 'lt', 'lte', 'prefix', 'reverse', 'limit'])

/** A key alone is short for the prefix that it is. */
export const asRange = (given: Range | Key | undefined): Range =>
  typeof given === 'string' || isBytes(given) ? { prefix: given } : (given ?? {})

/** @throws InvalidArgumentError for an unknown option or a bound that is no key. */
export const resolveRange = (given: Range | Key | undefined): ResolvedRange => {
  const range = asRange(given)
  if (typeof range !== 'object') throw new InvalidArgumentError('a range must be an object, or a prefix')
  for (const name of Object.keys(range))
    if (!KNOWN.has(name))
      throw new InvalidArgumentError(`there is no range option '${name}'; known are ${[...KNOWN].join(', ')}`)
  const { gt, gte, lt, lte, prefix, reverse = false, limit = Number.POSITIVE_INFINITY } = range
  if (typeof reverse !== 'boolean') throw new InvalidArgumentError('reverse must be true or false')
  if (limit !== Number.POSITIVE_INFINITY && !(Number.isSafeInteger(limit) && limit >= 0))
    throw new InvalidArgumentError(`limit must be a whole number, not ${shown(limit)}`)
  let lower: Bound | undefined
  let upper: Bound | undefined
  const raise = (key: Uint8Array, inclusive: boolean): void => {
    const order = lower === undefined ? 1 : compareBytes(key, lower.key)
    if (order > 0 || (order === 0 && !inclusive)) lower = { key, inclusive }
  }
  const reduce = (key: Uint8Array, inclusive: boolean): void => {
    const order = upper === undefined ? -1 : compareBytes(key, upper.key)
    if (order < 0 || (order === 0 && !inclusive)) upper = { key, inclusive }
  }
  if (gt !== undefined) raise(boundBytes('gt', gt), false)
  if (gte !== undefined) raise(boundBytes('gte', gte), true)
  if (lt !== undefined) reduce(boundBytes('lt', lt), false)
  if (lte !== undefined) reduce(boundBytes('lte', lte), true)
  if (prefix !== undefined) {
    const bytes = boundBytes('prefix', prefix)
    if (bytes.length > 0) raise(bytes, true)
    const end = successor(bytes)
    if (end !== undefined) reduce(end, false)
  }
  return { lower, upper, reverse, limit, isEmpty: limit === 0 || nothingBetween(lower, upper) }
}

const nothingBetween = (lower: Bound | undefined, upper: Bound | undefined): boolean => {
  if (upper === undefined) return false
  // No key is empty.
  if (upper.key.length === 0) return true
  if (lower === undefined) return false
  const order = compareBytes(lower.key, upper.key)
  return order > 0 || (order === 0 && !(lower.inclusive && upper.inclusive))
}

/** The first byte string behind all those that begin with the prefix. */
const successor = (prefix: Uint8Array): Uint8Array | undefined => {
  let length = prefix.length
  while (length > 0 && prefix[length - 1] === 255) length--
  if (length === 0) return undefined
  const end = prefix.slice(0, length)
  end[length - 1] = end[length - 1]! + 1
  return end
}

/** A bound may be empty, which a key may not; longer than any key is no use. */
export const boundBytes = (name: string, key: Key): Uint8Array => {
  if (typeof key !== 'string' && !isBytes(key))
    throw new InvalidArgumentError(`${name} must be a string or a Uint8Array, not ${describe(key)}`)
  if (typeof key === 'string' && !isWellFormed(key))
    throw new InvalidArgumentError(`${name} must be well-formed Unicode: this one has a lone surrogate`)
  // An empty bound stands for everything: a detached buffer, which looks empty too, was not meant so.
  if (typeof key !== 'string' && isDetached(key))
    throw new InvalidArgumentError(`${name} lies in a buffer that was detached`)
  const bytes = typeof key === 'string' ? keyBytes(key) : new Uint8Array(key)
  if (bytes.length > MAX_KEY_BYTES)
    throw new InvalidArgumentError(`${name} is ${bytes.length} bytes long; the longest key has ${MAX_KEY_BYTES}`)
  return bytes
}
