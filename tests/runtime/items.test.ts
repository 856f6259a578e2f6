import { describe, expect, test } from 'vitest'
import { memoryStorage, open } from '../../src/index.ts'
import { AsyncItems, Items } from '../../src/runtime/items.ts'
import { expectVerified } from '../support/database.ts'
import { expectCode, expectCodeAsync } from '../support/errors.ts'

/** Numbers from 0 to 9, which tell how many were taken and whether they were closed. */
class Digits extends Items<number> {
  taken = 0
  closed = 0
  override next(): IteratorResult<number, undefined> {
    if (this.closed > 0 || this.taken === 10) return { done: true, value: undefined }
    return { done: false, value: this.taken++ }
  }
  override return(): IteratorResult<number, undefined> {
    this.closed++
    return { done: true, value: undefined }
  }
}

const asyncDigits = (): { items: AsyncItems<number>; state: { taken: number; closed: number } } => {
  const state = { taken: 0, closed: 0 }
  const generator = (async function* (): AsyncGenerator<number, undefined> {
    try {
      for (let i = 0; i < 10; i++) {
        state.taken++
        yield i
      }
    } finally {
      state.closed++
    }
    return undefined
  })()
  return { items: new AsyncItems(generator), state }
}

/** What is done to ten digits, and what comes of it: with arrays, and with both kinds of items. */
// biome-ignore lint/suspicious/noExplicitAny: arrays and both kinds of items go through the same text.
type Any = any
const uses: Record<string, (items: Any) => Any> = {
  map: items => items.map((n: number, i: number) => n * 10 + i).toArray(),
  filter: items => items.filter((n: number) => n % 3 === 0).toArray(),
  'filter by index': items => items.filter((_: number, i: number) => i > 7).toArray(),
  'map of filter of map': items =>
    items
      .map((n: number) => n + 1)
      .filter((n: number) => n % 2 === 0)
      .map(String)
      .toArray(),
  flatMap: items => items.flatMap((n: number) => (n < 3 ? [n, n] : [])).toArray(),
  reduce: items => items.reduce((sum: string, n: number, i: number) => `${sum}${n + i}`, ''),
  some: items => items.some((n: number) => n === 4),
  'some of none': items => items.some((n: number) => n === 40),
  every: items => items.every((n: number) => n < 10),
  'every but one': items => items.every((n: number) => n !== 5),
  find: items => items.find((n: number) => n > 6),
  'find nothing': items => items.find((n: number) => n > 60),
}

/** Has `toArray`, as items have. */
const array = (): Any => {
  const make = (items: unknown[]): unknown[] =>
    Object.assign(items, {
      toArray: () => [...items],
      map: (to: (item: unknown, i: number) => unknown) => make([...items].map(to)),
      filter: (is: (item: unknown, i: number) => boolean) => make([...items].filter(is)),
      flatMap: (to: (item: unknown) => unknown[]) => make([...items].flatMap(to)),
    })
  return make([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
}

describe.each(Object.entries(uses))('%s', (_, use) => {
  test('does what it does to an array, at once and asynchronously', async () => {
    const expected = use(array())
    expect(use(new Digits())).toEqual(expected)
    expect(await use(asyncDigits().items)).toEqual(expected)
  })
})

test.each([0, 1, 4, 10, 11, Number.POSITIVE_INFINITY])('take(%d) and drop(%d) part the items', async count => {
  const first = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].slice(0, count)
  const rest = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].slice(count)
  expect(new Digits().take(count).toArray()).toEqual(first)
  expect(new Digits().drop(count).toArray()).toEqual(rest)
  expect(await asyncDigits().items.take(count).toArray()).toEqual(first)
  expect(await asyncDigits().items.drop(count).toArray()).toEqual(rest)
})

describe('what lies beneath', () => {
  test('is read as far as somebody asks, and closed when that is enough', async () => {
    const digits = new Digits()
    expect(
      digits
        .map(n => n)
        .take(3)
        .toArray(),
    ).toEqual([0, 1, 2])
    expect([digits.taken, digits.closed > 0]).toEqual([3, true])
    const found = new Digits()
    expect(found.find(n => n === 5)).toBe(5)
    expect([found.taken, found.closed > 0]).toEqual([6, true])
    const { items, state } = asyncDigits()
    expect(
      await items
        .map(async n => n)
        .take(3)
        .toArray(),
    ).toEqual([0, 1, 2])
    expect(state).toEqual({ taken: 3, closed: 1 })
  })

  test('is closed when it throws itself, since what came of it has ended then', async () => {
    const storage = memoryStorage()
    const text = open('db', { storage })
    text.batch(Array.from({ length: 600 }, (_, i) => ({ type: 'put', key: `${i}`, value: i === 1 ? 'no JSON' : '1' })))
    text.close()
    const db = open<number>('db', { storage, valueEncoding: 'json', storedEncoding: 'ignore' })
    const each = db.values().map(n => n)
    expectCode(() => each.toArray(), 'XENON_DECODE')
    expect(each.next()).toEqual({ done: true, value: undefined })
    const eachAside = db.async.values().map(n => n)
    await expectCodeAsync(() => eachAside.toArray(), 'XENON_DECODE')
    expect(await eachAside.next()).toEqual({ done: true, value: undefined })
    expect(db.stats().snapshots.open).toBe(0)
    await expectVerified(db)
    db.close()
  })

  test('is closed when none of it is wanted', async () => {
    const digits = new Digits()
    expect(digits.take(0).toArray()).toEqual([])
    expect([digits.taken, digits.closed > 0]).toEqual([0, true])
    const db = open('db', { storage: memoryStorage() })
    db.batch(Array.from({ length: 600 }, (_, i) => ({ type: 'put', key: `${i}`, value: '' })))
    expect(db.keys().take(0).toArray()).toEqual([])
    expect(await db.async.keys().take(0).toArray()).toEqual([])
    expect(db.stats().snapshots.open).toBe(0)
    await expectVerified(db)
    db.close()
  })

  test('is closed by a return before the first step, by the end of a loop, and by an error', async () => {
    for (const end of [
      (items: Items<number>) => items.return(),
      (items: Items<number>) => items[Symbol.dispose](),
      (items: Items<number>) => {
        for (const _ of items) break
      },
      (items: Items<number>) => {
        expect(() =>
          items.forEach(() => {
            throw new Error('mine')
          }),
        ).toThrow('mine')
      },
    ]) {
      const digits = new Digits()
      const items = digits.map(n => n).filter(n => n >= 0)
      end(items)
      expect(digits.closed).toBeGreaterThan(0)
      expect(items.next()).toEqual({ done: true, value: undefined })
    }
    const { items, state } = asyncDigits()
    await items.next()
    await items.map(n => n).return()
    expect(state).toEqual({ taken: 1, closed: 1 })
  })

  test('may be a range of a database, whose snapshot ends then', async () => {
    const db = open('db', { storage: memoryStorage(), snapshotBytes: 0 })
    db.batch(Array.from({ length: 3000 }, (_, i) => ({ type: 'put', key: `key ${10_000 + i}`, value: `${i}` })))
    expect(db.stats().snapshots.open).toBe(0)
    const names = db.entries().map(([key, value]) => `${key}=${value}`)
    expect(names.next().value).toBe('key 10000=0')
    expect(db.stats().snapshots.open).toBe(1)
    names.return()
    expect(db.stats().snapshots.open).toBe(0)
    expect(db.keys().drop(1000).take(2).toArray()).toEqual(['key 11000', 'key 11001'])
    expect(
      await db.async
        .values()
        .filter(value => value.endsWith('99'))
        .take(2)
        .toArray(),
    ).toEqual(['99', '199'])
    expect(db.stats().snapshots.open).toBe(0)
    await expectVerified(db)
    db.close()
  })
})

test('what is no function, or no number of items, is refused at once', () => {
  for (const name of ['map', 'filter', 'flatMap', 'forEach', 'reduce', 'some', 'every', 'find'] as const)
    expectCode(() => (new Digits()[name] as (given: unknown) => unknown)('text'), 'XENON_INVALID_ARGUMENT')
  for (const count of [-1, 1.5, Number.NaN, '3'])
    for (const name of ['take', 'drop'] as const) {
      expectCode(() => new Digits()[name](count as number), 'XENON_INVALID_ARGUMENT')
      expectCode(() => asyncDigits().items[name](count as number), 'XENON_INVALID_ARGUMENT')
    }
})
