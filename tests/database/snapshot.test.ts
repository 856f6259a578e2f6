/** Snapshots: what they see, what they may cost, and how they end. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { expectVerified, withMemoryDatabase } from '../support/database.ts'
import { expectCode } from '../support/errors.ts'

const records = (count: number, value: string) =>
  Array.from({ length: count }, (_, i) => ({ type: 'put', key: `key ${i}`, value }) as const)

test('a snapshot sees what was committed when it was made, however it is read (V1)', () =>
  withMemoryDatabase({ cacheBytes: 65536 }, async ({ db }) => {
    db.batch(records(300, 'before'))
    const tx = db.begin()
    tx.put('key 5', 'never committed then')
    tx.delete('key 6')
    tx.put('new', 'never committed then')
    const snapshot = db.snapshot()
    tx.commit()
    db.batch(records(200, 'after'))
    db.clear({ gte: 'key 2' })
    db.put('large', 'x'.repeat(300_000))
    await db.checkpoint()
    expect(snapshot.count()).toBe(300)
    expect(snapshot.count('key 1')).toBe(111)
    expect(snapshot.get('key 5')).toBe('before')
    expect(snapshot.has('key 6')).toBe(true)
    expect(snapshot.has('new')).toBe(false)
    expect(snapshot.getMany(['key 299', 'large'])).toEqual(['before', undefined])
    expect(new Set(snapshot.values())).toEqual(new Set(['before']))
    expect([...snapshot].length).toBe(300)
    expect([...snapshot.keys({ prefix: 'key 29', reverse: true, limit: 2 })]).toEqual(['key 299', 'key 298'])
    expect([...snapshot.entries({ lt: 'key 10' })]).toEqual([['key 0', 'before'], ['key 1', 'before']]) // biome-ignore format: one line
    snapshot.close()
    snapshot.close()
    expect(snapshot.closed).toBe(true)
    for (const action of [
      () => snapshot.get('key 1'),
      () => snapshot.has('key 1'),
      () => snapshot.getMany(['key 1']),
      () => snapshot.keys(),
      () => snapshot.entries(),
      () => [...snapshot],
      () => snapshot.count(),
    ])
      expectCode(action, 'XENON_CLOSED')
  }))

test('an iterator of a snapshot ends with it', () =>
  withMemoryDatabase({}, ({ db }) => {
    db.batch(records(100, 'value'))
    const snapshot = db.snapshot()
    const iterator = snapshot.keys()
    iterator.next()
    snapshot.close()
    expectCode(() => iterator.nextMany(100), 'XENON_CLOSED')
    using other = db.snapshot()
    expect(other.count()).toBe(100)
  }))

test('snapshots and iterators refuse work once the database is closed', () =>
  withMemoryDatabase({}, ({ db }) => {
    db.batch(records(100, 'value'))
    const snapshot = db.snapshot()
    const iterator = db.entries()
    iterator.next()
    const cursor = db.cursor('key')
    cursor.next()
    const tx = db.begin()
    const inside = tx.keys()
    db.close()
    expectCode(() => snapshot.get('key 1'), 'XENON_CLOSED')
    expectCode(() => snapshot.count(), 'XENON_CLOSED')
    expectCode(() => iterator.nextMany(100), 'XENON_CLOSED')
    expectCode(() => inside.next(), 'XENON_CLOSED', 'XENON_TRANSACTION_ENDED')
    expectCode(() => {
      while (cursor.next()) {}
    }, 'XENON_CLOSED')
    expectCode(() => db.snapshot(), 'XENON_CLOSED')
    expectCode(() => db.keys(), 'XENON_CLOSED')
    // Letting go of things is always fine.
    snapshot.close()
    iterator.return()
    cursor.close()
  }))

test('the oldest snapshot is lost when the copies outgrow snapshotBytes, and all else goes on', () =>
  withMemoryDatabase({ snapshotBytes: 65536, cacheBytes: 262_144 }, async ({ db }) => {
    db.batch(records(600, 'first'.repeat(20)))
    const oldest = db.snapshot()
    const iterator = db.keys()
    expect(iterator.nextMany(3).length).toBe(3)
    db.batch(records(600, 'second'.repeat(20)))
    expectCode(() => oldest.get('key 1'), 'XENON_SNAPSHOT_LOST')
    expectCode(() => oldest.count(), 'XENON_SNAPSHOT_LOST')
    expectCode(() => [...oldest], 'XENON_SNAPSHOT_LOST')
    expectCode(() => iterator.nextMany(1000), 'XENON_SNAPSHOT_LOST')
    const later = db.snapshot()
    db.put('key 1', 'third')
    expect(later.get('key 1')).toBe('second'.repeat(20))
    expect(db.get('key 1')).toBe('third')
    expect(db.count()).toBe(600)
    expect([...db.keys()].length).toBe(600)
    oldest.close()
    later.close()
    await expectVerified(db, 600)
  }))

test('with snapshotBytes of 0 a snapshot lasts until the first change', () =>
  withMemoryDatabase({ snapshotBytes: 0 }, ({ db }) => {
    db.batch(records(50, 'value'))
    const snapshot = db.snapshot()
    expect(snapshot.get('key 1')).toBe('value')
    db.put('key 1', 'new')
    expectCode(() => snapshot.get('key 1'), 'XENON_SNAPSHOT_LOST')
    expect(db.count()).toBe(50)
  }))

test('a transaction larger than snapshotBytes does not notice that it loses the snapshots', () =>
  withMemoryDatabase({ snapshotBytes: 65536, cacheBytes: 65536 }, async ({ db }) => {
    db.batch(records(400, 'a'.repeat(300)))
    const snapshot = db.snapshot()
    const tx = db.begin()
    for (let i = 0; i < 400; i++) tx.put(`key ${i}`, 'b'.repeat(300))
    expectCode(() => snapshot.has('key 1'), 'XENON_SNAPSHOT_LOST')
    expect([...tx.values({ limit: 1 })]).toEqual(['b'.repeat(300)])
    tx.rollback()
    expect([...db.values({ limit: 1 })]).toEqual(['a'.repeat(300)])
    await expectVerified(db, 400)
  }))

test('an ended snapshot does not keep the handle from writing to blocks that came after an older one', () =>
  withMemoryDatabase({ cacheBytes: 65536 }, async ({ db }) => {
    for (let i = 0; i < 20; i++) db.put(`small ${i}`, 'x')
    const first = db.snapshot()
    db.put('large', 'x'.repeat(100_000))
    // It knows the blocks of the large value; the first one does not.
    db.snapshot().close()
    db.delete('large')
    db.put('other', 'y'.repeat(100_000))
    db.put('other', 'z')
    expect(first.count()).toBe(20)
    expect([...first.keys()].length).toBe(20)
    await expectVerified(db, 21)
  }))

test('a snapshot goes on reading a large value that was deleted, and whose blocks compaction has cut off', () =>
  withMemoryDatabase({ cacheBytes: 65536 }, async ({ db }) => {
    const value = 'large '.repeat(40_000)
    for (let i = 0; i < 4; i++) db.put(`large ${i}`, `${i}${value}`)
    const snapshot = db.snapshot()
    const iterator = db.entries()
    db.clear()
    const report = await db.compact()
    expect(report.blocksAfter).toBeLessThan(report.blocksBefore / 2)
    for (let i = 0; i < 4; i++) expect(snapshot.get(`large ${i}`)).toBe(`${i}${value}`)
    expect(iterator.nextMany(9).map(([key]) => key)).toEqual(['large 0', 'large 1', 'large 2', 'large 3'])
    db.put('large 9', `9${value}`)
    expect(snapshot.get('large 0')).toBe(`0${value}`)
    snapshot.close()
    await expectVerified(db, 1)
  }))

test('iterators and snapshots that were forgotten are given up in time', async () => {
  const { gc } = globalThis as { gc?: () => void }
  await withMemoryDatabase({ snapshotBytes: 1_048_576 }, async ({ db }) => {
    db.batch(records(2000, 'value'))
    const forget = (): void => {
      for (let i = 0; i < 50; i++) {
        db.snapshot()
        db.entries().next()
        db.cursor('key').next()
      }
    }
    for (let round = 0; round < 4; round++) {
      forget()
      db.batch(records(500, `${round}`.repeat(30)))
      gc?.()
      await sleep(1)
    }
    // With or without a collector in between: the memory that they may take is bounded.
    expect(db.count()).toBe(2000)
    for (const _ of db.keys()) break
    expect([...db.entries({ limit: 2 })].length).toBe(2)
    await expectVerified(db, 2000)
  })
})
