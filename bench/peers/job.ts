/** What the benchmark asks of a runner process, and what comes back. */
export const STORES = ['xenondb', 'xenondb-hash', 'lmdb', 'sqlite', 'level', 'level-array'] as const
/**
 * `xenondb-hash` is xenondb without the ordered index, where xenondb has it. Those measured when nothing is said;
 * `level-array` is the same store as `level`, used in a slower way.
 */
export const USUAL_STORES: readonly StoreName[] = ['xenondb', 'lmdb', 'sqlite', 'level']
export type StoreName = (typeof STORES)[number]

/** As in xenondb: kept by nobody, by the operating system, by the disk. */
export type Durability = 'none' | 'process' | 'power'

export interface Job {
  store: StoreName
  /** Name of a workload of `workloads/`. */
  workload: string
  records: number
  /** Holds the database; the workload creates it when it asks for a fresh one. */
  directory: string
  /** For anything else; on the same disk. */
  scratch: string
  durability: Durability
  /** Size of the buffer pool; the store's best when undefined. */
  cacheBytes?: number
  /** Commits in flight, for the workload that asks. */
  inFlight?: number | undefined
  /** xenondb keeps the ordered index; the peers are always in order. */
  ordered?: boolean | undefined
  /** How long a measured section should last at least. */
  seconds: number
  /** Another one for each repeat. */
  seed: number
}

/** Figures by name: operations per second, bytes, milliseconds … */
export type Metrics = Record<string, number>

export type Reply = { metrics: Metrics } | { skipped: string } | { error: string }
