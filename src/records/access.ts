/**
 * What a transaction sees and locks at its isolation level.
 *
 *   level               reads of a record                       ranges                       writes
 *   read-uncommitted    as it stands                            as they stand                exclusive locks
 *   read-committed      committed, or its own                   committed now, or its own    exclusive locks
 *   repeatable-read     shared locks to the end                 the records found, locked    exclusive locks
 *   serializable        shared locks to the end                 the whole range, locked      exclusive locks
 *   snapshot            as of its beginning, or its own         as of its beginning, or own  exclusive locks, and the
 *                                                                                            record unchanged since
 *
 * All hold their locks to the end (strict two-phase locking). A transaction that only reads takes no locks at all: it
 * sees a snapshot, which is serializable, whatever level it asks for above read-uncommitted.
 */
import { WriteConflictError } from '../errors.ts'
import { latin1 } from '../txn/changed-keys.ts'
import type { TransactionState } from '../txn/transaction-state.ts'
import type { IsolationLevel, Key } from '../types.ts'
import type { ResolvedRange } from '../values/range.ts'
import type { Store, View } from './store.ts'

export class Access<V> {
  readonly state: TransactionState
  readonly isolation: IsolationLevel
  private readonly store: Store<V>
  /** What a snapshot transaction, or one that only reads, sees of others. */
  private readonly view: View | undefined
  /** What iterators see that read what is committed, each at its beginning. */
  private readonly rangeViews: Set<View> = new Set()

  constructor(store: Store<V>, state: TransactionState, isolation: IsolationLevel, readOnly: boolean) {
    this.store = store
    this.state = state
    this.isolation = isolation
    const onView = isolation === 'snapshot' || (readOnly && isolation !== 'read-uncommitted')
    this.view = onView ? store.beginView() : undefined
    state.locksReads = !onView && (isolation === 'repeatable-read' || isolation === 'serializable')
    state.locksRanges = !onView && isolation === 'serializable'
  }

  /** Lets go of the snapshot, and of those of iterators that were dropped half-way. */
  end(): void {
    if (this.view !== undefined) this.store.endView(this.view)
    for (const view of this.rangeViews) this.endRange(view)
  }

  private endRange(view: View): void {
    if (this.rangeViews.delete(view)) this.store.endView(view)
  }

  get(key: Key): V | undefined {
    const { store, state, view } = this
    if (view !== undefined && !this.isOwn(key)) return store.getAt(view, key)
    if (this.isolation === 'read-committed' && !this.isOwn(key)) return store.get(key)
    return store.getIn(state, key)
  }

  has(key: Key): boolean {
    const { store, state, view } = this
    if (view !== undefined && !this.isOwn(key)) return store.hasAt(view, key)
    if (this.isolation === 'read-committed' && !this.isOwn(key)) return store.has(key)
    return store.hasIn(state, key)
  }

  /** When the record expires: 0 if it does not, undefined if there is none. */
  timeOf(key: Key): number | undefined {
    const { store, state, view } = this
    if (view !== undefined && !this.isOwn(key)) return store.timeAt(view, key)
    if (this.isolation === 'read-committed' && !this.isOwn(key)) return store.timeOf(key)
    return store.timeIn(state, key)
  }

  put(key: Key, value: V, ttl: number): void {
    this.requireUnchanged(key)
    this.store.putIn(this.state, key, value, ttl)
  }

  putUntil(key: Key, value: V, expiresAt: number): void {
    this.requireUnchanged(key)
    this.store.putUntilIn(this.state, key, value, expiresAt)
  }

  delete(key: Key): boolean {
    this.requireUnchanged(key)
    return this.store.deleteIn(this.state, key)
  }

  changeExpiry(key: Key, ttl: number): boolean {
    this.requireUnchanged(key)
    return this.store.changeExpiry(this.state, key, ttl)
  }

  changeExpiryTime(key: Key, expiresAt: number): boolean {
    this.requireUnchanged(key)
    return this.store.changeExpiryTime(this.state, key, expiresAt)
  }

  /**
   * How a range is to be read: from a view, until `end` is called or the transaction ends, or live under this
   * transaction's locks.
   */
  rangeView(range: ResolvedRange): { view: View; end: () => void } | undefined {
    const { store, state, view } = this
    if (view !== undefined) return { view: this.withOwn(view), end: () => {} }
    if (this.isolation === 'read-committed') {
      const fresh = store.beginView(state)
      this.rangeViews.add(fresh)
      return { view: fresh, end: () => this.endRange(fresh) }
    }
    store.engine.transactions.beforeRangeRead(state, range)
    return undefined
  }

  /** True if this transaction has changed the key itself. */
  private isOwn(key: Key): boolean {
    const { engine } = this.store
    if (this.state.lastLsn === 0) return false
    const { index, arena, view } = engine
    index.key.set(key)
    return view.of(this.state).has(latin1(arena.u8, index.key.at, index.key.length))
  }

  /** The snapshot with this transaction's own changes in it. */
  private withOwn(view: View): View {
    const { store, state } = this
    if (state.lastLsn === 0) return view
    const changed = store.engine.view.of(state)
    const before = view.before.withOwn(changed, name => store.asNow(() => store.recordNow(name)))
    return { handle: view.handle, before }
  }

  /**
   * First committer wins: locks the key, and refuses if somebody has changed it since the snapshot began.
   * @throws WriteConflictError
   */
  private requireUnchanged(key: Key): void {
    const { view, store } = this
    if (view === undefined || this.isOwn(key)) return
    store.lockForChange(this.state, key)
    if (!store.isAsIn(view, key))
      throw new WriteConflictError(
        'another transaction has changed the key and committed since this one began; roll it back and run it again',
      )
  }
}
