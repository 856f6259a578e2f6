/** SLOWLOG. */

import { type Arguments, shownAt } from '../protocol/request.ts'
import { integerAt } from './arguments.ts'
import type { Caller } from './caller.ts'
import { type Family, family } from './command.ts'
import { CommandError } from './errors.ts'

const USUAL = 10

const countAt = (request: Arguments, index: number): number => {
  const problem = 'ERR count should be greater than or equal to -1'
  const count = integerAt(request, index, problem)
  if (count < -1n) throw new CommandError(problem)
  return count === -1n ? Number.POSITIVE_INFINITY : Number(count)
}

const get = ({ out, server }: Caller, request: Arguments): void => {
  if (request.count > 3)
    throw new CommandError(
      `ERR unknown subcommand or wrong number of arguments for '${shownAt(request, 1)}'. Try SLOWLOG HELP.`,
    )
  const entries = server.activity.slowLog.entries.slice(0, request.count === 3 ? countAt(request, 2) : USUAL)
  out.array(entries.length)
  for (const entry of entries) {
    out.array(6)
    out.integer(entry.id)
    out.integer(entry.time)
    out.integer(entry.microseconds)
    out.array(entry.arguments.length)
    for (const bytes of entry.arguments) out.bulk(bytes)
    out.text(entry.address)
    out.text(entry.name)
  }
}

export const slowLog: Family = family(
  { group: 'server', afterBegin: 'apart' },
  {
    slowlog: {
      arity: -2,
      flags: '',
      categories: '@slow',
      since: '2.2.12',
      complexity: 'Depends on subcommand.',
      summary: 'A container for slow log commands',
      subcommands: {
        get: [
          -2,
          get,
          {
            flags: 'admin loading stale',
            tips: 'request_policy:all_nodes nondeterministic_output',
            since: '2.2.12',
            complexity: 'O(N) where N is the number of entries returned',
            summary: "Get the slow log's entries",
          },
        ],
        len: [
          2,
          ({ out, server }) => out.integer(server.activity.slowLog.entries.length),
          {
            flags: 'admin loading stale',
            tips: 'request_policy:all_nodes response_policy:agg_sum nondeterministic_output',
            since: '2.2.12',
            summary: "Get the slow log's length",
          },
        ],
        reset: [
          2,
          ({ out, server }) => {
            server.activity.slowLog.entries = []
            out.ok()
          },
          {
            flags: 'admin loading stale',
            tips: 'request_policy:all_nodes response_policy:all_succeeded',
            since: '2.2.12',
            complexity: 'O(N) where N is the number of entries in the slowlog',
            summary: 'Clear all entries from the slow log',
          },
        ],
      },
    },
  },
)
