/** Secondary indexes inside transactions and snapshots: what these see of them, and what they lock. */
import { describe, expect, test } from 'vitest'
import {
  type Database,
  type Index,
  type IsolationLevel,
  LockConflictError,
  memoryStorage,
  type OpenOptions,
  open,
} from '../../src/index.ts'
import { withMemoryDatabase } from '../support/database.ts'
import { expectCode, expectCodeAsync, wrong } from '../support/errors.ts'

interface User {
  city?: string
  email?: string
  age?: number
}

const options: OpenOptions<User> = { valueEncoding: 'json', durability: 'process', lockTimeout: 20_000 }
const levels: IsolationLevel[] = ['read-uncommitted', 'read-committed', 'repeatable-read', 'snapshot', 'serializable']

interface Town {
  db: Database<User>
  city: Index<User, string, string>
  email: Index<User, string, string>
  age: Index<User, string, number>
}

const withTown = (work: (town: Town) => unknown): Promise<void> =>
  withMemoryDatabase<User>(options, async ({ db }) => {
    const town: Town = {
      db,
      city: db.index('city', user => user.city),
      email: db.index('email', user => user.email, { unique: true }),
      age: db.index('age', user => user.age),
    }
    db.put('ada', { city: 'London', email: 'ada@here', age: 36 })
    db.put('alan', { city: 'London', email: 'alan@here', age: 41 })
    db.put('bo', { city: 'Oslo', email: 'bo@here', age: 20 })
    await work(town)
    for (const index of [town.city, town.email, town.age]) expect((await index.verify()).problems).toEqual([])
  })

const keysOf = (items: Iterable<[unknown, unknown, ...unknown[]]>): unknown[] => [...items].map(([, key]) => key)

describe('an index in a transaction', () => {
  test.each(levels)('shows its own changes at %s, and nobody else', isolation =>
    withTown(({ db, city, email }) => {
      const tx = db.begin({ isolation })
      const [cities, emails] = [city.in(tx), email.in(tx)]
      expect([cities.count(), emails.get('bo@here')?.age]).toEqual([3, 20])
      tx.put('carl', { city: 'London', email: 'carl@here' })
      tx.put('ada', { city: 'Oslo', email: 'ada@there' })
      tx.delete('bo')
      expect(keysOf(cities.keys('London'))).toEqual(['alan', 'carl'])
      expect(cities.get('Oslo')).toEqual({ city: 'Oslo', email: 'ada@there' })
      expect(cities.page(undefined, 2).entries.map(([, key]) => key)).toEqual(['alan', 'carl'])
      expect(keysOf(cities.entries({ reverse: true, limit: 2 }))).toEqual(['ada', 'carl'])
      expect([cities.count(), cities.count('London'), cities.count({ prefix: 'O' })]).toEqual([3, 2, 1])
      expect([emails.get('bo@here'), emails.get('ada@here'), emails.get('carl@here')?.city]).toEqual([
        undefined,
        undefined,
        'London',
      ])
      expect([keysOf(city.keys('London')), city.get('Oslo')?.age]).toEqual([['ada', 'alan'], 20])
      expect([email.get('ada@here')?.age, email.get('carl@here')]).toEqual([36, undefined])
      const before = tx.savepoint()
      tx.delete('carl')
      expect(cities.count('London')).toBe(1)
      tx.rollbackTo(before)
      expect(cities.count('London')).toBe(2)
      tx.commit()
      expect([keysOf(city.keys('London')), email.get('ada@there')?.city]).toEqual([['alan', 'carl'], 'Oslo'])
      expectCode(() => cities.count(), 'XENON_TRANSACTION_ENDED')
    }),
  )

  test('serializable: others add no entry to a range that was read, and take none out of it', () =>
    withTown(({ db, city, email }) => {
      const tx = db.begin()
      expect(city.in(tx).count('Oslo')).toBe(1)
      expect(email.in(tx).get('nobody@here')).toBeUndefined()
      expect(() => db.put('carl', { city: 'Oslo' })).toThrow(LockConflictError)
      expect(() => db.put('ada', { city: 'Oslo', email: 'ada@here', age: 36 })).toThrow(LockConflictError)
      expect(() => db.delete('bo')).toThrow(LockConflictError)
      expect(() => db.put('carl', { email: 'nobody@here' })).toThrow(LockConflictError)
      // Neither in the range, nor looked at.
      db.put('carl', { city: 'Bergen' })
      db.put('alan', { city: 'Paris', email: 'alan@here', age: 41 })
      expect(city.in(tx).count('Oslo')).toBe(1)
      tx.commit()
      db.put('dora', { city: 'Oslo' })
      expect(city.count('Oslo')).toBe(2)
    }))

  test('serializable: a record that was read through an index stays as it is', () =>
    withTown(({ db, city, email }) => {
      const tx = db.begin()
      expect(city.in(tx).get('Oslo')?.age).toBe(20)
      expect(email.in(tx).get('ada@here')?.age).toBe(36)
      expect(() => db.put('bo', { city: 'Oslo', email: 'bo@here', age: 21 })).toThrow(LockConflictError)
      expect(() => db.put('ada', { city: 'London', email: 'ada@here', age: 37 })).toThrow(LockConflictError)
      tx.rollback()
    }))

  test('repeatable-read: entries that were found stay, new ones may come', () =>
    withTown(({ db, city }) => {
      const tx = db.begin({ isolation: 'repeatable-read' })
      expect(keysOf(city.in(tx).keys('Oslo'))).toEqual(['bo'])
      expect(() => db.delete('bo')).toThrow(LockConflictError)
      db.put('carl', { city: 'Oslo' })
      expect(keysOf(city.in(tx).keys('Oslo'))).toEqual(['bo', 'carl'])
      tx.rollback()
    }))

  test.each(['read-committed', 'snapshot'] as const)('%s locks nothing', isolation =>
    withTown(({ db, city, email }) => {
      const tx = db.begin({ isolation })
      expect([city.in(tx).count('Oslo'), email.in(tx).get('bo@here')?.age]).toEqual([1, 20])
      db.put('bo', { city: 'Bergen', email: 'bo@here', age: 21 })
      const sees = isolation === 'snapshot' ? [1, 20] : [0, 21]
      expect([city.in(tx).count('Oslo'), email.in(tx).get('bo@here')?.age]).toEqual(sees)
      tx.rollback()
    }),
  )

  test('what another transaction has changed is not read under locks', () =>
    withTown(({ db, city, email }) => {
      const other = db.begin()
      other.put('bo', { city: 'London', email: 'bo@here', age: 20 })
      const tx = db.begin()
      expect(() => city.in(tx).count('Oslo')).toThrow(LockConflictError)
      expect(() => [...city.in(tx).entries('London')]).toThrow(LockConflictError)
      expect(() => email.in(tx).get('bo@here')).toThrow(LockConflictError)
      expect(city.in(tx).count('Paris')).toBe(0)
      const committed = db.begin({ isolation: 'read-committed' })
      expect([city.in(committed).count('Oslo'), city.in(committed).count('London')]).toEqual([1, 2])
      committed.rollback()
      other.commit()
      expect(city.in(tx).count('London')).toBe(3)
      tx.rollback()
    }))

  test.each(['read-uncommitted', 'read-committed', 'snapshot'] as const)('%s reads what is committed', isolation =>
    withTown(({ db, city, email }) => {
      const [tx, other] = [db.begin({ isolation }), db.begin()]
      other.put('ada', { city: 'Oslo', email: 'ada@there' })
      other.put('alan', { city: 'Rome', email: 'alan@here' })
      const [cities, emails] = [city.in(tx), email.in(tx)]
      expect([emails.get('ada@here')?.city, emails.get('ada@there')]).toEqual(['London', undefined])
      expect([emails.get('alan@here')?.city, cities.count('London')]).toEqual(['London', 2])
      other.rollback()
      tx.rollback()
    }),
  )

  test.each(levels)('a loop at %s that moves records ahead of itself meets each of them once', isolation =>
    withTown(({ db, age }) => {
      db.clear()
      for (let i = 0; i < 40; i++) db.put(`user ${i}`, { age: i })
      let steps = 0
      db.transaction(
        tx => {
          for (const [at, key] of age.in(tx).entries()) {
            tx.put(key, { age: at + 2 })
            if (++steps > 40) break
          }
        },
        { isolation },
      )
      expect(steps).toBe(40)
      expect([...age.keys({ limit: 2 })].map(([at]) => at)).toEqual([2, 3])
    }),
  )

  test('works in a sub-database, and beside records of others', () =>
    withTown(({ db, city }) => {
      const pets = db.sub<{ owner: string }>('pets', { valueEncoding: 'json' })
      const byOwner = pets.index('owner', pet => pet.owner)
      db.transaction(tx => {
        tx.in(pets).put('rex', { owner: 'ada' })
        tx.put('carl', { city: 'Oslo' })
        expect(byOwner.in(tx).get('ada')).toEqual({ owner: 'ada' })
        expect(byOwner.in(tx.in(pets)).count()).toBe(1)
        expect(city.in(tx.in(pets)).count('Oslo')).toBe(2)
      })
      expect(byOwner.count()).toBe(1)
    }))

  test('expired records are not found', async () => {
    let now = 1_000_000
    const db = open<User>('expiry', { valueEncoding: 'json', storage: { ...memoryStorage(), now: () => now } })
    const city = db.index('city', user => user.city)
    db.put('ada', { city: 'London' }, { ttl: 50 })
    db.put('alan', { city: 'London' })
    for (const isolation of levels) {
      now = 1_000_000
      const tx = db.begin({ isolation })
      expect(city.in(tx).count('London')).toBe(2)
      now += 60
      expect([city.in(tx).count('London'), keysOf(city.in(tx).keys())]).toEqual([1, ['alan']])
      tx.rollback()
    }
    expect((await db.verify()).ok).toBe(true)
    db.close()
  })

  test('of another database is refused', () =>
    withTown(({ city, db }) =>
      withTown(({ db: another }) => {
        const tx = another.begin()
        expectCode(() => city.in(tx), 'XENON_INVALID_ARGUMENT')
        expectCode(() => city.in(another.snapshot()), 'XENON_INVALID_ARGUMENT')
        expectCode(() => city.in(wrong(db)), 'XENON_INVALID_ARGUMENT')
        tx.rollback()
      }),
    ))
})

describe('an index in an asynchronous transaction', () => {
  test('waits for locks, and goes on where it waited', () =>
    withTown(async ({ db, city, email }) => {
      const holder = await db.async.begin()
      await holder.put('alan', { city: 'Oslo', email: 'alan@here' })
      const tx = await db.async.begin()
      const cities = city.in(tx)
      const counted = cities.count('Oslo')
      const got = email.in(tx).get('alan@here')
      const listed = cities.keys().toArray()
      await holder.commit()
      expect([await counted, (await got)?.city]).toEqual([2, 'Oslo'])
      expect(await listed).toEqual([
        ['London', 'ada'],
        ['Oslo', 'alan'],
        ['Oslo', 'bo'],
      ])
      expect((await cities.page('Oslo', 1)).entries).toEqual([['Oslo', 'alan', { city: 'Oslo', email: 'alan@here' }]])
      await tx.rollback()
      await expectCodeAsync(() => cities.count(), 'XENON_TRANSACTION_ENDED')
    }))

  test('an iterator that meets a lock half-way gives the rest when it is gone', () =>
    withTown(async ({ db, city }) => {
      const tx = await db.async.begin({ isolation: 'repeatable-read' })
      const items = city.in(tx).entries()
      expect((await items.next()).value?.[1]).toBe('ada')
      const holder = await db.async.begin()
      await holder.put('bo', { city: 'Oslo', age: 99 })
      expect((await items.next()).value?.[1]).toBe('alan')
      const last = items.next()
      await holder.commit()
      expect((await last).value?.[2]).toEqual({ city: 'Oslo', age: 99 })
      expect((await items.next()).done).toBe(true)
      await tx.rollback()
    }))

  test('a place that is counted before it is taken is taken once', () =>
    withTown(async ({ db, city }) => {
      const book = (i: number): Promise<boolean> =>
        db.async.transact(async tx => {
          if ((await city.in(tx).count('Rome')) >= 3) return false
          await tx.put(`guest ${i}`, { city: 'Rome' })
          return true
        })
      const booked = await Promise.all(Array.from({ length: 12 }, (_, i) => book(i)))
      expect([booked.filter(Boolean).length, city.count('Rome')]).toEqual([3, 3])
    }))
})

describe('an index in a snapshot', () => {
  test('shows the moment of it', () =>
    withTown(({ db, city, email }) => {
      const snapshot = db.snapshot()
      const tx = db.begin()
      tx.put('ada', { city: 'Oslo' })
      const between = db.snapshot()
      tx.commit()
      db.delete('bo')
      for (const moment of [snapshot, between]) {
        expect(keysOf(city.in(moment).entries())).toEqual(['ada', 'alan', 'bo'])
        expect([city.in(moment).count('London'), email.in(moment).get('ada@here')?.age]).toEqual([2, 36])
        expect(city.in(moment).get('Oslo')?.age).toBe(20)
      }
      db.clear()
      expect([city.in(snapshot).count(), city.count()]).toEqual([3, 0])
      snapshot.close()
      between.close()
      expectCode(() => city.in(snapshot).count(), 'XENON_CLOSED')
    }))

  test('of a moment before it was complete is refused', () =>
    withTown(({ db }) => {
      const snapshot = db.snapshot()
      const tx = db.begin({ isolation: 'snapshot' })
      const length = db.index('length', (_, key) => key.length)
      expectCode(() => length.in(snapshot).count(), 'XENON_NOT_READY')
      expectCode(() => length.in(tx).get(3), 'XENON_NOT_READY')
      snapshot.close()
      tx.rollback()
      const later = db.snapshot()
      expect(length.in(later).count(3)).toBe(1)
      later.close()
    }))
})
