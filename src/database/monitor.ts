/** Tells a hook what will hurt: once for each occurrence, from a timer that keeps no process alive. */
import { letGo } from '../runtime/callbacks.ts'
import { clearInterval, nextTurn, setInterval } from '../runtime/timers.ts'
import type { Warning } from '../types.ts'

const LOOK_MS = 1000

export class Monitor {
  private readonly look: () => readonly { readonly number: number; readonly warning: Warning }[]
  private readonly hook: (warning: Warning) => void
  private readonly timer: ReturnType<typeof setInterval>
  private told = 0
  private stopped = false

  /** `look` gives those that hold now, each with a number that grows from occurrence to occurrence. */
  constructor(look: Monitor['look'], hook: (warning: Warning) => void) {
    this.look = look
    this.hook = hook
    this.timer = setInterval(() => this.tell(), LOOK_MS)
    ;(this.timer as { unref?: () => void }).unref?.()
    nextTurn(() => this.tell())
  }

  stop(): void {
    this.stopped = true
    clearInterval(this.timer)
  }

  private tell(): void {
    if (this.stopped) return
    const { told } = this
    for (const { number, warning } of this.look()) {
      if (number <= told) continue
      this.told = Math.max(this.told, number)
      try {
        letGo(this.hook(warning))
      } catch {
        // What the hook does is no affair of the database.
      }
    }
  }
}
