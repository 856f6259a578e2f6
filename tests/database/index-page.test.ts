import { expect, test } from 'vitest'
import { memoryStorage, open } from '../../src/index.ts'
import { expectVerified } from '../support/database.ts'
import { expectCode } from '../support/errors.ts'
import fc from '../support/property.ts'

interface User {
  city: string
  email: string
}

const database = () => {
  const db = open<User>('db', { storage: memoryStorage(), valueEncoding: 'json' })
  const byCity = db.index('city', user => user.city)
  const byEmail = db.index('email', user => user.email, { unique: true })
  return { db, byCity, byEmail }
}

test('the pages of an index are its entries, records of one index key parted by their keys', async () => {
  const { db, byCity, byEmail } = database()
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom('Bern', 'Oslo', 'Paris'), { maxLength: 40 }),
      fc.integer({ min: 1, max: 9 }),
      fc.boolean(),
      async (cities, size, reverse) => {
        db.clear()
        cities.forEach((city, i) => {
          db.put(`u${i}`, { city, email: `${i}@example.com` })
        })
        for (const [index, range] of [
          [byCity, { reverse }],
          [byCity, { gte: 'Oslo', reverse }],
          [byCity, 'Oslo'],
          [byEmail, { prefix: '1', reverse }],
        ] as const) {
          const found: unknown[] = []
          for (let cursor: string | undefined, more = true; more; ) {
            const page = index.page(range, size, cursor)
            found.push(...page.entries)
            expect(page.entries.length).toBeLessThanOrEqual(size)
            cursor = page.cursor
            more = cursor !== undefined
          }
          expect(found).toEqual(index.entries(range).toArray())
        }
      },
    ),
    { numRuns: 30 },
  )
  await expectVerified(db)
  db.close()
})

test('a page of an index goes on behind an entry that has gone', async () => {
  const { db, byCity } = database()
  for (let i = 0; i < 9; i++) db.put(`u${i}`, { city: 'Oslo', email: `${i}` })
  const first = byCity.page('Oslo', 3)
  expect(first.entries.map(([, key]) => key)).toEqual(['u0', 'u1', 'u2'])
  db.delete('u2')
  db.put('u3', { city: 'Bern', email: '3' })
  expect(byCity.page('Oslo', 2, first.cursor).entries.map(([, key]) => key)).toEqual(['u4', 'u5'])
  expectCode(() => byCity.page('Bern', 2, first.cursor), 'XENON_INVALID_ARGUMENT')
  expectCode(() => db.page(undefined, 2, first.cursor), 'XENON_INVALID_ARGUMENT')
  expect(
    byCity
      .keys('Oslo')
      .map(([, key]) => key)
      .take(2)
      .toArray(),
  ).toEqual(['u0', 'u1'])
  await expectVerified(db)
  db.close()
})
