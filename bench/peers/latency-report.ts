/** Latency and throughput as tables and curves. */
import type { Chart } from '../support/chart/chart.ts'
import { count, microseconds, short } from '../support/format.ts'
import { median } from '../support/statistics.ts'
import { printTable } from '../support/table.ts'
import type { Durability, StoreName } from './job.ts'
import type { Step } from './plan.ts'
import type { Sample } from './session.ts'

/** A measurement: `inFlight` commits, each as durable as `durability` says. */
export interface LatencyStep extends Step {
  inFlight: number
}

/** Medians of the repeats; latencies in microseconds. */
export interface LatencyPoint {
  store: StoreName
  durability: Durability
  inFlight: number
  perSecond: number
  p50: number
  p99: number
  p999: number
}

const FIGURES = ['perSecond', 'p50', 'p99', 'p999'] as const

export function pointsOf(
  steps: readonly LatencyStep[],
  stores: readonly StoreName[],
  samples: readonly Sample[],
): LatencyPoint[] {
  return steps.flatMap(({ name, durability, inFlight }) =>
    stores.flatMap(store => {
      const own = samples.filter(sample => sample.step === name && sample.store === store)
      if (own.length === 0) return []
      const [perSecond, p50, p99, p999] = FIGURES.map(figure =>
        median(own.map(sample => sample.metrics[figure] ?? Number.NaN)),
      ) as [number, number, number, number]
      return [{ store, durability, inFlight, perSecond, p50, p99, p999 }]
    }),
  )
}

export function printLatencies(points: readonly LatencyPoint[], records: number): void {
  for (const durability of unique(points.map(point => point.durability))) {
    console.log(`\ncommits '${durability}': updates of ${count(records)} records of 15 + 100 bytes; medians`)
    const here = points.filter(point => point.durability === durability)
    const sorted = unique(here.map(point => point.store)).flatMap(store => here.filter(point => point.store === store))
    printTable(['', 'in flight', 'commits/s', 'p50', 'p99', 'p99.9'], sorted.map(cells))
  }
}

function cells({ store, inFlight, perSecond, p50, p99, p999 }: LatencyPoint): string[] {
  return [store, count(inFlight), short(perSecond), ...[p50, p99, p999].map(us => microseconds(us / 1e6))]
}

/** xenondb's curve for each durability; then, where peers were measured, a curve for each store. */
export function latencyCharts(points: readonly LatencyPoint[]): Chart[] {
  const own = points.filter(point => point.store === 'xenondb')
  const charts = (['p50', 'p99', 'p999'] as const).map(figure =>
    curves(`xenondb: ${nameOf(figure)} latency of a commit`, own, figure, point => `'${point.durability}'`),
  )
  const besidePeers = (['power', 'process'] as const).map(durability => {
    const here = points.filter(point => point.durability === durability)
    return curves(`${nameOf('p99')} latency, commits '${durability}'`, here, 'p99', point => point.store)
  })
  const compared = points.some(point => point.store !== 'xenondb')
  return [...charts, ...(compared ? besidePeers : [])].filter(chart => chart.series.length > 0)
}

function curves(
  title: string,
  points: readonly LatencyPoint[],
  figure: 'p50' | 'p99' | 'p999',
  nameOfSeries: (point: LatencyPoint) => string,
): Chart {
  return {
    kind: 'lines',
    title,
    note: 'numbers at the dots: commits in flight; further right is more, further down is sooner',
    xLabel: 'commits per second (log)',
    yLabel: 'µs',
    logX: true,
    logY: true,
    series: unique(points.map(nameOfSeries)).map(name => ({
      name,
      points: points
        .filter(point => nameOfSeries(point) === name)
        .map(point => [point.perSecond, point[figure], count(point.inFlight)] as const),
    })),
  }
}

function nameOf(figure: 'p50' | 'p99' | 'p999'): string {
  return { p50: 'median', p99: '99 %', p999: '99.9 %' }[figure]
}

function unique<T>(list: readonly T[]): T[] {
  return [...new Set(list)]
}
