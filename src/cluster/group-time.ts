/**
 * The time by which records expire.
 *
 *  X10  It is the later one of the node's own clock and the time of the last group, and never goes back: what one leader
 *       has found expired does not revive under the next one whose clock is slow.
 */
import type { Clock } from './clock.ts'

export class GroupTime {
  readonly #clock: Clock
  #latest = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Milliseconds since 1970. (X10) */
  now(): number {
    this.#latest = Math.max(this.#latest, this.#clock.time())
    return this.#latest
  }

  /** A group was executed at that time. */
  raise(time: number): void {
    this.#latest = Math.max(this.#latest, time)
  }
}
