/** Random gets and opening, on a database that was loaded and closed before. */
import { Random } from '../../support/random.ts'
import { keyOf, NEVER_STORED, VALUE_BYTES } from '../../support/records.ts'
import type { Job, Metrics } from '../job.ts'
import type { OpenStore, Store } from '../stores/store.ts'
import { openJob, operationsPerSecond } from './work.ts'

/** Gets in one go: a store is not made to pay for turns of the event loop between them. */
const GETS = 20_000

export async function getHit(job: Job, openStore: OpenStore): Promise<Metrics> {
  return gets(job, openStore, 0, getPresent)
}

export async function getMiss(job: Job, openStore: OpenStore): Promise<Metrics> {
  return gets(job, openStore, NEVER_STORED, (store, keys) => {
    for (let at = 0; at < keys.length; at += 1) {
      if (store.get(keys[at]!) !== undefined) throw new Error(`record ${keys[at]} was never stored`)
    }
  })
}

/** The same where not all records find room in memory: what the time before the measured section leaves there counts. */
export async function getWarm(job: Job, openStore: OpenStore): Promise<Metrics> {
  return gets(job, openStore, 0, getPresent, false)
}

function getPresent(store: Store, keys: readonly string[]): void {
  for (let at = 0; at < keys.length; at += 1) {
    // Looking at the value keeps a store from handing out something that it has not read yet.
    if (store.get(keys[at]!)?.length !== VALUE_BYTES) throw new Error(`record ${keys[at]} is missing or damaged`)
  }
}

async function gets(
  job: Job,
  openStore: OpenStore,
  offset: number,
  work: (store: Store, keys: readonly string[]) => void,
  fits: boolean = true,
): Promise<Metrics> {
  const random = new Random(job.seed)
  const store = await openJob(job, openStore)
  const make = () => ({
    keys: Array.from({ length: GETS }, () => keyOf(random.below(job.records) + offset)),
    values: [],
  })
  if (fits) await touchAll(store, job, offset)
  const perSecond = await operationsPerSecond(job, make, ({ keys }) => work(store, keys))
  await store.close()
  return { perSecond }
}

/** Every record once, so that all caches are as full as they will get; misses find the same paths. */
async function touchAll(store: Store, job: Job, offset: number): Promise<void> {
  for (let number = 0; number < job.records; number += 1) store.get(keyOf(number + offset))
}

/** Milliseconds from nothing to the first value, in a process that has done nothing before. */
export async function openAgain(job: Job, openStore: OpenStore): Promise<Metrics> {
  const key = keyOf(job.seed % job.records)
  const started = process.hrtime.bigint()
  const store = await openJob(job, openStore)
  const value = store.get(key)
  const milliseconds = Number(process.hrtime.bigint() - started) / 1e6
  if (value?.length !== VALUE_BYTES) throw new Error(`record ${key} is missing or damaged`)
  await store.close()
  return { milliseconds }
}
