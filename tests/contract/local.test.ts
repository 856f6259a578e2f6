/** The contract of `AsyncStore`, kept by `db.async`. */
import { memoryStorage, open } from '../../src/index.ts'
import { isLong } from '../support/long.ts'
import { contract } from './async-store.ts'
import { type Implementation, inSub, remainsOf, type StoreOptions } from './implementation.ts'
import { declareIndexes } from './indexes.mjs'

const implementation: Implementation = {
  name: 'db.async',
  async open<V>({ written = {}, indexed, ...options }: StoreOptions) {
    const storage = memoryStorage()
    const before = open('db', { storage, valueEncoding: 'utf8', ...(options.ordered === false && { ordered: false }) })
    for (const [key, value] of Object.entries(written)) before.put(key, value)
    before.close()
    const db = open<V, string>('db', { storage, storedEncoding: 'replace', ...options })
    if (indexed !== undefined) declareIndexes(db, indexed)
    return {
      store: db.async,
      async finish() {
        const found = db.closed ? undefined : await remainsOf(db)
        await db.async.close()
        if (found !== undefined) return found
        // The store that was closed was the database.
        const again = open<V, string>('db', { storage, ...options })
        const remains = await remainsOf(again)
        again.close()
        return remains
      },
    }
  },
}

contract(implementation)
if (isLong) contract(inSub(implementation))
