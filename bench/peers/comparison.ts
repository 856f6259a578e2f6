/** Runs a plan: every step, every store, every size; prints and writes the comparison. */
import { describeMachine, machineLine } from '../support/machine.ts'
import { type Options, outputDirectory, positiveInteger, positiveIntegers, selection } from '../support/options.ts'
import { writeResults } from '../support/results.ts'
import { installPeers } from './install.ts'
import { type Plan, type Step, stepsFor } from './plan.ts'
import { compare, comparisonCharts, exitStatus, printComparison, printFailures } from './report.ts'
import { type Collected, runRepeat, runRepeats } from './session.ts'

export async function runComparison(plan: Plan, options: Options): Promise<number> {
  const quick = Boolean(options.quick)
  const sizes = positiveIntegers('records', options.records, quick ? [10_000] : plan.sizes)
  const wanted = selection(
    'only',
    options.only,
    plan.steps.map(step => step.name),
  )
  const selected = selection('stores', options.stores, plan.stores, plan.usualStores)
  const seconds = quick ? 0.15 : (plan.seconds ?? 0.6)
  const { memoryBytes } = plan
  const repeatsAt = (records: number) => repeatsFor(options, quick ? 1 : (plan.repeats ?? (records < 500_000 ? 5 : 3)))
  const chosen = stepsFor(plan.steps, wanted)
  const stores = installPeers(selected)
  console.log(machineLine(describeMachine()))

  if (options.warmUp !== false && plan.warmUp.length > 0) await warmUp(Math.max(...sizes))
  const collected: Collected = { samples: [], failures: [] }
  for (const records of sizes) await measureSize(records)
  const comparisons = sizes.map(records => compare(plan, records, collected.samples, stores))
  for (const comparison of comparisons) printComparison(plan, comparison, stores)
  printFailures(collected.failures)
  writeResults(outputDirectory(options), {
    benchmark: plan.benchmark,
    options: { sizes, only: wanted, stores, seconds, memoryBytes, repeats: sizes.map(repeatsAt) },
    data: { comparisons, ...collected },
    charts: comparisonCharts(plan, comparisons, stores),
  })
  return exitStatus(collected.failures)

  async function warmUp(records: number): Promise<void> {
    const some: Step[] = plan.steps.filter(step => plan.warmUp.includes(step.name))
    await runRepeat({ stores, steps: some, records, seconds }, 0, 'warm-up, discarded')
  }

  async function measureSize(records: number): Promise<void> {
    const { samples, failures } = await runRepeats(
      { stores, steps: chosen, records, seconds, memoryBytes },
      repeatsAt(records),
    )
    collected.samples.push(...samples)
    collected.failures.push(...failures)
  }
}

function repeatsFor(options: Options, preset: number): number {
  return positiveInteger('repeats', options.repeats, preset)
}
