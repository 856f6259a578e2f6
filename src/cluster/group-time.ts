/**
 * The time by which records expire.
 *
 *  X10  It is the later one of the node's own clock and the time of the last group, and never goes back: what one leader
 *       has found expired does not revive under the next one, whose clock may be slow.
 *
 * A leader answers reads between two messages too. It judges them by no later time than that of its last message and D
 * more, and whoever takes over after a silence begins there, wherever its own clock stands.
 */
import type { Clock } from './clock.ts'

export class GroupTime {
  /** The commands of a group are executed: its message will carry the time. */
  isInGroup = false
  readonly #clock: Clock
  #latest = 0
  #limit: number = Number.POSITIVE_INFINITY

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Milliseconds since 1970. (X10) */
  now(): number {
    this.#latest = Math.max(this.#latest, this.#clock.time())
    return this.isInGroup ? this.#latest : Math.min(this.#latest, this.#limit)
  }

  /** What a group has seen might be seen without one too. */
  get isWithinLimit(): boolean {
    return this.#latest <= this.#limit
  }

  /** A group was executed at that time, or may have been. */
  raise(time: number): void {
    this.#latest = Math.max(this.#latest, time)
  }

  /** Of a leader, at each message; without a limit: it leads no more. */
  setLimit(time: number = Number.POSITIVE_INFINITY): void {
    this.#limit = time
  }
}
