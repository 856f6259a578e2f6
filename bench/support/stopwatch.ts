/** Adds up the time of the sections that count; what lies between them (making keys, say) is left out. */
export class Stopwatch {
  seconds = 0
  /** Seconds of each section, for medians. */
  sections: number[] = []

  /** Runs and times `work`. A promise is awaited only when there is one: a turn of the queue would count. */
  async measure<T>(work: () => T | Promise<T>): Promise<T> {
    const started = process.hrtime.bigint()
    const pending = work()
    const result = pending instanceof Promise ? await pending : pending
    const seconds = Number(process.hrtime.bigint() - started) / 1e9
    this.seconds += seconds
    this.sections.push(seconds)
    return result
  }

  /** Forgets what was measured so far: it was the warm-up. */
  reset(): void {
    this.seconds = 0
    this.sections = []
  }
}
