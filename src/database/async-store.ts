/**
 * `db.async`: the asynchronous face of a database of this process. Each change is tried at once, as a transaction of
 * its own, which costs no more than the synchronous one. Only if a lock is in the way it becomes an asynchronous
 * transaction, which stands in line for that lock.
 */

import { LockConflictError } from '../errors.ts'
import type { RangeIterator } from '../records/range-iterator.ts'
import type { Store } from '../records/store.ts'
import { isBytes } from '../runtime/bytes.ts'
import { showAs } from '../runtime/inspecting.ts'
import { AsyncItems } from '../runtime/items.ts'
import { nextTurn } from '../runtime/timers.ts'
import { Admission } from '../txn/admission.ts'
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
  TransactionOptions,
  TransactOptions,
  TupleKey,
  ValueOf,
  WaitOptions,
  WatchOptions,
} from '../types.ts'
import type { AsyncIndex, AsyncStore } from '../values/async-store.ts'
import { type BatchChange, readBatch } from '../values/batch.ts'
import { asyncPage, type Page, pageRequest } from '../values/page.ts'
import { runTransaction } from '../values/transact.ts'
import { checkedTtl } from '../values/ttl.ts'
import { checkedBeginning, checkedPut, checkedRuns, checkedWaiting, type Waiting } from '../values/wait-options.ts'
import type { Watcher } from '../values/watcher.ts'
import { LocalIndex } from './async-index.ts'
import { AsyncTransaction } from './async-transaction.ts'
import type { FoundIndex } from './found-index.ts'
import type { SubOptions } from './options.ts'
import type { InTransactions, SpaceParts, Transaction } from './transaction.ts'
import { TurningItems } from './turning-items.ts'

/** The database, as far as it is called here. */
export interface Synchronous<V, K = string> {
  readonly parts: SpaceParts<V>
  check(): void
  get(key: K | Key): V | undefined
  getMany(keys: readonly (K | Key)[]): (V | undefined)[]
  has(key: K | Key): boolean
  ttl(key: K | Key): number | undefined
  count(range?: GivenRange<K>): number
  keys(range?: GivenRange<K>): RangeIterator<K, V, K>
  values(range?: GivenRange<K>): RangeIterator<V, V, K>
  entries(range?: GivenRange<K>): RangeIterator<[K, V], V, K>
  begin(options?: TransactionOptions): Transaction<V, K>
  watch(range?: GivenRange<K>, options?: WatchOptions): Watcher<V, K>
  sub<S, T>(name: string, options?: SubOptions<S>): { readonly async: AsyncDatabase<S, T> }
  subs(): string[]
  drop(name: string): boolean
  flush(): Promise<void>
  close(): void
  readonly closed: boolean
}

/**
 * What it does not show to everybody: changes that are committed when they return, and durable when `durableSoon`
 * resolves.
 */
export interface Changes<V, K = string> {
  readonly store: Store<V>
  readonly lockTimeout: number
  check(): void
  checkWritable(): void
  ttlOf(options: PutOptions): number
  apply(changes: readonly BatchChange<V, K>[]): void
  changeExpiry(key: K | Key, ttl: number): boolean
  clear(range: GivenRange<K> | undefined): void
  /** Removes all records inside a transaction, without the ordered index. */
  clearInside(tx: Transaction<V, K>): void
  foundIndex(name: string): FoundIndex<V, K, TupleKey>
  durableSoon(): Promise<void>
}

/** `db.async`: the same records with promises, which wait for locks and share their syncs. */
export class AsyncDatabase<V = string, K = string> implements AsyncStore<V, K>, InTransactions<V, K> {
  static {
    showAs('AsyncDatabase', AsyncDatabase, ({ closed }) => ({ closed }))
  }

  private readonly db: Synchronous<V, K>
  private readonly changes: Changes<V, K>
  private readonly admission: Admission = new Admission(nextTurn)

  /** @internal Use `Database.async`. */
  constructor(db: Synchronous<V, K>, changes: Changes<V, K>) {
    this.db = db
    this.changes = changes
  }

  /** @internal */
  get async(): this {
    return this
  }

  /** @internal */
  get parts(): SpaceParts<V> {
    return this.db.parts
  }

  /** @internal */
  check(): void {
    this.db.check()
  }

  async get(key: K | Key): Promise<V | undefined> {
    return this.db.get(key)
  }

  async getMany(keys: readonly (K | Key)[]): Promise<(V | undefined)[]> {
    return this.db.getMany(keys)
  }

  async has(key: K | Key): Promise<boolean> {
    return this.db.has(key)
  }

  async ttl(key: K | Key): Promise<number | undefined> {
    return this.db.ttl(key)
  }

  async count(range?: GivenRange<K>): Promise<number> {
    return this.db.count(range)
  }

  /** All commits of one turn of the event loop share a write and an fdatasync. */
  put(key: K | Key, value: V, options?: AsyncPutOptions): Promise<void> {
    const { changes } = this
    let waiting: Waiting | undefined
    let ttl = 0
    try {
      changes.checkWritable()
      if (options !== undefined) {
        const checked = checkedPut(options)
        waiting = checked
        if (checked.ttl !== undefined) ttl = changes.ttlOf({ ttl: checked.ttl })
      }
      const { writer, keys } = changes.store
      writer.put(keys.given(key), value, writer.timeAfter(ttl))
    } catch (error) {
      return this.behind(error, waiting, () => {
        const [mine, put] = [changes.store.keys.owned(key), owned(value)]
        return tx => tx.put(mine, put, ttl === 0 ? undefined : { ttl })
      })
    }
    return changes.durableSoon()
  }

  delete(key: K | Key, options?: WaitOptions): Promise<boolean> {
    return this.change(
      options,
      () => {
        const { removed, found } = this.changes.store.writer.delete(this.changes.store.keys.given(key))
        return { result: found, changed: removed }
      },
      () => {
        const mine = this.changes.store.keys.owned(key)
        return tx => tx.delete(mine)
      },
    )
  }

  batch(operations: readonly BatchOperation<V, K>[], options?: WaitOptions): Promise<void> {
    const { changes } = this
    let read: readonly BatchChange<V, K>[] = []
    return this.change(
      options,
      () => {
        read = readBatch(operations, ttl => changes.ttlOf({ ttl }))
        changes.apply(read)
        return { result: undefined, changed: true }
      },
      () => {
        const mine = read.map(each => ({ ...each, key: changes.store.keys.owned(each.key), value: owned(each.value) }))
        return async tx => {
          for (const { isPut, key, value, ttl } of mine)
            if (isPut) await tx.put(key, value as V, ttl === 0 ? undefined : { ttl })
            else await tx.delete(key)
        }
      },
    )
  }

  expire(key: K | Key, ttl: number, options?: WaitOptions): Promise<boolean> {
    return this.change(
      options,
      () => this.changedExpiry(key, this.changes.ttlOf({ ttl: checkedTtl(ttl) })),
      () => {
        const mine = this.changes.store.keys.owned(key)
        return tx => tx.expire(mine, ttl)
      },
    )
  }

  persist(key: K | Key, options?: WaitOptions): Promise<boolean> {
    return this.change(
      options,
      () => this.changedExpiry(key, 0),
      () => {
        const mine = this.changes.store.keys.owned(key)
        return tx => tx.persist(mine)
      },
    )
  }

  clear(range?: GivenRange<K>, options?: WaitOptions): Promise<void> {
    const { changes } = this
    const { ordered } = changes.store.space.metadata
    return this.change(
      options,
      () => {
        changes.clear(range)
        return { result: undefined, changed: true }
      },
      () => tx => (ordered ? tx.clear(range) : tx.together(inside => changes.clearInside(inside))),
      'serializable',
    )
  }

  keys(range?: GivenRange<K>): AsyncItems<K> {
    return new AsyncItems(new TurningItems(() => this.db.keys(range)))
  }

  values(range?: GivenRange<K>): AsyncItems<V> {
    return new AsyncItems(new TurningItems(() => this.db.values(range)))
  }

  entries(range?: GivenRange<K>): AsyncItems<[K, V]> {
    return new AsyncItems(new TurningItems(() => this.db.entries(range)))
  }

  async page(range: GivenRange<K> | undefined, size: number, cursor?: string): Promise<Page<V, K>> {
    const request = pageRequest<V, K>(range, size, cursor, this.parts.store.keys)
    return await asyncPage(
      request,
      given => this.entries(given),
      key => this.has(key),
    )
  }

  [Symbol.asyncIterator](): AsyncItems<[K, V]> {
    return this.entries()
  }

  async begin(options: AsyncTransactionOptions = {}): Promise<AsyncTransaction<V, K>> {
    return this.beginNow(options)
  }

  /** @internal The same at once. */
  beginNow(options: AsyncTransactionOptions): AsyncTransaction<V, K> {
    this.changes.check()
    const { isolation, readOnly, ...waiting } = checkedBeginning(options)
    return this.transaction(waiting, { isolation, readOnly })
  }

  async transact<T>(work: (tx: AsyncTransaction<V, K>) => Promise<T> | T, options: TransactOptions = {}): Promise<T> {
    const { retries, others } = checkedRuns(options)
    const { admission } = this
    const next = this.attempts(() => this.beginNow(others))
    let pass = Symbol('transaction')
    return await runTransaction(
      {
        begin: async attempt => {
          pass = Symbol('transaction')
          const turn = admission.enter(pass)
          if (turn !== undefined) await turn
          return next(attempt)
        },
        over: () => admission.leave(pass),
      },
      work,
      retries,
    )
  }

  async watch(range?: GivenRange<K>, options: WatchOptions = {}): Promise<Watcher<V, K>> {
    return this.db.watch(range, options)
  }

  sub<E extends BuiltInEncoding = 'utf8', KE extends KeyEncoding = 'utf8'>(
    name: string,
    options?: SubOptions<ValueOf<E>> & { valueEncoding?: E | undefined; keyEncoding?: KE | undefined },
  ): Promise<AsyncDatabase<ValueOf<E>, KeyOf<KE>>>
  sub<S>(name: string, options: SubOptions<S> & { keyEncoding: 'binary' }): Promise<AsyncDatabase<S, Uint8Array>>
  sub<S, T extends TupleKey = TupleKey>(
    name: string,
    options: SubOptions<S> & { keyEncoding: 'tuple' },
  ): Promise<AsyncDatabase<S, T>>
  sub<S, T = string>(name: string, options?: SubOptions<S>): Promise<AsyncDatabase<S, T>>
  async sub<S, T>(name: string, options?: SubOptions<S>): Promise<AsyncDatabase<S, T>> {
    return this.db.sub<S, T>(name, options).async
  }

  async subs(): Promise<string[]> {
    return this.db.subs()
  }

  async drop(name: string): Promise<boolean> {
    return this.db.drop(name)
  }

  index<IK extends TupleKey = TupleKey>(name: string): AsyncIndex<V, K, IK> {
    return new LocalIndex<V, K, IK>(name, tx => {
      const found = this.changes.foundIndex(name) as unknown as FoundIndex<V, K, IK>
      return tx === undefined ? found : found.in(tx)
    })
  }

  async flush(): Promise<void> {
    await this.db.flush()
  }

  /** True once the database was closed, or this sub-database was dropped. */
  get closed(): boolean {
    return this.db.closed
  }

  async close(): Promise<void> {
    this.db.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** A change at once, or, behind a lock, what `later` makes of it. */
  private change<T>(
    options: WaitOptions | undefined,
    now: () => { result: T; changed: boolean },
    later: () => (tx: AsyncTransaction<V, K>) => Promise<T>,
    isolation?: IsolationLevel,
  ): Promise<T> {
    const { changes } = this
    let waiting: Waiting | undefined
    let done: { result: T; changed: boolean }
    try {
      changes.checkWritable()
      if (options !== undefined) waiting = checkedWaiting(options)
      done = now()
    } catch (error) {
      return this.behind(error, waiting, later, isolation)
    }
    const { result, changed } = done
    return changed ? changes.durableSoon().then(() => result) : Promise.resolve(result)
  }

  private changedExpiry(key: K | Key, ttl: number): { result: boolean; changed: boolean } {
    const changed = this.changes.changeExpiry(key, ttl)
    return { result: changed, changed }
  }

  /** What was tried has failed; if for a lock, it is done in a transaction that stands in line for it from now on. */
  private async behind<T>(
    error: unknown,
    waiting: Waiting | undefined,
    later: () => (tx: AsyncTransaction<V, K>) => Promise<T>,
    isolation: IsolationLevel = 'read-committed',
  ): Promise<T> {
    if (!(error instanceof LockConflictError) || error.conflict === undefined) throw error
    const begin = this.attempts(() => this.transaction(waiting ?? {}, { isolation }))
    try {
      return await runTransaction({ begin }, later(), Number.POSITIVE_INFINITY)
    } catch (failure) {
      // Who has closed the database has rolled it back.
      if (this.closed) this.changes.check()
      throw failure
    }
  }

  private transaction({ signal, lockTimeout }: Waiting, options: TransactionOptions): AsyncTransaction<V, K> {
    const { changes, db } = this
    const { waits } = changes.store.space.transactions
    return new AsyncTransaction(db.begin(options), waits, lockTimeout ?? changes.lockTimeout, signal)
  }

  /** One transaction after the other, each as old as the first. */
  private attempts(begin: () => AsyncTransaction<V, K>): (attempt: number) => AsyncTransaction<V, K> {
    let first = 0
    return attempt => {
      const tx = begin()
      if (attempt === 0) first = tx.id
      else tx.runAgain(first)
      return tx
    }
  }
}

/** Bytes that nobody else changes while they wait. */
const owned = <T>(given: T): T => (isBytes(given) ? (Uint8Array.prototype.slice.call(given) as T) : given)
