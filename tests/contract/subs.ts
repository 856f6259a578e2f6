/** What every implementation of `AsyncStore` does with sub-databases. */
import { describe, expect, test } from 'vitest'
import type { AsyncStore, TupleKey } from '../../src/index.ts'
import { expectCodeAsync } from '../support/errors.ts'
import { Random } from '../support/random.ts'
import { type Implementation, withStore } from './implementation.ts'

const all = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

export const subContract = (implementation: Implementation): void => {
  const run = (body: (store: AsyncStore) => Promise<unknown>): Promise<void> => withStore(implementation, {}, body)

  describe(`${implementation.name}: sub-databases`, () => {
    test('have keys of their own, are listed and dropped, and lie in each other', () =>
      run(async store => {
        expect(await store.subs()).toEqual([])
        const users = await store.sub('users')
        const posts = await users.sub('posts')
        await Promise.all([store.put('a', 'root'), users.put('a', 'user'), posts.put('a', 'post')])
        expect([await store.get('a'), await users.get('a'), await posts.get('a')]).toEqual(['root', 'user', 'post'])
        await (await store.sub('IN')).put('GET', 'x')
        await store.sub('ä/b \n"')
        expect(await store.subs()).toEqual(['IN', 'users', 'ä/b \n"'])
        expect(await users.subs()).toEqual(['posts'])
        expect(await (await users.sub('posts')).get('a')).toBe('post')
        await users.clear()
        expect([await store.count(), await users.count(), await posts.count()]).toEqual([1, 0, 1])
        expect([await store.drop('users'), await store.drop('users'), await store.drop('posts')]).toEqual([
          true,
          false,
          false,
        ])
        await expectCodeAsync(() => users.get('a'), 'XENON_NOT_FOUND')
        await expectCodeAsync(() => posts.put('a', 'x'), 'XENON_NOT_FOUND')
        expect(await store.subs()).toEqual(['IN', 'ä/b \n"'])
        expect(await (await store.sub('users')).count()).toBe(0)
      }))

    test('keep the encodings that they were made with, and refuse others', () =>
      run(async store => {
        const made = await store.sub<{ n: number }, TupleKey>('events', { keyEncoding: 'tuple', valueEncoding: 'json' })
        await made.put(['user', 42], { n: 1 })
        await made.put(['user', 7], { n: 2 })
        await (await store.sub<Uint8Array>('bytes', { valueEncoding: 'binary' })).put('b', Uint8Array.of(0, 255))
        const again = await store.sub<{ n: number }, TupleKey>('events')
        expect(await all(again.entries({ prefix: ['user'] }))).toEqual([
          [['user', 7], { n: 2 }],
          [['user', 42], { n: 1 }],
        ])
        expect(await (await store.sub<Uint8Array>('bytes')).get('b')).toEqual(Uint8Array.of(0, 255))
        for (const wrong of [{ valueEncoding: 'utf8' }, { keyEncoding: 'binary' }] as const) {
          const { message } = await expectCodeAsync(() => store.sub('events', wrong), 'XENON_ENCODING')
          expect(message).toContain("'events' was made with")
        }
        for (const name of ['', 'x'.repeat(1024), '\ud800', 7, undefined] as string[])
          await expectCodeAsync(() => store.sub(name), 'XENON_INVALID_ARGUMENT')
        for (const options of [null, { ordered: true }, { keyEncoding: 'json' }, { valueEncoding: 7 }] as object[])
          await expectCodeAsync(() => store.sub('new', options), 'XENON_INVALID_ARGUMENT')
        expect(await store.subs()).toEqual(['bytes', 'events'])
      }))

    test('take part in transactions, which nobody can take them away from', () =>
      run(async store => {
        const [one, other] = [await store.sub('one'), await store.sub('other')]
        await one.put('a', '1')
        const tx = await one.begin()
        await tx.put('a', '2')
        await tx.put('b', '2')
        expect(await all(tx.keys())).toEqual(['a', 'b'])
        await Promise.all([store.put('a', 'free'), other.put('b', 'free')])
        await expectCodeAsync(() => one.put('a', '3', { lockTimeout: 0 }), 'XENON_LOCK_CONFLICT')
        await expectCodeAsync(() => store.drop('one'), 'XENON_LOCK_CONFLICT')
        const point = await tx.savepoint()
        await tx.clear()
        await tx.rollbackTo(point)
        await tx.commit()
        expect([await one.getMany(['a', 'b']), await other.get('b')]).toEqual([['2', '2'], 'free'])
        await Promise.all(
          Array.from({ length: 20 }, () =>
            one.transact(async inside => inside.put('a', `${Number(await inside.get('a')) + 1}`)),
          ),
        )
        expect(await one.get('a')).toBe('22')
      }))

    test('take part in one transaction with each other', () =>
      run(async store => {
        const users = await store.sub<{ age: number }>('users', { valueEncoding: 'json' })
        const byAge = await users.sub<string, TupleKey>('by age', { keyEncoding: 'tuple' })
        await store.transact(async tx => {
          await tx.put('count', '1')
          await tx.in(users).put('bob', { age: 7 })
          await tx.in(byAge).put([7, 'bob'], 'x')
          expect(await tx.in(users).get('bob')).toEqual({ age: 7 })
          expect(await tx.get('bob')).toBe(undefined)
        })
        const tx = await users.begin()
        await tx.put('eve', { age: 9 })
        const point = await tx.savepoint()
        await tx.in(store).put('count', '2')
        await tx.in(byAge).put([9, 'eve'], 'x')
        expect(await all(tx.in(byAge).keys({ prefix: [9] }))).toEqual([[9, 'eve']])
        expect(await tx.in(byAge).count()).toBe(2)
        await tx.in(byAge).rollbackTo(point)
        expect([await tx.in(store).get('count'), await tx.in(byAge).count()]).toEqual(['1', 1])
        await tx.in(byAge).commit()
        expect([tx.ended, await users.get('eve'), await store.get('count')]).toEqual([true, { age: 9 }, '1'])
        const gone = await store.begin()
        await gone.in(byAge).clear()
        await gone.in(users).delete('bob')
        await gone.rollback()
        await expectCodeAsync(() => gone.in(users).get('bob'), 'XENON_TRANSACTION_ENDED')
        expect([await users.get('bob'), await byAge.count()]).toEqual([{ age: 7 }, 1])
        const last = await store.begin()
        for (const foreign of [undefined, {}, store.entries()] as AsyncStore[])
          await expectCodeAsync(async () => last.in(foreign).get('a'), 'XENON_INVALID_ARGUMENT')
        await last.rollback()
      }))

    test('are watched, and the watch ends when they are dropped', () =>
      run(async store => {
        const one = await store.sub('one')
        const changes = await one.watch('k')
        await store.put('k', 'root')
        await one.batch([
          { type: 'put', key: 'k1', value: '1' },
          { type: 'delete', key: 'nobody' },
        ])
        expect((await changes.next()).value).toMatchObject({ type: 'put', key: 'k1', value: '1' })
        const rest = all(changes)
        await store.drop('one')
        expect(await rest).toEqual([])
      }))

    test('are read by iterators that see one moment, over many pages', () =>
      run(async store => {
        const one = await store.sub('one')
        const records = Array.from({ length: 2500 }, (_, i) => [`key ${10_000 + i}`, `value ${i}`] as const)
        await one.batch(records.map(([key, value]) => ({ type: 'put', key, value })))
        const found: [string, string][] = []
        for await (const record of one) {
          if (found.length === 0) await one.clear()
          found.push(record)
        }
        expect(found).toEqual(records)
        expect(await one.count()).toBe(0)
      }))

    test('calls for several of them at a time do not get mixed up', () =>
      run(async store => {
        const random = new Random(7)
        const users = await store.sub('users')
        const places = [store, users, await store.sub('other'), await users.sub('posts')]
        const expected = places.map(() => new Map<string, string>())
        const calls: Promise<unknown>[] = []
        for (let i = 0; i < 2000; i++) {
          const at = random.below(places.length)
          const [place, model] = [places[at]!, expected[at]!]
          const key = `key ${random.below(20)}`
          const there = model.get(key)
          if (random.chance(0.5)) {
            model.set(key, `${at} ${i}`)
            calls.push(place.put(key, `${at} ${i}`))
          } else if (random.chance(0.2)) {
            model.delete(key)
            calls.push(place.delete(key).then(was => expect(was).toBe(there !== undefined)))
          } else calls.push(place.get(key).then(value => expect(value).toBe(there)))
          // It takes no lock: a put that waits for one lets the reads behind it pass.
          if (calls.length % 100 === 0) calls.push(place.transact(tx => tx.get(key), { readOnly: true }))
        }
        await Promise.all(calls)
        for (const [at, place] of places.entries())
          expect(new Map(await all(place.entries({ prefix: 'key' })))).toEqual(expected[at])
      }))
  })
}
