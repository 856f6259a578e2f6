/**
 * Records for somebody who decides himself when what he has written becomes durable: the server, which makes the
 * writes of all clients durable at once before it answers any of them. Times of expiry are exact (milliseconds since
 * 1970, 0 = never).
 */

import { InvalidArgumentError, LockConflictError } from '../errors.ts'
import { KEYS_AHEAD, LOOK_AHEAD_FROM, type Parts } from '../hash/keys-ahead.ts'
import type { BucketScan } from '../hash/scan.ts'
import { RECORD_HEADER_BYTES, recordKeyLength } from '../pager/bucket.ts'
import { copyBytes } from '../runtime/bytes.ts'
import type { TransactionState } from '../txn/transaction-state.ts'
import type { Key } from '../types.ts'
import type { KeyUse } from '../values/key.ts'
import { resolveRange } from '../values/range.ts'
import { expiryTime } from '../values/ttl.ts'
import { countPast } from './counts.ts'
import { countExpiring } from './expiry.ts'
import type { Ranges } from './ranges.ts'
import type { Store } from './store.ts'

export interface RecordsOwner {
  check(): void
  checkWritable(): void
  /** Undefined if it is done. */
  makeDurable(): Promise<void> | undefined
  /** Something expires at this time. */
  expires(time: number): void
  /** The open transactions that have read or changed something. */
  busy(): readonly number[]
  /** Removes all records at once; false if they have to be removed one by one. */
  clearBlocks(): boolean
  /** Of all key spaces of the database. */
  readonly together: Together
}

/** What several operations are done in, if they are to be done together: a transaction that goes on behind them. */
export interface Together {
  state: TransactionState | undefined
}

const NO_BYTES = new Uint8Array(0)
/** Keys that are counted in one step. */
const STEP = 4096

export class Records<V> {
  /** Where the value lies that `find` has found: the caller takes it before it does anything else, and lets it go. */
  bytes: Uint8Array = NO_BYTES
  at = 0
  private readonly store: Store<V>
  private readonly ranges: Ranges<V>
  private readonly owner: RecordsOwner
  constructor(store: Store<V>, ranges: Ranges<V>, owner: RecordsOwner) {
    this.store = store
    this.ranges = ranges
    this.owner = owner
  }

  /** Neither a large value nor an arena that has been left for a larger one is kept until the next `find`. */
  letGo(): void {
    this.bytes = NO_BYTES
  }

  now(): number {
    return this.store.space.now()
  }

  /** Keys and values are given out as bytes. */
  get isBinary(): boolean {
    return this.store.isBinary
  }

  get ordered(): boolean {
    return this.store.space.metadata.ordered
  }

  /**
   * Looks for the key that lies at [start, end) of `source`: length of its value, or -1; `bytes` and `at` say where.
   */
  find(source: Uint8Array, start: number, end: number): number {
    this.owner.check()
    const { committed, values, space } = this.store
    const found = committed.findPart(source, start, end)
    if (found === undefined) return -1
    if (found.flags === 0) {
      this.bytes = space.arena.u8
      this.at = found.field
      return found.length
    }
    this.bytes = values.bytesOf(found)
    this.at = 0
    return this.bytes.length
  }

  get(key: Key): V | undefined {
    this.owner.check()
    return this.store.values.of(this.store.committed.find(key))
  }

  has(key: Key): boolean {
    this.owner.check()
    return this.store.committed.has(key)
  }

  /** When the record expires; undefined if there is none. */
  timeOf(key: Key): number | undefined {
    this.owner.check()
    return this.store.committed.find(key)?.expiresAt
  }

  /** `has` for the key that lies at [start, end) of `source`. */
  hasPart(source: Uint8Array, start: number, end: number): boolean {
    this.owner.check()
    return this.store.committed.hasPart(source, start, end)
  }

  /**
   * Calls `work` with the index of every `step`th of the parts from `first` on, which is a key. Nothing but the time
   * depends on this, `use` included: many keys are looked at ahead of their turn (`keys-ahead.ts`).
   */
  each(parts: Parts, first: number, step: number, use: KeyUse, work: (index: number) => void): void {
    const { space } = this.store
    const { keysAhead } = space
    const looksAhead = parts.count - first >= LOOK_AHEAD_FROM * step
    const stretch = step * KEYS_AHEAD
    try {
      for (let from = first; from < parts.count; from += stretch) {
        if (looksAhead) keysAhead.loadParts(space, parts, from, step, use)
        const to = Math.min(parts.count, from + stretch)
        for (let i = from; i < to; i += step) work(i)
      }
    } finally {
      keysAhead.clear()
    }
  }

  put(key: Key, value: V, expiresAt: number): void {
    this.owner.checkWritable()
    const time = this.timeFor(expiresAt)
    if (this.state === undefined) this.store.writer.put(key, value, time)
    else this.store.writer.putIn(this.state, key, value, time)
  }

  delete(key: Key): boolean {
    this.owner.checkWritable()
    const { writer } = this.store
    return this.state === undefined ? writer.delete(key).found : writer.deleteIn(this.state, key)
  }

  changeExpiry(key: Key, expiresAt: number): boolean {
    this.owner.checkWritable()
    const time = this.timeFor(expiresAt)
    return this.together(state => this.store.writer.changeExpiry(state, key, time))
  }

  private timeFor(expiresAt: number): number {
    if (expiresAt === 0) return 0
    this.owner.expires(expiresAt)
    return expiryTime(0, expiresAt)
  }

  /** The transaction around several operations. */
  private get state(): TransactionState | undefined {
    return this.owner.together.state
  }

  /** Runs `work` as one transaction, or as a part of it, all or nothing too, if there is one already. */
  together<T>(work: (state: TransactionState) => T): T {
    const { state } = this
    if (state !== undefined) return this.store.space.within(state, () => work(state))
    const { together } = this.owner
    let result: T | undefined
    this.owner.check()
    try {
      this.store.space.implicitly(own => {
        together.state = own
        result = work(own)
      })
    } finally {
      together.state = undefined
    }
    return result as T
  }

  /** Somebody wants to hear of each record that is changed, so that a clear has to remove them one by one. */
  get isWatched(): boolean {
    return this.store.space.isObservedByRecords
  }

  /** Nobody else has anything under way, nor is this inside of `together`. */
  get isQuiet(): boolean {
    return this.state === undefined && this.owner.busy().length === 0
  }

  /**
   * @throws LockConflictError while other transactions have something under way, so that a clear would have to remove the
   *   records one by one. Inside of `together` it does nothing.
   */
  requireQuiet(): void {
    if (this.isQuiet || this.state !== undefined) return
    const holders = this.owner.busy()
    throw new LockConflictError(
      `transaction ${holders[0]} is open and may have read or changed something; commit or roll it back first, then clear`,
      { holders, lock: undefined, exclusive: true },
    )
  }

  /** True as long as all of these transactions are open. */
  areOpen(transactions: readonly number[]): boolean {
    const { open } = this.store.space.transactions
    return transactions.every(id => open.has(id))
  }

  /** Number of records that have not expired. */
  count(): number {
    this.owner.check()
    const { store, state } = this
    const { space } = store
    if (!space.isRoot && !this.ordered) return this.countOneByOne()
    const view = store.asOfNow(state)
    try {
      if (!space.isRoot) return this.ranges.count(view, {})
      return space.metadata.records + (state?.records ?? 0) - countPast(space, view)
    } finally {
      view.end()
    }
  }

  /** Of these, those that have a time of expiry; those that open transactions have changed count as they are now. */
  countExpiring(): number {
    this.owner.check()
    return countExpiring(this.store.space)
  }

  private countOneByOne(): number {
    let count = 0
    for (let place = 0; ; ) {
      const { keys, next } = this.scan(place, STEP)
      count += keys.length
      if (next === 0) return count
      place = next
    }
  }

  /** Removes everything. */
  clear(): void {
    this.owner.checkWritable()
    if (this.state === undefined && this.owner.clearBlocks()) return
    this.together(state => {
      if (this.ordered) {
        this.ranges.clear(state, resolveRange(undefined))
        return
      }
      for (let place = 0; ; ) {
        const { keys, next } = this.scan(place, 1)
        for (const key of keys) this.store.writer.deleteIn(state, key)
        if (next === 0) return
        place = next
      }
    })
  }

  /**
   * Keys from a place on that an earlier call gave as `next` (0: from the beginning, 0 again: that was the end), at
   * least `least` of them if there are so many. A key that stays is met exactly once.
   */
  scan(place: number, least: number): { keys: Uint8Array[]; next: number } {
    this.owner.check()
    const { store } = this
    if (!(Number.isSafeInteger(place) && place >= 0)) throw new InvalidArgumentError('not a place of a scan')
    const scan = store.space.bucketScan()
    scan.goOnFrom(place)
    const keys: Uint8Array[] = []
    while (keys.length < least && scan.advance()) for (const key of this.keysOf(scan)) keys.push(key)
    return { keys, next: scan.next }
  }

  private keysOf(scan: BucketScan): Uint8Array[] {
    const { committed } = this.store
    const { copy } = scan
    const keys = scan.records.map(record => {
      const start = record + RECORD_HEADER_BYTES
      return copyBytes(copy.u8, start, start + recordKeyLength(copy, record))
    })
    keys.push(...committed.hiddenKeys(scan, committed.changedIn(scan)))
    return keys.filter(key => committed.has(key))
  }

  /** Some key, or undefined if there is none. */
  random(): Uint8Array | undefined {
    const roots = this.store.space.indexBlocks.length
    const start = Math.floor(Math.random() * roots * 4294967296)
    for (const from of [start, 0]) {
      const { keys } = this.scan(from, 1)
      if (keys.length > 0) return keys[Math.floor(Math.random() * keys.length)]
    }
    return undefined
  }

  /**
   * Makes everything that was committed as durable as the database's `durability` says: undefined if it is when this
   * returns, else a promise, while others go on.
   */
  makeDurable(): Promise<void> | undefined {
    return this.owner.makeDurable()
  }
}
