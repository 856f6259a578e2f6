/**
 * A transaction that waits for locks, so that any number of them can be open at a time. Each operation is tried; if a
 * lock of another transaction stands in the way it waits for that, and is then tried again from the beginning, since
 * everything may have changed meanwhile.
 */

import { DeadlockError, InvalidArgumentError, LockConflictError } from '../errors.ts'
import type { RangeReader } from '../records/range-reader.ts'
import type { IteratorKind } from '../records/ranges.ts'
import { showAs } from '../runtime/inspecting.ts'
import type { AsyncItems } from '../runtime/items.ts'
import type { Waits } from '../txn/waits.ts'
import type { GivenRange, IsolationLevel, Key, PutOptions } from '../types.ts'
import type { AsyncStore, AsyncStoreTransaction } from '../values/async-store.ts'
import { Failed, Resumable } from '../values/failed-items.ts'
import { asyncPage, type Page, pageRequest } from '../values/page.ts'
import type { Attempt } from '../values/transact.ts'
import type { InTransactions, Savepoint, Transaction } from './transaction.ts'

/** A transaction of `db.async`: its operations wait for locks. */
export class AsyncTransaction<V = string, K = string> implements AsyncStoreTransaction<V, K>, Attempt {
  static {
    showAs('AsyncTransaction', AsyncTransaction, ({ id, isolation, ended }) => ({ id, isolation, ended }))
  }

  private readonly tx: Transaction<V, K>
  private readonly waits: Waits
  private readonly lockTimeout: number
  private readonly signal: AbortSignal | undefined
  /** @internal Why it was rolled back, if it was picked to end a deadlock. */
  deadlock: DeadlockError | undefined
  /** It was rolled back by its signal. */
  private aborted = false
  private waiting = 0

  /** The same transaction in the key space where it was begun. */
  private readonly first: AsyncTransaction<unknown, unknown>

  /** @internal Use `begin` or `transact` of `Database.async`. */
  constructor(
    tx: Transaction<V, K>,
    waits: Waits,
    lockTimeout: number,
    signal: AbortSignal | undefined,
    first?: AsyncTransaction<unknown, unknown>,
  ) {
    this.tx = tx
    this.waits = waits
    this.lockTimeout = lockTimeout
    this.signal = signal
    this.first = first ?? (this as AsyncTransaction<unknown, unknown>)
    if (first !== undefined) return
    tx.state.waits = true
    signal?.addEventListener('abort', this.onAbort, { once: true })
  }

  /**
   * The same transaction in another key space: the database, or any of its sub-databases. What it does there is
   * committed and rolled back with the rest, whichever of the two says so.
   * @throws InvalidArgumentError for a key space of another database.
   */
  in<S, T>(space: InTransactions<S, T> | AsyncStore<S, T>): AsyncTransaction<S, T> {
    const { waits, lockTimeout, signal, first } = this
    return new AsyncTransaction<S, T>(this.tx.in(space as InTransactions<S, T>), waits, lockTimeout, signal, first)
  }

  /** Its number: a later transaction has a higher one. */
  get id(): number {
    return this.tx.id
  }

  /** That which it was begun with. */
  get isolation(): IsolationLevel {
    return this.tx.isolation
  }

  /** True once it was committed or rolled back; a deadlock rolls it back too. */
  get ended(): boolean {
    return this.tx.ended
  }

  get(key: K | Key): Promise<V | undefined> {
    return this.run(() => this.tx.get(key))
  }

  async getMany(keys: readonly (K | Key)[]): Promise<(V | undefined)[]> {
    if (!Array.isArray(keys)) throw new InvalidArgumentError('getMany() takes an array of keys')
    const values: (V | undefined)[] = []
    for (const key of keys as readonly (K | Key)[]) values.push(await this.get(key))
    return values
  }

  has(key: K | Key): Promise<boolean> {
    return this.run(() => this.tx.has(key))
  }

  /** Milliseconds until a record expires: `Infinity` if it never does, `undefined` if there is none. */
  ttl(key: K | Key): Promise<number | undefined> {
    return this.run(() => this.tx.ttl(key))
  }

  put(key: K | Key, value: V, options?: PutOptions): Promise<void> {
    return this.run(() => this.tx.put(key, value, options))
  }

  delete(key: K | Key): Promise<boolean> {
    return this.run(() => this.tx.delete(key))
  }

  expire(key: K | Key, ttl: number): Promise<boolean> {
    return this.run(() => this.tx.expire(key, ttl))
  }

  persist(key: K | Key): Promise<boolean> {
    return this.run(() => this.tx.persist(key))
  }

  /** The keys of a range, in order. Waits for locks as it goes on. */
  keys(range?: GivenRange<K>): AsyncItems<K> {
    return this.iterate(range, 'keys', (reader, at) => reader.keys[at]!)
  }

  values(range?: GivenRange<K>): AsyncItems<V> {
    return this.iterate(range, 'values', (reader, at) => reader.values[at]!)
  }

  entries(range?: GivenRange<K>): AsyncItems<[K, V]> {
    return this.iterate(range, 'entries', (reader, at) => [reader.keys[at]!, reader.values[at]!])
  }

  async page(range: GivenRange<K> | undefined, size: number, cursor?: string): Promise<Page<V, K>> {
    const request = pageRequest<V, K>(range, size, cursor, this.tx.codec)
    return await asyncPage(
      request,
      given => this.entries(given),
      key => this.has(key),
    )
  }

  async count(range?: GivenRange<K>): Promise<number> {
    let count = 0
    for await (const _ of this.keys(range)) count++
    return count
  }

  /** Removes the records of a range, as one operation: if it fails, none is removed. */
  clear(range?: GivenRange<K>): Promise<void> {
    return this.run(() => this.tx.clear(range))
  }

  savepoint(): Promise<Savepoint> {
    return this.run(() => this.tx.savepoint())
  }

  rollbackTo(savepoint: Savepoint): Promise<void> {
    return this.run(() => this.tx.rollbackTo(savepoint))
  }

  /** Makes all changes permanent; resolves when they are as durable as the database's `durability` says. */
  async commit(): Promise<void> {
    this.requireIdle()
    if (this.first.aborted) this.signal?.throwIfAborted()
    try {
      await this.tx.commitSoon()
    } finally {
      this.forget()
    }
  }

  /** Takes back everything. */
  async rollback(): Promise<void> {
    this.requireIdle()
    this.tx.rollback()
    this.forget()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.abandon()
  }

  /** @internal Gives up the transaction to somebody who ends it in its place. */
  yield(): Transaction<V, K> {
    this.requireIdle()
    this.requireStanding()
    this.forget()
    return this.tx
  }

  /** @internal Rolls back if it is still open. */
  abandon(): void {
    this.tx[Symbol.dispose]()
    this.forget()
  }

  /** @internal Runs several operations as one, and all of them again after it had to wait for a lock. */
  together<T>(work: (tx: Transaction<V, K>) => T): Promise<T> {
    return this.run(() => {
      const before = this.tx.savepoint()
      try {
        return work(this.tx)
      } catch (error) {
        if (!this.tx.ended) this.tx.rollbackTo(before)
        throw error
      }
    })
  }

  /**
   * @internal The work of an earlier transaction, run again: as old as that one, so that it will be the oldest in the
   * end, and with exclusive locks on the records it reads, since two that read a record and then write it would meet in
   * the same deadlock again.
   */
  runAgain(first: number): void {
    const { state } = this.tx
    state.age = first
    state.readsToWrite = true
  }

  /** @internal Whoever has caught the error of an operation has not caught what it meant. */
  requireStanding(): void {
    const { deadlock, aborted } = this.first
    if (deadlock !== undefined) throw deadlock
    if (aborted) this.signal?.throwIfAborted()
  }

  /** @internal Runs one operation, and again after it had to wait for a lock. */
  attempt<T>(work: (tx: Transaction<V, K>) => T): Promise<T> {
    return this.run(() => work(this.tx))
  }

  private run<T>(operation: () => T): Promise<T> {
    if (this.signal?.aborted !== true) {
      try {
        return Promise.resolve(operation())
      } catch (error) {
        if (!(error instanceof LockConflictError) || error.conflict === undefined) return Promise.reject(error)
        return this.runAfter(error.conflict, operation)
      }
    }
    this.abort()
    return Promise.reject(this.signal.reason)
  }

  /** Waits, and tries again as often as it takes. */
  private async runAfter<T>(conflict: NonNullable<LockConflictError['conflict']>, operation: () => T): Promise<T> {
    for (let met = conflict; ; ) {
      await this.wait(met)
      // Another operation of this transaction may have been picked meanwhile.
      this.requireStanding()
      if (this.signal?.aborted === true) {
        this.abort()
        throw this.signal.reason
      }
      try {
        return operation()
      } catch (error) {
        if (!(error instanceof LockConflictError) || error.conflict === undefined) throw error
        met = error.conflict
      }
    }
  }

  private async wait(conflict: NonNullable<LockConflictError['conflict']>): Promise<void> {
    this.first.waiting++
    try {
      await this.waits.wait(this.tx.state, conflict, this.lockTimeout, this.signal)
    } catch (error) {
      if (error instanceof DeadlockError) {
        this.first.deadlock = error
        this.abandon()
      } else if (this.signal?.aborted === true) this.abort()
      throw error
    } finally {
      this.first.waiting--
    }
  }

  private iterate<T>(
    range: GivenRange<K> | undefined,
    kind: IteratorKind,
    item: (reader: RangeReader<V, K>, at: number) => T,
  ): AsyncItems<T> {
    return new Resumable(this.items(range, kind, item))
  }

  private async *items<T>(
    range: GivenRange<K> | undefined,
    kind: IteratorKind,
    item: (reader: RangeReader<V, K>, at: number) => T,
  ): AsyncGenerator<T | Failed, undefined> {
    const { reader, owner } = await this.run(() => this.tx.reader(range, kind))
    try {
      for (;;) {
        const more = await this.run(() => {
          owner.check()
          return reader.loadMore()
        })
        if (!more) return undefined
        for (let at = 0; at < reader.size; at++) {
          let failed: Failed | undefined
          try {
            if (!reader.isThere(at)) continue
          } catch (error) {
            failed = new Failed(error)
          }
          yield failed ?? item(reader, at)
        }
        reader.drop()
      }
    } finally {
      owner.end()
    }
  }

  private readonly onAbort = (): void => {
    // What waits is rejected by the signal itself; a transaction that does nothing must not keep its locks either.
    if (this.first.waiting === 0) this.abort()
  }

  private abort(): void {
    if (this.tx.ended) return
    this.first.aborted = true
    this.abandon()
  }

  private requireIdle(): void {
    if (this.first.waiting > 0)
      throw new InvalidArgumentError(
        'an operation of the transaction is still waiting for a lock; await it before the end of the transaction',
      )
  }

  private forget(): void {
    this.signal?.removeEventListener('abort', this.first.onAbort)
  }
}
