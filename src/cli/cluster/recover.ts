/** `xenondb cluster recover`: a new log for a shard whose log is lost, or is not the one that its nodes have followed. */
import { type Mark, NO_MARK } from '../../cluster/mark.ts'
import { intersection, slotsText, without } from '../../cluster/moves/slot-ranges.ts'
import { decodeState, type SlotState, stateOf } from '../../cluster/moves/slot-state.ts'
import { logName } from '../../cluster/nats/names.ts'
import type { ClusterServices, LogPlace, LogSettings } from '../../cluster/services.ts'
import type { MapNode, ShardMap, ShardMapStore, StoredShardMap } from '../../cluster/shard-map.ts'
import type { SharedLog } from '../../cluster/shared-log.ts'
import type { Database } from '../../database/database.ts'
import { XenonError } from '../../errors.ts'
import { openBytes } from '../database.ts'
import { CommandError } from '../errors.ts'
import { askMoves } from './status.ts'

export interface Recovered {
  readonly generation: number
  readonly records: number
  /** Of the last message that is in it. */
  readonly mark: Mark
  /** The last message of the log before; undefined: nobody can say. */
  readonly lastBefore: number | undefined
}

/**
 * Makes the log of the next generation, with all that a stopped node's directory holds, and puts it into the map.
 * @param force also while slots are on their way to or from the shard
 * @throws CommandError if the directory is of another shard, slots are on their way, another shard has slots that the
 *   directory has, or the map has changed meanwhile
 */
export async function recoverShard(
  services: ClusterServices,
  cluster: string,
  stored: StoredShardMap,
  shard: number,
  directory: string,
  settings: LogSettings,
  force: boolean,
): Promise<Recovered> {
  const { generation } = stored.map.shards.find(each => each.shard === shard)!
  const before: LogPlace = { cluster, shard, generation }
  // Only here: no other command should wait until all of this is loaded.
  const [{ replicaOf }, { decodeMark }, { fillLog }, { EngineMoves }] = await Promise.all([
    import('../../database/replica.ts'),
    import('../../cluster/mark.ts'),
    import('../../cluster/new-generation.ts'),
    import('../../cluster/moves/engine-moves.ts'),
  ])
  const db = openBytes(directory, { createIfMissing: false, keepsRecords: true })
  try {
    const mark = decodeMark(db.mark, logName(before))
    if (mark.sequence === NO_MARK.sequence)
      throw new CommandError(`${directory} has applied nothing of the log ${logName(before)}`)
    const replica = replicaOf(db)
    const bytes = new EngineMoves(db as unknown as Database<unknown, unknown>, replica).readState()
    const own = bytes === undefined ? stateOf(slotsOf(stored.map, shard)) : decodeState(bytes)
    await requireAtRest(services, cluster, stored.map, { shard, own, force })
    const records = db.count()
    const lastBefore = await lastOf(services, before)
    const next = await newLog(services, before, settings)
    try {
      await fillLog(next.log, replica.everything(), { ...originOf(stored.map.nodes, shard), time: mark.time })
    } finally {
      await next.log.close()
    }
    await switchTo(services.shardMap(cluster), stored, shard, next.generation)
    return { generation: next.generation, records, mark, lastBefore }
  } finally {
    db.close()
  }
}

const slotsOf = ({ shards }: ShardMap, shard: number): SlotState['owned'] =>
  shards.find(each => each.shard === shard)!.slots

/**
 * What the directory says of slots must fit what the other shards say, of which those with a leader are asked: a log that
 * has lost a hand-over would give slots a second time that another shard has.
 */
async function requireAtRest(
  services: ClusterServices,
  cluster: string,
  map: ShardMap,
  { shard, own, force }: { shard: number; own: SlotState; force: boolean },
): Promise<void> {
  const others = map.shards.map(each => each.shard).filter(other => other !== shard)
  const channel = services.moves(cluster)
  const states = await Promise.all(
    others.map(async other => ({ other, state: (await askMoves(channel, other))?.state })),
  )
  for (const { other, state } of states) {
    const both = intersection(keptBy(own), state === undefined ? [] : keptBy(state))
    if (both.length > 0)
      throw new CommandError(
        `shard ${other} has the slots ${slotsText(both)}, which shard ${shard} has given away since: take the directory of a node that knows of it`,
      )
  }
  if (force) return
  const moves = [
    ...movesOf(shard, own),
    ...states.flatMap(({ other, state }) => movesOf(other, state)).filter(({ from, to }) => [from, to].includes(shard)),
  ]
  for (const { slots, from, to, phase } of moves)
    throw new CommandError(
      `the slots ${slotsText(slots)} are on their way from shard ${from} to shard ${to} (${phase}): let them arrive, or cancel that (xenondb cluster move ${cluster} --cancel --to ${to}); if neither can be, --force recovers, and the move goes on afterwards`,
    )
}

/** Without those that it has frozen: whose they are comes out by itself. */
const keptBy = ({ owned, outgoing }: SlotState): SlotState['owned'] => without(owned, outgoing?.slots ?? [])

const movesOf = (
  shard: number,
  state: SlotState | undefined,
): { slots: SlotState['owned']; from: number; to: number; phase: string }[] => [
  ...(state?.incoming === undefined ? [] : [{ ...state.incoming, to: shard }]),
  ...(state?.outgoing === undefined ? [] : [{ ...state.outgoing, from: shard }]),
]

/** One that an attempt before this has made, and not filled, is left alone. */
async function newLog(
  services: ClusterServices,
  before: LogPlace,
  settings: LogSettings,
): Promise<{ log: SharedLog; generation: number }> {
  for (let generation = before.generation + 1; ; generation++) {
    try {
      return { log: await services.createLog({ ...before, generation }, settings), generation }
    } catch (error) {
      if (!XenonError.is(error, 'XENON_EXISTS')) throw error
    }
  }
}

async function lastOf(services: ClusterServices, place: LogPlace): Promise<number | undefined> {
  try {
    const log = await services.openLog(place)
    try {
      return (await log.bounds()).last
    } finally {
      await log.close()
    }
  } catch (error) {
    if (XenonError.is(error)) return undefined
    throw error
  }
}

const originOf = (nodes: readonly MapNode[], shard: number): { node: number; address: string } => {
  const first = nodes.filter(each => each.shard === shard).sort((a, b) => a.node - b.node)[0]
  return first ?? { node: 1, address: '' }
}

async function switchTo(
  store: ShardMapStore,
  { map, revision }: StoredShardMap,
  shard: number,
  generation: number,
): Promise<void> {
  const shards = map.shards.map(each => (each.shard === shard ? { ...each, generation } : each))
  if ((await store.write({ ...map, shards }, revision)) === undefined)
    throw new CommandError('the map of the cluster was changed meanwhile, and stays as it is; run recover again')
}
