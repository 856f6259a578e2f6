/**
 * A storage adapter for Keyv: `new Keyv({ store: new KeyvXenon('cache') })`. Keyv turns values into text and puts its
 * namespace before keys; the time to live becomes the engine's own, so that what has expired is removed from the disk.
 */

import type { KeyvStoreAdapter } from 'keyv'
import type { Database } from '../../database/database.ts'
import type { OpenOptions } from '../../database/options.ts'
import { InvalidArgumentError } from '../../errors.ts'
import { open } from '../../index.ts'
import type { BatchOperation, PutOptions } from '../../types.ts'
import { Listeners } from './listeners.ts'
import { Namespaces } from './namespaces.ts'

/** Those of `open` but for encodings and the index, which Keyv decides. `durability` is `'process'` by default. */
export type KeyvXenonOptions = Omit<OpenOptions<string>, 'keyEncoding' | 'valueEncoding' | 'ordered'>

/** What Keyv hands to `setMany`. */
export interface KeyvXenonEntry {
  /** The key, behind the namespace. */
  key: string
  /** The text that Keyv has made of the value; anything else is refused. */
  value: unknown
  /** Milliseconds; without it, 0 or `Infinity`, the record stays. */
  ttl?: number | undefined
}

/** Goes through the keys, with their namespace, and the values as they are stored. */
export type KeyvXenonIterator = <Value>(
  namespace?: string,
) => AsyncGenerator<[string, Awaited<Value> | undefined], void>

/** Records that `iterator` reads before it lets other work have a turn. */
const CHUNK = 100

/**
 * Keyv reports failed writes as `'error'` itself; failed reads are reported here, so that a listener on Keyv hears of
 * every failure once. All reject as well, with a `XenonError`.
 */
export class KeyvXenon implements KeyvStoreAdapter {
  /**
   * Keyv asks for a dialect that it knows before it offers `iterator()`; this one iterates as the SQLite store does.
   */
  readonly opts: { url: string; dialect: 'sqlite' } & Record<string, unknown>
  /** The database under it. */
  readonly database: Database<string>
  private readonly isOwn: boolean
  private readonly listeners: Listeners = new Listeners()
  private readonly namespaces: Namespaces = new Namespaces()
  /** Of the Keyv that has set it last, which takes its iterator next. */
  private latest: string | undefined

  /**
   * @param source The directory of a database, created if it is missing; or an open database with `utf8` encodings, to
   *   share it between several stores, each with its namespace. That one is left open by `disconnect`.
   * @throws XenonError As `open` does, `XENON_LOCKED` among others: a directory is opened once.
   */
  constructor(source: string | Database<string>, options: KeyvXenonOptions = {}) {
    this.isOwn = typeof source === 'string'
    this.database = typeof source === 'string' ? open(source, { durability: 'process', ...options }) : checked(source)
    this.opts = { ...options, url: `xenondb://${this.database.directory}`, dialect: 'sqlite' }
  }

  /** Of the Keyv over this store; undefined if there are several with different ones. Set by Keyv. */
  get namespace(): string | undefined {
    return this.namespaces.only
  }

  set namespace(namespace: string | undefined) {
    this.namespaces.set(namespace)
    this.latest = namespace
  }

  /**
   * The value of a key as Keyv has written it, or `undefined`.
   * @example const text = await keyv.get('a')
   */
  async get<Value>(key: string): Promise<Value | undefined> {
    return this.read(() => this.database.get(key) as Value | undefined)
  }

  /**
   * The values of several keys, in their order.
   * @example const [a, b] = await keyv.getMany(['a', 'b'])
   */
  async getMany<Value>(keys: string[]): Promise<(Value | undefined)[]> {
    return this.read(() => this.database.getMany(keys) as (Value | undefined)[])
  }

  /**
   * True if there is a record with this key.
   * @example const isThere = await keyv.has('a')
   */
  async has(key: string): Promise<boolean> {
    return this.read(() => this.database.has(key))
  }

  /**
   * The same of several keys.
   * @example const [a, b] = await keyv.hasMany(['a', 'b'])
   */
  async hasMany(keys: string[]): Promise<boolean[]> {
    return this.read(() => keys.map(key => this.database.has(key)))
  }

  /**
   * Stores a record.
   * @param ttl Milliseconds; without it, 0 or `Infinity`, the record stays.
   * @example await keyv.set('a', 'text', 60_000)
   */
  async set(key: string, value: unknown, ttl?: number): Promise<void> {
    await this.database.async.put(key, text(value), ttlOf(ttl))
  }

  /**
   * All or nothing. Resolves to one `true` for each entry, which is what Keyv gives on.
   * @example await keyv.setMany([{ key: 'a', value: 'text' }])
   */
  async setMany(entries: KeyvXenonEntry[]): Promise<never> {
    await this.database.async.batch(
      entries.map(
        ({ key, value, ttl }): BatchOperation<string> => ({
          type: 'put',
          key,
          value: text(value),
          ...ttlOf(ttl),
        }),
      ),
    )
    // The type that Keyv declares, void, is not what it does with it.
    return entries.map(() => true) as never
  }

  /**
   * Removes a record; true if it was there.
   * @example const wasThere = await keyv.delete('a')
   */
  async delete(key: string): Promise<boolean> {
    return this.database.async.delete(key)
  }

  /**
   * All or nothing. True if at least one of the keys was there.
   * @example await keyv.deleteMany(['a', 'b'])
   */
  async deleteMany(keys: string[]): Promise<boolean> {
    return await this.database.async.transact(async tx => {
      let found = false
      for (const key of keys) found = (await tx.delete(key)) || found
      return found
    })
  }

  /**
   * Removes the records of a namespace. Default: that of the Keyv over this store; if it has none, all records.
   * @throws XenonError `XENON_INVALID_ARGUMENT` without a namespace if several Keyv instances have different ones.
   * @example await keyv.clear('users')
   */
  async clear(namespace: string | undefined = this.onlyNamespace()): Promise<void> {
    await this.database.async.clear(namespace === undefined ? undefined : `${namespace}:`)
  }

  /** Better nothing than the records of another Keyv. */
  private onlyNamespace(): string | undefined {
    const { namespaces } = this
    if (namespaces.areMany)
      throw new InvalidArgumentError(
        `clear() does not say which namespace: several Keyv instances share this store (${namespaces.list}); give each one its own, new KeyvXenon(database) over one open database, or call clear(namespace) of the store`,
      )
    return namespaces.only
  }

  /**
   * Keys, with their namespace, and values as they are stored, in the order of the keys; as they were at the start.
   * `store.iterator(namespace)`; without one, all. A Keyv takes it by `bind` when it is made, and gets its own
   * namespace's.
   */
  get iterator(): KeyvXenonIterator {
    const { latest } = this
    const iterate: KeyvXenonIterator = namespace => this.iterate(namespace)
    const ofKeyv: KeyvXenonIterator = namespace => this.iterate(namespace ?? latest)
    return Object.assign(iterate, { bind: () => ofKeyv })
  }

  private async *iterate<Value>(namespace?: string): AsyncGenerator<[string, Awaited<Value> | undefined], void> {
    const items = this.read(() =>
      namespace === undefined ? this.database.entries() : this.database.entries(`${namespace}:`),
    )
    try {
      for (;;) {
        const chunk = this.read(() => items.nextMany(CHUNK))
        if (chunk.length === 0) return
        for (const [key, value] of chunk) yield [key, value as Awaited<Value>]
      }
    } finally {
      items.return()
    }
  }

  /**
   * Closes the database, unless it was handed over open.
   * @example await keyv.disconnect()
   */
  async disconnect(): Promise<void> {
    this.read(() => {
      if (this.isOwn) this.database.close()
    })
  }

  /**
   * Calls the listener with every error of a read.
   * @example keyv.on('error', error => console.error(error))
   */
  on(event: string, listener: (...parameters: unknown[]) => void): this {
    if (event === 'error') this.namespaces.announce()
    this.listeners.add(event, listener)
    return this
  }

  /**
   * Calls it no more.
   * @example keyv.off('error', console.error)
   */
  off(event: string, listener: (...parameters: unknown[]) => void): this {
    this.listeners.remove(event, listener)
    return this
  }

  private read<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      this.listeners.call('error', error)
      throw error
    }
  }
}

const checked = (database: Database<string>): Database<string> => {
  if (typeof (database as Partial<Database<string>> | undefined)?.async?.put !== 'function')
    throw new InvalidArgumentError('KeyvXenon takes the path of a directory, or an open database')
  return database
}

const text = (value: unknown): string => {
  if (typeof value === 'string') return value
  throw new InvalidArgumentError(
    `KeyvXenon stores what Keyv has turned into text, not ${typeof value}: leave Keyv its serialize and deserialize`,
  )
}

const ttlOf = (ttl: number | undefined): PutOptions => {
  if (ttl === undefined || ttl === null || ttl === 0 || ttl === Number.POSITIVE_INFINITY) return {}
  // A time that has passed already is over at once.
  return { ttl: Math.max(1, ttl) }
}
