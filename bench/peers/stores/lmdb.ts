import { IN_FLIGHT, inGroups, keepInFlight, requirePeer, type Store, type StoreOptions } from './store.ts'

interface Range {
  start: string
  limit: number
}

/** The part of lmdb 3.5 that is used here. */
interface Lmdb {
  open(options: Record<string, unknown>): {
    get(key: string): string | undefined
    put(key: string, value: string): Promise<boolean>
    putSync(key: string, value: string): void
    remove(key: string): Promise<boolean>
    transactionSync(work: () => void, flags: number): void
    getRange(range: Range): Iterable<{ key: string; value: string }>
    getKeys(range: Range): Iterable<string>
    close(): Promise<void>
  }
}

/** TransactionFlags.SYNCHRONOUS_COMMIT without ABORTABLE, which costs a child transaction. */
const SYNCHRONOUS_COMMIT = 2

const { open } = requirePeer('lmdb') as Lmdb

/** A writable map is twice as fast where nothing is flushed. */
const NOT_FSYNCED = { noSync: true, useWritemap: true, noMemInit: true }

/**
 * Flushing the writable map takes longer than writing pages. `overlappingSync` is off because with it a synchronous
 * commit returns before it is flushed; waiting for `flushed` after it was measured to be no faster.
 */
const DURABLE = { overlappingSync: false, noMemInit: true }

/**
 * The work of a transaction returns nothing on purpose: given the promise of a put, `transactionSync` would commit
 * later, and several transactions would become one.
 */
export function openStore({ directory, durability, memoryBytes }: StoreOptions): Store {
  const db = open({
    path: `${directory}/lmdb`,
    noSubdir: false,
    encoding: 'string',
    ...(durability === 'power' ? DURABLE : NOT_FSYNCED),
    // A page fault reads 8 MiB ahead here: 80 random gets a second under a limit of memory, instead of 15,000.
    noReadAhead: memoryBytes !== undefined,
  })
  const putRange = (keys: readonly string[], values: readonly string[], from: number, to: number) => {
    for (let at = from; at < to; at += 1) db.put(keys[at]!, values[at]!)
  }

  return {
    get: key => db.get(key),
    put: (key, value) => db.putSync(key, value),
    putAsync: (key, value) => db.put(key, value),
    putEach(keys, values) {
      for (let at = 0; at < keys.length; at += 1) db.putSync(keys[at]!, values[at]!)
    },
    putBatch(keys, values) {
      db.transactionSync(() => putRange(keys, values, 0, keys.length), SYNCHRONOUS_COMMIT)
    },
    transactions(keys, values, size) {
      for (let from = 0; from < keys.length; from += size) {
        db.transactionSync(() => putRange(keys, values, from, from + size), SYNCHRONOUS_COMMIT)
      }
    },
    entries(from, limit) {
      let characters = 0
      for (const { key, value } of db.getRange({ start: from, limit })) characters += key.length + value.length
      return characters
    },
    keys(from, limit) {
      let characters = 0
      for (const key of db.getKeys({ start: from, limit })) characters += key.length
      return characters
    },
    deleteBatch(keys) {
      db.transactionSync(() => {
        for (const key of keys) db.remove(key)
      }, SYNCHRONOUS_COMMIT)
    },
    inFlight: {
      'put, groups': (keys, values) =>
        inGroups(keys, IN_FLIGHT, (from, to) => {
          const pending: Promise<boolean>[] = []
          for (let at = from; at < to; at += 1) pending.push(db.put(keys[at]!, values[at]!))
          return Promise.all(pending)
        }),
      'put, always 256': (keys, values) => keepInFlight(keys, values, IN_FLIGHT, (key, value) => db.put(key, value)),
    },
    grouped: {
      'one transaction per 256': (keys, values) =>
        inGroups(keys, IN_FLIGHT, async (from, to) => {
          db.transactionSync(() => putRange(keys, values, from, to), SYNCHRONOUS_COMMIT)
        }),
    },
    close: () => db.close(),
  }
}
