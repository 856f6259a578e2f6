// A worker thread that owns a database in memory: serves one port, and says at the end what is left.
import { parentPort, workerData } from 'node:worker_threads'
import { memoryStorage, open } from '../../dist/index.js'
import { servePort } from '../../dist/worker/index.js'

const { options, port } = workerData
const db = open('db', { storage: memoryStorage(), ...options })
servePort(db, port)
parentPort.once('message', async () => {
  const { problems } = await db.verify()
  const { transactions, snapshots } = db.stats()
  db.close()
  parentPort.postMessage({ problems, transactions: transactions.open, snapshots: snapshots.open })
})
