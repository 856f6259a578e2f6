/** The contract of `AsyncStore`, kept by a shared store: in the process that owns the database, and in one that follows. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Database, open } from '../../src/index.ts'
import { openShared, type SharedOptions, type SharedStore } from '../../src/shared/index.ts'
import { isLong } from '../support/long.ts'
import { contract } from './async-store.ts'
import { type Implementation, inSub, remainsOf, type StoreOptions } from './implementation.ts'
import { declareIndexes } from './indexes.mjs'

const implementation = (role: 'owner' | 'follower'): Implementation => ({
  name: `xenondb/shared, the ${role}`,
  async open<V>({ written = {}, indexed, ...options }: StoreOptions) {
    const directory = mkdtempSync(join(tmpdir(), 'xenon-test-'))
    if (Object.keys(written).length > 0) {
      const db = open(directory, { ...options, valueEncoding: 'binary' })
      for (const [key, value] of Object.entries(written)) db.put(key, Buffer.from(value))
      db.close()
    }
    const onOpen = indexed === undefined ? undefined : (db: Database) => declareIndexes(db, indexed)
    const given = { ...options, onOpen, storedEncoding: 'ignore', durability: 'none' } as SharedOptions<V>
    const first = (await openShared(directory, given as object)) as unknown as SharedStore<V>
    const store =
      role === 'owner' ? first : ((await openShared(directory, given as object)) as unknown as SharedStore<V>)
    if (store.role !== role) throw new Error(`it is ${store.role}`)
    return {
      store,
      async finish() {
        await store.close()
        await first.close()
        const db = open(directory, { storedEncoding: 'ignore' })
        try {
          return await remainsOf(db)
        } finally {
          db.close()
          rmSync(directory, { recursive: true })
        }
      },
    }
  },
})

contract(implementation('owner'))
contract(inSub(implementation('follower')))
if (isLong) {
  contract(inSub(implementation('owner')))
  contract(implementation('follower'))
}
