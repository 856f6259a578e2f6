/** What Redis tells of its replicas: there are none. */

import { type Arguments, isWord } from '../protocol/request.ts'
import { integerAt, numberAt } from './arguments.ts'
import type { Caller, Handler } from './caller.ts'
import { type Entry, type Family, family } from './command.ts'
import { CommandError } from './errors.ts'

/** Milliseconds; 0: for ever. */
export const timeoutAt = (request: Arguments, index: number): number => {
  const timeout = integerAt(request, index, 'ERR timeout is not an integer or out of range')
  if (timeout < 0n) throw new CommandError('ERR timeout is negative')
  return timeout === 0n ? Number.POSITIVE_INFINITY : Number(timeout)
}

const wait = (caller: Caller, request: Arguments): void => {
  const replicas = numberAt(request, 1)
  const timeout = timeoutAt(request, 2)
  if (replicas <= 0 || !caller.mayBlock) {
    caller.out.integer(0)
    return
  }
  caller.block(timeout, (out, reason) => {
    if (reason === 'error') out.error('UNBLOCKED client unblocked via CLIENT UNBLOCK')
    else out.integer(0)
  })
}

const replicaOf: Handler = ({ out }, request) => {
  if (!isWord(request, 1, 'no') || !isWord(request, 2, 'one'))
    throw new CommandError('ERR this server replicates nothing; REPLICAOF NO ONE is what it does')
  out.ok()
}

const replicaOfEntry: Entry = {
  arity: 3,
  flags: 'admin noscript stale no_async_loading',
  categories: '',
  since: '5.0.0',
  complexity: 'O(1)',
  summary: 'Make the server a replica of another instance, or promote it as master.',
  group: 'server',
  run: replicaOf,
}

export const replication: Family = family(
  { group: 'generic', afterBegin: 'apart' },
  {
    wait: {
      arity: 3,
      flags: 'noscript',
      categories: '@connection',
      tips: 'request_policy:all_shards response_policy:agg_min',
      since: '3.0.0',
      complexity: 'O(1)',
      summary:
        'Wait for the synchronous replication of all the write commands sent in the context of the current connection',
      run: wait,
    },
    role: {
      arity: 1,
      flags: 'noscript loading stale fast',
      categories: '@admin @dangerous',
      group: 'server',
      since: '2.8.12',
      complexity: 'O(1)',
      summary: 'Return the role of the instance in the context of replication',
      run({ out }) {
        out.array(3)
        out.text('master')
        out.integer(0)
        out.array(0)
      },
    },
    replicaof: replicaOfEntry,
    slaveof: { ...replicaOfEntry, since: '1.0.0' },
  },
)
