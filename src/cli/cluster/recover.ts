/** `xenondb cluster recover`: a new log for a shard whose log is lost, or is not the one that its nodes have followed. */
import { type Mark, NO_MARK } from '../../cluster/mark.ts'
import { logName } from '../../cluster/nats/names.ts'
import type { ClusterServices, LogPlace, LogSettings } from '../../cluster/services.ts'
import type { MapNode, ShardMapStore, StoredShardMap } from '../../cluster/shard-map.ts'
import type { SharedLog } from '../../cluster/shared-log.ts'
import { XenonError } from '../../errors.ts'
import { openBytes } from '../database.ts'
import { CommandError } from '../errors.ts'

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
 * @throws CommandError if the directory is of another shard, or the map has changed meanwhile
 */
export async function recoverShard(
  services: ClusterServices,
  cluster: string,
  stored: StoredShardMap,
  shard: number,
  directory: string,
  settings: LogSettings,
): Promise<Recovered> {
  const { generation } = stored.map.shards.find(each => each.shard === shard)!
  const before: LogPlace = { cluster, shard, generation }
  // Only here: no other command should wait until all of this is loaded.
  const [{ replicaOf }, { decodeMark }, { fillLog }] = await Promise.all([
    import('../../database/replica.ts'),
    import('../../cluster/mark.ts'),
    import('../../cluster/new-generation.ts'),
  ])
  const db = openBytes(directory, { createIfMissing: false, keepsRecords: true })
  try {
    const mark = decodeMark(db.mark, logName(before))
    if (mark.sequence === NO_MARK.sequence)
      throw new CommandError(`${directory} has applied nothing of the log ${logName(before)}`)
    const records = db.count()
    const lastBefore = await lastOf(services, before)
    const next = await newLog(services, before, settings)
    try {
      const replica = replicaOf(db)
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
