/** One run of redis-benchmark, and the figures that it prints. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

export interface Load {
  command: 'set' | 'get'
  pipeline: number
  requests: number
  /** Random keys are chosen from so many. */
  keys: number
  clients: number
  valueBytes: number
}

export interface LoadResult {
  perSecond: number
  /** Of a request, in milliseconds. */
  p50: number
  p99: number
}

export function loadArguments(port: number, load: Load): string[] {
  const numbers: readonly (readonly [string, number])[] = [
    ['-p', port],
    ['-c', load.clients],
    ['-d', load.valueBytes],
    ['-r', load.keys],
    ['-n', load.requests],
    ['-P', load.pipeline],
  ]
  return [...numbers.flatMap(([name, value]) => [name, String(value)]), '-t', load.command, '--csv']
}

export async function runLoad(port: number, load: Load): Promise<LoadResult> {
  const args = loadArguments(port, load)
  const { stdout, stderr } = await promisify(execFile)('redis-benchmark', args, { maxBuffer: 2 ** 26 })
  const [head, line] = stdout.trim().split('\n').map(cells)
  if (head === undefined || line === undefined)
    throw new Error(`bench: redis-benchmark printed no figures: ${stdout}${stderr}`)
  const figure = (name: string): number => Number(line[head.indexOf(name)])
  return { perSecond: figure('rps'), p50: figure('p50_latency_ms'), p99: figure('p99_latency_ms') }
}

function cells(line: string): string[] {
  return line.split('","').map(cell => cell.replaceAll('"', ''))
}
