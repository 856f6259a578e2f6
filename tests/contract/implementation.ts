/** What the contract suite needs of an implementation of `AsyncStore`. */
import { expect } from 'vitest'
import type { AsyncStore, Database, KeyEncoding } from '../../src/index.ts'

export interface StoreOptions {
  valueEncoding?: 'utf8' | 'json' | 'binary'
  keyEncoding?: KeyEncoding
  ordered?: boolean
  /** Milliseconds that a call waits for a lock when it does not say. */
  lockTimeout?: number
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
  open<V>(options: StoreOptions): Promise<OpenStore<V>>
}

export const remainsOf = async <V>(db: Database<V>): Promise<Remains> => {
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
