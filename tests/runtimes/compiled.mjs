// What is made into one executable: a database, a server and a client. Prints how often it ran in this directory.
import { open } from 'xenondb'
import { connect } from 'xenondb/client'
import { createServer } from 'xenondb/server'

const db = open(process.argv.at(-1), { valueEncoding: 'json', compression: 'brotli' })
db.put('runs', (db.get('runs') ?? 0) + 1)
const server = createServer(db, { port: 0 })
const { port } = await server.listen()
const client = await connect({ port, valueEncoding: 'json' })
console.log(`runs: ${await client.get('runs')}`)
await client.close()
await server.close()
db.close()
