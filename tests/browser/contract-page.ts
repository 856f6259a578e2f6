/** A page that runs the contract of `AsyncStore` over `openBrowser`: as the owner, and as one that follows. */
import { type BrowserStore, deleteDatabase, openBrowser } from '../../src/browser/index.ts'
import { contract } from '../contract/async-store.ts'
import { type Implementation, inSub, type StoreOptions } from '../contract/implementation.ts'
import { type Outcome, runAll } from './here/vitest.ts'

type Anything = BrowserStore<never>

const opened = (name: string, options: object): Promise<Anything> => openBrowser(name, options as never) as never

let databases = 0

const implementation = (role: 'owner' | 'follower'): Implementation => ({
  name: `xenondb/browser, the ${role}`,
  async open<V>({ written = {}, indexed, ...options }: StoreOptions) {
    // The worker declares the indexes (contract-worker.ts).
    const name = `db ${databases++}${indexed === undefined ? '' : `, indexes in ${indexed}`}`
    if (Object.keys(written).length > 0) {
      const store = await opened(name, { ...options, valueEncoding: 'binary', storedEncoding: 'ignore' })
      for (const [key, value] of Object.entries(written)) await store.put(key, new TextEncoder().encode(value) as never)
      await store.close()
    }
    const given = { ...options, storedEncoding: 'ignore', durability: 'process' }
    const first = await opened(name, given)
    const store = (role === 'owner' ? first : await opened(name, given)) as unknown as BrowserStore<V>
    if (store.role !== role) throw new Error(`it is ${store.role}`)
    return {
      store,
      async finish() {
        await store.close()
        await first.close()
        const again = await opened(name, given)
        const { problems } = await again.verify()
        const { transactions, snapshots } = await again.stats()
        await again.close()
        await deleteDatabase(name)
        return { problems, transactions: transactions.open, snapshots: snapshots.open }
      },
    }
  },
})

const runContract = (role: 'owner' | 'follower', isSub: boolean): Promise<Outcome> => {
  contract(isSub ? inSub(implementation(role)) : implementation(role))
  return runAll(30_000)
}

Object.assign(globalThis, { runContract, ready: true })
