/** CLIENT PAUSE: until some time, or UNPAUSE, commands of clients wait, all of them or those that may write. */
import { clearTimeout, nextTurn, setTimeout } from '../../runtime/timers.ts'

export type PauseKind = 'writes' | 'all'

/** More does not go into a timer. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

export class Pause {
  /** What waits; undefined: nothing does. */
  kind: PauseKind | undefined
  private until = 0
  private timer: ReturnType<typeof setTimeout> | undefined
  /** By whom it is waited for: nothing is kept of clients that are gone. */
  private waiting: Map<object, () => void> = new Map()

  /** A pause that is on grows: it never becomes shorter, nor does it come to hold less. */
  begin(kind: PauseKind, until: number): void {
    this.kind = this.kind === 'all' ? 'all' : kind
    this.until = Math.max(this.until, until)
    this.arm()
  }

  /** How many clients wait. */
  get count(): number {
    return this.waiting.size
  }

  /** Runs `work` when the pause has ended, unless the client leaves before. */
  wait(client: object, work: () => void): void {
    this.waiting.set(client, work)
  }

  /** The client is gone. */
  leave(client: object): void {
    this.waiting.delete(client)
  }

  /** Those who wait go on in the next turn: a command may have ended it, whose replies are still being written. */
  end(): void {
    clearTimeout(this.timer)
    this.kind = undefined
    this.until = 0
    if (this.waiting.size > 0) nextTurn(() => this.goOn())
  }

  private goOn(): void {
    const { waiting } = this
    this.waiting = new Map()
    for (const work of waiting.values()) work()
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
