/** backup(): a copy of a database in use is the database as it was committed when the backup began. */
import { expect, test } from 'vitest'
import { memoryStorage, type OpenOptions, open } from '../../src/index.ts'
import { expectVerified, withDatabase, withMemoryDatabase } from '../support/database.ts'
import { expectCode, expectCodeAsync } from '../support/errors.ts'
import { expectEqual } from '../support/model.ts'
import { type Random, seeded } from '../support/random.ts'

const text = (random: Random, most: number): string => `${random.next()}`.padEnd(random.below(most), 'abc')
const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

for (const ordered of [true, false]) {
  for (const frames of [16, 1000]) {
    test(`with writers, open transactions and compaction: ordered ${ordered}, ${frames} frames`, () =>
      seeded(async random => {
        const storage = memoryStorage()
        const options: OpenOptions = {
          storage,
          ordered,
          cacheBytes: frames * 4096,
          durability: random.pick(['process', 'none'] as const),
          checkpointBytes: 262_144,
          logSegmentBytes: 131_072,
        }
        await withMemoryDatabase(options, async ({ db }) => {
          const records = new Map<string, string>()
          const put = (key: string, value: string): void => {
            db.put(key, value, random.chance(0.1) ? { ttl: 1e9 } : {})
            records.set(key, value)
          }
          for (let i = 0; i < 1500; i++)
            put(`key ${random.below(2000)}`, text(random, random.chance(0.97) ? 500 : 60_000))
          for (let round = 0; round < 3; round++) {
            const tx = db.begin()
            const keys = random.shuffle([...records.keys()]).slice(0, 60)
            for (const key of keys) {
              if (random.chance(0.4)) tx.delete(key)
              else tx.put(key, text(random, random.chance(0.9) ? 500 : 60_000))
            }
            for (let i = 0; i < 20; i++) tx.put(`uncommitted ${i}`, text(random, 900))
            const expected = new Map(records)
            const path = `copy ${round}`
            let running = true
            const progress: number[] = []
            const done = db.backup(path, { onProgress: p => progress.push(p.done / p.total) }).finally(() => {
              running = false
            })
            await turn()
            if (random.chance(0.5)) tx.rollback()
            else {
              tx.commit()
              records.clear()
              for (db.reset(); db.next(); ) {
                const { key, value } = db.readCurrent()
                records.set(key, value)
              }
            }
            const compacting = round === 1 ? db.compact() : undefined
            while (running) {
              for (let i = 0; i < 5; i++) {
                const key = `key ${random.below(2000)}`
                if (random.chance(0.4)) expect(db.delete(key)).toBe(records.delete(key))
                else put(key, text(random, random.chance(0.9) ? 500 : 60_000))
              }
              await turn()
            }
            const report = await done
            await compacting
            expect(report.records).toBe(expected.size)
            expect(progress.at(-1)).toBe(1)
            const copy = open(path, { storage, createIfMissing: false, cacheBytes: 16 * 4096 })
            expect(copy.stats().recovery.needed).toBe(false)
            expect(copy.stats().dataBytes).toBe(report.bytes)
            expectEqual(copy, expected)
            if (ordered) expect([...copy.keys()]).toEqual([...expected.keys()].sort())
            await expectVerified(copy, expected.size)
            copy.put('life', 'goes on')
            copy.close()
            const again = open(path, { storage })
            expect(again.get('life')).toBe('goes on')
            await expectVerified(again, expected.size + 1)
            again.close()
          }
          expectEqual(db, records)
        })
      }))
  }
}

test('on the real disk, into a new directory below new ones, or into an empty one', () =>
  withDatabase({}, async ({ db, directory }) => {
    for (let i = 0; i < 300; i++) db.put(`key ${i}`, `value ${i}`)
    const { mkdirSync } = await import('node:fs')
    mkdirSync(`${directory}-empty`)
    for (const target of [`${directory}-new/below/it`, `${directory}-empty`]) {
      const report = await db.backup(target)
      expect(report.records).toBe(300)
      const copy = open(target, { errorIfExists: false, createIfMissing: false })
      expect(copy.count()).toBe(300)
      await expectVerified(copy, 300)
      copy.close()
      await expectCodeAsync(() => db.backup(target), 'XENON_EXISTS')
    }
  }))

test('what is there is not touched', () =>
  withMemoryDatabase({ storage: memoryStorage() }, async ({ db, options }) => {
    const storage = options.storage!
    db.put('key', 'value')
    storage.makeDirectory('full')
    storage.open(storage.join('full', 'file'), { create: true }).close()
    await expectCodeAsync(() => db.backup('full'), 'XENON_EXISTS')
    await expectCodeAsync(() => db.backup('full/file'), 'XENON_EXISTS')
    await expectCodeAsync(() => db.backup('db'), 'XENON_EXISTS', 'XENON_INVALID_ARGUMENT')
    await expectCodeAsync(() => db.backup(''), 'XENON_INVALID_ARGUMENT')
    await expectCodeAsync(() => db.backup(7 as never), 'XENON_INVALID_ARGUMENT')
    await expectCodeAsync(() => db.backup('a\0b'), 'XENON_INVALID_ARGUMENT')
    // Mistyped, as no type checker sees in JavaScript.
    await expectCodeAsync(() => db.backup('other', { kep: 3 } as never), 'XENON_INVALID_ARGUMENT')
    for (const work of ['compact', 'checkpoint', 'verify'] as const)
      await expectCodeAsync(
        async () => void (await db[work]({ onprogress: () => {} } as never)),
        'XENON_INVALID_ARGUMENT',
      )
    expect(storage.list('full')).toEqual(['file'])
    expect(db.get('key')).toBe('value')
  }))

/** Nothing at the path opens as a database, and a later backup to the same place is possible or refused, typed. */
const requireNoDatabase = (path: string, options: OpenOptions): void => {
  expectCode(() => open(path, { ...options, createIfMissing: false }), 'XENON_NOT_FOUND')
}

test('a backup that is under way, or that was given up, is no database', () =>
  withMemoryDatabase({ storage: memoryStorage(), snapshotBytes: 65536 }, async ({ db, options }) => {
    const { storage } = options
    for (let i = 0; i < 3000; i++) db.put(`key ${i}`, 'x'.repeat(600))
    const lost = db.backup('lost')
    await turn()
    requireNoDatabase('lost', { storage: storage! })
    for (let i = 0; i < 3000; i++) db.put(`key ${i}`, 'y'.repeat(600))
    await expectCodeAsync(() => lost, 'XENON_SNAPSHOT_LOST')
    requireNoDatabase('lost', { storage: storage! })
    expect(db.get('key 1')).toBe('y'.repeat(600))
    const stopped = db.backup('stopped', {
      onProgress: () => {
        throw new Error('enough')
      },
    })
    await expect(stopped).rejects.toThrow('enough')
    requireNoDatabase('stopped', { storage: storage! })
    expect((await db.backup('whole')).records).toBe(3000)
    expect(db.stats().transactions.open).toBe(0)
    const closed = db.backup('closed')
    await turn()
    db.close()
    await expectCodeAsync(() => closed, 'XENON_CLOSED')
    requireNoDatabase('closed', { storage: storage! })
    await expectCodeAsync(() => db.backup('never'), 'XENON_CLOSED')
  }))

test('of a database that is open for reading only', () =>
  withMemoryDatabase({ storage: memoryStorage() }, async subject => {
    subject.db.put('key', 'value')
    const db = subject.reopen({ readOnly: true })
    const report = await db.backup('copy')
    expect(report.records).toBe(1)
    const copy = open('copy', { storage: subject.options.storage! })
    expect(copy.get('key')).toBe('value')
    copy.close()
  }))
