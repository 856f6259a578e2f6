/**
 * A database as the commands use it that work on one which another process has open, too: with promises, records in
 * pages, keys and values as bytes. `local.ts` has the database open itself, `remote.ts` goes through the socket of the
 * process that has.
 */
import type { IndexRange, Key, Range, Stats, TupleKey } from '../../types.ts'
import type { EncodingNames } from '../place.ts'
import type { FileRecord } from '../records/record.ts'

/** Records in the order in which they come. */
export type Pages<T> = AsyncIterable<readonly T[]>

/** What there is to know of a key space beside its records. */
export interface SpaceFacts extends EncodingNames {
  readonly indexes: readonly string[]
}

/** An entry of an index. */
export type IndexEntry = readonly [indexKey: TupleKey, key: Uint8Array, value: Uint8Array]

/** A secondary index, to be read. */
export interface IndexView {
  get(indexKey: TupleKey): Promise<Uint8Array | undefined>
  count(range?: IndexRange<TupleKey>): Promise<number>
  keys(range: IndexRange<TupleKey>): AsyncIterable<readonly [indexKey: TupleKey, key: Uint8Array]>
  entries(range: IndexRange<TupleKey>): AsyncIterable<IndexEntry>
}

/** One key space: the root's, or that of a sub-database. */
export interface SpaceView {
  get(key: Key): Promise<Uint8Array | undefined>
  /** Milliseconds until it expires: `Infinity` if it does not, undefined if there is no such record. */
  ttl(key: Key): Promise<number | undefined>
  put(key: Key, value: Uint8Array, ttl?: number): Promise<void>
  /** Puts another value in the place of one that is still there, and keeps its time of expiry; false if it is not. */
  replace(key: Key, before: Uint8Array, value: Uint8Array): Promise<boolean>
  delete(key: Key): Promise<boolean>
  /** `undefined`: it stays. */
  expire(key: Key, ttl: number | undefined): Promise<void>
  count(range?: Range): Promise<number>
  /** Removes the records of a range, all or none. */
  clear(range: Range): Promise<void>
  keys(range: Range): Pages<Uint8Array>
  /** Without their times of expiry, unless these are asked for. */
  records(range: Range, withTimes: boolean): Pages<FileRecord>
  /** By its name; whether it is there shows when it is read. */
  index(name: string): IndexView
  facts(): Promise<SpaceFacts>
  /** Names of the sub-databases that lie in it. */
  subs(): Promise<string[]>
  /** Undefined if there is none. */
  sub(name: string): Promise<SpaceView | undefined>
  /** Makes it if there is none; one that exists must have the encodings that are given. */
  declareSub(name: string, encodings: Partial<EncodingNames>): Promise<SpaceView>
}

export interface DatabaseView {
  readonly directory: string
  readonly root: SpaceView
  /** It keeps the ordered index: ranges are in order. Without it, the order is none. */
  readonly ordered: boolean
  /** Another process has it open. */
  readonly isRemote: boolean
  stats(): Promise<Stats>
  /** Runs `work` with a view of one moment, as far as there is one: without the ordered index there is not. */
  atOnce<R>(work: (root: SpaceView) => Promise<R>): Promise<R>
}

/** Records or keys of a page, and bytes after which it ends. */
export const PAGE = 500
const PAGE_BYTES = 1048576

/** Collects what comes one by one. */
export class Page<T> {
  items: T[] = []
  private bytes = 0

  /** True if it is full, to be handed on. */
  add(item: T, bytes: number): boolean {
    this.bytes += bytes
    return this.items.push(item) >= PAGE || this.bytes >= PAGE_BYTES
  }

  take(): T[] {
    const { items } = this
    this.items = []
    this.bytes = 0
    return items
  }
}
