/**
 * The log stays within what `checkpointBytes` promises, whatever the load and the pool; so does what a recovery leaves.
 */
import { describe, expect, test } from 'vitest'
import { type Database, memoryStorage, type OpenOptions, open, type Storage } from '../../src/index.ts'
import { expectVerified, withMemoryDatabase } from '../support/database.ts'
import { thrownBy } from '../support/errors.ts'
import { readImage, segments, storageOf } from '../support/image.ts'
import { isLong } from '../support/long.ts'
import { expectEqual } from '../support/model.ts'
import { type Random, seeded } from '../support/random.ts'

const CHECKPOINT = 2 ** 21
const SEGMENT = 262144
/** Two segments more or less: their ends are not filled, and the commit at hand is not small. */
const MOST = 3 * CHECKPOINT + 2 * SEGMENT

type Load = (db: Database, random: Random, look: () => void) => void | Promise<void>

const key = (random: Random): string => `key ${random.below(20_000)}`

const loads: Record<string, Load> = {
  'large values': (db, random, look) => {
    for (let i = 0; i < 150; i++) {
      db.put(`large ${random.below(40)}`, 'v'.repeat(random.between(20_000, 200_000)))
      look()
    }
  },
  'batches of 1,000': (db, random, look) => {
    for (let i = 0; i < 100; i++) {
      db.batch(Array.from({ length: 1000 }, () => ({ type: 'put', key: key(random), value: 'v'.repeat(20) })))
      look()
    }
  },
  transactions: (db, random, look) => {
    for (let i = 0; i < 300; i++) {
      db.transaction(tx => {
        for (let j = 0; j < 100; j++) tx.put(key(random), 'v'.repeat(100))
      })
      look()
    }
  },
  'single puts': (db, random, look) => {
    for (let i = 0; i < 12_000; i++) {
      db.put(key(random), 'v'.repeat(500))
      if (i % 50 === 0) look()
    }
  },
  'asynchronous puts that share a turn': async (db, random, look) => {
    const all: Promise<void>[] = []
    for (let i = 0; i < 30_000; i++) {
      all.push(db.async.put(key(random), 'v'.repeat(200)))
      if (i % 100 === 0) look()
    }
    await Promise.all(all)
    look()
  },
  'turns with many asynchronous puts each': async (db, random, look) => {
    for (let turn = 0; turn < 60; turn++) {
      await Promise.all(Array.from({ length: 500 }, () => db.async.put(key(random), 'v'.repeat(200))))
      look()
    }
  },
  'deletes and puts by turns': (db, random, look) => {
    for (let i = 0; i < 30; i++) {
      db.batch(Array.from({ length: 1000 }, () => ({ type: 'put', key: key(random), value: 'v'.repeat(100) })))
      look()
      db.batch(Array.from({ length: 1000 }, () => ({ type: 'delete', key: key(random) })))
      look()
    }
  },
}

const storages: Record<string, () => Storage> = {
  'syncs in line': memoryStorage,
  'syncs aside': () => ({ ...memoryStorage(), syncsAside: true }),
}

for (const [nth, [name, load]] of Object.entries(loads).entries())
  describe(`the log under ${name}`, () => {
    // In `npm test` half of them, by turns.
    for (const [cache, cacheBytes] of [
      ['a large pool', 2 ** 26],
      ['a pool of 512 KiB', 2 ** 19],
    ] as const)
      for (const [syncs, storage] of Object.entries(storages))
        test.runIf(isLong || (nth + Number(syncs === 'syncs aside') + Number(cacheBytes === 2 ** 19)) % 2 === 0)(
          `is at most 3 times checkpointBytes with ${cache} and ${syncs}`,
          () =>
            seeded(random =>
              withMemoryDatabase(options(cacheBytes, storage()), async ({ db }) => {
                let top = 0
                await load(db, random, () => {
                  top = Math.max(top, db.stats().logBytes)
                })
                expect(top).toBeLessThan(MOST)
                // It did come to where the bound matters.
                expect(db.stats().log.bytes).toBeGreaterThan(3.5 * CHECKPOINT)
                await expectVerified(db, db.count())
              }),
            ),
        )
  })

const options = (cacheBytes: number, storage: Storage): OpenOptions => ({
  durability: 'process',
  cacheBytes,
  checkpointBytes: CHECKPOINT,
  logSegmentBytes: SEGMENT,
  storage,
})

describe('a recovery', () => {
  test('that is interrupted again and again leaves no more than the first two have left', () =>
    seeded(random =>
      withMemoryDatabase(options(2 ** 26, memoryStorage()), async ({ db }) => {
        const records = new Map<string, string>()
        for (let i = 0; i < 8000; i++) {
          const [k, v] = [key(random), 'v'.repeat(random.between(50, 150))]
          db.put(k, v)
          records.set(k, v)
        }
        const tx = db.begin()
        for (let i = 0; i < 2000; i++) tx.put(key(random), 'never committed')
        await db.flush()
        let image = readImage('db', (db as unknown as { handle: { storage: Storage } }).handle.storage)
        const sizes: number[] = []
        for (let i = 0; i < 12; i++) {
          const storage = storageOf(image)
          const at = random.between(1, writesOf(storageOf(image)) - 1)
          expect(writesOf(storage, at)).toBe(at)
          image = readImage('db', storage)
          sizes.push(segments(image).reduce((sum, name) => sum + image.get(name)!.length, 0))
        }
        expect(Math.max(...sizes)).toBeLessThanOrEqual(Math.max(sizes[0]!, sizes[1]!))
        tx.rollback()
        const recovered = open('db', { ...options(2 ** 26, storageOf(image)) })
        expectEqual(recovered, records)
        expect((await recovered.verify()).ok).toBe(true)
        recovered.close()
      }),
    ))

  test('tells how it goes on, phase by phase, and takes the whole pool', () =>
    withMemoryDatabase(options(2 ** 26, memoryStorage()), async ({ db }) => {
      for (let i = 0; i < 12_000; i++) db.put(`key ${i}`, 'v'.repeat(1000))
      const tx = db.begin()
      tx.put('under way', 'x')
      await db.flush()
      const storage = storageOf(readImage('db', (db as unknown as { handle: { storage: Storage } }).handle.storage))
      const seen: { phase: string; done: number; total: number }[] = []
      const again = open('db', {
        ...options(2 ** 26, storage),
        onRecovery: progress => {
          const last = seen.at(-1)
          if (last?.phase === progress.phase) expect(progress.done).toBeGreaterThanOrEqual(last.done)
          expect(progress.done).toBeLessThanOrEqual(progress.total)
          seen.push(progress)
        },
      })
      expect([...new Set(seen.map(({ phase }) => phase))]).toEqual(['redo', 'undo', 'write'])
      expect(seen.find(({ phase }) => phase === 'undo')).toEqual({ phase: 'undo', done: 0, total: 1 })
      expect(again.stats().cache.evictions).toBe(0)
      expect(again.count()).toBe(12_000)
      again.close()
      tx.rollback()
    }))

  test('what its function throws comes out as it is, whenever that is, and the next open recovers', () =>
    withMemoryDatabase(options(2 ** 26, memoryStorage()), async ({ db }) => {
      for (let i = 0; i < 4000; i++) db.put(`key ${i}`, 'v'.repeat(1000))
      await db.flush()
      const storage = storageOf(readImage('db', (db as unknown as { handle: { storage: Storage } }).handle.storage))
      for (let at = 1; ; at++) {
        const mine = new TypeError('of its own')
        let calls = 0
        const onRecovery = (): void => {
          if (++calls === at) throw mine
        }
        const thrown = thrownBy(() => open('db', { ...options(2 ** 26, storage), onRecovery }).close())
        if (calls < at) break
        expect(thrown).toBe(mine)
      }
      const again = open('db', { storage })
      expect(again.count()).toBe(4000)
      again.close()
    }))

  test('hears of nothing after a clean close', () =>
    withMemoryDatabase({}, async subject => {
      subject.db.put('a', 'b')
      subject.db.close()
      const storage = storageOf(subject.image())
      const db = open('db', {
        storage,
        onRecovery: () => {
          throw new Error('there was none to hear of')
        },
      })
      expect(db.get('a')).toBe('b')
      db.close()
    }))
})

/**
 * Opens, and fails at the given write: what was written stays. How many there were until then, or until it was open.
 */
function writesOf(storage: Storage, most: number = Number.POSITIVE_INFINITY): number {
  let writes = 0
  let isOpen = false
  const count = (): void => {
    if (isOpen) return
    if (writes === most) throw new Error('interrupted')
    writes++
  }
  const failing = Object.assign(Object.create(storage) as Storage, {
    open: (path: string, given: Parameters<Storage['open']>[1]) => {
      const file = storage.open(path, given)
      const { write, writeMany } = file
      file.write = (...args) => {
        count()
        write.apply(file, args)
      }
      file.writeMany = (...args) => {
        count()
        writeMany.apply(file, args)
      }
      return file
    },
  })
  try {
    const db = open('db', { ...options(2 ** 26, failing) })
    isOpen = true
    db.close()
  } catch (error) {
    if (!/interrupted/.test((error as Error).message)) throw error
  }
  return writes
}
