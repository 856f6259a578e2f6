/** compact(): space goes back to the file system, and nothing else changes. */
import { expect, test } from 'vitest'
import type { OpenOptions } from '../../src/index.ts'
import { FIRST_OVERFLOW_BLOCK } from '../../src/pager/layout.ts'
import { withBentHash } from '../hash/keys.ts'
import { expectVerified, type Subject, withDatabase, withMemoryDatabase } from '../support/database.ts'
import { expectCodeAsync } from '../support/errors.ts'
import { expectEqual } from '../support/model.ts'
import { type Random, seeded } from '../support/random.ts'

const text = (random: Random, most: number): string => `${random.next()}`.padEnd(random.below(most), 'abc')

/** Records of which a random share is deleted again; what is left. */
const thin = ({ db }: Subject<string>, random: Random, count: number): Map<string, string> => {
  const records = new Map<string, string>()
  for (let i = 0; i < count; i++) {
    const key = `${random.below(1e6)}`.padStart(random.pick([7, 7, 60]), 'k')
    const size = random.chance(0.95) ? 400 : 50_000
    records.set(key, text(random, size))
  }
  const puts = [...records].map(([key, value], i) => ({
    type: 'put' as const,
    key,
    value,
    ...(i % 10 === 0 ? { ttl: 1e9 } : {}),
  }))
  db.batch(puts)
  const share = random.pick([0, 0.1, 0.5, 0.9, 1])
  for (const key of [...records.keys()]) {
    if (!random.chance(share)) continue
    db.delete(key)
    records.delete(key)
  }
  return records
}

for (const ordered of [true, false]) {
  for (const blockSize of [4096, 32768]) {
    for (const frames of [16, 500]) {
      test(`at random fill: ordered ${ordered}, blocks of ${blockSize}, ${frames} frames`, () =>
        seeded(async random => {
          const options: OpenOptions = {
            ordered,
            blockSize,
            cacheBytes: frames * blockSize,
            durability: 'process',
            checkpointBytes: 1_048_576,
            logSegmentBytes: 262_144,
          }
          await withMemoryDatabase(options, async subject => {
            const records = thin(subject, random, 1200)
            const { db } = subject
            const progress: number[] = []
            const report = await db.compact({ onProgress: ({ done, total }) => progress.push(done / total) })
            expectEqual(db, records)
            const verified = await expectVerified(db, records.size)
            expect(report.blocksAfter).toBeLessThanOrEqual(report.blocksBefore)
            expect(verified.blocks.total).toBe(report.blocksAfter)
            expect(verified.blocks.free).toBeLessThan(8)
            // The last of the first blocks may be blank, and then are not in the file.
            if (report.blocksAfter > FIRST_OVERFLOW_BLOCK)
              expect(report.bytesAfter).toBe(report.blocksAfter * blockSize)
            else expect(report.bytesAfter).toBeLessThanOrEqual(report.blocksAfter * blockSize)
            expect(subject.image().get('data')!.length).toBe(report.bytesAfter)
            expect(progress.at(-1)).toBe(1)
            expect(progress).toEqual([...progress].sort((a, b) => a - b))
            expectEqual(subject.reopen(), records)
            if (ordered) expect([...subject.db.keys()]).toEqual([...records.keys()].sort())
            const again = await subject.db.compact()
            expect(again.blocksAfter).toBeLessThanOrEqual(report.blocksAfter)
          })
        }))
    }
  }
}

test('of chains of keys with equal hashes', () =>
  seeded(random =>
    withBentHash(
      7,
      position => position & 0x3,
      () =>
        withMemoryDatabase({ cacheBytes: 16 * 4096 }, async subject => {
          const records = thin(subject, random, 250)
          await subject.db.compact()
          expectEqual(subject.db, records)
          await expectVerified(subject.db, records.size)
          expectEqual(subject.reopen(), records)
        }),
    ),
  ))

test('while others put, delete, batch, roll back, iterate and hold snapshots', () =>
  seeded(async random => {
    await withMemoryDatabase({ cacheBytes: 24 * 4096, durability: 'none' }, async subject => {
      const records = thin(subject, random, 800)
      const { db } = subject
      const before = new Map(records)
      const snapshot = db.snapshot()
      let running = true
      const compacting = db.compact().finally(() => {
        running = false
      })
      const keys = [...records.keys(), ...Array.from({ length: 200 }, (_, i) => `new ${i}`)]
      let turns = 0
      for (; running && turns < 5000; turns++) {
        const key = random.pick(keys)
        const roll = random.below(10)
        if (roll < 5) {
          const value = text(random, random.chance(0.2) ? 40_000 : 300)
          db.put(key, value)
          records.set(key, value)
        } else if (roll < 9) expect(db.delete(key)).toBe(records.delete(key))
        else {
          const tx = db.begin()
          tx.put(key, text(random, 30_000))
          tx.delete(random.pick(keys))
          await new Promise(resolve => setImmediate(resolve))
          tx.rollback()
        }
        if (turns % 16 === 0) await new Promise(resolve => setImmediate(resolve))
      }
      await compacting
      expect(new Map(snapshot)).toEqual(before)
      snapshot.close()
      expectEqual(db, records)
      await expectVerified(db, records.size)
      expect([...db.keys()]).toEqual([...records.keys()].sort())
      expectEqual(subject.reopen(), records)
    })
  }))

test('after all large values were deleted hardly anything is left of the file, on the real disk', () =>
  withDatabase({ durability: 'process' }, async subject => {
    const { db } = subject
    for (let i = 0; i < 20; i++) db.put(`large ${i}`, 'x'.repeat(200_000))
    db.put('small', 'stays')
    await db.checkpoint()
    const before = db.stats().dataBytes
    for (let i = 0; i < 20; i++) db.delete(`large ${i}`)
    const report = await db.compact()
    expect(report.bytesBefore).toBe(before)
    expect(db.stats().dataBytes).toBe(report.bytesAfter)
    expect(report.bytesAfter).toBeLessThan(600_000)
    expect(db.get('small')).toBe('stays')
    expect(subject.reopen().count()).toBe(1)
  }))

test('it waits for open transactions, and two at once do no harm', () =>
  withMemoryDatabase({}, async ({ db }) => {
    for (let i = 0; i < 500; i++) db.put(`key ${i}`, 'x'.repeat(300))
    db.clear({ gte: 'key 2' })
    const tx = db.begin()
    tx.put('key 0', 'changed')
    let done = false
    const both = Promise.all([db.compact(), db.compact()]).then(() => {
      done = true
    })
    await new Promise(resolve => setTimeout(resolve, 30))
    expect(done).toBe(false)
    tx.commit()
    await both
    expect(db.get('key 0')).toBe('changed')
    await expectVerified(db)
  }))

test('of an empty database, and misuse', () =>
  withMemoryDatabase({}, async subject => {
    const report = await subject.db.compact()
    expect(report.blocksAfter).toBe(report.blocksBefore)
    const { db } = subject
    const running = db.compact()
    db.close()
    await expectCodeAsync(() => running, 'XENON_CLOSED')
    await expectCodeAsync(() => db.compact(), 'XENON_CLOSED')
    subject.reopen({ readOnly: true })
    await expectCodeAsync(() => subject.db.compact(), 'XENON_READ_ONLY')
  }))
