/** An explicit transaction over a database: synchronous, all or nothing. */

import { InvalidArgumentError, XenonError } from '../errors.ts'
import { Access } from '../records/access.ts'
import type { Found } from '../records/found.ts'
import { IndexAccess, type IndexStores } from '../records/index-reading.ts'
import { type OpenReader, RangeIterator } from '../records/range-iterator.ts'
import type { IteratorKind, Ranges } from '../records/ranges.ts'
import type { Store } from '../records/store.ts'
import { showAs } from '../runtime/inspecting.ts'
import type { SavepointState, TransactionState } from '../txn/transaction-state.ts'
import type { GivenRange, IsolationLevel, Key, PutOptions } from '../types.ts'
import { requireList } from '../values/checks.ts'
import type { KeyCodec } from '../values/key-codec.ts'
import { type Page, pageRequest, syncPage } from '../values/page.ts'
import { checkedTtl } from '../values/ttl.ts'
import type { Guard } from './guard.ts'

/** A point inside a transaction, from `savepoint()`, to which `rollbackTo` returns. */
export class Savepoint {
  /** @internal */
  readonly state: SavepointState
  /** @internal */
  readonly owner: TransactionState
  /** @internal Its number among the transaction's savepoints. */
  readonly number: number

  /** @internal */
  constructor(owner: TransactionState, state: SavepointState, number: number) {
    this.owner = owner
    this.state = state
    this.number = number
  }
}

/** @internal How a transaction's commit becomes durable: before it returns, or with the others of this turn. */
export interface DurableCommit {
  now(): void
  soon(): Promise<void>
  /** Who had a word in writes when it was begun. */
  readonly guard: Guard | undefined
}

/** @internal What a transaction, or a snapshot, takes of a key space. */
export interface SpaceParts<V> {
  readonly store: Store<V>
  readonly ranges: Ranges<V>
  /** The checked ttl of the options of a put, 0 = none. */
  ttlOf(options: PutOptions): number
}

/** A key space that a transaction can work in: a database, or one of its sub-databases. */
export interface InTransactions<V, K> {
  /** @internal Nothing of it is kept: it tells the types of values and keys. */
  readonly async: { get(key: K): Promise<V | undefined> }
  /** @internal */
  readonly parts: SpaceParts<V>
  /** @internal @throws XenonError if it cannot be used any more. */
  check(): void
}

interface Part {
  readonly begin: SavepointState
  ended: boolean
}

/** What a transaction keeps once for all key spaces that it works in. */
interface Common {
  readonly state: TransactionState
  readonly durable: DurableCommit
  readonly readOnly: boolean
  /** Of a transaction that is a part of another one: where it began. */
  readonly part: Part | undefined
  readonly first: Access<unknown>
  /** By key space: the transaction as it is seen there. */
  readonly members: Map<Store<unknown>['space'], Transaction<unknown, unknown>>
  /** By index: the transaction as it is seen there. */
  readonly indexes: Map<object, IndexAccess<unknown>>
  /** Of each of them. */
  readonly accesses: Access<unknown>[]
  /** Numbers of the savepoints that still stand, ascending. */
  readonly savepoints: number[]
  nextSavepoint: number
}

/** A synchronous transaction, from `begin` or `transact`: all or nothing. It never waits for a lock. */
export class Transaction<V = string, K = string> {
  static {
    showAs('Transaction', Transaction, ({ id, isolation, ended }) => ({ id, isolation, ended }))
  }

  /** @internal */
  readonly state: TransactionState
  private readonly parts: SpaceParts<V>
  private readonly store: Store<V>
  private readonly ranges: Ranges<V>
  private readonly access: Access<V>
  private readonly common: Common

  private constructor(parts: SpaceParts<V>, access: Access<V>, common: Common) {
    this.parts = parts
    this.store = parts.store
    this.ranges = parts.ranges
    this.access = access
    this.common = common
    this.state = common.state
    common.members.set(parts.store.space, this as Transaction<unknown, unknown>)
  }

  /** @internal Use `begin` of the database, or of a sub-database. */
  static begin<V, K>(
    parts: SpaceParts<V>,
    durable: DurableCommit,
    isolation: IsolationLevel,
    readOnly: boolean,
  ): Transaction<V, K> {
    const state = parts.store.space.transactions.begin(true)
    const access = new Access(parts.store, state, isolation, readOnly)
    const first = access as Access<unknown>
    return new Transaction<V, K>(parts, access, { state, durable, readOnly, first, part: undefined, ...fresh(first) })
  }

  /** @internal A part of a transaction in which everything happens at the moment: nobody has to wait for it. */
  static within<V, K>(parts: SpaceParts<V>, state: TransactionState, readOnly: boolean): Transaction<V, K> {
    const access = Access.within(parts.store, state)
    const first = access as Access<unknown>
    const part = { begin: parts.store.space.transactions.savepoint(state), ended: false }
    return new Transaction<V, K>(parts, access, { state, durable: NOTHING, readOnly, first, part, ...fresh(first) })
  }

  /**
   * The same transaction in another key space: the database, or any of its sub-databases. What it does there is
   * committed and rolled back with the rest, whichever of the two says so.
   *
   * `db.transaction(tx => { tx.put('a', '1'); tx.in(users).put('bob', { age: 7 }) })`
   * @throws InvalidArgumentError for a key space of another database.
   * @example tx.in(db.sub('log')).put('1', 'ada has come')
   */
  in<S, T>(space: InTransactions<S, T>): Transaction<S, T> {
    this.check()
    const { common, store } = this
    const parts = (space as Partial<InTransactions<S, T>> | null)?.parts
    if (parts?.store?.space?.transactions !== store.space.transactions)
      throw new InvalidArgumentError('in() takes a sub-database of the same database, or the database itself')
    space.check()
    const known = common.members.get(parts.store.space)
    if (known !== undefined) return known as Transaction<S, T>
    return new Transaction<S, T>(parts, this.accessOf(parts.store), common)
  }

  /** @internal What it sees of an index, of whichever key space. `requireSince`: throws if a snapshot is too old. */
  indexAccess<S>(index: IndexStores<S>, requireSince: (lsn: number) => void): IndexAccess<S> {
    this.check()
    const { indexes, first } = this.common
    const known = indexes.get(index)
    if (known !== undefined) return known as IndexAccess<S>
    if (index.records.space.transactions !== this.store.space.transactions)
      throw new InvalidArgumentError('in() takes a transaction of the database that the index belongs to')
    requireSince(first.moment)
    const access = new IndexAccess(index, this.accessOf(index.records), this.accessOf(index.entries))
    indexes.set(index, access as IndexAccess<unknown>)
    return access
  }

  private accessOf<S>(store: Store<S>): Access<S> {
    const { common, state } = this
    const access =
      common.part === undefined
        ? new Access(store, state, this.isolation, common.readOnly, common.first)
        : Access.within(store, state)
    common.accesses.push(access as Access<unknown>)
    return access
  }

  /** Its number: a later transaction has a higher one. */
  get id(): number {
    return this.state.id
  }

  /** That which it was begun with. */
  get isolation(): IsolationLevel {
    return this.access.isolation
  }

  /** True once it was committed or rolled back. */
  get ended(): boolean {
    return this.state.ended || this.common.part?.ended === true
  }

  /**
   * The value of a key, changes of this transaction included.
   * @throws LockConflictError if another open transaction has changed the key's block.
   * @example const seat = tx.get('seat:1')
   */
  get(key: K | Key): V | undefined {
    return this.store.values.of(this.find(key))
  }

  /**
   * The values of several keys, in their order, as `get` does.
   * @example const [first, second] = tx.getMany(['seat:1', 'seat:2'])
   */
  getMany(keys: readonly (K | Key)[]): (V | undefined)[] {
    return requireList(keys).map(key => this.get(key))
  }

  /**
   * True if there is a record with this key, changes of this transaction included.
   * @example if (!tx.has('seat:1')) tx.put('seat:1', 'ada')
   */
  has(key: K | Key): boolean {
    return this.find(key) !== undefined
  }

  /**
   * Stores a record. If it throws, the transaction is as it was before and still open.
   * @throws LockConflictError if another open transaction has read or changed the key's block.
   * @example tx.put('seat:1', 'ada')
   */
  put(key: K | Key, value: V, options?: PutOptions): void {
    const given = this.changeable(key)
    const { writer } = this.store
    this.access.put(given, value, options === undefined ? 0 : writer.timeAfter(this.parts.ttlOf(options)))
  }

  /**
   * Milliseconds until a record expires: `Infinity` if it never does, `undefined` if there is none.
   * @example const left = tx.ttl('seat:1')
   */
  ttl(key: K | Key): number | undefined {
    return this.find(key)?.ttl
  }

  /**
   * Lets a record expire after `ttl` milliseconds from now; false if there is none.
   * @example tx.expire('seat:1', 60_000)
   */
  expire(key: K | Key, ttl: number): boolean {
    const given = this.changeable(key)
    return this.access.changeExpiry(given, this.store.writer.timeAfter(this.parts.ttlOf({ ttl: checkedTtl(ttl) })))
  }

  /**
   * Lets a record stay that was to expire; false if there is none that was.
   * @example tx.persist('seat:1')
   */
  persist(key: K | Key): boolean {
    return this.access.changeExpiry(this.changeable(key), 0)
  }

  /** @internal When the record expires, in milliseconds since 1970: 0 if it does not, undefined if there is none. */
  timeOf(key: K | Key): number | undefined {
    return this.find(key)?.expiresAt
  }

  /** @internal Stores a record with its exact time of expiry, 0 = never. */
  putUntil(key: K | Key, value: V, expiresAt: number): void {
    this.access.put(this.changeable(key), value, expiresAt)
  }

  /** @internal Gives the record another time of expiry, 0 = never; false if nothing changes. */
  changeExpiryTime(key: K | Key, expiresAt: number): boolean {
    return this.access.changeExpiry(this.changeable(key), expiresAt)
  }

  /**
   * The keys of a range, in order, changes of this transaction included; the range is locked, so that it stays the
   * same for this transaction. Changes that it makes itself while it iterates may be seen.
   * @throws LockConflictError if another open transaction has changed a key of the range.
   * @example for (const key of tx.keys('seat:')) console.log(key)
   */
  keys(range?: GivenRange<K>): RangeIterator<K, V, K> {
    return new RangeIterator(this.reader(range, 'keys'), 'keys')
  }

  /**
   * The values of a range, as `keys` says.
   * @example const all = [...tx.values('seat:')]
   */
  values(range?: GivenRange<K>): RangeIterator<V, V, K> {
    return new RangeIterator(this.reader(range, 'values'), 'values')
  }

  /**
   * The records of a range, as `keys` says.
   * @example for (const [key, value] of tx.entries('seat:')) console.log(key, value)
   */
  entries(range?: GivenRange<K>): RangeIterator<[K, V], V, K> {
    return new RangeIterator(this.reader(range, 'entries'), 'entries')
  }

  /**
   * Some records of a range, and a cursor for those behind them, as that of `db` does.
   * @example const { entries, cursor } = tx.page('post:', 20)
   */
  page(range: GivenRange<K> | undefined, size: number, cursor?: string): Page<V, K> {
    const request = pageRequest<V, K>(range, size, cursor, this.codec)
    return syncPage(
      request,
      given => this.entries(given),
      key => this.has(key),
    )
  }

  /** @internal */
  get codec(): KeyCodec {
    return this.store.keys
  }

  /** @internal An asynchronous transaction reads on after a wait. */
  reader(range: GivenRange<K> | undefined, kind: IteratorKind): OpenReader<V, K> {
    this.check()
    return this.ranges.inside(this.access, range, kind, () => {
      this.check()
      this.access.requireReadable()
    })
  }

  /**
   * Number of records in a range, which is locked as for `keys`.
   * @example const taken = tx.count('seat:')
   */
  count(range?: GivenRange<K>): number {
    this.check()
    return this.ranges.countInside(this.access, range)
  }

  /**
   * Removes the records of a range. If it throws, none is.
   * @example tx.clear('seat:')
   */
  clear(range?: GivenRange<K>): void {
    this.checkWritable()
    const { transactions, health } = this.store.space
    const before = transactions.savepoint(this.state)
    try {
      this.ranges.clearInside(this.access, range)
    } catch (error) {
      if (health.failure === undefined && !this.ended) transactions.rollbackTo(this.state, before)
      throw error
    }
  }

  /**
   * Removes a record; true if it was there.
   * @example const wasThere = tx.delete('seat:1')
   */
  delete(key: K | Key): boolean {
    return this.access.delete(this.changeable(key))
  }

  /**
   * A point to which `rollbackTo` returns.
   * @example const before = tx.savepoint()
   */
  savepoint(): Savepoint {
    this.check()
    const number = this.common.nextSavepoint++
    this.common.savepoints.push(number)
    return new Savepoint(this.state, this.store.space.transactions.savepoint(this.state), number)
  }

  /**
   * Takes back everything since the savepoint, which stays; later savepoints are gone.
   * @example
   * const before = tx.savepoint()
   * tx.put('seat:1', 'ada')
   * tx.rollbackTo(before)
   */
  rollbackTo(savepoint: Savepoint): void {
    this.check()
    if (!(savepoint instanceof Savepoint) || savepoint.owner !== this.state)
      throw new InvalidArgumentError('this savepoint does not belong to this transaction')
    const { savepoints } = this.common
    const index = savepoints.indexOf(savepoint.number)
    if (index < 0)
      throw new InvalidArgumentError('this savepoint is gone: an earlier one was rolled back to after it was made')
    savepoints.length = index + 1
    this.store.space.transactions.rollbackTo(this.state, savepoint.state)
  }

  /**
   * Makes all changes permanent, as durable as the database's `durability` says, when it returns.
   * @example tx.commit()
   */
  commit(): void {
    this.check()
    if (this.finish()) this.common.durable.now()
  }

  /**
   * @internal For an asynchronous transaction: visible at once, durable when the promise resolves. All commits of one
   * turn of the event loop share a write and an fdatasync.
   */
  async commitSoon(): Promise<void> {
    this.check()
    if (this.finish()) await this.common.durable.soon()
  }

  /** Commits; true if there was something to be made durable. */
  private finish(): boolean {
    const { durable, part } = this.common
    const wrote = part === undefined && this.state.lastLsn !== 0
    if (wrote) durable.guard?.beforeCommit()
    if (part === undefined) this.store.space.transactions.commit(this.state)
    else part.ended = true
    this.endAccesses()
    return wrote
  }

  /**
   * Takes back everything.
   * @example tx.rollback()
   */
  rollback(): void {
    this.check()
    const { transactions } = this.store.space
    const { part } = this.common
    if (part === undefined) transactions.rollback(this.state)
    else {
      transactions.rollbackTo(this.state, part.begin)
      part.ended = true
    }
    this.endAccesses()
  }

  /** Rolls back if the transaction is still open; if that fails, the handle has failed, since nobody can try again. */
  [Symbol.dispose](): void {
    const { space } = this.store
    if (this.ended || space.closed) return
    if (space.health.failure === undefined) this.check()
    if (this.common.part === undefined) space.takeBack(this.state)
    else if (space.health.failure === undefined) this.takeBackPart(this.common.part)
    this.endAccesses()
  }

  private takeBackPart(part: Part): void {
    const { transactions, health } = this.store.space
    part.ended = true
    try {
      transactions.rollbackTo(this.state, part.begin)
    } catch (error) {
      health.fail(error)
    }
  }

  /** Keys are turned over first: getters of a tuple may do anything, even end the transaction. */
  private find(key: K | Key): Found | undefined {
    const given = this.store.keys.given(key)
    this.check()
    return this.access.find(given)
  }

  private changeable(key: K | Key): Key {
    const given = this.store.keys.given(key)
    this.checkWritable()
    return given
  }

  private endAccesses(): void {
    for (const access of this.common.accesses) access.end()
  }

  /** @internal */
  check(): void {
    const { space } = this.store
    if (this.state.ended || this.common.part?.ended === true)
      throw new XenonError('XENON_TRANSACTION_ENDED', 'the transaction was committed or rolled back; begin another one')
    if (space.health.attention) space.attend()
  }

  private checkWritable(): void {
    this.check()
    const { readOnly, durable } = this.common
    if (!readOnly) return
    if (durable.guard !== undefined) throw durable.guard.refusal()
    throw new XenonError('XENON_READ_ONLY', 'the transaction was begun with readOnly; begin one without it to write')
  }
}

const fresh = (
  first: Access<unknown>,
): Pick<Common, 'members' | 'indexes' | 'accesses' | 'savepoints' | 'nextSavepoint'> => ({
  members: new Map(),
  indexes: new Map(),
  accesses: [first],
  savepoints: [],
  nextSavepoint: 1,
})

/** A part of a transaction is as durable as that will be. */
const NOTHING: DurableCommit = { now: () => {}, soon: () => Promise.resolve(), guard: undefined }
