/**
 * What the nodes of a shard ask one another. Who carries it is another's matter (`nats/` does, by requests). Nothing here
 * decides who leads: the log does. A peer that answers can only hold a candidate back.
 */

/** What a node says of itself. */
export interface PeerReport {
  /** Number of the node, unique in the cluster. */
  readonly node: number
  /** `host:port` that clients reach it at. */
  readonly address: string
  readonly shard: number
  readonly state: NodeStateName
  /** Sequence and epoch of its mark. */
  readonly sequence: number
  readonly epoch: number
  /** Milliseconds of its lease that are left; 0 without one. */
  readonly leaseLeft: number
  /** Messages that it knows to be behind. */
  readonly lag: number
}

export type NodeStateName =
  | 'start'
  | 'check'
  | 'restore'
  | 'follow'
  | 'candidate'
  | 'lead'
  | 'suspect'
  | 'halted'
  | 'stopped'

export interface Peers {
  /** Asks all other nodes of this node's shard; resolves within `ms` with the answers there are. Never rejects. */
  ask(ms: number): Promise<PeerReport[]>
  /** From now on answers others by `report`; the result stops that. */
  answer(report: () => PeerReport): () => void
}
