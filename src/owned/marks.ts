/**
 * Marks of transactions: a record that a transaction writes beside its changes. When its owner has gone before it
 * answered the commit, the next owner has the mark, or has not: so nobody has to guess.
 *
 *   1. A mark is written by the transaction that it marks: both are there after a crash, or neither.
 *   2. Who asks for a mark reads it under a lock. The transaction may still be open, in an owner that was taken for dead:
 *      then it has the lock of the mark, and its end is waited for. Where there is no mark then there will be none.
 *   3. A record of a mark is used again only when it is known what became of its transaction.
 */
import type { BatchOperation } from '../types.ts'
import type { AsyncStore, AsyncStoreTransaction } from '../values/async-store.ts'
import { readBatch } from '../values/batch.ts'
import { checkedTtl } from '../values/ttl.ts'

/** The sub-database of the root that they lie in. */
export const MARKS = 'xenondb.marks'

/** Milliseconds that a mark is kept: as long as somebody may wait for the next owner, and ask for it. */
const KEPT_MS = 86_400_000

export interface Mark {
  readonly key: string
  readonly value: string
}

export type MarkStore = AsyncStore<string, string>

/** The root of a database, as an owner gives it. */
interface Rooted {
  readonly store: AsyncStore<unknown, unknown>
}

export class Marks {
  /** No other store has the same, nor had one before. */
  private readonly id: string = globalThis.crypto.randomUUID()
  private readonly free: string[] = []
  private keys = 0
  private values = 0
  private readonly stores: WeakMap<Rooted, Promise<MarkStore>> = new WeakMap()

  /** One for a transaction: as many records as there are transactions at a time. */
  take(): Mark {
    return { key: this.free.pop() ?? `${this.id}/${this.keys++}`, value: `${this.values++}` }
  }

  /** It is known what became of the transaction. */
  giveBack(mark: Mark): void {
    this.free.push(mark.key)
  }

  /** Where they lie, made if there is no such sub-database. To be called before the transaction begins. */
  storeIn(target: Rooted): Promise<MarkStore> {
    const known = this.stores.get(target)
    if (known !== undefined) return known
    const store = target.store.sub(MARKS, { keyEncoding: 'utf8', valueEncoding: 'utf8' }) as Promise<MarkStore>
    this.stores.set(target, store)
    store.catch(() => this.stores.delete(target))
    return store
  }

  /** Marks a transaction, which is to be committed next. */
  put(tx: AsyncStoreTransaction<unknown, unknown>, store: MarkStore, { key, value }: Mark): Promise<void> {
    return tx.in<string, string>(store).put(key, value, { ttl: KEPT_MS })
  }

  /** Whether the transaction was committed that had this mark, and was about to be. */
  async isCommitted(store: MarkStore, { key, value }: Mark): Promise<boolean> {
    return (await store.transact(tx => tx.get(key))) === value
  }

  /** The operations of a batch, one after the other, since a transaction has no batches. */
  async batch<V, K>(tx: AsyncStoreTransaction<V, K>, operations: readonly BatchOperation<V, K>[]): Promise<void> {
    const changes = readBatch(operations, ttl => (ttl === Number.POSITIVE_INFINITY ? 0 : checkedTtl(ttl)))
    for (const { isPut, key, value, ttl } of changes)
      if (isPut) await tx.put(key, value as V, ttl === 0 ? {} : { ttl })
      else await tx.delete(key)
  }
}
