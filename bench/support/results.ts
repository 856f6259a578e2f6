/** Results go to `<out>/<name>.json` (every sample) and `<out>/<name>.svg` (the picture of it). */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { Chart } from './chart/chart.ts'
import { renderCharts } from './chart/render.ts'
import { describeMachine, machineLine } from './machine.ts'

export interface Results {
  benchmark: string
  /** The options that shaped the run. */
  options: Record<string, unknown>
  /** Whatever was measured. */
  data: unknown
  charts: readonly Chart[]
}

export function writeResults(directory: string, results: Results): void {
  const { benchmark, options, data, charts } = results
  const machine = describeMachine()
  mkdirSync(directory, { recursive: true })
  const json = join(directory, `${benchmark}.json`)
  const svg = join(directory, `${benchmark}.svg`)
  const document = { benchmark, date: new Date().toISOString(), machine, options, data }
  writeFileSync(json, `${JSON.stringify(document, null, 2)}\n`)
  writeFileSync(svg, renderCharts(charts, machineLine(machine)))
  console.log(`\nwritten: ${relative(process.cwd(), json)}, ${relative(process.cwd(), svg)}`)
}
