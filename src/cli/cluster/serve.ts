/** `xenondb serve --cluster`: a server that is a node of a cluster. */
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { connectNats } from '../../cluster/load.ts'
import { logName } from '../../cluster/nats/names.ts'
import type { NodeEvent } from '../../cluster/node-types.ts'
import type { ClusterServices, NatsOptions } from '../../cluster/services.ts'
import type { ShardMapStore } from '../../cluster/shard-map.ts'
import type { SharedLog } from '../../cluster/shared-log.ts'
import { waitForLockAside } from '../../database/lock-wait.ts'
import { reasonOf, XenonError } from '../../errors.ts'
import { type Database, nodeStorage, open } from '../../index.ts'
import type { ServerOptions } from '../../server/index.ts'
import { Log } from '../../server/service/log.ts'
import { CommandError, EXIT_DONE } from '../errors.ts'
import { opening } from '../opening.ts'
import { print } from '../output.ts'
import { recoveryReporter } from '../recovery.ts'
import { enterMap, leaveMap, type Place } from './join.ts'

export interface NodeSettings {
  readonly cluster: string
  readonly shard: number
  /** `host:port` that clients, and the other nodes' clients, reach this node at. */
  readonly address: string
  readonly nats: NatsOptions
  readonly cacheBytes: number | undefined
  readonly force: boolean
}

/** Milliseconds that a leader which ends has to hand over. */
const HANDOVER_MS = 3000
/** Between two attempts. */
const AGAIN_MS = 50

export async function serveNode(directory: string, settings: NodeSettings, options: ServerOptions): Promise<number> {
  const log = new Log(options.logLevel ?? 'info', line => void process.stderr.write(`${line}\n`))
  const db = await openCopy(directory, settings, log)
  try {
    // Before it joins: a node that cannot start should not be in the map, where everybody would wait for it.
    requireNodeOf(db, directory)
    const ending = signalled()
    const joined = await joinWhenItCan(db.mark, settings, log, ending)
    if (joined === undefined) return EXIT_DONE
    try {
      return await serveWith(joined, db, directory, settings, options, ending)
    } catch (error) {
      // One that could not start, such as for want of its port, is nobody whom others should wait for.
      if (joined.isNew && db.mark === undefined) await leaveMap(joined.map, joined.node).catch(() => undefined)
      throw error
    } finally {
      await joined.services.close()
    }
  } finally {
    db.close()
  }
}

/** Aborted once this process is told to end, so that it lets go of its directory and of NATS. */
function signalled(): AbortSignal {
  const ending = new AbortController()
  const end = (): void => ending.abort()
  process.on('SIGTERM', end)
  process.once('SIGINT', end)
  process.on('SIGHUP', end)
  return ending.signal
}

async function openCopy(
  directory: string,
  { cacheBytes, force }: NodeSettings,
  log: Log,
): Promise<Database<Uint8Array, Uint8Array>> {
  const { lockWait, takeover } = opening()
  return waitForLockAside(lockWait, () =>
    open<Uint8Array>(directory, {
      keyEncoding: 'binary',
      valueEncoding: 'binary',
      storedEncoding: 'ignore',
      // The log is what survives: a node that was cut off comes back with an older mark, and catches up.
      durability: 'process',
      takeover,
      force,
      onRecovery: recoveryReporter(directory),
      onWarning: ({ code, message, data }) => log.warn('warning', { code, message, ...data }),
      ...(cacheBytes === undefined ? {} : { cacheBytes }),
    }),
  )
}

/** What a node has of its cluster. */
interface Joined extends Place {
  readonly services: ClusterServices
  readonly map: ShardMapStore
  readonly shared: SharedLog
}

const RETRY_MS = 1000
/** No node has this number. */
const NOBODY = 0

/** Machines may start in any order: a node waits for NATS. Undefined: it was told to end meanwhile. */
async function joinWhenItCan(
  mark: Uint8Array | undefined,
  { cluster, shard, address, nats }: NodeSettings,
  log: Log,
  ending: AbortSignal,
): Promise<Joined | undefined> {
  const { decodeMark } = await import('../../cluster/mark.ts')
  const requireFit = (generation: number): void => void decodeMark(mark, logName({ cluster, shard, generation }))
  let said = ''
  while (!ending.aborted) {
    let services: ClusterServices | undefined
    try {
      services = await connectNats(nats)
      const map = services.shardMap(cluster)
      const place = await enterMap(map, cluster, { shard, address }, requireFit)
      const shared = await services.openLog({ cluster, shard, generation: place.generation })
      return { ...place, services, map, shared }
    } catch (error) {
      await services?.close()
      if (!XenonError.is(error, 'XENON_CONNECTION')) throw error
      if (error.message !== said) log.warn('waiting for NATS', { error: error.message })
      said = error.message
      await pause(RETRY_MS, undefined, { signal: ending }).catch(() => undefined)
    }
  }
  return undefined
}

async function serveWith(
  { services, map, shared, node: number, rank }: Joined,
  db: Database<Uint8Array, Uint8Array>,
  directory: string,
  { cluster: name, shard, address }: NodeSettings,
  options: ServerOptions,
  told: AbortSignal,
): Promise<number> {
  // Only here: no other command should wait until all of this is loaded.
  const [{ Server }, { Cluster }, { ClusterNode }, { storeOf }, { Mover }, { ShardSlots }, clock] = await Promise.all([
    import('../../server/server.ts'),
    import('../../server/service/cluster.ts'),
    import('../../cluster/node.ts'),
    import('../../cluster/engine-store.ts'),
    import('../../cluster/moves/mover.ts'),
    import('../../cluster/moves/shard-slots.ts'),
    import('../../cluster/clock.ts'),
  ])
  await requireAlone(services, { cluster: name, shard, address }, number)
  const scratch = scratchOf(directory)
  const peers = services.peers(name, shard, number, () => cluster.own.nodes.map(each => each.node))
  const database = db as unknown as Database<unknown, unknown>
  const store = storeOf(database, {
    scratch,
    storage: nodeStorage,
  })
  const slots = new ShardSlots(shard, store.moves)
  // While slots are on their way from here, what the log of this shard says of them has ended.
  store.mayExpire = () => !slots.holds
  const cluster = new Cluster({ name, node: number, shard, map, peers, slots })
  const server = new Server(database, options, false, cluster)
  cluster.log = server.log
  const node = new ClusterNode({
    node: number,
    shard,
    address,
    log: shared,
    store,
    peers,
    rank,
    onEvent: event => {
      noteEvent(server.log, event)
      if (event.kind === 'state') learnSlots()
      cluster.onEvent(event)
    },
    onRecord: ({ kind, note }) => {
      if (kind !== 'import-data') server.log.info('slots', { kind, note: new TextDecoder().decode(note) })
      learnSlots()
    },
  })
  const mover = new Mover({
    ...{
      node,
      self: number,
      shard,
      slots,
      store: store.moves,
      channel: services.moves(name),
      clock: clock.systemClock,
    },
    openLog: other => openLogOf(services, map, name, other),
    mapped: () => cluster.mapped(shard),
  })
  const learnSlots = (): void => {
    slots.reload()
    mover.poke()
  }
  await cluster.begin(node, begin => store.replica.interactive(begin))
  mover.start()
  try {
    const bound = await server.listen()
    const stop = (): void => void end()
    let ending: Promise<void> | undefined
    /** Whoever leads hands over first, so that clients wait for milliseconds and not for seconds. */
    const end = (): Promise<void> => {
      ending ??= handOver(cluster).finally(() => server.close())
      return ending
    }
    told.addEventListener('abort', stop)
    if (told.aborted) stop()
    const where = 'socket' in bound ? bound.socket : `${bound.host}:${bound.port}`
    await print(`node ${number} of shard ${shard} of ${name} listening on ${where}\n`)
    let failure: unknown
    node.start().catch(error => {
      // It was stopped before it had come so far as to follow, which it may not for a long time without NATS.
      if (XenonError.is(error, 'XENON_CLOSED')) return
      failure = error
      server.log.error('the node could not be started', { error: String(error) })
      void server.close()
    })
    await server.done
    if (failure !== undefined) throw failure
    return EXIT_DONE
  } finally {
    mover.stop()
    cluster.close()
    await node.stop()
    await shared.close()
  }
}

/** @throws XenonError `XENON_NOT_FOUND` if there is no such shard, or it has no log */
async function openLogOf(
  services: ClusterServices,
  store: ShardMapStore,
  cluster: string,
  shard: number,
): Promise<SharedLog> {
  const found = (await store.read())?.map.shards.find(each => each.shard === shard)
  if (found === undefined) throw new XenonError('XENON_NOT_FOUND', `the cluster ${cluster} has no shard ${shard}`)
  return await services.openLog({ cluster, shard, generation: found.generation })
}

/** @throws CommandError if its records did not come from a log, so that nobody else would ever have them */
function requireNodeOf(db: Database<Uint8Array, Uint8Array>, directory: string): void {
  if (db.mark === undefined && (db.stats().records > 0 || db.subs().length > 0))
    throw new CommandError(
      `${directory} has records that are no cluster's; start the node with a directory that is empty or not there, and import them through it`,
    )
}

/** Milliseconds that a node which runs has to answer. */
const ANSWER_MS = 200

/**
 * Nodes do not hear who has their own number, and would take over from one another without a question.
 * @throws CommandError if a node of this address runs, with another directory
 */
async function requireAlone(
  services: ClusterServices,
  { cluster, shard, address }: Pick<NodeSettings, 'cluster' | 'shard' | 'address'>,
  number: number,
): Promise<void> {
  const nodes = await services.peers(cluster, shard, NOBODY).ask(ANSWER_MS)
  if (nodes.some(({ node }) => node === number))
    throw new CommandError(
      `node ${number} at ${address} runs already, with another directory: give this one an address of its own (--port, --advertise)`,
    )
}

async function handOver(
  cluster: InstanceType<typeof import('../../server/service/cluster.ts').Cluster>,
): Promise<void> {
  if (!cluster.isLeader) return
  const until = Date.now() + HANDOVER_MS
  for (;;) {
    const others = (await cluster.others(300)).filter(({ state }) => state === 'follow')
    const next = others.sort((a, b) => b.sequence - a.sequence)[0]
    if (next === undefined) return
    const late = new Promise<void>(resolve => setTimeout(resolve, HANDOVER_MS).unref())
    try {
      await Promise.race([cluster.node.transferTo(next.node), late])
      return
    } catch (error) {
      // It may lag for a moment, under load.
      if (XenonError.is(error, 'XENON_NOT_READY') && Date.now() < until) {
        await pause(AGAIN_MS)
        continue
      }
      cluster.log?.warn('nobody took over', { error: XenonError.is(error) ? error.message : String(error) })
      return
    }
  }
}

function noteEvent(log: Log, event: NodeEvent): void {
  if (event.kind === 'state') {
    const { from, to, reason } = event
    const fields = { from, to, reason }
    if (to === 'halted' || to === 'suspect') log.error('state', fields)
    else log.info('state', fields)
  } else if (event.kind === 'leader') log.info('leader', { ...event.leader })
  else if (event.kind === 'connection') log.info('log connection', { connected: event.isConnected })
  else if (event.kind === 'warning') log.warn('cluster', { message: event.message })
  else if (event.kind === 'snapshot') log.info('snapshot', { ...event })
  else if (event.kind === 'purge') log.info('purge', { below: event.below })
}

/** A directory for snapshots, beside the node's own: a backup cannot lie inside the database. */
function scratchOf(directory: string): string {
  // Of this directory alone: beside it may lie nodes of other clusters, with the same number.
  const scratch = `${resolve(directory)}.snapshots`
  try {
    mkdirSync(scratch, { recursive: true })
    // What a node that was killed has left of them.
    for (const name of readdirSync(scratch))
      if (/^snapshot-\d+(\..+)?$/.test(name)) rmSync(join(scratch, name), { recursive: true, force: true })
  } catch (error) {
    throw new CommandError(
      `a node makes its snapshots in ${scratch}, which cannot be written: ${reasonOf(error)}; make that directory writable for it`,
    )
  }
  return scratch
}
