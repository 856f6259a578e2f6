import { describe, expect, test } from 'vitest'
import type { BufferPool } from '../../src/buffer/pool.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { type Database, memoryStorage, open, type Storage } from '../../src/index.ts'
import { EXPIRY_ROOT } from '../../src/pager/layout.ts'
import { expectVerified, withMemoryDatabase } from '../support/database.ts'
import { expectCode } from '../support/errors.ts'
import { storageOf } from '../support/image.ts'
import { expectEqual } from '../support/model.ts'
import { type Random, runs, seeded } from '../support/random.ts'
import { Recorder } from './recorder.ts'

describe('the order of writes and syncs', () => {
  for (const durability of ['power', 'process', 'none'] as const) {
    test(`is kept in a pool of 16 frames, with durability '${durability}'`, () =>
      seeded(async random => {
        const recorder = new Recorder()
        const options = {
          durability,
          cacheBytes: 1,
          checkpointBytes: 131072,
          logSegmentBytes: 131072,
          storage: recorder.storage,
        } as const
        await withMemoryDatabase(options, async subject => {
          const records = new Map<string, string>()
          for (let round = 0; round < 4 * runs; round++) {
            work(subject.db, records, random, 600)
            expect(recorder.problems).toEqual([])
            const roll = random.below(3)
            if (roll === 0) subject.reopen()
            if (roll === 1) await subject.db.checkpoint()
          }
          expect(subject.db.stats().cache.frames).toBe(16)
          expectEqual(subject.db, records)
          // An open transaction is recovered from what stands in the files, under the same watch.
          const tx = subject.db.begin()
          tx.put('under way', 'x')
          await subject.db.flush()
          const again = new Recorder(storageOf(subject.image()))
          const db = open('db', { ...options, storage: again.storage })
          expectEqual(db, records)
          work(db, records, random, 100)
          db.close()
          expect(again.problems).toEqual([])
          tx.rollback()
        })
        expect(recorder.problems).toEqual([])
        expect(recorder.blocksWritten).toBeGreaterThan(500)
        expect(recorder.images).toBeGreaterThan(50)
        expect(recorder.imagesBegun).toBeGreaterThan(5)
        expect(recorder.formats).toBeGreaterThan(50)
        expect(recorder.redoMoved).toBeGreaterThan(5)
        expect(recorder.segmentsGivenUp).toBeGreaterThan(5)
      }))
  }
})

describe('a block in the pool', () => {
  test('is found there without a read', () =>
    withPool(({ pool, db }) => {
      const base = pool.get(7)
      const { blockReads, misses } = db.stats().cache
      for (let i = 0; i < 10; i++) expect(pool.get(7)).toBe(base)
      expect(db.stats().cache).toMatchObject({ blockReads, misses })
      pool.get(8)
      expect(db.stats().cache).toMatchObject({ blockReads: blockReads + 1, misses: misses + 1 })
    }))

  test('stays where it is while it is pinned, as often as it was pinned (P3)', () =>
    withPool(({ pool }) => {
      const base = pool.get(7)
      pool.pin(base)
      pool.pin(base)
      readAll(pool)
      expect(pool.get(7)).toBe(base)
      pool.unpin(base)
      readAll(pool)
      expect(pool.isResident(7)).toBe(true)
      pool.unpin(base)
      readAll(pool)
      expect(pool.isResident(7)).toBe(false)
    }))

  test('stays while it is used again and again', () =>
    withPool(({ pool }) => {
      for (let block = 80; pool.evictions === 0; block++) pool.get(block)
      pool.get(7)
      for (let block = 8; block <= 79; block++) {
        pool.get(block)
        expect(pool.isResident(7), `after block ${block}`).toBe(true)
        pool.get(7)
      }
      expect(pool.evictions).toBeGreaterThan(50)
    }))

  test('goes to the file before its frame is taken', () =>
    withPool(({ db, pool }) => {
      for (let i = 0; i < 300; i++) db.put(`key ${i}`, 'x'.repeat(20))
      readAll(pool)
      readAll(pool)
      expect(pool.dirtyFrames).toBe(0)
      for (let i = 0; i < 300; i++) expect(db.get(`key ${i}`)).toBe('x'.repeat(20))
    }))
})

describe('the log', () => {
  const dirtied = async ({ db, pool }: { db: Database; pool: BufferPool }): Promise<number> => {
    for (let i = 0; i < 40; i++) db.put(`key ${i}`, 'x'.repeat(20))
    expect(pool.dirtyFrames).toBeGreaterThan(8)
    return syncsOfLog(db)
  }

  test('is synced before the first of the blocks that it does not hold yet is written (P1)', () =>
    withPool(async subject => {
      const before = await dirtied(subject)
      readAll(subject.pool)
      expect(syncsOfLog(subject.db)).toBeGreaterThan(before)
    }, 'process'))

  test('is not synced again for blocks that were not changed since it was', () =>
    withPool(async subject => {
      await dirtied(subject)
      await subject.db.flush()
      const before = syncsOfLog(subject.db)
      const { blockWrites } = subject.db.stats().cache
      readAll(subject.pool)
      expect(subject.db.stats().cache.blockWrites).toBeGreaterThan(blockWrites + 8)
      expect(syncsOfLog(subject.db)).toBe(before)
    }, 'process'))
})

const syncsOfLog = (db: Database): number => {
  const { log } = (db as unknown as { engine: Engine }).engine
  return log.segments.fsyncs
}

describe('the pool', () => {
  test('with every frame pinned says so, and goes on when one is free again', () =>
    withPool(({ pool }) => {
      const pinned: number[] = []
      for (let block = 1; block <= 16; block++) {
        const base = pool.get(block)
        pool.pin(base)
        pinned.push(base)
      }
      expect(new Set(pinned).size).toBe(16)
      expect(expectCode(() => pool.get(17), 'XENON_INVALID_ARGUMENT').message).toMatch(/raise cacheBytes/)
      expect(pool.isResident(17)).toBe(false)
      pool.unpin(pinned[3]!)
      expect(pool.get(17)).toBe(pinned[3])
      expect(pool.isResident(4)).toBe(false)
      for (const [i, base] of pinned.entries()) if (i !== 3) pool.unpin(base)
    }))

  test('refuses blocks that do not exist', () =>
    withPool(({ pool, db }) => {
      const { total } = db.stats().blocks
      for (const block of [0, total, total + 1, 65536, 0xffff_ffff])
        expect(expectCode(() => pool.get(block), 'XENON_CORRUPT')).toMatchObject({ block })
      expect(pool.get(total - 1)).toBeGreaterThan(0)
    }))

  test('begins small, and takes a middle size and then its full one as they are used up', () =>
    seeded(random =>
      withMemoryDatabase<Uint8Array>(
        { durability: 'none', cacheBytes: 2 ** 25, valueEncoding: 'binary' },
        async ({ db }) => {
          const sizes = new Set([db.stats().cache.frames])
          const records = new Map<string, Uint8Array>()
          for (let i = 0; i < 700; i++) {
            const value = random.bytes(40_000 + random.below(20_000))
            db.put(`key ${i}`, value)
            records.set(`key ${i}`, value)
            sizes.add(db.stats().cache.frames)
          }
          expect([...sizes]).toEqual([512, 6144, 8192])
          expect(db.stats().cache.evictions).toBeGreaterThan(0)
          expectEqual(db, records)
          await expectVerified(db, 700)
        },
      ),
    ))
})

test.each([
  ['a container of 512 MiB', 512, 128, 128],
  ['a machine of 16 GiB', 16_384, 1024, 256],
  ['one that does not say', undefined, 256, 256],
])('in %s, pool and copies for snapshots have their share of the memory', async (_where, has, pool, copies) => {
  const MiB = 2 ** 20
  const storage: Storage = { ...memoryStorage(), memoryBytes: has === undefined ? undefined : has * MiB }
  await withMemoryDatabase({ storage }, async ({ db }) => {
    const { engine } = db as unknown as { engine: Engine }
    expect((engine.pool.maxFrames * engine.pool.blockSize) / MiB).toBe(pool)
    expect((engine.pool.versions as unknown as { limit: number }).limit / MiB).toBe(copies)
  })
})

/** A database with a pool of 16 frames, none of them in use. */
describe('a pool that may grow', () => {
  const keysUntilGrown = 2500
  const value = 'x'.repeat(12_000)

  test('stays as large as it is, and works on, where there is no memory for more', async () => {
    const { storage } = new Recorder()
    await withMemoryDatabase({ durability: 'none', cacheBytes: 2 ** 26, storage }, async subject => {
      const { db } = subject
      const { arena, pool } = (db as unknown as { engine: Engine }).engine
      const before = pool.frames
      let refused = 0
      arena.grow = () => {
        refused++
        throw new RangeError('Array buffer allocation failed')
      }
      for (let i = 0; i < keysUntilGrown; i++) db.put(`key ${i}`, value)
      expect(refused).toBe(1)
      expect(pool.frames).toBe(before)
      for (let i = 0; i < keysUntilGrown; i += 50) expect(db.get(`key ${i}`)).toBe(value)
      expect(db.stats().cache.evictions).toBeGreaterThan(0)
      await expectVerified(db)
    })
  })
})

const withPool = (
  body: (subject: { db: Database; pool: BufferPool }) => unknown,
  durability: 'power' | 'process' = 'power',
): Promise<void> =>
  withMemoryDatabase({ cacheBytes: 1, durability }, async subject => {
    const db = subject.reopen()
    const { pool } = (db as unknown as { engine: Engine }).engine
    expect(pool.frames).toBe(16)
    // The open has looked there for records that expire.
    pool.discard(EXPIRY_ROOT)
    expect(pool.framesUsed).toBe(0)
    await body({ db, pool })
  })

const readAll = (pool: BufferPool): void => {
  for (let block = 20; block <= 101; block++) pool.get(block)
}

/** Changes of all kinds: small and large records, batches, transactions, rollbacks. */
const work = (db: Database, records: Map<string, string>, random: Random, count: number): void => {
  const key = (): string => `key ${random.below(800)}`
  const value = (): string => 'v'.repeat(random.below(random.chance(0.02) ? 20_000 : 300))
  for (let i = 0; i < count; i++) {
    const roll = random.below(100)
    if (roll < 60) {
      const [k, v] = [key(), value()]
      db.put(k, v)
      records.set(k, v)
    } else if (roll < 90) {
      const k = key()
      expect(db.delete(k)).toBe(records.delete(k))
    } else {
      const tx = db.begin()
      const changes = Array.from({ length: random.below(60) }, () => [key(), value()] as const)
      for (const [k, v] of changes) tx.put(k, v)
      if (random.chance(0.5)) tx.rollback()
      else {
        tx.commit()
        for (const [k, v] of changes) records.set(k, v)
      }
    }
  }
}
