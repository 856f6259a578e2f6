/**
 * A driver for unstorage: `createStorage({ driver: xenonDriver({ directory: 'data' }) })`. Values lie in the database as
 * bytes: the text that unstorage makes of them, or the bytes of `setItemRaw`.
 */
import { InvalidArgumentError } from '../../errors.ts'
import { isBytes } from '../../runtime/bytes.ts'
import { openShared } from '../../shared/index.ts'
import type { SharedOptions } from '../../shared/options.ts'
import type { BatchOperation, PutOptions } from '../../types.ts'
import type { AsyncStore } from '../../values/async-store.ts'

type Store = AsyncStore<Uint8Array>

/** A directory with options of `openShared`, or a store. */
export type XenonDriverOptions = Defaults &
  (
    | ({ directory: string; store?: undefined } & Omit<SharedOptions<Uint8Array>, 'keyEncoding' | 'valueEncoding'>)
    | { store: Store; directory?: undefined }
  )

interface Defaults {
  /** Seconds that an item lives which says nothing else. Default: as long as it is not removed. */
  ttl?: number | undefined
}

/** What unstorage hands on of what its callers say; of it, `ttl` is known here. */
type Given = Record<string, unknown>

interface Item {
  key: string
  options?: Given
}

/** A driver as unstorage wants it. Its own types are not named, so that those of this package do not need them. */
export interface XenonDriver {
  /** That of the driver in unstorage's messages. */
  name: string
  /** Times to live are kept here, not by unstorage. */
  flags: { ttl: true }
  /** What `xenonDriver` was given. */
  options: XenonDriverOptions
  /** The store that the items lie in, opened if need be. */
  getInstance(): Promise<Store>
  /** Whether there is an item. */
  hasItem(key: string): Promise<boolean>
  /** Text of an item, null if there is none. */
  getItem(key: string): Promise<string | null>
  /** Texts of several items, read together. */
  getItems(items: Item[]): Promise<{ key: string; value: string | null }[]>
  /** Bytes of an item, null if there is none. */
  getItemRaw(key: string): Promise<Uint8Array | null>
  /** Stores text; `ttl` in seconds. */
  setItem(key: string, value: string, given?: Given): Promise<void>
  /** Stores several texts, all or nothing. */
  setItems(items: (Item & { value: string })[], common?: Given): Promise<void>
  /** Stores bytes, or what has them. */
  setItemRaw(key: string, value: unknown, given?: Given): Promise<void>
  /** Removes an item, if there is one. */
  removeItem(key: string): Promise<void>
  /** Seconds that an item has left, if it expires; null if there is none. */
  getMeta(key: string): Promise<{ ttl?: number } | null>
  /** Keys of all items that begin so. */
  getKeys(base: string): Promise<string[]>
  /** Removes all items that begin so, at once and as a whole. */
  clear(base: string): Promise<void>
  /** Tells of changes of other drivers, processes and programs too; resolves to what ends that. */
  watch(callback: WatchCallback): Promise<() => Promise<void>>
  /** Closes what it has opened. */
  dispose(): Promise<void>
}

type WatchCallback = (event: 'update' | 'remove', key: string) => unknown

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const MS = 1000

/**
 * Items in a database. With `directory`, it is opened by the first call, and shared: several processes, or copies of a
 * program after a hot reload, may use the same one (`openShared`). `dispose` closes it. With `store`, any store of bytes is
 * taken (`db.async`, that of a client, of a sub-database), and left open.
 * @throws InvalidArgumentError
 * @example const storage = createStorage({ driver: xenonDriver({ directory: 'data' }) })
 */
export const xenonDriver = (options: XenonDriverOptions): XenonDriver => {
  const { open, close } = sourceOf(options)

  const driver: XenonDriver = {
    name: 'xenondb',
    flags: { ttl: true },
    options,
    getInstance: open,

    async hasItem(key) {
      return await (await open()).has(key)
    },

    async getItem(key) {
      return text(await (await open()).get(key))
    },

    async getItems(items) {
      const values = await (await open()).getMany(items.map(({ key }) => key))
      return items.map(({ key }, i) => ({ key, value: text(values[i]) }))
    },

    async getItemRaw(key) {
      return (await (await open()).get(key)) ?? null
    },

    async setItem(key, value, given) {
      await (await open()).put(key, encoder.encode(value), ttlOf(given, options))
    },

    /** All or nothing. */
    async setItems(items, common) {
      const operations = items.map(
        (item): BatchOperation<Uint8Array> => ({
          type: 'put',
          key: item.key,
          value: encoder.encode(item.value),
          ...ttlOf(item.options, common, options),
        }),
      )
      await (await open()).batch(operations)
    },

    async setItemRaw(key, value, given) {
      await (await open()).put(key, bytesOf(value), ttlOf(given, options))
    },

    async removeItem(key) {
      await (await open()).delete(key)
    },

    async getMeta(key) {
      const left = await (await open()).ttl(key)
      if (left === undefined) return null
      return left === Number.POSITIVE_INFINITY ? {} : { ttl: left / MS }
    },

    async getKeys(base) {
      const keys: string[] = []
      for await (const key of (await open()).keys(rangeOf(base))) keys.push(key)
      return keys
    },

    /** At once, and as a whole. */
    async clear(base) {
      await (await open()).clear(rangeOf(base))
    },

    /** Changes of other drivers, processes and programs, too; and what has expired, when it is removed. */
    async watch(callback) {
      const changes = await (await open()).watch()
      void tell(changes, callback)
      return async () => {
        await changes.return?.()
      }
    },

    dispose: close,
  }
  return driver
}

export default xenonDriver

interface Source {
  open(): Promise<Store>
  close(): Promise<void>
}

const sourceOf = (options: XenonDriverOptions | undefined): Source => {
  const { directory, store, ttl, ...others } = options ?? ({} as Partial<XenonDriverOptions>)
  if (ttl !== undefined) ttlOf({ ttl })
  if (store !== undefined) {
    if (typeof (store as Partial<Store> | null)?.getMany !== 'function' || directory !== undefined)
      throw new InvalidArgumentError(
        'xenonDriver() takes { directory }, or a store of bytes such as { store: db.async }',
      )
    return { open: async () => store, close: async () => {} }
  }
  if (typeof directory !== 'string' || directory === '')
    throw new InvalidArgumentError('xenonDriver() takes the path of a directory: { directory }, or { store }')
  let opened: ReturnType<typeof openBytes> | undefined
  const openBytes = () => openShared<Uint8Array>(directory, { ...others, keyEncoding: 'utf8', valueEncoding: 'binary' })
  return {
    open() {
      if (opened !== undefined) return opened
      const opening = openBytes()
      opened = opening
      // The next call tries again.
      opening.catch(() => {
        if (opened === opening) opened = undefined
      })
      return opening
    },
    async close() {
      const closing = opened
      opened = undefined
      await (await closing)?.close()
    },
  }
}

const rangeOf = (base: string | undefined): { prefix: string } | undefined =>
  base === undefined || base === '' ? undefined : { prefix: base }

const text = (value: Uint8Array | undefined): string | null => (value === undefined ? null : decoder.decode(value))

/** The first of these that says how long an item lives, in seconds. */
const ttlOf = (...given: readonly ({ ttl?: unknown } | undefined)[]): PutOptions => {
  const seconds = given.find(options => options?.ttl !== undefined && options.ttl !== null)?.ttl
  if (seconds === undefined || seconds === 0 || seconds === Number.POSITIVE_INFINITY) return {}
  if (typeof seconds !== 'number' || !(seconds > 0))
    throw new InvalidArgumentError(`ttl is a number of seconds, not ${String(seconds)}`)
  return { ttl: Math.max(1, Math.round(seconds * MS)) }
}

const bytesOf = (value: unknown): Uint8Array => {
  if (isBytes(value)) return value
  if (typeof value === 'string') return encoder.encode(value)
  if (value instanceof ArrayBuffer) return new Uint8Array(value)
  throw new InvalidArgumentError('setItemRaw() takes bytes (Uint8Array, Buffer, ArrayBuffer) or text')
}

const tell = async (
  changes: AsyncIterable<{ type: 'put' | 'delete'; key: string }>,
  callback: WatchCallback,
): Promise<void> => {
  try {
    for await (const { type, key } of changes) callback(type === 'put' ? 'update' : 'remove', key)
  } catch {
    // The store was closed, or its owner has gone: there is nobody to be told.
  }
}
