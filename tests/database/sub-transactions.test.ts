/** One transaction, and one snapshot, over several key spaces; and what a cleared space shows to those that are open. */
import { describe, expect, test } from 'vitest'
import { type Database, memoryStorage, open, type Sub } from '../../src/index.ts'
import { withMemoryDatabase } from '../support/database.ts'
import { expectCode, expectCodeAsync } from '../support/errors.ts'

const withSubs = (work: (db: Database, one: Sub, other: Sub<{ n: number }>) => unknown): Promise<void> =>
  withMemoryDatabase({ durability: 'process' }, ({ db }) =>
    work(db, db.sub('one'), db.sub<{ n: number }>('other', { valueEncoding: 'json' })),
  )

/** However often they meet: a busy machine must not decide. */
const FOREVER = { retries: Number.POSITIVE_INFINITY }

describe('a transaction', () => {
  for (const isolation of [
    'read-uncommitted',
    'read-committed',
    'repeatable-read',
    'serializable',
    'snapshot',
  ] as const)
    test(`works in several key spaces, as one: ${isolation}`, () =>
      withSubs((db, one, other) => {
        for (const store of [db, one]) store.put('a', 'before')
        db.transaction(
          tx => {
            tx.put('a', '1')
            tx.in(one).put('a', '2')
            tx.in(other).put('a', { n: 3 })
            expect(tx.in(one)).toBe(tx.in(other).in(one))
            expect(tx.in(one).in(db)).toBe(tx)
            expect([tx.get('a'), tx.in(one).get('a'), tx.in(other).get('a')]).toEqual(['1', '2', { n: 3 }])
            expect([...tx.in(one).entries()]).toEqual([['a', '2']])
            expect([db.get('a'), one.get('a'), other.get('a')]).toEqual(['before', 'before', undefined])
          },
          { isolation },
        )
        expect([db.get('a'), one.get('a'), other.get('a')]).toEqual(['1', '2', { n: 3 }])
        const tx = one.begin({ isolation })
        tx.put('b', 'x')
        const savepoint = tx.savepoint()
        tx.in(db).delete('a')
        tx.in(other).put('a', { n: 4 })
        tx.in(db).rollbackTo(savepoint)
        expect([tx.in(db).get('a'), tx.in(other).get('a'), tx.get('b')]).toEqual(['1', { n: 3 }, 'x'])
        tx.in(other).put('c', { n: 5 })
        tx.in(other).rollback()
        expect(tx.ended).toBe(true)
        expect([one.get('b'), other.get('c')]).toEqual([undefined, undefined])
      }))

  test('that only reads sees one moment in all of them', () =>
    withSubs((db, one, other) => {
      db.put('a', '1')
      one.put('a', '1')
      const tx = db.begin({ readOnly: true })
      one.put('a', '2')
      other.put('a', { n: 2 })
      expect([tx.get('a'), tx.in(one).get('a'), tx.in(other).get('a')]).toEqual(['1', '1', undefined])
      expectCode(() => tx.in(one).put('a', '3'), 'XENON_READ_ONLY')
      tx.rollback()
    }))

  test('is of one database', () =>
    withSubs((db, one) => {
      const stranger = open('stranger', { storage: memoryStorage() })
      const tx = db.begin()
      for (const wrong of [stranger, stranger.sub('one'), {}, undefined, null, 'one'] as Database[])
        expectCode(() => tx.in(wrong), 'XENON_INVALID_ARGUMENT')
      stranger.close()
      tx.commit()
      expectCode(() => tx.in(one), 'XENON_TRANSACTION_ENDED')
    }))

  test('waits for locks in each, finds deadlocks across them, and runs again', () =>
    withSubs(async (db, one, other) => {
      db.put('a', '0')
      one.put('a', '0')
      const add = (first: Database | Sub, second: Database | Sub): Promise<void> =>
        db.async.transact(async tx => {
          for (const space of [first, second]) {
            const there = tx.in(space)
            const n = Number(await there.get('a'))
            await new Promise(resolve => setTimeout(resolve, 1))
            await there.put('a', `${n + 1}`)
          }
          await tx.in(other).put(`${Math.random()}`, { n: 1 })
        }, FOREVER)
      await Promise.all(Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? add(db, one) : add(one, db))))
      expect([db.get('a'), one.get('a'), other.count()]).toEqual(['40', '40', 40])
    }))

  test('keeps a sub-database from being dropped, and from being cleared under it', () =>
    withSubs((db, one) => {
      for (let i = 0; i < 2000; i++) one.put(`key ${i}`, 'x')
      const tx = one.begin()
      tx.put('key 1', 'changed')
      const { message } = expectCode(() => db.drop('one'), 'XENON_LOCK_CONFLICT')
      expect(message).toContain("may have read or changed 'one'")
      expectCode(() => one.clear(), 'XENON_LOCK_CONFLICT')
      expect(one.count()).toBe(2000)
      tx.rollback()
      one.clear()
      expect(one.count()).toBe(0)
      expect(db.drop('one')).toBe(true)
    }))
})

describe('a snapshot', () => {
  test('sees one moment in all key spaces, and what open transactions had not committed then', () =>
    withSubs((db, one, other) => {
      db.put('a', '1')
      one.put('a', '1')
      const tx = one.begin()
      tx.put('a', 'not committed')
      tx.in(other).put('a', { n: 9 })
      const snapshot = db.snapshot()
      tx.commit()
      db.put('a', '2')
      const [there, elsewhere] = [snapshot.in(one), snapshot.in(other)]
      expect([snapshot.get('a'), there.get('a'), elsewhere.get('a')]).toEqual(['1', '1', undefined])
      expect([[...there.entries()], elsewhere.count(), there.count(), there.in(db).get('a')]).toEqual([
        [['a', '1']],
        0,
        1,
        '1',
      ])
      expectCode(() => snapshot.in(db.sub('later')), 'XENON_NOT_FOUND')
      snapshot.close()
      expect(there.closed).toBe(true)
      expectCode(() => there.get('a'), 'XENON_CLOSED')
    }))

  test('goes on seeing what was cleared or dropped since, whatever takes its place', () =>
    withMemoryDatabase({ durability: 'process', cacheBytes: 1 }, async ({ db }) => {
      const [one, gone] = [db.sub('one'), db.sub('gone')]
      const big = 'large '.repeat(2000)
      for (const store of [db, one, gone]) {
        for (let i = 0; i < 1500; i++) store.put(`key ${i}`, `value ${i}`, i % 10 === 0 ? { ttl: 1e9 } : undefined)
        for (let i = 0; i < 5; i++) store.put(`large ${i}`, `${big}${i}`)
      }
      const snapshots = [db.snapshot(), one.snapshot(), gone.snapshot()]
      const before = snapshots.map(snapshot => [...snapshot.entries()])
      expect(before.map(({ length }) => length)).toEqual([1505, 1505, 1505])
      db.clear()
      one.clear()
      db.drop('gone')
      for (let round = 0; round < 5; round++) {
        for (let i = 0; i < 500; i++) for (const store of [db, one]) store.put(`key ${i}`, `anew ${round}`.repeat(50))
        await new Promise(resolve => setTimeout(resolve, 20))
        expect(snapshots.map(snapshot => [...snapshot.entries()])).toEqual(before)
        expect(snapshots[1]!.get('large 3')).toBe(`${big}3`)
        expect(one.get('large 3')).toBeUndefined()
        one.clear()
      }
      expect(snapshots.map(snapshot => snapshot.count())).toEqual([1505, 1505, 1505])
      for (const snapshot of snapshots) snapshot.close()
      expect(one.count()).toBe(0)
    }))
})

test('clearing takes a few hundred bytes of log, whatever there is, and all blocks are used again', () =>
  withMemoryDatabase({ durability: 'process', cacheBytes: 67_108_864 }, async ({ db }) => {
    const one = db.sub('one')
    const fill = (): void => {
      for (let from = 0; from < 100_000; from += 1000)
        one.batch(
          Array.from({ length: 1000 }, (_, i) => ({ type: 'put', key: `key ${from + i}`, value: 'x'.repeat(100) })),
        )
    }
    let blocks = 0
    for (let round = 0; round < 3; round++) {
      fill()
      expect(one.count()).toBe(100_000)
      if (round === 0) blocks = db.stats().blocks.total
      const before = db.stats().log.bytes
      one.clear()
      expect(db.stats().log.bytes - before).toBeLessThan(1000)
      expect([one.count(), one.get('key 7'), [...one.keys()]]).toEqual([0, undefined, []])
      while (
        (db as unknown as { engine: { metadata: { firstCondemned: number } } }).engine.metadata.firstCondemned !== 0
      )
        await new Promise(resolve => setTimeout(resolve, 5))
      expect(db.stats().blocks.free).toBeGreaterThan(0.95 * (blocks - 108))
    }
    expect(db.stats().blocks.total).toBeLessThan(1.02 * blocks)
  }))

test('an asynchronous transaction is of one database too', () =>
  withSubs(async db => {
    const stranger = open('stranger', { storage: memoryStorage() })
    await expectCodeAsync(() => db.async.transact(tx => tx.in(stranger).get('a')), 'XENON_INVALID_ARGUMENT')
    stranger.close()
  }))

describe('a sub-database that was dropped', () => {
  for (const isolation of [
    'read-uncommitted',
    'read-committed',
    'repeatable-read',
    'serializable',
    'snapshot',
  ] as const)
    test(`cannot be used by a transaction that had done nothing yet: ${isolation}`, () =>
      withMemoryDatabase({}, async ({ db }) => {
        const sub = db.sub('sub')
        for (let i = 0; i < 200; i++) sub.put(`k${i}`, 'v'.repeat(50))
        const tx = sub.begin({ isolation })
        const outer = db.begin({ isolation })
        const inside = outer.in(sub)
        expect(db.drop('sub')).toBe(true)
        const other = db.sub('other')
        for (let round = 0; round < 2; round++) {
          for (const each of [tx, inside]) {
            expectCode(() => each.put('a', '1'), 'XENON_NOT_FOUND')
            expectCode(() => each.put('a', '1', { ttl: 1 }), 'XENON_NOT_FOUND')
            expectCode(() => each.delete('k1'), 'XENON_NOT_FOUND')
            expectCode(() => each.expire('k1', 5), 'XENON_NOT_FOUND')
            expectCode(() => each.clear(), 'XENON_NOT_FOUND')
            const read = (): unknown => [each.get('k1'), each.has('k2'), each.count(), [...each.keys()].length]
            if (isolation === 'snapshot') expect(read()).toEqual(['v'.repeat(50), true, 200, 200])
            else
              for (const one of [() => each.get('k1'), () => each.count(), () => each.keys()])
                expectCode(one, 'XENON_NOT_FOUND')
          }
          // Its blocks become those of others.
          for (let i = 0; i < 500; i++) other.put(`k${i}`, 'w'.repeat(50))
          await new Promise(resolve => setTimeout(resolve, 30))
        }
        outer.put('a', '1')
        outer.commit()
        tx.rollback()
        expect([db.count(), other.count()]).toEqual([1, 500])
      }))

  test('gives nothing more to a cursor, nor to an iterator that reads what is not committed', () =>
    withMemoryDatabase({}, async ({ db }) => {
      const sub = db.sub('sub')
      for (let i = 0; i < 2000; i++) sub.put(`k${i}`, 'v'.repeat(50))
      const cursor = sub.cursor()
      expect(cursor.next()).toBe(true)
      const tx = sub.begin({ isolation: 'read-uncommitted' })
      const keys = tx.keys()
      expect(keys.next().done).toBe(false)
      const asyncTx = await sub.async.begin({ isolation: 'read-uncommitted' })
      const asyncKeys = asyncTx.keys()
      expect((await asyncKeys.next()).done).toBe(false)
      db.drop('sub')
      expectCode(() => cursor.next(), 'XENON_NOT_FOUND')
      expectCode(() => [...keys], 'XENON_NOT_FOUND')
      await expectCodeAsync(async () => {
        for await (const _ of asyncKeys);
      }, 'XENON_NOT_FOUND')
      tx.rollback()
      await asyncTx.rollback()
    }))
})

test('what a snapshot transaction has changed is in its ranges, also where the space was cleared since it began', () =>
  withSubs((db, one) => {
    for (let i = 0; i < 300; i++) one.put(`k${i}`, 'v')
    const tx = db.begin({ isolation: 'snapshot' }).in(one)
    one.clear()
    one.put('z', 'of another')
    tx.put('own', '1')
    tx.put('own2', '2', { ttl: 100000 })
    expect(tx.count()).toBe(302)
    const keys = [...tx.keys()]
    expect([keys.length, keys.includes('own'), keys.includes('z')]).toEqual([302, true, false])
    expect([...tx.entries('own')]).toEqual([
      ['own', '1'],
      ['own2', '2'],
    ])
    expect([...tx.entries({ prefix: 'k29', reverse: true })].length).toBe(11)
    tx.commit()
    expect([...one.keys()]).toEqual(['own', 'own2', 'z'])
  }))
