/** From samples to figures: medians, ratios, and whether they reach their goals. */
import { median, spread } from '../support/statistics.ts'
import type { StoreName } from './job.ts'
import type { Goal, Row } from './plan.ts'
import type { Sample } from './session.ts'

export type Mark = 'PASS' | 'SHORT' | ''

/** One row at one size. */
export interface Figure {
  label: string
  step: string
  records: number
  /** Medians; a store that was not measured is missing. */
  medians: Partial<Record<StoreName, number>>
  /** (greatest - least) / median of the samples. */
  spreads: Partial<Record<StoreName, number>>
  bestPeer: StoreName | undefined
  /** The median of the row's own store over that of `bestPeer`. */
  ratio: number | undefined
  goal: Goal | undefined
  /** `PASS` when the bound is kept. */
  mark: Mark
  /** Also what was aimed at is reached. */
  reachedAim: boolean
}

export function figureOf(row: Row, records: number, samples: readonly Sample[], stores: readonly StoreName[]): Figure {
  const medians: Figure['medians'] = {}
  const spreads: Figure['spreads'] = {}
  for (const store of stores) {
    const values = valuesOf(row, records, samples, store)
    if (values.length === 0) continue
    medians[store] = median(values)
    spreads[store] = spread(values)
  }
  const bestPeer = best(row, medians)
  const own = medians[row.of ?? 'xenondb']
  const ratio = own === undefined || bestPeer === undefined ? undefined : own / medians[bestPeer]!
  const goal = row.goal?.(records)
  const judged = row.judged === 'own' ? own : ratio
  return {
    label: row.label,
    step: row.step,
    records,
    medians,
    spreads,
    bestPeer,
    ratio,
    goal,
    ...judge(row, judged, goal),
  }
}

function valuesOf(row: Row, records: number, samples: readonly Sample[], store: StoreName): number[] {
  const step = store.startsWith('xenondb') ? row.step : (row.peerStep ?? row.step)
  return samples
    .filter(sample => sample.records === records && sample.step === step && sample.store === store)
    .map(sample => sample.metrics[row.metric])
    .filter(value => value !== undefined)
}

function best(row: Row, medians: Figure['medians']): StoreName | undefined {
  const peers = (Object.keys(medians) as StoreName[]).filter(store =>
    row.against === undefined ? !store.startsWith('xenondb') : store === row.against,
  )
  const direction = row.better === 'higher' ? -1 : 1
  return peers.sort((a, b) => direction * (medians[a]! - medians[b]!))[0]
}

function judge(row: Row, judged: number | undefined, goal: Goal | undefined): Pick<Figure, 'mark' | 'reachedAim'> {
  if (judged === undefined || goal === undefined) return { mark: '', reachedAim: false }
  const reaches = (limit: number) => (row.better === 'higher' ? judged >= limit : judged <= limit)
  return { mark: reaches(goal.bound) ? 'PASS' : 'SHORT', reachedAim: reaches(goal.aim) }
}
