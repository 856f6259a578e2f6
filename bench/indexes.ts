/**
 * What two indexes cost and give: xenondb with them and without, beside lmdb with two `dupSort` databases that are kept by
 * hand in one transaction with the record, and SQLite with two `CREATE INDEX`. JSON records of some 80 bytes; every put is
 * a transaction of its own, nothing is synced. Time is CPU time of the process, the stores in turn.
 */
import { join } from 'node:path'
import { type Index, open } from 'xenondb'
import { installPeers } from './peers/install.ts'
import { requirePeer } from './peers/stores/store.ts'
import { type Options, outputDirectory, positiveInteger } from './support/options.ts'
import { writeResults } from './support/results.ts'
import { printTable } from './support/table.ts'
import { makeTemporaryDirectory, removeTemporaryDirectory } from './support/temp.ts'

const CITIES = 1000
const AGES = 90
const TURNS = 3

interface User {
  name: string
  city: string
  age: number
}

interface Store {
  put(key: string, user: User): void
  get(key: string): User | undefined
  /** Some user of a city, and the keys of all of an age; undefined where there is no index. */
  byCity?: (city: string) => User | undefined
  byAge?: (age: number) => string[]
  close(): unknown
}

const openXenon = (directory: string, isIndexed: boolean): Store => {
  const db = open<User>(directory, { valueEncoding: 'json', durability: 'none' })
  const base: Store = {
    put: (key, user) => db.put(key, user),
    get: key => db.get(key),
    close: () => db.close(),
  }
  if (!isIndexed) return base
  const cities: Index<User, string, string> = db.index('city', user => user.city)
  const ages: Index<User, string, number> = db.index('age', user => user.age)
  return {
    ...base,
    byCity: city => cities.get(city),
    byAge: age => Array.from(ages.keys(age), ([, key]) => key),
  }
}

interface LmdbDatabase {
  get(key: string | number): unknown
  putSync(key: string | number, value: unknown): unknown
  removeSync(key: string | number, value: unknown): unknown
  getValues(key: string | number): Iterable<string>
  openDB(name: string, options: object): LmdbDatabase
  transactionSync(work: () => void): void
  close(): Promise<void>
}

const openLmdb = (directory: string): Store => {
  const lmdb = requirePeer('lmdb') as { open(options: object): LmdbDatabase }
  const env = lmdb.open({ path: join(directory, 'lmdb'), noSync: true, noSubdir: false, maxDbs: 4 })
  const users = env.openDB('users', { encoding: 'json' })
  const cities = env.openDB('city', { dupSort: true, encoding: 'ordered-binary' })
  const ages = env.openDB('age', { dupSort: true, encoding: 'ordered-binary' })
  return {
    put: (key, user) =>
      env.transactionSync(() => {
        const old = users.get(key) as User | undefined
        users.putSync(key, user)
        if (old?.city !== user.city) {
          if (old !== undefined) cities.removeSync(old.city, key)
          cities.putSync(user.city, key)
        }
        if (old?.age !== user.age) {
          if (old !== undefined) ages.removeSync(old.age, key)
          ages.putSync(user.age, key)
        }
      }),
    get: key => users.get(key) as User | undefined,
    byCity: city => {
      const [key] = cities.getValues(city)
      return key === undefined ? undefined : (users.get(key) as User)
    },
    byAge: age => [...ages.getValues(age)],
    close: () => env.close(),
  }
}

interface SqliteDatabase {
  exec(source: string): void
  prepare(source: string): {
    run(...values: unknown[]): void
    get(...values: unknown[]): unknown
    all(...values: unknown[]): unknown[]
  }
  close(): void
}

const openSqlite = (directory: string): Store => {
  const Sqlite = requirePeer('better-sqlite3') as new (path: string) => SqliteDatabase
  const db = new Sqlite(join(directory, 'users.db'))
  db.exec(
    'PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA cache_size = -262144',
  )
  db.exec('CREATE TABLE users (key TEXT PRIMARY KEY, user TEXT NOT NULL, city TEXT, age INTEGER) WITHOUT ROWID')
  db.exec('CREATE INDEX city ON users (city); CREATE INDEX age ON users (age)')
  const put = db.prepare('REPLACE INTO users VALUES (?, ?, ?, ?)')
  const get = db.prepare('SELECT user FROM users WHERE key = ?')
  const city = db.prepare('SELECT user FROM users WHERE city = ? LIMIT 1')
  const age = db.prepare('SELECT key FROM users WHERE age = ?')
  const userOf = (row: unknown): User | undefined =>
    row === undefined ? undefined : (JSON.parse((row as { user: string }).user) as User)
  return {
    put: (key, user) => put.run(key, JSON.stringify(user), user.city, user.age),
    get: key => userOf(get.get(key)),
    byCity: name => userOf(city.get(name)),
    byAge: years => (age.all(years) as { key: string }[]).map(({ key }) => key),
    close: () => db.close(),
  }
}

const stores: Record<string, (directory: string) => Store> = {
  'xenondb, no index': directory => openXenon(directory, false),
  xenondb: directory => openXenon(directory, true),
  'lmdb, dupSort': openLmdb,
  'better-sqlite3': openSqlite,
}

const WORK = ['insert', 'replace, same keys', 'replace, other keys', 'get', 'get by city', 'keys of an age'] as const
type Work = (typeof WORK)[number]
/** Thousands of operations a second of CPU time; of the last one, thousands of keys. */
type Rates = Partial<Record<Work, number>>

export async function run(options: Options): Promise<number> {
  const count = positiveInteger('records', options.records, options.quick ? 2000 : 50_000)
  installPeers(['lmdb', 'sqlite'])
  const best: Record<string, Rates> = {}
  for (let turn = 0; turn < TURNS; turn++)
    for (const [name, openStore] of Object.entries(stores)) {
      const rates = await measure(openStore, count)
      best[name] ??= {}
      const kept = best[name]
      for (const work of WORK) if (rates[work] !== undefined) kept[work] = Math.max(kept[work] ?? 0, rates[work])
    }
  report(best)
  writeResults(outputDirectory(options), {
    benchmark: 'indexes',
    options: { records: count },
    data: best,
    charts: [
      {
        kind: 'bars',
        title: 'Two indexes',
        note: 'Thousands of operations a second of CPU time. More is better',
        xLabel: 'work',
        yLabel: 'thousands a second',
        logY: true,
        categories: WORK,
        series: Object.entries(best).map(([name, rates]) => ({ name, values: WORK.map(work => rates[work]) })),
      },
    ],
  })
  return 0
}

async function measure(openStore: (directory: string) => Store, count: number): Promise<Rates> {
  const directory = makeTemporaryDirectory()
  const store = openStore(directory)
  const keys = Array.from({ length: count }, (_, i) => `user:${((i * 7919) % count).toString().padStart(8, '0')}`)
  const userOf = (i: number, of: number): User => ({
    name: `somebody of number ${i}`,
    city: `city ${of % CITIES}`,
    age: of % AGES,
  })
  const each = (work: (i: number) => unknown): number =>
    count /
    cpuMilliseconds(() => {
      for (let i = 0; i < count; i++) work(i)
    })
  const rates: Rates = {}
  rates.insert = each(i => store.put(keys[i]!, userOf(i, i)))
  rates['replace, same keys'] = each(i => store.put(keys[i]!, userOf(i + 1, i)))
  rates['replace, other keys'] = each(i => store.put(keys[i]!, userOf(i, i + 1)))
  rates.get = each(i => store.get(keys[(i * 31) % count]!))
  const { byCity, byAge } = store
  if (byCity !== undefined) rates['get by city'] = each(i => byCity(`city ${i % CITIES}`))
  if (byAge !== undefined) {
    let found = 0
    const took = cpuMilliseconds(() => {
      for (let age = 0; age < AGES; age++) found += byAge(age).length
    })
    if (found !== count) throw new Error(`${found} keys by age, there are ${count}`)
    rates['keys of an age'] = found / took
  }
  await store.close()
  removeTemporaryDirectory(directory)
  return rates
}

function cpuMilliseconds(work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

function report(best: Readonly<Record<string, Rates>>): void {
  console.log(`\nbest of ${TURNS} turns, in thousands a second of CPU time\n`)
  printTable(
    ['store', ...WORK],
    Object.entries(best).map(([name, rates]) => [
      name,
      ...WORK.map(work => (rates[work] === undefined ? '' : rates[work].toFixed(0))),
    ]),
  )
}
