/**
 * Changes as one replica tells them to another: what records are, whole and as they are stored. Reading them off a
 * transaction, and making them.
 */
import type { Engine } from '../engine/engine.ts'
import { nameOf } from '../engine/space-names.ts'
import { InvalidArgumentError, shown, XenonError } from '../errors.ts'
import { pointerAt } from '../hash/hash.ts'
import { LargeValues } from '../hash/large.ts'
import { RecordFlag, readTime, recordFieldLength, recordFlags } from '../pager/bucket.ts'
import type { Lsn } from '../pager/place.ts'
import { keysBetween } from '../records/keys-between.ts'
import { COMPRESSED } from '../records/record-values.ts'
import { removeBetween } from '../records/remove-between.ts'
import { type Bounds, copyBytes, isBytes } from '../runtime/bytes.ts'
import { fromLatin1 } from '../txn/changed-keys.ts'
import { netChanges } from '../txn/net-changes.ts'
import { isWithin } from '../txn/range-locks.ts'
import type { TransactionState } from '../txn/transaction-state.ts'
import { MAX_KEY_BYTES } from '../values/limits.ts'
import type { Outer } from './sub.ts'
import { decodedNote } from './sub-spaces.ts'

/** Names of a sub-database from the outermost on; the root is `[]`. Equal paths may be equal objects. */
export type SpacePath = readonly string[]

/** What a record is from now on; its bytes as they are stored. */
export interface PutChange {
  readonly type: 'put'
  readonly space: SpacePath
  readonly key: Uint8Array
  /** When it expires, in milliseconds since 1970; 0: never. Also one that has passed. */
  readonly expiresAt: number
  /** How `value` is compressed (bits of `RecordFlag`), 0: not at all. Nothing else of a record's flags is in it. */
  readonly flags: number
  /** The whole value, large ones too. */
  readonly value: Uint8Array
}

/** There is no record of this key from now on. */
export interface DeleteChange {
  readonly type: 'delete'
  readonly space: SpacePath
  readonly key: Uint8Array
}

/** There is no record from `lower` on and below `upper` from now on; undefined: without a bound there. */
export interface ClearRangeChange {
  readonly type: 'clearRange'
  readonly space: SpacePath
  readonly lower: Uint8Array | undefined
  readonly upper: Uint8Array | undefined
}

/** There is such a sub-database from now on. Before it those in which it lies have to be there. */
export interface SubChange {
  readonly type: 'sub'
  readonly space: SpacePath
  readonly keyEncoding: string
  readonly valueEncoding: string
}

export type Change = PutChange | DeleteChange | ClearRangeChange | SubChange

/** A database as bytes: its root, and what lies in it. */
export type Root = Outer<Uint8Array, Uint8Array>

/** What a group has done beside changing records one by one. */
export interface Wholesale {
  /** Numbers of the key spaces that it has made. */
  readonly made: readonly number[]
  /** Ranges that it has cleared, by the LSN of the last record that was removed. */
  readonly cleared: ReadonlyMap<Lsn, ClearRangeChange>
}

export const NOTHING_WHOLESALE: Wholesale = { made: [], cleared: new Map() }

/** The net changes of an open transaction: sub-databases, cleared ranges, then each key as its record is now. */
export const writeSetOf = (engine: Engine, state: TransactionState, { made, cleared }: Wholesale): Change[] => {
  const paths = new Paths(engine)
  const changes: Change[] = []
  for (const number of made) {
    const space = paths.of(number)
    if (space !== undefined) changes.push(subOf(engine, number, space))
  }
  const standing: ClearRangeChange[] = []
  const net = netChanges(engine.log, state, lsn => {
    const range = cleared.get(lsn)
    if (range !== undefined) standing.unshift(range)
  })
  changes.push(...standing)
  for (const { space: number, name, wasThere } of net) {
    const space = paths.of(number)
    if (space === undefined) continue
    const key = fromLatin1(name)
    const put = recordOf(engine, number, space, key)
    if (put !== undefined) changes.push(put)
    else if (wasThere && !standing.some(range => isSame(range.space, space) && isWithin(key, boundsOf(range))))
      changes.push({ type: 'delete', space, key })
  }
  return changes
}

/**
 * What makes an empty database the same as this one: its sub-databases and every record as it stands, whether its time
 * has passed or not. Nobody may change the database meanwhile.
 */
export function* allOf(engine: Engine): Generator<PutChange | SubChange> {
  const paths = new Paths(engine)
  // An outer space was made before those that lie in it.
  const numbers = engine.spaces.open().map(space => space.number)
  for (const number of [0, ...numbers.sort((a, b) => a - b)]) {
    const space = paths.of(number)
    if (space === undefined) continue
    if (number !== 0) yield subOf(engine, number, space)
    for (const key of keysBetween(engine.spaceOf(number), EVERYTHING)) {
      if (engine.health.attention) engine.attend()
      const put = recordOf(engine, number, space, key)
      if (put !== undefined) yield put
    }
  }
}

const EVERYTHING: Bounds = { lower: undefined, upper: undefined }

const subOf = (engine: Engine, number: number, space: SpacePath): SubChange => ({
  type: 'sub',
  space,
  ...decodedNote(engine.spaces.factsOf(engine.spaceOf(number)).note),
})

/** The record of a key as it stands in the blocks. */
const recordOf = (engine: Engine, number: number, path: SpacePath, key: Uint8Array): PutChange | undefined => {
  const { index, arena, large } = engine.spaceOf(number)
  index.key.set(key)
  const record = index.find()
  if (record === 0) return undefined
  const flags = recordFlags(arena, record)
  const field = index.fieldOf(record)
  const expiresAt = (flags & RecordFlag.expires) === 0 ? 0 : readTime(arena.u8, field)
  const from = pointerAt(field, flags)
  const value =
    (flags & RecordFlag.large) === 0
      ? copyBytes(arena.u8, from, field + recordFieldLength(arena, record))
      : large.read(LargeValues.pointer(arena, from))
  return { type: 'put', space: path, key, expiresAt, flags: flags & COMPRESSED, value }
}

/** @throws InvalidArgumentError */
const boundsOf = ({ lower, upper }: ClearRangeChange): Bounds => {
  for (const key of [lower, upper])
    if (key !== undefined && !isBytes(key)) throw new InvalidArgumentError('the bounds of a range must be bytes')
  return {
    lower: lower === undefined ? undefined : { key: lower, inclusive: true },
    upper: upper === undefined ? undefined : { key: upper, inclusive: false },
  }
}

const isSame = (a: SpacePath, b: SpacePath): boolean => a.length === b.length && a.every((name, i) => name === b[i])

const ROOT: SpacePath = []

/** The ways to key spaces, each made once. */
class Paths {
  private readonly engine: Engine
  private readonly known: Map<number, SpacePath | undefined> = new Map([[0, ROOT]])

  constructor(engine: Engine) {
    this.engine = engine
  }

  /** Undefined for an index, which each replica keeps by itself, and for what was dropped. */
  of(number: number): SpacePath | undefined {
    if (this.known.has(number)) return this.known.get(number)
    const path = pathOf(this.engine, number)
    this.known.set(number, path)
    return path
  }
}

const pathOf = ({ spaces }: Engine, number: number): SpacePath | undefined => {
  const all = new Map(spaces.open().map(space => [space.number, spaces.factsOf(space)]))
  const facts = all.get(number)
  const name = facts === undefined ? undefined : nameOf(facts, all)
  return name?.kind === 'sub' ? name.path : undefined
}

/** Makes changes, in a transaction that everything happens in: each says what a record is, whatever it was (G4). */
export class Applier {
  private readonly root: Root
  /** By the names of the way, since most changes are in the same few. */
  private readonly found: Map<string, Root> = new Map()
  private last: { readonly path: SpacePath; readonly outer: Root }

  constructor(root: Root) {
    this.root = root
    this.last = { path: ROOT, outer: root }
  }

  apply(state: TransactionState, changes: Iterable<Change>): void {
    const { space } = this.root
    for (const change of changes) {
      if (space.health.attention) space.attend()
      this.make(state, change)
    }
  }

  private make(state: TransactionState, change: Change): void {
    const { type } = change
    if (type === 'put') {
      const { key, flags, value, expiresAt } = change
      requireKey(key)
      if (!isBytes(value)) throw new InvalidArgumentError('the value of a change must be bytes')
      requireTime(expiresAt)
      this.at(change.space).store.writer.putRecord(state, key, flags, value, expiresAt)
    } else if (type === 'delete') {
      requireKey(change.key)
      this.at(change.space).store.writer.deleteIn(state, change.key)
    } else if (type === 'clearRange') this.clearRange(state, change)
    else if (type === 'sub') this.makeSub(change)
    else throw new InvalidArgumentError(`there is no change of the type '${shown(type)}'`)
  }

  /** Number of the records that were removed. */
  clearRange(state: TransactionState, range: ClearRangeChange): number {
    return removeBetween(this.at(range.space).store, state, boundsOf(range))
  }

  private makeSub({ space, keyEncoding, valueEncoding }: SubChange): void {
    const name = space.at(-1)
    if (name === undefined) throw new InvalidArgumentError('the root is there already; a sub change names one in it')
    const outer = this.at(space.slice(0, -1))
    if (outer.subAsBytes(name) === undefined) outer.declareSub(name, { keyEncoding, valueEncoding })
  }

  /** @throws XenonError `XENON_NOT_FOUND` if there is no such sub-database. */
  at(path: SpacePath): Root {
    if (path === this.last.path || path.length === 0) return path.length === 0 ? this.root : this.last.outer
    const name = JSON.stringify(path)
    let outer = this.found.get(name)
    if (outer === undefined || outer.closed) {
      outer = this.root
      for (const each of path) {
        const inner: Root | undefined = outer.subAsBytes(each)
        if (inner === undefined)
          throw new XenonError(
            'XENON_NOT_FOUND',
            `there is no sub-database '${shown(each)}' for a change of its records`,
          )
        outer = inner
      }
      this.found.set(name, outer)
    }
    this.last = { path, outer }
    return outer
  }
}

const requireKey = (key: Uint8Array): void => {
  if (!isBytes(key) || key.length === 0 || key.length > MAX_KEY_BYTES)
    throw new InvalidArgumentError(`the key of a change must be 1 to ${MAX_KEY_BYTES} bytes`)
}

const requireTime = (time: number): void => {
  if (!Number.isSafeInteger(time) || time < 0)
    throw new InvalidArgumentError(`the time of expiry of a change must be milliseconds since 1970, or 0, not ${time}`)
}
