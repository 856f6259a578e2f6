/** Four times: delete a random half of the records, and put it back. Gaps must be filled, the file must not grow. */
import { scramble } from '../../support/random.ts'
import { RECORD_BYTES } from '../../support/records.ts'
import { Stopwatch } from '../../support/stopwatch.ts'
import { allocatedBytes } from '../../support/temp.ts'
import type { Job, Metrics } from '../job.ts'
import type { OpenStore, Store } from '../stores/store.ts'
import { BATCH, fill, openJob, piece } from './work.ts'

const ROUNDS = 4

export async function churn(job: Job, openStore: OpenStore): Promise<Metrics> {
  const live = job.records * RECORD_BYTES
  const loaded = await openJob(job, openStore)
  await fill(loaded, job.records)
  await loaded.close()
  const before = allocatedBytes(job.directory) / live

  const store = await openJob(job, openStore)
  const stopwatch = new Stopwatch()
  let operations = 0
  for (let round = 1; round <= ROUNDS; round += 1) operations += await replaceHalf(store, job.records, round, stopwatch)
  await store.close()
  const after = allocatedBytes(job.directory) / live
  return {
    perSecond: operations / stopwatch.seconds,
    bytesOfLive: after,
    bytesBefore: before,
    growth: after / before,
  }
}

/** Deletes first, all of them, so that the reinserted records find gaps everywhere. Returns the operations. */
async function replaceHalf(store: Store, records: number, round: number, stopwatch: Stopwatch): Promise<number> {
  let operations = 0
  for (const numbers of halves(records, round)) {
    const { keys } = piece(numbers, 0)
    await stopwatch.measure(() => store.deleteBatch(keys))
    operations += numbers.length
  }
  for (const numbers of halves(records, round)) {
    const { keys, values } = piece(numbers, round)
    await stopwatch.measure(() => store.putBatch(keys, values))
    operations += numbers.length
  }
  return operations
}

/** The half of this round, in batches. */
function* halves(records: number, round: number): Generator<number[]> {
  let numbers: number[] = []
  for (let number = 0; number < records; number += 1) {
    if (scramble(number ^ (round << 27)) & 1) numbers.push(number)
    if (numbers.length === BATCH) {
      yield numbers
      numbers = []
    }
  }
  if (numbers.length > 0) yield numbers
}
