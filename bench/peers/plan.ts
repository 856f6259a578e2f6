/**
 * What a comparison with peers measures, in which order, at which durability, on which database, and what of it is
 * shown.
 */
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
  /** Commits in flight, for the workload that asks. */
  inFlight?: number
  /** In the first repeat only: the figure hardly varies. */
  once?: true
  /** More often within a repeat: the figure varies much. */
  times?: number
}

/** A line of the table. */
export interface Row {
  label: string
  step: string
  metric: string
  /** Measured in another step for the peers, which know no difference. */
  peerStep?: string
  format: (value: number) => string
  better: 'higher' | 'lower'
  /** What is compared with the goal: the figure of `of` over the best peer's, or the figure itself. */
  judged: 'ratio' | 'own'
  /** `xenondb` when left out. */
  of?: StoreName
  /** The one store to compare with, when it is not the best peer. */
  against?: StoreName
  goal?: (records: number) => Goal | undefined
}

/**
 * Of the figure that is judged: what is aimed at, and the bound below (or, when lower is better, above) which it falls
 * short.
 */
export interface Goal {
  aim: number
  bound: number
}

export interface Plan {
  /** Name of the results. */
  benchmark: string
  /** What the records are, for headings. */
  recordsAre: string
  steps: readonly Step[]
  rows: readonly Row[]
  /** Known to `--stores`, and those measured when it is not given. */
  stores: readonly StoreName[]
  usualStores: readonly StoreName[]
  /** Sizes when nothing is said. */
  sizes: readonly number[]
  /** Repeats when nothing is said: by the size when left out. */
  repeats?: number
  /** How long a measured section lasts at least. */
  seconds?: number
  /** What the processes of a store and the page cache of their files may take together. */
  memoryBytes?: number
  /** Before the first repeat, at the largest size: pages that the machine never touched are slow the first time. */
  warmUp: readonly string[]
}

/** The steps to run for those asked for; loading is the way to a database, so it is run whenever one is used. */
export function stepsFor(steps: readonly Step[], wanted: readonly string[]): Step[] {
  const chosen = new Set(wanted)
  const needsMain = steps.some(step => step.database === 'main' && chosen.has(step.name))
  return steps.filter(step => chosen.has(step.name) || (needsMain && step.database === 'made'))
}

export function only(store: StoreName, step: Step): Step {
  return { ...step, stores: [store] }
}
