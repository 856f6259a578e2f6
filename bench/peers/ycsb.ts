/** The core workloads of YCSB beside the peers; see README.md. */
import { short } from '../support/format.ts'
import { type Options, selection } from '../support/options.ts'
import { runComparison } from './comparison.ts'
import { type Durability, ORDERED_STORES } from './job.ts'
import type { Row, Step } from './plan.ts'
import { rate } from './rows.ts'

const NAMES: Readonly<Record<string, string>> = {
  a: 'A: half updates',
  b: 'B: 5 % updates',
  c: 'C: reads only',
  d: 'D: newest, 5 % inserts',
  e: 'E: scans, 5 % inserts',
  f: 'F: half read-modify-write',
}

export function run(options: Options): Promise<number> {
  const [durability = 'process'] = selection<Durability>('durability', options.durability, ['process', 'power'])
  const plan = {
    benchmark: durability === 'process' ? 'ycsb' : `ycsb-${durability}`,
    recordsAre: `10 fields of 100 bytes, durability '${durability}'`,
    steps: [load, ...Object.keys(NAMES).map(name => stepOf(name, durability))],
    rows: [...rowsOf(false), ...rowsOf(true)],
    stores: ORDERED_STORES,
    usualStores: ORDERED_STORES,
    sizes: [100_000],
    warmUp: ['load', 'c'],
  }
  return runComparison(plan, options)
}

const load: Step = { name: 'load', workload: 'ycsb-load', durability: 'process', database: 'made' }

/** D and E insert; they begin with a database of their own. */
function stepOf(name: string, durability: Durability): Step {
  const inserts = name === 'd' || name === 'e'
  return {
    name,
    workload: `ycsb-${name}`,
    durability,
    database: inserts ? 'own' : 'main',
  }
}

function rowsOf(latency: boolean): Row[] {
  return Object.entries(NAMES).map(([step, label]) =>
    latency
      ? { label: `${label}, p99 µs`, step, metric: 'p99', format: short, better: 'lower', judged: 'ratio' }
      : { ...rate, label, step },
  )
}
