/**
 * What the commands of all clients have done: how often and for how long each, those that were slow, and whoever
 * watches them (MONITOR).
 *
 * Reading the clock takes a twentieth of the time of a GET. So the end of one command is the beginning of the next, and
 * quick commands of one kind that follow each other in a pipeline share one reading: up to 16 of them are a group, each
 * of which is taken to have had the same part of its time. Nothing is grouped while it matters how long one of them
 * takes (`isExact`).
 */
import { performance } from '../../runtime/timers.ts'
import type { Arguments } from '../protocol/request.ts'
import { LatencyEvents } from './latency.ts'
import { type Monitor, Monitors } from './monitors.ts'
import { SlowLog } from './slow-log.ts'
import type { ActivitySettings, Source, Traits } from './traits.ts'

/** How many commands took up to 1, 2, 4 … µs. */
const BUCKETS = 21

export interface CommandStats {
  readonly name: string
  calls: number
  milliseconds: number
  /** Not executed: too few arguments, no password … */
  rejected: number
  /** Executed, and answered with an error. */
  failed: number
  readonly buckets: Uint32Array
}

const GROUP = 16
/** With a limit below no commands are grouped: 16 quick ones together could take as long. */
const LEAST_FOR_GROUPS_MS = 5

export class Activity {
  /** When the last command ended, or the first of a stretch began. */
  last: number = performance.now()
  readonly slowLog: SlowLog
  readonly latency: LatencyEvents
  readonly monitors: Monitors = new Monitors()
  /** Each command is timed. */
  isExact = false
  /** Milliseconds from which on a command is slow, or kept as a latency; `Infinity`: never. */
  private slowFrom = 0
  private lateFrom = 0
  private readonly settings: ActivitySettings
  private stats: (CommandStats | undefined)[] = []
  /** What the group at hand consists of, and how many. */
  group: Traits | undefined
  private grouped = 0

  constructor(settings: ActivitySettings) {
    this.settings = settings
    this.slowLog = new SlowLog(settings)
    this.latency = new LatencyEvents()
    this.refresh()
  }

  /** MONITOR: the client is sent what is executed from now on. */
  watch(monitor: Monitor): void {
    this.monitors.add(monitor)
    this.refresh()
  }

  unwatch(monitor: Monitor): void {
    if (this.monitors.delete(monitor)) this.refresh()
  }

  /** A setting has changed, or a monitor has come or gone. */
  refresh(): void {
    const { slowlogLogSlowerThan, latencyMonitorThreshold } = this.settings
    this.slowFrom = slowlogLogSlowerThan < 0 ? Number.POSITIVE_INFINITY : slowlogLogSlowerThan / 1000
    this.lateFrom = latencyMonitorThreshold === 0 ? Number.POSITIVE_INFINITY : latencyMonitorThreshold
    this.isExact = Math.min(this.slowFrom, this.lateFrom) < LEAST_FOR_GROUPS_MS || this.monitors.count > 0
    this.slowLog.shorten()
  }

  /** Requests of a client are to be executed from now on. */
  begin(now: number): void {
    this.last = now
  }

  /** A quick command was executed, and more requests have arrived. If `group` was another, it has been ended before. */
  addToGroup(traits: Traits, failed: boolean): void {
    this.group = traits
    this.grouped++
    if (failed) this.statsOf(traits).failed++
    if (this.grouped === GROUP) this.endGroup()
  }

  /** To be called before a command that is not of the group, and at the end of a stretch. */
  endGroup(): void {
    const { group, grouped } = this
    if (group === undefined) return
    const now = performance.now()
    const took = now - this.last
    const stats = this.statsOf(group)
    stats.calls += grouped
    stats.milliseconds += took
    stats.buckets[bucketOf(took / grouped)]! += grouped
    this.last = now
    this.group = undefined
    this.grouped = 0
    if (took >= this.slowFrom) this.slowLog.addGroup(group, grouped, took * 1000)
    if (took >= this.lateFrom) this.addLatency(group, took)
  }

  /** A command was executed that had begun at `start`. */
  executed(source: Source, traits: Traits, request: Arguments, start: number, failed: boolean): void {
    const now = performance.now()
    const took = now - start
    const stats = this.statsOf(traits)
    stats.calls++
    stats.milliseconds += took
    stats.buckets[bucketOf(took)]!++
    if (failed) stats.failed++
    this.last = now
    if (took >= this.slowFrom && !traits.skipsSlowLog) this.slowLog.add(source, traits, request, took * 1000)
    if (took >= this.lateFrom) this.addLatency(traits, took)
    if (this.monitors.count > 0 && !traits.skipsMonitor) this.monitors.feed(source, traits.isSecret, request)
  }

  /** Shows monitors a command that they are not shown otherwise (`skipsMonitor`). */
  show(source: Source, request: Arguments): void {
    if (this.monitors.count > 0) this.monitors.feed(source, undefined, request)
  }

  /** A request for it was refused; nothing is counted for what nobody knows. */
  rejected(traits: Traits | undefined): void {
    if (traits !== undefined) this.statsOf(traits).rejected++
  }

  private addLatency({ isFast }: Traits, took: number): void {
    this.latency.add(isFast ? 'fast-command' : 'command', took)
  }

  private statsOf(traits: Traits): CommandStats {
    const known = this.stats[traits.index]
    if (known !== undefined) return known
    const buckets = new Uint32Array(BUCKETS)
    const made: CommandStats = { name: traits.name, calls: 0, milliseconds: 0, rejected: 0, failed: 0, buckets }
    this.stats[traits.index] = made
    return made
  }

  /** Of the commands that were called or rejected, in the order in which COMMAND lists them. */
  all(): CommandStats[] {
    return this.stats.filter(stats => stats !== undefined)
  }

  /** CONFIG RESETSTAT. */
  reset(): void {
    this.stats = []
  }
}

/** The longest time of a bucket is a little above a power of two of 1,024 ns, as that of Redis's histograms. */
const BUCKET_NS = 1032

const bucketOf = (milliseconds: number): number =>
  Math.min(BUCKETS - 1, 32 - Math.clz32((milliseconds * 1e6) / BUCKET_NS))

/** Microseconds in which so many percent of the calls were done: the longest time of their bucket. There were calls. */
export const percentileOf = ({ buckets }: CommandStats, percent: number): number => {
  const calls = buckets.reduce((sum, count) => sum + count, 0)
  let done = 0
  const bucket = buckets.findIndex(count => {
    done += count
    return done >= (calls * percent) / 100
  })
  return (BUCKET_NS * 2 ** bucket - 1) / 1000
}

/** The longest time of a bucket in whole microseconds. */
export const bucketLimit = (bucket: number): number => Math.floor((BUCKET_NS * 2 ** bucket - 1) / 1000)
