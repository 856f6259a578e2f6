/** What a server counts, by plain additions: nothing is allocated on the way of a command. */

export class Counts {
  /** Commands that were executed or refused. */
  commands = 0
  /** Connections that were accepted or refused, and of these those that were refused. */
  connections = 0
  refused = 0
  /** Clients that were closed since all together held too much memory. */
  evictedClients = 0
  /** Bytes that arrived from clients, and bytes of replies. */
  received = 0
  sent = 0
  /** Keys that commands have looked for to read them, found or not. */
  hits = 0
  misses = 0
  /** Changes of records, those in transactions included, since the server was made, and since the last SAVE. */
  changes = 0
  saved = 0

  /** A command that reads has looked for a key. */
  lookedFor(found: boolean): void {
    if (found) this.hits++
    else this.misses++
  }

  /** CONFIG RESETSTAT; `connected` clients stay. */
  reset(connected: number): void {
    this.commands = 0
    this.connections = connected
    this.refused = 0
    this.evictedClients = 0
    this.received = 0
    this.sent = 0
    this.hits = 0
    this.misses = 0
  }
}

/** What happened each second. */
export interface Rates {
  commands: number
  received: number
  sent: number
}

interface Sample extends Rates {
  at: number
}

/** Time between two samples: what follows is told as of the last one to two of them. */
const SAMPLE_MS = 1000

/** What happens now, by samples of the counts; and the most memory that was in use at one. */
export class Samples {
  private readonly counts: Counts
  private before: Sample
  private last: Sample
  private peak = 0

  constructor(counts: Counts) {
    this.counts = counts
    this.last = this.sample(Date.now())
    this.before = this.last
  }

  /** To be called from time to time, at least every second. */
  take(now: number): void {
    if (now - this.last.at < SAMPLE_MS) return
    this.before = this.last
    this.last = this.sample(now)
    memoryInUse(this)
  }

  rates(now: number): Rates {
    const { before } = this
    const current = this.sample(now)
    const seconds = Math.max(now - before.at, 1) / 1000
    // CONFIG RESETSTAT begins anew.
    const rate = (name: keyof Rates): number => Math.max(0, current[name] - before[name]) / seconds
    return { commands: rate('commands'), received: rate('received'), sent: rate('sent') }
  }

  /** The most that was in use, `used` included. */
  peakOf(used: number): number {
    this.peak = Math.max(this.peak, used)
    return this.peak
  }

  private sample(at: number): Sample {
    const { commands, received, sent } = this.counts
    return { at, commands, received, sent }
  }
}

/**
 * Bytes of memory that the process uses: the heap, and what lies outside of it, with the pool of the database; of the
 * system's view, `rss`; the most that there were.
 */
export const memoryInUse = (samples: Samples): { used: number; rss: number; peak: number } => {
  const { heapUsed, external, rss } = process.memoryUsage()
  const used = heapUsed + external
  return { used, rss, peak: samples.peakOf(used) }
}
