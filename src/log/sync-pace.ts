/**
 * How long the syncs of the log take, and so whether a commit had better wait for its own in line, which holds up the
 * event loop, or have it done aside, which costs the way to another thread and back.
 *
 * A sync in line tells its time exactly, and a moving average forgets single slow ones. A sync aside tells at most how
 * long it took: its end may have waited for the event loop. So the shortest of the last few counts, and no sync has to
 * be done in line to find out that the disk has become fast.
 */

import { performance } from '../runtime/timers.ts'
import type { Storage } from '../storage/storage.ts'
import { SyncTimes } from './sync-times.ts'

/**
 * Syncs that take longer go aside, and those that take less come back: between the two it stays as it is. The way there
 * and back takes 0.05 to 0.1 ms: with syncs of 2 ms that is at most 5 % of the commits of 64 writers, with 0.5 ms up to
 * 20 %.
 */
const LONG_MS = 2
const SHORT_MS = 1
/** Share of the newest sync in the average. */
const WEIGHT = 1 / 8
/** Syncs aside of which the shortest counts. */
const WINDOW = 8

export class SyncPace {
  /** True when a sync is short enough to wait for it in line. Nothing is known at first: then it is not. */
  isShort = false
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number
  readonly times: SyncTimes = new SyncTimes()
  private average = 0
  private shortest = Number.POSITIVE_INFINITY
  private count = 0

  constructor(storage: Pick<Storage, 'monotonic'>) {
    this.now = storage.monotonic ?? (() => performance.now())
  }

  /** A sync in line took so long. */
  inLine(milliseconds: number): void {
    this.times.add(milliseconds)
    if (!this.isShort) {
      if (milliseconds < SHORT_MS) this.becomeShort(milliseconds)
      return
    }
    this.average += WEIGHT * (milliseconds - this.average)
    if (this.average > LONG_MS) this.becomeLong()
  }

  /** A sync aside took so long at most. */
  aside(milliseconds: number): void {
    this.times.add(milliseconds)
    if (this.isShort) return
    this.shortest = Math.min(this.shortest, milliseconds)
    if (++this.count < WINDOW) return
    if (this.shortest < SHORT_MS) this.becomeShort(this.shortest)
    else this.becomeLong()
  }

  private becomeShort(milliseconds: number): void {
    this.isShort = true
    this.average = milliseconds
  }

  private becomeLong(): void {
    this.isShort = false
    this.shortest = Number.POSITIVE_INFINITY
    this.count = 0
  }
}
