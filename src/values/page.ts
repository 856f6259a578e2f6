/**
 * A range page by page, with a cursor that a caller keeps between two of them, such as a link of a web page: the key of
 * the last record that was given, and a mark of the range. So a page goes on behind that key, whatever has come or gone
 * meanwhile, and needs nothing that somebody has to keep open.
 *
 * A cursor is text of the characters of a URL: base64url of a byte with the version, 4 bytes of the mark, the key. It may
 * come from anybody: it is checked, and never leads out of the range that is asked for.
 */
import { InvalidArgumentError, shown } from '../errors.ts'
import { type Bound, compareBytes } from '../runtime/bytes.ts'
import type { Items } from '../runtime/items.ts'
import type { GivenRange, Range, TupleKey } from '../types.ts'
import type { KeyCodec } from './key-codec.ts'
import { MAX_KEY_BYTES } from './limits.ts'
import { type ResolvedRange, resolveRange } from './range.ts'

const VERSION = 1
const HEAD_BYTES = 5
const MOST_RECORDS = 1_000_000

/** Some records of a range, in order. */
export interface Page<V, K = string> {
  /** The records, in the order of the range. */
  entries: [K, V][]
  /** To be given to `page` for the records behind these; `undefined` if there were none. */
  cursor: string | undefined
}

/** The same of an index. */
export interface IndexPage<V, K = string, IK = TupleKey> {
  /** In the order of index keys, then of keys. */
  entries: [indexKey: IK, key: K, value: V][]
  /** To be given to `page` for the entries behind these; `undefined` if there were none. */
  cursor: string | undefined
}

export interface PageRequest<V, K> {
  /** What to read. */
  readonly range: Range<K>
  /** Makes the page of what was read. */
  finish(entries: [K, V][]): Page<V, K>
  /** The key that a cursor behind what was read would hold, if it may be the text of bytes that are no UTF-8. */
  doubtful(entries: readonly [K, V][]): K | undefined
}

/** U+FFFD stands for what is no UTF-8. */
const REPLACEMENT = '\ufffd'

/** @throws InvalidArgumentError for a range with a limit, a wrong size, a cursor that is none or one of another range. */
export const pageRequest = <V, K>(
  given: GivenRange<K> | undefined,
  size: number,
  cursor: string | undefined,
  keys: KeyCodec,
): PageRequest<V, K> => {
  const { reverse, mark, last } = pageBehind(resolveRange(given, keys), size, cursor)
  const base = keys.isPrefix(given) ? { prefix: given } : { ...(given as Range<K> | undefined) }
  const range: Range<unknown> = { ...base, limit: size + 1 }
  if (last !== undefined) range[reverse ? 'lt' : 'gt'] = keyOf(last, cursor, keys)
  return {
    range: range as Range<K>,
    finish: entries => {
      const [items, end] = cut(entries, size)
      return { entries: items, cursor: end && cursorOf(mark, keys.bound('a key', end[0])) }
    },
    doubtful: entries => {
      const key = cut(entries, size)[1]?.[0]
      return typeof key === 'string' && keys.asTexts && key.includes(REPLACEMENT) ? key : undefined
    },
  }
}

/** The key in a cursor, which need not be one of this database. */
const keyOf = (bytes: Uint8Array, cursor: unknown, keys: KeyCodec): unknown => {
  if (keys.encoding !== 'tuple') return keys.asGiven(bytes)
  try {
    return keys.decodeAll(bytes)
  } catch {
    throw noCursor(cursor)
  }
}

/** A page of what lies in a range in the order of its bytes: of an index. */
export interface PageOfBytes<T> {
  /** One item more than the page has tells that there are others behind it. */
  readonly range: ResolvedRange
  /** `bytesOf`: where an item lies. */
  finish(items: T[], bytesOf: (item: T) => Uint8Array): { items: T[]; cursor: string | undefined }
}

/** @throws InvalidArgumentError as `pageRequest` */
export const pageOfBytes = <T>(range: ResolvedRange, size: number, cursor: string | undefined): PageOfBytes<T> => {
  const { mark, reverse, last } = pageBehind(range, size, cursor)
  const bound: Bound | undefined = last && { key: last, inclusive: false }
  const behind = bound === undefined ? {} : reverse ? { upper: bound } : { lower: bound }
  return {
    range: { ...range, ...behind, limit: size + 1 },
    finish: (found, bytesOf) => {
      const [items, end] = cut(found, size)
      return { items, cursor: end && cursorOf(mark, bytesOf(end)) }
    },
  }
}

/** The page itself, and its last item if others lie behind it. */
const cut = <T>(found: readonly T[], size: number): [items: T[], end: T | undefined] => {
  const items = found.slice(0, size)
  return [items, found.length > size ? items.at(-1) : undefined]
}

/** What marks the range, and the key that the page goes on behind. */
const pageBehind = (
  resolved: ResolvedRange,
  size: number,
  cursor: string | undefined,
): { mark: number; reverse: boolean; last: Uint8Array | undefined } => {
  if (resolved.limit !== Number.POSITIVE_INFINITY)
    throw new InvalidArgumentError('a range of page() has no limit: its size says how many')
  if (!Number.isInteger(size) || size < 1 || size > MOST_RECORDS)
    throw new InvalidArgumentError(
      `the size of a page must be a whole number from 1 to ${MOST_RECORDS}, not ${shown(size)}`,
    )
  const mark = markOf(resolved)
  return { mark, reverse: resolved.reverse, last: cursor === undefined ? undefined : keyIn(cursor, mark, resolved) }
}

/** The page of a synchronous reader. `has`: tells whether a record is found under a key. */
export const syncPage = <V, K>(
  request: PageRequest<V, K>,
  read: (range: Range<K>) => Items<[K, V]>,
  has: (key: K) => boolean,
): Page<V, K> => {
  const entries = read(request.range).toArray()
  const key = request.doubtful(entries)
  if (key !== undefined && !has(key)) throw noUtf8()
  return request.finish(entries)
}

/** The page of an asynchronous store. */
export const asyncPage = async <V, K>(
  request: PageRequest<V, K>,
  read: (range: Range<K>) => AsyncIterable<[K, V]>,
  has: (key: K) => Promise<boolean>,
): Promise<Page<V, K>> => {
  const entries: [K, V][] = []
  for await (const entry of read(request.range)) entries.push(entry)
  const key = request.doubtful(entries)
  if (key !== undefined && !(await has(key))) throw noUtf8()
  return request.finish(entries)
}

/** A cursor with the text of such a key would lead back, or past records. */
const noUtf8 = (): InvalidArgumentError =>
  new InvalidArgumentError(
    "the last key of this page is no valid UTF-8, so no cursor can lead behind it; read the pages with keyEncoding 'binary'",
  )

const cursorOf = (mark: number, key: Uint8Array): string => {
  let text = String.fromCharCode(VERSION, mark >>> 24, (mark >>> 16) & 255, (mark >>> 8) & 255, mark & 255)
  for (const byte of key) text += String.fromCharCode(byte)
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
}

const keyIn = (cursor: unknown, mark: number, { lower, upper }: ResolvedRange): Uint8Array => {
  const bytes = typeof cursor === 'string' ? bytesOf(cursor) : undefined
  if (bytes === undefined || bytes.length <= HEAD_BYTES || bytes[0] !== VERSION) throw noCursor(cursor)
  const key = bytes.subarray(HEAD_BYTES)
  // No key is longer, nor an entry of an index; a scan has no room for one that is.
  if (key.length > MAX_KEY_BYTES) throw noCursor(cursor)
  const isOwn = ((bytes[1]! << 24) | (bytes[2]! << 16) | (bytes[3]! << 8) | bytes[4]!) >>> 0 === mark
  if (
    !isOwn ||
    (lower !== undefined && compareBytes(key, lower.key) < 0) ||
    (upper && compareBytes(key, upper.key) > 0)
  )
    throw new InvalidArgumentError('the cursor of page() is of another range: begin without one when the range changes')
  return key
}

const noCursor = (given: unknown): InvalidArgumentError =>
  new InvalidArgumentError(`a cursor of page() is what an earlier page gave, not ${shown(given)}`)

const bytesOf = (cursor: string): Uint8Array | undefined => {
  if (!/^[\w-]+$/.test(cursor)) return undefined
  try {
    return Uint8Array.from(atob(cursor.replaceAll('-', '+').replaceAll('_', '/')), char => char.charCodeAt(0))
  } catch {
    return undefined
  }
}

/** Tells ranges apart (FNV-1a). */
const markOf = ({ lower, upper, reverse }: ResolvedRange): number => {
  let mark = 0x811c9dc5
  const add = (byte: number): void => {
    mark = Math.imul(mark ^ byte, 0x01000193) >>> 0
  }
  const addBound = (bound: Bound | undefined): void => {
    add(bound === undefined ? 0 : bound.inclusive ? 1 : 2)
    for (const byte of bound?.key ?? []) add(byte)
    add(0)
  }
  addBound(lower)
  addBound(upper)
  add(reverse ? 1 : 0)
  return mark
}
