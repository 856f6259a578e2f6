/** A strict reader of the text format of Prometheus: whatever the format does not allow is an error. */

export interface Sample {
  labels: Record<string, string>
  value: number
}

export interface Family {
  name: string
  type: string
  help: string
  samples: Sample[]
}

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/
const NUMBER = /^(?:[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|[+-]Inf|NaN|Nan)$/
const PAIR = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/

export function parseExposition(text: string): Map<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line has no end')
  const families = new Map<string, Family>()
  let current: Family | undefined
  for (const line of text.slice(0, -1).split('\n')) {
    // prom-client parts its families by an empty line, which the format allows.
    if (line === '') continue
    const [, kind, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? []
    if (kind === 'HELP') {
      if (families.has(name)) throw new Error(`${name} stands in two places`)
      current = { name, type: '', help: rest, samples: [] }
      families.set(name, current)
      continue
    }
    if (kind === 'TYPE') {
      if (current?.name !== name || current.type !== '' || current.samples.length > 0)
        throw new Error(`the type of ${name} does not follow its help`)
      if (!['counter', 'gauge', 'histogram', 'summary', 'untyped'].includes(rest)) throw new Error(`type ${rest}`)
      current.type = rest
      continue
    }
    const [, sample = '', labelText = '', value = ''] = SAMPLE.exec(line) ?? []
    const ofFamily =
      current !== undefined &&
      (sample === current.name ||
        (current.type === 'histogram' && sample.replace(/_(bucket|sum|count)$/, '') === current.name))
    if (!ofFamily || current!.type === '') throw new Error(`no family for: ${line}`)
    if (!NUMBER.test(value)) throw new Error(`no number: ${line}`)
    const labels = parseLabels(labelText)
    const key = JSON.stringify([sample, labels])
    if (current!.samples.some(other => JSON.stringify([sample, other.labels]) === key && sample === current!.name))
      throw new Error(`twice: ${line}`)
    current!.samples.push({ labels, value: Number(value.replace('Inf', 'Infinity')) })
  }
  return families
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {}
  for (let rest = text; rest !== ''; ) {
    const match = PAIR.exec(rest)
    if (match === null) throw new Error(`no labels: ${text}`)
    const [whole, name, value] = match as unknown as [string, string, string]
    if (name in labels) throw new Error(`label ${name} twice`)
    labels[name] = value.replace(/\\(.)/g, (_, character: string) => (character === 'n' ? '\n' : character))
    rest = rest.slice(whole.length)
  }
  return labels
}
