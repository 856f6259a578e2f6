import { IN_FLIGHT, inGroups, requirePeer, type Store, type StoreOptions } from './store.ts'

interface Statement {
  run(...parameters: string[]): unknown
  all(...parameters: (string | number)[]): unknown[]
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
  const range = (columns: string, comparison: string) =>
    db.prepare(`SELECT ${columns} FROM kv WHERE k ${comparison} ? ORDER BY k LIMIT ?`)
  const selectEntries = { from: range('k, v', '>=').raw(), after: range('k, v', '>').raw() }
  const selectKeys = { from: range('k', '>=').pluck(), after: range('k', '>').pluck() }
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
      readPieces<[string, string]>(selectEntries, from, limit, ([key, value]) => {
        characters += key.length + value.length
        return key
      })
      return characters
    },
    keys(from, limit) {
      let characters = 0
      readPieces<string>(selectKeys, from, limit, key => {
        characters += key.length
        return key
      })
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

const PIECE = 1000

/**
 * Up to `limit` rows, handed to `visit`, which returns the key. Arrays of 1,000 are faster than an iterator, and than
 * one array of all rows.
 */
function readPieces<Row>(
  select: { from: Statement; after: Statement },
  from: string,
  limit: number,
  visit: (row: Row) => string,
): void {
  let last = from
  let statement = select.from
  for (let rest = limit; rest > 0; rest -= PIECE) {
    const rows = statement.all(last, Math.min(rest, PIECE)) as Row[]
    for (const row of rows) last = visit(row)
    if (rows.length < PIECE) break
    statement = select.after
  }
}
