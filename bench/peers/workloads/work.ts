/** What the workloads share: pieces of work made outside the timed sections, and the loop that times them. */
import type { Random } from '../../support/random.ts'
import { keyOf, valueAt } from '../../support/records.ts'
import { Stopwatch } from '../../support/stopwatch.ts'
import type { Job } from '../job.ts'
import { IN_FLIGHT, type MaybePromise, type OpenStore, type Store } from '../stores/store.ts'

export const BATCH = 1000

/** A piece of work: small enough to stay near the processor, long enough for the clock. */
export interface Piece {
  keys: string[]
  values: string[]
}

/** Records `numbers` with values of `version`. */
export function piece(numbers: readonly number[], version: number): Piece {
  return { keys: numbers.map(keyOf), values: numbers.map(number => valueAt(number, version)) }
}

/** Updates of `length` random records; `version` moves on with each, so that each changes its record. */
export function randomUpdates(random: Random, records: number, length: number): Piece {
  const numbers = Array.from({ length }, () => random.below(records))
  const start = random.below(4096)
  return { keys: numbers.map(keyOf), values: numbers.map((number, at) => valueAt(number, start + at)) }
}

export function openJob(job: Job, openStore: OpenStore, directory: string = job.directory): Store | Promise<Store> {
  const { durability, memoryBytes } = job
  return openStore({ directory, durability, memoryBytes })
}

/** Puts records 0 to `records` - 1 in batches; only the puts are timed. */
export async function fill(store: Store, records: number, stopwatch: Stopwatch = new Stopwatch()): Promise<Stopwatch> {
  for (let from = 0; from < records; from += BATCH) {
    const { keys, values } = piece(range(from, Math.min(from + BATCH, records)), 0)
    await stopwatch.measure(() => store.putBatch(keys, values))
  }
  return stopwatch
}

/**
 * Operations per second: pieces of work are made and done until the timed sections add up to the job's seconds,
 * after half of that time as a warm-up which does not count; `afterWarmUp` forgets what it left.
 */
export async function operationsPerSecond<Work extends { readonly keys: readonly string[] }>(
  job: Job,
  make: () => Work,
  work: (piece: Work) => MaybePromise,
  afterWarmUp: () => void = () => {},
): Promise<number> {
  await spend(job.seconds / 2, make, work)
  afterWarmUp()
  const { operations, stopwatch } = await spend(job.seconds, make, work)
  return operations / stopwatch.seconds
}

async function spend<Work extends { readonly keys: readonly string[] }>(
  seconds: number,
  make: () => Work,
  work: (piece: Work) => MaybePromise,
) {
  const stopwatch = new Stopwatch()
  let operations = 0
  while (stopwatch.seconds < seconds) {
    const next = make()
    await stopwatch.measure(() => work(next))
    // As every program does from time to time: what is done on other threads has ended only then.
    await new Promise(resolve => setImmediate(resolve))
    operations += next.keys.length
  }
  return { operations, stopwatch }
}

/**
 * Enough commits for a log to reach the size that it keeps (SQLite's grows to 64 MiB and is overwritten from then on):
 * appending to a file costs more than overwriting it, and only lasts at first.
 */
export async function growLog(store: Store, random: Random, records: number): Promise<void> {
  for (let commit = 0; commit < 100; commit += 1) {
    const { keys, values } = randomUpdates(random, records, IN_FLIGHT)
    await store.putBatch(keys, values)
  }
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index)
}
