/** What the contract suite needs of an implementation of `AsyncStore`. */
import { expect } from 'vitest'
import type { AsyncStore, Database, KeyEncoding, SubEncodings } from '../../src/index.ts'

export interface StoreOptions {
  valueEncoding?: 'utf8' | 'json' | 'binary'
  keyEncoding?: KeyEncoding
  ordered?: boolean
  /** Milliseconds that a call waits for a lock when it does not say. */
  lockTimeout?: number
  /** Declares the indexes of `indexes.mjs`, in the root, or in a sub-database of this name. Values are JSON. */
  indexed?: string
  /** Texts that lie under keys already, whatever the value encoding. Not in a sub-database. */
  written?: Readonly<Record<string, string>>
}

/** What the owner of the database finds when the store has been used. */
export interface Remains {
  problems: readonly string[]
  transactions: number
  snapshots: number
}

export interface OpenStore<V> {
  readonly store: AsyncStore<V>
  /** Closes the store, looks at the database, and closes that. */
  finish(): Promise<Remains>
}

export interface Implementation {
  readonly name: string
  /** The store is a sub-database: closing it does nothing. */
  readonly isSub?: boolean
  /**
   * The store is one slot of a cluster: there are no sub-databases and no feed of its changes, closing it does nothing,
   * and what waits for a lock keeps waiting what is sent to the same node behind it.
   */
  readonly isOneSlot?: boolean
  open<V>(options: StoreOptions): Promise<OpenStore<V>>
}

/** The same with a sub-database in place of the database. */
export const inSub = ({ name, open }: Implementation): Implementation => ({
  name: `${name}, a sub-database`,
  isSub: true,
  async open<V>({ ordered, lockTimeout, indexed, ...encodings }: StoreOptions) {
    const { store, finish } = await open<string>({
      ...(ordered !== undefined && { ordered }),
      ...(lockTimeout !== undefined && { lockTimeout }),
      ...(indexed !== undefined && { indexed: 'sub' }),
    })
    // What lies beside it has the same keys.
    await store.put('a', 'root')
    const sub = await store.sub<V>('sub', encodings as SubEncodings<V>)
    return {
      store: sub,
      async finish() {
        if (!store.closed) expect(await store.get('a')).toBe('root')
        return await finish()
      },
    }
  },
})

export const remainsOf = async <V, K>(db: Database<V, K>): Promise<Remains> => {
  const { problems } = await db.verify()
  const { transactions, snapshots } = db.stats()
  return { problems, transactions: transactions.open, snapshots: snapshots.open }
}

/** Runs `body` with a store of its own, and sees that nothing of it is left open. */
export const withStore = async <V = string>(
  implementation: Implementation,
  options: StoreOptions,
  body: (store: AsyncStore<V>) => Promise<unknown>,
): Promise<void> => {
  const { store, finish } = await implementation.open<V>(options)
  let failure: unknown
  try {
    await body(store)
  } catch (error) {
    failure = error
  }
  const remains = await finish()
  if (failure !== undefined) throw failure
  expect(remains).toEqual({ problems: [], transactions: 0, snapshots: 0 })
}
