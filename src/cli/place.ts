/**
 * The key space that a command works in: the root, or with `--sub` a sub-database; and how its keys and values are
 * written: as the options say, else as a sub-database was made.
 */
import type { Command } from 'cac'
import type { EncodingNames } from '../database/stored-encodings.ts'
import type { Sub } from '../index.ts'
import { argument, choiceOption, type Options } from './arguments.ts'
import { type Access, type ByteDatabase, type ByteStore, withDatabase } from './database.ts'
import { CommandError, UsageError } from './errors.ts'
import { givenKeyEncoding, type KeyEncoding, keyEncodingOption } from './key-text.ts'
import { ENCODINGS, type Encoding, quoted } from './text.ts'

export type { EncodingNames }

/** How the keys and values of a key space are written. */
export interface Writing {
  /** What its records were written with, as far as that is stored, and the options do not say otherwise. */
  readonly names?: EncodingNames
  readonly encoding: Encoding
  readonly keyEncoding: KeyEncoding
}

export interface Place extends Writing {
  readonly store: ByteStore
  /** The names of the sub-databases that lead to it, its own at the end; of the root, none. */
  readonly path: readonly string[]
}

/** What the options say. */
export interface GivenPlace {
  readonly path: readonly string[]
  readonly encoding: Encoding | undefined
  readonly keyEncoding: KeyEncoding | undefined
}

export function subOption(command: Command): Command {
  return command.option('--sub <name>', 'In this sub-database; once more for one that lies in it')
}

export function forceOption(command: Command): Command {
  return command.option('--force', 'Make the database even where other files lie')
}

export function placeOptions(command: Command): Command {
  return subOption(keyEncodingOption(command))
}

export function readSub(options: Options): readonly string[] {
  const { sub } = options
  if (sub === undefined) return []
  return (Array.isArray(sub) ? sub : [sub]).map(name => argument(String(name)))
}

export function readPlace(options: Options): GivenPlace {
  return {
    path: readSub(options),
    encoding: choiceOption(options, 'encoding', ENCODINGS),
    keyEncoding: givenKeyEncoding(options),
  }
}

/** Opens the database, and in it the place: made, if the command may create a database. */
export function withPlace<R>(
  directory: string,
  access: Access,
  given: GivenPlace,
  work: (place: Place, db: ByteDatabase) => R | Promise<R>,
): Promise<R> {
  return withDatabase(directory, access, db => work(placeOf(db, given, access), db))
}

export function placeOf(db: ByteDatabase, given: GivenPlace, { createIfMissing, onlyReads }: Partial<Access>): Place {
  const { path, encoding = 'utf8', keyEncoding = 'utf8' } = given
  if (path.length === 0) {
    if (createIfMissing === true) nameNew(db, given)
    return { store: db, path, ...rootWriting(namesOfRoot(db), given) }
  }
  let store: ByteStore = db
  let names: EncodingNames | undefined
  for (const [i, name] of path.entries()) {
    if (createIfMissing === true && store.subAsBytes(name) === undefined)
      store.declareSub(name, i < path.length - 1 ? {} : { keyEncoding, valueEncoding: encoding })
    const sub: Sub<Uint8Array, Uint8Array> | undefined = store.subAsBytes(name)
    if (sub === undefined) throw new CommandError(`there is no sub-database ${quoted(name)} in ${db.directory}`)
    names = store.encodingsOf(sub)
    store = sub
  }
  if (names === undefined) return { store, path, encoding, keyEncoding }
  if (onlyReads !== true) requireFitting(given, names)
  return { store, path, names, ...writingOf(names), ...definedOf(given) }
}

/** A database that has just been made is of the encodings of the options. */
export function nameNew(db: ByteDatabase, { encoding, keyEncoding }: GivenPlace): void {
  if (db.storedEncodings.valueEncoding !== '' || (encoding !== 'json' && keyEncoding !== 'tuple')) return
  if (db.stats().records > 0 || db.subs().length > 0) return
  db.nameEncodings({ keyEncoding: keyEncoding ?? 'utf8', valueEncoding: encoding ?? 'utf8' })
}

/** What the database says of its records, if it does: text is what others are taken for. */
export function namesOfRoot(db: ByteDatabase): EncodingNames {
  const { keyEncoding, valueEncoding } = db.storedEncodings
  return { keyEncoding: keyEncoding || 'utf8', valueEncoding: valueEncoding || 'utf8' }
}

/** As the options say, else as the database does. Bytes are shown as the text that they often are. */
export function rootWriting(names: EncodingNames, given: GivenPlace): Writing {
  const shown = names.valueEncoding === 'binary' ? { ...names, valueEncoding: 'utf8' } : names
  return { ...(given.encoding === undefined && { names }), ...writingOf(shown), ...definedOf(given) }
}

const WRITTEN: readonly string[] = ['utf8', 'json', 'binary']

/** A word about values that only a program can read. */
export function tellEncoding({ names }: Writing, path: readonly string[]): void {
  if (names === undefined || path.length > 0 || WRITTEN.includes(names.valueEncoding)) return
  process.stderr.write(
    `xenondb: the values are of the encoding ${quoted(names.valueEncoding)}, and written here in base64; --encoding says otherwise\n`,
  )
}

/** A sub-database that lies in a place, made if there is none: with these encodings, which one that exists must have. */
export function placeIn(place: Place, path: readonly string[], names: EncodingNames | undefined): Place {
  let { store } = place
  let found: EncodingNames | undefined
  for (const [i, name] of path.entries()) {
    found = store.declareSub(name, i < path.length - 1 ? {} : (names ?? {}))
    store = store.subAsBytes(name)!
  }
  return found === undefined ? place : { store, path: [...place.path, ...path], names: found, ...writingOf(found) }
}

export function writingOf({ keyEncoding, valueEncoding }: EncodingNames): Pick<Place, 'encoding' | 'keyEncoding'> {
  return {
    encoding: valueEncoding === 'utf8' || valueEncoding === 'json' ? valueEncoding : 'binary',
    keyEncoding: keyEncoding === 'tuple' ? 'tuple' : 'utf8',
  }
}

export function definedOf({ encoding, keyEncoding }: GivenPlace): Partial<Pick<Place, 'encoding' | 'keyEncoding'>> {
  return { ...(encoding !== undefined && { encoding }), ...(keyEncoding !== undefined && { keyEncoding }) }
}

/** What is written is what the sub-database was made for. JSON is text, and any bytes may be given in base64. */
export function requireFitting({ path, encoding, keyEncoding }: GivenPlace, names: EncodingNames): void {
  const name = quoted(path.at(-1) ?? '')
  if (keyEncoding !== undefined && (keyEncoding === 'tuple') !== (names.keyEncoding === 'tuple'))
    throw new UsageError(`the keys of the sub-database ${name} are ${names.keyEncoding}; leave --key-encoding out`)
  const fits = encoding === 'json' ? ['json', 'utf8', 'binary'] : ['utf8', 'binary']
  if (encoding !== undefined && encoding !== 'binary' && !fits.includes(names.valueEncoding))
    throw new UsageError(`the values of the sub-database ${name} are ${names.valueEncoding}; leave --encoding out`)
}
