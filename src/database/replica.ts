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
 *  G1  The mark and the changes that it names are one commit record: after a crash there are both, or neither.
 *  G2  While a database is a replica, nothing changes its records but a group and `apply`.
 *  G3  Outside of `run`, nobody sees a change of a group before its commit.
 *  G4  `apply` says what records are, not how they change: applied twice, the state is the same.
 */
import type { Engine } from '../engine/engine.ts'
import { InvalidArgumentError, XenonError } from '../errors.ts'
import { countPassed } from '../records/expiry.ts'
import type { Sweeper } from '../records/sweeper.ts'
import { requireSyncFunction } from '../runtime/callbacks.ts'
import type { TransactionState } from '../txn/transaction-state.ts'
import { requireObject } from '../values/checks.ts'
import { Applier, allOf, type Change, type Root } from './changes.ts'
import type { Database } from './database.ts'
import { checkedMark, commitMarked, enter, Group, type GroupOwner } from './group.ts'
import type { Guard } from './guard.ts'
import type { Handle } from './handle.ts'

export { MAX_MARK_BYTES } from '../pager/metadata.ts'
export type { Change, ClearRangeChange, DeleteChange, PutChange, SpacePath, SubChange } from './changes.ts'
export type { Group } from './group.ts'

export interface ReplicaOptions {
  /**
   * Milliseconds since 1970, by which it is judged whether a record has expired, and from which `ttl` counts: the later
   * of one's own clock and the time of the last group. Default: the clock of the storage.
   */
  clock?: (() => number) | undefined
}

/**
 * Makes a database a replica, right after `open`. From then on every other write is refused with `XENON_READ_ONLY`: of the
 * database, its sub-databases, their async faces, transactions, `drop`, `convert`. Transactions of others read from a
 * snapshot and lock nothing. Records that have expired count as absent, but only `Group.sweep` removes them. `compact`,
 * `checkpoint` and `backup` go on as ever.
 * @throws InvalidArgumentError if it is one already, if it was opened for reading alone, or while a transaction is open.
 */
export const replicaOf = <V, K>(db: Database<V, K>, options: ReplicaOptions = {}): Replica =>
  new Replica(db as Database<unknown, unknown>, options)

/** A database as a replica, from `replicaOf`. */
export class Replica {
  private readonly db: Database<unknown, unknown>
  private readonly handle: Handle
  private readonly engine: Engine
  private readonly root: Root
  private readonly applier: Applier
  private readonly ownClock: () => number
  private readonly guard: ReplicaGuard
  private open: Group | undefined
  private hasEnded = false

  /** @internal Use `replicaOf`. */
  constructor(db: Database<unknown, unknown>, options: ReplicaOptions) {
    const { clock } = requireObject(options)
    if (clock !== undefined) requireSyncFunction('clock', clock)
    db.check()
    const { handle } = db
    const { engine } = handle
    if (handle.readOnly) throw new InvalidArgumentError('a database that was opened with readOnly cannot be a replica')
    if (handle.guard !== undefined) throw new InvalidArgumentError('the database is a replica already')
    if (engine.transactions.open.size > 0)
      throw new InvalidArgumentError('a transaction is open; call replicaOf() right after open()')
    this.db = db
    this.handle = handle
    this.engine = engine
    this.ownClock = engine.clock
    this.guard = new ReplicaGuard(engine, number => this.open?.noteMade(number))
    if (clock !== undefined) engine.clock = clock
    handle.setGuard(this.guard)
    this.root = db.asBytes()
    this.applier = new Applier(this.root)
    db.beforeEnd(() => this.release())
  }

  /** That of the last commit that had one, as `db.mark`; undefined: there was none. A copy. */
  get mark(): Uint8Array | undefined {
    return this.db.mark
  }

  /** The group that is open, if there is one. */
  get group(): Group | undefined {
    return this.open
  }

  /** There may be records whose time has passed: `Group.sweep` finds some. */
  get hasExpired(): boolean {
    const { root, spaces } = this.engine
    return [root, ...spaces.open()].some(space => countPassed(space, 1) > 0)
  }

  /** True once `release` was called, or the database closed. */
  get ended(): boolean {
    return this.hasEnded
  }

  /**
   * Begins a group, which may stay open over an `await`.
   * @throws XenonError `XENON_NOT_SUPPORTED` while another group is open; `XENON_CLOSED` after `release`.
   */
  begin(): Group {
    this.requireFree()
    this.open = new Group(this.forGroup())
    return this.open
  }

  private forGroup(): GroupOwner {
    const { handle, applier } = this
    return {
      handle,
      applier,
      sweepers: () => sweepersOf(this.root),
      ended: group => {
        if (this.open === group) this.open = undefined
      },
    }
  }

  /**
   * Undefined if a group may be begun without keeping maintenance waiting, else a promise of that: `compact` goes on in
   * slices of a few milliseconds, each while no group is open, and gives up after 30 seconds without one. Whoever begins
   * groups one after the other awaits this before each.
   */
  whenFree(): Promise<void> | undefined {
    return this.engine.transactions.quiet.whenHad
  }

  /**
   * What makes an empty database the same as this one: its sub-databases and every record as it stands, whether its time
   * has passed or not. To be read in one go: nothing may be changed, and no group be open, until it has ended.
   */
  everything(): Iterable<Change> {
    this.requireFree()
    return allOf(this.engine)
  }

  /**
   * Applies the changes in order, in one transaction that commits with the mark, as durable as the database's
   * `durability` says when it returns. Nothing of it is there if it throws. No changes: the mark alone. Interactive
   * transactions that are open are rolled back: who applies does not lead.
   * @throws InvalidArgumentError for a mark of 0 or more than 64 bytes, or changes that are none; XenonError
   *   `XENON_NOT_SUPPORTED` while a group is open, `XENON_NOT_FOUND` for a sub-database that nobody has made.
   */
  apply(changes: Iterable<Change>, mark: Uint8Array): void {
    const bytes = checkedMark(mark)
    this.requireFree()
    const { engine, handle } = this
    const { transactions } = engine
    for (const state of this.guard.admitted) if (!state.ended) engine.takeBack(state)
    this.guard.admitted.clear()
    const state = transactions.begin(false)
    try {
      enter(handle, state, () => this.applier.apply(state, changes))
      commitMarked(engine, state, bytes)
    } catch (error) {
      engine.takeBack(state)
      throw error
    }
    handle.makeDurable()
  }

  /**
   * Calls `begin`, such as `() => db.begin()` or `() => db.async.beginNow({})`: a transaction for a client that sends its
   * commands one by one. It sees and locks as one does outside of a replica. What it changes it cannot commit by itself
   * (`XENON_READ_ONLY`): `Group.absorb` takes that into a group.
   */
  interactive<T>(begin: () => T): T {
    this.requireOpen()
    return this.guard.admitting(begin)
  }

  /** The database is nobody's replica any more: whoever has it open writes again. Rolls back an open group. */
  release(): void {
    if (this.hasEnded) return
    this.hasEnded = true
    const { engine, handle } = this
    if (engine.closed) return
    if (this.open !== undefined && !this.open.ended && engine.health.failure === undefined) this.open.rollback()
    this.open = undefined
    for (const state of this.guard.admitted) if (!state.ended) engine.takeBack(state)
    engine.clock = this.ownClock
    handle.setGuard(undefined)
  }

  private requireFree(): void {
    this.requireOpen()
    if (this.open !== undefined)
      throw new XenonError('XENON_NOT_SUPPORTED', 'a group is open; commit it or roll it back first')
  }

  private requireOpen(): void {
    this.db.check()
    if (this.hasEnded) throw new XenonError('XENON_CLOSED', 'the database was released; replicaOf() makes it a replica')
  }
}

/** Lets nobody write but in the transaction that everything happens in at the moment (G2). */
class ReplicaGuard implements Guard {
  /** Interactive transactions that may be open. */
  readonly admitted: Set<TransactionState> = new Set()
  admits = false
  private readonly engine: Engine
  private readonly noteMade: (number: number) => void

  constructor(engine: Engine, noteMade: (number: number) => void) {
    this.engine = engine
    this.noteMade = noteMade
  }

  enter(): TransactionState {
    const { entered } = this.engine.transactions
    if (entered === undefined) throw this.refusal()
    return entered
  }

  refusal(): XenonError {
    return new XenonError(
      'XENON_READ_ONLY',
      'the database is a replica, which changes by its cluster alone; write through the cluster',
    )
  }

  beforeCommit(): void {
    throw new XenonError(
      'XENON_READ_ONLY',
      'an interactive transaction of a replica does not commit by itself; a group absorbs it',
    )
  }

  made(number: number): void {
    this.noteMade(number)
  }

  admitting<T>(begin: () => T): T {
    const { open } = this.engine.transactions
    const before = new Set(open.values())
    this.admits = true
    try {
      return begin()
    } finally {
      this.admits = false
      for (const state of this.admitted) if (state.ended) this.admitted.delete(state)
      for (const state of open.values()) if (!before.has(state)) this.admitted.add(state)
    }
  }
}

function* sweepersOf(outer: Root): Generator<Sweeper> {
  yield outer.sweeper
  for (const name of outer.subs()) {
    const sub = outer.subAsBytes(name)
    if (sub !== undefined) yield* sweepersOf(sub)
  }
}
