/** What Redis tells of its replicas: there are none, but in a cluster. */

import type { NodeStatus } from '../../cluster/node-types.ts'
import type { PeerReport } from '../../cluster/peers.ts'
import { performance, setTimeout } from '../../runtime/timers.ts'
import type { ReplyWriter } from '../protocol/reply.ts'
import { type Arguments, isWord } from '../protocol/request.ts'
import { type Cluster, placeOf } from '../service/cluster.ts'
import { integerAt, numberAt } from './arguments.ts'
import type { Caller, Handler } from './caller.ts'
import { type Entry, type Family, family } from './command.ts'
import { CommandError } from './errors.ts'
import { answerLater } from './later.ts'

/** Milliseconds; 0: for ever. */
export const timeoutAt = (request: Arguments, index: number): number => {
  const timeout = integerAt(request, index, 'ERR timeout is not an integer or out of range')
  if (timeout < 0n) throw new CommandError('ERR timeout is negative')
  return timeout === 0n ? Number.POSITIVE_INFINITY : Number(timeout)
}

const wait = (caller: Caller, request: Arguments): void => {
  const replicas = numberAt(request, 1)
  const timeout = timeoutAt(request, 2)
  const { cluster } = caller.server
  if (cluster !== undefined && caller.mayBlock) {
    waitForFollowers(cluster, caller, replicas, timeout)
    return
  }
  if (replicas <= 0 || !caller.mayBlock) {
    caller.out.integer(0)
    return
  }
  caller.block(timeout, (out, reason) => {
    if (reason === 'error') out.error('UNBLOCKED client unblocked via CLIENT UNBLOCK')
    else out.integer(0)
  })
}

const NOT_FOR_REPLICAS =
  'ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is configured to be writable (which is not the default) writes to replicas are just local and are not propagated.'

/** How often the nodes of the shard are asked how far they are, and how long for. */
const ASK_MS = 100

/** WAIT: so many nodes have applied what this one has. It is in the log already, whatever they have. */
const waitForFollowers = (cluster: Cluster, caller: Caller, replicas: number, timeout: number): void => {
  if (!cluster.isLeader) throw new CommandError(NOT_FOR_REPLICAS)
  const { sequence } = cluster.status
  const until = performance.now() + timeout
  const count = async (): Promise<number> => {
    const others = await cluster.others(ASK_MS)
    return others.filter(each => each.sequence >= sequence && !HALTED.has(each.state)).length
  }
  answerLater(caller, async () => {
    for (;;) {
      const found = await count()
      if (found >= replicas || performance.now() >= until || caller.closed) return out => out.integer(found)
      await new Promise<void>(resolve => setTimeout(resolve, ASK_MS / 2))
    }
  })
}

const HALTED: ReadonlySet<string> = new Set(['halted', 'stopped', 'suspect'])

/** ROLE */
const role: Handler = caller => {
  const { out, server } = caller
  const { cluster } = server
  if (cluster === undefined) {
    out.array(3)
    out.text('master')
    out.integer(0)
    out.array(0)
    return
  }
  const { own, status } = cluster
  if (!cluster.isLeader) {
    const { host = '', port = 0 } = own.leader ?? {}
    out.array(5)
    out.text('slave')
    out.text(host)
    out.integer(port)
    out.text(linkOf(status))
    out.integer(status.sequence)
    return
  }
  if (!caller.mayBlock) {
    writeLeader(out, status, [])
    return
  }
  answerLater(caller, async () => {
    const others = await cluster.others(ASK_MS)
    return later => writeLeader(later, status, others)
  })
}

const writeLeader = (out: ReplyWriter, { sequence }: NodeStatus, others: readonly PeerReport[]): void => {
  out.array(3)
  out.text('master')
  out.integer(sequence)
  out.array(others.length)
  for (const other of others) {
    const { host, port } = placeOf(other.address)
    out.array(3)
    out.text(host)
    out.text(String(port))
    out.text(String(other.sequence))
  }
}

/** As Redis calls what a replica is about. */
const linkOf = ({ state, isConnected }: NodeStatus): string => {
  if (!isConnected) return 'connect'
  if (state === 'restore') return 'sync'
  return state === 'follow' || state === 'candidate' ? 'connected' : 'connecting'
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
      run: role,
    },
    replicaof: replicaOfEntry,
    slaveof: { ...replicaOfEntry, since: '1.0.0' },
  },
)
