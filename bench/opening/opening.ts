/**
 * What a program waits for before it has its first record: loading the package, opening a database, a first get; and the
 * close, and a second open. Each time in a process of its own, beside another build in turn.
 */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { loadavg } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type * as Xenon from 'xenondb'
import { count } from '../support/format.ts'
import { type Options, outputDirectory, positiveInteger, UsageError } from '../support/options.ts'
import { repositoryRoot } from '../support/paths.ts'
import { keyOf, valueAt } from '../support/records.ts'
import { writeResults } from '../support/results.ts'
import { median } from '../support/statistics.ts'
import { printTable } from '../support/table.ts'
import { makeTemporaryDirectory, removeTemporaryDirectory } from '../support/temp.ts'
import { KINDS, type OpeningKind, STEPS, type Step, type Steps, type Time } from './steps.ts'

const SMALL = 100
const BATCH = 1000
const TTL_MS = 1000
const child = join(dirname(fileURLToPath(import.meta.url)), 'child.js')

interface Build {
  name: string
  script: string
  directory: string
}

interface Row {
  kind: OpeningKind
  build: string
  steps: Steps
  /** Least CPU time: what other work on the machine has disturbed least. */
  least: Record<Step, number>
}

export async function run(options: Options): Promise<number> {
  const records = positiveInteger('records', options.records, options.quick ? 2000 : 100_000)
  const repeats = positiveInteger('repeats', options.repeats, options.quick ? 1 : 20)
  const scratch = makeTemporaryDirectory()
  try {
    const builds = [buildIn('now', repositoryRoot, scratch)]
    if (options.against !== undefined) builds.push(buildIn('before', String(options.against), scratch))
    for (const build of builds) await fill(build, records)
    const rows = KINDS.flatMap(kind => measure(builds, kind, repeats))
    const load = loadavg().map(average => Number(average.toFixed(1)))
    report(rows, records, repeats, load)
    writeResults(outputDirectory(options), {
      benchmark: 'opening',
      options: { records, repeats, against: options.against !== undefined },
      data: { load, rows },
      charts: [],
    })
  } finally {
    removeTemporaryDirectory(scratch)
  }
  return 0
}

function buildIn(name: string, root: string, scratch: string): Build {
  const script = join(resolve(root), 'dist', 'index.js')
  if (!existsSync(script)) throw new UsageError(`there is no build in ${root}; run 'npm run build' there`)
  return { name, script: pathToFileURL(script).href, directory: join(scratch, name) }
}

const pathOf = ({ directory }: Build, kind: OpeningKind): string =>
  kind.startsWith('expired') ? `${directory}-expired` : `${directory}-${kind}`

async function fill(build: Build, records: number): Promise<void> {
  const { open } = (await import(build.script)) as typeof Xenon
  const make = (kind: OpeningKind, number: number, ttl: number | undefined): void => {
    const db = open(pathOf(build, kind), { durability: 'none' })
    for (let from = 0; from < number; from += BATCH)
      db.batch(
        Array.from({ length: Math.min(BATCH, number - from) }, (_, i) => ({
          type: 'put',
          key: keyOf(from + i),
          value: valueAt(from + i, 0),
          ttl,
        })),
      )
    // Behind all others.
    db.put('~', 'stays')
    db.close()
  }
  make('records', records, undefined)
  make('small', SMALL, undefined)
  make('expired, keys', records, TTL_MS)
  await new Promise(resolve => setTimeout(resolve, 2 * TTL_MS))
}

function measure(builds: readonly Build[], kind: OpeningKind, repeats: number): Row[] {
  console.error(`${kind} …`)
  const samples = builds.map((): Steps[] => [])
  for (let repeat = 0; repeat < repeats; repeat++)
    for (let at = 0; at < builds.length; at++) {
      // Whoever comes second finds other caches.
      const turn = (at + repeat) % builds.length
      samples[turn]!.push(once(builds[turn]!, kind))
    }
  return builds.map(({ name }, at) => rowOf(kind, name, samples[at]!))
}

function once(build: Build, kind: OpeningKind): Steps {
  const path = pathOf(build, kind)
  if (kind === 'new') removeTemporaryDirectory(path)
  return JSON.parse(execFileSync(process.execPath, [child, build.script, path, kind], { encoding: 'utf8' }))
}

function rowOf(kind: OpeningKind, build: string, samples: readonly Steps[]): Row {
  const of = <T>(take: (times: readonly Time[]) => T): Record<Step, T> =>
    Object.fromEntries(STEPS.map(step => [step, take(samples.map(sample => sample[step]))])) as Record<Step, T>
  return {
    kind,
    build,
    steps: of(times => ({ cpu: median(times.map(({ cpu }) => cpu)), wall: median(times.map(({ wall }) => wall)) })),
    least: of(times => Math.min(...times.map(({ cpu }) => cpu))),
  }
}

function report(rows: readonly Row[], records: number, repeats: number, load: readonly number[]): void {
  console.log(
    `\n${count(records)} records; ms of CPU time / wall time, medians of ${repeats} processes (least CPU time);`,
  )
  console.log(`load average ${load.join(', ')}\n`)
  printTable(
    ['', 'build', 'load the package', 'open', 'first get, keys, count', 'close', 'open again'],
    rows.map(({ kind, build, steps, least }) => [
      kind,
      build,
      ...STEPS.map(step => `${ms(steps[step].cpu)} / ${ms(steps[step].wall)} (${ms(least[step])})`),
    ]),
  )
}

const ms = (milliseconds: number): string => milliseconds.toFixed(milliseconds < 9.95 ? 2 : 1)
