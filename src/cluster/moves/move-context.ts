/** What source and target share: who they are, and how they write to their log and ask other shards. */
import type { Clock } from '../clock.ts'
import type { MessageKind } from '../message.ts'
import type { ShardNode } from '../node-types.ts'
import type { SharedLog } from '../shared-log.ts'
import type { Answers, MoveChannel, Paper, Question } from './move-channel.ts'
import type { MoveNote } from './move-note.ts'
import type { MoveStore } from './move-store.ts'
import type { ShardSlots } from './shard-slots.ts'
import type { SlotSet } from './slot-ranges.ts'
import type { IncomingMove, OutgoingMove, SlotState } from './slot-state.ts'

export interface MoverOptions {
  readonly node: ShardNode
  /** Number of the node and of its shard. */
  readonly self: number
  readonly shard: number
  readonly slots: ShardSlots
  readonly store: MoveStore
  readonly channel: MoveChannel
  readonly clock: Clock
  /** The log of another shard. */
  readonly openLog: (shard: number) => Promise<SharedLog>
  /** Slots that the map has for the shard: they are its own as long as it has no state. */
  readonly mapped: () => SlotSet
}

export interface MoveContext {
  readonly options: MoverOptions
  /** Of the target: messages of the source's log that are yet to be read. */
  pending: number | undefined
  readonly incoming: IncomingMove | undefined
  readonly outgoing: OutgoingMove | undefined
  /** The state as it is committed. */
  readonly state: SlotState
  /** A record that changes the state, and what `change` changes besides: one message, one commit. */
  record(kind: MessageKind, note: MoveNote, change: (state: SlotState) => SlotState): Promise<void>
  ask<K extends Question['ask']>(shard: number, question: Extract<Question, { ask: K }>): Promise<Paper<Answers[K]>>
  /** What is so by the log of this shard, whoever else may believe that it leads. */
  read<T>(work: () => T): Promise<T>
  /** For a moment, or until something has changed. */
  pause(): Promise<void>
}
