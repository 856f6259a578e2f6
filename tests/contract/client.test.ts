/** The contract of `AsyncStore`, kept by the client of a server, over a socket. */
import { connect } from '../../src/client/index.ts'
import { memoryStorage, open } from '../../src/index.ts'
import { createServer } from '../../src/server/index.ts'
import { pause } from '../support/child.ts'
import { isLong } from '../support/long.ts'
import { contract } from './async-store.ts'
import { type Implementation, inSub, remainsOf, type StoreOptions } from './implementation.ts'
import { declareIndexes } from './indexes.mjs'

const implementation: Implementation = {
  name: 'xenondb/client',
  async open<V>({ lockTimeout = 10_000, ordered = true, written = {}, indexed, ...encodings }: StoreOptions) {
    const db = open<Uint8Array>('db', {
      storage: memoryStorage(),
      keyEncoding: 'binary',
      valueEncoding: 'binary',
      ordered,
    })
    for (const [key, value] of Object.entries(written)) db.put(key, Buffer.from(value))
    if (indexed !== undefined) declareIndexes(db, indexed)
    const server = createServer(db, { port: 0, lockTimeout })
    const { port } = (await server.listen()) as { port: number }
    const client = await connect<V, string>({ port, ...encodings } as { port: number })
    return {
      store: client,
      async finish() {
        await client.close()
        // The server learns of the end of a connection a little later.
        for (let i = 0; i < 6000 && server.sessions.size > 0; i++) await pause(10)
        const remains = await remainsOf(db)
        await server.close()
        db.close()
        return remains
      },
    }
  },
}

contract(implementation)
if (isLong) contract(inSub(implementation))
