/** Updates of random records of a loaded database. */
import { Random } from '../../support/random.ts'
import type { Job, Metrics } from '../job.ts'
import type { MaybePromise, OpenStore, Store } from '../stores/store.ts'
import { openJob, operationsPerSecond, type Piece, randomUpdates } from './work.ts'

const PIECE = 2000
const TRANSACTION = 10

/** One commit per record. */
export function update(job: Job, openStore: OpenStore): Promise<Metrics> {
  return updates(job, openStore, (store, { keys, values }) => store.putEach(keys, values))
}

/** Ten updates per commit; counts updates. */
export function transactions(job: Job, openStore: OpenStore): Promise<Metrics> {
  return updates(job, openStore, (store, { keys, values }) => store.transactions(keys, values, TRANSACTION))
}

async function updates(
  job: Job,
  openStore: OpenStore,
  work: (store: Store, piece: Piece) => MaybePromise,
): Promise<Metrics> {
  const random = new Random(job.seed)
  const store = await openJob(job, openStore)
  const make = () => randomUpdates(random, job.records, PIECE)
  const perSecond = await operationsPerSecond(job, make, piece => work(store, piece))
  await store.close()
  return { perSecond }
}
