/** How long the last syncs of the log took. A sync is noted without allocating; sorting waits until somebody asks. */

/** A power of two. */
const KEPT = 512

export class SyncTimes {
  /** Syncs so far. */
  count = 0
  private readonly times: Float64Array = new Float64Array(KEPT)

  /** A sync took so many milliseconds. */
  add(milliseconds: number): void {
    this.times[this.count++ & (KEPT - 1)] = milliseconds
  }

  /** Milliseconds that half of the last 512 syncs took at most, and that 99 of 100 did; 0 before the first. */
  quantiles(): { p50: number; p99: number } {
    const kept = Math.min(this.count, KEPT)
    const sorted = this.times.slice(0, kept).sort()
    const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * kept) - 1)] ?? 0
    return { p50: at(0.5), p99: at(0.99) }
  }
}
