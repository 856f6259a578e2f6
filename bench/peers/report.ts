/** The comparison as tables and charts. */
import type { Chart } from '../support/chart/chart.ts'
import { count } from '../support/format.ts'
import { printTable } from '../support/table.ts'
import { type Figure, figureOf } from './figures.ts'
import type { StoreName } from './job.ts'
import type { Plan, Row } from './plan.ts'
import type { Failure, Sample } from './session.ts'

export interface Comparison {
  records: number
  figures: Figure[]
}

export function compare(
  plan: Plan,
  records: number,
  samples: readonly Sample[],
  stores: readonly StoreName[],
): Comparison {
  const figures = plan.rows.map(row => figureOf(row, records, samples, stores))
  return { records, figures: figures.filter(figure => Object.keys(figure.medians).length > 0) }
}

export function printComparison(plan: Plan, comparison: Comparison, stores: readonly StoreName[]): void {
  const { records, figures } = comparison
  console.log(
    `\n${count(records)} records of ${plan.recordsAre}; operations per second where nothing else is said; medians`,
  )
  const head = ['', ...stores, 'of best peer', 'aim', 'at least', '']
  printTable(
    head,
    figures.map(figure => cells(figure, plan.rows, stores)),
  )
}

export function printFailures(failures: readonly Failure[]): void {
  for (const { records, step, store, error, skipped } of failures) {
    console.log(`\n${skipped ? 'SKIPPED' : 'FAILED'}: ${count(records)} records, ${step}, ${store}: ${error}`)
  }
}

/** A workload that failed is an error; one that a store has no means for is not. */
export function exitStatus(failures: readonly Failure[]): number {
  return failures.every(failure => failure.skipped) ? 0 : 1
}

function cells(figure: Figure, list: readonly Row[], stores: readonly StoreName[]): string[] {
  const row = list.find(candidate => candidate.label === figure.label)!
  const sign = row.better === 'higher' ? '≥' : '≤'
  const limit = (value: number | undefined) => (value === undefined ? '' : `${sign} ${value}`)
  const mark = figure.reachedAim ? `${figure.mark} +` : figure.mark
  return [
    figure.label,
    ...stores.map(store => (figure.medians[store] === undefined ? '' : row.format(figure.medians[store]))),
    figure.ratio === undefined ? '' : `${figure.ratio.toFixed(2)} ${figure.bestPeer}`,
    limit(figure.goal?.aim),
    limit(figure.goal?.bound),
    mark,
  ]
}

export function comparisonCharts(
  plan: Plan,
  comparisons: readonly Comparison[],
  stores: readonly StoreName[],
): Chart[] {
  const speeds = comparisons.map(comparison => speedChart(plan, comparison, stores))
  const ratios = ratioChart(plan, comparisons)
  return ratios === undefined ? speeds : [ratios, ...speeds]
}

function speedChart(plan: Plan, { records, figures }: Comparison, stores: readonly StoreName[]): Chart {
  const speeds = figures.filter(figure => isSpeed(plan, figure))
  return {
    kind: 'bars',
    title: `Operations per second, ${count(records)} records of ${plan.recordsAre}`,
    note: 'medians; each store in a process of its own, in its best configuration; higher is better',
    xLabel: '',
    yLabel: 'operations per second',
    logY: true,
    categories: speeds.map(figure => figure.label),
    series: stores.map(name => ({ name, values: speeds.map(figure => figure.medians[name]) })),
  }
}

/** How many times as fast as the best peer, at each size, beside the aim. */
function ratioChart(plan: Plan, comparisons: readonly Comparison[]): Chart | undefined {
  const labels = plan.rows
    .map(row => row.label)
    .filter(label => comparisons.some(of => ratioOf(plan, of, label) !== undefined))
  if (labels.length === 0) return undefined
  const aim = (label: string) => comparisons[0]?.figures.find(figure => figure.label === label)?.goal?.aim
  return {
    kind: 'bars',
    title: 'xenondb over the best peer',
    note: 'times as many operations per second; 1 is as fast; higher is better',
    xLabel: '',
    yLabel: 'times',
    categories: labels,
    series: [
      ...comparisons.map(of => ({
        name: `${count(of.records)} records`,
        values: labels.map(label => ratioOf(plan, of, label)),
      })),
      { name: 'aim', values: labels.map(aim) },
    ],
  }
}

function ratioOf(plan: Plan, comparison: Comparison, label: string): number | undefined {
  return comparison.figures.find(figure => figure.label === label && isSpeed(plan, figure))?.ratio
}

function isSpeed(plan: Plan, figure: Figure): boolean {
  return plan.rows.find(row => row.label === figure.label)?.metric === 'perSecond'
}
