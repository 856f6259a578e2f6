/** What the engine keeps of a transaction under way: how its log records are labelled and what its end must do. */
import { RecordFlag } from '../log/format.ts'
import type { Block, Lsn } from '../pager/place.ts'
import type { Lock } from './locks.ts'
import type { RangeLocks } from './range-locks.ts'

export class TransactionState {
  readonly id: number
  /** The one-record transaction of a plain put or delete: its record commits itself and is never undone. */
  readonly isAutocommit: boolean
  /** False while there is no other transaction: then no locks are taken. */
  locking: boolean
  lastLsn: Lsn = 0
  /** LSN of the log group with its first record: the log is kept from there on. */
  firstLsn: Lsn = 0
  /** Change of the number of records so far. */
  records = 0
  /** When it began, as `performance.now` tells. A NaN is stored as what comes later, a 0 would not be. */
  began: number = Number.NaN
  /** Chain of large blocks to be freed at the commit: head, tail, length. Linked through the tails. */
  pendingHead: Block = 0
  pendingTail: Block = 0
  pendingBlocks = 0
  ended = false
  /** By its isolation level: reads lock what they read, and whole ranges; its operations can wait for locks. */
  locksReads = true
  locksRanges = true
  waits = false
  /** While rolling back: LSN that a compensation record names as the next to undo, else -1. */
  undoNext: Lsn = -1
  /** Run again after a deadlock: what it reads it will write, so that it locks that at once for both. */
  readsToWrite = false
  /** The lower, the older: the id, or that of its first run. */
  age: number
  /** Numbers of the key spaces beside the root in which it has changed records, or had before it took that back. */
  changedSpaces: Set<number> | undefined
  /** Where it has locked ranges. */
  ranges: Set<RangeLocks> | undefined
  /** The locks that it holds. */
  readonly locks: Lock[] = []

  constructor(id: number, isAutocommit: boolean, locking: boolean) {
    this.id = id
    this.age = id
    this.isAutocommit = isAutocommit
    this.locking = locking
  }

  get recordFlags(): number {
    if (this.isAutocommit) return RecordFlag.commits
    return this.undoNext >= 0 ? RecordFlag.compensation : 0
  }

  get previous(): Lsn {
    return this.undoNext >= 0 ? this.undoNext : this.lastLsn
  }

  get wantsUndo(): boolean {
    return !this.isAutocommit && this.undoNext < 0
  }
}

/** A point inside a transaction to which it can be rolled back. */
export interface SavepointState {
  readonly lsn: Lsn
  readonly records: number
  readonly pendingHead: Block
  readonly pendingTail: Block
  readonly pendingBlocks: number
}
