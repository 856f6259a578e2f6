/** The comparison as tables and charts. */
import type { Chart } from '../support/chart/chart.ts'
import { count } from '../support/format.ts'
import { printTable } from '../support/table.ts'
import { type Figure, figureOf } from './figures.ts'
import type { StoreName } from './job.ts'
import { type Row, rows, smallPoolRows } from './rows.ts'
import type { Failure, Sample } from './session.ts'

export interface Comparison {
  records: number
  figures: Figure[]
  smallPool: Figure[]
}

export function compare(
  records: number,
  samples: readonly Sample[],
  stores: readonly StoreName[],
): Comparison {
  const small = stores.filter(store => store === 'xenondb' || store === 'lmdb')
  const figures = (list: readonly Row[], of: readonly StoreName[]) =>
    list
      .map(row => figureOf(row, records, samples, of))
      .filter(figure => Object.keys(figure.medians).length > 0)
  return {
    records,
    figures: figures(rows, stores),
    smallPool: figures(smallPoolRows, small).filter(hasXenondb),
  }
}

export function printComparison(comparison: Comparison, stores: readonly StoreName[]): void {
  const { records, figures, smallPool } = comparison
  console.log(
    `\n${count(records)} records of 15 + 100 bytes; operations per second where nothing else is said; medians`,
  )
  const head = ['', ...stores, 'of best peer', 'aim', 'at least', '']
  printTable(
    head,
    figures.map(figure => cells(figure, rows, stores)),
  )
  if (smallPool.length === 0) return
  console.log("\nxenondb's buffer pool at a tenth of its data file; lmdb as above")
  printTable(
    ['', 'xenondb', 'lmdb', 'of lmdb'],
    smallPool.map(figure => cells(figure, smallPoolRows, ['xenondb', 'lmdb']).slice(0, 4)),
  )
}

export function printFailures(failures: readonly Failure[]): void {
  for (const { records, step, store, error } of failures) {
    console.log(`\nFAILED: ${count(records)} records, ${step}, ${store}: ${error}`)
  }
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

export function comparisonCharts(comparisons: readonly Comparison[], stores: readonly StoreName[]): Chart[] {
  const speeds = comparisons.map(comparison => speedChart(comparison, stores))
  const ratios = ratioChart(comparisons)
  return ratios === undefined ? speeds : [ratios, ...speeds]
}

function speedChart({ records, figures }: Comparison, stores: readonly StoreName[]): Chart {
  const speeds = figures.filter(isSpeed)
  return {
    kind: 'bars',
    title: `Operations per second, ${count(records)} records of 15 + 100 bytes`,
    note: 'medians; each store in a process of its own, in its best configuration; higher is better',
    xLabel: '',
    yLabel: 'operations per second',
    logY: true,
    categories: speeds.map(figure => figure.label),
    series: stores.map(name => ({ name, values: speeds.map(figure => figure.medians[name]) })),
  }
}

/** How many times as fast as the best peer, at each size, beside the aim. */
function ratioChart(comparisons: readonly Comparison[]): Chart | undefined {
  const labels = rows
    .map(row => row.label)
    .filter(label => comparisons.some(of => ratioOf(of, label) !== undefined))
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
        values: labels.map(label => ratioOf(of, label)),
      })),
      { name: 'aim', values: labels.map(aim) },
    ],
  }
}

function ratioOf(comparison: Comparison, label: string): number | undefined {
  return comparison.figures.find(figure => figure.label === label && isSpeed(figure))?.ratio
}

function isSpeed(figure: Figure): boolean {
  return rows.find(row => row.label === figure.label)?.metric === 'perSecond'
}

function hasXenondb(figure: Figure): boolean {
  return figure.medians.xenondb !== undefined
}
