/**
 * Sub-databases: key spaces with names, in the same file, log and transactions as the one that they lie in, with
 * encodings of their own.
 */
import type { EncodingNames } from '../engine/create.ts'
import type { Space } from '../engine/space.ts'
import { shown, XenonError } from '../errors.ts'
import { showAs } from '../runtime/inspecting.ts'
import type {
  BuiltInEncoding,
  IndexFunction,
  IndexOptions,
  IndexReport,
  KeyEncoding,
  KeyOf,
  TupleKey,
  ValueOf,
} from '../types.ts'
import { BINARY_KEYS } from '../values/key-codec.ts'
import type { Handle } from './handle.ts'
import { KeySpace } from './key-space.ts'
import { type Encodings, encodingNames, requireSubOptions, type SubOptions } from './options.ts'
import type { Index } from './secondary-index.ts'
import { SubSpaces } from './sub-spaces.ts'

const BYTES = { keys: BINARY_KEYS, valueEncoding: 'binary' } as const

/** A key space in which sub-databases lie. */
export abstract class Outer<V = string, K = string> extends KeySpace<V, K> {
  private readonly subSpaces: SubSpaces
  private readonly opened: Map<string, Sub<unknown, unknown>> = new Map()
  private readonly openedAsBytes: Map<string, Sub<Uint8Array, Uint8Array>> = new Map()
  private bytes: Outer<Uint8Array, Uint8Array> | undefined

  /** @internal */
  constructor(handle: Handle, space: Space, encodings: Encodings<V>) {
    super(handle, space, encodings)
    this.subSpaces = new SubSpaces(handle, space)
  }

  /**
   * The sub-database with a name, which is made if there is none. It has encodings of its own: of one that exists, those
   * it was made with (a codec of your own has to be given again). Asking again gives the same object.
   *
   * `const users = db.sub('users', { valueEncoding: 'json' })`
   * @throws EncodingMismatchError if it exists with other encodings; XenonError `XENON_NOT_FOUND` if it does not exist
   *   and the database is open for reading alone.
   * @example const users = db.sub('users', { valueEncoding: 'json' })
   */
  sub(name: string): Sub
  sub<E extends BuiltInEncoding = 'utf8', KE extends KeyEncoding = 'utf8'>(
    name: string,
    options?: SubOptions<ValueOf<E>> & { valueEncoding?: E | undefined; keyEncoding?: KE | undefined },
  ): Sub<ValueOf<E>, KeyOf<KE>>
  sub<S>(name: string, options: SubOptions<S> & { keyEncoding: 'binary' }): Sub<S, Uint8Array>
  sub<S, T extends TupleKey = TupleKey>(name: string, options: SubOptions<S> & { keyEncoding: 'tuple' }): Sub<S, T>
  sub<S, T = string>(name: string, options?: SubOptions<S>): Sub<S, T>
  sub<S = string, T = string>(name: string, options: SubOptions<S> = {}): Sub<S, T> {
    this.check()
    const isPlain = Object.keys(requireSubOptions(options)).length === 0
    const known = this.opened.get(name)
    if (known !== undefined && !known.space.isDropped && isPlain) return known as Sub<S, T>
    const { space, encodings } = this.subSpaces.open(name, options)
    if (known?.space === space && known.isEncodedAs(encodings)) return known as Sub<S, T>
    const sub = new Sub<S, T>(this.handle, space, name, encodings)
    this.opened.set(name, sub as Sub<unknown, unknown>)
    return sub
  }

  /**
   * The names of the sub-databases that lie in this one, in the order of their code units.
   * @example for (const name of db.subs()) console.log(name)
   */
  subs(): string[] {
    this.check()
    return this.subSpaces.names()
  }

  /**
   * Drops a sub-database, with those that lie in it: at once and as a whole, however much it holds. Its blocks become
   * free in the background. False if there is none.
   * @throws LockConflictError while another transaction is open that has read or changed anything.
   * @example db.drop('users')
   */
  drop(name: string): boolean {
    this.checkUnguarded()
    if (!this.subSpaces.drop(name)) return false
    this.opened.delete(name)
    this.openedAsBytes.delete(name)
    this.handle.endDropped()
    return true
  }

  /**
   * A secondary index, kept in the transaction of every change of a record. Declare it right after `open`, before the
   * first write: it is made if there is none, and built anew if it has another `version`, if `unique` has changed, or if
   * a program that had not declared it has written. Up to 2,000 records are indexed before this returns; otherwise it
   * goes on in the background, and `await index.ready` comes before the first read. Asking again gives the same object.
   *
   * `const byCity = users.index('city', user => user.city)`, then `byCity.get('Oslo')` or `byCity.entries('Oslo')`
   *
   * `keysOf` gets each value as `get` gives it, is synchronous, and must not use the database. See `IndexFunction`.
   * @throws XenonError `XENON_NOT_SUPPORTED` in a database with `ordered: false`, `XENON_READ_ONLY` if it would have to be
   *   built in one that is open for reading alone; NotUniqueError if two of the records have the same index key.
   * @example const byLength = db.index('length', value => value.length)
   */
  index<IK extends TupleKey = TupleKey>(
    name: string,
    keysOf: IndexFunction<V, K, IK>,
    options: IndexOptions = {},
  ): Index<V, K, IK> {
    this.check()
    const index = this.indexSpaces.declare(name, keysOf, options, () => this.check())
    return index as unknown as Index<V, K, IK>
  }

  /** @internal */
  recheckIndexes(): void {
    this.indexSpaces.recheck()
  }

  /**
   * The names of the indexes that there are, declared or not, in the order of their code units.
   * @example for (const name of db.indexes()) console.log(name)
   */
  indexes(): string[] {
    this.check()
    return this.indexSpaces.names()
  }

  /**
   * Drops an index, at once and as a whole. False if there is none.
   * @throws LockConflictError while another transaction is open that has read or changed anything.
   * @example db.dropIndex('length')
   */
  dropIndex(name: string): boolean {
    this.checkUnguarded()
    return this.indexSpaces.remove(name)
  }

  /**
   * @internal The records of a sub-database as bytes, however they are encoded: for those who pass them on, the server
   * and the command line. Undefined if there is none of that name.
   */
  subAsBytes(name: string): Sub<Uint8Array, Uint8Array> | undefined {
    this.check()
    const opened = this.opened.get(name)
    if (opened?.store.isBinary && !opened.space.isDropped)
      return opened as Sub<unknown, unknown> as Sub<Uint8Array, Uint8Array>
    const compression = opened?.encodings.compression ?? 'none'
    const known = this.openedAsBytes.get(name)
    if (known !== undefined && !known.space.isDropped && known.encodings.compression === compression) return known
    const space = this.subSpaces.find(name)
    if (space === undefined) return undefined
    const sub = new Sub<Uint8Array, Uint8Array>(this.handle, space, name, { ...BYTES, compression })
    this.openedAsBytes.set(name, sub)
    return sub
  }

  /**
   * @internal Its own records as bytes, whatever its encodings: keys as the bytes that they are ordered by, values as
   * those that are stored, but for compression. It is never closed by itself.
   */
  asBytes(): Outer<Uint8Array, Uint8Array> {
    if (this.store.isBinary) return this as Outer<unknown, unknown> as Outer<Uint8Array, Uint8Array>
    const { compression } = this.encodings
    this.bytes ??= new Sub<Uint8Array, Uint8Array>(this.handle, this.space, '', { ...BYTES, compression })
    return this.bytes
  }

  /** @internal The names of its encodings: of a sub-database, those that it was made with. */
  get encodingNames(): EncodingNames {
    return this.space.isRoot ? encodingNames(this.encodings) : this.subSpaces.noteOf(this.space)
  }

  /** @internal What is to be said of the indexes that were declared, here and in what lies in it. */
  async checkIndexes(): Promise<IndexReport[]> {
    const reports = await this.indexSpaces.check()
    for (const sub of this.opened.values()) if (!sub.closed) reports.push(...(await sub.checkIndexes()))
    return reports
  }

  /** @internal The encodings of a sub-database by their names. */
  encodingsOf(sub: Sub<Uint8Array, Uint8Array>): EncodingNames {
    return this.subSpaces.noteOf(sub.space)
  }

  /**
   * @internal Makes a sub-database, if there is none, with encodings that are given by their names; one that exists must
   * have those that are given.
   */
  declareSub(name: string, encodings: Partial<EncodingNames>): EncodingNames {
    this.check()
    return this.subSpaces.declare(name, encodings)
  }
}

/** What there is of one sub-database; the file's own figures are those of the database. */
export interface SubStats {
  /** Its name in the one that it lies in. */
  readonly name: string
  /** It has the ordered index. */
  readonly ordered: boolean
  /** Its records, without those of what lies in it. Counting them looks at each leaf of the ordered index. */
  readonly records: number
  /** Records that have been removed since the open because their time had passed. */
  readonly expired: number
  /** Names of the sub-databases that lie in it. */
  readonly subs: readonly string[]
  /** Names of its secondary indexes, declared or not. */
  readonly indexes: readonly string[]
  /** Changes of the shape of its hash index since the open, as `Stats.index` has them. */
  readonly index: {
    readonly splits: number
    readonly redistributions: number
    readonly merges: number
    readonly compactions: number
    readonly slotsReused: number
  }
}

/** A sub-database, from `sub`: a key space of its own in the same file, log and transactions. */
export class Sub<V = string, K = string> extends Outer<V, K> {
  static {
    showAs('Sub', Sub, ({ name, closed, handle }) => ({ name, directory: handle.directory, ...(closed && { closed }) }))
  }

  /** Its name in the one that it lies in. */
  readonly name: string
  /** Those that this object was asked for with. */
  private readonly names: EncodingNames

  /** @internal Use `sub` of the database, or of another sub-database. */
  constructor(handle: Handle, space: Space, name: string, encodings: Encodings<V>) {
    super(handle, space, encodings)
    this.name = name
    this.names = encodingNames(encodings)
    handle.subs.add(this)
  }

  /** @internal */
  isEncodedAs(encodings: Encodings<unknown>): boolean {
    const { keyEncoding, valueEncoding } = encodingNames(encodings)
    return this.names.keyEncoding === keyEncoding && this.names.valueEncoding === valueEncoding
  }

  /**
   * Its name, its records and what lies in it. Counting them looks at each leaf of the ordered index.
   * @example console.log(db.sub('users').stats().records)
   */
  stats(): SubStats {
    this.check()
    const { space, name } = this
    const { compactions, slotsReused } = space.index
    return {
      name,
      ordered: space.metadata.ordered,
      records: this.count(),
      expired: space.expired,
      subs: this.subs(),
      indexes: this.indexes(),
      index: { ...space.structure.counts, compactions, slotsReused },
    }
  }

  /** True once it was dropped, or the database was closed. */
  override get closed(): boolean {
    return this.space.isDropped || this.space.closed
  }

  /** @internal A sub-database is not closed by itself: the database is. */
  override close(): void {}

  /** @internal */
  override check(): void {
    super.check()
    if (this.space.isDropped)
      throw new XenonError(
        'XENON_NOT_FOUND',
        `the sub-database '${shown(this.name)}' was dropped; sub('${shown(this.name)}') makes it anew`,
      )
  }
}
