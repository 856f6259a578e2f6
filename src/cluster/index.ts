/**
 * xenondb/cluster: a client of a cluster of servers (`xenondb serve --cluster`), and the changes in its logs. NATS is
 * loaded for the latter alone.
 */
import { Values } from '../client/values.ts'
import type { BuiltInEncoding, Encoded, KeyEncoding, KeyOf, TupleKey, ValueOf } from '../types.ts'
import { ClusterClient } from './client/client.ts'
import { type ClusterConnectOptions, resolveClusterOptions } from './client/options.ts'
import { Router } from './client/router.ts'
import { type Greeting, Topology } from './client/topology.ts'

interface Texts {
  valueEncoding?: 'utf8' | undefined
  keyEncoding?: 'utf8' | undefined
}

/** The types of values and keys follow from the options, as those of `connect` do. */
interface ConnectCluster {
  (options?: ClusterConnectOptions & Texts): Promise<ClusterClient>
  <E extends BuiltInEncoding = 'utf8', KE extends KeyEncoding = 'utf8'>(
    options?: ClusterConnectOptions<ValueOf<E>> & { valueEncoding?: E | undefined; keyEncoding?: KE | undefined },
  ): Promise<ClusterClient<ValueOf<E>, KeyOf<KE>>>
  <V>(options: ClusterConnectOptions<V> & Encoded<V> & { keyEncoding: 'binary' }): Promise<ClusterClient<V, Uint8Array>>
  <V, K extends TupleKey = TupleKey>(
    options: ClusterConnectOptions<V> & Encoded<V> & { keyEncoding: 'tuple' },
  ): Promise<ClusterClient<V, K>>
  <V>(options: ClusterConnectOptions<V> & Encoded<V> & { keyEncoding?: 'utf8' | undefined }): Promise<ClusterClient<V>>
}

/**
 * Connects to a cluster: `const cluster = await connectCluster({ nodes: ['10.0.0.1:6399', '10.0.0.2:6399'] })`.
 * @throws XenonError `XENON_CONNECTION` if none of the nodes answers, `XENON_SERVER` with a node's own words if it
 *   refuses.
 * @example const cluster = await connectCluster({ nodes: ['10.0.0.1:6399', '10.0.0.2:6399'] })
 */
export const connectCluster: ConnectCluster = async <V, K>(
  options: ClusterConnectOptions<V> = {},
): Promise<ClusterClient<V, K>> => {
  const { nodes, reads, patience, link, transactionConnections, valueEncoding, keys } = resolveClusterOptions(options)
  const greeting: Greeting = typeof reads === 'object' ? [['READONLY'], ['XMAXLAG', reads.maxLag]] : [['READONLY']]
  const topology = new Topology(nodes, { ...link, pushesLockWaits: false }, greeting, transactionConnections)
  const router = new Router(topology, { reads, patience })
  try {
    await topology.refresh()
  } catch (error) {
    await topology.close()
    throw error
  }
  return new ClusterClient<V, K>({ router, link, valueEncoding, codec: new Values<V>(valueEncoding, keys) })
}

export {
  type ChangesOptions,
  type CommittedChange,
  type CommittedGroup,
  changes,
  type FollowOptions,
  type KeyPlace,
  type MovedSlots,
} from './changes.ts'
export { ClusterClient } from './client/client.ts'
export type { ClusterConnectOptions } from './client/options.ts'
export type { Reads } from './client/router.ts'
export { SlotStore } from './client/slot-store.ts'
export type { NatsCredentials, NatsOptions, NatsTls } from './services.ts'
export { slotOf } from './slots.ts'
