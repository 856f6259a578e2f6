/**
 * The database. Its underscored methods are what abstract-level calls, with keys and values encoded as the manifest
 * says.
 */
import {
  type AbstractBatchOperation,
  type AbstractBatchOptions,
  type AbstractChainedBatch,
  type AbstractDatabaseOptions,
  type AbstractDelOptions,
  AbstractLevel,
  type AbstractPutOptions,
} from 'abstract-level'
import type { Database } from '../../database/database.ts'
import { waitForLockAside } from '../../database/lock-wait.ts'
import type { OpenOptions } from '../../database/options.ts'
import type { Snapshot } from '../../database/snapshot.ts'
import { nodeStorage, open } from '../../index.ts'
import type { BatchOperation, Durability, PutOptions } from '../../types.ts'
import { milliseconds } from '../../values/checks.ts'
import { guarded, LevelError, levelError } from './errors.ts'
import { LevelIterator, LevelKeyIterator, LevelValueIterator } from './iterators.ts'
import { type Data, toBytes, toStored, toText } from './keys.ts'
import { LevelRange, type RangeOptions } from './range.ts'
import { givenView, LevelSnapshot } from './snapshot.ts'
import type { IteratorOptions, IteratorView } from './walk.ts'

/** Those of `open` that make sense here. */
const ENGINE_OPTIONS = [
  'cacheBytes',
  'blockSize',
  'compression',
  'createIfMissing',
  'errorIfExists',
  'readOnly',
  'checkpointBytes',
  'snapshotBytes',
  'logSegmentBytes',
  'lockWait',
  'takeover',
  'storage',
  'inspect',
  'force',
  'onRecovery',
  'onWarning',
] as const

/** What this database can do. The types of abstract-level do not know `getSync`. */
const MANIFEST: object = {
  encodings: { utf8: true, view: true },
  has: true,
  getSync: true,
  createIfMissing: true,
  errorIfExists: true,
  explicitSnapshots: true,
  implicitSnapshots: true,
  permanence: true,
  signals: { iterators: true },
}

/** Options of abstract-level and of xenondb's `open`. Others are ignored, as Level databases do. */
export interface XenonLevelOptions<K, V>
  extends AbstractDatabaseOptions<K, V>,
    Pick<OpenOptions<Uint8Array>, Exclude<(typeof ENGINE_OPTIONS)[number], 'createIfMissing' | 'errorIfExists'>> {
  /**
   * Default `'process'`, which is what LevelDB does without `sync`: a write survives the process, not loss of power.
   */
  durability?: Durability | undefined
}

/** How durable one write is. */
export interface SyncOption {
  /** The write survives loss of power when the promise resolves, whatever `durability` says. Default false. */
  sync?: boolean | undefined
}

/** Options of `put`: those of abstract-level, `sync` and `ttl`. */
export interface XenonLevelPutOptions<K, V> extends AbstractPutOptions<K, V>, SyncOption, PutOptions {}
/** Options of `del`: those of abstract-level and `sync`. */
export interface XenonLevelDelOptions<K> extends AbstractDelOptions<K>, SyncOption {}
/** Options of `batch`: those of abstract-level and `sync`. */
export interface XenonLevelBatchOptions<K, V> extends AbstractBatchOptions<K, V>, SyncOption {}

interface ReadOptions {
  snapshot?: unknown | undefined
  valueEncoding?: string | undefined
}

/** An operation as abstract-level hands it over: encoded, with whatever options the caller gave it. */
type EncodedOperation = { type: 'put'; key: Data; value: Data; ttl?: number | undefined } | { type: 'del'; key: Data }

/** A database of xenondb with the methods of abstract-level, in place of classic-level and its kin. */
export class XenonLevel<K = string, V = string> extends AbstractLevel<Data, K, V> {
  /** The path of its directory, as it was given. */
  readonly location: string
  /** The same place whatever becomes of the working directory before it is opened. */
  private readonly path: string
  private opened: Database<Uint8Array> | undefined

  /** @param location The directory of the database, created when it is missing unless `createIfMissing` is false. */
  constructor(location: string, options: XenonLevelOptions<K, V> = {}) {
    if (typeof location !== 'string' || location === '')
      throw new TypeError("the first argument 'location' must be the path of a directory")
    super(MANIFEST, options)
    this.location = location
    const { storage = nodeStorage } = options
    this.path = guarded(() => storage.resolve?.(location) ?? location)
  }

  /**
   * The xenondb database under it, with binary keys and values, while this is open: for `stats`, `verify`,
   * `checkpoint`. Leave closing it to `close()` here.
   */
  get database(): Database<Uint8Array> {
    if (this.opened === undefined || this.opened.closed)
      throw new LevelError('LEVEL_DATABASE_NOT_OPEN', 'Database is not open')
    return this.opened
  }

  // What abstract-level has, with the options that are xenondb's own.

  /**
   * Stores a record; with `ttl` it expires, with `sync` it survives loss of power when the promise resolves.
   * @example await level.put('a', '1', { ttl: 60_000 })
   */
  override put(key: K, value: V): Promise<void>
  override put<KK = K, VV = V>(key: KK, value: VV, options: XenonLevelPutOptions<KK, VV>): Promise<void>
  override put(key: K, value: V, options?: XenonLevelPutOptions<K, V>): Promise<void> {
    return super.put(key, value, options as XenonLevelPutOptions<K, V>)
  }

  /**
   * Removes a record.
   * @example await level.del('a', { sync: true })
   */
  override del(key: K): Promise<void>
  override del<KK = K>(key: KK, options: XenonLevelDelOptions<KK>): Promise<void>
  override del(key: K, options?: XenonLevelDelOptions<K>): Promise<void> {
    return super.del(key, options as XenonLevelDelOptions<K>)
  }

  /**
   * Applies the operations as one transaction.
   * @example await level.batch([{ type: 'put', key: 'a', value: '1' }], { sync: true })
   */
  override batch(operations: AbstractBatchOperation<typeof this, K, V>[]): Promise<void>
  override batch<KK = K, VV = V>(
    operations: AbstractBatchOperation<typeof this, KK, VV>[],
    options: XenonLevelBatchOptions<KK, VV>,
  ): Promise<void>
  override batch(): AbstractChainedBatch<typeof this, K, V>
  override batch(...given: unknown[]): Promise<void> & AbstractChainedBatch<typeof this, K, V> {
    return super.batch(...(given as [])) as never
  }

  async _open(options: Record<string, unknown>): Promise<void> {
    const { lockWait, ...others } = engineOptions(options)
    try {
      const wait = milliseconds('lockWait', lockWait ?? 0)
      this.opened = await waitForLockAside(wait, () => open<Uint8Array, string>(this.path, others))
    } catch (error) {
      throw levelError(error)
    }
  }

  async _close(): Promise<void> {
    const { opened } = this
    guarded(() => opened?.close())
    this.opened = undefined
  }

  async _get(key: Data, options: ReadOptions): Promise<Data | undefined> {
    return this._getSync(key, options)
  }

  _getSync(key: Data, options: ReadOptions): Data | undefined {
    const value = guarded(() => this.reader(options).get(toStored(key)))
    return value === undefined ? undefined : decoded(value, options)
  }

  async _getMany(keys: readonly Data[], options: ReadOptions): Promise<(Data | undefined)[]> {
    const values = guarded(() => this.reader(options).getMany(keys.map(toStored)))
    return values.map(value => (value === undefined ? undefined : decoded(value, options)))
  }

  async _has(key: Data, options: ReadOptions): Promise<boolean> {
    return guarded(() => this.reader(options).has(toStored(key)))
  }

  async _hasMany(keys: readonly Data[], options: ReadOptions): Promise<boolean[]> {
    return guarded(() => {
      const reader = this.reader(options)
      return keys.map(key => reader.has(toStored(key)))
    })
  }

  async _put(key: Data, value: Data, options: SyncOption & PutOptions): Promise<void> {
    const { ttl } = options
    await this.write(options, database =>
      database.async.put(toStored(key), toBytes(value), ttl === undefined ? undefined : { ttl }),
    )
  }

  async _del(key: Data, options: SyncOption): Promise<void> {
    await this.write(options, database => database.async.delete(toStored(key)))
  }

  async _batch(operations: readonly EncodedOperation[], options: SyncOption): Promise<void> {
    await this.write(options, database => database.async.batch(operations.map(engineOperation)))
  }

  async _clear(options: RangeOptions & ReadOptions): Promise<void> {
    await this.write({}, async database => {
      const range = LevelRange.of(options).forEngine
      const view = givenView(options.snapshot)
      if (view === undefined) await database.async.clear(range)
      else
        await database.async.transact(async tx => {
          for (const key of view.keys(range)) await tx.delete(key)
        })
    })
  }

  _iterator(options: IteratorOptions): LevelIterator<this, K, V> {
    return new LevelIterator(this, this.viewFor(options), options)
  }

  _keys(options: IteratorOptions): LevelKeyIterator<this, K, V> {
    return new LevelKeyIterator(this, this.viewFor(options), options)
  }

  _values(options: IteratorOptions): LevelValueIterator<this, K, V> {
    return new LevelValueIterator(this, this.viewFor(options), options)
  }

  _snapshot(options: object): LevelSnapshot {
    return new LevelSnapshot(
      guarded(() => this.database.snapshot()),
      options,
    )
  }

  private reader(options: ReadOptions): Database<Uint8Array> | Snapshot<Uint8Array> {
    return givenView(options.snapshot) ?? this.database
  }

  private viewFor(options: IteratorOptions): IteratorView {
    const snapshot = givenView(options.snapshot)
    return snapshot === undefined
      ? { snapshot: guarded(() => this.database.snapshot()), isOwn: true }
      : { snapshot, isOwn: false }
  }

  private async write({ sync }: SyncOption, work: (database: Database<Uint8Array>) => Promise<unknown>): Promise<void> {
    try {
      const { database } = this
      await work(database)
      // All that waited for the same turn come here together: the first of them syncs for all.
      if (sync === true) await database.flush()
    } catch (error) {
      throw levelError(error)
    }
  }
}

const decoded = (value: Uint8Array, { valueEncoding }: ReadOptions): Data =>
  valueEncoding === 'utf8' ? toText(value) : value

const engineOperation = (operation: EncodedOperation): BatchOperation<Uint8Array> => {
  const key = toStored(operation.key)
  if (operation.type === 'del') return { type: 'delete', key }
  const { ttl } = operation
  const value = toBytes(operation.value)
  return ttl === undefined ? { type: 'put', key, value } : { type: 'put', key, value, ttl }
}

const engineOptions = (given: Record<string, unknown>): OpenOptions<Uint8Array> => {
  const options: Record<string, unknown> = {
    keyEncoding: 'binary',
    valueEncoding: 'binary',
    // What the bytes mean is between abstract-level and its caller.
    storedEncoding: 'ignore',
    ordered: true,
    durability: given.durability ?? 'process',
  }
  for (const name of ENGINE_OPTIONS) if (given[name] !== undefined) options[name] = given[name]
  return options
}
