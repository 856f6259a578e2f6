import { describe, expect, test } from 'vitest'
import { type Database, memoryStorage, open, type Page, type Range, type TupleKey } from '../../src/index.ts'
import { expectVerified } from '../support/database.ts'
import { expectCode } from '../support/errors.ts'
import fc from '../support/property.ts'

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

test('what is no range is refused, as by every range', async () => {
  const db = open('db', { storage: memoryStorage() })
  for (const wrong of [/a/, 7, true, new Date(0), new Map(), () => 'a'])
    expectCode(() => db.page(wrong as never, 5), 'XENON_INVALID_ARGUMENT')
  expectCode(() => db.snapshot().page(/a/ as never, 5), 'XENON_INVALID_ARGUMENT')
  await expectVerified(db)
  db.close()
})

test('a cursor that nobody gave is said to be none, whatever key it holds', async () => {
  const db = open<string, TupleKey>('db', { storage: memoryStorage(), keyEncoding: 'tuple' })
  for (let i = 0; i < 9; i++) db.put(['user', i], '')
  const head = Buffer.from(db.page(undefined, 3).cursor!, 'base64url').subarray(0, 5)
  for (const key of [Buffer.from([255, 255]), Buffer.from([1]), Buffer.alloc(2000, 3)]) {
    const forged = Buffer.concat([head, key]).toString('base64url')
    expect(expectCode(() => db.page(undefined, 3, forged), 'XENON_INVALID_ARGUMENT').message).toMatch(/what an earlier/)
  }
  await expectVerified(db)
  db.close()
})

test('keys of text that are no UTF-8 never lead a cursor back, or past records; U+FFFD itself is a key as others are', async () => {
  const storage = memoryStorage()
  const bytes = open<string, Uint8Array>('db', { storage, keyEncoding: 'binary' })
  for (const first of [0x62, 0x90, 0xa0, 0xfd, 0xfe, 0xff]) bytes.put(new Uint8Array([first]), '')
  bytes.put('a\ufffdb', '')
  bytes.close()
  const db = open('db', { storage })
  const first = db.page(undefined, 1)
  expect(first.entries[0]![0]).toBe('a\ufffdb')
  expect(db.page(undefined, 1, first.cursor).entries[0]![0]).toBe('b')
  const tx = db.begin()
  for (const reader of [db, tx, db.snapshot()])
    for (const range of [undefined, { reverse: true }])
      expect(expectCode(() => reader.page(range, 3), 'XENON_INVALID_ARGUMENT').message).toMatch(/'binary'/)
  tx.rollback()
  await expect(db.async.page(undefined, 3)).rejects.toThrow(/'binary'/)
  expect(db.page(undefined, 7).entries).toHaveLength(7)
  await expectVerified(db)
  db.close()
})

test('a forged cursor of an index writes nothing beyond the room that a scan has', async () => {
  const db = open<{ age: number }>('db', { storage: memoryStorage(), valueEncoding: 'json' })
  const byAge = db.index('age', ({ age }) => age)
  await byAge.ready
  for (let i = 0; i < 100; i++) db.put(`key ${i}`, { age: i % 7 })
  for (const reverse of [false, true])
    for (const key of [Buffer.alloc(1025, 3), Buffer.alloc(5000, 200), Buffer.alloc(3_000_000, 3)]) {
      const head = Buffer.from(byAge.page({ reverse }, 5).cursor!, 'base64url').subarray(0, 5)
      const forged = Buffer.concat([head, key]).toString('base64url')
      expectCode(() => byAge.page({ reverse }, 5, forged), 'XENON_INVALID_ARGUMENT')
    }
  expect(byAge.count()).toBe(100)
  await expectVerified(db)
  db.close()
})
