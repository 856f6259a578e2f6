/** One engine transaction of many commands, which a replica's leader executes before the shared log has them. */
import type { Engine } from '../engine/engine.ts'
import { InvalidArgumentError, XenonError } from '../errors.ts'
import { MARK_VERSION, MAX_MARK_BYTES } from '../pager/metadata.ts'
import type { Lsn } from '../pager/place.ts'
import { isBytes } from '../runtime/bytes.ts'
import { requireDone } from '../runtime/callbacks.ts'
import { hasNetChange } from '../txn/net-changes.ts'
import type { SavepointState, TransactionState } from '../txn/transaction-state.ts'
import { AsyncTransaction } from './async-transaction.ts'
import {
  type Applier,
  type Change,
  type ClearRangeChange,
  NOTHING_WHOLESALE,
  type SpacePath,
  writeSetOf,
} from './changes.ts'
import type { Handle } from './handle.ts'
import { busyTransactions } from './sub-spaces.ts'
import type { Transaction } from './transaction.ts'

/** What a group needs of its replica. */
export interface GroupOwner {
  readonly handle: Handle
  readonly applier: Applier
  /** Sweepers of all key spaces that can be found. */
  sweepers(): Iterable<{ removeIn(state: TransactionState, most: number): number }>
  ended(group: Group): void
}

/** One engine transaction of many commands, from `Replica.begin`. */
export class Group {
  private readonly owner: GroupOwner
  private readonly engine: Engine
  private readonly state: TransactionState
  private readonly made: number[] = []
  private readonly cleared: Map<Lsn, ClearRangeChange> = new Map()
  private readonly beganAt: Lsn
  /** Before the last command. */
  private before: SavepointState | undefined

  /** @internal Use `Replica.begin`. */
  constructor(owner: GroupOwner) {
    this.owner = owner
    this.engine = owner.handle.engine
    this.state = this.engine.transactions.begin(true)
    this.beganAt = this.engine.log.endLsn
  }

  /** True once it was committed or rolled back. */
  get ended(): boolean {
    return this.state.ended
  }

  /** False as long as no command has changed anything, or all that did was taken back. */
  get hasChanges(): boolean {
    return this.made.length > 0 || (!this.ended && hasNetChange(this.engine.log, this.state))
  }

  /** Bytes of its log records so far: more than its write set has, 0 as long as there are none. */
  get logBytes(): number {
    return this.state.lastLsn === 0 ? 0 : this.engine.log.endLsn - this.beganAt
  }

  /**
   * Runs a command, synchronously. Everything that it does with the database, its sub-databases and `db.transaction`
   * happens in the group: it sees what commands before it have done, and what it throws takes back its own changes alone,
   * but for sub-databases that it has made. Inside of it `begin`, `drop`, `dropIndex`, `convert` and writes of the async
   * face are refused. Iterators and snapshots that it makes must not be used behind it.
   * @throws whatever `work` throws, after its changes were taken back; LockConflictError among it, if an interactive
   *   transaction holds what it needs.
   */
  run<T>(work: () => T): T {
    this.check()
    const { transactions } = this.engine
    if (transactions.entered !== undefined)
      throw new InvalidArgumentError('run() inside of run(): a command calls no other one')
    const { handle } = this.owner
    this.before = transactions.savepoint(this.state)
    return enter(handle, this.state, () =>
      this.engine.within(this.state, () => {
        const result = work()
        requireDone('run()', result)
        return result
      }),
    )
  }

  /**
   * Takes back what the last command has done, once; as if it had thrown.
   * @throws InvalidArgumentError if no command has run since.
   */
  undoLast(): void {
    this.check()
    const { before } = this
    if (before === undefined) throw new InvalidArgumentError('there is no command to be taken back')
    this.before = undefined
    try {
      this.engine.transactions.rollbackTo(this.state, before)
    } catch (error) {
      throw this.engine.health.fail(error)
    }
  }

  /**
   * Takes in what an interactive transaction of `Replica.interactive` has done, all or nothing; the transaction ends by
   * that, also if it throws.
   * @throws XenonError `XENON_TRANSACTION_ENDED`
   */
  absorb<V, K>(transaction: Transaction<V, K> | AsyncTransaction<V, K>): void {
    this.check()
    const tx = transaction instanceof AsyncTransaction ? transaction.yield() : transaction
    if (tx.ended)
      throw new XenonError('XENON_TRANSACTION_ENDED', 'the transaction was committed or rolled back; begin another one')
    let changes: readonly Change[]
    try {
      changes = writeSetOf(this.engine, tx.state, NOTHING_WHOLESALE)
    } finally {
      tx[Symbol.dispose]()
    }
    this.run(() => this.owner.applier.apply(this.state, changes))
  }

  /** A command of its own, or a part of the one that runs. */
  private part<T>(work: () => T): T {
    const { engine, state } = this
    return engine.transactions.entered === state ? engine.within(state, work) : this.run(work)
  }

  /**
   * Removes the records of a range, as one `clearRange` in the write set, whether their time has passed or not; returns
   * how many there were. A command of its own, or a part of the one that runs.
   */
  clearRange(space: SpacePath, lower: Uint8Array | undefined, upper: Uint8Array | undefined): number {
    return this.part(() => {
      const range: ClearRangeChange = { type: 'clearRange', space: [...space], lower, upper }
      const count = this.owner.applier.clearRange(this.state, range)
      if (count > 0) this.cleared.set(this.state.lastLsn, range)
      return count
    })
  }

  /**
   * Makes changes as another replica has told them, in order: raw records with their flags and time of expiry. A command of
   * its own, or a part of the one that runs.
   */
  apply(changes: Iterable<Change>): void {
    this.part(() => {
      for (const change of changes)
        if (change.type === 'clearRange') this.clearRange(change.space, change.lower, change.upper)
        else this.owner.applier.apply(this.state, [change])
    })
  }

  /**
   * Removes up to `most` records whose time has passed; returns how many. A command of its own, or a part of the one that
   * runs.
   */
  sweep(most: number): number {
    return this.part(() => {
      let removed = 0
      for (const sweeper of this.owner.sweepers()) {
        if (removed >= most) break
        removed += sweeper.removeIn(this.state, most - removed)
      }
      return removed
    })
  }

  /**
   * The net changes so far: of each key what its record is now, in the order in which the keys were changed first, after
   * the sub-databases that were made and the ranges that were cleared. What was rolled back is not in it.
   */
  writeSet(): Change[] {
    this.check()
    return writeSetOf(this.engine, this.state, { made: this.made, cleared: this.cleared })
  }

  /**
   * Commits with the mark, as durable as the database's `durability` says when it returns. Also without changes.
   * @throws InvalidArgumentError for a mark of 0 or more than 64 bytes.
   */
  commit(mark: Uint8Array): void {
    const bytes = checkedMark(mark)
    this.check()
    commitMarked(this.engine, this.state, bytes)
    this.owner.ended(this)
    this.owner.handle.makeDurable()
  }

  /** Takes back everything. */
  rollback(): void {
    this.check()
    this.engine.takeBack(this.state)
    this.owner.ended(this)
    this.unmake()
  }

  /** Sub-databases that it has made: nobody else has heard of them. */
  private unmake(): void {
    const { spaces, transactions, health } = this.engine
    if (health.failure !== undefined || busyTransactions(transactions).length > 0) return
    for (const number of this.made.reverse()) spaces.drop(this.engine.spaceOf(number))
    if (this.made.length === 0) return
    this.owner.handle.endDropped()
    this.owner.handle.reclaiming.schedule()
  }

  /** @internal */
  noteMade(number: number): void {
    this.made.push(number)
  }

  private check(): void {
    const { health } = this.engine
    if (health.attention) this.engine.attend()
    if (this.ended)
      throw new XenonError('XENON_TRANSACTION_ENDED', 'the group was committed or rolled back; begin another one')
  }
}

/** Everything that is read or written meanwhile is in this transaction; nobody is at work in between (G3). */
export const enter = <T>({ engine, together }: Handle, state: TransactionState, work: () => T): T => {
  const { transactions } = engine
  transactions.entered = state
  together.state = state
  try {
    return work()
  } finally {
    transactions.entered = undefined
    together.state = undefined
  }
}

/** One commit record with changes and mark (G1). */
export const commitMarked = (
  { file, metadata, transactions }: Engine,
  state: TransactionState,
  mark: Uint8Array,
): void => {
  file.raiseVersion(metadata, MARK_VERSION)
  transactions.commit(state, mark)
}

/** A copy. @throws InvalidArgumentError */
export const checkedMark = (mark: Uint8Array): Uint8Array => {
  if (!isBytes(mark) || mark.length === 0 || mark.length > MAX_MARK_BYTES)
    throw new InvalidArgumentError(`a mark is a Uint8Array of 1 to ${MAX_MARK_BYTES} bytes`)
  return new Uint8Array(mark)
}
