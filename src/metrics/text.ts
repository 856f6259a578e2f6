/**
 * The text format of Prometheus, version 0.0.4:
 * https://github.com/prometheus/docs/blob/main/docs/instrumenting/exposition_formats.md
 */
import { InvalidArgumentError, shown } from '../errors.ts'

/** What goes into the header `content-type` of the answer. */
export const metricsContentType = 'text/plain; version=0.0.4; charset=utf-8'

export interface Figure {
  /** Without the prefix; that of a counter ends in `_total`. Figures of one name stand side by side. */
  readonly name: string
  readonly type: 'counter' | 'gauge'
  readonly help: string
  readonly value: number
  readonly labels?: Readonly<Record<string, string>>
}

const METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const LABEL_NAME = /^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/

/** @throws InvalidArgumentError for a prefix or a label that Prometheus does not take. */
export const exposition = (
  figures: readonly Figure[],
  prefix: string,
  labels: Readonly<Record<string, string>>,
): string => {
  if (typeof prefix !== 'string' || !METRIC_NAME.test(prefix))
    throw new InvalidArgumentError(
      `prefix must begin with a letter and hold letters, digits and _ alone, not ${shown(prefix)}`,
    )
  if (labels === null || typeof labels !== 'object')
    throw new InvalidArgumentError("labels must be an object, such as { app: 'shop' }")
  for (const [name, value] of Object.entries(labels)) {
    if (!LABEL_NAME.test(name))
      throw new InvalidArgumentError(`a label's name holds letters, digits and _ alone, not ${shown(name)}`)
    if (typeof value !== 'string') throw new InvalidArgumentError(`the label ${name} must be a string`)
  }
  const lines: string[] = []
  let last = ''
  for (const { name, type, help, value, labels: own } of figures) {
    const full = `${prefix}_${name}`
    if (name !== last) lines.push(`# HELP ${full} ${escaped(help)}`, `# TYPE ${full} ${type}`)
    last = name
    lines.push(`${full}${labelText({ ...labels, ...own })} ${numberText(value)}`)
  }
  return `${lines.join('\n')}\n`
}

const escaped = (text: string): string => text.replace(/\\/g, '\\\\').replace(/\n/g, '\\n')

const labelText = (labels: Readonly<Record<string, string>>): string => {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value).replace(/"/g, '\\"')}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

const numberText = (value: number): string =>
  value === Number.POSITIVE_INFINITY ? '+Inf' : value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value)
