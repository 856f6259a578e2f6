/**
 * Removes expired records in the background, a few milliseconds at a time, in the order of their times. Its timers keep
 * no process alive. What it cannot remove now, because an open transaction holds it or its block is damaged, it passes
 * and comes back for later: after a tenth of a second, then after twice as long each time.
 */

import type { Space } from '../engine/space.ts'
import { XenonError, type XenonErrorCode } from '../errors.ts'
import { EXPIRY_BYTES } from '../pager/bucket.ts'
import { copyBytes } from '../runtime/bytes.ts'
import { performance } from '../runtime/timers.ts'
import { SCAN_KEYS, TreeScan } from '../tree/tree-scan.ts'
import type { TransactionState } from '../txn/transaction-state.ts'
import { hasExpired, nextExpiry, passed } from './expiry.ts'

/** From the first time that passes to the sweep, and between two looks at a far time. */
const SOON_MS = 20
const LATE_MS = 60000
/** Between two slices when there is more to remove. */
const PAUSE_MS = 5
/** Milliseconds after which a slice lets others go first, and records removed in one transaction. */
const SLICE_MS = 2
const SLICE_RECORDS = 64
/** Until what was passed is tried again. */
const RETRY_MS = 100
const LONGEST_RETRY_MS = 10000

/** Who removes a record, with what hangs on it. */
export interface Removal {
  /** False as long as the sweep has to wait. */
  readonly maySweep: boolean
  /** Removes the record of the key in the key buffer. */
  removeAll(state: TransactionState): unknown
}

/** A record that cannot be removed for one of these is passed: the others are not kept waiting. */
const PASSED: ReadonlySet<XenonErrorCode> = new Set([
  'XENON_LOCK_CONFLICT',
  'XENON_CORRUPT',
  'XENON_INDEX',
  'XENON_DECODE',
  'XENON_INVALID_ARGUMENT',
])

export class Sweeper {
  private readonly space: Space
  private readonly removal: Removal
  private readonly written: () => void
  private beginTimer: unknown
  private timer: unknown
  private due = Number.POSITIVE_INFINITY
  private isOn = false
  private retryTimer: unknown
  private retryMs = RETRY_MS
  /** Key of the tree over times behind which the sweep goes on; undefined: from the front. */
  private from: Uint8Array | undefined
  /** Something was passed since the sweep began at the front. */
  private hasPassed = false

  /** `written` is called after changes that nobody was promised. */
  constructor(space: Space, removal: Removal, written: () => void) {
    this.space = space
    this.removal = removal
    this.written = written
  }

  /**
   * Soon, looks when the first sweep is due: opening does not take the time to read the tree. Where no record has ever
   * expired, there is nothing to look at, and opening does without a timer.
   */
  begin(): void {
    this.isOn = true
    if (this.hasTimes) this.beginTimer = after(SOON_MS, () => this.look())
  }

  /** False if the root of the tree over times was never changed. */
  private get hasTimes(): boolean {
    const { file, pool, expiry } = this.space
    return !file.isBlank(expiry.root) || pool.isDirty(expiry.root)
  }

  private look(): void {
    const { space } = this
    if (space.closed || space.isDropped || space.health.failure !== undefined) return
    try {
      space.attend()
      this.schedule(nextExpiry(space))
    } catch {
      // Whatever it was, such as damage to the tree, whoever needs the tree says so.
    }
  }

  /** Something expires at `time`. */
  schedule(time: number): void {
    if (this.isOn && time < this.due) this.runAfter(time, Math.max(SOON_MS, time - this.space.now()))
  }

  /** Until it begins again. */
  stop(): void {
    this.isOn = false
    cancel(this.beginTimer)
    cancel(this.timer)
    cancel(this.retryTimer)
    this.timer = undefined
    this.retryTimer = undefined
    this.due = Number.POSITIVE_INFINITY
  }

  private runAfter(due: number, wait: number): void {
    cancel(this.timer)
    this.due = due
    this.timer = after(Math.min(LATE_MS, wait), () => this.run())
  }

  private run(): void {
    const { space } = this
    this.timer = undefined
    this.due = Number.POSITIVE_INFINITY
    if (space.closed || space.isDropped || space.health.failure !== undefined) return
    try {
      space.attend()
      if (!space.room.mayDelete() || !this.removal.maySweep) {
        this.retryLater()
        return
      }
      const before = space.expired
      const isMore = this.slice()
      if (space.expired > before) {
        this.retryMs = RETRY_MS
        this.written()
      }
      if (isMore) this.runAfter(space.now(), PAUSE_MS)
      else this.end()
    } catch {
      // Whatever it was, the next operation that meets it says so.
      if (!space.closed && space.health.failure === undefined) this.retryLater()
    }
  }

  /** All that has expired was removed or passed. */
  private end(): void {
    const { space } = this
    // What a transaction has taken out of the tree comes back if that is rolled back.
    if (this.hasPassed || space.transactions.locks.exclusive > 0) this.retryLater()
    if (this.retryTimer === undefined) this.from = undefined
    this.schedule(nextExpiry(space, this.from === undefined ? undefined : space.now()))
  }

  /** Begins at the front again later. */
  private retryLater(): void {
    if (this.retryTimer !== undefined) return
    // Until then, only what expires from now on is looked at.
    this.from ??= new Uint8Array(0)
    this.retryTimer = after(this.retryMs, () => {
      this.retryTimer = undefined
      this.from = undefined
      this.hasPassed = false
      this.runAfter(this.space.now(), 0)
    })
    this.retryMs = Math.min(LONGEST_RETRY_MS, 2 * this.retryMs)
  }

  /** Removes records for about two milliseconds; true if more of them may have expired. */
  private slice(): boolean {
    const { space } = this
    const started = performance.now()
    const isOver = (): boolean => performance.now() - started > SLICE_MS
    for (;;) {
      const found = this.next()
      if (found.length === 0) return false
      let removed = 0
      space.implicitly(state => {
        for (const key of found) {
          if (this.remove(state, key.subarray(EXPIRY_BYTES))) removed++
          else this.hasPassed = true
          this.from = key
          if (isOver()) break
        }
      })
      space.expired += removed
      if (isOver()) return true
    }
  }

  /** Removes up to `most` records whose time has passed, in a transaction; returns how many. */
  removeIn(state: TransactionState, most: number): number {
    if (!this.removal.maySweep) return 0
    let removed = 0
    this.from = undefined
    while (removed < most) {
      const found = this.next()
      if (found.length === 0) break
      for (const key of found) {
        if (removed === most) break
        if (this.remove(state, key.subarray(EXPIRY_BYTES))) removed++
        this.from = key
      }
    }
    this.from = undefined
    this.space.expired += removed
    return removed
  }

  /** The next keys of the tree over times whose time has passed. */
  private next(): Uint8Array[] {
    const { space, from } = this
    const { pool, expiry, scanRoom, arena } = space
    const lower = from === undefined || from.length === 0 ? undefined : { key: from, inclusive: false }
    const scan = new TreeScan(pool, expiry, scanRoom, { lower, upper: passed(space.now()) }, false)
    const keys: Uint8Array[] = []
    while (!scan.done && keys.length < SLICE_RECORDS) {
      scan.step(Math.min(SCAN_KEYS, SLICE_RECORDS - keys.length))
      for (let i = 0; i < scan.count; i++) keys.push(copyBytes(arena.u8, scan.at[i]!, scan.at[i]! + scan.length[i]!))
    }
    return keys
  }

  /** False if an open transaction stands in the way, or damage. */
  private remove(state: TransactionState, key: Uint8Array): boolean {
    const { index, transactions } = this.space
    const before = transactions.savepoint(state)
    try {
      index.key.set(key)
      const record = index.find()
      if (record === 0 || !hasExpired(this.space, record)) return false
      if (!transactions.locks.isFreeFor(index.key.lock, state.id)) return false
      if (this.space.locks.ranges.holdersOf(key, state.id).length > 0) return false
      this.removal.removeAll(state)
      return true
    } catch (error) {
      if (!(error instanceof XenonError && PASSED.has(error.code))) throw error
      transactions.rollbackTo(state, before)
      return false
    }
  }
}

const after = (milliseconds: number, run: () => void): unknown => {
  const timer: unknown = setTimeout(run, milliseconds)
  ;(timer as { unref?: () => void }).unref?.()
  return timer
}

const cancel = (timer: unknown): void => {
  if (timer !== undefined) clearTimeout(timer as Parameters<typeof clearTimeout>[0])
}
