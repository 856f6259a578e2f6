/** CLIENT PAUSE: until some time, or UNPAUSE, commands of clients wait, all of them or those that may write. */
import { clearTimeout, setTimeout } from '../../runtime/timers.ts'

export type PauseKind = 'writes' | 'all'

/** More does not go into a timer. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

export class Pause {
  /** What waits; undefined: nothing does. */
  kind: PauseKind | undefined
  private until = 0
  private timer: ReturnType<typeof setTimeout> | undefined
  private waiting: (() => void)[] = []

  /** A pause that is on grows: it never becomes shorter, nor does it come to hold less. */
  begin(kind: PauseKind, until: number): void {
    this.kind = this.kind === 'all' ? 'all' : kind
    this.until = Math.max(this.until, until)
    this.arm()
  }

  /** Runs `work` when the pause has ended. */
  wait(work: () => void): void {
    this.waiting.push(work)
  }

  end(): void {
    clearTimeout(this.timer)
    this.kind = undefined
    this.until = 0
    const { waiting } = this
    this.waiting = []
    for (const work of waiting) work()
  }

  private arm(): void {
    clearTimeout(this.timer)
    const left = this.until - Date.now()
    if (left <= 0) this.end()
    else {
      this.timer = setTimeout(() => this.arm(), Math.min(left, LONGEST_TIMER_MS))
      this.timer.unref()
    }
  }
}
