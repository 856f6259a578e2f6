/** What the benchmark asks of a runner process, and what comes back. */
/**
 * `xenondb` has its default options; `xenondb-hash` leaves out the ordered index; `sqlite` is better-sqlite3,
 * `node-sqlite` Node's own; `level-array` is the same store as `level`, used in a slower way.
 */
export const STORES = ['xenondb', 'xenondb-hash', 'lmdb', 'sqlite', 'node-sqlite', 'level', 'level-array'] as const
export type StoreName = (typeof STORES)[number]
/** Those that keep their keys in order, each in its fastest way. */
export const ORDERED_STORES: readonly StoreName[] = ['xenondb', 'lmdb', 'sqlite', 'node-sqlite', 'level']

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
  /** What the process and the page cache of its files may take together; no limit when undefined. */
  memoryBytes?: number | undefined
  /** Commits in flight, for the workload that asks. */
  inFlight?: number | undefined
  /** How long a measured section should last at least. */
  seconds: number
  /** Another one for each repeat. */
  seed: number
}

/** Figures by name: operations per second, bytes, milliseconds … */
export type Metrics = Record<string, number>

export type Reply = { metrics: Metrics } | { skipped: string } | { error: string }
