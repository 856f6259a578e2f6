/**
 * A key space: the synchronous key-value API over its records. The root's is the database itself (`database.ts`); others
 * lie in it by name (`sub.ts`).
 */
import type { Space } from '../engine/space.ts'
import { InvalidArgumentError, XenonError } from '../errors.ts'
import { KEYS_AHEAD, LOOK_AHEAD_FROM } from '../hash/keys-ahead.ts'
import { Records } from '../records/bulk.ts'
import { RangeCursor, type RangeIterator } from '../records/range-iterator.ts'
import { Ranges } from '../records/ranges.ts'
import { Store } from '../records/store.ts'
import { Sweeper } from '../records/sweeper.ts'
import { requireDone, requireSyncFunction } from '../runtime/callbacks.ts'
import type { TransactionState } from '../txn/transaction-state.ts'
import type {
  BatchOperation,
  Entry,
  GivenRange,
  Key,
  PutOptions,
  TransactionOptions,
  TupleKey,
  WatchOptions,
} from '../types.ts'
import { readBatch } from '../values/batch.ts'
import { checkedTransaction, requireList } from '../values/checks.ts'
import { Compression } from '../values/compression.ts'
import { BINARY_KEYS } from '../values/key-codec.ts'
import { type Page, pageRequest, syncPage } from '../values/page.ts'
import { checkedTtl } from '../values/ttl.ts'
import { checkedWatch, type Watcher } from '../values/watcher.ts'
import { AsyncDatabase } from './async-store.ts'
import { Clearing } from './clearing.ts'
import { Cursor } from './cursor.ts'
import type { FoundIndex } from './found-index.ts'
import type { Handle } from './handle.ts'
import { IndexSpaces } from './index-spaces.ts'
import { type KeyListener, KeyObserver } from './key-observer.ts'
import type { Encodings, SubOptions } from './options.ts'
import { Snapshot } from './snapshot.ts'
import { SpaceChanges } from './space-changes.ts'
import { busyTransactions } from './sub-spaces.ts'
import { type SpaceParts, Transaction } from './transaction.ts'
import { Watching } from './watching.ts'

export abstract class KeySpace<V = string, K = string> {
  /** The same records with promises: what meets a lock waits for it, and commits share their fdatasync. */
  readonly async: AsyncDatabase<V, K>
  /** @internal */
  readonly handle: Handle
  protected readonly encodings: Encodings<V>
  /** @internal */
  readonly space: Space
  /** @internal */
  readonly store: Store<V>
  /** @internal */
  readonly ranges: Ranges<V>
  /** @internal */
  readonly parts: SpaceParts<V>
  protected readonly indexSpaces: IndexSpaces<V, K>
  private readonly changes: SpaceChanges<V, K>
  private readonly clearing: Clearing<V, K>
  /** @internal */
  readonly sweeper: Sweeper
  protected readonly watching: Watching<V, K>
  private cursorOfItsOwn: Cursor<V, K> | undefined

  /** @internal */
  constructor(handle: Handle, space: Space, encodings: Encodings<V>) {
    this.handle = handle
    this.encodings = {
      keys: encodings.keys,
      valueEncoding: encodings.valueEncoding,
      compression: encodings.compression,
    }
    this.space = space
    this.store = new Store(
      space,
      encodings.valueEncoding,
      new Compression(encodings.compression, handle.storage.deflate),
      encodings.keys,
    )
    this.indexSpaces = new IndexSpaces(handle, this.store)
    this.ranges = new Ranges(this.store, handle.directory)
    this.changes = new SpaceChanges(this.store)
    this.clearing = new Clearing(handle, this.store, this.ranges, this.indexSpaces)
    this.parts = { store: this.store, ranges: this.ranges, ttlOf: given => this.ttlOf(given) }
    this.watching = new Watching(this.store, handle.publishers)
    this.sweeper = new Sweeper(space, this.store.writer, () => handle.write())
    handle.sweepers.add(this.sweeper)
    if (handle.guard === undefined) this.sweeper.begin()
    this.async = new AsyncDatabase<V, K>(this, {
      store: this.store,
      lockTimeout: handle.lockTimeout,
      check: () => this.check(),
      checkWritable: () => this.checkUnguarded(),
      ttlOf: given => this.ttlOf(given),
      apply: changes => this.changes.apply(changes),
      changeExpiry: (key, ttl) => this.changes.changeExpiry(key, ttl),
      clear: range => this.clearing.now(range),
      clearInside: tx => this.clearing.records(key => tx.delete(key)),
      foundIndex: name => this.foundIndex(name),
      durableSoon: () => handle.durableSoon(),
    })
  }

  /**
   * The value of a key, or `undefined`.
   * @example const name = db.get('ada')
   */
  get(key: K | Key): V | undefined {
    const given = this.store.keys.given(key)
    this.check()
    return this.store.values.of(this.store.committed.find(given))
  }

  /**
   * The values of several keys, in their order.
   * @example const [ada, alan] = db.getMany(['ada', 'alan'])
   */
  getMany(keys: readonly (K | Key)[]): (V | undefined)[] {
    const wanted = this.store.keys.allGiven(requireList(keys))
    this.check()
    const { values, committed, space } = this.store
    const { keysAhead } = space
    const looksAhead = wanted.length >= LOOK_AHEAD_FROM
    try {
      return wanted.map((key, i) => {
        if (looksAhead && i % KEYS_AHEAD === 0) keysAhead.load(space, wanted, i)
        return values.of(committed.find(key))
      })
    } finally {
      keysAhead.clear()
    }
  }

  /**
   * True if there is a record with this key.
   * @example if (!db.has('ada')) db.put('ada', 'Ada Lovelace')
   */
  has(key: K | Key): boolean {
    const given = this.store.keys.given(key)
    this.check()
    return this.store.committed.has(given)
  }

  /**
   * Stores a record; durable when it returns, as `durability` says.
   * @example db.put('session:7f3a', 'ada', { ttl: 60_000 })
   */
  put(key: K | Key, value: V, options?: PutOptions): void {
    const given = this.store.keys.given(key)
    const inside = this.checkWritable()
    const { writer } = this.store
    const time = options === undefined ? 0 : writer.timeAfter(this.ttlOf(options))
    if (inside !== undefined) {
      writer.putIn(inside, given, value, time)
      return
    }
    writer.put(given, value, time)
    this.makeDurable()
  }

  /**
   * Removes a record; true if it was there.
   * @example const wasThere = db.delete('ada')
   */
  delete(key: K | Key): boolean {
    const given = this.store.keys.given(key)
    const inside = this.checkWritable()
    if (inside !== undefined) return this.store.writer.deleteIn(inside, given)
    const { removed, found } = this.store.writer.delete(given)
    if (removed) this.makeDurable()
    return found
  }

  /**
   * Milliseconds until a record expires: `Infinity` if it never does, `undefined` if there is none.
   * @example const left = db.ttl('session:7f3a')
   */
  ttl(key: K | Key): number | undefined {
    const given = this.store.keys.given(key)
    this.check()
    return this.store.committed.find(given)?.ttl
  }

  /**
   * Lets a record expire after `ttl` milliseconds from now; false if there is none.
   * @example db.expire('session:7f3a', 60_000)
   */
  expire(key: K | Key, ttl: number): boolean {
    const inside = this.checkWritable()
    const checked = this.ttlOf({ ttl: checkedTtl(ttl) })
    const changed = this.changes.changeExpiry(key, checked, inside)
    if (changed && inside === undefined) this.makeDurable()
    return changed
  }

  /**
   * Lets a record stay that was to expire; false if there is none that was.
   * @example db.persist('session:7f3a')
   */
  persist(key: K | Key): boolean {
    const inside = this.checkWritable()
    const changed = this.changes.changeExpiry(key, 0, inside)
    if (changed && inside === undefined) this.makeDurable()
    return changed
  }

  /**
   * Applies the operations in order, as one transaction.
   * @example db.batch([{ type: 'put', key: 'a', value: '1' }, { type: 'delete', key: 'b' }])
   */
  batch(operations: readonly BatchOperation<V, K>[]): void {
    const inside = this.checkWritable()
    this.changes.apply(
      readBatch(operations, ttl => this.ttlOf({ ttl })),
      inside,
    )
    if (inside === undefined) this.makeDurable()
  }

  /**
   * When it resolves, everything committed so far survives power loss, whatever `durability` says.
   * @example await db.flush()
   */
  async flush(): Promise<void> {
    this.check()
    await this.space.log.syncAside()
    this.handle.publish(this.space.log.syncedLsn)
  }

  /**
   * Begins an explicit transaction; end it with `commit` or `rollback`.
   * @example const tx = db.begin({ isolation: 'snapshot' })
   */
  begin(options: TransactionOptions = {}): Transaction<V, K> {
    this.check()
    const { handle } = this
    if (this.space.transactions.entered !== undefined)
      throw new XenonError('XENON_NOT_SUPPORTED', 'a command of a group ends when it returns; use transaction(work)')
    const { guard } = handle
    const commit = { now: () => handle.makeDurable(), soon: () => handle.durableSoon(), guard }
    const { isolation, readOnly } = checkedTransaction(options)
    return Transaction.begin<V, K>(this.parts, commit, isolation, readOnly || (guard !== undefined && !guard.admits))
  }

  /**
   * Runs `work` in a transaction, commits it and returns its result; rolls back if it throws.
   * @example db.transaction(tx => tx.put('counter', `${Number(tx.get('counter') ?? 0) + 1}`))
   */
  transaction<T>(work: (tx: Transaction<V, K>) => T, options: TransactionOptions = {}): T {
    requireSyncFunction('transaction()', work)
    const { entered } = this.space.transactions
    const tx = entered === undefined ? this.begin(options) : this.inside(entered, options)
    let result: T
    try {
      result = work(tx)
      requireDone('transaction()', result)
      if (!tx.ended) tx.commit()
    } catch (error) {
      tx[Symbol.dispose]()
      throw error
    }
    return result
  }

  private inside(entered: TransactionState, options: TransactionOptions): Transaction<V, K> {
    this.check()
    return Transaction.within(this.parts, entered, checkedTransaction(options).readOnly)
  }

  /**
   * Puts the built-in cursor before the first record.
   * @example for (db.reset(); db.next(); ) console.log(db.readCurrent().key)
   */
  reset(): void {
    this.check()
    this.builtInCursor().reset()
  }

  /**
   * Moves the built-in cursor to the next record; false behind the last one.
   * @example for (db.reset(); db.next(); ) console.log(db.readCurrent().key)
   */
  next(): boolean {
    this.check()
    return this.builtInCursor().next()
  }

  /**
   * The record under the built-in cursor.
   * @example for (db.reset(); db.next(); ) console.log(db.readCurrent().value)
   */
  readCurrent(): Entry<V, K> {
    this.check()
    return this.builtInCursor().readCurrent()
  }

  /**
   * A cursor of its own: over all records as they lie in the blocks, or, given a range, over that in key order.
   * @example const cursor = db.cursor('user:')
   */
  cursor(): Cursor<V, K>
  cursor(range: GivenRange<K>): RangeCursor<V, K>
  cursor(range?: GivenRange<K>): Cursor<V, K> | RangeCursor<V, K> {
    this.check()
    if (range === undefined) return new Cursor(this.store)
    const resolved = this.ranges.resolve(range)
    return new RangeCursor(
      () => this.ranges.reader(resolved, 'entries'),
      key => this.store.keys.bound('the key to seek', key),
    )
  }

  /**
   * The keys of a range, in bytewise order (`keys('user:')`: those that begin so). An iterator sees the database as it
   * was when it was made, whatever changes meanwhile. With `keyEncoding: 'binary'` the keys are `Uint8Array`s.
   * @throws XenonError `XENON_NOT_SUPPORTED` if the database was created with `ordered: false`.
   * @example for (const key of db.keys('user:')) console.log(key)
   */
  keys(range?: GivenRange<K>): RangeIterator<K, V, K> {
    this.check()
    return this.ranges.now(range, 'keys')
  }

  /**
   * The values of a range, in the order of their keys.
   * @example const last = [...db.values({ prefix: 'event:', reverse: true, limit: 10 })]
   */
  values(range?: GivenRange<K>): RangeIterator<V, V, K> {
    this.check()
    return this.ranges.now(range, 'values')
  }

  /**
   * The records of a range as `[key, value]`, in the order of their keys.
   * @example for (const [key, value] of db.entries({ gte: 'a', lt: 'b' })) console.log(key, value)
   */
  entries(range?: GivenRange<K>): RangeIterator<[K, V], V, K> {
    this.check()
    return this.ranges.now(range, 'entries')
  }

  /**
   * Some records of a range, `size` at most, and a cursor for those behind them: text that fits into a URL. Another page
   * goes on behind the last key of this one, whatever has come or gone meanwhile. The range must be the same one.
   * @throws InvalidArgumentError for a cursor of another range.
   * @example
   * const first = db.page('post:', 20)
   * const second = db.page('post:', 20, first.cursor)
   */
  page(range: GivenRange<K> | undefined, size: number, cursor?: string): Page<V, K> {
    const request = pageRequest<V, K>(range, size, cursor, this.store.keys)
    return syncPage(
      request,
      given => this.entries(given),
      key => this.has(key),
    )
  }

  [Symbol.iterator](): RangeIterator<[K, V], V, K> {
    return this.entries()
  }

  /**
   * Number of records, or of those in a range.
   * @example const users = db.count('user:')
   */
  count(range?: GivenRange<K>): number {
    if (range === undefined && !this.space.isRoot && !this.space.metadata.ordered) return countOneByOne(this.store)
    const snapshot = this.snapshot()
    try {
      return snapshot.count(range)
    } finally {
      snapshot.close()
    }
  }

  /**
   * Removes all records, or those of a range, as one transaction.
   * @example db.clear('session:')
   */
  clear(range?: GivenRange<K>): void {
    const inside = this.checkWritable()
    this.clearing.now(range, inside)
    if (inside === undefined) this.makeDurable()
  }

  /**
   * A consistent view of what is committed now. It never blocks and is never blocked; close it, since it keeps the
   * earlier states of blocks in memory that change meanwhile (at most `snapshotBytes`).
   * @example const snapshot = db.snapshot()
   */
  snapshot(): Snapshot<V, K> {
    this.check()
    return new Snapshot<V, K>(this.parts)
  }

  /**
   * The changes that are committed from now on, in commit order, each once it is as durable as `durability` says:
   * `for await (const { type, key, value } of db.watch('user:'))`. Records that expire are deleted when the sweep
   * comes to them.
   * @example for await (const { type, key } of db.watch('user:')) console.log(type, key)
   */
  watch(range?: GivenRange<K>, options: WatchOptions = {}): Watcher<V, K> {
    this.check()
    const { range: watched, buffer, signal } = checkedWatch(range, options, this.store.keys)
    return this.watching.watch(watched, buffer, signal)
  }

  /** @internal Tells of each key that is changed, by whomever, until the observer is ended. */
  observeKeys(listener: KeyListener): KeyObserver {
    return new KeyObserver(this.space, listener)
  }

  /** The sub-database with a name. */
  abstract sub<S = string, T = string>(name: string, options?: SubOptions<S>): KeySpace<S, T>

  abstract subs(): string[]
  abstract drop(name: string): boolean

  /** @internal An index, declared or not, to be read. */
  foundIndex(name: string): FoundIndex<V, K, TupleKey> {
    this.check()
    return this.indexSpaces.named(name, () => this.check())
  }

  /** @internal What the server reads and writes, and makes durable once for all clients of a turn. */
  records(): Records<V> {
    return new Records(this.store, this.ranges, {
      check: () => this.check(),
      checkWritable: () => this.checkWritable(),
      makeDurable: () => (this.handle.readOnly ? undefined : this.handle.groupCommit.begin()),
      expires: time => this.sweeper.schedule(time),
      busy: () => busyTransactions(this.space.transactions),
      clearBlocks: () => this.clearing.blocks(),
      together: this.handle.together,
    })
  }

  /** The checked ttl of a put, 0 = none. */
  private ttlOf(options: PutOptions): number {
    if (options === null || typeof options !== 'object')
      throw new InvalidArgumentError('the options of a put must be an object, such as { ttl: 1000 }')
    for (const name of Object.keys(options))
      if (name !== 'ttl') throw new InvalidArgumentError(`there is no option '${name}' here`)
    if (options.ttl === undefined || options.ttl === Number.POSITIVE_INFINITY) return 0
    const ttl = checkedTtl(options.ttl)
    this.sweeper.schedule(this.space.now() + ttl)
    return ttl
  }

  private builtInCursor(): Cursor<V, K> {
    this.cursorOfItsOwn ??= this.cursor()
    return this.cursorOfItsOwn
  }

  /** True once it cannot be used any more. */
  abstract get closed(): boolean

  /** @internal */
  abstract close(): void

  /** @internal Nobody uses it any more: the database closes, or it was dropped. */
  end(): void {
    this.handle.sweepers.delete(this.sweeper)
    this.sweeper.stop()
  }

  /** @internal */
  endWatching(): void {
    this.watching.end()
  }

  /** @internal */
  check(): void {
    const { space } = this
    if (space.health.attention) space.attend()
  }

  /** @internal The transaction that every change is to happen in, if there is one. */
  checkWritable(): TransactionState | undefined {
    this.check()
    return this.handle.guard?.enter()
  }

  /** Before what no transaction can take back. */
  protected checkUnguarded(): void {
    this.check()
    const { guard } = this.handle
    if (guard !== undefined) throw guard.refusal()
  }

  private makeDurable(): void {
    this.handle.makeDurable()
  }
}

const countOneByOne = <V>(store: Store<V>): number => {
  let count = 0
  for (const cursor = new Cursor<V, Uint8Array>(store, BINARY_KEYS); cursor.next(); ) count++
  return count
}
