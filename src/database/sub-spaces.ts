/** The sub-databases that lie in a key space: finding, making, listing and dropping them, and how each is encoded. */
import type { EncodingNames } from '../engine/create.ts'
import type { Space } from '../engine/space.ts'
import { SUB } from '../engine/space-names.ts'
import { InvalidArgumentError, LockConflictError, shown, XenonError } from '../errors.ts'
import { MAX_SPACE_NOTE_BYTES } from '../pager/space-block.ts'
import type { TransactionManager } from '../txn/manager.ts'
import { keyCodec } from '../values/key-codec.ts'
import { requireSubName } from '../values/sub-name.ts'
import type { Handle } from './handle.ts'
import { type Encodings, encodingNames, resolveEncodings, type SubOptions, storedEncodingOf } from './options.ts'
import { NO_NAMES, requireSame } from './stored-encodings.ts'

/** What is written down of the encodings of a sub-database, as JSON. */
type Note = EncodingNames

const utf8 = new TextEncoder()
const text = new TextDecoder()

export class SubSpaces {
  private readonly handle: Handle
  private readonly space: Space

  constructor(handle: Handle, space: Space) {
    this.handle = handle
    this.space = space
  }

  /** The names, in the order of their code units. */
  names(): string[] {
    const { spaces } = this.handle.engine
    if (spaces.isEmpty) return []
    return spaces
      .names(this.space.number)
      .filter(name => name.startsWith(SUB))
      .map(name => name.slice(SUB.length))
  }

  find(name: string): Space | undefined {
    requireSubName(name)
    const { spaces } = this.handle.engine
    return spaces.isEmpty ? undefined : spaces.find(this.space.number, SUB + name)
  }

  /**
   * The space of a sub-database, made if there is none, and its encodings: the given ones, for an existing one those it
   * was made with.
   */
  open<V>(name: string, options: SubOptions<V>): { space: Space; encodings: Encodings<V> } {
    const { storage } = this.handle
    const found = this.find(name)
    if (found === undefined) {
      const encodings = resolveEncodings(options, storage)
      return { space: this.make(name, encodingNames(encodings)), encodings }
    }
    const stored = this.noteOf(found)
    const encodings = resolveEncodings({ ...builtIn(stored), ...given(options) } as SubOptions<V>, storage)
    const asked = encodingNames(encodings)
    const storedEncoding = storedEncodingOf(options, this.handle.guard !== undefined)
    if (storedEncoding === 'check') requireSame(subNamed(name), stored, asked)
    if (storedEncoding === 'replace' && !isSame(stored, asked)) {
      this.handle.engine.spaces.setNote(found, encodedNote(asked))
      this.handle.makeDurable()
    }
    return { space: found, encodings }
  }

  /**
   * The names of the encodings of a sub-database, made if there is none: of one that exists they must be those that are
   * given, as far as they are.
   */
  declare(name: string, given: Partial<EncodingNames>): EncodingNames {
    const found = this.find(name)
    if (found === undefined) {
      const { keyEncoding = 'utf8', valueEncoding = 'utf8' } = given
      const note: Note = { keyEncoding: keyCodec(keyEncoding).encoding, valueEncoding }
      this.make(name, note)
      return note
    }
    const stored = this.noteOf(found)
    requireSame(subNamed(name), stored, { ...stored, ...given })
    return stored
  }

  private make(name: string, note: Note): Space {
    const { handle, space } = this
    if (handle.readOnly)
      throw new XenonError(
        'XENON_NOT_FOUND',
        `there is no sub-database '${shown(name)}', and the database was opened with readOnly`,
      )
    const inside = handle.guard?.enter()
    const bytes = encodedNote(note)
    const { engine } = handle
    if (engine.room.tight) engine.room.admit(true)
    const made = engine.spaces.make(space.number, SUB + name, bytes)
    if (inside === undefined) handle.makeDurable()
    else handle.guard?.made(made.number)
    return made
  }

  noteOf(space: Space): EncodingNames {
    return decodedNote(this.handle.engine.spaces.factsOf(space).note)
  }

  /** False if there was none of that name. */
  drop(name: string): boolean {
    const { handle } = this
    const { spaces, transactions } = handle.engine
    const found = this.find(name)
    if (found === undefined) return false
    requireNobody(transactions, name)
    if (handle.engine.room.tight) handle.engine.room.admit(false)
    spaces.drop(found)
    handle.makeDurable()
    handle.reclaiming.schedule()
    return true
  }
}

/**
 * What is stored of the encodings of a sub-database.
 * @throws InvalidArgumentError
 */
export const encodedNote = (note: EncodingNames): Uint8Array => {
  const bytes = utf8.encode(JSON.stringify(note))
  if (bytes.length > MAX_SPACE_NOTE_BYTES)
    throw new InvalidArgumentError(`the name of a valueEncoding has ${bytes.length} bytes; give it a shorter one`)
  return bytes
}

/** That of a codec without a name says nothing of it. */
export const decodedNote = (note: Uint8Array): EncodingNames => ({
  ...NO_NAMES,
  ...(JSON.parse(text.decode(note)) as Partial<EncodingNames>),
})

const subNamed = (name: string): string => `the sub-database '${shown(name)}'`

const isSame = (a: Note, b: Note): boolean => a.keyEncoding === b.keyEncoding && a.valueEncoding === b.valueEncoding

/** Without what is undefined. */
const given = <T extends object>(options: T): Partial<T> =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>

/** Of what is stored, the encodings that need nothing but their name. */
const builtIn = ({ keyEncoding, valueEncoding }: Note): Partial<Note> =>
  ['utf8', 'json', 'binary', 'msgpack'].includes(valueEncoding) ? { keyEncoding, valueEncoding } : { keyEncoding }

/** What an open transaction has read or changed cannot be taken away from it. */
export const requireNobody = (transactions: TransactionManager, name: string): void => {
  const holders = busyTransactions(transactions)
  if (holders.length > 0)
    throw new LockConflictError(
      `transaction ${holders[0]} is open and may have read or changed '${shown(name)}'; commit or roll it back first, then drop it`,
    )
}

/** The numbers of the open transactions that have changed or locked something. */
export const busyTransactions = (transactions: TransactionManager): number[] =>
  [...transactions.open.values()]
    .filter(state => state.lastLsn !== 0 || state.locks.length > 0 || state.ranges !== undefined)
    .map(state => state.id)
