/** The indexes of `db.async`: those of the database, with promises. */
import { DecodeError, InvalidArgumentError } from '../errors.ts'
import { AsyncItems, type Items } from '../runtime/items.ts'
import type { GivenIndexRange, TupleKey } from '../types.ts'
import type { AsyncIndexReads } from '../values/async-index.ts'
import type { AsyncIndex, AsyncStoreTransaction } from '../values/async-store.ts'
import { Failed, Resumable } from '../values/failed-items.ts'
import type { IndexPage } from '../values/page.ts'
import { AsyncTransaction } from './async-transaction.ts'
import type { IndexReads } from './index-reads.ts'
import type { Transaction } from './transaction.ts'
import { TurningItems } from './turning-items.ts'

type Entry<V, K, IK> = [indexKey: IK, key: K, value: V]

/** What `in` of an index gives for a transaction, or for none. */
type ReadsOf<V, K, IK> = (tx: Transaction<unknown, unknown> | undefined) => IndexReads<V, K, IK>

/** Common to what sees everybody's changes and what a transaction sees. */
abstract class Promised<V, K, IK> implements AsyncIndexReads<V, K, IK> {
  protected abstract run<T>(work: (reads: IndexReads<V, K, IK>) => T): Promise<T>
  protected abstract items<T>(begin: (reads: IndexReads<V, K, IK>) => Items<T>): AsyncItems<T>

  get(indexKey: IK): Promise<V | undefined> {
    return this.run(reads => reads.get(indexKey))
  }

  entries(range?: GivenIndexRange<IK>): AsyncItems<Entry<V, K, IK>> {
    return this.items(reads => reads.entries(range))
  }

  keys(range?: GivenIndexRange<IK>): AsyncItems<[indexKey: IK, key: K]> {
    return this.items(reads => reads.keys(range))
  }

  page(range: GivenIndexRange<IK> | undefined, size: number, cursor?: string): Promise<IndexPage<V, K, IK>> {
    return this.run(reads => reads.page(range, size, cursor))
  }

  count(range?: GivenIndexRange<IK>): Promise<number> {
    return this.run(reads => reads.count(range))
  }
}

/** An index of `db.async`. */
export class LocalIndex<V, K, IK = TupleKey> extends Promised<V, K, IK> implements AsyncIndex<V, K, IK> {
  readonly name: string
  private readonly readsOf: ReadsOf<V, K, IK>

  constructor(name: string, readsOf: ReadsOf<V, K, IK>) {
    super()
    this.name = name
    this.readsOf = readsOf
  }

  in<S, T>(tx: AsyncStoreTransaction<S, T>): AsyncIndexReads<V, K, IK> {
    if (!(tx instanceof AsyncTransaction))
      throw new InvalidArgumentError(
        'in() takes a transaction of the same database, from begin or transact of its async',
      )
    return new InsideTransaction(tx as AsyncTransaction<unknown, unknown>, this.readsOf)
  }

  protected async run<T>(work: (reads: IndexReads<V, K, IK>) => T): Promise<T> {
    return work(this.readsOf(undefined))
  }

  protected items<T>(begin: (reads: IndexReads<V, K, IK>) => Items<T>): AsyncItems<T> {
    return new AsyncItems(new TurningItems(() => begin(this.readsOf(undefined))))
  }
}

/** It waits where the transaction meets a lock. */
export class InsideTransaction<V, K, IK> extends Promised<V, K, IK> {
  private readonly tx: AsyncTransaction<unknown, unknown>
  private readonly readsOf: ReadsOf<V, K, IK>

  constructor(tx: AsyncTransaction<unknown, unknown>, readsOf: ReadsOf<V, K, IK>) {
    super()
    this.tx = tx
    this.readsOf = readsOf
  }

  protected run<T>(work: (reads: IndexReads<V, K, IK>) => T): Promise<T> {
    return this.tx.attempt(tx => work(this.readsOf(tx)))
  }

  protected items<T>(begin: (reads: IndexReads<V, K, IK>) => Items<T>): AsyncItems<T> {
    return new Resumable(this.steps(begin))
  }

  private async *steps<T>(begin: (reads: IndexReads<V, K, IK>) => Items<T>): AsyncGenerator<T | Failed, undefined> {
    const items = await this.run(begin)
    try {
      for (;;) {
        const step = await this.tx.attempt(() => next(items))
        if (step.done) return undefined
        yield step.value
      }
    } finally {
      items.return()
    }
  }
}

/** The next item; behind one that cannot be decoded there may be others. */
const next = <T>(items: Items<T>): IteratorResult<T | Failed, undefined> => {
  try {
    return items.next()
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return { done: false, value: new Failed(error) }
  }
}
