/** In a cluster: where the keys of a request lie, and whether it may run here. The texts are those of Redis. */
import { slotOf } from '../../cluster/slots.ts'
import type { Arguments } from '../protocol/request.ts'
import { textAt } from '../protocol/request.ts'
import type { Cluster } from '../service/cluster.ts'
import type { Command } from './command.ts'
import { type KeySpec, keyPositions } from './key-specs.ts'
import { slotOfRequest } from './ranges.ts'

export const CROSSSLOT = "CROSSSLOT Keys in request don't hash to the same slot"
const NOT_SERVED = 'CLUSTERDOWN Hash slot not served'

/** Of a command or, if it has some, of the subcommand that the request names. */
const specsOf = (command: Command, request: Arguments): readonly KeySpec[] => {
  if (command.subcommands === undefined || request.count === 1) return command.keys
  const name = `${command.name}|${textAt(request, 1).toLowerCase()}`
  return command.within.find(([each]) => each === name)?.[1].keys ?? []
}

/** The slot of all keys of a request, channels of shards included; undefined: it has none; 'cross': of several slots. */
export const slotOfKeys = (command: Command, request: Arguments): number | 'cross' | undefined => {
  if (command.name === 'range') return slotOfRequest(request)
  const specs = specsOf(command, request)
  if (specs.length === 0) return undefined
  const { source, starts, ends } = request
  let slot: number | undefined
  for (const { index } of keyPositions(specs, request, 0, true) ?? []) {
    const found = slotOf(source, starts[index]!, ends[index]!)
    if (slot !== undefined && slot !== found) return 'cross'
    slot = found
  }
  return slot
}

/** The slot of what MULTI has put off and is to run now. */
export const slotOfQueue = (
  calls: readonly { readonly command: Command; readonly request: Arguments }[],
): number | 'cross' | undefined => {
  let slot: number | undefined
  for (const { command, request } of calls) {
    const found = slotOfKeys(command, request)
    if (found === 'cross' || (found !== undefined && slot !== undefined && found !== slot)) return 'cross'
    slot ??= found
  }
  return slot
}

/**
 * Why a request with keys of this slot is not for this node: another one has it. Undefined: it is, or will be, or its
 * shard has no leader that is known.
 * @param mayFollow a node that follows may answer too
 */
export const redirection = (
  cluster: Cluster,
  slot: number | 'cross' | undefined,
  mayFollow: boolean,
): string | undefined => {
  if (slot === undefined) return undefined
  if (slot === 'cross') return CROSSSLOT
  const shard = cluster.shardOf(slot)
  if (shard === undefined) return NOT_SERVED
  const isHere = shard === cluster.shard && cluster.hasSlot(slot)
  if (isHere && (cluster.isLeader || mayFollow)) return undefined
  // By the map it is this shard's, and by the shard's log it is not: whoever has it will say so.
  if (shard === cluster.shard && !isHere && cluster.isLeader) return NOT_SERVED
  const address = cluster.addressOf(shard)
  if (address !== undefined) return `MOVED ${slot} ${address}`
  return shard === cluster.shard ? undefined : NOT_SERVED
}
