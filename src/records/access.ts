/**
 * What a transaction sees and locks at its isolation level.
 *
 *   level               reads of a record                       ranges                       writes
 *   read-uncommitted    Inside, no locks: as it stands          as they stand                exclusive locks
 *   read-committed      Committed; Inside for its own           committed now, or its own    exclusive locks
 *   repeatable-read     Inside, shared locks to the end         the records found, locked    exclusive locks
 *   serializable        Inside, shared locks to the end         the whole range, locked      exclusive locks
 *   snapshot            AsOf its beginning; Inside for its own  as of its beginning, or own  exclusive locks, and the
 *                                                                                            record unchanged since
 *
 * All hold their locks to the end (strict two-phase locking). A transaction that only reads takes no locks at all: it
 * sees a snapshot, which is serializable, whatever level it asks for above read-uncommitted.
 */
import { WriteConflictError } from '../errors.ts'
import type { TransactionState } from '../txn/transaction-state.ts'
import type { IsolationLevel, Key } from '../types.ts'
import type { ResolvedRange } from '../values/range.ts'
import type { AsOf } from './as-of.ts'
import type { Committed } from './committed.ts'
import type { Found, Reading } from './found.ts'
import type { Inside } from './inside.ts'
import type { Store } from './store.ts'

/** Where a range is read, until `end` is called or the transaction ends. */
export interface RangeReading {
  readonly from: AsOf | Inside
  end(): void
}

export class Access<V> implements Reading {
  readonly state: TransactionState
  readonly isolation: IsolationLevel
  private readonly store: Store<V>
  private readonly inside: Inside
  /** What it reads of records that it has not changed itself, unless they are read inside, too. */
  private readonly others: Committed | AsOf | undefined
  /** What a snapshot transaction, or one that only reads, sees of others. */
  private readonly view: AsOf | undefined
  private readonly isFirst: boolean
  /** It is a part of a transaction that everything happens in, and sees what everybody sees. */
  private readonly isWithin: boolean
  /** What iterators see that read what is committed, each at its beginning. */
  private readonly rangeViews: Set<AsOf> = new Set()

  /** `first`: of the same transaction in another key space, whose snapshot it shares. */
  constructor(
    store: Store<V>,
    state: TransactionState,
    isolation: IsolationLevel,
    readOnly: boolean,
    first?: Access<unknown>,
    isWithin = false,
  ) {
    this.isWithin = isWithin
    this.store = store
    this.state = state
    this.isolation = isolation
    const onView = isolation === 'snapshot' || (readOnly && isolation !== 'read-uncommitted')
    this.inside = store.inside(state)
    this.isFirst = first === undefined
    this.view = onView ? (first === undefined ? store.asOfNow() : store.asOf(first.view!)) : undefined
    this.others = this.view ?? (isolation === 'read-committed' ? store.committed : undefined)
    if (isWithin) return
    state.locksReads = !onView && (isolation === 'repeatable-read' || isolation === 'serializable')
    state.locksRanges = !onView && isolation === 'serializable'
  }

  /** Of a part of the transaction in which everything happens at the moment. */
  static within<V>(store: Store<V>, state: TransactionState): Access<V> {
    return new Access(store, state, 'read-committed', false, undefined, true)
  }

  /** Lets go of the snapshot, and of those of iterators that were dropped half-way. */
  end(): void {
    if (this.isFirst) this.view?.end()
    for (const view of this.rangeViews) this.endRange(view)
  }

  private endRange(view: AsOf): void {
    if (this.rangeViews.delete(view)) view.end()
  }

  /**
   * What a snapshot sees stays, whatever becomes of the key space; others cannot read one that was dropped.
   * @throws XenonError `XENON_NOT_FOUND`
   */
  requireReadable(): void {
    if (this.view === undefined) this.store.space.requireThere()
  }

  find(key: Key): Found | undefined {
    const { others } = this
    this.requireReadable()
    return others === undefined || (!this.isWithin && this.isOwn(key)) ? this.inside.find(key) : others.find(key)
  }

  put(key: Key, value: V, expiresAt: number): void {
    this.requireUnchanged(key)
    this.store.writer.putIn(this.state, key, value, expiresAt)
  }

  delete(key: Key): boolean {
    this.requireUnchanged(key)
    return this.store.writer.deleteIn(this.state, key)
  }

  changeExpiry(key: Key, expiresAt: number): boolean {
    this.requireUnchanged(key)
    return this.store.writer.changeExpiry(this.state, key, expiresAt)
  }

  /** From a snapshot, or live under this transaction's locks, which it takes here if the level locks ranges. */
  rangeReading(range: ResolvedRange): RangeReading {
    this.requireReadable()
    if (this.view !== undefined || this.isolation === 'read-committed') return this.momentReading()
    this.lockRange(range)
    return { from: this.inside, end: () => {} }
  }

  /** From its snapshot, or from one of now; with its own changes. */
  momentReading(): { readonly from: AsOf; end(): void } {
    const { store, state, view } = this
    if (view !== undefined) return { from: view.withOwn(state), end: () => {} }
    const from = store.asOfNow(state)
    this.rangeViews.add(from)
    return { from, end: () => this.endRange(from) }
  }

  /** The LSN of its snapshot; `Infinity` if it has none. */
  get moment(): number {
    return this.view?.handle.lsn ?? Number.POSITIVE_INFINITY
  }

  /** What stands in the blocks, if the level locks what it reads of them. */
  get lockedReading(): Inside | undefined {
    const { view, isolation, inside } = this
    return view === undefined && (isolation === 'repeatable-read' || isolation === 'serializable') ? inside : undefined
  }

  /** @throws LockConflictError if another open transaction has changed a key of the range. */
  lockRange(range: ResolvedRange): void {
    const { store, state } = this
    store.space.transactions.beforeRangeRead(state, store.space.locks, range)
  }

  /** True if this transaction has changed the key itself. */
  private isOwn(key: Key): boolean {
    const { space } = this.store
    if (this.state.lastLsn === 0) return false
    const { index, view } = space
    index.key.set(key)
    return view.of(this.state).has(index.key.name)
  }

  /**
   * First committer wins: locks the key, and refuses if somebody has changed it since the snapshot began.
   * @throws WriteConflictError; XenonError `XENON_NOT_FOUND` if the key space was dropped.
   */
  private requireUnchanged(key: Key): void {
    const { view, store, state } = this
    store.space.requireThere()
    if (view === undefined || this.isOwn(key)) return
    const { index, transactions } = store.space
    index.key.set(key)
    transactions.beforeChange(state, index.key)
    if (!view.isAsNow(key))
      throw new WriteConflictError(
        'another transaction has changed the key and committed since this one began; roll it back and run it again',
      )
  }
}
