/** Reading in the order of the keys, and what the file takes when most records are gone. */
import { Random } from '../../support/random.ts'
import { KEY_BYTES, keyOf, RECORD_BYTES } from '../../support/records.ts'
import { allocatedBytes } from '../../support/temp.ts'
import type { Job, Metrics } from '../job.ts'
import type { OpenStore, Store } from '../stores/store.ts'
import { BATCH, fill, openJob, operationsPerSecond, range } from './work.ts'

const RANGE = 100
const RANGES = 200
/** One record in ten is kept. */
const KEPT = 10

/** Ranges of 100 entries from a random record on; counts ranges. */
export async function ranges(job: Job, openStore: OpenStore): Promise<Metrics> {
  const random = new Random(job.seed)
  const store = await openJob(job, openStore)
  const make = () => ({ keys: Array.from({ length: RANGES }, () => keyOf(random.below(job.records))) })
  await store.entries('', Number.POSITIVE_INFINITY)
  const perSecond = await operationsPerSecond(job, make, async ({ keys }) => {
    for (const key of keys) {
      const seen = store.entries(key, RANGE)
      // The last ranges are short; the record of the start is in each.
      if ((typeof seen === 'number' ? seen : await seen) < RECORD_BYTES) throw new Error(`nothing from ${key} on`)
    }
  })
  await store.close()
  return { perSecond }
}

/** All entries from the first to the last; counts entries. */
export function scanEntries(job: Job, openStore: OpenStore): Promise<Metrics> {
  return scans(job, openStore, RECORD_BYTES, store => store.entries('', Number.POSITIVE_INFINITY))
}

export function scanKeys(job: Job, openStore: OpenStore): Promise<Metrics> {
  return scans(job, openStore, KEY_BYTES, store => store.keys('', Number.POSITIVE_INFINITY))
}

async function scans(
  job: Job,
  openStore: OpenStore,
  each: number,
  scan: (store: Store) => number | Promise<number>,
): Promise<Metrics> {
  const store = await openJob(job, openStore)
  const scansPerSecond = await operationsPerSecond(
    job,
    () => ({ keys: ['all'] }),
    async () => {
      const seen = await scan(store)
      if (seen !== job.records * each) throw new Error(`${seen} characters instead of ${job.records * each}`)
    },
  )
  await store.close()
  return { perSecond: scansPerSecond * job.records }
}

const PIECE = 20_000

/** Pieces of a scan, from a random record on; counts entries. */
export async function scanPieces(job: Job, openStore: OpenStore): Promise<Metrics> {
  const random = new Random(job.seed)
  const store = await openJob(job, openStore)
  const make = () => ({ keys: [keyOf(random.below(job.records))] })
  const piecesPerSecond = await operationsPerSecond(job, make, async ({ keys }) => {
    if ((await store.entries(keys[0]!, PIECE)) < RECORD_BYTES) throw new Error(`nothing from ${keys[0]} on`)
  })
  await store.close()
  return { perSecond: piecesPerSecond * PIECE }
}

/** The file after nine records in ten were deleted and `compact` gave back what it could. */
export async function compact(job: Job, openStore: OpenStore): Promise<Metrics> {
  const store = await openJob(job, openStore)
  await fill(store, job.records)
  for (let from = 0; from < job.records; from += BATCH) {
    const numbers = range(from, Math.min(from + BATCH, job.records))
    await store.deleteBatch(numbers.filter(number => number % KEPT !== 0).map(keyOf))
  }
  await store.compact?.()
  await store.close()
  return { bytesOfLive: allocatedBytes(job.directory) / (Math.ceil(job.records / KEPT) * RECORD_BYTES) }
}
