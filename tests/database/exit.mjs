// Writes and ends without closing, in the way that it is told. Imports the built package.
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import { open } from '../../dist/index.js'

const [directory, way] = isMainThread ? process.argv.slice(2) : workerData

const fill = path => {
  const db = open(path, { durability: 'none' })
  db.put('put', '1')
  db.batch([
    { type: 'put', key: 'batch', value: '2' },
    { type: 'put', key: 'gone', value: 'x' },
  ])
  db.delete('gone')
  db.put('large', 'L'.repeat(100_000))
  db.transaction(tx => tx.put('transaction', '3'))
  void db.async.put('asynchronous', '4')
  return db
}

const listeners = async () => {
  const others = process.listenerCount('exit')
  const count = () => process.listenerCount('exit') - others
  const report = { before: count() }
  const dbs = Array.from({ length: 20 }, (_, i) => open(`${directory}-${i}`, { durability: 'none' }))
  report.open = count()
  dbs.pop().close()
  report.oneClosed = count()
  for (const db of dbs) db.close()
  report.closed = count()
  const last = open(`${directory}-0`)
  report.again = count()
  last.close()
  const reader = open(`${directory}-0`, { readOnly: true })
  report.readOnly = count()
  reader.close()
  console.log(JSON.stringify(report))
}

if (way === 'listeners') await listeners()
else if (isMainThread && way.startsWith('worker'))
  new Worker(new URL(import.meta.url), { workerData: [directory, way] })
else {
  const db = fill(directory)
  fill(`${directory}-2`)
  if (way === 'exit at once') process.exit(3)
  if (way === 'open transaction') db.begin().put('uncommitted', 'x')
  if (way === 'killed') process.kill(process.pid, 'SIGKILL')
  if (way === 'exit') setTimeout(() => process.exit(3), 5)
  if (way === 'worker exits') setTimeout(() => process.exit(), 5)
  if (way === 'uncaught')
    setTimeout(() => {
      throw new Error('uncaught')
    }, 5)
  if (way === 'rejection') void Promise.reject(new Error('rejected'))
}
