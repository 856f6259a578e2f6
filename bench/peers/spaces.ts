/**
 * Named key spaces and secondary indexes beside lmdb (`openDB`, `dupSort`) and node:sqlite (a table with two indexes):
 * users as JSON, transactions of 100, nothing fsynced.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { short } from '../support/format.ts'
import { type Options, outputDirectory, positiveInteger } from '../support/options.ts'
import { writeResults } from '../support/results.ts'
import { median } from '../support/statistics.ts'
import { printTable } from '../support/table.ts'
import { makeTemporaryDirectory, removeTemporaryDirectory } from '../support/temp.ts'
import { installPeers } from './install.ts'
import { nodeFor } from './node.ts'

const STORES = ['xenondb-root', 'xenondb', 'lmdb', 'node-sqlite'] as const
type Store = (typeof STORES)[number]
type Figures = Record<string, number>

export async function run(options: Options): Promise<number> {
  const records = positiveInteger('records', options.records, options.quick ? 2000 : 100_000)
  const repeats = positiveInteger('repeats', options.repeats, options.quick ? 1 : 3)
  const there = installPeers(['lmdb', 'node-sqlite'])
  const stores = STORES.filter(store => store.startsWith('xenondb') || there.includes(store as 'lmdb'))
  const runs = new Map<Store, Figures[]>(stores.map(store => [store, []]))
  for (let repeat = 0; repeat < repeats; repeat++)
    for (const store of stores) runs.get(store)!.push(measure(store, records))
  const names = Object.keys(runs.get('xenondb')![0]!)
  const of = (store: Store, name: string): number => median(runs.get(store)!.map(figures => figures[name]!))
  console.log(`\n${records} users as JSON, ${repeats} repeats, medians; ratios of xenondb in a sub-database\n`)
  printTable(
    [
      'a second',
      ...stores,
      'of the root',
      ...stores.filter(store => !store.startsWith('xenondb')).map(peer => `of ${peer}`),
    ],
    names.map(name => {
      const isTime = name.endsWith('milliseconds')
      const shown = stores.map(store => (isTime ? of(store, name).toFixed(2) : short(of(store, name))))
      const ratios = stores
        .filter(store => store !== 'xenondb')
        .map(other => (isTime ? of(other, name) / of('xenondb', name) : of('xenondb', name) / of(other, name)))
      return [name, ...shown, ...ratios.map(ratio => ratio.toFixed(2))]
    }),
  )
  const withIndexes = of('xenondb', 'load, two indexes') / of('xenondb', 'load, no index')
  const lookups = of('xenondb', 'get by a unique index') / of('xenondb', 'get by key')
  console.log(`\na load with two indexes is ${withIndexes.toFixed(2)} of one without (wanted: 0.3)`)
  console.log(`a get by an index is ${lookups.toFixed(2)} of one by key (wanted: 0.5)`)
  writeResults(outputDirectory(options), {
    benchmark: 'spaces',
    options: { records, repeats },
    data: {
      stores,
      medians: Object.fromEntries(
        stores.map(store => [store, Object.fromEntries(names.map(name => [name, of(store, name)]))]),
      ),
    },
    charts: [],
  })
  return 0
}

function measure(store: Store, records: number): Figures {
  const directory = makeTemporaryDirectory()
  try {
    const node = nodeFor(store === 'node-sqlite' ? store : 'xenondb')
    const script = fileURLToPath(new URL('./spaces-child.js', import.meta.url))
    const { status, stdout } = spawnSync(node, [script, store, directory, `${records}`], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    if (status !== 0) throw new Error(`${store} ended with status ${status}`)
    return JSON.parse(stdout) as Figures
  } finally {
    removeTemporaryDirectory(directory)
  }
}
