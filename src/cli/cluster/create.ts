/** Makes a cluster: the log of each shard, then the map, with the slots in equal parts. */
import type { ClusterServices, LogSettings } from '../../cluster/services.ts'
import { type MapShard, SLOTS } from '../../cluster/shard-map.ts'
import { XenonError } from '../../errors.ts'
import { CommandError, UsageError } from '../errors.ts'

export interface NewCluster {
  readonly name: string
  readonly shards: number
  readonly settings: LogSettings
}

/** @throws CommandError if there is one of this name, or the servers are not as they must be */
export async function createCluster(services: ClusterServices, cluster: NewCluster): Promise<string[]> {
  const { name, shards, settings } = cluster
  const { problems, warnings } = await services.checkServers()
  if (problems.length > 0) throw new CommandError(problems.join('; '))
  const store = services.shardMap(name)
  if ((await store.read()) !== undefined) throw exists(name)
  for (let shard = 0; shard < shards; shard++) await createLog(services, cluster, shard, settings)
  const map = { shards: Array.from({ length: shards }, (_, shard) => partOf(shard, shards)), nodes: [] }
  if ((await store.write(map, 0)) === undefined) throw exists(name)
  return [...warnings]
}

const exists = (name: string): CommandError => new CommandError(`there is a cluster ${name} already`)

/** One that an attempt before this has made, and nobody has used, does. */
async function createLog(
  services: ClusterServices,
  { name }: NewCluster,
  shard: number,
  settings: LogSettings,
): Promise<void> {
  const place = { cluster: name, shard, generation: 1 }
  try {
    const log = await services.createLog(place, settings)
    await log.close()
  } catch (error) {
    if (!XenonError.is(error, 'XENON_EXISTS')) throw error
    const log = await services.openLog(place)
    const { last } = await log.bounds()
    await log.close()
    if (last > 0) throw new CommandError(`there is a log ${log.name} with ${last} messages, of another cluster ${name}`)
  }
}

const partOf = (shard: number, shards: number): MapShard => ({
  shard,
  generation: 1,
  slots: [{ from: Math.floor((shard * SLOTS) / shards), to: Math.floor(((shard + 1) * SLOTS) / shards) - 1 }],
})

/** A name that NATS takes in those of streams and buckets. */
export function requireClusterName(name: string): string {
  if (!/^[A-Za-z0-9-]{1,32}$/.test(name))
    throw new UsageError(`a cluster is named by 1 to 32 letters, digits and hyphens, not "${name}"`)
  return name
}
