/**
 * Gaps are filled again: after deleting records and adding as many others, the file has the same number of blocks.
 * Once with 128 records, where the number must be the same to the block, and over rounds with many.
 */
import { open, type Stats } from 'xenondb'
import type { Chart } from './support/chart/chart.ts'
import { count, mebibytes, short } from './support/format.ts'
import { type Options, outputDirectory, positiveInteger } from './support/options.ts'
import { keyOf, RECORD_BYTES, valueAt } from './support/records.ts'
import { writeResults } from './support/results.ts'
import { Stopwatch } from './support/stopwatch.ts'
import { printTable } from './support/table.ts'
import { makeTemporaryDirectory, removeTemporaryDirectory } from './support/temp.ts'

type Database = ReturnType<typeof openHere>

const SMALL = 128
const BATCH = 1000
/** Other keys fall into other buckets, so the number of blocks of many records may differ a little. */
const TOLERANCE = 0.05

interface Round {
  round: number
  blocks: number
  freeBlocksAfterDelete: number
  dataBytes: number
  allocatedBytes: number
  addsPerSecond: number
  deletesPerSecond: number
}

export async function run(options: Options): Promise<number> {
  const records = positiveInteger('records', options.records, options.quick ? 10_000 : 100_000)
  const rounds = positiveInteger('rounds', options.rounds, 5)
  const small = await inDatabase(smallProof)
  const large = await inDatabase(db => largeRounds(db, records, rounds))
  const passed = report(small, large, records)
  writeResults(outputDirectory(options), {
    benchmark: 'gap-reuse',
    options: { records, rounds },
    data: { passed, small, large },
    charts: [chart(large, records)],
  })
  return passed ? 0 : 1
}

function openHere(directory: string) {
  return open(directory, { durability: 'process', ordered: false })
}

async function inDatabase<T>(work: (db: Database) => Promise<T> | T): Promise<T> {
  const directory = makeTemporaryDirectory()
  const db = openHere(directory)
  try {
    return await work(db)
  } finally {
    db.close()
    removeTemporaryDirectory(directory)
  }
}

/** Block counts after each of the three steps: add 128, delete 128, add 128 others. */
function smallProof(db: Database): number[] {
  const steps = [() => addOneByOne(db, 0), () => deleteOneByOne(db, 0), () => addOneByOne(db, SMALL)]
  return steps.map(step => {
    step()
    return db.stats().blocks.total
  })
}

function addOneByOne(db: Database, first: number): void {
  for (let number = first; number < first + SMALL; number += 1) db.put(keyOf(number), valueAt(number, 0))
}

function deleteOneByOne(db: Database, first: number): void {
  for (let number = first; number < first + SMALL; number += 1) db.delete(keyOf(number))
}

/** Round 0 adds the first records; each later round deletes those of the round before and adds others. */
async function largeRounds(db: Database, records: number, rounds: number): Promise<Round[]> {
  const results: Round[] = []
  for (let round = 0; round <= rounds; round += 1) {
    const deletes = round === 0 ? Number.NaN : await change(db, 'delete', (round - 1) * records, records)
    const { free } = db.stats().blocks
    const adds = await change(db, 'put', round * records, records)
    await db.checkpoint()
    results.push(roundOf(round, db.stats(), free, adds, deletes))
  }
  return results
}

function roundOf(round: number, stats: Stats, free: number, adds: number, deletes: number): Round {
  return {
    round,
    blocks: stats.blocks.total,
    freeBlocksAfterDelete: free,
    dataBytes: stats.dataBytes,
    allocatedBytes: stats.dataBytesAllocated,
    addsPerSecond: adds,
    deletesPerSecond: deletes,
  }
}

/** Puts or deletes a run of records in batches; returns operations per second. */
async function change(db: Database, type: 'put' | 'delete', first: number, records: number): Promise<number> {
  const stopwatch = new Stopwatch()
  for (let from = first; from < first + records; from += BATCH) {
    const length = Math.min(BATCH, first + records - from)
    const numbers = Array.from({ length }, (_, index) => from + index)
    const operations = numbers.map(number => ({ type, key: keyOf(number), value: valueAt(number, 0) }))
    await stopwatch.measure(() => db.batch(operations))
  }
  return records / stopwatch.seconds
}

function report(small: readonly number[], large: readonly Round[], records: number): boolean {
  const [first, deleted, again] = small as [number, number, number]
  const same = first === again
  console.log(
    `\nblocks after adding ${SMALL} records ${first}, after deleting them ${deleted}, after ${SMALL} others ${again}`,
  )
  console.log(`${same ? 'PASS' : 'FAIL'}: ${same ? 'the same number of blocks' : 'the number of blocks changed'}\n`)
  printTable(
    ['round', 'blocks', 'free after delete', 'file', 'on disk', 'of live', 'adds/s', 'deletes/s'],
    large.map(row),
  )
  const limit = Math.floor(large[0]!.blocks * (1 + TOLERANCE))
  const most = Math.max(...large.map(round => round.blocks))
  const bounded = most <= limit
  const verdict = `${count(records)} records: at most ${count(most)} blocks, ${count(limit)} allowed (first load + 5 %)`
  console.log(`${bounded ? 'PASS' : 'FAIL'}: ${verdict}`)
  return same && bounded

  function row(round: Round): string[] {
    return [
      round.round === 0 ? 'first load' : `round ${round.round}`,
      count(round.blocks),
      round.round === 0 ? '-' : count(round.freeBlocksAfterDelete),
      mebibytes(round.dataBytes),
      mebibytes(round.allocatedBytes),
      (round.allocatedBytes / (records * RECORD_BYTES)).toFixed(2),
      short(round.addsPerSecond),
      short(round.deletesPerSecond),
    ]
  }
}

function chart(large: readonly Round[], records: number): Chart {
  const inMiB = (bytes: number) => bytes / 2 ** 20
  return {
    kind: 'bars',
    title: 'File size while all records are replaced by others',
    note: `${count(records)} records of ${RECORD_BYTES} bytes; each round deletes all and adds as many others. Flat is good`,
    xLabel: 'round',
    yLabel: 'MiB',
    categories: large.map(({ round }) => (round === 0 ? 'first load' : `round ${round}`)),
    series: [
      { name: 'data file', values: large.map(round => inMiB(round.dataBytes)) },
      { name: 'allocated on disk', values: large.map(round => inMiB(round.allocatedBytes)) },
      { name: 'live bytes', values: large.map(() => inMiB(records * RECORD_BYTES)) },
    ],
  }
}
