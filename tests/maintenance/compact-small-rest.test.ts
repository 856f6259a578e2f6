/** compact() of a database that has become small: what few buckets an index block has hang on to it. */
import { expect, test } from 'vitest'
import type { Structure } from '../../src/hash/structure.ts'
import { type Database, open } from '../../src/index.ts'
import { crashPolicies, FaultDisk } from '../../src/testing/fault.ts'
import { hashOf, keysOfRoot } from '../hash/keys.ts'
import { expectVerified, withMemoryDatabase } from '../support/database.ts'
import { expectEqual } from '../support/model.ts'
import { type Random, runs, seeded } from '../support/random.ts'

const KEY_BYTES = 15
const VALUE = 'v'.repeat(100)
const RECORD_BYTES = KEY_BYTES + VALUE.length

const keyOf = (random: Random): string => `${random.next()}`.padEnd(KEY_BYTES, '0').slice(0, KEY_BYTES)

/** Puts `count` records, and deletes all but `left` of them. */
const thin = (db: Database, random: Random, count: number, left: number): Map<string, string> => {
  const keys = new Set<string>()
  while (keys.size < count) keys.add(keyOf(random))
  const all = [...keys]
  for (let i = 0; i < count; i += 1000)
    db.batch(all.slice(i, i + 1000).map(key => ({ type: 'put', key, value: VALUE })))
  db.batch(all.slice(left).map(key => ({ type: 'delete', key })))
  return new Map(all.slice(0, left).map(key => [key, VALUE]))
}

const structureOf = (db: Database): Structure => db.space.structure

for (const [left, ordered, most] of [
  [10_000, true, 1.5],
  [10_000, false, 1.35],
  [3000, true, 1.85],
] as const)
  test(`${left} records of 40,000, ordered: ${ordered}, take ${most} times their bytes at most`, () =>
    seeded(random =>
      withMemoryDatabase({ ordered, durability: 'none' }, async subject => {
        const records = thin(subject.db, random, 40_000, left)
        const { bytesAfter } = await subject.db.compact()
        expect(bytesAfter / (left * RECORD_BYTES)).toBeLessThan(most)
        const report = await expectVerified(subject.db, left)
        // The index block and three overflow blocks.
        expect(report.maxDepth).toBeLessThanOrEqual(4)
        expectEqual(subject.db, records)
        if (ordered) expect([...subject.db.keys()]).toEqual([...records.keys()].sort())
        expectEqual(subject.reopen(), records)
        // There is nothing left to do.
        const before = structureOf(subject.db).counts.merges
        expect((await subject.db.compact()).bytesAfter).toBe(bytesAfter)
        expect(structureOf(subject.db).counts.merges).toBe(before)
      }),
    ))

test('index blocks with so many small records that a search of a chain would take long keep their directories', () =>
  seeded(random =>
    withMemoryDatabase({ ordered: false, durability: 'none' }, async ({ db }) => {
      const keys = new Set<string>()
      while (keys.size < 65_000) keys.add(keyOf(random).slice(0, 8))
      db.batch([...keys].map(key => ({ type: 'put', key, value: '' })))
      await db.compact()
      const { maxDepth, blocks } = await expectVerified(db, keys.size)
      // Some 640 records in four buckets each.
      expect(blocks.overflow).toBeLessThan(101 * 5)
      expect(maxDepth).toBe(2)
    }),
  ))

for (const frames of [16, 400])
  test(`one index block grows, shrinks and is compacted again and again, ${frames} frames`, () =>
    seeded(random =>
      withMemoryDatabase({ cacheBytes: frames * 4096, durability: 'process' }, async subject => {
        const keys = keysOfRoot(hashOf(subject), 42, 600, random)
        const records = new Map<string, string>()
        for (let round = 0; round < 60 * runs; round++) {
          const { db } = subject
          if (round % 8 === 0) {
            db.clear()
            records.clear()
          }
          const share = random.pick([0.1, 0.3, 0.5, 0.9])
          const most = [60, 9000, 100, 60, 1300][Math.floor(round / 8) % 5]!
          for (const key of random.shuffle(keys).slice(0, random.below(300))) {
            if (random.chance(share)) {
              const value = 'abc'.repeat(random.below(most / 3))
              db.put(key, value)
              records.set(key, value)
            } else expect(db.delete(key)).toBe(records.delete(key))
          }
          if (random.chance(0.7)) await db.compact()
          await expectVerified(db, records.size)
          expectEqual(db, records)
          if (random.chance(0.2)) subject.reopen()
        }
        const { db } = subject
        db.clear()
        for (const key of keys.slice(0, 150)) db.put(key, 'x'.repeat(60))
        await db.compact()
        // The index block and three overflow blocks; a directory over buckets is two blocks deep.
        expect((await expectVerified(db, 150)).maxDepth).toBe(4)
      }),
    ))

test('a loss of power at any time leaves all records, in a sound database', () =>
  seeded(async random => {
    let during = 0
    for (let run = 0; run < 6 * runs; run++) {
      const disk = new FaultDisk({ seed: random.next() })
      const options = { cacheBytes: 200 * 4096, checkpointBytes: 1_048_576, logSegmentBytes: 262_144 }
      const db = open('db', { ...options, storage: disk.storage })
      const count = random.between(1500, 9000)
      const records = thin(db, random, 9000, count)
      const crashed: FaultDisk[] = []
      let running = true
      const compacting = db.compact().finally(() => {
        running = false
      })
      while (running) {
        if (crashed.length < 12 && random.chance(0.5)) crashed.push(disk.crash(random.pick(crashPolicies)))
        await new Promise(resolve => setImmediate(resolve))
      }
      await compacting
      during += crashed.length
      crashed.push(disk.crash(random.pick(crashPolicies)))
      expectEqual(db, records)
      db.close()
      for (const { storage } of crashed) {
        const after = open('db', { ...options, storage })
        expectEqual(after, records)
        await expectVerified(after, count)
        after.close()
      }
    }
    expect(during).toBeGreaterThan(3)
  }))
