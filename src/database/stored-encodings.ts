/**
 * The names of the encodings that records were written with: block 0 has those of the root, the note of its own block
 * those of a sub-database. Whoever opens with others would read nonsense, so they are refused unless the caller knows
 * better.
 */
import type { EncodingNames } from '../engine/create.ts'
import type { Engine } from '../engine/engine.ts'
import { EncodingMismatchError } from '../errors.ts'
import type { ResolvedOptions } from './options.ts'

export type { EncodingNames } from '../engine/create.ts'

const OPTIONS = ['keyEncoding', 'valueEncoding'] as const

export const NO_NAMES: EncodingNames = { keyEncoding: '', valueEncoding: '' }

/** What a new database stores. */
export const namesToStore = <V>({ storedEncoding, names }: ResolvedOptions<V>): EncodingNames =>
  storedEncoding === 'ignore' ? NO_NAMES : names

/**
 * Compares the stored names of the root with the given ones, and stores what is to be stored: what was not said yet with
 * the next checkpoint, what takes the place of another name at once.
 * @throws EncodingMismatchError
 */
export const settleEncodings = <V>(engine: Engine, options: ResolvedOptions<V>, directory: string): void => {
  const { storedEncoding, readOnly, namesGiven } = options
  if (storedEncoding === 'ignore') return
  const names = namesToStore(options)
  const stored = storedNames(engine)
  // What was not given is no other name: whoever replaces that of the values does not mean the keys.
  const isReplaced = (option: keyof EncodingNames): boolean => storedEncoding === 'replace' && namesGiven[option]
  const checked: Record<keyof EncodingNames, string> = { ...withKeysOf(names, stored) }
  for (const option of OPTIONS) if (isReplaced(option)) checked[option] = stored[option]
  requireSame(`the database in ${directory}`, stored, checked)
  if (readOnly) return
  // What fits keeps its name: keys of bytes are still those that were made as text.
  const isNew = (option: keyof EncodingNames): boolean => isReplaced(option) || stored[option] === ''
  nameEncodings(engine, {
    keyEncoding: isNew('keyEncoding') ? names.keyEncoding : stored.keyEncoding,
    valueEncoding: isNew('valueEncoding') ? names.valueEncoding : stored.valueEncoding,
  })
}

export const storedNames = ({ metadata: { keyEncoding, valueEncoding } }: Engine): EncodingNames => ({
  keyEncoding,
  valueEncoding,
})

/** Those of the root from now on. */
export const nameEncodings = (engine: Engine, names: EncodingNames): void => {
  const { metadata, checkpointer, file } = engine
  const stored = storedNames(engine)
  Object.assign(metadata, names)
  const isChanged = (option: keyof EncodingNames): boolean => stored[option] !== '' && stored[option] !== names[option]
  if (!isChanged('keyEncoding') && !isChanged('valueEncoding')) return
  checkpointer.run()
  // The other copy of the state, too: damage to one must not bring back the old name.
  file.writeState(metadata)
  file.sync()
}

/** @throws EncodingMismatchError */
export const requireSame = (what: string, stored: EncodingNames, given: EncodingNames): void => {
  for (const option of OPTIONS)
    if (stored[option] !== '' && stored[option] !== given[option])
      throw new EncodingMismatchError(what, option, stored[option], given[option])
}

/** Keys of text and of bytes are the same. */
export const withKeysOf = (given: EncodingNames, stored: EncodingNames): EncodingNames =>
  given.keyEncoding !== 'tuple' && stored.keyEncoding !== 'tuple' && stored.keyEncoding !== ''
    ? { ...given, keyEncoding: stored.keyEncoding }
    : given
