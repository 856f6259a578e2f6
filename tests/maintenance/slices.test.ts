/** verify, compact, backup and convert leave others their turns, and are right while those write. */
import { describe, expect, test } from 'vitest'
import { type Database, LockConflictError, memoryStorage, open } from '../../src/index.ts'
import { Random } from '../../src/testing/random.ts'
import { expectVerified } from '../support/database.ts'
import { expectCodeAsync } from '../support/errors.ts'

const RECORDS = 10_000

const filled = (options: object = {}, records = RECORDS): Database => {
  const db = open('db', { storage: memoryStorage(), durability: 'process', ...options })
  for (let from = 0; from < records; from += 1000)
    db.batch(
      Array.from({ length: 1000 }, (_, i) => ({
        type: 'put',
        key: `key ${from + i}`,
        value: 'v'.repeat(100 + ((from + i) % 50)),
      })),
    )
  return db
}

/** Runs `work` while a writer changes something in each turn of the event loop; returns how many turns it had. */
const beside = async (db: Database, work: Promise<unknown>, most = 20): Promise<number> => {
  const random = new Random(7)
  let turns = 0
  let isOver = false
  const writing = (async () => {
    for (; !isOver; turns++) {
      await new Promise(resolve => setImmediate(resolve))
      for (let i = 0; i < most && !db.closed; i++) {
        const key = `key ${random.below(2 * RECORDS)}`
        const value = 'w'.repeat(random.below(200) === 0 ? 20_000 : random.below(300))
        try {
          if (random.below(3) === 0) db.delete(key)
          else db.put(key, value)
        } catch (error) {
          // A transaction is open.
          if (!(error instanceof LockConflictError)) throw error
        }
      }
    }
  })()
  try {
    await work
  } finally {
    isOver = true
    await writing
  }
  return turns
}

const rising = (steps: { done: number; total: number }[]): void => {
  for (const [i, { done, total }] of steps.entries()) {
    expect(done).toBeGreaterThanOrEqual(steps[i - 1]?.done ?? 0)
    expect(total).toBe(steps[0]!.total)
  }
  expect(steps.at(-1)).toMatchObject({ done: steps[0]!.total })
}

test('verify of a database that changes all the time finds nothing, in many slices', async () => {
  // A slice is some milliseconds of work, of which a fast machine needs more for as many slices.
  const db = filled({}, 4 * RECORDS)
  const steps: { done: number; total: number }[] = []
  const tx = db.begin()
  tx.put('pending', 'x')
  tx.delete('key 5')
  const verified = db.verify({ onProgress: step => steps.push(step) })
  const turns = await beside(db, verified)
  expect(await verified).toMatchObject({ ok: true, problems: [] })
  expect(turns).toBeGreaterThan(10)
  expect(steps.length).toBeGreaterThan(10)
  rising(steps)
  tx.rollback()
  await expectVerified(db)
  db.close()
})

test('verify says so when more is written than it can keep of one moment', async () => {
  const db = filled({ snapshotBytes: 65_536 })
  let error: unknown
  await beside(
    db,
    expectCodeAsync(() => db.verify(), 'XENON_SNAPSHOT_LOST').then(found => {
      error = found
    }),
    200,
  )
  expect((error as Error).message).toContain('snapshotBytes')
  await expectVerified(db)
  db.close()
})

describe('compact', () => {
  test('beside a writer gives space back, in many slices', async () => {
    const db = filled()
    for (let i = 0; i < RECORDS; i++) if (i % 8 !== 0) db.delete(`key ${i}`)
    const steps: { done: number; total: number }[] = []
    const before = db.stats().blocks.total
    const compacted = db.compact({ onProgress: step => steps.push(step) })
    const turns = await beside(db, compacted, 3)
    expect(turns).toBeGreaterThan(5)
    rising(steps)
    // A large value that the writer has put at the very end of the file keeps all of it until the next time.
    if (db.stats().blocks.total >= before * 0.75) await beside(db, db.compact(), 3)
    expect(db.stats().blocks.total).toBeLessThan(before * 0.75)
    await expectVerified(db)
    db.close()
  })

  test('two at once: one after the other', async () => {
    const db = filled()
    for (let i = 0; i < RECORDS; i++) if (i % 2 === 0) db.delete(`key ${i}`)
    const reports = await Promise.all([db.compact(), db.compact(), db.checkpoint(), db.compact()])
    expect(reports[1].blocksBefore).toBe(reports[0].blocksAfter)
    await expectVerified(db, RECORDS / 2)
    db.close()
  })

  test('with free blocks of deleted large values, a snapshot open', async () => {
    const db = filled()
    for (let i = 0; i < 20; i++) db.put(`large ${i}`, 'x'.repeat(100_000 + i))
    const snapshot = db.snapshot()
    for (let i = 0; i < 20; i++) db.delete(`large ${i}`)
    for (let i = 0; i < RECORDS; i += 2) db.delete(`key ${i}`)
    await db.compact()
    for (let i = 0; i < 20; i++) expect(snapshot.get(`large ${i}`)?.length).toBe(100_000 + i)
    snapshot.close()
    await expectVerified(db, RECORDS / 2)
    db.close()
  })
})

test('a backup beside a writer holds one moment, what transactions had changed taken back in slices', async () => {
  const storage = memoryStorage()
  const db = filled({ storage })
  const tx = db.begin()
  for (let i = 0; i < 5000; i++) tx.put(`key ${i}`, `changed ${i}`)
  tx.put('large', 'x'.repeat(200_000))
  const steps: { done: number; total: number }[] = []
  // Others are locked out of many buckets: only read.
  const report = await db.backup('copy', { onProgress: step => steps.push(step) })
  rising(steps)
  expect(report.records).toBe(RECORDS)
  tx.rollback()
  const copy = open('copy', { storage })
  await expectVerified(copy, RECORDS)
  expect([copy.get('key 0')?.length, copy.get('large')]).toEqual([100, undefined])
  copy.close()
  db.close()
})
