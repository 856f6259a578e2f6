import { open } from '../../support/xenondb.ts'
import { IN_FLIGHT, inGroups, keepInFlight, type Store, type StoreOptions } from './store.ts'

/** Hash index only, like the rest of the comparison asks for: no store is read in order. */
export function openStore({ directory, durability, cacheBytes }: StoreOptions): Store {
  const pool = cacheBytes === undefined ? {} : { cacheBytes }
  const db = open(directory, { durability, ordered: false, ...pool })

  return {
    get: key => db.get(key),
    put: (key, value) => db.put(key, value),
    putAsync: (key, value) => db.putAsync(key, value),
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
    deleteBatch(keys) {
      db.batch(keys.map(key => ({ type: 'delete', key })))
    },
    inFlight: {
      'putAsync, groups': (keys, values) =>
        inGroups(keys, IN_FLIGHT, (from, to) => {
          const pending: Promise<void>[] = []
          for (let at = from; at < to; at += 1) pending.push(db.putAsync(keys[at]!, values[at]!))
          return Promise.all(pending)
        }),
      'putAsync, always 256': (keys, values) =>
        keepInFlight(keys, values, IN_FLIGHT, (key, value) => db.putAsync(key, value)),
    },
    grouped: {},
    async close() {
      db.close()
    },
  }
}
