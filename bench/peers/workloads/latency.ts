/** How long single commits take while others are in flight. */
import { Latencies } from '../../support/latencies.ts'
import { Random } from '../../support/random.ts'
import type { Job, Metrics } from '../job.ts'
import { keepInFlight, type OpenStore } from '../stores/store.ts'
import { growLog, openJob, operationsPerSecond, randomUpdates } from './work.ts'

/** Updates of random records; a commit's time begins with the call and ends when its promise has resolved. */
export async function latency(job: Job, openStore: OpenStore): Promise<Metrics> {
  const width = job.inFlight ?? 1
  const random = new Random(job.seed)
  const store = await openJob(job, openStore)
  if (width > 1 && store.putAsync === undefined) throw new Error(`${job.store} commits one after the other`)
  const put = store.putAsync ?? store.put
  const latencies = new Latencies()
  const timedPut = async (key: string, value: string) => {
    const started = performance.now()
    await put(key, value)
    latencies.add(performance.now() - started)
  }

  await growLog(store, random, job.records)
  const perSecond = await operationsPerSecond(
    job,
    () => randomUpdates(random, job.records, Math.max(64, width * 8)),
    ({ keys, values }) => keepInFlight(keys, values, width, timedPut),
    () => latencies.reset(),
  )
  await store.close()
  return { perSecond, ...latencies.percentiles(), commits: latencies.count }
}
