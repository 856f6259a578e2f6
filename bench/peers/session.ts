/** One repeat: every step, every store in turn, each in a process of its own. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { count, short } from '../support/format.ts'
import { MemoryLimit } from '../support/memory-limit.ts'
import { makeTemporaryDirectory, removeTemporaryDirectory } from '../support/temp.ts'
import { JobSkipped, runJob } from './child.ts'
import type { Job, Metrics, StoreName } from './job.ts'
import type { Step } from './plan.ts'

export interface Settings {
  stores: readonly StoreName[]
  steps: readonly Step[]
  records: number
  seconds: number
  /** Of each store's processes, page cache included. */
  memoryBytes?: number | undefined
}

export interface Sample {
  records: number
  step: string
  store: StoreName
  metrics: Metrics
}

export interface Failure {
  records: number
  step: string
  store: StoreName
  error: string
  /** The store cannot do it (yet); no reason to fail. */
  skipped: boolean
}

export interface Collected {
  samples: Sample[]
  failures: Failure[]
}

/** Every repeat, one after the other. */
export async function runRepeats(settings: Settings, repeats: number): Promise<Collected> {
  const all: Collected = { samples: [], failures: [] }
  for (let repeat = 0; repeat < repeats; repeat += 1) {
    const { samples, failures } = await runRepeat(settings, repeat, `repeat ${repeat + 1} of ${repeats}`)
    all.samples.push(...samples)
    all.failures.push(...failures)
  }
  return all
}

export async function runRepeat(settings: Settings, repeat: number, label: string): Promise<Collected> {
  const root = makeTemporaryDirectory()
  const session = new Session(settings, repeat, label, root)
  try {
    for (const step of settings.steps) {
      if (step.once && repeat > 0) continue
      for (const store of turned(settings.stores, repeat)) await session.run(step, store)
    }
  } finally {
    session.end()
    removeTemporaryDirectory(root)
  }
  return session.collected
}

class Session {
  readonly collected: Collected = { samples: [], failures: [] }
  readonly #settings: Settings
  readonly #repeat: number
  readonly #label: string
  readonly #root: string
  readonly #ready = new Set<StoreName>()
  readonly #limits = new Map<StoreName, MemoryLimit>()
  #directories = 0

  constructor(settings: Settings, repeat: number, label: string, root: string) {
    this.#settings = settings
    this.#repeat = repeat
    this.#label = label
    this.#root = root
  }

  async run(step: Step, store: StoreName): Promise<void> {
    if (step.stores !== undefined && !step.stores.includes(store)) return
    if (step.database === 'main' && !this.#ready.has(store)) return
    for (let time = 0; time < (step.times ?? 1); time += 1) await this.#measure(step, store, time)
  }

  end(): void {
    for (const limit of this.#limits.values()) limit.remove()
  }

  /**
   * One group for all processes of a store: what they left in the page cache counts as long as it stays there. Who makes
   * the database has no limit, which would take long.
   */
  #limitOf(step: Step, store: StoreName): MemoryLimit | undefined {
    const { memoryBytes } = this.#settings
    if (memoryBytes === undefined) return undefined
    const limit = this.#limits.get(store) ?? new MemoryLimit(store)
    this.#limits.set(store, limit)
    if (step.database !== 'made') limit.limitTo(memoryBytes)
    return limit
  }

  async #measure(step: Step, store: StoreName, time: number): Promise<void> {
    const { records } = this.#settings
    const job = this.#job(step, store, time)
    try {
      const metrics = await runJob(job, this.#limitOf(step, store))
      this.collected.samples.push({ records, step: step.name, store, metrics })
      if (step.database === 'made') this.#ready.add(store)
      this.#say(step, store, summary(metrics))
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      const skipped = error instanceof JobSkipped
      this.collected.failures.push({ records, step: step.name, store, error: message, skipped })
      this.#say(step, store, `${skipped ? 'SKIPPED' : 'FAILED'}: ${message}`)
    } finally {
      removeTemporaryDirectory(job.scratch)
      if (step.database === 'own') removeTemporaryDirectory(job.directory)
    }
  }

  #job(step: Step, store: StoreName, time: number): Job {
    const { records, seconds, memoryBytes } = this.#settings
    const directory = step.database === 'own' ? this.#newDirectory('own') : join(this.#root, store)
    mkdirSync(directory, { recursive: true })
    const scratch = this.#newDirectory('scratch')
    const { workload, durability, inFlight } = step
    const seed = 7919 * (this.#repeat + 1) + 104_729 * (time + 1)
    return {
      store,
      workload,
      records,
      directory,
      scratch,
      durability,
      inFlight,
      seconds,
      memoryBytes: step.database === 'made' ? undefined : memoryBytes,
      seed,
    }
  }

  #newDirectory(kind: string): string {
    this.#directories += 1
    const directory = join(this.#root, `${kind}-${this.#directories}`)
    mkdirSync(directory)
    return directory
  }

  #say(step: Step, store: StoreName, result: string): void {
    const size = count(this.#settings.records)
    console.error(`${size} records, ${this.#label}: ${step.name.padEnd(15)} ${store.padEnd(12)} ${result}`)
  }
}

/** Another store goes first in each repeat. */
function turned<T>(list: readonly T[], by: number): T[] {
  return list.map((_, index) => list[(index + by) % list.length]!)
}

function summary(metrics: Metrics): string {
  return Object.entries(metrics)
    .map(([name, value]) => `${name} ${short(value)}`)
    .join(', ')
}
