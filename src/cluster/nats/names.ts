/** What things are called in NATS: `<cluster>` as the operator has named it, numbers in decimal. */
import { InvalidArgumentError } from '../../errors.ts'
import type { LogPlace } from '../services.ts'

/** Stream and log: `XENON_shop_0_1`. */
export const logName = ({ cluster, shard, generation }: LogPlace): string =>
  `XENON_${checkedCluster(cluster)}_${shard}_${generation}`

/** The one subject of a stream. */
export const logSubject = ({ cluster, shard, generation }: LogPlace): string =>
  `xenon.log.${checkedCluster(cluster)}.${shard}.${generation}`

/** Bucket of the object store with the snapshots of a log. */
export const snapshotBucket = (place: LogPlace): string => `${logName(place)}_snapshots`

/** Key-value bucket with the map of a cluster, under the one key `MAP_KEY`. */
export const mapBucket = (cluster: string): string => `XENON_${checkedCluster(cluster)}_map`
export const MAP_KEY = 'map'

/** Where the nodes of a shard ask one another. */
export const peersSubject = (cluster: string, shard: number): string =>
  `xenon.peers.${checkedCluster(cluster)}.${shard}`

/** Where a shard is asked about moves of slots. */
export const movesSubject = (cluster: string, shard: number): string =>
  `xenon.moves.${checkedCluster(cluster)}.${shard}`

/** @throws InvalidArgumentError if a cluster cannot be called so. */
export function checkedCluster(cluster: string): string {
  if (!/^[A-Za-z0-9-]{1,64}$/.test(cluster))
    throw new InvalidArgumentError(
      `a cluster is named by 1 to 64 letters, digits and hyphens, not ${JSON.stringify(cluster)}`,
    )
  return cluster
}
