/**
 * What transactions cost: 256 durable ones of three puts in flight beside SQLite, writers beside an open snapshot, and
 * the latency of commits while checkpoints run.
 */
import { count, short } from '../support/format.ts'
import { Latencies } from '../support/latencies.ts'
import { type Options, outputDirectory, positiveInteger } from '../support/options.ts'
import { keyOf, valueAt } from '../support/records.ts'
import { writeResults } from '../support/results.ts'
import { median } from '../support/statistics.ts'
import { printTable } from '../support/table.ts'
import { makeTemporaryDirectory, removeTemporaryDirectory } from '../support/temp.ts'
import { open } from '../support/xenondb.ts'
import { installPeers } from './install.ts'
import { requirePeer } from './stores/store.ts'

const IN_FLIGHT = 256
const PUTS = 3
const RATE = 20_000

type Database = ReturnType<typeof openText>

const openText = (directory: string) => open(directory)

interface Sqlite {
  pragma(text: string): unknown
  exec(sql: string): unknown
  prepare(sql: string): { run(...values: string[]): unknown }
  transaction<T extends unknown[]>(work: (...args: T) => void): (...args: T) => void
  close(): void
}

interface Row {
  name: string
  value: string
  ratio: number
  bound: string
  passed: boolean
}

export async function run(options: Options): Promise<number> {
  const records = positiveInteger('records', options.records, options.quick ? 10_000 : 100_000)
  const repeats = positiveInteger('repeats', options.repeats, options.quick ? 1 : 3)
  installPeers(['sqlite'])
  const rows = [
    await inFlight(records, repeats, options.quick ? 2_000 : 50_000),
    await besideSnapshot(records, repeats),
    await duringCheckpoints(records, options.quick ? 2 : 10),
  ]
  printTable(
    ['', 'measured', 'ratio', 'wanted', ''],
    rows.map(row => [row.name, row.value, row.ratio.toFixed(2), row.bound, row.passed ? 'PASS' : 'SHORT']),
  )
  writeResults(outputDirectory(options), {
    benchmark: 'transactions',
    options: { records, repeats },
    data: rows,
    charts: [],
  })
  return 0
}

/** Transactions of three puts, each atomic by itself; SQLite in its fastest form, many of them in one commit. */
async function inFlight(records: number, repeats: number, transactions: number): Promise<Row> {
  const ours: number[] = []
  const theirs: number[] = []
  for (let repeat = 0; repeat < repeats; repeat += 1) {
    ours.push(await withDatabase(records, 'power', db => transact(db, records, transactions)))
    theirs.push(inGroups(records, transactions))
  }
  const ratio = median(ours) / median(theirs)
  return {
    name: `${IN_FLIGHT} durable transactions of ${PUTS} puts in flight, a second`,
    value: `${short(median(ours))}, sqlite ${short(median(theirs))}`,
    ratio,
    bound: '≥ 2',
    passed: ratio >= 2,
  }
}

async function transact(db: Database, records: number, transactions: number): Promise<number> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < transactions) {
      const at = PUTS * next++
      await db.async.transact(async tx => {
        for (let i = 0; i < PUTS; i += 1) await tx.put(keyOf((at + i) % records), valueAt(at + i, at))
      })
    }
  }
  const started = performance.now()
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker))
  return transactions / ((performance.now() - started) / 1000)
}

function inGroups(records: number, transactions: number): number {
  const directory = makeTemporaryDirectory()
  const Sqlite = requirePeer('better-sqlite3') as new (path: string) => Sqlite
  const db = new Sqlite(`${directory}/sqlite`)
  try {
    for (const pragma of ['locking_mode = EXCLUSIVE', 'journal_mode = WAL', 'synchronous = FULL']) db.pragma(pragma)
    db.exec('CREATE TABLE records (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID')
    const put = db.prepare('INSERT OR REPLACE INTO records VALUES (?, ?)')
    const putRange = db.transaction((from: number, to: number, version: number) => {
      for (let at = from; at < to; at += 1) put.run(keyOf(at % records), valueAt(at, version))
    })
    putRange(0, records, 0)
    const started = performance.now()
    for (let at = 0; at < transactions; at += IN_FLIGHT)
      putRange(PUTS * at, PUTS * Math.min(transactions, at + IN_FLIGHT), at + 1)
    return transactions / ((performance.now() - started) / 1000)
  } finally {
    db.close()
    removeTemporaryDirectory(directory)
  }
}

/** Updates of random records beside a snapshot that stays open, for which the blocks that change are copied. */
async function besideSnapshot(records: number, repeats: number): Promise<Row> {
  const alone: number[] = []
  const beside: number[] = []
  await withDatabase(records, 'process', async db => {
    for (let repeat = 0; repeat < repeats + 1; repeat += 1) {
      const without = updates(db, records, 2 * repeat + 1)
      const snapshot = db.snapshot()
      const withIt = updates(db, records, 2 * repeat + 2)
      snapshot.close()
      if (repeat === 0) continue
      alone.push(without)
      beside.push(withIt)
    }
  })
  const ratio = median(beside) / median(alone)
  return {
    name: "updates, 'process', beside a long snapshot, a second",
    value: `${short(median(beside))}, alone ${short(median(alone))}`,
    ratio,
    bound: '> 0.7',
    passed: ratio > 0.7,
  }
}

function updates(db: Database, records: number, version: number): number {
  const started = performance.now()
  for (let i = 0; i < records; i += 1) {
    const at = (i * 7919) % records
    db.put(keyOf(at), valueAt(at, version))
  }
  return records / ((performance.now() - started) / 1000)
}

/** Commits at a fixed rate, durable ones, while the log's growth sets off checkpoints. */
async function duringCheckpoints(records: number, seconds: number): Promise<Row> {
  const latencies = new Latencies()
  const checkpoints = await withDatabase(records, 'power', async db => {
    const before = db.stats().checkpoints
    const started = performance.now()
    let sent = 0
    const pending: Promise<void>[] = []
    while (performance.now() - started < seconds * 1000) {
      const due = Math.floor(((performance.now() - started) / 1000) * RATE)
      for (; sent < due; sent += 1) {
        const begun = performance.now()
        const at = (sent * 7919) % records
        pending.push(db.async.put(keyOf(at), valueAt(at, sent)).then(() => latencies.add(performance.now() - begun)))
      }
      await new Promise(resolve => setImmediate(resolve))
    }
    await Promise.all(pending)
    return db.stats().checkpoints - before
  })
  const { p50, p99 } = latencies.percentiles()
  const ratio = p99 / p50
  return {
    name: `async.put at ${count(RATE)} a second, ${checkpoints} checkpoints: p99 of the median`,
    value: `p50 ${p50.toFixed(0)} µs, p99 ${p99.toFixed(0)} µs`,
    ratio,
    bound: '< 5',
    passed: ratio < 5 && checkpoints > 0,
  }
}

async function withDatabase<T>(
  records: number,
  durability: 'power' | 'process',
  work: (db: Database) => Promise<T> | T,
): Promise<T> {
  const directory = makeTemporaryDirectory()
  const db = open(directory, { durability, checkpointBytes: 16 * 1024 * 1024 })
  try {
    for (let from = 0; from < records; from += 1000)
      db.batch(
        Array.from({ length: Math.min(1000, records - from) }, (_, i) => ({
          type: 'put' as const,
          key: keyOf(from + i),
          value: valueAt(from + i, 0),
        })),
      )
    await db.checkpoint()
    return await work(db)
  } finally {
    db.close()
    removeTemporaryDirectory(directory)
  }
}
