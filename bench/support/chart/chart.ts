/** What a picture shows. `render.ts` draws it. */
export type Chart = BarChart | LineChart

interface Frame {
  title: string
  /** A second, smaller line: what is better, what was held constant. */
  note?: string
  xLabel: string
  yLabel: string
  /** Logarithmic y axis; values must then be above 0. */
  logY?: boolean
}

/** Groups of bars side by side: one group per category, one bar per series. */
export interface BarChart extends Frame {
  kind: 'bars'
  categories: readonly string[]
  /** `values[i]` belongs to `categories[i]`; undefined leaves a gap. */
  series: readonly { name: string; values: readonly (number | undefined)[] }[]
}

/** `label` stands beside the dot. */
export type Point = readonly [x: number, y: number, label?: string]

export interface LineChart extends Frame {
  kind: 'lines'
  logX?: boolean
  series: readonly { name: string; points: readonly Point[] }[]
}
