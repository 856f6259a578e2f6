/**
 * How long a leader waits for more commands before it begins a group.
 *
 * Clients that have just been answered send their next command a moment later. A group that began at once would leave
 * without them, and they would wait for all of it: there would be two crowds in turn, each half of the clients, and twice
 * the messages for the same commands. So the next group waits until most of those who were answered are back, but no
 * longer than a part of what an append takes; and where they do not come back, it does not wait the next times.
 */
import type { Clock } from './clock.ts'

/** Of those who were answered, whom a group waits for: a few slow ones hold up nobody. */
const SHARE = 7 / 8
/** Of the time that an append takes, and milliseconds, for which a group waits at most. */
const PART = 0.75
const MOST_MS = 10
/** If less than this share is back by then, the wait was in vain. */
const WORTH = 1 / 2
/** Groups that do not wait after one that has waited in vain; twice as many each time, up to the second figure. */
const SKIPPED = 8
const MOST_SKIPPED = 256

export class Gathering {
  readonly #clock: Clock
  /** What an append takes in milliseconds, on an average. */
  #appendMs = 0
  #until = Number.NEGATIVE_INFINITY
  #wanted = 0
  /** Enough for the wait not to have been in vain. */
  #least = 0
  #skip = 0
  #skipNext = SKIPPED

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A group has ended: `answered` clients may send their next command, and `waiting` commands wait already. */
  begin(answered: number, waiting: number, appendMs: number): void {
    this.#appendMs += (appendMs - this.#appendMs) / 8
    if (this.#skip > 0) this.#skip--
    else {
      this.#until = this.#clock.now() + Math.min(MOST_MS, PART * this.#appendMs)
      this.#wanted = waiting + Math.ceil(SHARE * answered)
      this.#least = waiting + WORTH * answered
    }
  }

  /** Milliseconds that a group waits still, if so many commands wait. */
  left(waiting: number): number {
    return waiting >= this.#wanted ? 0 : Math.max(0, this.#until - this.#clock.now())
  }

  /** A group begins with so many commands. */
  end(waiting: number): void {
    if (this.#until === Number.NEGATIVE_INFINITY) return
    this.#until = Number.NEGATIVE_INFINITY
    if (waiting >= this.#least) this.#skipNext = SKIPPED
    else {
      this.#skip = this.#skipNext
      this.#skipNext = Math.min(MOST_SKIPPED, 2 * this.#skipNext)
    }
  }
}
