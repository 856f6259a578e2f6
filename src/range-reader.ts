/**
 * Reads the records of a range in key order, some at a time: their keys from the ordered index, their values from the
 * buckets. As a snapshot, or live inside a transaction, which locks what it reads.
 */
import { compareBytes } from './bytes.ts'
import { copyBytes } from './encoding.ts'
import { CorruptionError, LockConflictError, XenonError } from './errors.ts'
import { expiredKeys, nextExpiry } from './expiry.ts'
import { TreeScan } from './index/tree-scan.ts'
import { RECORD_HEADER_BYTES, recordFieldLength, recordFlags } from './pager/bucket.ts'
import type { ResolvedRange } from './range.ts'
import type { Store, View } from './store.ts'
import { fromLatin1, latin1 } from './txn/committed-view.ts'
import { isWithin } from './txn/range-locks.ts'
import type { TransactionState } from './txn/transaction-state.ts'

/** Records read ahead at first, and at most. */
const FIRST_CHUNK = 16
const LARGEST_CHUNK = 512

export interface Wanted {
  readonly keys: boolean
  readonly values: boolean
  readonly binaryKeys: boolean
}

export class RangeReader<V, K> {
  /** What the last `load` has read. */
  keys: K[] = []
  values: V[] = []
  private readonly store: Store<V>
  private readonly range: ResolvedRange
  private readonly wanted: Wanted
  private readonly view: View | undefined
  private readonly state: TransactionState | undefined
  private readonly scan: TreeScan
  /** Keys of `view.before` in the range, in scan order, and how many of them are past. */
  private before: string[]
  private beforeAt = 0
  private chunk: number
  private left: number
  private mayExpire: boolean | undefined
  private expired: ReadonlySet<string> = NONE

  /** With a `view`, reads that snapshot; with a `state`, what that transaction sees. */
  constructor(
    store: Store<V>,
    range: ResolvedRange,
    wanted: Wanted,
    view: View | undefined,
    state: TransactionState | undefined,
  ) {
    this.store = store
    this.range = range
    this.wanted = wanted
    this.view = view
    this.state = state
    this.left = range.isEmpty ? 0 : range.limit
    this.chunk = firstChunk(range)
    const { pool, ordered, scanRoom } = store.engine
    this.scan = new TreeScan(pool, ordered, scanRoom, range, range.reverse)
    this.before = this.sortedBefore()
  }

  get done(): boolean {
    return this.left === 0 || (this.scan.done && this.beforeAt >= this.before.length)
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
    this.before = this.sortedBefore()
    const name = latin1(key, 0, key.length)
    this.beforeAt = this.before.findIndex(other => (range.reverse ? other <= name : other >= name))
    if (this.beforeAt < 0) this.beforeAt = this.before.length
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
    this.keys = []
    this.values = []
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

  private loadOn(most: number): void {
    const { view, store } = this
    const { health } = store.engine
    const count = Math.min(this.chunk, this.left, most)
    // A codec that came back into the database would overwrite the keys that were found.
    health.busy = true
    health.attention = true
    try {
      if (view === undefined) this.readLive(count)
      else store.asOf(view, () => this.read(count))
    } finally {
      health.busy = false
    }
    this.chunk = Math.min(LARGEST_CHUNK, 2 * this.chunk)
  }

  /** A range that is not locked as a whole may have changed since the last step. */
  private readLive(count: number): void {
    const { store, state, range } = this
    if (state?.locksRanges === false) store.engine.transactions.beforeRangeRead(state, range)
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
  }

  private read(most: number): void {
    const { scan, wanted } = this
    if (!wanted.values) this.findExpired()
    scan.step(most)
    const { count } = scan
    if (!wanted.values && this.readKeys(count)) return
    const inStages = wanted.values && this.state === undefined && this.before.length === 0
    if (inStages && this.store.decodesAlone && this.readMany(count)) return
    for (let i = 0; i < count && this.left > 0; i++) {
      if (this.before.length > 0 && this.fromBefore(scan.at[i]!, scan.length[i]!)) continue
      if (this.state === undefined) this.take(scan.at[i]!, scan.length[i]!)
      else this.takeOrStay(scan.at[i]!, scan.length[i]!)
    }
    if (scan.done) while (this.beforeAt < this.before.length && this.left > 0) this.takeBefore()
  }

  /** Keys alone, when none of them can have expired or be another transaction's. */
  private readKeys(count: number): boolean {
    if (this.state !== undefined || this.before.length > 0 || this.expired.size > 0) return false
    if (this.wanted.binaryKeys) return false
    const { at, length } = this.scan
    const most = Math.min(count, this.left)
    this.keys = append(this.keys, this.store.engine.texts.decode(most, at, length) as K[])
    this.left -= most
    return true
  }

  /** All at once, as long as the blocks stay where they are. */
  private readMany(count: number): boolean {
    const { store, scan } = this
    const { findMany, arena } = store.engine
    const { at, length } = scan
    if (!findMany.find(count, at, length)) return false
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
    const { arena, texts, findMany } = store.engine
    const { u8 } = arena
    const { records } = findMany
    const { at, length } = scan
    if (wanted.keys && !wanted.binaryKeys)
      this.keys = append(this.keys, texts.decode(count, at, length) as K[])
    else if (wanted.keys)
      for (let i = 0; i < count; i++) this.keys.push(copyBytes(u8, at[i]!, at[i]! + length[i]!) as K)
    for (let i = 0; i < count; i++) {
      const record = records[i]!
      at[i] = record + RECORD_HEADER_BYTES + length[i]!
      length[i] = recordFieldLength(arena, record)
    }
    if (!store.asTexts)
      for (let i = 0; i < count; i++) this.values.push(store.decode(u8, at[i]!, at[i]! + length[i]!))
    else if (store.fromJson) {
      for (const text of texts.decode(count, at, length)) this.values.push(JSON.parse(text) as V)
    } else this.values = append(this.values, texts.decode(count, at, length) as V[])
    this.left -= count
  }

  /** If a lock stands in the way, the scan goes on from this key when it is tried again. */
  private takeOrStay(at: number, length: number): void {
    const { arena } = this.store.engine
    try {
      this.take(at, length)
    } catch (error) {
      this.scan.restart({ key: copyBytes(arena.u8, at, at + length), inclusive: true })
      throw error
    }
  }

  /** The record of a key in the arena. */
  private take(at: number, length: number): void {
    const { store, wanted, state } = this
    if (state === undefined && !wanted.values) {
      if (this.expired.size === 0 || !this.expired.has(latin1(store.engine.arena.u8, at, length)))
        this.give(at, length, undefined)
      return
    }
    const { index, transactions } = store.engine
    index.key.use(at, length)
    const record = index.find()
    if (state !== undefined) transactions.beforeRead(state, index.bucket)
    if (record === 0)
      throw new CorruptionError(
        store.engine.file.file.path,
        'the ordered index holds a key that has no record',
        store.engine.ordered.block,
      )
    if (wanted.values) {
      const value = store.valueOf(record)
      if (value !== undefined || !store.hasExpired(record)) this.give(at, length, value)
    } else if (!store.hasExpired(record)) this.give(at, length, undefined)
  }

  private give(at: number, length: number, value: V | undefined): void {
    const { u8 } = this.store.engine.arena
    if (this.wanted.keys)
      this.keys.push(
        (this.wanted.binaryKeys ? copyBytes(u8, at, at + length) : u8.utf8Slice(at, at + length)) as K,
      )
    if (this.wanted.values) this.values.push(value as V)
    this.left--
  }

  /** Takes the keys that come before the one at hand and are not in the tree any more; true if it is one of those. */
  private fromBefore(at: number, length: number): boolean {
    const name = latin1(this.store.engine.arena.u8, at, length)
    const { before, range } = this
    while (this.beforeAt < before.length) {
      const other = before[this.beforeAt]!
      if (other === name) {
        this.takeBefore()
        return true
      }
      if (range.reverse ? other < name : other > name) return false
      this.takeBefore()
      if (this.left === 0) return true
    }
    return false
  }

  /** The next key that an open transaction had changed when the snapshot began, as it was committed. */
  private takeBefore(): void {
    const name = this.before[this.beforeAt++]!
    const record = this.view!.before.get(name)
    if (record === undefined || this.store.isPast(record)) return
    const key = fromLatin1(name)
    const { wanted } = this
    if (wanted.values) {
      const { store } = this
      const isOwn = this.view!.own?.has(name) === true
      const value = isOwn ? store.asNow(() => store.decodeCommitted(record)) : store.decodeCommitted(record)
      this.values.push(value as V)
    }
    if (wanted.keys) this.keys.push((wanted.binaryKeys ? key : decoder.decode(key)) as K)
    this.left--
  }

  private sortedBefore(): string[] {
    const { view, range } = this
    if (view === undefined || view.before.size === 0) return []
    const names = [...view.before.keys()].filter(name => isWithin(fromLatin1(name), range)).sort()
    return range.reverse ? names.reverse() : names
  }

  /** Without their records, keys do not show whether they have expired; the tree over the times does. */
  private findExpired(): void {
    if (this.state !== undefined) return
    const { engine } = this.store
    this.mayExpire ??= nextExpiry(engine) !== Number.POSITIVE_INFINITY
    if (!this.mayExpire) return
    const keys = expiredKeys(engine, engine.now(), Number.POSITIVE_INFINITY)
    this.expired = keys.length === 0 ? NONE : new Set(keys.map(key => latin1(key, 0, key.length)))
  }
}

/** A limit says how much will be wanted. */
const firstChunk = ({ limit }: ResolvedRange): number =>
  limit <= LARGEST_CHUNK ? Math.max(1, limit) : FIRST_CHUNK

const append = <T>(list: T[], more: T[]): T[] => (list.length === 0 ? more : list.concat(more))

const NONE: ReadonlySet<string> = new Set()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** @throws XenonError `XENON_NOT_SUPPORTED` if the database keeps no ordered index. */
export const requireOrdered = (isOrdered: boolean, directory: string): void => {
  if (!isOrdered)
    throw new XenonError(
      'XENON_NOT_SUPPORTED',
      `the database was created with ordered: false, so it has no ranges; 'xenondb convert ${directory} --ordered' adds the index, reset() and next() go through all records`,
    )
}
