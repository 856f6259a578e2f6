import { IN_FLIGHT, inGroups, keepInFlight, requirePeer, type Store, type StoreOptions } from './store.ts'

interface ChainedBatch {
  put(key: string, value: string): unknown
  del(key: string): unknown
  write(options: { sync: boolean }): Promise<void>
}

/** The part of classic-level 3 that is used here. */
interface Level {
  ClassicLevel: new (
    directory: string,
    options: Record<string, unknown>,
  ) => {
    open(): Promise<void>
    getSync(key: string): string | undefined
    put(key: string, value: string, options: { sync: boolean }): Promise<void>
    batch(): ChainedBatch
    close(): Promise<void>
  }
}

const { ClassicLevel } = requirePeer('classic-level') as Level

const MIB = 2 ** 20

/** Buffers that let a million records rest in memory. Its writes have no synchronous form. */
export async function openStore({ directory, durability }: StoreOptions): Promise<Store> {
  const db = new ClassicLevel(`${directory}/level`, {
    writeBufferSize: 16 * MIB,
    cacheSize: 512 * MIB,
    maxOpenFiles: 5000,
  })
  await db.open()
  const sync = durability === 'power'
  const putRange = (keys: readonly string[], values: readonly string[], from: number, to: number) => {
    const batch = db.batch()
    for (let at = from; at < to; at += 1) batch.put(keys[at]!, values[at]!)
    return batch.write({ sync })
  }

  return {
    get: key => db.getSync(key),
    async putEach(keys, values) {
      for (let at = 0; at < keys.length; at += 1) await db.put(keys[at]!, values[at]!, { sync })
    },
    putBatch: (keys, values) => putRange(keys, values, 0, keys.length),
    async transactions(keys, values, size) {
      for (let from = 0; from < keys.length; from += size) await putRange(keys, values, from, from + size)
    },
    deleteBatch(keys) {
      const batch = db.batch()
      for (const key of keys) batch.del(key)
      return batch.write({ sync })
    },
    inFlight: {
      'one batch per 256': (keys, values) =>
        inGroups(keys, IN_FLIGHT, (from, to) => putRange(keys, values, from, to)),
      'put, always 256': (keys, values) =>
        keepInFlight(keys, values, IN_FLIGHT, (key, value) => db.put(key, value, { sync })),
    },
    close: () => db.close(),
  }
}
