/** What moves ask of the database of a node, besides what groups do. `engine-moves.ts` implements it over a `Database`. */
import type { Change } from '../group-store.ts'
import type { SlotSet } from './slot-ranges.ts'

/** Records of slots, in the order of their keys. */
export interface Slice {
  readonly changes: readonly Change[]
  /** The last key; undefined: there is none. */
  readonly last: Uint8Array | undefined
  /** There are no more behind it. */
  readonly isWhole: boolean
}

export interface MoveStore {
  /** As it is committed, also while a group is open. Undefined: there is none. */
  readState(): Uint8Array | undefined
  /** In a command of the node alone: as its group has it. */
  stateInGroup(): Uint8Array | undefined
  /** In a command of the node alone. */
  writeState(state: Uint8Array): void
  /** What is committed: records of slots behind a key, some bytes of them, one at least if there is one. */
  slice(slots: SlotSet, after: Uint8Array | undefined, bytes: number): Slice
  /** In a command of the node alone: makes the changes, which are those of another shard. */
  apply(changes: Iterable<Change>): void
  /** In a command of the node alone: removes up to so many records of slots; whether there are no more. */
  clear(slots: SlotSet, most: number): boolean
}
