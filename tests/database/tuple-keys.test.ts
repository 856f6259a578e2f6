/** Databases with `keyEncoding: 'tuple'`, against a list that is kept in order without any bytes. */

import { describe, expect, test } from 'vitest'
import { convert, type Database, memoryStorage, open, type Range, salvage, type TupleKey } from '../../src/index.ts'
import { compareBytes } from '../../src/runtime/bytes.ts'
import { encodeTuple } from '../../src/values/tuple.ts'
import { expectVerified, withMemoryDatabase } from '../support/database.ts'
import { withDirectory } from '../support/directory.ts'
import { expectCode, expectCodeAsync, failureOf, wrong } from '../support/errors.ts'
import fc from '../support/property.ts'
import { compareTuples, tupleKeys } from '../support/tuples.ts'

type Tuples = Database<string, TupleKey>

const withTuples = (body: (db: Tuples, reopen: () => Tuples) => unknown, options: object = {}): Promise<void> =>
  withMemoryDatabase({ keyEncoding: 'tuple', ...options }, ({ db, reopen }) =>
    body(db as unknown as Tuples, () => reopen() as unknown as Tuples),
  )

const SOME: readonly TupleKey[] = [
  null,
  false,
  true,
  Number.NEGATIVE_INFINITY,
  -1.5,
  0,
  1,
  1n,
  2n ** 64n,
  '',
  'user',
  'user\0',
  new Uint8Array(0),
  new Uint8Array([0, 255]),
  [],
  ['user'],
  ['user', 42],
  ['user', 42, 'name'],
  ['user', 42, ['deep', [null]]],
  ['user', 42n],
  ['user', 421],
  ['user', '42'],
  ['userx'],
]

const fill = (db: Tuples): void => db.batch([...SOME].reverse().map((key, i) => ({ type: 'put', key, value: `${i}` })))

/** The keys of a model that lie in a range, as `Range` says. */
const within = (keys: readonly TupleKey[], range: Range<TupleKey>): TupleKey[] => {
  const { gt, gte, lt, lte, prefix, reverse = false, limit = Number.POSITIVE_INFINITY } = range
  const found = keys.filter(
    key =>
      (gt === undefined || compareTuples(key, gt) > 0) &&
      (gte === undefined || compareTuples(key, gte) >= 0) &&
      (lt === undefined || compareTuples(key, lt) < 0) &&
      (lte === undefined || compareTuples(key, lte) <= 0) &&
      (prefix === undefined || beginsWith(key, prefix as TupleKey[])),
  )
  return (reverse ? found.reverse() : found).slice(0, limit)
}

const beginsWith = (key: TupleKey, prefix: readonly TupleKey[]): boolean =>
  Array.isArray(key) &&
  key.length >= prefix.length &&
  prefix.every((part, i) => compareTuples(part, (key as TupleKey[])[i]!) === 0)

const values = (db: Tuples, keys: readonly TupleKey[]): (string | undefined)[] => keys.map(key => db.get(key))

describe('tuple keys', () => {
  test('are found, replaced, removed and given back as they went', () =>
    withTuples((db, reopen) => {
      fill(db)
      expect([...db.keys()]).toStrictEqual(SOME)
      expect(db.getMany(SOME)).toEqual(values(db, SOME))
      for (const key of SOME) expect(db.has(key)).toBe(true)
      const again = reopen()
      expect([...again.entries()].map(([key]) => key)).toStrictEqual(SOME)
      again.put(['user', 42], 'new')
      expect(again.get(['user', 42])).toBe('new')
      expect(again.delete(['user', 42])).toBe(true)
      expect(again.delete(['user', 42])).toBe(false)
      expect(again.get(['user', 42n])).toBeDefined()
      expect(again.count()).toBe(SOME.length - 1)
      expect(again.get(-0)).toBe(again.get(0))
    }))

  test('have ranges over their first items', () =>
    withTuples(db => {
      fill(db)
      const user42 = [
        ['user', 42],
        ['user', 42, 'name'],
        ['user', 42, ['deep', [null]]],
      ]
      expect([...db.keys({ prefix: ['user', 42] })]).toEqual(user42)
      expect([...db.keys(['user', 42])]).toEqual(user42)
      expect([...db.keys({ prefix: ['user', 42], reverse: true, limit: 1 })]).toEqual([user42[2]])
      expect(db.count({ prefix: ['user'] })).toBe(7)
      expect(db.count([])).toBe(9)
      expect([...db.keys({ gt: 0, lte: 1n })]).toEqual([1, 1n])
      db.clear(['user', 42])
      expect(db.count(['user'])).toBe(4)
      expect(() => db.keys('user')).toThrow(/a range must be an object.*or a prefix, such as \['user'\]; not a string/)
      expect(() => db.keys({ prefix: 'user' })).toThrow("prefix must be an array with keyEncoding 'tuple'")
      expectCode(() => db.keys({ gte: wrong(undefined), lt: Number.NaN }), 'XENON_INVALID_ARGUMENT')
    }))

  test('are kept by every face: transactions, snapshots, cursors, watch, expiry, the asynchronous one', () =>
    withTuples(async db => {
      fill(db)
      const watcher = db.watch(['user', 42])
      const tx = db.begin()
      expect(tx.getMany([['user', 42], null])).toEqual(values(db, [['user', 42], null]))
      tx.put(['user', 42], 'in tx')
      expect(tx.delete(['user', 421])).toBe(true)
      expect([...tx.keys({ gte: ['user', 42n], lte: ['user', 421] })]).toEqual([['user', 42n]])
      expect(tx.count(['user'])).toBe(6)
      const snapshot = db.snapshot()
      expect([...snapshot.keys(['user'])]).toStrictEqual(SOME.filter(key => beginsWith(key, ['user'])))
      tx.clear(['user', 42])
      tx.put(['user', 42, 9n], 'kept')
      tx.commit()
      expect(snapshot.has(['user', 42])).toBe(true)
      snapshot.close()
      const changes = []
      for (let i = 0; i < 4; i++) changes.push((await watcher.next()).value!.key)
      expect(changes.sort(compareTuples)).toEqual([
        ['user', 42],
        ['user', 42, 9n],
        ['user', 42, 'name'],
        ['user', 42, ['deep', [null]]],
      ])
      await watcher.return()

      const cursor = db.cursor(['user'])
      cursor.seek(['user', 42n])
      expect(cursor.next()).toBe(true)
      expect(cursor.readCurrent().key).toEqual(['user', 42n])
      cursor.close()
      const seen: TupleKey[] = []
      db.reset()
      while (db.next()) seen.push(db.readCurrent().key)
      expect(seen.sort(compareTuples)).toStrictEqual([...db.keys()])

      expect(db.expire(['user', 42, 9n], 60_000)).toBe(true)
      expect(db.ttl(['user', 42, 9n])).toBeGreaterThan(59_000)
      expect(db.persist(['user', 42, 9n])).toBe(true)

      const { async } = db
      await async.put([1, 'a'], 'x', { ttl: 60_000 })
      expect(await async.get([1, 'a'])).toBe('x')
      expect(await async.has([1])).toBe(false)
      const found: TupleKey[] = []
      for await (const [key] of async.entries([1])) found.push(key)
      expect(found).toEqual([[1, 'a']])
      await async.transact(async other => {
        await other.put([1, 'b'], 'y')
        await other.clear([1])
        await other.put([1, 'c'], 'z')
      })
      expect([...db.keys([1])]).toEqual([[1, 'c']])
    }))

  test('that wait for a lock are those that were given, whatever becomes of the array', () =>
    withTuples(async db => {
      const tx = db.begin()
      tx.put(['a', 1], 'tx')
      const key: TupleKey[] = ['a', 1]
      const waiting = [db.async.put(key, 'put'), db.async.batch([{ type: 'put', key, value: 'batch' }])]
      const removed = db.async.delete(key)
      key[1] = 2
      tx.commit()
      await Promise.all(waiting)
      expect(await removed).toBe(true)
      expect([...db.keys()]).toEqual([])
    }))

  test('are ordered, found and ranged over as a list is, whatever they are', () =>
    withTuples(async db => {
      const keys = fc.uniqueArray(tupleKeys(), {
        minLength: 1,
        maxLength: 60,
        comparator: (a, b) => compareTuples(a, b) === 0,
      })
      await fc.assert(
        fc.asyncProperty(
          keys,
          fc.array(fc.nat(), { maxLength: 12 }),
          fc.nat(7),
          fc.boolean(),
          async (list, picks, limit, reverse) => {
            const pick = (i: number): TupleKey => list[(picks[i] ?? i) % list.length]!
            db.clear()
            db.batch(list.map((key, i) => ({ type: 'put', key, value: `${i}` })))
            for (const at of picks.slice(6)) db.delete(list[at % list.length]!)
            const gone = picks.slice(6).map(at => list[at % list.length]!)
            const left = list.filter(key => !gone.some(other => compareTuples(key, other) === 0)).sort(compareTuples)
            expect([...db.keys()]).toStrictEqual(left)
            const prefix = [pick(0), pick(1)].find(Array.isArray)?.slice(0, limit) as TupleKey[] | undefined
            const ranges: Range<TupleKey>[] = [
              { gt: pick(2), reverse },
              { gte: pick(3), lt: pick(4), reverse, limit },
              { lte: pick(5) },
              ...(prefix === undefined
                ? []
                : [
                    { prefix, reverse },
                    { prefix, gt: pick(2), limit },
                  ]),
            ]
            for (const range of ranges) {
              expect([...db.keys(range)]).toStrictEqual(within(left, range))
              expect(db.count({ ...range, reverse: false, limit: Number.POSITIVE_INFINITY })).toBe(
                within(left, { ...range, limit: Number.POSITIVE_INFINITY }).length,
              )
            }
          },
        ),
        { numRuns: 150 },
      )
      await expectVerified(db as unknown as Database)
    }))

  test('of the wrong kind are refused everywhere, and change nothing', () =>
    withTuples(async db => {
      db.put(['a'], 'old')
      const INVALID = 'XENON_INVALID_ARGUMENT'
      for (const key of [undefined, Number.NaN, {}, ['a', undefined], new Date(0)].map(each => wrong(each))) {
        for (const use of [
          () => db.get(key),
          () => db.has(key),
          () => db.put(key, 'x'),
          () => db.delete(key),
          () => db.getMany([key]),
          () =>
            db.batch([
              { type: 'put', key: ['a'], value: 'new' },
              { type: 'put', key, value: 'x' },
            ]),
          () => db.transaction(tx => tx.put(key, 'x')),
          () => db.snapshot().get(key),
        ])
          expectCode(use, INVALID)
        for (const use of [
          () => db.async.put(key, 'x'),
          () => db.async.delete(key),
          () => db.async.get(key),
          () => db.async.transact(tx => tx.put(key, 'x')),
        ])
          await expectCodeAsync(use, INVALID)
      }
      expectCode(() => db.put(['x'.repeat(1100)], 'x'), 'XENON_KEY_TOO_LARGE')
      expect([...db.entries()]).toEqual([[['a'], 'old']])
    }))

  test('name the record in errors about its value', async () => {
    const storage = memoryStorage()
    const written = open('db', { storage, keyEncoding: 'tuple' })
    written.put(['user', 7n], '{')
    written.close()
    const db = open('db', { storage, keyEncoding: 'tuple', valueEncoding: 'json', storedEncoding: 'ignore' })
    expect(() => db.get(['user', 7n])).toThrow('the key ["user",{"bigint":"7"}]')
    expect(await failureOf(() => db.async.get(['user', 7n]))).toMatchObject({ code: 'XENON_DECODE' })
    db.close()
  })

  test('of a database with another key encoding are refused with a word about it', () => {
    const storage = memoryStorage()
    const text = open('db', { storage })
    text.put('user:42', 'x')
    text.close()
    const db = open('db', { storage, keyEncoding: 'tuple', storedEncoding: 'ignore' })
    expect(() => [...db.keys()]).toThrow(`the key 0x757365723a3432 is none of keyEncoding 'tuple'`)
    expect(() => [...db.entries()]).toThrow('keyEncoding')
    db.reset()
    db.next()
    expectCode(() => db.readCurrent(), 'XENON_DECODE')
    db.clear()
    expect([...db.keys()]).toEqual([])
    db.close()
    expectCode(() => open('db', { storage, keyEncoding: wrong('tuples') }), 'XENON_INVALID_ARGUMENT')
  })

  test('stay what they are by verify, compact, backup, convert and salvage', () =>
    withDirectory(async parent => {
      const path = (name: string): string => `${parent}/${name}`
      const options = { keyEncoding: 'tuple', durability: 'none' } as const
      const db = open(path('db'), options)
      const keys = fc
        .sample(tupleKeys(), { numRuns: 1500, seed: 7 })
        .map((key, i): TupleKey[] => [i % 5 === 0 ? 'first' : i, key, i, 'x'.repeat(i % 60)])
      db.batch(keys.map((key, i) => ({ type: 'put', key, value: `${i}` })))
      for (const key of keys.slice(0, 700)) db.delete(key)
      const expected = [...db.entries()]
      expect(expected.map(([key]) => key)).toStrictEqual(keys.slice(700).sort(compareTuples))
      await db.compact()
      await expectVerified(db as unknown as Database)
      await db.backup(path('backup'))
      db.close()
      await convert(path('db'), { ordered: false })
      await convert(path('db'), { ordered: true })
      expect(await salvage(path('db'), path('salvaged'))).toMatchObject({ complete: true, records: expected.length })
      for (const name of ['db', 'backup', 'salvaged']) {
        const again = open(path(name), options)
        expect([...again.entries()]).toStrictEqual(expected)
        await expectVerified(again as unknown as Database)
        again.close()
      }
    }))

  test('are those of a sub-database, whatever those of the root are', () =>
    withMemoryDatabase({}, ({ db, reopen }) => {
      db.put('user', 'of the root')
      const sub = db.sub<string, TupleKey>('events', { keyEncoding: 'tuple' })
      sub.put(['user', 42], 'x')
      expect([...sub.keys(['user'])]).toEqual([['user', 42]])
      expect([...reopen().sub<string, TupleKey>('events', { keyEncoding: 'tuple' }).entries()]).toEqual([
        [['user', 42], 'x'],
      ])
    }))

  test('lie in an unordered database, too', () =>
    withTuples(
      db => {
        fill(db)
        expect(db.get(['user', 42])).toBeDefined()
        db.clear()
        expect(db.count()).toBe(0)
      },
      { ordered: false },
    ))

  test('are the bytes that encodeTuple says, for whoever opens the database with another encoding', () => {
    const storage = memoryStorage()
    const db = open('db', { storage, keyEncoding: 'tuple' })
    fill(db)
    db.close()
    const raw = open('db', { storage, keyEncoding: 'binary', storedEncoding: 'ignore' })
    const keys = [...raw.keys()] as unknown as Uint8Array[]
    expect(keys.map(key => Buffer.from(key))).toEqual(SOME.map(key => Buffer.from(encodeTuple(key))))
    expect(keys).toEqual([...keys].sort(compareBytes))
    raw.close()
  })
})
