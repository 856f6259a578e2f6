import { open } from '../../support/xenondb.ts'
import { IN_FLIGHT, inGroups, keepInFlight, NOT_SUPPORTED, type Store, type StoreOptions } from './store.ts'

/** Of the contract; read through this until the types of every build have it. */
interface Ranges {
  entries?(range: { gte: string; limit?: number }): Iterable<[key: string, value: string]>
  keys?(range: { gte: string; limit?: number }): Iterable<string>
  compact?(): Promise<unknown>
}

/** The default options; under a limit of memory half of it for the pool, as in a process that does little else. */
export function openStore(options: StoreOptions): Store {
  return openWith(options, true)
}

export function openUnordered(options: StoreOptions): Store {
  return openWith(options, false)
}

function openWith({ directory, durability, memoryBytes }: StoreOptions, ordered: boolean): Store {
  const pool = memoryBytes === undefined ? {} : { cacheBytes: memoryBytes / 2 }
  const db = open(directory, { durability, ordered, ...pool })
  const ranges = db as unknown as Ranges

  return {
    get: key => db.get(key),
    put: (key, value) => db.put(key, value),
    putAsync: (key, value) => db.async.put(key, value),
    putEach(keys, values) {
      for (let at = 0; at < keys.length; at += 1) db.put(keys[at]!, values[at]!)
    },
    putBatch(keys, values) {
      db.batch(keys.map((key, at) => ({ type: 'put', key, value: values[at]! })))
    },
    transactions(keys, values, size) {
      for (let from = 0; from < keys.length; from += size) {
        db.transaction(tx => {
          for (let at = from; at < from + size; at += 1) tx.put(keys[at]!, values[at]!)
        })
      }
    },
    entries(from, limit) {
      if (ranges.entries === undefined) throw notSupported('entries')
      let characters = 0
      for (const [key, value] of ranges.entries(rangeOf(from, limit))) characters += key.length + value.length
      return characters
    },
    keys(from, limit) {
      if (ranges.keys === undefined) throw notSupported('keys')
      let characters = 0
      for (const key of ranges.keys(rangeOf(from, limit))) characters += key.length
      return characters
    },
    async compact() {
      if (ranges.compact === undefined) throw notSupported('compact')
      await ranges.compact()
    },
    deleteBatch(keys) {
      db.batch(keys.map(key => ({ type: 'delete', key })))
    },
    inFlight: {
      'putAsync, groups': (keys, values) =>
        inGroups(keys, IN_FLIGHT, (from, to) => {
          const pending: Promise<void>[] = []
          for (let at = from; at < to; at += 1) pending.push(db.async.put(keys[at]!, values[at]!))
          return Promise.all(pending)
        }),
      'putAsync, always 256': (keys, values) =>
        keepInFlight(keys, values, IN_FLIGHT, (key, value) => db.async.put(key, value)),
    },
    grouped: {},
    async close() {
      db.close()
    },
  }
}

function rangeOf(gte: string, limit: number): { gte: string; limit?: number } {
  return Number.isFinite(limit) ? { gte, limit } : { gte }
}

function notSupported(member: string): Error {
  return Object.assign(new Error(`this build of xenondb has no ${member}() yet`), { code: NOT_SUPPORTED })
}
