/** Reading in the order of the keys beside the peers, and what the ordered index costs the rest; see README.md. */
import type { Options } from '../support/options.ts'
import { runComparison } from './comparison.ts'
import { type StoreName, USUAL_STORES } from './job.ts'
import { only, type Row, type Step } from './plan.ts'
import { always, rate, times } from './rows.ts'

const SMALL = 100_000
const STORES: readonly StoreName[] = ['xenondb', 'xenondb-hash', ...USUAL_STORES.slice(1)]

export function run(options: Options): Promise<number> {
  const plan = {
    benchmark: 'ordered',
    recordsAre: '15 + 100 bytes',
    steps: steps.map(step => ({ ...step, durability: 'process' as const, ordered: true })),
    rows,
    stores: STORES,
    usualStores: STORES,
    sizes: [100_000, 1_000_000],
    warmUp: ['load', 'get-hit'],
  }
  return runComparison(plan, options)
}

/** Without the ordered index there are no ranges. */
const inOrder = { stores: USUAL_STORES, durability: 'process', database: 'main' } as const

const steps: readonly Step[] = [
  { name: 'load', workload: 'load', durability: 'process', database: 'made' },
  { ...inOrder, name: 'ranges', workload: 'ranges' },
  { ...inOrder, name: 'scan-entries', workload: 'scan-entries' },
  { ...inOrder, name: 'scan-keys', workload: 'scan-keys' },
  { name: 'get-hit', workload: 'get-hit', durability: 'process', database: 'main', times: 3 },
  { name: 'update', workload: 'update', durability: 'process', database: 'main', times: 3 },
  only('xenondb', {
    name: 'compact',
    workload: 'compact',
    durability: 'process',
    database: 'own',
    once: true,
  }),
]

const asUnordered = { against: 'xenondb-hash', goal: always(1, 0.95) } as const

const rows: readonly Row[] = [
  { ...rate, label: 'bulk load, not fsynced', step: 'load', goal: always(1, 0.6) },
  {
    ...rate,
    label: 'ranges of 100',
    step: 'ranges',
    goal: n => (n <= SMALL ? { aim: 1.1, bound: 0.8 } : { aim: 0.8, bound: 0.5 }),
  },
  {
    ...rate,
    label: 'full scan of entries',
    step: 'scan-entries',
    goal: n => (n <= SMALL ? { aim: 1, bound: 0.7 } : { aim: 0.7, bound: 0.45 }),
  },
  { ...rate, label: 'full scan of keys', step: 'scan-keys', goal: always(1.5, 1) },
  { ...rate, ...asUnordered, label: 'random get, of unordered', step: 'get-hit' },
  { ...rate, ...asUnordered, label: "update, 'process', of unordered", step: 'update' },
  { ...times, label: 'file after load, of live', step: 'load', metric: 'bytesOfLive', goal: always(2, 2) },
  {
    ...times,
    label: 'after deleting 90 % and compact, of live',
    step: 'compact',
    metric: 'bytesOfLive',
    goal: always(1.3, 1.3),
  },
]
