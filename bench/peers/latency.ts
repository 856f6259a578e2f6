/** Commit latency against throughput: what one more commit in flight costs, and what it gives. */
import { describeMachine, machineLine } from '../support/machine.ts'
import { type Options, outputDirectory, positiveInteger, selection } from '../support/options.ts'
import { writeResults } from '../support/results.ts'
import { installPeers } from './install.ts'
import { type Durability, ORDERED_STORES, type StoreName } from './job.ts'
import { type LatencyStep, latencyCharts, pointsOf, printLatencies } from './latency-report.ts'
import type { Step } from './plan.ts'
import { exitStatus, printFailures } from './report.ts'
import { runRepeats } from './session.ts'

const WIDTHS = [1, 4, 16, 64, 256, 1024] as const
const DURABILITIES: readonly Durability[] = ['power', 'process', 'none']

export async function run(options: Options): Promise<number> {
  const quick = Boolean(options.quick)
  const records = positiveInteger('records', options.records, quick ? 10_000 : 100_000)
  const repeats = positiveInteger('repeats', options.repeats, quick ? 1 : 3)
  const chosen = selection('stores', options.stores, ORDERED_STORES)
  const seconds = quick ? 0.15 : 1.5
  const measured = DURABILITIES.flatMap(durability => WIDTHS.map(width => stepOf(durability, width)))
  const load: Step = { name: 'load', workload: 'load', durability: 'process', database: 'made' }
  const stores = installPeers(chosen)
  console.log(machineLine(describeMachine()))

  const { samples, failures } = await runRepeats({ stores, steps: [load, ...measured], records, seconds }, repeats)
  const points = pointsOf(measured, stores, samples)
  printLatencies(points, records)
  printFailures(failures)
  writeResults(outputDirectory(options), {
    benchmark: 'latency',
    options: { records, stores, seconds, repeats, inFlight: WIDTHS },
    data: { points, samples, failures },
    charts: latencyCharts(points),
  })
  return exitStatus(failures)
}

function stepOf(durability: Durability, inFlight: number): LatencyStep {
  const name = `${durability}-${inFlight}`
  return {
    name,
    workload: 'latency',
    durability,
    database: 'main',
    inFlight,
    stores: storesFor(durability, inFlight),
  }
}

/** No peer has anything like `'none'`; SQLite has no asynchronous commit. */
function storesFor(durability: Durability, inFlight: number): readonly StoreName[] {
  if (durability === 'none') return ['xenondb']
  return ORDERED_STORES.filter(store => !store.endsWith('sqlite') || inFlight === 1)
}
