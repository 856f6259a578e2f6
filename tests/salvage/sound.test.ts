/** Salvage of databases without damage: complete, and equal to what opening them gives. */
import { describe, expect, test } from 'vitest'
import { memoryStorage, open, salvage } from '../../src/index.ts'
import { sample } from '../files/damage.ts'
import { withDatabase, withMemoryDatabase } from '../support/database.ts'
import { withDirectory } from '../support/directory.ts'
import { differences, readImage, storageOf } from '../support/image.ts'
import { expectEqual, firstDifference, scan } from '../support/model.ts'
import { runs, seeded } from '../support/random.ts'
import { expectComplete, salvaged } from './salvaging.ts'

describe('a sound database', () => {
  test('that was closed is rescued whole', () =>
    seeded(async random => {
      const { closed, records } = sample(random)
      const { report, records: found } = await salvaged(closed)
      expect(firstDifference(found, records)).toBeUndefined()
      expectComplete(report)
      expect(report).toMatchObject({
        records: records.size,
        expectedRecords: records.size,
        unfinishedTransactions: 0,
        block0: { identity: 'sound', state: 'sound' },
        blocks: { damaged: 0, rebuilt: 0 },
      })
    }))

  test('that was not closed gives what recovery gives', () =>
    seeded(async random => {
      const { crashed, records } = sample(random)
      const { report, records: found } = await salvaged(crashed)
      expect(firstDifference(found, records)).toBeUndefined()
      expectComplete(report)
    }))

  test('without records gives one without records', () =>
    withMemoryDatabase({}, async subject => {
      const { report, records } = await salvaged(subject.image())
      expect(records.size).toBe(0)
      expectComplete(report)
    }))

  test('keeps its block size, or gets the one that was asked for', () =>
    withMemoryDatabase({ blockSize: 16384 }, async subject => {
      subject.db.put('a', 'x'.repeat(100_000))
      subject.db.put('b', 'y')
      subject.db.close()
      const image = subject.image()
      expect((await salvaged(image)).report).toMatchObject({ complete: true, blockSize: 16384 })
      for (const [blockSize, expected] of [
        [undefined, 16384],
        [4096, 4096],
        [65536, 65536],
      ] as const) {
        const storage = storageOf(image)
        await salvage('db', 'new', { storage, ...(blockSize === undefined ? {} : { blockSize }) })
        const db = open('new', { storage })
        expect(db.stats().blockSize).toBe(expected)
        expect(db.get('a')).toBe('x'.repeat(100_000))
        db.close()
      }
    }))
})

describe('an image of a live database', () => {
  test('gives what recovery gives, without the open transaction', () =>
    seeded(random =>
      withMemoryDatabase(
        { durability: 'process', cacheBytes: 65536, checkpointBytes: 300_000, logSegmentBytes: 131072 },
        async subject => {
          const { db } = subject
          const records = new Map<string, string>()
          const key = (): string => `key ${random.below(2000)}`
          const value = (): string => 'v'.repeat(random.chance(0.05) ? random.below(20_000) : random.below(200))
          for (let round = 0; round < 10 * runs; round++) {
            for (let i = random.below(800); i > 0; i--) {
              const name = key()
              if (random.chance(0.7)) {
                const text = value()
                db.put(name, text)
                records.set(name, text)
              } else {
                db.delete(name)
                records.delete(name)
              }
            }
            const tx = db.begin()
            for (let i = random.below(100); i > 0; i--)
              if (random.chance(0.6)) tx.put(key(), value())
              else tx.delete(key())
            if (random.chance(0.3)) {
              const savepoint = tx.savepoint()
              for (let i = 0; i < 20; i++) tx.put(key(), value())
              tx.rollbackTo(savepoint)
            }
            if (random.chance(0.5)) await db.checkpoint()
            await db.flush()
            const image = subject.image()
            const { report, records: found } = await salvaged(image)
            expect(firstDifference(found, records)).toBeUndefined()
            expectComplete(report)
            tx.rollback()
          }
        },
      ),
    ))
})

test('a database is rescued whole whose close has cut off just the last groups of its log', async () => {
  for (const extra of [0, 150, 300, 450, 600]) {
    const storage = memoryStorage()
    const db = open('db', { storage, durability: 'process', cacheBytes: 4_194_304, logSegmentBytes: 131_072 })
    for (let i = 0; db.stats().log.bytes < 65_536 - 512 + extra; i++) db.put(`key ${i}`, 'x')
    const records = scan(db)
    db.close()
    const { report, records: found } = await salvaged(readImage('db', storage))
    expect(firstDifference(found, records)).toBeUndefined()
    expectComplete(report)
    expect(report.newerBlocks.count).toBe(0)
  }
})

describe('on the disk', () => {
  test('the new database is beside the old one, and nothing else is left', () =>
    withDatabase({}, async subject => {
      const records = new Map<string, string>()
      for (let i = 0; i < 500; i++) records.set(`key ${i}`, 'x'.repeat(i * 10))
      subject.db.batch([...records].map(([key, value]) => ({ type: 'put', key, value })))
      subject.db.close()
      await withDirectory(async parent => {
        const before = readImage(subject.directory)
        const progress: string[] = []
        const report = await salvage(subject.directory, `${parent}/a/new`, {
          onProgress: ({ phase, done, total }) => {
            expect(done).toBeLessThanOrEqual(total)
            if (progress.at(-1) !== phase) progress.push(phase)
          },
        })
        expectComplete(report)
        expect(report.bytes).toBe([...records].reduce((sum, [key, value]) => sum + key.length + value.length, 0))
        expect(progress.at(-1)).toBe('verify')
        expect(differences(before, readImage(subject.directory))).toEqual([])
        const db = open(`${parent}/a/new`, { createIfMissing: false })
        expectEqual(db, records)
        expect(scan(db).size).toBe(records.size)
        db.close()
        expect([...readImage(`${parent}/a/new`).keys()].filter(name => !/^log\/\d+\.log$/.test(name))).toEqual([
          'data',
          'log/images-0',
          'log/images-1',
          'log/reserve',
        ])
      })
    }))
})
