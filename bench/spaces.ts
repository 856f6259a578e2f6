/**
 * What a sub-database costs beside the root of its database, and beside a named database of lmdb (`openDB`): loads in
 * batches, gets, puts, scans of entries, and clearing. All in one process, in turn; CPU time, the least of some turns.
 */
import { open } from 'xenondb'
import { installPeers } from './peers/install.ts'
import { requirePeer } from './peers/stores/store.ts'
import { type Options, outputDirectory, positiveInteger } from './support/options.ts'
import { keyOf, valueAt } from './support/records.ts'
import { writeResults } from './support/results.ts'
import { printTable } from './support/table.ts'
import { makeTemporaryDirectory, removeTemporaryDirectory } from './support/temp.ts'

const TURNS = 5
const BATCH = 1000

interface Place {
  load(from: number, to: number): void
  get(key: string): string | undefined
  put(key: string, value: string): void
  /** Characters of all keys and values. */
  scan(): number
  clear(): void
}

interface Opened {
  places: Record<string, Place>
  close(): unknown
}

interface Lmdb {
  open(options: Record<string, unknown>): {
    openDB(name: string, options: Record<string, unknown>): LmdbDatabase
    transactionSync(work: () => void): void
    close(): Promise<void>
  }
}

interface LmdbDatabase {
  get(key: string): string | undefined
  put(key: string, value: string): unknown
  putSync(key: string, value: string): void
  getRange(range: object): Iterable<{ key: string; value: string }>
  clearSync(): void
}

const OPERATIONS = ['load', 'get', 'put', 'scan of entries'] as const
type Figures = Record<(typeof OPERATIONS)[number] | 'clear', number>

export async function run(options: Options): Promise<number> {
  const records = positiveInteger('records', options.records, options.quick ? 2000 : 100_000)
  installPeers(['lmdb'])
  const figures: Record<string, Figures> = {}
  for (const openAll of [openXenondb, openLmdb]) {
    const directory = makeTemporaryDirectory()
    const { places, close } = openAll(directory, records)
    for (let turn = 0; turn < TURNS; turn++)
      for (const [name, place] of Object.entries(places)) figures[name] = least(figures[name], measure(place, records))
    await close()
    removeTemporaryDirectory(directory)
  }
  const [root, sub, lmdb] = ['root', 'sub-database', 'lmdb, openDB'].map(name => figures[name]!) as [
    Figures,
    Figures,
    Figures,
  ]
  console.log(`\n${records} records; microseconds of CPU time a record, the least of ${TURNS} turns\n`)
  printTable(
    ['', 'root', 'sub-database', 'of the root', 'lmdb, openDB', 'of lmdb'],
    [...OPERATIONS, 'clear' as const].map(name => [
      name === 'clear' ? 'clear, ms' : name,
      ...[root[name], sub[name]].map(shown),
      (root[name] / sub[name]).toFixed(2),
      shown(lmdb[name]),
      (lmdb[name] / sub[name]).toFixed(2),
    ]),
  )
  writeResults(outputDirectory(options), { benchmark: 'spaces', options: { records }, data: figures, charts: [] })
  return 0
}

function openXenondb(directory: string, records: number): Opened {
  const db = open(directory, { durability: 'none' })
  const placeOf = (space: Pick<typeof db, 'get' | 'put' | 'batch' | 'entries' | 'clear'>): Place => ({
    load: (from, to) => space.batch(numbers(from, to).map(i => ({ type: 'put', key: keyOf(i), value: valueAt(i, 0) }))),
    get: key => space.get(key),
    put: (key, value) => space.put(key, value),
    scan() {
      let characters = 0
      for (const [key, value] of space.entries()) characters += key.length + value.length
      return characters
    },
    clear: () => space.clear(),
  })
  return { places: { root: placeOf(db), 'sub-database': placeOf(db.sub(`of ${records}`)) }, close: () => db.close() }
}

function openLmdb(directory: string): Opened {
  const lmdb = requirePeer('lmdb') as Lmdb
  const root = lmdb.open({ path: `${directory}/lmdb`, noSync: true, useWritemap: true, noMemInit: true })
  const db = root.openDB('records', { encoding: 'string' })
  const place: Place = {
    load: (from, to) =>
      root.transactionSync(() => {
        for (const i of numbers(from, to)) db.put(keyOf(i), valueAt(i, 0))
      }),
    get: key => db.get(key),
    put: (key, value) => db.putSync(key, value),
    scan() {
      let characters = 0
      for (const { key, value } of db.getRange({})) characters += key.length + value.length
      return characters
    },
    clear: () => root.transactionSync(() => db.clearSync()),
  }
  return { places: { 'lmdb, openDB': place }, close: () => root.close() }
}

function measure(place: Place, records: number): Figures {
  const keys = numbers(0, records).map(i => keyOf((i * 7919) % records))
  const each = (work: () => void): number => cpuOf(work) / records
  const load = each(() => {
    for (let from = 0; from < records; from += BATCH) place.load(from, Math.min(records, from + BATCH))
  })
  const get = each(() => {
    for (const key of keys) if (place.get(key) === undefined) throw new Error(`${key} is missing`)
  })
  const put = each(() => {
    for (const key of keys) place.put(key, valueAt(7, 1))
  })
  const scan = each(() => {
    if (place.scan() < records) throw new Error('a scan has left records out')
  })
  const clear = cpuOf(() => place.clear()) / 1000
  return { load, get, put, 'scan of entries': scan, clear }
}

const least = (known: Figures | undefined, now: Figures): Figures => {
  if (known === undefined) return now
  const names = Object.keys(now) as (keyof Figures)[]
  return Object.fromEntries(names.map(name => [name, Math.min(known[name], now[name])])) as Figures
}

const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)

const shown = (value: number): string => value.toFixed(2)

/** Microseconds of CPU time. */
function cpuOf(work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return user + system
}
