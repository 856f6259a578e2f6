/**
 * How long the event loop stands still: under asynchronous puts over a disk whose syncs take 0.1 and 10 ms, and while
 * the database does what takes long. Then how many commits a second 64 writers make over such disks, beside another
 * build.
 */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Database, OpenOptions, Storage } from 'xenondb'
import { count, short } from '../support/format.ts'
import { type Options, outputDirectory, positiveInteger, UsageError } from '../support/options.ts'
import { repositoryRoot } from '../support/paths.ts'
import { Random } from '../support/random.ts'
import { keyOf, valueAt } from '../support/records.ts'
import { writeResults } from '../support/results.ts'
import { median } from '../support/statistics.ts'
import { printTable } from '../support/table.ts'
import { makeTemporaryDirectory, removeTemporaryDirectory } from '../support/temp.ts'
import { type Delay, LoopDelay } from './loop-delay.ts'
import { SlowDisk } from './slow-disk.ts'

/** A timer may be as late as this, but for one in a thousand. */
const GOAL_MS = 20
const RATE = 10_000
/** Puts a second beside work that takes long. */
const BESIDE = 2_000
const SYNCS_MS = [0.1, 10] as const
const WRITERS = 64
const SETTLE_MS = 500
const EXPIRING = 100_000
const CHANGED = 0.2

interface Build {
  open(directory: string, options: OpenOptions): Database
  nodeStorage: Storage
}

interface Row extends Delay {
  name: string
  seconds: number
}

interface Throughput {
  name: string
  commits: number
  against: number | undefined
  samples: { ours: number[]; theirs: number[] }
}

export async function run(options: Options): Promise<number> {
  const records = positiveInteger('records', options.records, options.quick ? 20_000 : 1_000_000)
  const repeats = positiveInteger('repeats', options.repeats, options.quick ? 1 : 5)
  const seconds = options.quick ? 1 : 10
  const ours = await load(repositoryRoot)
  const theirs = options.against === undefined ? undefined : await load(String(options.against))
  const directory = makeTemporaryDirectory()
  const path = join(directory, 'db')
  try {
    fill(ours, path, records)
    const rows = options.throughput
      ? []
      : [
          ...(await underPuts(ours, path, records, seconds)),
          ...(await maintenance(ours, path, directory, records, Boolean(options.quick))),
        ]
    if (rows.length > 0) report(rows)
    const throughput: Throughput[] = []
    for (const milliseconds of SYNCS_MS)
      throughput.push(await commits(ours, theirs, directory, milliseconds, repeats, options.quick ? 0.5 : 3))
    reportThroughput(throughput)
    writeResults(outputDirectory(options), {
      benchmark: 'stalls',
      options: { records, repeats, against: options.against !== undefined },
      data: { rows, throughput },
      charts: [],
    })
  } finally {
    removeTemporaryDirectory(directory)
  }
  return 0
}

async function load(root: string): Promise<Build> {
  const dist = join(resolve(root), 'dist')
  if (!existsSync(dist)) throw new UsageError(`there is no build in ${root}; run 'npm run build' there`)
  const { open, nodeStorage } = await import(pathToFileURL(join(dist, 'index.js')).href)
  return { open, nodeStorage }
}

function fill({ open }: Build, path: string, records: number): void {
  const db = open(path, { durability: 'none' })
  for (let from = 0; from < records; from += 1000)
    db.batch(
      Array.from({ length: Math.min(1000, records - from) }, (_, i) => ({
        type: 'put',
        key: keyOf(from + i),
        value: valueAt(from + i, 0),
      })),
    )
  db.close()
}

async function measured(name: string, work: () => Promise<unknown>): Promise<Row> {
  console.error(`${name} …`)
  // What came before, its garbage and its unwritten pages, is not what is measured.
  execFileSync('sync')
  await pause(SETTLE_MS)
  const delay = new LoopDelay()
  const started = performance.now()
  delay.start()
  await work()
  const seconds = (performance.now() - started) / 1000
  return { name, seconds, ...delay.stop() }
}

/** Puts records at a rate, whatever the event loop does, until it is stopped; the promises are all awaited. */
function putting(db: Database, records: number, rate: number): { stop(): Promise<void> } {
  const random = new Random(7)
  const started = performance.now()
  let done = 0
  let waiting = 0
  let failure: unknown
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - started) / 1000) * rate)
    for (; done < due; done++) {
      const number = random.below(records)
      waiting++
      db.async.put(keyOf(number), valueAt(number, done + 1)).then(
        () => waiting--,
        error => {
          failure = error
        },
      )
    }
  }, 1)
  return {
    async stop() {
      clearInterval(timer)
      while (waiting > 0 && failure === undefined) await pause(1)
      if (failure !== undefined) throw failure
    },
  }
}

const pause = (milliseconds: number): Promise<void> => new Promise(resolve => setTimeout(resolve, milliseconds))

async function underPuts(build: Build, path: string, records: number, seconds: number): Promise<Row[]> {
  const rows: Row[] = []
  for (const milliseconds of SYNCS_MS) {
    const disk = new SlowDisk(build.nodeStorage, milliseconds)
    const db = build.open(path, { storage: disk.storage })
    try {
      for (let number = 0; number < records; number++) db.get(keyOf(number))
      const fsync = `fsync ${milliseconds} ms`
      const puts = putting(db, records, RATE)
      rows.push(await measured(`${count(RATE)} puts/s, ${fsync}`, () => pause(seconds * 1000)))
      rows.push(await measured(`the same, checkpoint`, () => db.checkpoint()))
      await puts.stop()
    } finally {
      db.close()
      await disk.close()
    }
  }
  return rows
}

async function maintenance(
  { open }: Build,
  path: string,
  directory: string,
  records: number,
  quick: boolean,
): Promise<Row[]> {
  const rows: Row[] = []
  const db = open(path, { durability: 'process', checkpointBytes: 2 ** 30 })
  const random = new Random(3)
  const beside = async (name: string, work: () => Promise<unknown>): Promise<void> => {
    rows.push(await measured(name, work))
    const puts = putting(db, records, BESIDE)
    rows.push(await measured(`${name}, ${count(BESIDE)} puts/s`, work))
    await puts.stop()
  }
  try {
    const change = (): void => {
      for (let i = 0; i < CHANGED * records; i++) db.put(keyOf(random.below(records)), valueAt(i, 1))
    }
    change()
    rows.push(await measured('checkpoint', () => db.checkpoint()))
    change()
    const puts = putting(db, records, BESIDE)
    rows.push(await measured(`checkpoint, ${count(BESIDE)} puts/s`, () => db.checkpoint()))
    await puts.stop()
    await beside('verify', () => db.verify())
    let copy = 0
    await beside('backup', async () => {
      await db.backup(join(directory, `copy ${copy++}`))
    })
    const expiring = quick ? 2_000 : EXPIRING
    const { expired } = db.stats()
    const until = Date.now() + (quick ? 2_000 : 15_000)
    for (let from = 0; from < expiring; from += 1000)
      db.batch(
        Array.from({ length: 1000 }, (_, i) => ({
          type: 'put',
          key: `expires ${keyOf(from + i)}`,
          value: 'x',
          ttl: Math.max(1, until - Date.now()),
        })),
      )
    await pause(Math.max(0, until - Date.now() - 100))
    rows.push(
      await measured(`${count(expiring)} records expire at once`, async () => {
        while (db.stats().expired < expired + expiring) await pause(50)
      }),
    )
    for (let number = 0; number < records; number += 2) db.delete(keyOf(number))
    rows.push(await measured('compact, half deleted', () => db.compact()))
    for (let number = 1; number < records; number += 4) db.delete(keyOf(number))
    const besideCompact = putting(db, records, BESIDE)
    rows.push(await measured(`compact, ${count(BESIDE)} puts/s`, () => db.compact()))
    await besideCompact.stop()
  } finally {
    db.close()
  }
  return rows
}

function report(rows: readonly Row[]): void {
  console.log('\ndelay of a timer that is due every millisecond, in ms')
  const shown = (milliseconds: number): string => milliseconds.toFixed(2)
  printTable(
    ['', 'seconds', 'p50', 'p99', 'p99.9', 'max', `p99.9 ≤ ${GOAL_MS}`],
    rows.map(row => [
      row.name,
      row.seconds.toFixed(1),
      ...[row.p50, row.p99, row.p999, row.max].map(shown),
      row.p999 <= GOAL_MS ? 'PASS' : 'SHORT',
    ]),
  )
}

/**
 * Commits of 64 writers, each of which awaits one put after the other, beside a timer of 1 ms. The builds take turns.
 */
async function commits(
  ours: Build,
  theirs: Build | undefined,
  directory: string,
  milliseconds: number,
  repeats: number,
  seconds: number,
): Promise<Throughput> {
  const name = `${WRITERS} writers, fsync ${milliseconds} ms`
  console.error(`${name} …`)
  const samples = { ours: [] as number[], theirs: [] as number[] }
  for (let repeat = 0; repeat < repeats; repeat++) {
    const turns: [Build, number[]][] = [[ours, samples.ours]]
    if (theirs !== undefined) turns[repeat % 2 === 0 ? 'push' : 'unshift']([theirs, samples.theirs])
    for (const [build, found] of turns)
      found.push(await commitsPerSecond(build, join(directory, 'writers'), milliseconds, seconds))
  }
  return {
    name,
    commits: median(samples.ours),
    against: theirs === undefined ? undefined : median(samples.theirs),
    samples,
  }
}

async function commitsPerSecond(build: Build, path: string, milliseconds: number, seconds: number): Promise<number> {
  const disk = new SlowDisk(build.nodeStorage, milliseconds)
  const db = build.open(path, { storage: disk.storage })
  const timer = setInterval(() => {}, 1)
  try {
    await writeFor(db, 0.2 * seconds)
    return await writeFor(db, seconds)
  } finally {
    clearInterval(timer)
    db.close()
    await disk.close()
    removeTemporaryDirectory(path)
  }
}

type Put = (key: string, value: string) => Promise<void>

/** The other build may be one from before there was `db.async`. */
function putOf(db: Database & { putAsync?: Put }): Put {
  return db.putAsync === undefined ? (key, value) => db.async.put(key, value) : db.putAsync.bind(db)
}

async function writeFor(db: Database, seconds: number): Promise<number> {
  const put = putOf(db)
  const started = performance.now()
  const until = started + seconds * 1000
  let done = 0
  const writer = async (first: number): Promise<void> => {
    for (let number = first; performance.now() < until; number += WRITERS, done++)
      await put(keyOf(number % 100_000), valueAt(number, 0))
  }
  await Promise.all(Array.from({ length: WRITERS }, (_, first) => writer(first)))
  return (done / (performance.now() - started)) * 1000
}

function reportThroughput(rows: readonly Throughput[]): void {
  console.log('\ncommits a second')
  printTable(
    ['', 'commits/s', 'other build', 'ratio'],
    rows.map(({ name, commits: ours, against }) => [
      name,
      short(ours),
      against === undefined ? '-' : short(against),
      against === undefined ? '-' : (ours / against).toFixed(3),
    ]),
  )
}
