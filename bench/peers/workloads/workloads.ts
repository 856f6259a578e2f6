/** The workloads by name. */
import type { Job, Metrics } from '../job.ts'
import type { OpenStore } from '../stores/store.ts'
import { churn } from './churn.ts'
import { inFlight, oneAtATime } from './durable.ts'
import { latency } from './latency.ts'
import { load, memory } from './load.ts'
import { getHit, getMiss, openAgain } from './reads.ts'
import { transactions, update } from './updates.ts'

export type Workload = (job: Job, openStore: OpenStore) => Promise<Metrics>

export const workloads: Readonly<Record<string, Workload>> = {
  load,
  memory,
  open: openAgain,
  'get-hit': getHit,
  'get-miss': getMiss,
  update,
  transactions,
  'durable-one': oneAtATime,
  'durable-flight': inFlight,
  churn,
  latency,
}
