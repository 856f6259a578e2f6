/** `xenondb cluster`: makes a cluster, looks at it, and changes it. */
import type { CAC } from 'cac'
import type { PlannedMove } from '../../cluster/moves/plan.ts'
import type { PeerReport } from '../../cluster/peers.ts'
import type { Point } from '../../cluster/point-in-time.ts'
import type { ClusterServices, LogSettings } from '../../cluster/services.ts'
import { argument, countOption, flagOption, type Options, rangedOption, textOption } from '../arguments.ts'
import { createCluster, requireClusterName } from '../cluster/create.ts'
import { leaveMap } from '../cluster/join.ts'
import { natsOptions, readNats, withNats } from '../cluster/nats.ts'
import { recoverShard } from '../cluster/recover.ts'
import { restoreCluster } from '../cluster/restore.ts'
import { askShard, hasProblems, readable, readMap, statusOf } from '../cluster/status.ts'
import { connectionOptions, readConnection, withClient } from '../connection.ts'
import { CommandError, EXIT_DONE, EXIT_FAILED, UsageError } from '../errors.ts'
import { print } from '../output.ts'

type Action = (name: string, options: Options, directory: string | undefined) => Promise<number>

const ACTIONS: Readonly<Record<string, Action>> = {
  ...{ create, status, failover, snapshot, restore, recover, remove },
  ...{ add, move, rebalance },
}

/** Of those that take something behind the name: what, and which. */
const OBJECTS: Readonly<Record<string, string>> = {
  restore: '<directory>: a new directory',
  recover: '<directory>: that of the node with the most, stopped',
  move: '<slots> --to <shard>, with slots such as 0-99,200; or --cancel --to <shard>',
}

export function registerCluster(cli: CAC): void {
  const command = cli.command(
    'cluster <action> <name> [directory|slots]',
    `Work on a cluster of servers that share their logs on NATS: ${Object.keys(ACTIONS).join(', ')}`,
  )
  connectionOptions(natsOptions(command))
    .option('--shards <count>', 'create: so many shards, each with a log of its own (default 1)')
    .option(
      '--replicas <count>',
      'create, recover, add: nats-servers that hold a log (default 3, or 1 if there is one)',
    )
    .option(
      '--log-bytes <bytes>',
      'create, recover, add: bytes of a log from which on writes are refused (default 1073741824)',
    )
    .option(
      '--shard <number>',
      'failover, snapshot, recover: the shard (default 0); restore: this one alone (default: all)',
    )
    .option('--node <number>', 'failover: who is to lead; snapshot: who makes it; remove: who is gone for good')
    .option(
      '--to <point>',
      'restore: a time (2026-11-30T10:00:00Z), or of one shard the number of a message; move: the shard',
    )
    .option('--cancel', 'move: take back the one that brings slots to the shard, if it is not too late')
    .option('--force', 'recover: also while slots are on their way to or from the shard')
    .option('--json', 'status: as JSON')
    .example(bin => `  $ ${bin} cluster create shop --shards 2 --nats nats://n1:4222,nats://n2:4222,nats://n3:4222`)
    .example(bin => `  $ ${bin} cluster status shop --nats nats://n1:4222`)
    .example(bin => `  $ ${bin} cluster move shop 0-4095 --to 1 --nats nats://n1:4222`)
    .example(
      bin => `  $ ${bin} cluster restore shop before-the-accident --to 2026-11-30T10:00:00Z --nats nats://n1:4222`,
    )
    .action((action: string, name: string, directory: string | undefined, options: Options) => {
      const known = argument(action)
      if (!Object.hasOwn(ACTIONS, known))
        throw new UsageError(`cluster can ${Object.keys(ACTIONS).join(', ')}, not "${known}"`)
      const wanted = OBJECTS[known]
      const isMissing = directory === undefined && !flagOption(options, 'cancel')
      if (wanted === undefined && directory !== undefined) throw new UsageError(`cluster ${known} takes a name alone`)
      if (wanted !== undefined && isMissing) throw new UsageError(`cluster ${known} <name> ${wanted}`)
      return ACTIONS[known]!(requireClusterName(argument(name)), options, directory && argument(directory))
    })
}

/** Bytes of a log if nobody says otherwise: what a snapshot cannot free yet has to fit into it. */
const LOG_BYTES = 1024 ** 3
/** NATS takes 0 for no limit at all, and what is smaller than some groups would be full at once. */
const LEAST_LOG_BYTES = 16 * 1024 ** 2

async function create(name: string, options: Options): Promise<number> {
  const shards = rangedOption(options, 'shards', 1, 1000) ?? 1
  const settingsFor = logSettings(options)
  return withNats(readNats(options), async services => {
    const settings = settingsFor(services)
    const warnings = await createCluster(services, { name, shards, settings })
    for (const warning of warnings) process.stderr.write(`xenondb: ${warning}\n`)
    const servers = settings.replicas === 1 ? '1 nats-server' : `${settings.replicas} nats-servers`
    await print(`cluster ${name}: ${shards} ${shards === 1 ? 'shard' : 'shards'}, each log on ${servers}\n`)
    return EXIT_DONE
  })
}

function logSettings(options: Options): (services: ClusterServices) => LogSettings {
  const replicas = countOption(options, 'replicas')
  if (replicas !== undefined && ![1, 3, 5].includes(replicas)) throw new UsageError('--replicas is 1, 3 or 5')
  const maxBytes = countOption(options, 'logBytes') ?? LOG_BYTES
  if (maxBytes < LEAST_LOG_BYTES) throw new UsageError(`--log-bytes is a number from ${LEAST_LOG_BYTES}`)
  return services => ({ replicas: (replicas ?? services.replicas) as 1 | 3 | 5, maxBytes })
}

async function status(name: string, options: Options): Promise<number> {
  const json = flagOption(options, 'json')
  return withNats(readNats(options), async services => {
    const found = await statusOf(services, name)
    await print(json ? `${JSON.stringify(found, null, 2)}\n` : readable(found))
    return hasProblems(found) ? EXIT_FAILED : EXIT_DONE
  })
}

/** Asks the leader to hand over, as a client of it. */
async function failover(name: string, options: Options): Promise<number> {
  const shard = countOption(options, 'shard') ?? 0
  const node = countOption(options, 'node')
  return withNats(readNats(options), async services => {
    const reports = await askShard(services, name, shard)
    const leader = leaderOf(reports)
    if (leader === undefined) throw new CommandError(`nobody leads shard ${shard}; another node will in a few seconds`)
    const next = node === undefined ? undefined : reports.find(each => each.node === node)
    if (node !== undefined && next === undefined)
      throw new CommandError(`node ${node} of shard ${shard} does not answer`)
    if (next === leader) throw new CommandError(`node ${node} leads shard ${shard} already`)
    const words = next === undefined ? [] : ['TO', ...placeOf(next.address)]
    const connection = { ...readConnection(options), ...hostAndPort(leader.address) }
    await withClient(connection, client => client.command('FAILOVER', ...words))
    const after = await leadNow(services, name, shard, leader)
    await print(`shard ${shard}: node ${after.node} at ${after.address} leads\n`)
    return EXIT_DONE
  })
}

const leaderOf = (reports: readonly PeerReport[]): PeerReport | undefined =>
  reports.filter(({ state }) => state === 'lead').sort((a, b) => b.epoch - a.epoch)[0]

/** Asks a node that follows, if there is one, so that the leader is not kept from its work. */
async function snapshot(name: string, options: Options): Promise<number> {
  const shard = countOption(options, 'shard') ?? 0
  const node = countOption(options, 'node')
  return withNats(readNats(options), async services => {
    const reports = (await askShard(services, name, shard)).filter(
      ({ state }) => state === 'follow' || state === 'lead',
    )
    const behind = (a: PeerReport, b: PeerReport): number =>
      Number(a.state === 'lead') - Number(b.state === 'lead') || b.sequence - a.sequence
    const [maker] = reports.filter(each => node === undefined || each.node === node).sort(behind)
    if (maker === undefined)
      throw new CommandError(
        `no node of shard ${shard} that could make a snapshot answers; xenondb cluster status says more`,
      )
    const connection = { ...readConnection(options), ...hostAndPort(maker.address) }
    const sequence = await withClient(connection, client => client.command('XSNAPSHOT'))
    await print(
      `shard ${shard}: node ${maker.node} has made a snapshot at message ${String(sequence)}, and verified it\n`,
    )
    return EXIT_DONE
  })
}

const HANDOVER_MS = 10_000

async function leadNow(
  services: ClusterServices,
  name: string,
  shard: number,
  before: PeerReport,
): Promise<PeerReport> {
  const until = Date.now() + HANDOVER_MS
  for (;;) {
    const leader = leaderOf(await askShard(services, name, shard))
    if (leader !== undefined && leader.epoch > before.epoch) return leader
    if (Date.now() > until)
      throw new CommandError(`the lead of shard ${shard} was handed over, and nobody has taken it`)
  }
}

const placeOf = (address: string): [host: string, port: string] => {
  const at = address.lastIndexOf(':')
  return [address.slice(0, at), address.slice(at + 1)]
}

const hostAndPort = (address: string): { host: string; port: number } => {
  const [host, port] = placeOf(address)
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) }
}

/** What the cluster held at a point, as a database that is no cluster's; the cluster stays as it is. */
async function restore(name: string, options: Options, directory: string | undefined): Promise<number> {
  const shard = countOption(options, 'shard')
  const point = pointOf(textOption(options, 'to'), shard)
  return withNats(readNats(options), async services => {
    const { shards } = await readMap(services, name)
    const chosen = shards.filter(each => shard === undefined || each.shard === shard)
    if (chosen.length === 0) throw new CommandError(`the cluster ${name} has no shard ${shard}`)
    const restored = await restoreCluster(services, name, chosen, directory!, point)
    for (const { shard: number, records, sequence, time } of restored) {
      const when = sequence === 0 ? 'before its first message' : `message ${sequence}, ${new Date(time).toISOString()}`
      await print(`shard ${number}: ${records} ${records === 1 ? 'record' : 'records'} as of ${when}\n`)
    }
    return EXIT_DONE
  })
}

/** When the log of a shard is lost, or is another one than its nodes have followed. */
async function recover(name: string, options: Options, directory: string | undefined): Promise<number> {
  const shard = countOption(options, 'shard') ?? 0
  const settingsFor = logSettings(options)
  const force = flagOption(options, 'force')
  return withNats(readNats(options), async services => {
    const stored = await services.shardMap(name).read()
    if (stored === undefined) throw new CommandError(`there is no cluster ${name}`)
    if (!stored.map.shards.some(each => each.shard === shard))
      throw new CommandError(`the cluster ${name} has no shard ${shard}`)
    const [running] = await askShard(services, name, shard)
    if (running !== undefined)
      throw new CommandError(`node ${running.node} at ${running.address} runs; stop all nodes of shard ${shard} first`)
    const found = await recoverShard(services, name, stored, shard, directory!, settingsFor(services), force)
    const { generation, records, mark, lastBefore } = found
    const lost =
      lastBefore === undefined
        ? 'the log before cannot be read: what it had acknowledged later is lost'
        : lastBefore > mark.sequence
          ? `messages ${mark.sequence + 1} to ${lastBefore} of the log before are not in it`
          : lastBefore < mark.sequence
            ? `the log before ends at message ${lastBefore}, and has lost what came after`
            : 'nothing that the log before has is missing'
    await print(
      `shard ${shard}: generation ${generation} with ${records} ${records === 1 ? 'record' : 'records'} as of message ${mark.sequence}, ${new Date(mark.time).toISOString()}; ${lost}\nstart its nodes with empty directories: those they have belong to the log before\n`,
    )
    return EXIT_DONE
  })
}

/** Slots go to a shard, while all goes on. */
async function move(name: string, options: Options, text: string | undefined): Promise<number> {
  const to = countOption(options, 'to')
  if (to === undefined) throw new UsageError('--to says which shard the slots go to')
  const isCancelled = flagOption(options, 'cancel')
  if (isCancelled && text !== undefined) throw new UsageError('--cancel takes back what is under way: name no slots')
  return withNats(readNats(options), async services => {
    const { cancelMove, movesTo } = await import('../cluster/moves.ts')
    if (isCancelled) {
      await cancelMove(services.moves(name), to)
      await print(`nothing is on its way to shard ${to} any more\n`)
      return EXIT_DONE
    }
    const { slotsFrom } = await import('../../cluster/moves/slot-ranges.ts')
    const moves = movesTo(await readMap(services, name), slotsFrom(text!), to)
    if (moves.length === 0) await print(`shard ${to} has these slots already\n`)
    return await makeMoves(services, name, moves)
  })
}

/** Slots go to and fro until each shard has as many as the others. */
async function rebalance(name: string, options: Options): Promise<number> {
  return withNats(readNats(options), async services => {
    const { movesToBalance } = await import('../cluster/moves.ts')
    const moves = movesToBalance(await readMap(services, name))
    if (moves.length === 0) await print('each shard has as many slots as the others\n')
    return await makeMoves(services, name, moves)
  })
}

async function makeMoves(services: ClusterServices, name: string, moves: readonly PlannedMove[]): Promise<number> {
  const { makeMove } = await import('../cluster/moves.ts')
  // One after the other: each shard takes in one at a time, and the next one needs its place in the log.
  for (const each of moves) await makeMove(services.moves(name), each, text => void print(`${text}\n`))
  return EXIT_DONE
}

/** One shard more, which has no slots yet. */
async function add(name: string, options: Options): Promise<number> {
  const settingsFor = logSettings(options)
  return withNats(readNats(options), async services => {
    const { addShard } = await import('../cluster/moves.ts')
    const shard = await addShard(services, name, settingsFor(services))
    await print(
      `shard ${shard}: start nodes of it (xenondb serve DIR --cluster ${name} --shard ${shard}), then: xenondb cluster rebalance ${name}\n`,
    )
    return EXIT_DONE
  })
}

function pointOf(text: string | undefined, shard: number | undefined): Point {
  if (text === undefined) return { time: Number.POSITIVE_INFINITY }
  if (/^\d+$/.test(text)) {
    if (shard === undefined) throw new UsageError('each shard counts its own messages: say which one with --shard')
    return { sequence: Number(text) }
  }
  const time = Date.parse(text)
  if (Number.isNaN(time) || !/^\d{4}-\d\d-\d\d/.test(text))
    throw new UsageError(`--to is a time such as 2026-11-30T10:00:00Z, or the number of a message, not "${text}"`)
  return { time }
}

/** Takes a node that is gone for good out of the map, so that clients are not sent there. */
async function remove(name: string, options: Options): Promise<number> {
  const node = countOption(options, 'node')
  if (node === undefined) throw new UsageError('--node says which node is gone')
  if (textOption(options, 'shard') !== undefined) throw new UsageError('a node is named by its number alone')
  return withNats(readNats(options), async services => {
    const map = await readMap(services, name)
    const found = map.nodes.find(each => each.node === node)
    if (found === undefined) throw new CommandError(`the cluster ${name} has no node ${node}`)
    const reports = await askShard(services, name, found.shard)
    if (reports.some(each => each.node === node))
      throw new CommandError(`node ${node} at ${found.address} is there and answers; stop it first`)
    await leaveMap(services.shardMap(name), node)
    await print(`node ${node} at ${found.address} is no node of ${name} any more\n`)
    return EXIT_DONE
  })
}
