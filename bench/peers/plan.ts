/** What is measured, in which order, at which durability, on which database. */
import type { Durability, StoreName } from './job.ts'

export interface Step {
  /** For `--only` and in the results. */
  name: string
  /** Of `workloads/`. */
  workload: string
  durability: Durability
  /** `'made'`: this step makes the database of the repeat; `'main'`: uses it; `'own'`: makes another and drops it. */
  database: 'made' | 'main' | 'own'
  /** Which stores take part; all when left out. */
  stores?: readonly StoreName[]
  /** xenondb's buffer pool at a tenth of its data file. */
  smallPool?: true
  /** Commits in flight, for the workload that asks. */
  inFlight?: number
  /** In the first repeat only: the figure hardly varies. */
  once?: true
  /** More often within a repeat: the figure varies much. */
  times?: number
}

/** Steps on the main database leave the same keys in it. Not fsynced is `'process'`: kept by the operating system. */
export const steps: readonly Step[] = [
  { name: 'load', workload: 'load', durability: 'process', database: 'made' },
  { name: 'open', workload: 'open', durability: 'process', database: 'main', times: 3 },
  { name: 'get-hit', workload: 'get-hit', durability: 'process', database: 'main' },
  { name: 'get-miss', workload: 'get-miss', durability: 'process', database: 'main' },
  only('xenondb', {
    name: 'small-hit',
    workload: 'get-hit',
    durability: 'process',
    database: 'main',
    smallPool: true,
  }),
  { name: 'update-process', workload: 'update', durability: 'process', database: 'main' },
  only('xenondb', { name: 'update-none', workload: 'update', durability: 'none', database: 'main' }),
  only('xenondb', {
    name: 'small-update',
    workload: 'update',
    durability: 'process',
    database: 'main',
    smallPool: true,
  }),
  { name: 'transactions', workload: 'transactions', durability: 'process', database: 'main' },
  { name: 'durable-one', workload: 'durable-one', durability: 'power', database: 'main' },
  { name: 'durable-flight', workload: 'durable-flight', durability: 'power', database: 'main' },
  { name: 'load-durable', workload: 'load', durability: 'power', database: 'own' },
  { name: 'churn', workload: 'churn', durability: 'process', database: 'own' },
  { name: 'memory', workload: 'memory', durability: 'process', database: 'own', once: true },
  only('xenondb', {
    name: 'small-load',
    workload: 'load',
    durability: 'process',
    database: 'own',
    smallPool: true,
  }),
]

/** Before the first repeat, at the largest size: pages that the machine never touched are slow the first time. */
export const warmUpSteps: readonly string[] = ['load', 'get-hit']

/** The steps to run for those asked for; loading is the way to a database, so it is run whenever one is used. */
export function stepsFor(wanted: readonly string[]): Step[] {
  const chosen = new Set(wanted)
  const needsMain = steps.some(step => step.database === 'main' && chosen.has(step.name))
  const needsSize = steps.some(step => step.smallPool && chosen.has(step.name))
  return steps.filter(step => chosen.has(step.name) || ((needsMain || needsSize) && step.database === 'made'))
}

function only(store: StoreName, step: Step): Step {
  return { ...step, stores: [store] }
}
