import { IN_FLIGHT, inGroups, requirePeer, type Store, type StoreOptions } from './store.ts'

type Row = [key: string, value?: string]

interface Statement {
  run(...parameters: string[]): unknown
  all(...parameters: (string | number)[]): Row[]
  iterate(...parameters: (string | number)[]): Iterable<Row>
  raw(): Statement
  get(...parameters: string[]): unknown
  pluck(): Statement
}

/** The part of better-sqlite3 12 that is used here. */
type Sqlite = new (
  path: string,
) => {
  pragma(source: string): unknown
  exec(source: string): unknown
  prepare(source: string): Statement
  close(): void
}

const Database = requirePeer('better-sqlite3') as Sqlite

/**
 * Exclusive locking (without it each read asks the file system for locks), a write-ahead log with a checkpoint
 * every 64 MiB as in xenondb, and room for everything in the cache and in the memory map.
 */
const PRAGMAS = [
  'page_size = 4096',
  'locking_mode = EXCLUSIVE',
  'journal_mode = WAL',
  'wal_autocheckpoint = 16384',
  'cache_size = -1048576',
  'mmap_size = 4294967296',
  'temp_store = MEMORY',
]

export function openStore({ directory, durability }: StoreOptions): Store {
  const db = new Database(`${directory}/sqlite.db`)
  for (const pragma of PRAGMAS) db.pragma(pragma)
  db.pragma(`synchronous = ${durability === 'power' ? 'FULL' : 'OFF'}`)
  db.exec('CREATE TABLE IF NOT EXISTS kv (k TEXT PRIMARY KEY, v TEXT NOT NULL) WITHOUT ROWID')
  const select = db.prepare('SELECT v FROM kv WHERE k = ?').pluck()
  const put = db.prepare('REPLACE INTO kv VALUES (?, ?)')
  const remove = db.prepare('DELETE FROM kv WHERE k = ?')
  const selectEntries = db.prepare('SELECT k, v FROM kv WHERE k >= ? ORDER BY k LIMIT ?').raw()
  const selectKeys = db.prepare('SELECT k FROM kv WHERE k >= ? ORDER BY k LIMIT ?').raw()
  const begin = db.prepare('BEGIN IMMEDIATE')
  const commit = db.prepare('COMMIT')
  const putRange = (keys: readonly string[], values: readonly string[], from: number, to: number) => {
    begin.run()
    for (let at = from; at < to; at += 1) put.run(keys[at]!, values[at]!)
    commit.run()
  }

  return {
    get: key => select.get(key) as string | undefined,
    put(key, value) {
      put.run(key, value)
    },
    putEach(keys, values) {
      for (let at = 0; at < keys.length; at += 1) put.run(keys[at]!, values[at]!)
    },
    putBatch: (keys, values) => putRange(keys, values, 0, keys.length),
    transactions(keys, values, size) {
      for (let from = 0; from < keys.length; from += size) putRange(keys, values, from, from + size)
    },
    entries(from, limit) {
      let characters = 0
      for (const [key, value] of rows(selectEntries, from, limit)) characters += key.length + value!.length
      return characters
    },
    keys(from, limit) {
      let characters = 0
      for (const [key] of rows(selectKeys, from, limit)) characters += key.length
      return characters
    },
    deleteBatch(keys) {
      begin.run()
      for (const key of keys) remove.run(key)
      commit.run()
    },
    inFlight: {},
    grouped: {
      'one transaction per 256': (keys, values) =>
        inGroups(keys, IN_FLIGHT, async (from, to) => putRange(keys, values, from, to)),
    },
    async close() {
      db.close()
    },
  }
}

/** An array is faster than an iterator; of all records it would take all memory. A limit of -1 is none. */
function rows(select: Statement, from: string, limit: number): Iterable<Row> {
  return limit <= 1000 ? select.all(from, limit) : select.iterate(from, Number.isFinite(limit) ? limit : -1)
}
