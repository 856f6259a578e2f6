import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Database, memoryStorage, open, type Page, type Range, type TupleKey } from '../../src/index.ts'
import { expectVerified } from '../support/database.ts'
import { expectCode } from '../support/errors.ts'

/** All pages of a range, one behind the other. */
const pages = <K>(
  db: Database<string, K>,
  range: Range<K>,
  size: number,
  between = (): void => {},
): Page<string, K>[] => {
  const found: Page<string, K>[] = []
  for (let cursor: string | undefined; ; ) {
    const page = db.page(range as never, size, cursor) as Page<string, K>
    found.push(page)
    between()
    cursor = page.cursor
    if (cursor === undefined) return found
    expect(cursor).toMatch(/^[\w-]+$/)
  }
}

describe('the pages of a range', () => {
  test('are the range, in pieces of the size that was asked for', async () => {
    const db = open('db', { storage: memoryStorage() })
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.string({ minLength: 1, maxLength: 6, unit: 'grapheme' }), { maxLength: 40 }),
        fc.integer({ min: 1, max: 12 }),
        fc.boolean(),
        fc.constantFrom<Range[]>({}, { prefix: 'a' }, { gte: 'b', lt: 'x' }, { gt: 'b' }, { lte: 'm' }),
        async (keys, size, reverse, bounds) => {
          db.clear()
          for (const key of keys) db.put(key, `of ${key}`)
          const range = { ...bounds, reverse }
          const found = pages(db, range, size)
          expect(found.flatMap(({ entries }) => entries)).toEqual(db.entries(range).toArray())
          for (const { entries } of found.slice(0, -1)) expect(entries).toHaveLength(size)
          expect(found.at(-1)!.entries.length > 0 || found.length === 1).toBe(true)
        },
      ),
      { numRuns: 60 },
    )
    await expectVerified(db)
    db.close()
  })

  test('go on behind the last key when records have come and gone, that one among them', async () => {
    const db = open('db', { storage: memoryStorage() })
    for (let i = 10; i < 90; i += 2) db.put(`key ${i}`, '')
    const first = db.page('key ', 10)
    expect(first.entries.at(-1)![0]).toBe('key 28')
    db.delete('key 28')
    db.put('key 11', 'comes too late')
    db.put('key 29', 'comes in time')
    const second = db.page('key ', 3, first.cursor)
    expect(second.entries.map(([key]) => key)).toEqual(['key 29', 'key 30', 'key 32'])
    // The same cursor gives the same page again.
    expect(db.page({ prefix: 'key ' }, 3, first.cursor)).toEqual(second)
    const snapshot = db.snapshot()
    db.clear()
    expect(snapshot.page('key ', 3, first.cursor)).toEqual(second)
    expect(db.page('key ', 3, first.cursor)).toEqual({ entries: [], cursor: undefined })
    snapshot.close()
    await expectVerified(db)
    db.close()
  })

  test('may be of tuples, of bytes, inside a transaction and in a sub-database', async () => {
    const tuples = open<string, TupleKey>('tuples', { storage: memoryStorage(), keyEncoding: 'tuple' })
    for (let i = 0; i < 25; i++) tuples.put(['user', i - 5, null], `${i}`)
    tuples.put(['visitor', 1], '')
    const found = pages(tuples, { prefix: ['user'], reverse: true }, 7)
    expect(found.map(({ entries }) => entries.length)).toEqual([7, 7, 7, 4])
    expect(found.flatMap(({ entries }) => entries)).toEqual(
      tuples.entries({ prefix: ['user'], reverse: true }).toArray(),
    )
    tuples.close()
    const db = open('db', { storage: memoryStorage() })
    const sub = db.sub<string, Uint8Array>('bytes', { keyEncoding: 'binary' })
    for (let i = 0; i < 20; i++) sub.put(new Uint8Array([255, 254 - i, 0]), `${i}`)
    db.transaction(tx => {
      const inside = tx.in(sub)
      inside.put(new Uint8Array([255, 255]), 'not committed')
      const first = inside.page({ reverse: true }, 2)
      expect(first.entries.map(([, value]) => value)).toEqual(['not committed', '0'])
      expect(inside.page({ reverse: true }, 1, first.cursor).entries).toEqual([[new Uint8Array([255, 253, 0]), '1']])
    })
    await expectVerified(db)
    db.close()
  })
})

test('a cursor of another range, of another direction, or that is none is refused, and so are a limit and a wrong size', async () => {
  const db = open('db', { storage: memoryStorage() })
  for (let i = 0; i < 30; i++) db.put(`a${i}`, '')
  db.put('secret', 'of somebody else')
  const { cursor } = db.page('a', 5)
  for (const range of ['b', { prefix: 'a', reverse: true }, undefined, { gte: 'a' }])
    expect(expectCode(() => db.page(range, 5, cursor), 'XENON_INVALID_ARGUMENT').message).toMatch(/of another range/)
  const bytes = Buffer.from(cursor!, 'base64url')
  const forged = Buffer.concat([bytes.subarray(0, 5), Buffer.from('r')]).toString('base64url')
  expect(expectCode(() => db.page('a', 5, forged), 'XENON_INVALID_ARGUMENT').message).toMatch(/of another range/)
  for (const wrong of ['', 'a', '!', cursor!.slice(0, 6), `${cursor}=`, 7, null, {}])
    expectCode(() => db.page('a', 5, wrong as string), 'XENON_INVALID_ARGUMENT')
  expect(expectCode(() => db.page({ limit: 3 }, 5), 'XENON_INVALID_ARGUMENT').message).toMatch(/no limit/)
  for (const size of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '5'])
    expectCode(() => db.page('a', size as number), 'XENON_INVALID_ARGUMENT')
  await expectVerified(db)
  db.close()
})
