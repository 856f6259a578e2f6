/** What the parts of a node share: its log, its database and its mark. */
import type { Clock } from './clock.ts'
import type { RecordKind } from './commands.ts'
import type { GroupStore } from './group-store.ts'
import type { Mark } from './mark.ts'
import type { Leader, NodeCounts, NodeEvent } from './node-types.ts'
import type { NodeStateName } from './peers.ts'
import type { SharedLog } from './shared-log.ts'
import type { WaitingReads } from './waiting-reads.ts'

/** Options of a node with their defaults. */
export interface Settings {
  readonly node: number
  readonly shard: number
  readonly address: string
  /** D. */
  readonly silenceMs: number
  readonly heartbeatMs: number
  readonly rank: number
  readonly holdMs: number
  readonly groupBytes: number
  readonly newId: () => Uint8Array
}

export interface Replica {
  readonly settings: Settings
  readonly log: SharedLog
  readonly store: GroupStore
  readonly clock: Clock
  readonly reads: WaitingReads
  readonly counts: NodeCounts
  readonly state: NodeStateName
  /** Of what is committed in the store. */
  readonly mark: Mark
  /** The store has committed up to there. */
  setMark(mark: Mark): void
  /** Who leads, as the log says. */
  readonly leader: Leader | undefined
  setLeader(leader: Leader | undefined): void
  /** A message of that node was applied: if its EPOCH record came before this node's start, others know its address. */
  learnLeader(node: number, epoch: number): void
  /** Leaves the state for another one. */
  go(to: NodeStateName, reason: string): void
  emit(event: NodeEvent): void
  /** The message of a record other than EPOCH and TRANSFER was committed or applied. */
  onRecord(record: RecordKind, mark: Mark): void
}
