/** When a connection that was lost is tried again, and how long requests wait for one. */
import { clearTimeout, performance, setTimeout } from '../runtime/timers.ts'

const FIRST_PAUSE_MS = 20
const LONGEST_PAUSE_MS = 2000

export class Redial {
  private readonly attempt: () => void
  /** Milliseconds without a connection after which requests no longer wait for one. */
  private readonly patience: number
  /** Since when there is none, by `performance.now()`; undefined while there is. */
  private lostAt: number | undefined = performance.now()
  private attempts = 0
  private timer: NodeJS.Timeout | undefined
  private dueAt = 0

  constructor(attempt: () => void, patience: number) {
    this.attempt = attempt
    this.patience = patience
  }

  connected(): void {
    this.lostAt = undefined
    this.attempts = 0
  }

  /** There is no connection, or the attempt at one has failed. */
  lost(): void {
    this.lostAt ??= performance.now()
  }

  /** There has been none for so long that requests no longer wait: an attempt that fails answers them. */
  get isDown(): boolean {
    return this.lostAt !== undefined && performance.now() - this.lostAt >= this.patience
  }

  /** `isWaitedFor`: by requests, which learn at the end of their time how the last attempt went. */
  later(isWaitedFor: boolean): void {
    const most = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.attempts++)
    const pause = most * (0.5 + Math.random() / 2)
    const left = (this.lostAt ?? 0) + this.patience - performance.now()
    this.within(isWaitedFor && left > 0 ? Math.min(pause, left) : pause)
  }

  /** Somebody asks for the server while it is down: the next attempt comes soon. */
  hurry(): void {
    if (this.timer !== undefined && this.isDown) this.within(FIRST_PAUSE_MS)
  }

  stop(): void {
    clearTimeout(this.timer)
    this.timer = undefined
  }

  /** An attempt that is due earlier stays so. */
  private within(milliseconds: number): void {
    const due = performance.now() + milliseconds
    if (this.timer !== undefined && this.dueAt <= due) return
    clearTimeout(this.timer)
    this.dueAt = due
    this.timer = setTimeout(() => {
      this.timer = undefined
      this.attempt()
    }, Math.ceil(milliseconds))
  }
}
