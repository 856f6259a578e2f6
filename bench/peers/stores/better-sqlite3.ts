import { type Driver, openSqlite, type Parameter } from './sqlite.ts'
import { requirePeer, type Store, type StoreOptions } from './store.ts'

interface Statement {
  run(...parameters: Parameter[]): unknown
  all(...parameters: Parameter[]): unknown[]
  get(...parameters: Parameter[]): unknown
  raw(): Statement
  pluck(): Statement
}

/** The part of better-sqlite3 12 that is used here. */
type Sqlite = new (
  path: string,
) => {
  exec(source: string): unknown
  prepare(source: string): Statement
  close(): void
}

const Database = requirePeer('better-sqlite3') as Sqlite

export function openStore(options: StoreOptions): Store {
  return openSqlite(openDriver, options)
}

function openDriver(path: string): Driver {
  const db = new Database(path)
  return {
    exec: source => db.exec(source),
    run(source) {
      const statement = db.prepare(source)
      return (...parameters) => statement.run(...parameters)
    },
    first(source) {
      const statement = db.prepare(source).pluck()
      return (...parameters) => statement.get(...parameters) as string | undefined
    },
    rows(source) {
      const statement = db.prepare(source).raw()
      return (...parameters) => statement.all(...parameters) as [string, string][]
    },
    column(source) {
      const statement = db.prepare(source).pluck()
      return (...parameters) => statement.all(...parameters) as string[]
    },
    close: () => db.close(),
  }
}
