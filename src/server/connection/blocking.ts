/** A client that waits for something with a time limit (WAIT), which another may end (CLIENT UNBLOCK). */
import { clearTimeout, setTimeout } from '../../runtime/timers.ts'
import type { UnblockReason } from '../commands/host.ts'

/** More does not go into a timer. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

export class Blocking {
  private settle: ((reason: UnblockReason) => void) | undefined

  /** Resolves when the time is over or `end` is called. */
  async wait(milliseconds: number): Promise<UnblockReason> {
    let timer: ReturnType<typeof setTimeout> | undefined
    try {
      return await new Promise(resolve => {
        this.settle = resolve
        if (milliseconds === Number.POSITIVE_INFINITY) return
        timer = setTimeout(() => resolve('timeout'), Math.min(milliseconds, LONGEST_TIMER_MS))
      })
    } finally {
      clearTimeout(timer)
      this.settle = undefined
    }
  }

  /** False if nobody waits. */
  end(reason: UnblockReason): boolean {
    const { settle } = this
    this.settle = undefined
    settle?.(reason)
    return settle !== undefined
  }
}
