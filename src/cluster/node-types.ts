/** What callers of a node see. */
import type { Clock } from './clock.ts'
import type { GroupStore } from './group-store.ts'
import type { Mark } from './mark.ts'
import type { MessageKind } from './message.ts'
import type { NodeStateName, Peers } from './peers.ts'
import type { SharedLog } from './shared-log.ts'

export interface NodeOptions {
  /** Number of this node, unique in the cluster, 1 to 2^32 - 1. */
  readonly node: number
  readonly shard: number
  /** `host:port` that clients reach this node at; the others learn it from the log. */
  readonly address: string
  readonly log: SharedLog
  readonly store: GroupStore
  readonly peers: Peers
  /** Default: the machine's. */
  readonly clock?: Clock
  /** Milliseconds without a message after which another node may take over (D). The same on all nodes; default 2,000. */
  readonly silenceMs?: number
  /** Place among the nodes that may take over: each waits 300 ms longer than the one before. Default 0. */
  readonly rank?: number
  /** Milliseconds for which `execute` and `read` wait for a leader, a lease or an outcome; default 5,000. */
  readonly holdMs?: number
  /** Bytes of changes after which a group takes no further commands; default 512 KiB. */
  readonly groupBytes?: number
  /** Commands that wait to be executed; more are refused with `XENON_FULL`. Default 65,536. */
  readonly queueLength?: number
  /** When snapshots are taken and the log is purged; `false`: never. */
  readonly snapshots?: SnapshotPolicy | false
  /** 16 random bytes; default: of the system. */
  readonly newId?: () => Uint8Array
  readonly onEvent?: (event: NodeEvent) => void
  /** A record of `executeRecord` was committed or applied here. */
  readonly onRecord?: (record: { readonly kind: MessageKind; readonly note: Uint8Array }, mark: Mark) => void
}

export interface SnapshotPolicy {
  /** Messages after the newest verified snapshot, from which on the next one is taken; default 100,000. */
  readonly everyMessages?: number
  /** Share of the log's limit, of bytes or messages, from which on one is taken too; default 0.5. */
  readonly fill?: number
  /** Verified snapshots that are kept; default 2. The log is purged below the oldest of them. */
  readonly keep?: number
}

/** How new what a read sees has to be. */
export type ReadLevel =
  /** Linearizable: on the leader, under a valid lease. */
  | 'leader'
  /** Whatever this node has. */
  | 'stale'
  /** What this node has, if it had all that its log had no longer ago than that many milliseconds. */
  | { readonly maxLagMs: number }
  /** All up to a sequence: `status().sequence` after a write gives a token that covers the write. */
  | { readonly after: number }

export interface Leader {
  readonly node: number
  readonly address: string
  readonly epoch: number
}

export interface NodeStatus {
  readonly node: number
  readonly shard: number
  readonly address: string
  readonly log: string
  readonly state: NodeStateName
  /** Why it is in this state, in words. */
  readonly reason: string
  /** Of the mark. */
  readonly sequence: number
  readonly epoch: number
  /** Messages known to be in the log behind the mark. */
  readonly lag: number
  /** Milliseconds since this node had all that the log had; 0 on the leader. */
  readonly behindMs: number
  /** Who leads as far as this node knows. */
  readonly leader: Leader | undefined
  /** Milliseconds of the lease that are left; 0 without one. */
  readonly leaseLeft: number
  readonly isConnected: boolean
  /** Commands that wait. */
  readonly queued: number
  /** Figures since the start. */
  readonly counts: NodeCounts
}

export interface NodeCounts {
  /** Groups committed as the leader, and commands in them. */
  groups: number
  commands: number
  /** Appends of all kinds, their attempts, and milliseconds from first attempt to outcome. */
  appends: number
  attempts: number
  appendMs: number
  /** Messages applied from the log. */
  applied: number
  /** Groups that were rolled back because another message took their place. */
  superseded: number
  heartbeats: number
  /** Commands that were refused because the log was full. */
  full: number
}

export type NodeEvent =
  | { readonly kind: 'state'; readonly from: NodeStateName; readonly to: NodeStateName; readonly reason: string }
  /** Another leader, or none (undefined): from a message in the log. */
  | { readonly kind: 'leader'; readonly leader: Leader | undefined }
  | { readonly kind: 'connection'; readonly isConnected: boolean }
  | { readonly kind: 'warning'; readonly message: string }
  /** A message of this node's own group was acknowledged and committed. */
  | { readonly kind: 'group'; readonly commands: number; readonly bytes: number; readonly appendMs: number }
  | { readonly kind: 'snapshot'; readonly sequence: number; readonly bytes: number; readonly ms: number }
  | { readonly kind: 'purge'; readonly below: number }

export interface ExecuteOptions {
  /** Milliseconds to wait, instead of `holdMs`. */
  readonly holdMs?: number
}

export interface CommitOptions extends ExecuteOptions {
  /** Throws if the transaction must not be taken in after all; asked when it would be. */
  readonly guard?: () => void
}

/** A member of a shard. `node.ts` implements it. */
export interface ShardNode {
  /** The mark of what is committed here. */
  readonly mark: Mark
  readonly state: NodeStateName
  status(): NodeStatus
  /** Resolves when the node follows or leads; rejects if the log must not be used, or the database is another's. */
  start(): Promise<void>
  /**
   * Executes a command in a group, as the leader. Resolves with its result when the group's message is in the log and
   * committed here; while there is no leader it waits. A command may run more than once; only its last run counts. If it
   * throws, its changes are undone, and the promise rejects with that error.
   * @throws NotLeaderError `XENON_NOT_LEADER`: nothing was executed; `leader` says whom to ask
   * @throws XenonError `XENON_OUTCOME_UNKNOWN`: it was executed, and may or may not become part of the log
   * @throws XenonError `XENON_FULL`: the log is full, or too many commands wait; nothing was executed
   * @throws XenonError `XENON_VALUE_TOO_LARGE`: its changes do not fit into a message; nothing was changed
   * @throws XenonError `XENON_HALTED`: the node has halted; `XENON_CLOSED`: it was stopped
   */
  execute<T>(command: () => T, options?: ExecuteOptions): Promise<T>
  /**
   * Commits an interactive transaction of the store (`BEGIN` … `COMMIT`, under locks of its own): the next group takes it
   * in. It ends, but if this rejects before it was taken in, when its owner rolls it back. Rejects as `execute` does.
   */
  commit(transaction: unknown, options?: CommitOptions): Promise<void>
  /**
   * Executes a command as a record of its own: its message has that kind and note, and `onRecord` of every node hears of
   * it after it was committed or applied.
   */
  executeRecord<T>(kind: MessageKind, note: Uint8Array, command: () => T, options?: ExecuteOptions): Promise<T>
  /** Whether `read` would run at once: a caller may then read the database itself, in the same turn. */
  mayRead(level: ReadLevel): boolean
  /** Runs `work`, which only reads the database, when the level allows it. Rejects as `execute` does. */
  read<T>(level: ReadLevel, work: () => T, options?: ExecuteOptions): Promise<T>
  /**
   * Hands the lead over to another node: resolves when its record is in the log.
   * @throws NotLeaderError if this node does not lead; XenonError `XENON_NOT_READY` if the other one lags or is not there
   */
  transferTo(node: number): Promise<void>
  /** What is executed from now on is executed at that time (milliseconds since 1970) or later: records expire by it. */
  raiseTime(time: number): void
  /** Takes a snapshot now, verifies it and purges the log; resolves with the snapshot's sequence. */
  takeSnapshot(): Promise<number>
  /** Commands that wait are refused; an open group is rolled back, which a later start makes good from the log. */
  stop(): Promise<void>
}
