/** LATENCY. */

import { type Arguments, shownAt, textAt } from '../protocol/request.ts'
import { bucketLimit, type CommandStats } from '../service/activity.ts'
import type { LatencyEvent } from '../service/latency.ts'
import type { Caller } from './caller.ts'
import { type Family, family } from './command.ts'
import { CommandError } from './errors.ts'

const latest = ({ out, server }: Caller): void => {
  const events = [...server.activity.latency.all()]
  out.array(events.length)
  for (const [name, { samples, most }] of events) {
    const { time, milliseconds } = samples[samples.length - 1]!
    out.array(4)
    out.text(name)
    out.integer(time)
    out.integer(milliseconds)
    out.integer(most)
  }
}

const history = ({ out, server }: Caller, request: Arguments): void => {
  const samples = server.activity.latency.get(textAt(request, 2))?.samples ?? []
  out.array(samples.length)
  for (const { time, milliseconds } of samples) {
    out.array(2)
    out.integer(time)
    out.integer(milliseconds)
  }
}

const namesFrom = (request: Arguments, first: number): string[] => {
  const names: string[] = []
  for (let i = first; i < request.count; i++) names.push(textAt(request, i))
  return names
}

const WIDTH = 60

/** A line for each sample, as long as it took. */
const graphOf = (name: string, { samples, most }: LatencyEvent): string => {
  const now = Math.floor(Date.now() / 1000)
  const lines = samples.map(({ time, milliseconds }) => {
    const bar = '#'.repeat(Math.max(1, Math.round((WIDTH * milliseconds) / Math.max(1, most))))
    return `${String(now - time).padStart(6)}s ago ${bar} ${milliseconds} ms\n`
  })
  return `${name} - most ${most} ms\n${lines.join('')}`
}

const graph = ({ out, server }: Caller, request: Arguments): void => {
  const event = server.activity.latency.get(textAt(request, 2))
  if (event === undefined) throw new CommandError(`ERR No samples available for event '${shownAt(request, 2)}'`)
  out.verbatim(graphOf(textAt(request, 2), event))
}

const doctor = ({ out, server }: Caller): void => {
  const threshold = server.settings.latencyMonitorThreshold
  if (threshold === 0) {
    out.verbatim('Nothing is observed. Say CONFIG SET latency-monitor-threshold <milliseconds> first.\n')
    return
  }
  const lines = [...server.activity.latency.all()].map(([name, { samples, most }]) => {
    const sum = samples.reduce((total, { milliseconds }) => total + milliseconds, 0)
    const mean = (sum / samples.length).toFixed(1)
    return `${name}: ${samples.length} times ${threshold} ms or more, ${mean} ms on average, ${most} ms at most.\n`
  })
  const advice = 'SLOWLOG GET names the commands that took long.\n'
  out.verbatim(lines.length === 0 ? `Nothing took ${threshold} ms or more.\n` : `${lines.join('')}${advice}`)
}

const histogram = ({ out, server }: Caller, request: Arguments): void => {
  const names = namesFrom(request, 2).map(name => name.toLowerCase())
  const asked = server.activity
    .all()
    .filter(({ calls }) => calls > 0)
    .filter(({ name }) => names.length === 0 || names.some(each => name === each || name.startsWith(`${each}|`)))
  out.map(asked.length)
  for (const stats of asked) writeHistogram(out, stats)
}

/** How many calls took up to so many microseconds, where there are more than up to the time before. */
const writeHistogram = (out: Caller['out'], { name, calls, buckets }: CommandStats): void => {
  const met = [...buckets.entries()].filter(([, count]) => count > 0)
  out.text(name)
  out.map(2)
  out.text('calls')
  out.integer(calls)
  out.text('histogram_usec')
  out.map(met.length)
  let sum = 0
  for (const [bucket, count] of met) {
    sum += count
    out.integer(bucketLimit(bucket))
    out.integer(sum)
  }
}

export const latency: Family = family(
  { group: 'server', afterBegin: 'apart' },
  {
    latency: {
      arity: -2,
      flags: '',
      categories: '@slow',
      since: '2.8.13',
      complexity: 'Depends on subcommand.',
      summary: 'A container for latency diagnostics commands',
      subcommands: {
        doctor: [
          2,
          doctor,
          {
            flags: 'admin noscript loading stale',
            tips: 'nondeterministic_output request_policy:all_nodes response_policy:special',
            since: '2.8.13',
            summary: 'Return a human readable latency analysis report.',
          },
        ],
        graph: [
          3,
          graph,
          {
            flags: 'admin noscript loading stale',
            tips: 'nondeterministic_output request_policy:all_nodes response_policy:special',
            since: '2.8.13',
            summary: 'Return a latency graph for the event.',
          },
        ],
        history: [
          3,
          history,
          {
            flags: 'admin noscript loading stale',
            tips: 'nondeterministic_output request_policy:all_nodes response_policy:special',
            since: '2.8.13',
            summary: 'Return timestamp-latency samples for the event.',
          },
        ],
        latest: [
          2,
          latest,
          {
            flags: 'admin noscript loading stale',
            tips: 'nondeterministic_output request_policy:all_nodes response_policy:special',
            since: '2.8.13',
            summary: 'Return the latest latency samples for all events.',
          },
        ],
        reset: [
          -2,
          ({ out, server }, request) => out.integer(server.activity.latency.reset(namesFrom(request, 2))),
          {
            flags: 'admin noscript loading stale',
            tips: 'request_policy:all_nodes response_policy:all_succeeded',
            since: '2.8.13',
            summary: 'Reset latency data for one or more events.',
          },
        ],
        histogram: [
          -2,
          histogram,
          {
            flags: 'admin noscript loading stale',
            tips: 'nondeterministic_output request_policy:all_nodes response_policy:special',
            since: '7.0.0',
            complexity: 'O(N) where N is the number of commands with latency information being retrieved.',
            summary: 'Return the cumulative distribution of latencies of a subset of commands or all.',
          },
        ],
      },
    },
  },
)
