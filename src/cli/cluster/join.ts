/** A node takes its place in the map of its cluster. */
import type { MapNode, ShardMap, ShardMapStore, StoredShardMap } from '../../cluster/shard-map.ts'
import { CommandError } from '../errors.ts'

export interface Place {
  readonly node: number
  /** Of the log of its shard. */
  readonly generation: number
  /** How many nodes of the shard stand before it. */
  readonly rank: number
  /** It was not in the map before. */
  readonly isNew: boolean
}

const ATTEMPTS = 50

/**
 * The number of the node at this address: the one that it had before, or the next free one, which is written down.
 * @param requireFit is told the generation of the shard's log before, and throws if the node cannot follow that
 * @throws CommandError if there is no such cluster or shard
 */
export async function enterMap(
  store: ShardMapStore,
  cluster: string,
  { shard, address }: Omit<MapNode, 'node'>,
  requireFit: (generation: number) => void,
): Promise<Place> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const stored = await store.read()
    if (stored === undefined)
      throw new CommandError(`there is no cluster ${cluster}; xenondb cluster create ${cluster} makes one`)
    const found = stored.map.shards.find(each => each.shard === shard)
    if (found === undefined) {
      const known = stored.map.shards.map(each => each.shard).join(', ')
      throw new CommandError(`the cluster ${cluster} has no shard ${shard}; it has ${known}`)
    }
    requireFit(found.generation)
    const known = await placeIn(store, stored, { shard, address })
    if (known === undefined) continue
    const before = known.nodes.filter(each => each.shard === shard).sort((a, b) => a.node - b.node)
    const rank = before.findIndex(each => each.address === address)
    return { node: before[rank]!.node, generation: found.generation, rank, isNew: known !== stored.map }
  }
  throw new CommandError(`the map of the cluster ${cluster} changes all the time; try again`)
}

/** Takes a node out of the map. False: there is none of this number. */
export async function leaveMap(store: ShardMapStore, node: number): Promise<boolean> {
  for (;;) {
    const stored = await store.read()
    const nodes = stored?.map.nodes.filter(each => each.node !== node)
    if (stored === undefined || nodes!.length === stored.map.nodes.length) return false
    if ((await store.write({ ...stored.map, nodes: nodes! }, stored.revision)) !== undefined) return true
  }
}

/** The map with the node in it; undefined: somebody else has changed it meanwhile. */
async function placeIn(
  store: ShardMapStore,
  { map, revision }: StoredShardMap,
  { shard, address }: Omit<MapNode, 'node'>,
): Promise<ShardMap | undefined> {
  const known = map.nodes.find(each => each.address === address)
  if (known !== undefined && known.shard !== shard)
    throw new CommandError(
      `${address} is node ${known.node} of shard ${known.shard}; xenondb cluster remove takes it out of the map`,
    )
  if (known !== undefined) return map
  const node = Math.max(0, ...map.nodes.map(each => each.node)) + 1
  const changed = { ...map, nodes: [...map.nodes, { node, shard, address }] }
  return (await store.write(changed, revision)) === undefined ? undefined : changed
}
