/**
 * What the cache is worth: the same random gets and puts
 *  - with a new handle for each operation, so that nothing is kept from one to the next (on a small sample),
 *  - with the smallest pool, 16 frames, which holds next to nothing of a large file,
 *  - with the LRU pool in its default size.
 */
import { open } from 'xenondb'
import type { Chart } from './support/chart/chart.ts'
import { count, microseconds } from './support/format.ts'
import { type Options, outputDirectory, positiveInteger, positiveIntegers } from './support/options.ts'
import { Random } from './support/random.ts'
import { keyOf, VALUE_BYTES, valueAt } from './support/records.ts'
import { writeResults } from './support/results.ts'
import { median } from './support/statistics.ts'
import { Stopwatch } from './support/stopwatch.ts'
import { printTable } from './support/table.ts'
import { makeTemporaryDirectory, removeTemporaryDirectory } from './support/temp.ts'

type Database = ReturnType<typeof openWith>

const MODES = ['reopened', '16 frames', 'cached'] as const
type Mode = (typeof MODES)[number]

const BLOCK = 4096
const OPERATIONS = 20_000
const REOPENED_OPERATIONS = 40
/** One operation in ten is a put. */
const PUT_EVERY = 10

interface Sample {
  secondsPerOperation: number
  readsPerOperation: number
}
type Row = { records: number } & Record<Mode, Sample>

export async function run(options: Options): Promise<number> {
  const preset = options.quick ? [1000, 10_000] : [1000, 10_000, 100_000]
  const sizes = positiveIntegers('records', options.records, options.full ? [...preset, 1_000_000] : preset)
  const repeats = positiveInteger('repeats', options.repeats, options.quick ? 1 : 3)
  const rows: Row[] = []
  for (const records of sizes) {
    console.error(`${count(records)} records …`)
    rows.push(await measureSize(records, repeats))
  }
  report(rows)
  writeResults(outputDirectory(options), {
    benchmark: 'slow-vs-cached',
    options: { sizes, repeats, operations: OPERATIONS, reopenedOperations: REOPENED_OPERATIONS },
    data: rows,
    charts: charts(rows),
  })
  return 0
}

function openWith(directory: string, mode: Mode) {
  const pool = mode === 'cached' ? {} : { cacheBytes: 16 * BLOCK }
  return open(directory, { durability: 'process', ordered: false, blockSize: BLOCK, ...pool })
}

async function measureSize(records: number, repeats: number): Promise<Row> {
  const directory = makeTemporaryDirectory()
  try {
    load(directory, records)
    const samples: Record<Mode, Sample[]> = { reopened: [], '16 frames': [], cached: [] }
    for (let repeat = 0; repeat < repeats; repeat += 1) {
      for (const mode of MODES) samples[mode].push(await measure(directory, mode, records, repeat))
    }
    const of = (mode: Mode) => middle(samples[mode])
    return { records, reopened: of('reopened'), '16 frames': of('16 frames'), cached: of('cached') }
  } finally {
    removeTemporaryDirectory(directory)
  }
}

function load(directory: string, records: number): void {
  const db = openWith(directory, 'cached')
  for (let from = 0; from < records; from += 1000) {
    const numbers = Array.from({ length: Math.min(1000, records - from) }, (_, index) => from + index)
    db.batch(numbers.map(number => ({ type: 'put', key: keyOf(number), value: valueAt(number, 0) })))
  }
  db.close()
}

function measure(directory: string, mode: Mode, records: number, repeat: number): Promise<Sample> {
  return mode === 'reopened'
    ? measureReopened(directory, records, repeat)
    : measureOpen(directory, mode, records, repeat)
}

/** One handle for all; what comes before the measured operations warms up the code and, if it is to be, the pool. */
async function measureOpen(directory: string, mode: Mode, records: number, repeat: number): Promise<Sample> {
  const random = new Random(repeat + 1)
  const db = openWith(directory, mode)
  if (mode === 'cached') for (let number = 0; number < records; number += 1) db.get(keyOf(number))
  operate(db, randomKeys(random, records, OPERATIONS >> 1), repeat)
  const keys = randomKeys(random, records, OPERATIONS)
  const readBefore = db.stats().cache.blockReads
  const stopwatch = new Stopwatch()
  await stopwatch.measure(() => operate(db, keys, repeat))
  const reads = db.stats().cache.blockReads - readBefore
  db.close()
  return { secondsPerOperation: stopwatch.seconds / OPERATIONS, readsPerOperation: reads / OPERATIONS }
}

/** Opens, operates once and closes, each time. */
async function measureReopened(directory: string, records: number, repeat: number): Promise<Sample> {
  const keys = randomKeys(new Random(repeat + 1), records, REOPENED_OPERATIONS)
  const stopwatch = new Stopwatch()
  let reads = 0
  for (const [index, key] of keys.entries()) {
    await stopwatch.measure(() => {
      const db = openWith(directory, 'reopened')
      operateOnce(db, key, index, repeat)
      reads += db.stats().cache.blockReads
      db.close()
    })
  }
  return { secondsPerOperation: stopwatch.seconds / keys.length, readsPerOperation: reads / keys.length }
}

function randomKeys(random: Random, records: number, length: number): string[] {
  return Array.from({ length }, () => keyOf(random.below(records)))
}

function operate(db: Database, keys: readonly string[], repeat: number): void {
  for (let index = 0; index < keys.length; index += 1) operateOnce(db, keys[index]!, index, repeat)
}

function operateOnce(db: Database, key: string, index: number, repeat: number): void {
  if (index % PUT_EVERY === 0) db.put(key, valueAt(index, repeat + 1))
  else if (db.get(key)?.length !== VALUE_BYTES) throw new Error(`record ${key} is missing or damaged`)
}

function middle(samples: readonly Sample[]): Sample {
  return {
    secondsPerOperation: median(samples.map(sample => sample.secondsPerOperation)),
    readsPerOperation: median(samples.map(sample => sample.readsPerOperation)),
  }
}

function report(rows: readonly Row[]): void {
  const head = ['records', ...MODES.flatMap(mode => [`${mode}: time`, 'block reads']), '16 frames / cached']
  console.log('\nper operation, nine gets to one put')
  printTable(
    head,
    rows.map(row => [
      count(row.records),
      ...MODES.flatMap(mode => [microseconds(row[mode].secondsPerOperation), row[mode].readsPerOperation.toFixed(3)]),
      `${(row['16 frames'].secondsPerOperation / row.cached.secondsPerOperation).toFixed(1)} ×`,
    ]),
  )
}

function charts(rows: readonly Row[]): Chart[] {
  const series = (value: (sample: Sample) => number) =>
    MODES.map(name => ({ name, points: rows.map(row => [row.records, value(row[name])] as const) }))
  const shared = { kind: 'lines', xLabel: 'records in the database', logX: true } as const
  const note = 'nine random gets to one put; lower is better'
  return [
    {
      ...shared,
      title: 'Time per operation without and with the cache',
      note,
      yLabel: 'µs',
      logY: true,
      series: series(s => s.secondsPerOperation * 1e6),
    },
    {
      ...shared,
      title: 'Blocks read per operation',
      note,
      yLabel: 'blocks',
      series: series(s => s.readsPerOperation),
    },
  ]
}
