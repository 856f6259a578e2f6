/**
 * The state machine's side of a node: what it asks of the database. `engine-store.ts` implements it over a `Database`,
 * the simulator over a map. Synchronous where the node's loop is: what must happen in one go does.
 *
 * Who owns what: the group loop (as the leader) and `apply` (as a follower) are the only ones that write; a store refuses
 * everybody else (X11). Reads of the caller go past the node, to the database itself: they see what is committed, never
 * the open group.
 */
import type { Change, SpacePath } from '../database/changes.ts'

/** Whole records, never deltas, so that to apply a change twice is to apply it once (X8). */
export type { Change, SpacePath }

/** The one transaction in which a leader executes the commands of a group. */
export interface OpenGroup {
  /**
   * Executes a command under a savepoint of its own. If it throws, its changes are undone, those of the commands before
   * it stay, and the error is passed on.
   */
  run<T>(command: () => T): T
  /**
   * Takes in what an interactive transaction of the store has done, as one command: all or nothing. The transaction ends.
   */
  absorb(transaction: unknown): void
  /** Removes up to so many records that have expired; returns how many. They are in `changes` like any other. */
  sweep(most: number): number
  /** About the bytes that the net changes so far would take in a message. */
  readonly size: number
  /** Net changes in an order in which they can be applied. The arrays are valid until the group ends. */
  changes(): Iterable<Change>
  /** Whether anything has changed. */
  readonly hasChanges: boolean
  /** Commits the changes and the mark together, in one commit (X3). */
  commit(mark: Uint8Array): void
  /** Undoes everything: the database is as its mark says. */
  rollback(): void
}

export interface StoreSnapshot {
  /** The mark of the state that `content` holds. */
  readonly mark: Uint8Array
  readonly content: AsyncIterable<Uint8Array>
  /** Gives up what the snapshot held back; to be called once, whatever happened. */
  release(): void
}

export interface GroupStore {
  /** The mark of the last commit, undefined if there was none. Durable as the database's `durability` says. */
  readonly mark: Uint8Array | undefined
  /**
   * What tells the store the time (milliseconds since 1970) by which records expire; the node sets it before anything
   * else, and the store asks it at each judgement (X10).
   */
  setTime(now: () => number): void
  /** Begins a group; there is none open. */
  begin(): OpenGroup
  /**
   * A promise if work of the database's own waits for a moment without a group, and must have it before the next one.
   */
  whenFree(): Promise<void> | undefined
  /**
   * Applies the changes of a message from the log, and its mark, in one commit (X3). No group is open. Interactive
   * transactions that are open end: who applies does not lead.
   */
  apply(changes: Iterable<Change>, mark: Uint8Array): void
  /** A consistent state beside the work that goes on. */
  snapshot(): Promise<StoreSnapshot>
  /**
   * Replaces everything by a snapshot's content and mark. A crash leaves the state before or the one after; if the content
   * is not sound, or its mark not the given one, it rejects, and nothing has changed.
   */
  restore(content: AsyncIterable<Uint8Array>, mark: Uint8Array): Promise<void>
  /** Restores a snapshot aside and checks it, then drops it; rejects if it is not sound or its mark not the given one. */
  verifySnapshot(content: AsyncIterable<Uint8Array>, mark: Uint8Array): Promise<void>
}
