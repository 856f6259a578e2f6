/** CLUSTER, READONLY, READWRITE, ASKING, FAILOVER, and XTOKEN, XWAIT and XMAXLAG, which Redis lacks. */
import { SLOTS } from '../../cluster/shard-map.ts'
import { slotOf } from '../../cluster/slots.ts'
import type { ReplyWriter } from '../protocol/reply.ts'
import { bytesAt, isWord, textAt } from '../protocol/request.ts'
import type { Cluster, NodeView, ShardView } from '../service/cluster.ts'
import { integerAt, numberAt } from './arguments.ts'
import type { Caller, Handler } from './caller.ts'
import { type Entry, type Family, family } from './command.ts'
import { CommandError, SYNTAX } from './errors.ts'
import { answerLater } from './later.ts'
import type { SlottedKeyspace } from './slotted.ts'

const DISABLED = 'ERR This instance has cluster support disabled'

const clusterOf = ({ server }: Caller): Cluster => {
  if (server.cluster === undefined) throw new CommandError(DISABLED)
  return server.cluster
}

/** The keyspace of a server in cluster mode. */
const slotted = ({ keys }: Caller): SlottedKeyspace => keys as SlottedKeyspace

/** Runs what only a node of a cluster can do. */
const inCluster =
  (work: (cluster: Cluster, caller: Caller, request: Parameters<Handler>[1]) => void): Handler =>
  (caller, request) =>
    work(clusterOf(caller), caller, request)

const slotAt = (request: Parameters<Handler>[1], problem: string): number => {
  const slot = integerAt(request, 2)
  if (slot < 0n || slot >= SLOTS) throw new CommandError(problem)
  return Number(slot)
}

const writeSlots = (out: ReplyWriter, { shards }: Cluster): void => {
  const ranges = shards.flatMap(({ slots, nodes }) => slots.map(range => ({ range, nodes })))
  ranges.sort((a, b) => a.range[0] - b.range[0])
  out.array(ranges.length)
  for (const { range, nodes } of ranges) {
    out.array(2 + nodes.length)
    out.integer(range[0])
    out.integer(range[1])
    for (const { host, port, id } of nodes) {
      out.array(4)
      out.text(host)
      out.integer(port)
      out.text(id)
      // No names but this one.
      out.map(0)
    }
  }
}

const writeShard = (out: ReplyWriter, { slots, nodes }: ShardView, port: string): void => {
  out.map(2)
  out.text('slots')
  out.array(2 * slots.length)
  for (const slot of slots.flat()) out.integer(slot)
  out.text('nodes')
  out.array(nodes.length)
  for (const node of nodes) {
    const fields: Record<string, string | number> = {
      id: node.id,
      [port]: node.port,
      ip: node.host,
      endpoint: node.host,
      role: node.isLeader ? 'master' : 'replica',
      'replication-offset': node.sequence,
      health: 'online',
    }
    out.map(Object.keys(fields).length)
    for (const [name, value] of Object.entries(fields)) {
      out.text(name)
      if (typeof value === 'number') out.integer(value)
      else out.text(value)
    }
  }
}

/** A line of CLUSTER NODES. There is no bus between the nodes, so its port is 0. */
const lineOf = (cluster: Cluster, node: NodeView, shard: ShardView): string => {
  const host = node.host.includes(':') ? `[${node.host}]` : node.host
  const flags = `${node.isSelf ? 'myself,' : ''}${node.isLeader ? 'master' : 'slave'}`
  const slots = node.isLeader ? shard.slots.map(([from, to]) => (from === to ? ` ${from}` : ` ${from}-${to}`)) : []
  const master = node.isLeader ? '-' : (shard.leader?.id ?? '-')
  return `${node.id} ${host}:${node.port}@0 ${flags} ${master} 0 0 ${cluster.status.epoch} connected${slots.join('')}`
}

const viewOf = (cluster: Cluster, node: NodeView): ShardView =>
  cluster.shards.find(({ nodes }) => nodes.some(({ id }) => id === node.id)) ?? cluster.own

const infoText = (cluster: Cluster): string => {
  const { assigned, status, shards, nodes } = cluster
  const isDown = assigned < SLOTS || status.state === 'halted' || status.state === 'suspect'
  const fields = {
    cluster_state: isDown ? 'fail' : 'ok',
    cluster_slots_assigned: assigned,
    cluster_slots_ok: assigned,
    cluster_slots_pfail: 0,
    cluster_slots_fail: 0,
    cluster_known_nodes: nodes.length,
    cluster_size: shards.length,
    cluster_current_epoch: status.epoch,
    cluster_my_epoch: status.epoch,
    cluster_stats_messages_sent: 0,
    cluster_stats_messages_received: 0,
    total_cluster_links_buffer_limit_exceeded: 0,
  }
  return Object.entries(fields)
    .map(([name, value]) => `${name}:${value}\r\n`)
    .join('')
}

/** CLUSTER REPLICAS id */
const replicas = inCluster((cluster, { out }, request) => {
  const id = textAt(request, 2)
  const node = cluster.nodes.find(each => each.id === id)
  if (node === undefined) throw new CommandError(`ERR Unknown node ${id}`)
  if (!node.isLeader) throw new CommandError('ERR The specified node is not a master')
  const shard = viewOf(cluster, node)
  const lines = shard.nodes.filter(each => each !== node && !each.isLeader).map(each => lineOf(cluster, each, shard))
  out.array(lines.length)
  for (const line of lines) out.text(line)
})

/** FAILOVER [TO host port]: the lead goes to that node, or to the one that has the most of the log. */
const failover: Handler = (caller, request) => {
  const { cluster } = caller.server
  if (cluster === undefined) throw new CommandError('ERR FAILOVER requires connected replicas.')
  const isNamed = request.count === 4 && isWord(request, 1, 'to')
  if (request.count !== 1 && !isNamed) throw new CommandError(SYNTAX)
  if (!cluster.isLeader) throw new CommandError('ERR FAILOVER is not valid when server is a replica.')
  const address = isNamed ? `${textAt(request, 2)}:${numberAt(request, 3)}` : undefined
  answerLater(caller, async () => {
    const others = (await cluster.others(ASK_MS)).filter(({ state }) => state === 'follow' || state === 'candidate')
    const chosen = others
      .filter(each => address === undefined || each.address === address)
      .sort((a, b) => b.sequence - a.sequence)[0]
    if (chosen === undefined)
      throw new CommandError(
        address === undefined
          ? 'ERR FAILOVER requires connected replicas.'
          : 'ERR FAILOVER target HOST and PORT is not a replica.',
      )
    await cluster.node.transferTo(chosen.node)
    return out => out.ok()
  })
}

/** Milliseconds in which the other nodes of the shard answer. */
const ASK_MS = 300

const setReading =
  (reads: boolean): Handler =>
  caller => {
    clusterOf(caller)
    caller.readsFollowers = reads
    caller.out.ok()
  }

/** A token of what this node has, so of the writes that the caller was answered: the shard, and the sequence of its log. */
const tokenOf = (cluster: Cluster): string => `${cluster.shard}:${cluster.status.sequence}`

const xwait = inCluster((cluster, caller, request) => {
  const token = /^(\d{1,9}):(\d{1,15})$/.exec(textAt(request, 1))
  if (token === null) throw new CommandError('ERR not a token of XTOKEN')
  if (Number(token[1]) !== cluster.shard)
    throw new CommandError(`ERR the token is one of shard ${token[1]}, this node is of shard ${cluster.shard}`)
  const holdMs = request.count > 2 ? numberAt(request, 2) : undefined
  answerLater(caller, async () => {
    const done = (out: ReplyWriter): void => out.ok()
    try {
      return await cluster.node.read({ after: Number(token[2]) }, () => done, holdMs === undefined ? {} : { holdMs })
    } catch (error) {
      throw new CommandError(`LAGGING this node has not come so far: ${(error as Error).message}`)
    }
  })
})

const flag = (entry: Pick<Entry, 'flags' | 'since' | 'summary'>, run: Handler): Entry => ({
  arity: 1,
  categories: '@fast @connection',
  complexity: 'O(1)',
  ...entry,
  run,
})

const LISTING = 'nondeterministic_output'
const STALE = 'stale'
const PER_NODE = 'O(N) where N is the total number of Cluster nodes'

export const cluster: Family = family(
  { group: 'cluster', afterBegin: 'apart' },
  {
    cluster: {
      arity: -2,
      flags: '',
      categories: '@slow',
      since: '3.0.0',
      complexity: 'Depends on subcommand.',
      summary: 'A container for cluster commands',
      subcommands: {
        countkeysinslot: [
          3,
          inCluster((_, caller, request) =>
            caller.out.integer(slotted(caller).countInSlot(slotAt(request, 'ERR Invalid slot'))),
          ),
          { flags: STALE, since: '3.0.0', summary: 'Return the number of local keys in the specified hash slot' },
        ],
        getkeysinslot: [
          4,
          inCluster((_, caller, request) => {
            const slot = slotAt(request, 'ERR Invalid slot or number of keys')
            const most = integerAt(request, 3)
            if (most < 0n) throw new CommandError('ERR Invalid slot or number of keys')
            const found = slotted(caller).keysInSlot(slot, Number(most > 2n ** 31n ? 2n ** 31n : most))
            caller.out.array(found.length)
            for (const key of found) caller.out.bulk(key)
          }),
          {
            flags: STALE,
            tips: LISTING,
            since: '3.0.0',
            complexity: 'O(log(N)) where N is the number of requested keys',
            summary: 'Return local key names in the specified hash slot',
          },
        ],
        info: [
          2,
          inCluster((known, { out }) => out.verbatim(infoText(known))),
          { flags: STALE, tips: LISTING, since: '3.0.0', summary: 'Provides info about Redis Cluster node state' },
        ],
        keyslot: [
          3,
          inCluster((_, { out }, request) => out.integer(slotOf(bytesAt(request, 2)))),
          {
            flags: STALE,
            since: '3.0.0',
            complexity: 'O(N) where N is the number of bytes in the key',
            summary: 'Returns the hash slot of the specified key',
          },
        ],
        myid: [
          2,
          inCluster(({ id }, { out }) => out.text(id)),
          { flags: STALE, since: '3.0.0', summary: 'Return the node id' },
        ],
        nodes: [
          2,
          inCluster((known, { out }) =>
            out.verbatim(known.nodes.map(node => `${lineOf(known, node, viewOf(known, node))}\n`).join('')),
          ),
          {
            flags: STALE,
            tips: LISTING,
            since: '3.0.0',
            complexity: PER_NODE,
            summary: 'Get Cluster config for the node',
          },
        ],
        replicas: [
          3,
          replicas,
          {
            flags: 'admin stale',
            tips: LISTING,
            since: '5.0.0',
            summary: 'List replica nodes of the specified master node',
          },
        ],
        slaves: [
          3,
          replicas,
          {
            flags: 'admin stale',
            tips: LISTING,
            since: '3.0.0',
            summary: 'List replica nodes of the specified master node',
          },
        ],
        shards: [
          2,
          inCluster((known, { out, server }) => {
            const { shards } = known
            out.array(shards.length)
            for (const shard of shards) writeShard(out, shard, server.settings.tls === undefined ? 'port' : 'tls-port')
          }),
          {
            flags: STALE,
            tips: LISTING,
            since: '7.0.0',
            complexity: 'O(N) where N is the total number of cluster nodes',
            summary: 'Get array of cluster slots to node mappings',
          },
        ],
        slots: [
          2,
          inCluster((known, { out }) => writeSlots(out, known)),
          {
            flags: STALE,
            tips: LISTING,
            since: '3.0.0',
            complexity: PER_NODE,
            summary: 'Get array of Cluster slot to node mappings',
          },
        ],
      },
    },
    readonly: flag(
      {
        flags: 'loading stale fast',
        since: '3.0.0',
        summary: 'Enables read queries for a connection to a cluster replica node',
      },
      setReading(true),
    ),
    readwrite: flag(
      {
        flags: 'loading stale fast',
        since: '3.0.0',
        summary: 'Disables read queries for a connection to a cluster replica node',
      },
      setReading(false),
    ),
    // Nobody is ever asked for it here: a slot is with one shard or with the other.
    asking: flag(
      { flags: 'fast', since: '3.0.0', summary: 'Sent by cluster clients after an -ASK redirect' },
      inCluster((_, { out }) => out.ok()),
    ),
    failover: {
      arity: -1,
      flags: 'admin noscript stale',
      categories: '',
      group: 'server',
      since: '6.2.0',
      complexity: 'O(1)',
      summary: 'Start a coordinated failover between this server and one of its replicas.',
      afterMulti: 'refused',
      run: failover,
    },
    xleader: {
      arity: 1,
      flags: 'noscript fast',
      categories: '@fast @connection',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'An error unless this node of a cluster leads its shard (xenondb)',
      run: inCluster((known, { out }) => {
        if (!known.isLeader) throw new CommandError('READONLY this node does not lead its shard')
        out.ok()
      }),
    },
    xtoken: {
      arity: 1,
      flags: 'noscript fast',
      categories: '@fast @connection',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'A token of what this node of a cluster has, for XWAIT (xenondb)',
      run: inCluster((known, { out }) => out.text(tokenOf(known))),
    },
    xwait: {
      arity: -2,
      flags: 'noscript',
      categories: '@connection',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Wait until this node of a cluster has what a token stands for (xenondb)',
      afterMulti: 'refused',
      run: xwait,
    },
    xsnapshot: {
      arity: 1,
      flags: 'admin noscript',
      categories: '@admin @slow @dangerous',
      since: '1.0.0',
      complexity: 'O(N)',
      summary: 'Take a snapshot of the shard, verify it, and purge its log below the oldest one (xenondb)',
      afterMulti: 'refused',
      run: inCluster((known, caller) =>
        answerLater(caller, async () => {
          const sequence = await known.node.takeSnapshot()
          return out => out.integer(sequence)
        }),
      ),
    },
    xmaxlag: {
      arity: 2,
      flags: 'noscript fast',
      categories: '@fast @connection',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Milliseconds that reads of a follower may lie behind after READONLY; 0: any (xenondb)',
      afterMulti: 'refused',
      run: inCluster((_, caller, request) => {
        const ms = numberAt(request, 1)
        if (ms < 0) throw new CommandError('ERR value is out of range, must be positive')
        caller.maxLag = ms === 0 ? undefined : ms
        caller.out.ok()
      }),
    },
  },
)
