/**
 * For the benchmark `explorer`: a process of its own with a database of many blocks, which it shows, and into which it
 * puts so many records a second. It tells its parent the address, and each second what it has done.
 */
import { Explorer } from '../src/explorer/api.ts'
import { serveExplorer } from '../src/explorer/http.ts'
import { nodeStorage, open } from '../src/index.ts'
import { Random } from './support/random.ts'

const TICK_MS = 10
/** Blocks of a value that is only there to make the file large. */
const BULK_BYTES = 262_144
const RECORDS = 200_000
const VALUE = 'v'.repeat(100)

const [directory = '', blocksGiven = '0', rateGiven = '0'] = process.argv.slice(2)
const blocks = Number(blocksGiven)
const rate = Number(rateGiven)
const bytes = (text: string): Buffer => Buffer.from(text)

const db = open<Uint8Array>(directory, {
  keyEncoding: 'binary',
  valueEncoding: 'binary',
  durability: 'process',
  compression: 'none',
  cacheBytes: 256 * 1048576,
})
for (let first = 0; first < RECORDS; first += 10_000)
  db.transaction(tx => {
    for (let i = first; i < first + 10_000; i++) tx.put(bytes(`record/${i}`), bytes(`${i} ${VALUE}`))
  })
const bulk = Buffer.alloc(BULK_BYTES, 1)
for (let i = 0; db.stats().blocks.total < blocks; i++) db.put(bytes(`bulk/${i}`), bulk)

const explorer = new Explorer({ directory, storage: nodeStorage, db, writable: false })
const server = await serveExplorer(explorer, 0)
process.send!({ url: server.url, blocks: db.stats().blocks.total })

const random = new Random(1)
let done = 0
let due = 0
let last = performance.now()
const tick = (): void => {
  const now = performance.now()
  due += ((now - last) * rate) / 1000
  last = now
  // What a machine that is too busy cannot do is not made up for later.
  due = Math.min(due, rate / 4)
  for (; due >= 1; due--, done++) db.put(bytes(`record/${random.below(RECORDS)}`), bytes(`${done} ${VALUE}`))
}
const puts = setInterval(tick, TICK_MS)
const told = setInterval(() => {
  const { rss, heapUsed } = process.memoryUsage()
  process.send!({ done, rss, heapUsed })
}, 1000)

process.once('message', async () => {
  clearInterval(puts)
  clearInterval(told)
  await server.close()
  await explorer.close()
  db.close()
  process.disconnect()
})
