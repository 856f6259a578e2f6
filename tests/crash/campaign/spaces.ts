/**
 * Sub-databases in the states of a campaign, which are maps from text to text: a record of `users` in the root is
 * "@users/key", one of `old` in that "@users/@old/key"; "@users" itself says that there is such a sub-database.
 */
import type { Database } from '../../../src/database/database.ts'
import type { KeySpace } from '../../../src/database/key-space.ts'
import type { Sub } from '../../../src/database/sub.ts'

export const IS_THERE = 'a sub-database'

/** The key of the mark of a database in a state. */
export const MARK = '@ the mark'

export const pathOf = (path: string, name: string): string => `${path}@${name}/`

export const markOf = (path: string, name: string): string => `${path}@${name}`

/** The keys, within their key space, of the records of one that are in a state. */
export const recordsIn = (state: ReadonlyMap<string, string>, path: string): string[] =>
  [...state.keys()]
    .filter(key => key.startsWith(path))
    .map(key => key.slice(path.length))
    .filter(key => !key.startsWith('@'))

/** Where the record of a state lies, and its key there. */
export const placeOf = (db: Database, name: string): { space: Database | Sub; key: string } => {
  let space: Database | Sub = db
  let key = name
  for (let end = key.indexOf('/'); key.startsWith('@') && end > 0; end = key.indexOf('/')) {
    space = space.sub(key.slice(1, end))
    key = key.slice(end + 1)
  }
  return { space, key }
}

/** All sub-databases, the inner ones too. */
export const subsOf = (db: Database | Sub, path = ''): { sub: Sub; path: string }[] =>
  db.subs().flatMap(name => {
    const sub = db.sub(name)
    return [{ sub, path: pathOf(path, name) }, ...subsOf(sub, pathOf(path, name))]
  })

/** Keeps timers from removing what has expired, and from freeing what was cleared. */
export const stopTimers = (space: KeySpace): void => {
  const { sweeper, handle } = space as unknown as {
    sweeper: { stop(): void }
    handle: { reclaiming: { stop(): void; begin(): void; schedule(): void } }
  }
  sweeper.stop()
  handle.reclaiming.stop()
  handle.reclaiming.begin = () => {}
  handle.reclaiming.schedule = () => {}
}
