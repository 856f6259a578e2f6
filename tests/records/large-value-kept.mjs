// Prints, for each way to handle a value of 12 MiB, how many MiB of buffers are left of it. Imports the built package.

import { connect } from '../../dist/client/index.js'
import { open } from '../../dist/index.js'
import { createServer } from '../../dist/server/index.js'

const SIZE = 12 * 2 ** 20
const directory = process.argv[2]
const options = { durability: 'none', cacheBytes: 2 ** 20, checkpointBytes: 2 ** 20 }
const settle = async () => {
  for (let i = 0; i < 3; i++) {
    gc()
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}
const used = async () => {
  await settle()
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return (arrayBuffers + heapUsed) / 2 ** 20
}
const text = () => 'x'.repeat(SIZE)
const bytes = () => new Uint8Array(SIZE)
const quietly = work => {
  try {
    work()
  } catch {}
}

const utf8 = open(`${directory}/utf8`, options)
const json = open(`${directory}/json`, { ...options, valueEncoding: 'json' })
const binary = open(`${directory}/binary`, { ...options, valueEncoding: 'binary', keyEncoding: 'binary' })
const packed = open(`${directory}/packed`, {
  ...options,
  compression: { name: 'none', compress: given => given.slice(1), decompress: given => given },
})
const cursor = binary.cursor()
const server = createServer(binary, { port: 0 })
const { port } = await server.listen()
const client = await connect({ port, valueEncoding: 'binary' })

const ways = {
  put: () => utf8.put('k', text()),
  json: () => json.put('k', text()),
  binary: () => binary.put('k', bytes()),
  compressed: () => packed.put('k', text()),
  transaction: () => utf8.transaction(tx => tx.put('k', text())),
  batch: () => utf8.batch([{ type: 'put', key: 'k', value: text() }]),
  async: () => utf8.async.put('k', text()),
  'refused key': () => quietly(() => utf8.put('k'.repeat(2000), text())),
  'refused key in a transaction': () => quietly(() => utf8.transaction(tx => tx.put('', text()))),
  get: () => void utf8.get('k'),
  'cursor to its end': () => {
    cursor.reset()
    while (cursor.next()) cursor.readCurrent()
  },
  'built-in cursor': () => {
    for (utf8.reset(); utf8.next(); ) utf8.readCurrent()
  },
  iterator: () => {
    for (const _ of utf8.values());
  },
  snapshot: () => {
    const snapshot = utf8.snapshot()
    snapshot.get('k')
    snapshot.close()
  },
  client: async () => {
    await client.get('k')
    await client.put('l', bytes())
    await client.delete('l')
  },
}
const report = {}
utf8.put('k', 'small')
const before = await used()
for (const [name, work] of Object.entries(ways)) {
  await work()
  report[name] = Math.round((await used()) - before)
}
console.log(JSON.stringify(report))
await client.close()
await server.close()
for (const db of [utf8, json, binary, packed]) db.close()
