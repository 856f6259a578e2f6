/** LATENCY: when something has taken longer than `latencyMonitorThreshold`, by kinds of events. */

export interface LatencySample {
  /** Seconds since 1970. */
  readonly time: number
  readonly milliseconds: number
}

export interface LatencyEvent {
  readonly samples: readonly LatencySample[]
  /** Of all that there were. */
  readonly most: number
}

const MOST_SAMPLES = 160

export class LatencyEvents {
  private readonly events: Map<string, { samples: LatencySample[]; most: number }> = new Map()

  /** Of those within one second the longest is kept. */
  add(name: string, duration: number): void {
    const milliseconds = Math.floor(duration)
    const time = Math.floor(Date.now() / 1000)
    const event = this.events.get(name) ?? { samples: [], most: 0 }
    this.events.set(name, event)
    event.most = Math.max(event.most, milliseconds)
    const { samples } = event
    const last = samples[samples.length - 1]
    if (last?.time === time)
      samples[samples.length - 1] = { time, milliseconds: Math.max(last.milliseconds, milliseconds) }
    else samples.push({ time, milliseconds })
    if (samples.length > MOST_SAMPLES) samples.shift()
  }

  get(name: string): LatencyEvent | undefined {
    return this.events.get(name)
  }

  all(): Iterable<readonly [name: string, event: LatencyEvent]> {
    return this.events
  }

  /** How many kinds were forgotten; all of them if none is named. */
  reset(names: readonly string[]): number {
    let count = 0
    for (const name of names.length === 0 ? [...this.events.keys()] : names) if (this.events.delete(name)) count++
    return count
  }
}
