/** Bulk load into a fresh database, and what it takes of disk and memory. */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { RECORD_BYTES } from '../../support/records.ts'
import { Stopwatch } from '../../support/stopwatch.ts'
import { allocatedBytes } from '../../support/temp.ts'
import type { Job, Metrics } from '../job.ts'
import type { OpenStore } from '../stores/store.ts'
import { BATCH, fill, openJob, operationsPerSecond, piece, range } from './work.ts'

const WARM_UP_RECORDS = 100_000

export async function load(job: Job, openStore: OpenStore): Promise<Metrics> {
  await warmUp(job, openStore)
  const store = await openJob(job, openStore)
  const { seconds } = await fill(store, job.records)
  const live = job.records * RECORD_BYTES
  const openBytes = allocatedBytes(job.directory)
  const closing = new Stopwatch()
  await closing.measure(() => store.close())
  return {
    perSecond: job.records / seconds,
    closeMilliseconds: closing.seconds * 1000,
    openBytesOfLive: openBytes / live,
    bytesOfLive: allocatedBytes(job.directory) / live,
  }
}

/** Batches of records that are not there yet, into the database of the repeat. */
export async function loadMore(job: Job, openStore: OpenStore): Promise<Metrics> {
  const store = await openJob(job, openStore)
  let from = job.records
  const make = () => {
    from += BATCH
    return piece(range(from - BATCH, from), 0)
  }
  const perSecond = await operationsPerSecond(job, make, ({ keys, values }) => store.putBatch(keys, values))
  await store.close()
  return { perSecond, ...(job.memoryBytes && { bytesOfLimit: allocatedBytes(job.directory) / job.memoryBytes }) }
}

/** Peak of the resident memory above what the process had before the store was opened. No warm-up: it would count. */
export async function memory(job: Job, openStore: OpenStore): Promise<Metrics> {
  const before = process.memoryUsage.rss()
  const store = await openJob(job, openStore)
  await fill(store, job.records)
  await store.close()
  const peak = process.resourceUsage().maxRSS * 1024
  return { mebibytes: Math.max(0, peak - before) / 2 ** 20, peakMebibytes: peak / 2 ** 20 }
}

/** Loads another, small database: the code is compiled when the clock starts. */
async function warmUp(job: Job, openStore: OpenStore): Promise<void> {
  const directory = join(job.scratch, 'warm-up')
  mkdirSync(directory)
  const store = await openJob(job, openStore, directory)
  await fill(store, Math.min(WARM_UP_RECORDS, job.records))
  await store.close()
  rmSync(directory, { recursive: true, force: true })
}
