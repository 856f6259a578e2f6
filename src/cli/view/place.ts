/** The key space that a command works in (`--sub`), as a view, and how its keys and values are written. */
import type { Access } from '../database.ts'
import { CommandError } from '../errors.ts'
import {
  definedOf,
  type EncodingNames,
  type GivenPlace,
  nameNew,
  requireFitting,
  rootWriting,
  type Writing,
  writingOf,
} from '../place.ts'
import { quoted } from '../text.ts'
import { LocalDatabase } from './local.ts'
import { withDatabaseView } from './open.ts'
import type { DatabaseView, SpaceView } from './view.ts'

export interface ViewPlace extends Writing {
  readonly view: SpaceView
  /** The names of the sub-databases that lead to it, its own at the end; of the root, none. */
  readonly path: readonly string[]
}

/** Opens the database, or goes through who has it open, and in it the place: made, if the command may create one. */
export function withViewPlace<R>(
  directory: string,
  access: Access,
  given: GivenPlace,
  work: (place: ViewPlace, database: DatabaseView) => R | Promise<R>,
): Promise<R> {
  return withDatabaseView(directory, access, async database =>
    work(await viewPlace(database, database.root, given, access), database),
  )
}

/** `root`: that of the database, perhaps of one moment. */
export async function viewPlace(
  database: DatabaseView,
  root: SpaceView,
  given: GivenPlace,
  { createIfMissing, onlyReads }: Partial<Access>,
): Promise<ViewPlace> {
  const { path } = given
  let view = root
  for (const [i, name] of path.entries()) {
    let sub = await view.sub(name)
    if (sub === undefined && createIfMissing === true) {
      const { keyEncoding = 'utf8', encoding: valueEncoding = 'utf8' } = given
      sub = await view.declareSub(name, i < path.length - 1 ? {} : { keyEncoding, valueEncoding })
    }
    if (sub === undefined) throw new CommandError(`there is no sub-database ${quoted(name)} in ${database.directory}`)
    view = sub
  }
  if (path.length === 0) {
    if (createIfMissing === true && database instanceof LocalDatabase) nameNew(database.db, given)
    return { view, path, ...rootWriting(namesOf(await database.root.facts()), given) }
  }
  const names = namesOf(await view.facts())
  if (onlyReads !== true) requireFitting(given, names)
  return { view, path, names, ...writingOf(names), ...definedOf(given) }
}

const namesOf = ({ keyEncoding, valueEncoding }: EncodingNames): EncodingNames => ({ keyEncoding, valueEncoding })

/** A place, and all sub-databases that lie in it: outer ones first, those beside each other in the order of names. */
export async function* placesIn(place: ViewPlace): AsyncGenerator<ViewPlace, void> {
  yield place
  for (const name of await place.view.subs()) {
    const view = await place.view.sub(name)
    if (view === undefined) continue
    const names = namesOf(await view.facts())
    yield* placesIn({ view, path: [...place.path, name], names, ...writingOf(names) })
  }
}
