/** What every implementation of `AsyncStore` does with secondary indexes. */
import { describe, expect, test } from 'vitest'
import type { AsyncIndexReads, AsyncStore } from '../../src/index.ts'
import { expectCodeAsync, wrong } from '../support/errors.ts'
import { type Implementation, withStore } from './implementation.ts'

interface Person {
  city?: string
  tags?: (string | number)[]
  email?: string
  n?: number
}

const keysOf = (items: readonly (readonly [unknown, unknown, ...unknown[]])[]): unknown[] => items.map(([, key]) => key)

export const indexContract = (implementation: Implementation): void => {
  const run = (body: (store: AsyncStore<Person>) => Promise<unknown>): Promise<void> =>
    withStore<Person>(implementation, { valueEncoding: 'json', indexed: 'root', lockTimeout: 20_000 }, body)

  if (implementation.isOneSlot === true) {
    test(`${implementation.name}: there are no indexes`, () =>
      withStore<Person>(implementation, { valueEncoding: 'json' }, store =>
        expectCodeAsync(() => store.index('city').get('Oslo'), 'XENON_NOT_SUPPORTED'),
      ))
    return
  }

  describe(`${implementation.name}: indexes`, () => {
    test('are read by key, range, prefix and page, forwards and back', () =>
      run(async store => {
        await store.put('ada', { city: 'London', tags: ['math', 7], email: 'ada@here', n: 1 })
        await store.put('alan', { city: 'London', tags: ['math'], n: 2 })
        await store.put('bo', { city: 'Oslo', tags: [1, 10, 9], email: 'bo@here', n: 3 })
        await store.put('nobody', {})
        const [city, tag, email] = [store.index('city'), store.index('tag'), store.index('email')]
        expect(city.name).toBe('city')
        expect([(await city.get('London'))?.n, await city.get('Rome')]).toEqual([1, undefined])
        expect([(await email.get('bo@here'))?.n, await email.get('alan@here')]).toEqual([3, undefined])
        expect(await tag.keys().toArray()).toEqual([
          [1, 'bo'],
          [7, 'ada'],
          [9, 'bo'],
          [10, 'bo'],
          ['math', 'ada'],
          ['math', 'alan'],
        ])
        expect(await city.entries({ prefix: 'Lo', reverse: true }).toArray()).toEqual([
          ['London', 'alan', { city: 'London', tags: ['math'], n: 2 }],
          ['London', 'ada', { city: 'London', tags: ['math', 7], email: 'ada@here', n: 1 }],
        ])
        for (const [range, keys] of [
          [{ gt: 1, lte: 10 }, ['ada', 'bo', 'bo']],
          [{ gte: 7, lt: 9 }, ['ada']],
          [{ gt: 'math' }, []],
          [{ gt: 9, limit: 2 }, ['bo', 'ada']],
          ['math', ['ada', 'alan']],
        ] as const) {
          expect(keysOf(await tag.entries(range).toArray())).toEqual(keys)
          expect(await tag.count(range)).toBe(keys.length)
        }
        expect(keysOf(await email.keys({ gt: 'ada@here' }).toArray())).toEqual(['bo'])
        for (const index of [tag, email]) {
          const wanted = await index.entries({ reverse: true }).toArray()
          const found: unknown[] = []
          for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
            const page = await index.page({ reverse: true }, 2, cursor)
            found.push(...page.entries)
            cursor = page.cursor
          }
          expect(found).toEqual(wanted)
        }
        await store.put('bo', { city: 'London' })
        await store.delete('ada')
        expect([keysOf(await city.keys().toArray()), await email.count()]).toEqual([['alan', 'bo'], 0])
        await expectCodeAsync(() => store.put('alan', { tags: [wrong({})] }), 'XENON_INVALID_ARGUMENT', 'XENON_SERVER')
      }))

    test('longer than a page are those of one moment', () =>
      run(async store => {
        const put = (i: number): { type: 'put'; key: string; value: Person } => ({
          type: 'put',
          key: `user ${i}`,
          value: { city: `city ${i % 7}`, n: i },
        })
        await store.batch(Array.from({ length: 2300 }, (_, i) => put(i)))
        const city = store.index('city')
        const items = city.entries()
        const first = (await items.next()).value
        await store.clear('user 1')
        const rest = await items.toArray()
        expect([first?.[0], rest.length, new Set(keysOf(rest)).size]).toEqual(['city 0', 2299, 2299])
        expect(await city.count()).toBe(2300 - 1 - 10 - 100 - 1000)
        expect((await city.keys('city 3').toArray()).length).toBe(await city.count('city 3'))
      }))

    test('in a transaction show its changes, and lock what is read', () =>
      run(async store => {
        await store.put('ada', { city: 'London', email: 'ada@here' })
        const city = store.index('city')
        const tx = await store.begin()
        const inside: AsyncIndexReads<Person> = city.in(tx)
        await tx.put('bo', { city: 'London' })
        expect([await inside.count('London'), await city.count('London')]).toEqual([2, 1])
        expect(keysOf(await inside.entries().toArray())).toEqual(['ada', 'bo'])
        expect((await inside.page(undefined, 1)).entries).toEqual([
          ['London', 'ada', { city: 'London', email: 'ada@here' }],
        ])
        expect(await store.index('email').in(tx).get('nobody@here')).toBe(undefined)
        const blocked = store.put('carl', { city: 'London', email: 'nobody@here' })
        await expectCodeAsync(() => store.put('carl', { city: 'London' }, { lockTimeout: 20 }), 'XENON_LOCK_CONFLICT')
        await tx.commit()
        await blocked
        expect(keysOf(await city.keys('London').toArray())).toEqual(['ada', 'bo', 'carl'])
        await expectCodeAsync(() => inside.count(), 'XENON_TRANSACTION_ENDED')
        expect(await store.transact(inner => city.in(inner).count())).toBe(3)
      }))

    test('that there are not, or that are asked wrongly, reject', () =>
      run(async store => {
        await expectCodeAsync(() => store.index('nobody').get('x'), 'XENON_NOT_FOUND')
        await expectCodeAsync(() => store.index('nobody').keys().toArray(), 'XENON_NOT_FOUND')
        await expectCodeAsync(() => store.index('city').get(wrong(Number.NaN)), 'XENON_INVALID_ARGUMENT')
        await expectCodeAsync(() => store.index('city').count(wrong({ from: 1 })), 'XENON_INVALID_ARGUMENT')
        await expectCodeAsync(() => store.index('city').page(undefined, 2, 'no cursor'), 'XENON_INVALID_ARGUMENT')
        await expectCodeAsync(async () => store.index('city').in(wrong({})), 'XENON_INVALID_ARGUMENT')
      }))
  })
}
