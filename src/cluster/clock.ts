/**
 * Time, as the cluster sees it. The node's code takes every time and every timer from here, so that a simulator can drive
 * it. Leases and silences are measured by `now()` alone: no wall clock decides who leads.
 */
import { clearTimeout, nextTurn, performance, setTimeout } from '../runtime/timers.ts'

export interface Clock {
  /** Milliseconds of a clock that never runs backwards; its zero means nothing. */
  now(): number
  /** Milliseconds since 1970, of a clock that somebody may set: for times of expiry only. */
  time(): number
  /** Runs `work` once after `ms` milliseconds of `now()`; the result cancels it. */
  after(ms: number, work: () => void): () => void
  /** Runs `work` once all that has arrived by now was gone through. */
  soon(work: () => void): void
}

/** The machine's own clocks. Their timers do not keep the process alive: the node's connections do. */
export const systemClock: Clock = {
  now: () => performance.now(),
  time: () => Date.now(),
  after: (ms, work) => {
    const timer = setTimeout(work, ms) as ReturnType<typeof globalThis.setTimeout> & { unref?(): void }
    timer.unref?.()
    return () => clearTimeout(timer)
  },
  soon: nextTurn,
}
