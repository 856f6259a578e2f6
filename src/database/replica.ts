/**
 * A database as one replica of a state machine: somebody else orders the changes (`src/cluster/`, by a shared log), and
 * they come in here as groups or not at all.
 *
 *   const replica = replicaOf(db, { clock })     from here on nobody else writes
 *   const group = replica.begin()                the leader: one engine transaction for many commands
 *   group.run(() => db.put('a', '1'))            a command; what throws is taken back, the others stay
 *   const changes = group.writeSet()             what goes into the shared log
 *   group.commit(mark)                           once it is there; or group.rollback()
 *   replica.apply(changes, mark)                 a follower: the same, in one transaction
 *
 * Invariants
 *  R1  The mark and the changes that it names are one commit record: after a crash there are both, or neither.
 *  R2  While a database is a replica, nothing changes its records but a group and `apply`.
 *  R3  Outside of `run`, nobody sees a change of a group before its commit.
 *  R4  `apply` says what records are, not how they change: applied twice, the state is the same.
 */
import type { Transaction } from './transaction.ts'

/** The most bytes of a mark; the fewest are 1. */
export const MAX_MARK_BYTES = 64

/** Names of a sub-database from the outermost on; the root is `[]`. Equal paths may be equal objects. */
export type SpacePath = readonly string[]

/** What a record is from now on; its bytes as they are stored. */
export interface PutChange {
  readonly type: 'put'
  readonly space: SpacePath
  readonly key: Uint8Array
  /** When it expires, in milliseconds since 1970; 0: never. Also one that has passed. */
  readonly expiresAt: number
  /** How `value` is compressed (bits of `RecordFlag`), 0: not at all. Nothing else of a record's flags is in it. */
  readonly flags: number
  /** The whole value, large ones too. */
  readonly value: Uint8Array
}

/** There is no record of this key from now on. */
export interface DeleteChange {
  readonly type: 'delete'
  readonly space: SpacePath
  readonly key: Uint8Array
}

/** There is no record from `lower` on and below `upper` from now on; undefined: without a bound there. */
export interface ClearRangeChange {
  readonly type: 'clearRange'
  readonly space: SpacePath
  readonly lower: Uint8Array | undefined
  readonly upper: Uint8Array | undefined
}

/** There is such a sub-database from now on. Before it those in which it lies have to be there. */
export interface SubChange {
  readonly type: 'sub'
  readonly space: SpacePath
  readonly keyEncoding: string
  readonly valueEncoding: string
}

export type Change = PutChange | DeleteChange | ClearRangeChange | SubChange

export interface ReplicaOptions {
  /**
   * Milliseconds since 1970, by which it is judged whether a record has expired, and from which `ttl` counts: the later
   * of one's own clock and the time of the last group. Default: the clock of the storage.
   */
  clock?: (() => number) | undefined
}

/**
 * A database as a replica, from `replicaOf(db, options)`, which is called right after `open`. From then on every other
 * write is refused with `XENON_READ_ONLY`: of the database, its sub-databases, their async faces, transactions, `drop`,
 * `convert`. Transactions of others read from a snapshot and lock nothing. Records that have expired count as absent, but
 * only `Group.sweep` removes them. `compact`, `checkpoint` and `backup` go on as ever.
 */
export interface Replica {
  /** That of the last commit that had one, as `db.mark`; undefined: there was none. A copy. */
  readonly mark: Uint8Array | undefined
  /** The group that is open, if there is one. */
  readonly group: Group | undefined
  /** True once `release` was called, or the database closed. */
  readonly ended: boolean

  /**
   * Begins a group: one engine transaction, which may stay open over an `await`.
   * @throws XenonError `XENON_NOT_SUPPORTED` while another group is open; `XENON_CLOSED` after `release`.
   */
  begin(): Group

  /**
   * Applies the changes in order, in one transaction that commits with the mark, as durable as the database's
   * `durability` says when it returns. Nothing of it is there if it throws. No changes: the mark alone.
   * @throws InvalidArgumentError for a mark of 0 or more than 64 bytes, or changes that are none; XenonError
   *   `XENON_NOT_SUPPORTED` while a group is open.
   */
  apply(changes: Iterable<Change>, mark: Uint8Array): void

  /**
   * An interactive transaction, for a client that sends its commands one by one: it sees and locks as `db.begin` does
   * outside of a replica. It does not commit by itself (`XENON_READ_ONLY`): `Group.absorb` takes it into a group.
   */
  transaction<V, K>(begin: () => Transaction<V, K>): Transaction<V, K>

  /**
   * Resolves when no group is open and none will be until `work` has ended: `begin` meanwhile throws
   * `XENON_NOT_SUPPORTED`, and `whenFree` says when to try again. For `db.compact()` and `db.checkpoint()`.
   */
  quietly<T>(work: () => Promise<T>): Promise<T>

  /** Undefined if `begin` may be called now, else a promise of that. */
  whenFree(): Promise<void> | undefined

  /** The database is nobody's replica any more: whoever has it open writes again. Rolls back an open group. */
  release(): void
}

/** One engine transaction of many commands, from `Replica.begin`. */
export interface Group {
  /** True once it was committed or rolled back. */
  readonly ended: boolean
  /** False as long as no command has changed anything. */
  readonly hasChanges: boolean

  /**
   * Runs a command, synchronously. Everything that it does with the database, its sub-databases and `db.transaction`
   * happens in the group: it sees what commands before it have done, and what it throws takes back its own changes alone.
   * Inside of it `begin`, `drop`, `dropIndex`, `convert` and writes of the async face are refused. Iterators that it makes
   * end with it.
   * @throws whatever `work` throws, after its changes were taken back.
   */
  run<T>(work: () => T): T

  /**
   * Takes in what an interactive transaction of `Replica.transaction` has done, which ends by that; all or nothing.
   */
  absorb<V, K>(transaction: Transaction<V, K>): void

  /** Removes the records of a range, as one `clearRange` in the write set. Number of those that were there. */
  clearRange(space: SpacePath, lower: Uint8Array | undefined, upper: Uint8Array | undefined): number

  /** Removes up to `most` records whose time has passed; returns how many. */
  sweep(most: number): number

  /**
   * The net changes so far: of each key what its record is now, in the order in which the keys were changed first, after
   * the sub-databases that were made and the ranges that were cleared. What was rolled back is not in it.
   */
  writeSet(): Change[]

  /**
   * Commits with the mark, as durable as the database's `durability` says when it returns. Also without changes.
   * @throws InvalidArgumentError for a mark of 0 or more than 64 bytes.
   */
  commit(mark: Uint8Array): void

  /** Takes back everything. */
  rollback(): void
}
