/**
 * Reads the records of a range in key order, some at a time: their keys from the ordered index, their values from the
 * buckets. As a snapshot, or live inside a transaction, which locks what it reads.
 */

import { DecodeError, LockConflictError } from '../errors.ts'
import { RECORD_HEADER_BYTES, recordFieldLength, recordFlags, recordKeyLength } from '../pager/bucket.ts'
import { compareBytes, copyBytes } from '../runtime/bytes.ts'
import { TreeScan } from '../tree/tree-scan.ts'
import { fromLatin1, latin1 } from '../txn/changed-keys.ts'
import { passOver } from '../values/failed-items.ts'
import type { KeyCodec } from '../values/key-codec.ts'
import type { ResolvedRange } from '../values/range.ts'
import { AsOf } from './as-of.ts'
import { BeforeKeys } from './before.ts'
import { ExpiryFilter, IN_VAIN } from './expiry-filter.ts'
import { type Found, requireRecord } from './found.ts'
import type { Inside } from './inside.ts'
import type { Store } from './store.ts'

/** Records read ahead at first, and at most. */
const FIRST_CHUNK = 16
const LARGEST_CHUNK = 512

export interface Wanted {
  readonly keys: boolean
  readonly values: boolean
  /** What the keys are given as. */
  readonly codec: KeyCodec
}

export class RangeReader<V, K> {
  /** What the last `load` has read. */
  keys: K[] = []
  values: V[] = []
  private readonly store: Store<V>
  private readonly range: ResolvedRange
  private readonly wanted: Wanted
  /** Where the range is read: the one or the other. */
  private readonly view: AsOf | undefined
  private readonly inside: Inside | undefined
  private readonly scan: TreeScan
  /** Keys of `view.before` in the range that were not passed yet, in scan order. */
  private before: BeforeKeys
  private chunk: number
  private left: number
  /** What could not be decoded, by its place among what was read; there is nothing in its place. */
  private failures: Map<number, DecodeError> | undefined
  /** Keys that were read in vain since one was given. */
  private skipped = 0
  private filter: ExpiryFilter | undefined
  /** The last step has left out keys of the leaf. */
  private isFiltered = false

  constructor(store: Store<V>, range: ResolvedRange, wanted: Wanted, from: AsOf | Inside) {
    this.store = store
    this.range = range
    this.wanted = wanted
    this.view = from instanceof AsOf ? from : undefined
    this.inside = from instanceof AsOf ? undefined : from
    this.left = range.isEmpty ? 0 : range.limit
    this.chunk = firstChunk(range)
    const { pool, ordered, scanRoom } = store.space
    this.scan = new TreeScan(pool, ordered, scanRoom, range, range.reverse)
    this.before = this.beforeKeys()
  }

  get done(): boolean {
    return this.left === 0 || (this.scan.done && this.before.name === undefined)
  }

  /** Goes to the first key of the range that is not before `key` in scan order. */
  seek(key: Uint8Array): void {
    const { range, scan } = this
    const start = range.reverse ? range.upper : range.lower
    const end = range.reverse ? range.lower : range.upper
    const sign = range.reverse ? -1 : 1
    const isBeforeStart = start !== undefined && sign * compareBytes(key, start.key) <= 0
    const order = end === undefined ? -1 : sign * compareBytes(key, end.key)
    scan.restart(isBeforeStart ? start : { key, inclusive: true })
    if (order > 0 || (order === 0 && !end!.inclusive)) scan.done = true
    this.left = range.isEmpty ? 0 : range.limit
    this.chunk = firstChunk(range)
    this.before = this.beforeKeys()
    this.before.seek(latin1(key))
  }

  /** True when all of it may be read at once. */
  get isShort(): boolean {
    return this.range.limit <= LARGEST_CHUNK
  }

  /** Reads all that is left. */
  loadAll(): void {
    while (!this.done) this.loadOn(Number.POSITIVE_INFINITY)
  }

  /** Reads on; false when there is nothing more. */
  load(most: number = Number.POSITIVE_INFINITY): boolean {
    this.drop()
    while (!this.done && this.size === 0) {
      try {
        this.loadOn(most)
      } catch (error) {
        // What was read before the lock is given first; whoever reads on meets the lock again.
        if (this.size === 0 || !(error instanceof LockConflictError)) throw error
      }
    }
    return this.size > 0
  }

  /**
   * False if the record in this place could not be decoded and is to be passed over.
   * @throws DecodeError if it is not
   */
  isThere(at: number): boolean {
    const error = this.failures?.get(at)
    if (error === undefined) return true
    passOver(error, this.range.onDecodeError)
    return false
  }

  private loadOn(most: number): void {
    const { view, store } = this
    const { health } = store.space
    // Where so many had expired, more of them are likely to come.
    const count = Math.min(this.chunk, this.left + this.skipped, most)
    // A codec that came back into the database would overwrite the keys that were found.
    health.busy = true
    health.attention = true
    try {
      if (view === undefined) this.readLive(count)
      else view.read(() => this.read(count))
    } finally {
      health.busy = false
    }
    this.chunk = Math.min(LARGEST_CHUNK, 2 * this.chunk)
  }

  /** A range that is not locked as a whole may have changed since the last step. */
  private readLive(count: number): void {
    const { inside, range } = this
    const { transactions, locks } = this.store.space
    if (inside?.state.locksRanges === false) transactions.beforeRangeRead(inside.state, locks, range)
    this.read(count)
  }

  get size(): number {
    return this.wanted.keys ? this.keys.length : this.values.length
  }

  /** For a transaction that waits when it meets a lock: goes on after what was read; false if that was all. */
  loadMore(): boolean {
    if (this.done) return false
    this.loadOn(Number.POSITIVE_INFINITY)
    return true
  }

  /** Forgets what was read. */
  drop(): void {
    this.keys = []
    this.values = []
    this.failures = undefined
  }

  private read(most: number): void {
    const { size } = this
    this.readOn(most)
    this.skipped = this.size > size ? 0 : this.skipped + this.scan.count
  }

  private readOn(most: number): void {
    const { scan, before, inside } = this
    const count = this.step(most)
    if (!this.readTogether(count))
      for (let i = 0; i < count && this.left > 0; i++) {
        if (before.name !== undefined && this.fromBefore(scan.at[i]!, scan.length[i]!)) continue
        if (inside === undefined) this.take(scan.at[i]!, scan.length[i]!)
        else this.takeOrStay(scan.at[i]!, scan.length[i]!)
      }
    if (scan.done) while (before.name !== undefined && this.left > 0) this.takeBefore()
  }

  /** The keys of a step at one go, if none of them, nor one between them, can be another transaction's. */
  private readTogether(count: number): boolean {
    if (this.inside !== undefined || !this.isBeforeChanges(count)) return false
    if (!this.wanted.values) return this.readKeys(count)
    return this.store.values.decodesAlone && this.readMany(count)
  }

  /** All keys of the step come before the next one that an open transaction has changed. */
  private isBeforeChanges(count: number): boolean {
    const { name } = this.before
    if (name === undefined) return true
    if (count === 0) return false
    const { at, length } = this.scan
    const last = latin1(this.store.space.arena.u8, at[count - 1]!, length[count - 1]!)
    return this.range.reverse ? last > name : last < name
  }

  /** A step of the scan; how many keys of it are to be looked at, without some that are known to have expired. */
  private step(most: number): number {
    const { scan, view, wanted, skipped } = this
    // Records that are read show it themselves, unless there are too many in the way.
    this.isFiltered = false
    if (view !== undefined && (!wanted.values || skipped >= IN_VAIN)) {
      this.isFiltered = true
      this.filter ??= new ExpiryFilter(this.store.space, scan, this.range.reverse, view.handle.lsn)
      return this.filter.step(most, skipped, wanted.values)
    }
    scan.step(most)
    return scan.count
  }

  /** Keys alone. */
  private readKeys(count: number): boolean {
    if (!this.wanted.codec.asTexts) return false
    const { at, length } = this.scan
    const most = Math.min(count, this.left)
    this.keys = append(this.keys, this.store.space.texts.decode(most, at, length) as K[])
    this.left -= most
    return true
  }

  /** All at once, as long as the blocks stay where they are. */
  private readMany(count: number): boolean {
    const { store, scan } = this
    const { findMany, arena, scanHash } = store.space
    const { at, length } = scan
    if (!findMany.find(count, at, length, this.isFiltered ? undefined : scan, scanHash)) return false
    const { records } = findMany
    const most = Math.min(count, this.left)
    let plain = 0
    while (plain < most && records[plain] !== 0 && recordFlags(arena, records[plain]!) === 0) plain++
    this.giveMany(plain)
    // Anything out of the ordinary may need other blocks, so that the rest is looked for one by one.
    for (let i = plain; i < count && this.left > 0; i++) this.take(at[i]!, length[i]!)
    return true
  }

  /** The first records that `findMany` has found, which have no flags. */
  private giveMany(count: number): void {
    const { store, scan, wanted } = this
    const { arena, texts, findMany } = store.space
    const { u8 } = arena
    const { records } = findMany
    const { at, length } = scan
    const { size } = this
    if (wanted.keys && wanted.codec.asTexts) this.keys = append(this.keys, texts.decode(count, at, length) as K[])
    else if (wanted.keys) for (let i = 0; i < count; i++) this.giveKey(size + i, at[i]!, at[i]! + length[i]!)
    for (let i = 0; i < count; i++) {
      const record = records[i]!
      at[i] = record + RECORD_HEADER_BYTES + length[i]!
      length[i] = recordFieldLength(arena, record)
    }
    if (!store.values.asTexts)
      for (let i = 0; i < count; i++) this.values.push(store.values.decode(u8, at[i]!, at[i]! + length[i]!))
    else if (store.values.fromJson) {
      const values = texts.decode(count, at, length)
      for (let i = 0; i < count; i++) this.giveJson(size + i, values[i]!, records[i]!)
    } else this.values = append(this.values, texts.decode(count, at, length) as V[])
    this.left -= count
  }

  private giveKey(place: number, start: number, end: number): void {
    try {
      this.keys.push(this.wanted.codec.decode<K>(this.store.space.arena.u8, start, end))
    } catch (error) {
      this.keys.push(undefined as K)
      this.fail(place, error)
    }
  }

  private giveJson(place: number, text: string, record: number): void {
    try {
      this.values.push(JSON.parse(text) as V)
    } catch (error) {
      this.values.push(undefined as V)
      const { space, values } = this.store
      const { arena } = space
      const key = record + RECORD_HEADER_BYTES
      this.fail(place, values.cannotDecode(error, copyBytes(arena.u8, key, key + recordKeyLength(arena, record))))
    }
  }

  /** What stands in this place could not be decoded. One that is passed over does not count. */
  private fail(place: number, error: unknown): void {
    if (!(error instanceof DecodeError)) throw error
    this.failures ??= new Map()
    if (this.failures.has(place)) return
    this.failures.set(place, error)
    if (this.range.onDecodeError !== 'throw') this.left++
  }

  /** If a lock stands in the way, the scan goes on from this key when it is tried again. */
  private takeOrStay(at: number, length: number): void {
    const { arena } = this.store.space
    try {
      this.take(at, length)
    } catch (error) {
      this.scan.restart({ key: copyBytes(arena.u8, at, at + length), inclusive: true })
      throw error
    }
  }

  /** The record of a key in the arena. */
  private take(at: number, length: number): void {
    const { store, wanted, inside } = this
    if (inside === undefined && !wanted.values) {
      this.give(at, length, undefined)
      return
    }
    const { index, pool } = store.space
    index.key.use(at, length)
    const record = requireRecord(store.space, inside === undefined ? index.find() : inside.lookUp())
    const found = store.found.inPool(record, pool.asOf)
    if (found !== undefined) this.give(at, length, found)
  }

  private give(at: number, length: number, found: Found | undefined): void {
    const { wanted } = this
    let key: K | undefined
    let value: V | undefined
    try {
      if (wanted.values) value = this.store.values.of(found)
      if (wanted.keys) key = wanted.codec.decode<K>(this.store.space.arena.u8, at, at + length)
    } catch (error) {
      this.fail(this.size, error)
    }
    this.add(key, value)
  }

  private add(key: K | undefined, value: V | undefined): void {
    if (this.wanted.keys) this.keys.push(key as K)
    if (this.wanted.values) this.values.push(value as V)
    this.left--
  }

  /** Takes the keys that come before the one at hand and are not in the tree any more; true if it is one of those. */
  private fromBefore(at: number, length: number): boolean {
    const name = latin1(this.store.space.arena.u8, at, length)
    const { before, range } = this
    while (before.name !== undefined) {
      if (before.name === name) {
        this.takeBefore()
        return true
      }
      if (range.reverse ? before.name < name : before.name > name) return false
      this.takeBefore()
      if (this.left === 0) return true
    }
    return false
  }

  /** The next key that an open transaction had changed when the snapshot began, as it was committed. */
  private takeBefore(): void {
    const name = this.before.name!
    this.before.advance()
    const { store, wanted } = this
    const { before } = this.view!
    // What the reader has changed itself lies in the blocks of now.
    const found = store.found.inCopy(before.get(name), before.isOwn(name) ? 0 : store.space.pool.asOf)
    if (found === undefined) return
    const bytes = fromLatin1(name)
    let key: K | undefined
    let value: V | undefined
    try {
      if (wanted.values) {
        // What an error of the decoder names.
        store.space.index.key.set(bytes)
        value = store.values.of(found)
      }
      if (wanted.keys) key = wanted.codec.decodeAll<K>(bytes)
    } catch (error) {
      this.fail(this.size, error)
    }
    this.add(key, value)
  }

  private beforeKeys(): BeforeKeys {
    const { view, range } = this
    return view === undefined || range.isEmpty ? NO_KEYS : view.before.within(range, range.reverse)
  }
}

/** A limit says how much will be wanted. */
const firstChunk = ({ limit }: ResolvedRange): number => (limit <= LARGEST_CHUNK ? Math.max(1, limit) : FIRST_CHUNK)

const append = <T>(list: T[], more: T[]): T[] => (list.length === 0 ? more : list.concat(more))

const NO_KEYS = new BeforeKeys([], false)
