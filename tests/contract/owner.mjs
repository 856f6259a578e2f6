// A worker thread that owns databases in memory: opens one and serves it on a port, and says at its end what is left of
// it.
import { parentPort } from 'node:worker_threads'
import { memoryStorage, open } from '../../dist/index.js'
import { servePort } from '../../dist/worker/index.js'
import { declareIndexes } from './indexes.mjs'

const databases = new Map()

parentPort.on('message', async ({ id, options, port }) => {
  if (port !== undefined) {
    const { written = {}, indexed, ...others } = options
    const storage = memoryStorage()
    const before = open('db', { storage, ...(others.ordered === false && { ordered: false }) })
    for (const [key, value] of Object.entries(written)) before.put(key, value)
    before.close()
    const db = open('db', { storage, storedEncoding: 'replace', ...others })
    if (indexed !== undefined) declareIndexes(db, indexed)
    databases.set(id, db)
    servePort(db, port)
    return
  }
  const db = databases.get(id)
  databases.delete(id)
  const { problems } = await db.verify()
  const { transactions, snapshots } = db.stats()
  db.close()
  parentPort.postMessage({ problems, transactions: transactions.open, snapshots: snapshots.open })
})
