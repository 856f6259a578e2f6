/** One database used from four worker threads: the main thread owns it, the workers talk to it over ports. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import { open } from 'xenondb'
import { PortDatabase, servePort } from 'xenondb/worker'

const WORKERS = 4
const ADDITIONS = 25

const main = async (directory: string): Promise<void> => {
  const db = open<number>(directory, { valueEncoding: 'json' })
  db.put('counter', 0)
  await Promise.all(
    Array.from({ length: WORKERS }, async () => {
      const worker = new Worker(fileURLToPath(import.meta.url))
      const end = servePort(db, worker)
      await new Promise<void>((resolve, reject) => {
        worker.once('exit', code => (code === 0 ? resolve() : reject(new Error(`a worker ended with ${code}`))))
        worker.once('error', reject)
      })
      end()
    }),
  )
  console.log(`counter: ${db.get('counter')} after ${WORKERS} workers added 1 ${ADDITIONS} times each`)
  if (db.get('counter') !== WORKERS * ADDITIONS) throw new Error('an addition was lost')
  db.close()
}

const work = async (): Promise<void> => {
  const db = new PortDatabase<number>(parentPort!)
  for (let i = 0; i < ADDITIONS; i++)
    await db.transact(async tx => {
      await tx.put('counter', ((await tx.get('counter')) ?? 0) + 1)
    })
  await db.close()
}

if (isMainThread) {
  const directory = mkdtempSync(join(tmpdir(), 'xenondb-workers-'))
  try {
    await main(directory)
  } finally {
    rmSync(directory, { recursive: true })
  }
} else await work()
