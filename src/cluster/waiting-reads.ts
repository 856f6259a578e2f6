/** Reads that wait until their level allows them. */
import type { Clock } from './clock.ts'

interface Read {
  /** Does the work, or refuses, and is done with it; false: not yet. */
  readonly attempt: () => boolean
  readonly deadline: number
  readonly expire: () => void
}

/** How often all of them are tried, besides when the node says so. */
const TRY_MS = 50

export class WaitingReads {
  readonly #clock: Clock
  #reads: Read[] = []
  #isTrying = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  add(attempt: () => boolean, holdMs: number, expire: () => void): void {
    this.#reads.push({ attempt, deadline: this.#clock.now() + holdMs, expire })
    this.#tryLater()
  }

  /** Something has changed that they may wait for. */
  poke(): void {
    if (this.#reads.length === 0) return
    const reads = this.#reads
    this.#reads = []
    const now = this.#clock.now()
    const left = reads.filter(read => !read.attempt())
    for (const read of left)
      if (read.deadline <= now) read.expire()
      else this.#reads.push(read)
  }

  #tryLater(): void {
    if (this.#isTrying) return
    this.#isTrying = true
    this.#clock.after(TRY_MS, () => {
      this.#isTrying = false
      this.poke()
      if (this.#reads.length > 0) this.#tryLater()
    })
  }
}
