/** The sub-databases that lie in a key space: finding, making, listing and dropping them, and how each is encoded. */
import type { Space } from '../engine/space.ts'
import { SUB } from '../engine/space-names.ts'
import { InvalidArgumentError, LockConflictError, shown, XenonError } from '../errors.ts'
import { MAX_SPACE_NAME_BYTES, spaceNameBytes } from '../pager/space-block.ts'
import { describe, isWellFormed } from '../runtime/bytes.ts'
import type { TransactionManager } from '../txn/manager.ts'
import type { Handle } from './handle.ts'
import { type Encodings, encodingNames, resolveEncodings, type SubOptions } from './options.ts'

/** What is written down of the encodings of a sub-database, as JSON. */
interface Note {
  readonly keyEncoding: string
  readonly valueEncoding: string
}

const utf8 = new TextEncoder()
const text = new TextDecoder()

/** @throws InvalidArgumentError */
const requireName = (name: unknown): string => {
  if (typeof name !== 'string')
    throw new InvalidArgumentError(`the name of a sub-database is a string, not ${describe(name)}`)
  if (name.length === 0) throw new InvalidArgumentError('the name of a sub-database must not be empty')
  if (!isWellFormed(name))
    throw new InvalidArgumentError('the name of a sub-database must be well-formed Unicode; it has a lone surrogate')
  const bytes = spaceNameBytes(SUB + name)
  if (bytes > MAX_SPACE_NAME_BYTES)
    throw new InvalidArgumentError(
      `the name of a sub-database may have ${MAX_SPACE_NAME_BYTES - 1} bytes of UTF-8; this one has ${bytes - 1}`,
    )
  return name
}

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

  /**
   * The space of a sub-database, made if there is none, and its encodings: the given ones, for an existing one those it
   * was made with.
   */
  open<V>(name: string, options: SubOptions<V>): { space: Space; encodings: Encodings<V> } {
    requireName(name)
    const { handle, space } = this
    const { spaces } = handle.engine
    const found = spaces.isEmpty ? undefined : spaces.find(space.number, SUB + name)
    if (found !== undefined) return { space: found, encodings: this.encodingsOf(name, found, options) }
    const encodings = resolveEncodings(options, handle.storage)
    if (handle.readOnly)
      throw new XenonError(
        'XENON_NOT_FOUND',
        `there is no sub-database '${shown(name)}', and the database was opened with readOnly`,
      )
    if (handle.engine.room.tight) handle.engine.room.admit(true)
    const note: Note = encodingNames(encodings)
    const made = spaces.make(space.number, SUB + name, utf8.encode(JSON.stringify(note)))
    handle.makeDurable()
    return { space: made, encodings }
  }

  private encodingsOf<V>(name: string, space: Space, options: SubOptions<V>): Encodings<V> {
    const stored = JSON.parse(text.decode(this.handle.engine.spaces.factsOf(space).note)) as Note
    const given = resolveEncodings({ ...builtIn(stored), ...options } as SubOptions<V>, this.handle.storage)
    const names = encodingNames(given)
    for (const encoding of ['keyEncoding', 'valueEncoding'] as const)
      if (names[encoding] !== stored[encoding])
        throw new InvalidArgumentError(
          `the sub-database '${shown(name)}' was made with ${encoding} '${shown(stored[encoding])}'; open it with that, not with '${shown(names[encoding])}'`,
        )
    return given
  }

  /** @returns the space that was dropped, undefined if there was none of that name. */
  drop(name: string): Space | undefined {
    requireName(name)
    const { handle } = this
    const { spaces, transactions } = handle.engine
    const found = spaces.isEmpty ? undefined : spaces.find(this.space.number, SUB + name)
    if (found === undefined) return undefined
    requireNobody(transactions, name)
    spaces.drop(found)
    handle.makeDurable()
    handle.reclaiming.schedule()
    return found
  }
}

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
