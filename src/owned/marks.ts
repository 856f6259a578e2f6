/**
 * Marks of transactions: a record that a transaction writes beside its changes. When its owner has gone before it
 * answered the commit, the next owner has the mark, or has not: so nobody has to guess.
 *
 *   1. A mark is written by the transaction that it marks: both are there after a crash, or neither.
 *   2. Who asks for a mark reads it under a lock. The transaction may still be open, in an owner that was taken for dead:
 *      then it has the lock of the mark, and its end is waited for. Where there is no mark then there will be none.
 *   3. A record of a mark is used again only when it is known what became of its transaction.
 */
import type { WaitOptions } from '../types.ts'
import type { AsyncStore, AsyncStoreTransaction } from '../values/async-store.ts'
import { readBatch } from '../values/batch.ts'
import { checkedTtl } from '../values/ttl.ts'
import type { Waiting } from '../values/wait-options.ts'

/** The sub-database of the root that they lie in. */
export const MARKS = 'xenondb.marks'

/** Milliseconds that a mark is kept: as long as somebody may wait for the next owner, and ask for it. */
const KEPT_MS = 86_400_000

export interface Mark {
  readonly key: string
  readonly value: string
}

/** What changes the records of a store. */
type Changing<V, K> = Pick<AsyncStore<V, K>, 'put' | 'delete' | 'batch' | 'expire' | 'persist' | 'clear'>

/** A change, in a store or in a transaction, which gets no options of waiting. */
export type ChangeWork<V, K, O, T> = (to: Changing<V, K>, options: O | undefined) => Promise<T>

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

  /** Does a change in a transaction of its own, which has a mark. */
  async change<V, K, O extends WaitOptions, T>(
    space: Pick<AsyncStore<V, K>, 'transact'>,
    work: ChangeWork<V, K, O, T>,
    check: (options: O) => Waiting & { readonly ttl?: number | undefined },
    options: O | undefined,
  ): Promise<T> {
    const { signal, lockTimeout, ttl } = check((options ?? {}) as O)
    const given = ttl === undefined ? undefined : ({ ttl } as unknown as O)
    const waiting = { signal, lockTimeout, retries: Number.POSITIVE_INFINITY }
    return await space.transact(tx => work(withBatch(tx), given), waiting)
  }
}

/** What a transaction lacks of a store to do its changes. */
const withBatch = <V, K>(tx: AsyncStoreTransaction<V, K>): Changing<V, K> => ({
  put: (key, value, options) => tx.put(key, value, options),
  delete: key => tx.delete(key),
  expire: (key, ttl) => tx.expire(key, ttl),
  persist: key => tx.persist(key),
  clear: range => tx.clear(range),
  async batch(operations) {
    const changes = readBatch(operations, ttl => (ttl === Number.POSITIVE_INFINITY ? 0 : checkedTtl(ttl)))
    for (const { isPut, key, value, ttl } of changes)
      if (isPut) await tx.put(key, value as V, ttl === 0 ? {} : { ttl })
      else await tx.delete(key)
  },
})
