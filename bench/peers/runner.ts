/** The process in which one store does one workload; started anew for each, so that no run inherits another's heap. */
import type { Job, Reply, StoreName } from './job.ts'
import { NOT_SUPPORTED, type OpenStore } from './stores/store.ts'
import { workloads } from './workloads/workloads.ts'

/** Loaded only when asked for: a process holds one store. */
const stores: Record<StoreName, () => Promise<{ openStore: OpenStore }>> = {
  xenondb: () => import('./stores/xenondb.ts'),
  'xenondb-hash': async () => ({ openStore: (await import('./stores/xenondb.ts')).openUnordered }),
  lmdb: () => import('./stores/lmdb.ts'),
  sqlite: () => import('./stores/better-sqlite3.ts'),
  'node-sqlite': () => import('./stores/node-sqlite.ts'),
  level: () => import('./stores/level.ts'),
  'level-array': async () => ({ openStore: (await import('./stores/level.ts')).openStoreWithArrays }),
}

process.once('message', async (job: Job) => {
  const reply = await answer(job)
  process.send?.(reply, () => process.exit(0))
})

async function answer(job: Job): Promise<Reply> {
  try {
    const workload = workloads[job.workload]
    if (workload === undefined) throw new Error(`there is no workload '${job.workload}'`)
    const { openStore } = await stores[job.store]()
    return { metrics: await workload(job, openStore) }
  } catch (error) {
    if ((error as { code?: unknown }).code === NOT_SUPPORTED) return { skipped: (error as Error).message }
    return { error: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
}
