import { percentile } from './statistics.ts'

/** Collects how long single operations took, in milliseconds as `performance.now()` counts them. */
export class Latencies {
  count = 0
  #milliseconds = new Float64Array(16_384)

  add(milliseconds: number): void {
    if (this.count === this.#milliseconds.length) {
      const longer = new Float64Array(this.count * 2)
      longer.set(this.#milliseconds)
      this.#milliseconds = longer
    }
    this.#milliseconds[this.count] = milliseconds
    this.count += 1
  }

  /** Forgets what was collected so far: it was the warm-up. */
  reset(): void {
    this.count = 0
  }

  /** In microseconds. */
  percentiles(): { p50: number; p99: number; p999: number } {
    const sorted = this.#milliseconds.slice(0, this.count).sort()
    const at = (share: number) => percentile(sorted, share) * 1000
    return { p50: at(0.5), p99: at(0.99), p999: at(0.999) }
  }
}
