/** One store with named key spaces and two indexes: its figures, in a process of its own, as JSON on stdout. */
import { keyOf } from '../support/records.ts'
import { open } from '../support/xenondb.ts'
import { requirePeer } from './stores/store.ts'

interface User {
  email: string
  city: string
  age: number
}

/** Records that one transaction stores. */
const BATCH = 100
const CITIES = 1000

interface Spaces {
  load(users: readonly [string, User][]): void
  get(key: string): unknown
  byEmail(email: string): unknown
  byCity(city: string): number
  clear(): void
  close(): unknown
}

const [, , store, directory, given] = process.argv
const count = Number(given)
const users = Array.from({ length: count }, (_, i): [string, User] => [
  keyOf(i),
  { email: `user${i}@example.com`, city: `city ${(i * 7919) % CITIES}`, age: i % 90 },
])

const xenondb = (path: string, name: string | undefined, isIndexed: boolean): Spaces => {
  const db = open<User>(path, { durability: 'process', valueEncoding: 'json' })
  const space = name === undefined ? db : db.sub<User>(name, { valueEncoding: 'json' })
  const email = isIndexed ? space.index<string>('email', user => user.email, { unique: true }) : undefined
  const city = isIndexed ? space.index<string>('city', user => user.city) : undefined
  return {
    load: some => space.batch(some.map(([key, value]) => ({ type: 'put', key, value }))),
    get: key => space.get(key),
    byEmail: address => email?.get(address),
    byCity: where => [...(city?.entries(where) ?? [])].length,
    clear: () => space.clear(),
    close: () => db.close(),
  }
}

interface LmdbDatabase {
  put(key: unknown, value: unknown): unknown
  get(key: unknown): unknown
  getValues(key: unknown): Iterable<string>
  clearSync(): void
}

interface LmdbRoot extends LmdbDatabase {
  openDB(name: string, options: Record<string, unknown>): LmdbDatabase
  transactionSync(work: () => void): void
  close(): Promise<void>
}

const lmdb = (path: string, isIndexed: boolean): Spaces => {
  const { open: openLmdb } = requirePeer('lmdb') as { open(options: Record<string, unknown>): LmdbRoot }
  const root = openLmdb({ path: `${path}/lmdb`, noSync: true, useWritemap: true, noMemInit: true })
  const space = root.openDB('users', { encoding: 'json' })
  const email = isIndexed ? root.openDB('email', { encoding: 'string' }) : undefined
  const city = isIndexed ? root.openDB('city', { dupSort: true, encoding: 'ordered-binary' }) : undefined
  return {
    load: some =>
      root.transactionSync(() => {
        for (const [key, value] of some) {
          space.put(key, value)
          email?.put(value.email, key)
          city?.put(value.city, key)
        }
      }),
    get: key => space.get(key),
    byEmail: address => space.get(email?.get(address)),
    byCity(where) {
      let found = 0
      for (const key of city?.getValues(where) ?? []) if (space.get(key) !== undefined) found++
      return found
    },
    clear: () => root.transactionSync(() => space.clearSync()),
    close: () => root.close(),
  }
}

interface Sqlite {
  exec(source: string): void
  prepare(source: string): {
    run(...given: (string | number)[]): unknown
    all(...given: string[]): unknown[]
    get(...given: string[]): unknown
  }
  close(): void
}

const sqlite = async (path: string, isIndexed: boolean): Promise<Spaces> => {
  const name = 'node:sqlite'
  const { DatabaseSync } = (await import(name)) as { DatabaseSync: new (path: string) => Sqlite }
  const db = new DatabaseSync(`${path}/sqlite.db`)
  for (const pragma of [
    'locking_mode = EXCLUSIVE',
    'journal_mode = WAL',
    'synchronous = OFF',
    'wal_autocheckpoint = 16384',
    'mmap_size = 4294967296',
    'cache_size = -1048576',
  ])
    db.exec(`PRAGMA ${pragma}`)
  db.exec('CREATE TABLE users (id TEXT PRIMARY KEY, email TEXT, city TEXT, json TEXT NOT NULL) WITHOUT ROWID')
  if (isIndexed) db.exec('CREATE UNIQUE INDEX email ON users (email); CREATE INDEX city ON users (city)')
  const put = db.prepare('REPLACE INTO users VALUES (?, ?, ?, ?)')
  const one = db.prepare('SELECT json FROM users WHERE id = ?')
  const email = db.prepare('SELECT json FROM users WHERE email = ?')
  const city = db.prepare('SELECT id, city, json FROM users WHERE city = ?')
  const parsed = (row: unknown): unknown => (row === undefined ? undefined : JSON.parse((row as { json: string }).json))
  return {
    load(some) {
      db.exec('BEGIN')
      for (const [key, value] of some) put.run(key, value.email, value.city, JSON.stringify(value))
      db.exec('COMMIT')
    },
    get: key => parsed(one.get(key)),
    byEmail: address => parsed(email.get(address)),
    byCity: where => city.all(where).map(parsed).length,
    clear: () => db.exec('DELETE FROM users'),
    close: () => db.close(),
  }
}

const openSpaces = (isIndexed: boolean): Spaces | Promise<Spaces> => {
  const path = `${directory}/${isIndexed ? 'indexed' : 'plain'}`
  if (store === 'lmdb') return lmdb(path, isIndexed)
  if (store === 'node-sqlite') return sqlite(path, isIndexed)
  return xenondb(path, store === 'xenondb-root' ? undefined : 'users', isIndexed)
}

/** Operations a second of wall time, the best of three turns. */
const rate = (operations: number, work: () => void, turns = 3): number => {
  let best = 0
  for (let turn = 0; turn < turns; turn++) {
    const started = performance.now()
    work()
    best = Math.max(best, (1000 * operations) / (performance.now() - started))
  }
  return best
}

const loaded = (spaces: Spaces): number =>
  rate(
    count,
    () => {
      for (let from = 0; from < count; from += BATCH) spaces.load(users.slice(from, from + BATCH))
    },
    1,
  )

const requireThere = (found: unknown): void => {
  if (found === undefined || found === 0) throw new Error(`${store} does not find what was stored`)
}

const { mkdirSync } = await import('node:fs')
for (const name of ['plain', 'indexed']) mkdirSync(`${directory}/${name}`, { recursive: true })
const plain = await openSpaces(false)
const figures: Record<string, number> = { 'load, no index': loaded(plain) }
figures['get by key'] = rate(count, () => {
  for (let i = 0; i < count; i++) requireThere(plain.get(users[(i * 7919) % count]![0]))
})
const started = performance.now()
plain.clear()
figures['clear, milliseconds'] = performance.now() - started
await plain.close()
const indexed = await openSpaces(true)
figures['load, two indexes'] = loaded(indexed)
figures['get by a unique index'] = rate(count, () => {
  for (let i = 0; i < count; i++) requireThere(indexed.byEmail(users[(i * 7919) % count]![1].email))
})
figures['records of an index key'] = rate(count, () => {
  for (let i = 0; i < CITIES; i++) requireThere(indexed.byCity(`city ${i}`))
})
await indexed.close()
process.stdout.write(`${JSON.stringify(figures)}\n`)
