/** Figures over the last minutes. */
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import type { State } from './model.ts'
import { useTheme } from './theme.tsx'

const HEIGHT = 180

export interface Line {
  readonly name: string
  readonly of: (state: State) => number | undefined
  /** The figure only grows, and what is drawn is how much a second. */
  readonly isRate?: boolean
}

export const Chart = ({
  title,
  history,
  lines,
  unit = '',
}: {
  title: string
  history: readonly State[]
  lines: readonly Line[]
  unit?: string
}): JSX.Element => {
  const theme = useTheme()
  const box = useRef<HTMLDivElement>(null)
  const chart = useRef<uPlot | undefined>(undefined)
  useEffect(() => {
    const element = box.current!
    const styles = getComputedStyle(document.documentElement)
    const ink = styles.getPropertyValue('--faint')
    const grid = { stroke: styles.getPropertyValue('--edge'), width: 1 }
    const colors = ['--use-overflow', '--use-directory', '--use-leaf', '--use-large']
    chart.current = new uPlot(
      {
        width: element.clientWidth,
        height: HEIGHT,
        legend: { live: true },
        cursor: { drag: { setScale: false } },
        axes: [
          { stroke: ink, grid },
          { stroke: ink, grid, size: 70, values: (_plot, values) => values.map(value => `${short(value)}${unit}`) },
        ],
        series: [
          {},
          ...lines.map(({ name }, i) => ({
            label: name,
            stroke: styles.getPropertyValue(colors[i % colors.length]!),
            width: 2,
            points: { show: false },
            value: (_plot: uPlot, value: number | null) => (value == null ? '–' : `${short(value)}${unit}`),
          })),
        ],
        scales: { y: { range: (_plot, _min, max) => [0, Math.max(1, max * 1.1)] } },
      },
      dataOf(history, lines),
      element,
    )
    const observer = new ResizeObserver(() => chart.current?.setSize({ width: element.clientWidth, height: HEIGHT }))
    observer.observe(element)
    return () => {
      observer.disconnect()
      chart.current?.destroy()
      chart.current = undefined
    }
  }, [theme])
  useEffect(() => chart.current?.setData(dataOf(history, lines)), [history])
  return (
    <figure class="chart">
      <figcaption>{title}</figcaption>
      <div ref={box} role="img" aria-label={`${title}: ${lines.map(({ name }) => name).join(', ')}`} />
    </figure>
  )
}

const short = (value: number): string =>
  value >= 1e6
    ? `${(value / 1e6).toFixed(1)} M`
    : value >= 1e4
      ? `${(value / 1e3).toFixed(0)} k`
      : `${Math.round(value * 100) / 100}`

const dataOf = (history: readonly State[], lines: readonly Line[]): uPlot.AlignedData => {
  const times = history.map(({ at }) => at / 1000)
  const values = lines.map(({ of, isRate }) =>
    history.map((state, i) => {
      const value = of(state)
      if (value === undefined || isRate !== true) return value ?? null
      const before = history[i - 1]
      const earlier = before === undefined ? undefined : of(before)
      if (before === undefined || earlier === undefined || state.at === before.at) return null
      return Math.max(0, (1000 * (value - earlier)) / (state.at - before.at))
    }),
  )
  return [times, ...values]
}
