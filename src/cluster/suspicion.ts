/**
 * Whether the log has lost what this node has.
 *
 *  X12  "Behind" is a suspicion, never proof: a deposed leader of the log may say so. It counts only where it comes from
 *       a leader with a current majority, and only when nothing else was heard from one for 20 s.
 */
import type { Clock } from './clock.ts'

export const SUSPICION_MS = 20_000
/** A longer silence between two answers begins the 20 s anew. */
const MOST_BETWEEN_MS = 5_000

export class Suspicion {
  readonly #clock: Clock
  readonly #onProof: (what: string) => void
  #since: number | undefined
  #latest = 0

  constructor(clock: Clock, onProof: (what: string) => void) {
    this.#clock = clock
    this.#onProof = onProof
  }

  get isOpen(): boolean {
    return this.#since !== undefined
  }

  /** What an answer of a leader with a current majority showed. (X12) */
  note(isBehind: boolean, what: string): void {
    if (!isBehind) {
      this.#since = undefined
      return
    }
    const now = this.#clock.now()
    if (this.#since === undefined || now - this.#latest > MOST_BETWEEN_MS) this.#since = now
    this.#latest = now
    if (this.isProof(now - this.#since)) this.#onProof(what)
  }

  /** Milliseconds for which nothing else was heard. (X12) */
  isProof(ms: number): boolean {
    return ms >= SUSPICION_MS
  }
}
