/**
 * The right to answer reads without asking the log.
 *
 *  X5  A lease ends 0.85 × D after the *first* send of the last message that was confirmed: another node takes over no
 *      sooner than D after it has received that message. Counted from a retry's send it would end too late.
 *
 * Both ends are measured by clocks that never run backwards, each its own: the 15 % are for their drift.
 */
import type { Clock } from './clock.ts'

const SHARE = 0.85

export class Lease {
  readonly #clock: Clock
  readonly #ms: number
  #end = Number.NEGATIVE_INFINITY

  constructor(clock: Clock, silenceMs: number) {
    this.#clock = clock
    this.#ms = silenceMs * SHARE
  }

  /** A message is in the log whose first attempt was sent at `firstSend`. (X5) */
  confirm(firstSend: number): void {
    this.#end = Math.max(this.#end, firstSend + this.#ms)
  }

  /** Gives it up at once. */
  drop(): void {
    this.#end = Number.NEGATIVE_INFINITY
  }

  get isValid(): boolean {
    return this.#clock.now() < this.#end
  }

  get left(): number {
    return Math.max(0, this.#end - this.#clock.now())
  }
}
