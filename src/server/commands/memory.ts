/** MEMORY. */

import { type Arguments, bytesAt, isWord } from '../protocol/request.ts'
import { memoryInUse } from '../service/counts.ts'
import { integerAt } from './arguments.ts'
import type { Caller } from './caller.ts'
import { type Family, family } from './command.ts'
import { CommandError, SYNTAX } from './errors.ts'
import type { Host } from './host.ts'

/** What a record takes in a block besides key and value: header and slot. */
const RECORD_BYTES = 12

const usage = ({ out, keys }: Caller, request: Arguments): void => {
  for (let i = 3; i < request.count; i += 2) {
    if (!isWord(request, i, 'samples') || i + 1 === request.count) throw new CommandError(SYNTAX)
    if (integerAt(request, i + 1) < 0n) throw new CommandError(SYNTAX)
  }
  const key = bytesAt(request, 2)
  const value = keys.get(key)
  if (value === undefined) out.null()
  else out.integer(key.length + value.length + RECORD_BYTES)
}

/** Bytes, or a ratio or a percentage. */
type Figure = readonly [kind: 'bytes' | 'ratio', value: number]
const bytes = (value: number): Figure => ['bytes', Math.round(value)]
const ratio = (value: number): Figure => ['ratio', value]

/** Under the names of Redis. The data lies in the pool of the database; what does not apply here is 0. */
const figuresOf = (server: Host): Record<string, Figure> => {
  const { db, samples, databases, sessions } = server
  const { used, rss, peak } = memoryInUse(samples)
  const pool = db.stats().cache.bytes
  const { heapTotal, heapUsed } = process.memoryUsage()
  let clients = 0
  for (const { unread, unsent } of sessions.values()) clients += unread + unsent
  let count = 0
  for (let number = 0; number < databases.count; number++) count += databases.find(number)?.records.count() ?? 0
  const { dataBytes } = db.stats()
  return {
    'peak.allocated': bytes(peak),
    'total.allocated': bytes(used),
    'startup.allocated': bytes(0),
    'replication.backlog': bytes(0),
    'clients.slaves': bytes(0),
    'clients.normal': bytes(clients),
    'cluster.links': bytes(0),
    'aof.buffer': bytes(0),
    'lua.caches': bytes(0),
    'functions.caches': bytes(0),
    'overhead.total': bytes(Math.max(0, used - pool)),
    'keys.count': bytes(count),
    'keys.bytes-per-key': bytes(count === 0 ? 0 : dataBytes / count),
    'dataset.bytes': bytes(pool),
    'dataset.percentage': ratio((100 * pool) / used),
    'peak.percentage': ratio((100 * used) / peak),
    'allocator.allocated': bytes(heapUsed),
    'allocator.active': bytes(heapTotal),
    'allocator.resident': bytes(rss),
    'allocator-fragmentation.ratio': ratio(heapTotal / heapUsed),
    'allocator-fragmentation.bytes': bytes(heapTotal - heapUsed),
    'allocator-rss.ratio': ratio(rss / heapTotal),
    'allocator-rss.bytes': bytes(rss - heapTotal),
    'rss-overhead.ratio': ratio(1),
    'rss-overhead.bytes': bytes(0),
    fragmentation: ratio(rss / used),
    'fragmentation.bytes': bytes(rss - used),
  }
}

const stats = ({ out, server }: Caller): void => {
  const figures = Object.entries(figuresOf(server))
  out.map(figures.length)
  for (const [name, [kind, value]] of figures) {
    out.text(name)
    if (kind === 'bytes') out.integer(value)
    else out.double(value)
  }
}

/** What this server would like an operator to know of its memory. */
const doctor = ({ out, server }: Caller): void => {
  const { cache } = server.db.stats()
  const { used, rss } = memoryInUse(server.samples)
  const lookups = cache.hits + cache.misses
  const lines = [`The process uses ${rss} bytes, ${used} of them by JavaScript and the pool of the database.`]
  if (lookups > 10_000 && cache.misses > lookups / 10)
    lines.push('More than a tenth of the accesses to blocks read the disk: a larger --cache-bytes would help.')
  if (rss > 2 * used) lines.push('The process holds twice as much as it uses; the rest is given back in time.')
  out.verbatim(`${lines.join('\n')}\n`)
}

const allocator = ({ out }: Caller): void => {
  const lines = Object.entries(process.memoryUsage()).map(([name, value]) => `${name}:${value}\n`)
  out.verbatim(lines.join(''))
}

export const memory: Family = family(
  { group: 'server', afterBegin: 'apart' },
  {
    memory: {
      arity: -2,
      flags: '',
      categories: '@slow',
      since: '4.0.0',
      complexity: 'Depends on subcommand.',
      summary: 'A container for memory diagnostics commands',
      subcommands: {
        usage: [
          -3,
          usage,
          {
            flags: 'readonly',
            keys: '2 RO',
            since: '4.0.0',
            complexity: 'O(N) where N is the number of samples.',
            summary: 'Estimate the memory usage of a key',
          },
        ],
        stats: [
          2,
          stats,
          {
            tips: 'nondeterministic_output request_policy:all_shards response_policy:special',
            since: '4.0.0',
            summary: 'Show memory usage details',
          },
        ],
        doctor: [
          2,
          doctor,
          {
            tips: 'nondeterministic_output request_policy:all_shards response_policy:special',
            since: '4.0.0',
            summary: 'Outputs memory problems report',
          },
        ],
        'malloc-stats': [
          2,
          allocator,
          {
            tips: 'nondeterministic_output request_policy:all_shards response_policy:special',
            since: '4.0.0',
            complexity: 'Depends on how much memory is allocated, could be slow',
            summary: 'Show allocator internal stats',
          },
        ],
        // What is free is given back by the garbage collector.
        purge: [
          2,
          ({ out }) => out.ok(),
          {
            tips: 'request_policy:all_shards response_policy:all_succeeded',
            since: '4.0.0',
            complexity: 'Depends on how much memory is allocated, could be slow',
            summary: 'Ask the allocator to release memory',
          },
        ],
      },
    },
  },
)
