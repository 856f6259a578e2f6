/** The side of a worker thread: the database of another thread, over a port. Every method returns a promise. */

import { InvalidArgumentError } from '../errors.ts'
import { showAs } from '../runtime/inspecting.ts'
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
  Stats,
  SubEncodings,
  TransactOptions,
  TupleKey,
  ValueOf,
  WaitOptions,
  WatchOptions,
} from '../types.ts'
import type { AsyncStore, AsyncStoreTransaction } from '../values/async-store.ts'
import { type Attempt, runTransaction } from '../values/transact.ts'
import { checkedBeginning, checkedPut, checkedRuns, checkedWaiting, type Waiting } from '../values/wait-options.ts'
import { checkedWatchOptions, Watcher } from '../values/watcher.ts'
import { Calls } from './calls.ts'
import { Course } from './course.ts'
import type { Place, Portion, PortLike } from './protocol.ts'
import { PortIndex, Reads, sentRange } from './reads.ts'

abstract class PortStore<V = string, K = string> extends Reads<V, K> implements AsyncStore<V, K> {
  /** @internal */
  isOf(calls: Calls): boolean {
    return this.calls === calls
  }

  /** Resolves when the record is as durable as the database's `durability` says. */
  async put(key: K | Key, value: V, options?: AsyncPutOptions): Promise<void> {
    if (options === undefined) return await this.call('put', [key, value])
    const { ttl, ...waiting } = checkedPut(options)
    return await this.change('put', [key, value], waiting, ttl === undefined ? {} : { ttl })
  }

  async delete(key: K | Key, options?: WaitOptions): Promise<boolean> {
    return await this.change('delete', [key], waitingOf(options))
  }

  async batch(operations: readonly BatchOperation<V, K>[], options?: WaitOptions): Promise<void> {
    return await this.change('batch', [operations], waitingOf(options))
  }

  async expire(key: K | Key, ttl: number, options?: WaitOptions): Promise<boolean> {
    return await this.change('expire', [key, ttl], waitingOf(options))
  }

  async persist(key: K | Key, options?: WaitOptions): Promise<boolean> {
    return await this.change('persist', [key], waitingOf(options))
  }

  async clear(range?: GivenRange<K>, options?: WaitOptions): Promise<void> {
    return await this.change('clear', [sentRange(range).sent], waitingOf(options))
  }

  [Symbol.asyncIterator](): AsyncItems<[K, V]> {
    return this.entries()
  }

  async begin(options: AsyncTransactionOptions = {}): Promise<PortTransaction<V, K>> {
    const beginning = checkedBeginning(options)
    const { signal, isolation, readOnly, lockTimeout } = beginning
    const id = this.calls.number()
    const sent = { isolation, readOnly, ...(lockTimeout !== undefined && { lockTimeout }) }
    await this.calls.call('begin', [sent], { id, abortable: signal !== undefined })
    const tx = new PortTransaction<V, K>(new Course(this.calls, id, beginning), this.place)
    if (signal?.aborted === true) {
      await tx.abandon()
      signal.throwIfAborted()
    }
    return tx
  }

  /** Runs `work` in a transaction, commits it, and runs it again after a deadlock or a write conflict. */
  async transact<T>(work: (tx: PortTransaction<V, K>) => Promise<T> | T, options: TransactOptions = {}): Promise<T> {
    const { retries, others } = checkedRuns(options)
    return await runTransaction({ begin: () => this.begin(others) }, work, retries)
  }

  async watch(range?: GivenRange<K>, options: WatchOptions = {}): Promise<Watcher<V, K>> {
    const { buffer, signal } = checkedWatchOptions(options)
    const { calls } = this
    const { watchers } = calls
    const id = calls.number()
    await calls.call('watch', [sentRange(range).sent, { buffer }], { ...this.place, id })
    const watcher = new Watcher<V, K>(buffer, signal, () => {
      watchers.delete(watcher)
      calls.tell('return', [id])
    })
    watchers.add(watcher)
    if (signal?.aborted === true) {
      watcher.end()
      signal.throwIfAborted()
    }
    void this.forward(id, watcher)
    return watcher
  }

  flush(): Promise<void> {
    return this.call('flush', [])
  }

  /**
   * The sub-database with a name, which is made if there is none. A codec of your own cannot be sent to the owner.
   * @throws EncodingMismatchError if it exists with other encodings.
   */
  sub<E extends BuiltInEncoding = 'utf8', KE extends KeyEncoding = 'utf8'>(
    name: string,
    options?: SubEncodings<ValueOf<E>> & { valueEncoding?: E | undefined; keyEncoding?: KE | undefined },
  ): Promise<PortSub<ValueOf<E>, KeyOf<KE>>>
  sub<S>(name: string, options: SubEncodings<S> & { keyEncoding: 'binary' }): Promise<PortSub<S, Uint8Array>>
  sub<S, T extends TupleKey = TupleKey>(
    name: string,
    options: SubEncodings<S> & { keyEncoding: 'tuple' },
  ): Promise<PortSub<S, T>>
  sub<S, T = string>(name: string, options?: SubEncodings<S>): Promise<PortSub<S, T>>
  async sub<S, T>(name: string, options?: SubEncodings<S>): Promise<PortSub<S, T>> {
    return new PortSub<S, T>(this.calls, { sub: await this.call('sub', [name, options]) })
  }

  /** The names of the sub-databases that lie in this one. */
  subs(): Promise<string[]> {
    return this.call('subs', [])
  }

  /** Drops a sub-database, with those that lie in it; false if there is none. */
  drop(name: string): Promise<boolean> {
    return this.call('drop', [name])
  }

  /** True once `close` was called. */
  get closed(): boolean {
    return this.calls.closed
  }

  abstract close(): Promise<void>

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** A secondary index, by its name, to be read: the thread that has the database open has declared it. */
  index<IK extends TupleKey = TupleKey>(name: string): PortIndex<V, K, IK> {
    const place = { ...this.place, index: name }
    return new PortIndex<V, K, IK>(
      this.calls,
      (method, args, at) => this.calls.call(method, args, at),
      place,
      <S, T>(tx: AsyncStoreTransaction<S, T>) => this.inside(tx),
    )
  }

  private inside<S, T>(tx: AsyncStoreTransaction<S, T>): PortTransaction<V, K> {
    if (!(tx instanceof PortTransaction)) throw new InvalidArgumentError('in() takes a transaction of the same port')
    return tx.in<V, K>(this)
  }

  protected call<T>(method: string, args: unknown[], place: Place = this.place): Promise<T> {
    return this.calls.call(method, args, place)
  }

  private change<T>(
    method: string,
    args: unknown[],
    waiting: Waiting | undefined,
    options: PutOptions = {},
  ): Promise<T> {
    if (waiting === undefined) return this.call(method, args)
    const { signal, lockTimeout } = waiting
    const sent = { ...options, ...(lockTimeout !== undefined && { lockTimeout }) }
    return this.calls.abortable(method, [...args, sent], signal, this.place)
  }

  /** Changes from the owner to who reads them here. */
  private async forward(id: number, watcher: Watcher<V, K>): Promise<void> {
    try {
      for (let done = false; !done; ) {
        const page = await this.calls.call<Portion>('next', [id])
        for (const change of page.items) watcher.add(change as never)
        done = page.done
      }
      watcher.end()
    } catch (error) {
      watcher.fail(error)
    }
  }
}

/** The root of a database that another thread serves with `servePort`. */
export class PortDatabase<V = string, K = string> extends PortStore<V, K> {
  static {
    showAs('PortDatabase', PortDatabase, ({ closed }) => ({ closed }))
  }

  /** The database that the other end of the port serves (`servePort`). */
  constructor(port: PortLike) {
    super(new Calls(port), {})
  }

  /**
   * Those of the database, as the thread that owns it sees them.
   * @example console.log((await port.stats()).records)
   */
  stats(): Promise<Stats> {
    return this.call('stats', [])
  }

  /** @internal What this owner does beside the calls of a store. */
  ask<T>(method: string, args: unknown[] = []): Promise<T> {
    return this.calls.call(method, args)
  }

  /** @internal The owner is gone. `sent`: what it has not answered it may have done, or not. */
  lose(sent: boolean): void {
    this.calls.lose(sent)
  }

  /**
   * Rolls back what is open, ends what waits for a lock, lets the other calls on their way be answered, and closes the
   * port; the database stays open in its own thread.
   */
  async close(): Promise<void> {
    const { calls } = this
    for (const watcher of [...calls.watchers]) watcher.end()
    await calls.close()
  }
}

/** A sub-database, from `sub` of a `PortDatabase` or of another sub-database. */
export class PortSub<V = string, K = string> extends PortStore<V, K> {
  static {
    showAs('PortSub', PortSub, ({ closed }) => ({ closed }))
  }

  /** Does nothing: the `PortDatabase` has the port. */
  async close(): Promise<void> {}
}

/** A point inside a transaction, from `savepoint()`. */
export class PortSavepoint {
  /** @internal */
  readonly owner: object
  /** @internal */
  readonly number: number

  /** @internal */
  constructor(owner: object, number: number) {
    this.owner = owner
    this.number = number
  }
}

/** A transaction, as it is seen in one of the stores of a port. */
export class PortTransaction<V = string, K = string>
  extends Reads<V, K>
  implements AsyncStoreTransaction<V, K>, Attempt
{
  static {
    showAs('PortTransaction', PortTransaction, ({ isolation, ended }) => ({ isolation, ended }))
  }

  private readonly course: Course

  /** @internal Use `begin` or `transact` of `PortDatabase`. */
  constructor(course: Course, place: Place) {
    super(course.calls, { ...place, tx: course.id })
    this.course = course
  }

  /** That which it was begun with. */
  get isolation(): IsolationLevel {
    return this.course.isolation
  }

  /** True once it was committed or rolled back; a deadlock and its signal roll it back, too. */
  get ended(): boolean {
    return this.course.over
  }

  /**
   * The same transaction in another store of the same port.
   * @throws InvalidArgumentError for a store of another port.
   */
  in<S, T>(store: AsyncStore<S, T>): PortTransaction<S, T> {
    if (!(store instanceof PortStore) || !store.isOf(this.calls))
      throw new InvalidArgumentError('in() takes a sub-database of the same port, or its database')
    return new PortTransaction<S, T>(this.course, store.place)
  }

  put(key: K | Key, value: V, options?: PutOptions): Promise<void> {
    return this.call('put', options === undefined ? [key, value] : [key, value, options])
  }

  delete(key: K | Key): Promise<boolean> {
    return this.call('delete', [key])
  }

  expire(key: K | Key, ttl: number): Promise<boolean> {
    return this.call('expire', [key, ttl])
  }

  persist(key: K | Key): Promise<boolean> {
    return this.call('persist', [key])
  }

  clear(range?: GivenRange<K>): Promise<void> {
    return this.call('clear', [sentRange(range).sent])
  }

  async savepoint(): Promise<PortSavepoint> {
    return new PortSavepoint(this.course, await this.call('savepoint', []))
  }

  async rollbackTo(savepoint: PortSavepoint): Promise<void> {
    if (!(savepoint instanceof PortSavepoint) || savepoint.owner !== this.course)
      throw new InvalidArgumentError('this savepoint does not belong to this transaction')
    await this.call('rollbackTo', [savepoint.number])
  }

  commit(): Promise<void> {
    return this.course.finish('commit')
  }

  rollback(): Promise<void> {
    return this.course.finish('rollback')
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.course.abandon()
  }

  /** @internal Rolls back if it is still open, whatever the owner says. */
  abandon(): Promise<void> {
    return this.course.abandon()
  }

  /** @internal Whoever has caught the error of an operation has not caught what it meant. */
  requireStanding(): void {
    this.course.requireStanding()
  }

  protected call<T>(method: string, args: unknown[], place: Place = this.place): Promise<T> {
    return this.course.call(method, args, place)
  }
}

const waitingOf = (options: WaitOptions | undefined): Waiting | undefined =>
  options === undefined ? undefined : checkedWaiting(options)
