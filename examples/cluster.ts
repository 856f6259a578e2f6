/** Four processes count in one database; the one that has it open is killed, another takes over, and no count is lost. */
import cluster from 'node:cluster'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openShared } from 'xenondb/shared'

const PROCESSES = 4
const ADDITIONS = 50

/** What a worker tells. */
type Word = 'owner' | 'added'

const main = async (directory: string): Promise<void> => {
  let killed = false
  let added = 0
  await new Promise<void>(resolve => {
    let running = 0
    const start = (): void => {
      running++
      const worker = cluster.fork({ DIRECTORY: directory })
      let isOwner = false
      worker.on('message', (word: Word) => {
        if (word === 'owner') isOwner = true
        else added++
        if (killed || !isOwner || added < ADDITIONS) return
        killed = true
        worker.process.kill('SIGKILL')
      })
      worker.on('exit', () => {
        running--
        if (running === 0) resolve()
      })
    }
    for (let i = 0; i < PROCESSES; i++) start()
  })
  const store = await openShared<number>(directory, { valueEncoding: 'json' })
  const count = (await store.get('count')) ?? 0
  await store.close()
  if (!killed || count < added) throw new Error(`${added} additions were acknowledged, and ${count} are there`)
  console.log(`the owner was killed, and none of the additions of ${PROCESSES} processes was lost`)
}

const work = async (directory: string): Promise<void> => {
  const store = await openShared<number>(directory, { valueEncoding: 'json' })
  const say = (word: Word): Promise<void> => new Promise(resolve => process.send!(word, () => resolve()))
  store.on('owner', () => void say('owner'))
  if (store.role === 'owner') await say('owner')
  for (let i = 0; i < 2 * ADDITIONS; i++) {
    try {
      await store.transact(async tx => await tx.put('count', ((await tx.get('count')) ?? 0) + 1))
      await say('added')
    } catch (error) {
      // The commit was on its way when the owner went: it may have happened.
      if ((error as { code?: string }).code !== 'XENON_OWNER_LOST') throw error
    }
  }
  await store.close()
  process.disconnect()
}

if (cluster.isPrimary) {
  const directory = mkdtempSync(join(tmpdir(), 'xenondb-cluster-'))
  try {
    await main(directory)
  } finally {
    rmSync(directory, { recursive: true })
  }
} else await work(process.env.DIRECTORY!)
