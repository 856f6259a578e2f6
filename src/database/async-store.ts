/**
 * `db.async`: the asynchronous face of a database of this process. Each change is tried at once, as a transaction of
 * its own, which costs no more than the synchronous one. Only if a lock is in the way it becomes an asynchronous
 * transaction, which stands in line for that lock.
 */

import { LockConflictError } from '../errors.ts'
import type { RangeIterator } from '../records/range-iterator.ts'
import type { Store } from '../records/store.ts'
import { isBytes } from '../runtime/bytes.ts'
import { nextTurn } from '../runtime/timers.ts'
import { Admission } from '../txn/admission.ts'
import type {
  AsyncPutOptions,
  AsyncTransactionOptions,
  BatchOperation,
  IsolationLevel,
  Key,
  PutOptions,
  Range,
  TransactionOptions,
  TransactOptions,
  WaitOptions,
  WatchOptions,
} from '../types.ts'
import type { AsyncStore } from '../values/async-store.ts'
import { type BatchChange, readBatch } from '../values/batch.ts'
import { runTransaction } from '../values/transact.ts'
import { checkedTtl } from '../values/ttl.ts'
import { checkedBeginning, checkedPut, checkedRuns, checkedWaiting, type Waiting } from '../values/wait-options.ts'
import type { Watcher } from '../values/watcher.ts'
import { AsyncTransaction } from './async-transaction.ts'
import type { Transaction } from './transaction.ts'

/** The database, as far as it is called here. */
export interface Synchronous<V> {
  get(key: Key): V | undefined
  getMany(keys: readonly Key[]): (V | undefined)[]
  has(key: Key): boolean
  ttl(key: Key): number | undefined
  count(range?: Range | Key): number
  keys(range?: Range | Key): RangeIterator<string, V, string>
  values(range?: Range | Key): RangeIterator<V, V, string>
  entries(range?: Range | Key): RangeIterator<[string, V], V, string>
  begin(options?: TransactionOptions): Transaction<V>
  watch(range?: Range | Key, options?: WatchOptions): Watcher<V>
  flush(): Promise<void>
  close(): void
  readonly closed: boolean
}

/**
 * What it does not show to everybody: changes that are committed when they return, and durable when `durableSoon`
 * resolves.
 */
export interface Changes<V> {
  readonly store: Store<V>
  readonly lockTimeout: number
  check(): void
  checkWritable(): void
  ttlOf(options: PutOptions): number
  apply(changes: readonly BatchChange<V>[]): void
  changeExpiry(key: Key, ttl: number): boolean
  clear(range: Range | Key | undefined): void
  /** Removes all records inside a transaction, without the ordered index. */
  clearInside(tx: Transaction<V>): void
  durableSoon(): Promise<void>
}

/** Records that an iterator gives out before others have a turn of the event loop. */
const A_TURN = 1000

export class AsyncDatabase<V = string> implements AsyncStore<V> {
  private readonly db: Synchronous<V>
  private readonly changes: Changes<V>
  private readonly admission: Admission = new Admission(nextTurn)

  /** @internal Use `Database.async`. */
  constructor(db: Synchronous<V>, changes: Changes<V>) {
    this.db = db
    this.changes = changes
  }

  async get(key: Key): Promise<V | undefined> {
    return this.db.get(key)
  }

  async getMany(keys: readonly Key[]): Promise<(V | undefined)[]> {
    return this.db.getMany(keys)
  }

  async has(key: Key): Promise<boolean> {
    return this.db.has(key)
  }

  async ttl(key: Key): Promise<number | undefined> {
    return this.db.ttl(key)
  }

  async count(range?: Range | Key): Promise<number> {
    return this.db.count(range)
  }

  /** All commits of one turn of the event loop share a write and an fdatasync. */
  put(key: Key, value: V, options?: AsyncPutOptions): Promise<void> {
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
      changes.store.writer.put(key, value, changes.store.writer.timeAfter(ttl))
    } catch (error) {
      return this.behind(error, waiting, () => {
        const [mine, put] = [owned(key), owned(value)]
        return tx => tx.put(mine, put, ttl === 0 ? undefined : { ttl })
      })
    }
    return changes.durableSoon()
  }

  delete(key: Key, options?: WaitOptions): Promise<boolean> {
    return this.change(
      options,
      () => {
        const { removed, found } = this.changes.store.writer.delete(key)
        return { result: found, changed: removed }
      },
      () => {
        const mine = owned(key)
        return tx => tx.delete(mine)
      },
    )
  }

  batch(operations: readonly BatchOperation<V>[], options?: WaitOptions): Promise<void> {
    const { changes } = this
    let read: readonly BatchChange<V>[] = []
    return this.change(
      options,
      () => {
        read = readBatch(operations, ttl => changes.ttlOf({ ttl }))
        changes.apply(read)
        return { result: undefined, changed: true }
      },
      () => {
        const mine = read.map(each => ({ ...each, key: owned(each.key), value: owned(each.value) }))
        return async tx => {
          for (const { isPut, key, value, ttl } of mine)
            if (isPut) await tx.put(key, value as V, ttl === 0 ? undefined : { ttl })
            else await tx.delete(key)
        }
      },
    )
  }

  expire(key: Key, ttl: number, options?: WaitOptions): Promise<boolean> {
    return this.change(
      options,
      () => this.changedExpiry(key, this.changes.ttlOf({ ttl: checkedTtl(ttl) })),
      () => {
        const mine = owned(key)
        return tx => tx.expire(mine, ttl)
      },
    )
  }

  persist(key: Key, options?: WaitOptions): Promise<boolean> {
    return this.change(
      options,
      () => this.changedExpiry(key, 0),
      () => {
        const mine = owned(key)
        return tx => tx.persist(mine)
      },
    )
  }

  clear(range?: Range | Key, options?: WaitOptions): Promise<void> {
    const { changes } = this
    const { ordered } = changes.store.engine.metadata
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

  keys(range?: Range | Key): AsyncGenerator<string, undefined> {
    return iterate(() => this.db.keys(range))
  }

  values(range?: Range | Key): AsyncGenerator<V, undefined> {
    return iterate(() => this.db.values(range))
  }

  entries(range?: Range | Key): AsyncGenerator<[string, V], undefined> {
    return iterate(() => this.db.entries(range))
  }

  [Symbol.asyncIterator](): AsyncGenerator<[string, V], undefined> {
    return this.entries()
  }

  async begin(options: AsyncTransactionOptions = {}): Promise<AsyncTransaction<V>> {
    return this.beginNow(options)
  }

  /** @internal The same at once. */
  beginNow(options: AsyncTransactionOptions): AsyncTransaction<V> {
    this.changes.check()
    const { isolation, readOnly, ...waiting } = checkedBeginning(options)
    return this.transaction(waiting, { isolation, readOnly })
  }

  async transact<T>(work: (tx: AsyncTransaction<V>) => Promise<T> | T, options: TransactOptions = {}): Promise<T> {
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

  async watch(range?: Range | Key, options: WatchOptions = {}): Promise<Watcher<V>> {
    return this.db.watch(range, options)
  }

  async flush(): Promise<void> {
    await this.db.flush()
  }

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
    later: () => (tx: AsyncTransaction<V>) => Promise<T>,
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

  private changedExpiry(key: Key, ttl: number): { result: boolean; changed: boolean } {
    const changed = this.changes.changeExpiry(key, ttl)
    return { result: changed, changed }
  }

  /** What was tried has failed; if for a lock, it is done in a transaction that stands in line for it from now on. */
  private async behind<T>(
    error: unknown,
    waiting: Waiting | undefined,
    later: () => (tx: AsyncTransaction<V>) => Promise<T>,
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

  private transaction({ signal, lockTimeout }: Waiting, options: TransactionOptions): AsyncTransaction<V> {
    const { changes, db } = this
    const { waits } = changes.store.engine.transactions
    return new AsyncTransaction(db.begin(options), waits, lockTimeout ?? changes.lockTimeout, signal)
  }

  /** One transaction after the other, each as old as the first. */
  private attempts(begin: () => AsyncTransaction<V>): (attempt: number) => AsyncTransaction<V> {
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

async function* iterate<T, V>(begin: () => RangeIterator<T, V, string>): AsyncGenerator<T, undefined> {
  const items = begin()
  try {
    for (let given = 1; ; given++) {
      const step = items.next()
      if (step.done === true) return undefined
      yield step.value
      if (given % A_TURN === 0) await new Promise<void>(nextTurn)
    }
  } finally {
    items.return()
  }
}
