/** xenondb beside the stores that its users would otherwise take; see README.md for what each row means. */
import type { Options } from '../support/options.ts'
import { runComparison } from './comparison.ts'
import { ORDERED_STORES, STORES } from './job.ts'
import { only, type Step } from './plan.ts'
import { rows } from './rows.ts'

export function run(options: Options): Promise<number> {
  const plan = {
    benchmark: 'peers',
    recordsAre: '15 + 100 bytes',
    steps,
    rows,
    stores: STORES,
    usualStores: STORES.filter(store => store !== 'level-array'),
    sizes: [100_000, 1_000_000],
    warmUp: ['load', 'get-hit'],
  }
  return runComparison(plan, options)
}

/** Without the ordered index there are no ranges. */
const inOrder = { stores: ORDERED_STORES, durability: 'process', database: 'main' } as const

/** Steps on the main database leave the same keys in it. Not fsynced is `'process'`: kept by the operating system. */
const steps: readonly Step[] = [
  { name: 'load', workload: 'load', durability: 'process', database: 'made' },
  { name: 'open', workload: 'open', durability: 'process', database: 'main', times: 3 },
  { name: 'get-hit', workload: 'get-hit', durability: 'process', database: 'main' },
  { name: 'get-miss', workload: 'get-miss', durability: 'process', database: 'main' },
  { ...inOrder, name: 'ranges', workload: 'ranges' },
  { ...inOrder, name: 'scan-entries', workload: 'scan-entries' },
  { ...inOrder, name: 'scan-keys', workload: 'scan-keys' },
  { name: 'update-process', workload: 'update', durability: 'process', database: 'main' },
  {
    name: 'update-none',
    workload: 'update',
    durability: 'none',
    database: 'main',
    stores: ['xenondb', 'xenondb-hash'],
  },
  { name: 'transactions', workload: 'transactions', durability: 'process', database: 'main' },
  { name: 'durable-one', workload: 'durable-one', durability: 'power', database: 'main' },
  { name: 'durable-flight', workload: 'durable-flight', durability: 'power', database: 'main' },
  { name: 'load-durable', workload: 'load', durability: 'power', database: 'own' },
  { name: 'churn', workload: 'churn', durability: 'process', database: 'own' },
  only('xenondb', { name: 'compact', workload: 'compact', durability: 'process', database: 'own', once: true }),
  { name: 'memory', workload: 'memory', durability: 'process', database: 'own', once: true },
]
