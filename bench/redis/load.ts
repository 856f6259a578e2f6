/** One run of redis-benchmark, and the figures that it prints. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

export interface Load {
  /** A test of redis-benchmark, or the words of any command; `__rand_int__` in them is a random number. */
  command: 'set' | 'get' | readonly string[]
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
  const what = typeof load.command === 'string' ? ['-t', load.command] : load.command
  return [...numbers.flatMap(([name, value]) => [name, String(value)]), '--csv', ...what]
}

export async function runLoad(port: number, load: Load): Promise<LoadResult> {
  const args = loadArguments(port, load)
  const { stdout, stderr } = await promisify(execFile)('redis-benchmark', args, { maxBuffer: 2 ** 26 })
  const [head, line] = stdout.trim().split('\n').map(cells)
  if (head === undefined || line === undefined)
    throw new Error(`bench: redis-benchmark printed no figures: ${stdout}${stderr}`)
  // From behind: the first cell is the command, which may have anything in it.
  const figure = (name: string): number => Number(line.at(head.indexOf(name) - head.length))
  if (!(figure('rps') > 0)) throw new Error(`bench: figures of redis-benchmark that cannot be read: ${stdout}${stderr}`)
  return { perSecond: figure('rps'), p50: figure('p50_latency_ms'), p99: figure('p99_latency_ms') }
}

function cells(line: string): string[] {
  return line.split('","').map(cell => cell.replaceAll('"', ''))
}
