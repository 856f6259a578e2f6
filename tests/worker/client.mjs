// A worker thread that uses the database of another one, as `workerData.task` says, and tells how far it is.
import { parentPort, workerData } from 'node:worker_threads'
import { PortDatabase } from '../../dist/worker/index.js'

const { task, port } = workerData
const db = new PortDatabase(port)

const tasks = {
  async add() {
    for (let i = 0; i < 50; i++) await db.transact(async tx => tx.put('counter', ((await tx.get('counter')) ?? 0) + 1))
    await db.close()
  },
  // Holds a lock, waits for another one, reads, and watches, until it is terminated.
  async hold() {
    const tx = await db.begin()
    await tx.put('a', 1)
    const watcher = await db.watch()
    const keys = db.keys()
    await keys.next()
    db.put('b', 2)
    parentPort.postMessage('holds')
    for await (const _ of watcher);
    await keys.return()
  },
}

await tasks[task]()
