/** The workloads by name. */
import type { Job, Metrics } from '../job.ts'
import type { OpenStore } from '../stores/store.ts'
import { churn } from './churn.ts'
import { inFlight, oneAtATime } from './durable.ts'
import { latency } from './latency.ts'
import { load, loadMore, memory } from './load.ts'
import { compact, ranges, scanEntries, scanKeys, scanPieces } from './ordered.ts'
import { getHit, getMiss, getWarm, openAgain } from './reads.ts'
import { transactions, update } from './updates.ts'
import { ycsb, ycsbLoad } from './ycsb.ts'

export type Workload = (job: Job, openStore: OpenStore) => Promise<Metrics>

export const workloads: Readonly<Record<string, Workload>> = {
  load,
  'load-more': loadMore,
  memory,
  open: openAgain,
  'get-hit': getHit,
  'get-miss': getMiss,
  'get-warm': getWarm,
  update,
  transactions,
  'durable-one': oneAtATime,
  'durable-flight': inFlight,
  churn,
  latency,
  ranges,
  'scan-entries': scanEntries,
  'scan-keys': scanKeys,
  'scan-pieces': scanPieces,
  compact,
  'ycsb-load': ycsbLoad,
  'ycsb-a': ycsb('a'),
  'ycsb-b': ycsb('b'),
  'ycsb-c': ycsb('c'),
  'ycsb-d': ycsb('d'),
  'ycsb-e': ycsb('e'),
  'ycsb-f': ycsb('f'),
}
