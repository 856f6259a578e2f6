/**
 * The asynchronous face: one interface for a database of this process (`db.async`), of another thread
 * (`xenondb/worker`), and behind a network (`xenondb/client`). Code written for one of them runs on all.
 *
 * - Every call that meets a lock waits for it, in the order of the calls, up to `lockTimeout`: then it rejects with
 *   `XENON_LOCK_CONFLICT`. It never fails for a lock that is released before. Reads outside a transaction see what is
 *   committed and wait for nobody.
 * - A call that writes resolves when the change is as durable as the database's `durability` says. It shares its
 *   fdatasync with whatever else is committed meanwhile.
 * - Nothing is thrown at once: wrong arguments reject, too, and an iterator reports them at its first step.
 */

import type { AsyncItems } from '../runtime/items.ts'
import type {
  AsyncPutOptions,
  AsyncTransactionOptions,
  BatchOperation,
  BuiltInEncoding,
  GivenRange,
  IsolationLevel,
  Key,
  KeyEncoding,
  KeyOf,
  PutOptions,
  SubEncodings,
  TransactOptions,
  TupleKey,
  ValueOf,
  WaitOptions,
  WatchOptions,
} from '../types.ts'
import type { AsyncIndexReads } from './async-index.ts'
import type { Page } from './page.ts'
import type { Watcher } from './watcher.ts'

/** What a store and its transactions read alike. */
export interface AsyncReads<V, K = string> {
  /**
   * The value of a key, or `undefined`.
   * @example const user = await store.get('user:42')
   */
  get(key: K | Key): Promise<V | undefined>

  /**
   * The values of several keys, in their order, all of one moment.
   * @example const [ada, alan] = await store.getMany(['ada', 'alan'])
   */
  getMany(keys: readonly (K | Key)[]): Promise<(V | undefined)[]>

  /**
   * True if there is a record with this key.
   * @example if (!(await store.has('user:42'))) await store.put('user:42', 'Ada')
   */
  has(key: K | Key): Promise<boolean>

  /**
   * Milliseconds until a record expires: `Infinity` if it never does, `undefined` if there is none.
   * @example const left = await store.ttl('session:7f3a')
   */
  ttl(key: K | Key): Promise<number | undefined>

  /**
   * The keys of a range, in bytewise order. The iterator sees the store as it was at its first step, whatever changes
   * meanwhile (in a transaction: as the transaction sees it). Leaving the loop lets go of what it holds.
   * @example for await (const key of store.keys('user:')) console.log(key)
   */
  keys(range?: GivenRange<K>): AsyncItems<K>

  /**
   * The values of a range, in the order of their keys, as `keys` says.
   * @example for await (const value of store.values({ gte: 'a', lt: 'b' })) console.log(value)
   */
  values(range?: GivenRange<K>): AsyncItems<V>

  /**
   * The records of a range as `[key, value]`, as `keys` says.
   * @example for await (const [key, value] of store.entries({ prefix: 'user:', reverse: true })) console.log(key,
   *   value)
   */
  entries(range?: GivenRange<K>): AsyncItems<[K, V]>

  /**
   * Some records of a range, `size` at most, and a cursor for those behind them: text that fits into a URL. Another page
   * goes on behind the last key of this one, whatever has come or gone meanwhile. The range must be the same one.
   * @throws InvalidArgumentError for a cursor of another range.
   * @example
   * const first = await store.page('post:', 20)
   * const second = await store.page('post:', 20, first.cursor)
   */
  page(range: GivenRange<K> | undefined, size: number, cursor?: string): Promise<Page<V, K>>

  /**
   * Number of records, or of those in a range.
   * @example const users = await store.count('user:')
   */
  count(range?: GivenRange<K>): Promise<number>
}

/** Records with promises: of a database, or of a sub-database, wherever it is. */
export interface AsyncStore<V = string, K = string> extends AsyncReads<V, K>, AsyncIterable<[K, V]> {
  /**
   * Stores a record.
   * @example await store.put('session:7f3a', 'ada', { ttl: 60_000 })
   */
  put(key: K | Key, value: V, options?: AsyncPutOptions): Promise<void>

  /**
   * Removes a record; true if it was there.
   * @example const wasThere = await store.delete('user:42')
   */
  delete(key: K | Key, options?: WaitOptions): Promise<boolean>

  /**
   * Applies the operations in order, as one transaction.
   * @example await store.batch([{ type: 'put', key: 'a', value: '1' }, { type: 'delete', key: 'b' }])
   */
  batch(operations: readonly BatchOperation<V, K>[], options?: WaitOptions): Promise<void>

  /**
   * Lets a record expire after `ttl` milliseconds from now; false if there is none.
   * @example await store.expire('session:7f3a', 60_000)
   */
  expire(key: K | Key, ttl: number, options?: WaitOptions): Promise<boolean>

  /**
   * Lets a record stay that was to expire; false if there is none that was.
   * @example await store.persist('session:7f3a')
   */
  persist(key: K | Key, options?: WaitOptions): Promise<boolean>

  /**
   * Removes all records, or those of a range, as one transaction.
   * @example await store.clear('session:')
   */
  clear(range?: GivenRange<K>, options?: WaitOptions): Promise<void>

  /**
   * All records, in the order of their keys.
   * @example for await (const [key, value] of store) console.log(key, value)
   */
  [Symbol.asyncIterator](): AsyncItems<[K, V]>

  /**
   * Runs `work` in a transaction, commits it and gives its result; rolls back if it throws. Runs it again, after a
   * short random pause and at most `retries` times (20), when it was picked to end a deadlock or met a write conflict:
   * so `work` should change nothing but the store.
   * @example await store.transact(async tx => tx.put('counter', `${Number(await tx.get('counter')) + 1}`))
   */
  transact<T>(work: (tx: AsyncStoreTransaction<V, K>) => Promise<T> | T, options?: TransactOptions): Promise<T>

  /**
   * Begins a transaction; end it with `commit` or `rollback`.
   * @example const tx = await store.begin({ isolation: 'snapshot' })
   */
  begin(options?: AsyncTransactionOptions): Promise<AsyncStoreTransaction<V, K>>

  /**
   * The changes that are committed from the moment on when the promise resolves, in commit order, each once it is
   * durable. Ends with `XENON_WATCH_OVERFLOW` when more than `buffer` changes (10,000) wait to be read.
   * @example for await (const { type, key } of await store.watch('user:')) console.log(type, key)
   */
  watch(range?: GivenRange<K>, options?: WatchOptions): Promise<Watcher<V, K>>

  /**
   * The sub-database with a name, which is made if there is none: a store of its own in the same file, log and
   * transactions, with encodings of its own. Of one that exists they are those that it was made with (a codec of your
   * own has to be given again); others reject. To be used until the store that it came from is closed; `close` of it
   * does nothing.
   * @example const users = await store.sub('users', { valueEncoding: 'json' })
   */
  sub<E extends BuiltInEncoding = 'utf8', KE extends KeyEncoding = 'utf8'>(
    name: string,
    options?: SubEncodings<ValueOf<E>> & { valueEncoding?: E | undefined; keyEncoding?: KE | undefined },
  ): Promise<AsyncStore<ValueOf<E>, KeyOf<KE>>>
  sub<S>(name: string, options: SubEncodings<S> & { keyEncoding: 'binary' }): Promise<AsyncStore<S, Uint8Array>>
  sub<S, T extends TupleKey = TupleKey>(
    name: string,
    options: SubEncodings<S> & { keyEncoding: 'tuple' },
  ): Promise<AsyncStore<S, T>>
  sub<S, T = string>(name: string, options?: SubEncodings<S>): Promise<AsyncStore<S, T>>

  /**
   * The names of the sub-databases that lie in this one, in the order of their code units.
   * @example for (const name of await store.subs()) console.log(name)
   */
  subs(): Promise<string[]>

  /**
   * Drops a sub-database, with those that lie in it: at once and as a whole. False if there is none. It waits for
   * nobody: it rejects with `XENON_LOCK_CONFLICT` while a transaction is open that has read or changed anything.
   * @example await store.drop('users')
   */
  drop(name: string): Promise<boolean>

  /**
   * A secondary index of this store, by its name, to be read. The program that has the database open declares it, with
   * its function, by `index` of the synchronous face (`onOpen` of `openShared` and `serveBrowser`). Calls reject with
   * `XENON_NOT_FOUND` if there is none of that name, `XENON_NOT_READY` while it is built, or if it is stale.
   * @example const first = await store.index('city').get('Oslo')
   */
  index<IK extends TupleKey = TupleKey>(name: string): AsyncIndex<V, K, IK>

  /**
   * When it resolves, everything committed so far survives power loss, whatever `durability` says.
   * @example await store.flush()
   */
  flush(): Promise<void>

  /** True once the store cannot be used any more. */
  readonly closed: boolean

  /**
   * Ends the use of the store: the local one closes the database, the others their connection. Closing twice is fine;
   * that of a sub-database does nothing.
   * @example await store.close()
   */
  close(): Promise<void>

  [Symbol.asyncDispose](): Promise<void>
}

/**
 * A transaction of an `AsyncStore`: all or nothing, with its own changes in what it reads. Its operations wait for
 * locks.
 */
export interface AsyncStoreTransaction<V = string, K = string> extends AsyncReads<V, K> {
  /** That which it was begun with. */
  readonly isolation: IsolationLevel
  /** True once it was committed or rolled back; a deadlock and its signal roll it back, too. */
  readonly ended: boolean
  /**
   * The same transaction in another store of the same database: a sub-database, or what that lies in. What it does there
   * is committed and rolled back with the rest, whichever of the two says so.
   * @throws InvalidArgumentError for a store of another database, or one that was reached in another way.
   * @example await tx.in(users).put('bob', { age: 7 })
   */
  in<S, T>(store: AsyncStore<S, T>): AsyncStoreTransaction<S, T>
  /**
   * Stores a record. If it rejects, the transaction is as it was before and still open, but for a deadlock.
   * @example await tx.put('seat:1', 'taken')
   */
  put(key: K | Key, value: V, options?: PutOptions): Promise<void>
  /**
   * Removes a record; true if it was there.
   * @example const wasThere = await tx.delete('seat:1')
   */
  delete(key: K | Key): Promise<boolean>
  /**
   * Lets a record expire after `ttl` milliseconds from now; false if there is none.
   * @example await tx.expire('seat:1', 60_000)
   */
  expire(key: K | Key, ttl: number): Promise<boolean>
  /**
   * Lets a record stay that was to expire; false if there is none that was.
   * @example await tx.persist('seat:1')
   */
  persist(key: K | Key): Promise<boolean>
  /**
   * Removes the records of a range.
   * @example await tx.clear('seat:')
   */
  clear(range?: GivenRange<K>): Promise<void>
  /**
   * A point to which `rollbackTo` returns.
   * @example const before = await tx.savepoint()
   */
  savepoint(): Promise<object>
  /**
   * Takes back everything since the savepoint, which stays; later ones are gone.
   * @example await tx.rollbackTo(before)
   */
  rollbackTo(savepoint: object): Promise<void>
  /**
   * Makes all changes permanent; resolves when they are as durable as `durability` says.
   * @example await tx.commit()
   */
  commit(): Promise<void>
  /**
   * Takes back everything.
   * @example await tx.rollback()
   */
  rollback(): Promise<void>
  /** Rolls back if it is still open. */
  [Symbol.asyncDispose](): Promise<void>
}

/** An index of an `AsyncStore`, from `index`: reads see what is committed. */
export interface AsyncIndex<V = string, K = string, IK = TupleKey> extends AsyncIndexReads<V, K, IK> {
  /** Its name in the store that it belongs to. */
  readonly name: string

  /**
   * The index as a transaction of the same store sees it, its own changes included: it waits for locks, and locks what it
   * reads, as its isolation level says.
   * @throws InvalidArgumentError for a transaction of another database, or one that was begun in another way.
   * @example await store.transact(async tx => console.log(await byCity.in(tx).count('Oslo')))
   */
  in<S, T>(tx: AsyncStoreTransaction<S, T>): AsyncIndexReads<V, K, IK>
}
