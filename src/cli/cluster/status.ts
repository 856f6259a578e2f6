/** What `xenondb cluster status` tells. */
import { askLeader, type MoveChannel, type MoveStatus } from '../../cluster/moves/move-channel.ts'
import { slotsText } from '../../cluster/moves/slot-ranges.ts'
import type { PeerReport } from '../../cluster/peers.ts'
import type { ClusterServices } from '../../cluster/services.ts'
import type { MapNode, MapShard, ShardMap } from '../../cluster/shard-map.ts'
import type { LogCheck, LogInfo } from '../../cluster/shared-log.ts'
import { reasonOf, XenonError } from '../../errors.ts'
import { CommandError } from '../errors.ts'
import { bad, count, good, heading, percent, size, table } from '../render.ts'
import { progressOf } from './progress.ts'

/** Nodes that answer later count as gone. */
const ASK_MS = 1000
/** Asks as no node. */
const NOBODY = 0

export interface NodeStatus extends MapNode {
  /** Undefined: it does not answer. */
  readonly report: PeerReport | undefined
}

export interface ShardStatus extends MapShard {
  readonly nodes: readonly NodeStatus[]
  /** Undefined: nobody could say; `problem` says why. */
  readonly log: LogInfo | undefined
  readonly problem: string | undefined
  /** Undefined: no leader has told. */
  readonly moves: MoveStatus | undefined
}

export interface ClusterStatus {
  readonly cluster: string
  readonly shards: readonly ShardStatus[]
  readonly servers: LogCheck
}

/** The map of a cluster. @throws CommandError if there is none */
export async function readMap(services: ClusterServices, cluster: string): Promise<ShardMap> {
  const stored = await services.shardMap(cluster).read()
  if (stored === undefined) throw new CommandError(`there is no cluster ${cluster}`)
  return stored.map
}

/** What the nodes of a shard say of themselves. */
export const askShard = (services: ClusterServices, cluster: string, shard: number): Promise<PeerReport[]> =>
  services.peers(cluster, shard, NOBODY).ask(ASK_MS)

export async function statusOf(services: ClusterServices, cluster: string): Promise<ClusterStatus> {
  const map = await readMap(services, cluster)
  const shards = await Promise.all(
    map.shards.map(async (each): Promise<ShardStatus> => {
      const [reports, moves, log] = await Promise.all([
        askShard(services, cluster, each.shard),
        askMoves(services.moves(cluster), each.shard),
        logInfo(services, cluster, each).catch(reasonOf),
      ])
      const nodes = map.nodes
        .filter(({ shard }) => shard === each.shard)
        .map(node => ({ ...node, report: reports.find(report => report.node === node.node) }))
      const known = typeof log === 'string' ? { log: undefined, problem: log } : { log, problem: undefined }
      return { ...each, nodes, moves, ...known }
    }),
  )
  return { cluster, shards, servers: await services.checkServers() }
}

/** What is under way; undefined: no leader tells. */
export async function askMoves(channel: MoveChannel, shard: number): Promise<MoveStatus | undefined> {
  try {
    return (await askLeader(channel, shard, { ask: 'status' }, ASK_MS)).head
  } catch (error) {
    if (XenonError.is(error, 'XENON_CONNECTION')) return undefined
    throw error
  }
}

async function logInfo(services: ClusterServices, cluster: string, { shard, generation }: MapShard): Promise<LogInfo> {
  const log = await services.openLog({ cluster, shard, generation })
  try {
    return await log.info()
  } finally {
    await log.close()
  }
}

/** Nobody leads a shard, a node is gone or has halted, or the servers are not as they must be. */
export const hasProblems = ({ shards, servers }: ClusterStatus): boolean =>
  servers.problems.length > 0 || shards.some(shard => problemsOf(shard).length > 0)

function problemsOf({ shard, nodes, problem, log }: ShardStatus): string[] {
  const leads = nodes.some(({ report }) => report?.state === 'lead')
  const halted = nodes.filter(({ report }) => report?.state === 'halted' || report?.state === 'suspect')
  return [
    ...(leads ? [] : [`nobody leads shard ${shard}`]),
    ...nodes.filter(({ report }) => report === undefined).map(({ node }) => `node ${node} does not answer`),
    ...halted.map(({ node, report }) => `node ${node} is in the state ${report!.state}`),
    ...(problem === undefined ? [] : [`the log of shard ${shard}: ${problem}`]),
    ...(log === undefined || log.hasQuorum ? [] : [`the log of shard ${shard} has no majority of its servers`]),
  ]
}

export function readable(status: ClusterStatus): string {
  const { cluster, shards, servers } = status
  const lines: string[] = [heading(`cluster ${cluster}`), '']
  for (const shard of shards) {
    const slots = slotsText(shard.slots)
    lines.push(
      heading(`shard ${shard.shard}`),
      table([['slots', slots === '' ? 'none' : slots], ...moveRows(shard), ...logRows(shard)]),
    )
    const rows = shard.nodes.map(({ node, address, report }) => [
      `node ${node}`,
      address,
      report?.state ?? bad('no answer'),
      report === undefined ? '' : `epoch ${report.epoch}`,
      report === undefined ? '' : `message ${count(report.sequence)}`,
      report === undefined ? '' : report.state === 'lead' ? 'lead' : `${count(report.lag)} behind`,
    ])
    if (rows.length > 0) lines.push(table(rows))
    lines.push('')
  }
  const found = servers.servers.map(({ name, version, syncsAlways }) => [
    name,
    version,
    syncsAlways === true
      ? good('syncs always')
      : syncsAlways === false
        ? bad('does not sync always')
        : 'sync not known',
  ])
  if (found.length > 0) lines.push(heading('nats-servers'), table(found), '')
  const problems = [...shards.flatMap(problemsOf), ...servers.problems]
  for (const problem of problems) lines.push(bad(problem))
  for (const warning of servers.warnings) lines.push(`warning: ${warning}`)
  if (problems.length === 0) lines.push(good('all is well'))
  return `${lines.join('\n')}\n`
}

function moveRows({ moves }: ShardStatus): string[][] {
  const { incoming, outgoing } = moves?.state ?? {}
  const rows: string[][] = []
  if (incoming !== undefined) {
    const { slots, from } = incoming
    const progress = progressOf(incoming, moves?.pending, moves?.problem)
    rows.push(['coming', `slots ${slotsText(slots)} from shard ${from}: ${progress}`])
  }
  if (outgoing !== undefined)
    rows.push(['leaving', `slots ${slotsText(outgoing.slots)} to shard ${outgoing.to}: ${outgoing.phase}`])
  return rows
}

function logRows({ log }: ShardStatus): string[][] {
  if (log === undefined) return [['log', bad('not known')]]
  const { first, last, bytes, maxBytes, leader, replicas, hasQuorum } = log
  const fill = Number.isFinite(maxBytes) && maxBytes > 0 ? `, ${percent(bytes / maxBytes)} of ${size(maxBytes)}` : ''
  const state = hasQuorum ? '' : `, ${bad('no majority')}`
  return [
    ['log', `messages ${count(first)} to ${count(last)}, ${size(bytes)}${fill}`],
    ['on', `${leader ?? bad('nobody')}${replicas.map(({ name }) => `, ${name}`).join('')}${state}`],
  ]
}
