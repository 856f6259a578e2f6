/**
 * How late a timer is that is due every millisecond. `perf_hooks.monitorEventLoopDelay` counts a stall of 100 ms as one
 * sample among a thousand short ones; here each timer that was due in the meantime counts, as each request would that
 * arrived then.
 */
import { percentile } from '../support/statistics.ts'

export interface Delay {
  /** Milliseconds. */
  p50: number
  p99: number
  p999: number
  max: number
  samples: number
}

export class LoopDelay {
  #delays = new Float64Array(65_536)
  #count = 0
  #timer: NodeJS.Timeout | undefined
  #last = 0

  start(): void {
    this.#count = 0
    this.#last = performance.now()
    this.#timer = setInterval(() => this.#tick(), 1)
  }

  stop(): Delay {
    this.#tick()
    clearInterval(this.#timer)
    const sorted = this.#delays.slice(0, this.#count).sort()
    const at = (share: number): number => percentile(sorted, share)
    return {
      p50: at(0.5),
      p99: at(0.99),
      p999: at(0.999),
      max: sorted[sorted.length - 1] ?? 0,
      samples: sorted.length,
    }
  }

  #tick(): void {
    const now = performance.now()
    const late = Math.max(0, now - this.#last - 1)
    this.#last = now
    for (let delay = late; delay >= 0; delay -= 1) this.#add(delay)
  }

  #add(delay: number): void {
    if (this.#count === this.#delays.length) {
      const longer = new Float64Array(2 * this.#count)
      longer.set(this.#delays)
      this.#delays = longer
    }
    this.#delays[this.#count++] = delay
  }
}
