/** The options of `connectCluster`. */
import { type ConnectOptions, type ResolvedConnectOptions, resolveConnectOptions } from '../../client/options.ts'
import { InvalidArgumentError } from '../../errors.ts'
import { milliseconds } from '../../values/checks.ts'
import type { Reads } from './router.ts'
import { placeOf } from './topology.ts'

/** How `connectCluster` reaches a cluster; the rest as for `connect`. */
export interface ClusterConnectOptions<V = string>
  extends Omit<ConnectOptions<V>, 'host' | 'port' | 'socket' | 'reconnect' | 'offlineQueue'> {
  /** `host:port` of some nodes; the others are learned from them. Default `['127.0.0.1:6399']`. */
  nodes?: readonly string[] | undefined
  /**
   * How new what is read must be. `'leader'`: linearizable. `{ maxLag }`: a node that follows answers, unless it lies so
   * many milliseconds behind. `'own-writes'`: one that has at least all that this client has written. Default
   * `'leader'`.
   */
  reads?: Reads | undefined
  /** Milliseconds for which a call is sent again while its slot has no leader. Default 10,000. */
  patience?: number | undefined
}

export interface ResolvedClusterOptions<V> extends ResolvedConnectOptions<V> {
  readonly nodes: readonly string[]
  readonly reads: Reads
  readonly patience: number
}

export function resolveClusterOptions<V>(given: ClusterConnectOptions<V> = {}): ResolvedClusterOptions<V> {
  if (given === null || typeof given !== 'object')
    throw new InvalidArgumentError('the options of connectCluster() must be an object')
  const { nodes = ['127.0.0.1:6399'], reads = 'leader', patience = 10_000, ...others } = given
  for (const option of ['host', 'port', 'socket', 'reconnect', 'offlineQueue'])
    if (option in others) throw new InvalidArgumentError(`connectCluster() has no option '${option}'`)
  if (!Array.isArray(nodes) || nodes.length === 0) throw new InvalidArgumentError("nodes must be a list of 'host:port'")
  for (const node of nodes) requirePlace(node)
  milliseconds('patience', patience)
  if (reads !== 'leader' && reads !== 'own-writes') {
    if (reads === null || typeof reads !== 'object' || Object.keys(reads).join() !== 'maxLag')
      throw new InvalidArgumentError("reads must be 'leader', 'own-writes' or { maxLag: milliseconds }")
    milliseconds('maxLag', reads.maxLag)
  }
  return { ...resolveConnectOptions(others), nodes, reads, patience }
}

function requirePlace(node: unknown): void {
  const { host, port } = typeof node === 'string' ? placeOf(node) : { host: '', port: 0 }
  if (host === '' || !Number.isInteger(port) || port < 1 || port > 65535)
    throw new InvalidArgumentError(`a node is named 'host:port', not ${JSON.stringify(node)}`)
}
