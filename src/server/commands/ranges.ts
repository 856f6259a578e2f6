/** RANGE, INDEX and WATCHRANGE: keys and index keys in their order, and the feed of changes, which Redis lacks. */
import { isUtf8 } from 'node:buffer'
import type { EntryPlace, RawEntry } from '../../database/index-reads.ts'
import type { Range } from '../../types.ts'
import { BINARY_KEYS } from '../../values/key-codec.ts'
import { resolveRange } from '../../values/range.ts'
import { type Arguments, bytesAt, isWord, textAt } from '../protocol/request.ts'
import { integerAt, numberAt } from './arguments.ts'
import type { Handler } from './caller.ts'
import { type Family, family } from './command.ts'
import { CommandError, notInCluster, SYNTAX } from './errors.ts'
import { slotOfRange } from './slotted.ts'

const OPEN = 40
const BRACKET = 91

/** `-`, `+`, `[key` (included), `(key` (excluded), as ZRANGEBYLEX has them. */
const rangeOf = (request: Arguments, at: number = 1): Range => {
  const lower = bytesAt(request, at)
  const upper = bytesAt(request, at + 1)
  const range: Range = {}
  if (lower[0] === BRACKET) range.gte = lower.slice(1)
  else if (lower[0] === OPEN) range.gt = lower.slice(1)
  else if (textAt(request, at) !== '-') throw badBound()
  if (upper[0] === BRACKET) range.lte = upper.slice(1)
  else if (upper[0] === OPEN) range.lt = upper.slice(1)
  else if (textAt(request, at + 1) !== '+') throw badBound()
  return range
}

/** In a cluster: the slot that RANGE looks into, if that is one. */
export const slotOfRequest = (request: Arguments): number | undefined => {
  try {
    return slotOfRange(rangeOf(request))
  } catch {
    // It is told what is wrong with its bounds where it runs.
    return undefined
  }
}

const badBound = (): CommandError => new CommandError('ERR min or max not valid string range item')

/**
 * RANGE lo hi [LIMIT n] [BYTES n] [REV] [KEYS | COUNT]: keys and values in turn, in the order of the keys; with BYTES no
 * more records once those before have so many bytes.
 */
const range: Handler = ({ out, keys }, request) => {
  const asked = rangeOf(request)
  let keysOnly = false
  let countsOnly = false
  let most = Number.POSITIVE_INFINITY
  for (let i = 3; i < request.count; i++) {
    if (isWord(request, i, 'rev')) asked.reverse = true
    else if (isWord(request, i, 'keys')) keysOnly = true
    else if (isWord(request, i, 'count')) countsOnly = true
    else if (isWord(request, i, 'bytes') && i + 1 < request.count) most = numberAt(request, ++i)
    else if (isWord(request, i, 'limit') && i + 1 < request.count) {
      asked.limit = limitAt(request, ++i)
    } else throw new CommandError(SYNTAX)
  }
  if (countsOnly) {
    out.integer(keys.rangeCount(asked))
    return
  }
  const found = keysOnly
    ? upTo(most, keys.rangeKeys(asked), key => [key])
    : upTo(most, keys.rangeEntries(asked), ([key, value]) => [key, value])
  out.array(found.length)
  for (const bytes of found) out.bulk(bytes)
}

/**
 * INDEX name lo hi [BEHIND indexkey key] [LIMIT n] [BYTES n] [REV] [KEYS | COUNT]: index key, key and value in turn, in
 * the order of a secondary index; the bounds are index keys as bytes (tuples). BEHIND: only what lies behind that entry.
 */
const index: Handler = ({ out, keys, server }, request) => {
  if (server.cluster !== undefined) throw notInCluster('INDEX')
  if (!isUtf8(bytesAt(request, 1))) throw new CommandError('ERR the name of an index must be UTF-8')
  const asked = rangeOf(request, 2)
  const range = { ...resolveRange(asked, BINARY_KEYS), reverse: false, limit: Number.POSITIVE_INFINITY }
  let keysOnly = false
  let countsOnly = false
  let last: EntryPlace | undefined
  let most = Number.POSITIVE_INFINITY
  for (let i = 4; i < request.count; i++) {
    if (isWord(request, i, 'rev')) range.reverse = true
    else if (isWord(request, i, 'keys')) keysOnly = true
    else if (isWord(request, i, 'count')) countsOnly = true
    else if (isWord(request, i, 'bytes') && i + 1 < request.count) most = numberAt(request, ++i)
    else if (isWord(request, i, 'limit') && i + 1 < request.count) range.limit = limitAt(request, ++i)
    else if (isWord(request, i, 'behind') && i + 2 < request.count) {
      last = { indexKey: bytesAt(request, i + 1).slice(), key: bytesAt(request, i + 2).slice() }
      i += 2
    } else throw new CommandError(SYNTAX)
  }
  const reads = keys.index(textAt(request, 1))
  if (countsOnly) {
    out.integer(reads.countOfBytes(range))
    return
  }
  const parts = ({ indexKey, key, value }: RawEntry<Uint8Array>): Uint8Array[] =>
    keysOnly ? [indexKey, key] : [indexKey, key, value!]
  const found = upTo(most, reads.entriesOfBytes(range, last, !keysOnly), parts)
  out.array(found.length)
  for (const bytes of found) out.bulk(bytes)
}

const limitAt = (request: Arguments, place: number): number => {
  const limit = integerAt(request, place)
  if (limit < 0n) throw new CommandError('ERR LIMIT must not be negative')
  return Number(limit > 2n ** 52n ? 2n ** 52n : limit)
}

const upTo = <T>(most: number, items: Iterable<T>, parts: (item: T) => Uint8Array[]): Uint8Array[] => {
  const found: Uint8Array[] = []
  let bytes = 0
  for (const item of items) {
    for (const part of parts(item)) {
      found.push(part)
      bytes += part.length
    }
    if (bytes >= most) break
  }
  return found
}

export const ranges: Family = family(
  { group: 'generic', afterIn: true },
  {
    range: {
      arity: -3,
      flags: 'readonly',
      categories: '@read @keyspace',
      since: '1.0.0',
      complexity: 'O(log(N)+M) with M the number of records returned',
      summary: 'Records of a range of keys, in order (xenondb)',
      run: range,
    },
    index: {
      arity: -4,
      flags: 'readonly',
      categories: '@read @keyspace',
      since: '1.0.0',
      complexity: 'O(log(N)+M) with M the number of records returned',
      summary: 'Entries of a range of a secondary index, in order (xenondb)',
      run: index,
    },
    watchrange: {
      arity: 3,
      flags: 'noscript',
      categories: '@keyspace',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Push the committed changes of a range of keys (xenondb)',
      afterMulti: 'refused',
      afterBegin: 'refused',
      run(caller, request) {
        caller.watchRange(rangeOf(request))
        caller.out.ok()
      },
    },
  },
)
