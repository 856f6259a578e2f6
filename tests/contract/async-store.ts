/** What every implementation of `AsyncStore` does: one suite, which the tests beside it run over each of them. */
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import {
  type AsyncStore,
  type AsyncStoreTransaction,
  type Change,
  DecodeError,
  type Range,
  type TupleKey,
  XenonError,
  type XenonErrorCode,
} from '../../src/index.ts'
import { expectCodeAsync, failureOf, wrong } from '../support/errors.ts'
import { type Implementation, type StoreOptions, withStore } from './implementation.ts'
import { indexContract } from './index-reads.ts'
import { subContract } from './subs.ts'

const all = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

/** Long enough for whatever can go on to have gone on, over a socket too. */
const A_MOMENT = 40

const isWaiting = async (promise: Promise<unknown>): Promise<boolean> => {
  let settled = false
  const note = (): void => {
    settled = true
  }
  promise.then(note, note)
  await pause(A_MOMENT)
  return !settled
}

/** Keys whose locks are not in each other's way: they lie in different blocks. */
const keysApart = async (store: AsyncStore, count: number): Promise<string[]> => {
  const keys: string[] = []
  const holder = await store.begin()
  for (let i = 0; keys.length < count; i++) {
    const key = `apart ${i}`
    const probe = await store.begin({ lockTimeout: 0 })
    const failure = await failureOf(() => probe.put(key, 'x'))
    await probe.rollback()
    if (failure !== undefined) continue
    await holder.put(key, 'x')
    keys.push(key)
  }
  await holder.rollback()
  for (const key of keys) await store.put(key, '0')
  return keys
}

const numbered = (i: number): string => `key ${String(i).padStart(5, '0')}`

const fill = async (store: AsyncStore, count: number): Promise<[string, string][]> => {
  const records = Array.from({ length: count }, (_, i): [string, string] => [numbered(i), `value ${i}`])
  await store.batch(records.map(([key, value]) => ({ type: 'put', key, value })))
  return records
}

/** What writes, under a key that is there, with whatever options. */
const writes: Readonly<Record<string, (store: AsyncStore, key: string, options?: object) => Promise<unknown>>> = {
  put: (store, key, options) => store.put(key, 'mine', options),
  delete: (store, key, options) => store.delete(key, options),
  batch: (store, key, options) => store.batch([{ type: 'put', key, value: 'mine' }], options),
  expire: (store, key, options) => store.expire(key, 100_000, options),
  persist: (store, key, options) => store.persist(key, options),
  clear: (store, key, options) => store.clear(key, options),
  'clear all': (store, _, options) => store.clear(undefined, options),
}

export const contract = (implementation: Implementation): void => {
  const run = (body: (store: AsyncStore) => Promise<unknown>, options: StoreOptions = {}): Promise<void> =>
    withStore(implementation, options, body)
  /** One slot's calls wait behind one that waits for a lock, which its end here does not end there. */
  const waitsForNode: StoreOptions = implementation.isOneSlot === true ? { lockTimeout: 1_500 } : {}

  describe(`${implementation.name}: records`, () => {
    test('get, getMany, has, put, delete, count, clear', () =>
      run(async store => {
        expect(await store.get('a')).toBe(undefined)
        await store.put('a', 'A')
        await store.put('ä', 'Ä🎓\0')
        await store.put('empty', '')
        expect(await store.get('ä')).toBe('Ä🎓\0')
        expect(await store.get('empty')).toBe('')
        expect(await store.getMany(['ä', 'nobody', 'a'])).toEqual(['Ä🎓\0', undefined, 'A'])
        expect(await store.getMany([])).toEqual([])
        expect([await store.has('a'), await store.has('b')]).toEqual([true, false])
        expect(await store.count()).toBe(3)
        expect(await store.count('e')).toBe(1)
        expect([await store.delete('a'), await store.delete('a')]).toEqual([true, false])
        expect(await store.count()).toBe(2)
        await store.flush()
        await store.clear()
        expect(await store.count()).toBe(0)
      }))

    test('a put is seen at once, and calls are done in the order in which they are made', () =>
      run(async store => {
        const done = [store.put('a', '1'), store.put('a', '2'), store.delete('b'), store.put('b', '3')]
        expect(await store.getMany(['a', 'b'])).toEqual(['2', '3'])
        await Promise.all(done)
        await Promise.all(Array.from({ length: 500 }, (_, i) => store.put(`many ${i}`, `${i}`)))
        expect(await store.count('many')).toBe(500)
      }))

    test('a batch is one transaction, in the order of its operations', () =>
      run(async store => {
        await store.put('old', '1')
        await store.batch([
          { type: 'put', key: 'a', value: '1' },
          { type: 'put', key: 'a', value: '2' },
          { type: 'put', key: 'b', value: '2', ttl: 100_000 },
          { type: 'put', key: 'c', value: '3', ttl: Number.POSITIVE_INFINITY },
          { type: 'delete', key: 'old' },
          { type: 'delete', key: 'nobody' },
        ])
        expect(await all(store)).toEqual([
          ['a', '2'],
          ['b', '2'],
          ['c', '3'],
        ])
        expect(await store.ttl('b')).toBeGreaterThan(90_000)
        expect(await store.ttl('c')).toBe(Number.POSITIVE_INFINITY)
        await store.batch([])
        await expectCodeAsync(
          () => store.batch([{ type: 'delete', key: 'a' }, wrong({ type: 'move', key: 'b' })]),
          'XENON_INVALID_ARGUMENT',
        )
        expect(await store.has('a')).toBe(true)
      }))

    test('ttl, expire, persist', () =>
      run(async store => {
        await store.put('a', '1', { ttl: 100_000 })
        await store.put('b', '2')
        expect(await store.ttl('a')).toBeGreaterThan(90_000)
        expect(await store.ttl('b')).toBe(Number.POSITIVE_INFINITY)
        expect(await store.ttl('c')).toBe(undefined)
        expect([await store.expire('b', 30), await store.expire('c', 30)]).toEqual([true, false])
        expect([await store.persist('a'), await store.persist('a')]).toEqual([true, false])
        expect(await store.expire('a', 100_000)).toBe(true)
        expect(await store.expire('a', Number.POSITIVE_INFINITY)).toBe(true)
        expect(await store.ttl('a')).toBe(Number.POSITIVE_INFINITY)
        await pause(60)
        expect(await store.getMany(['a', 'b'])).toEqual(['1', undefined])
      }))

    test('values are JSON', () =>
      withStore<unknown>(implementation, { valueEncoding: 'json' }, async store => {
        const value = { name: 'Alice', tags: [1, null, true], text: 'é' }
        await store.put('user', value)
        expect(await store.get('user')).toEqual(value)
        expect(await all(store.values())).toEqual([value])
      }))

    test('keys and values are bytes, large ones too, and stay the caller’s', () =>
      withStore<Uint8Array>(implementation, { valueEncoding: 'binary', keyEncoding: 'binary' }, async store => {
        const key = new Uint8Array([0, 255, 13, 10])
        const value = new Uint8Array([255, 0, 13, 10, 36])
        const put = store.put(key, value)
        key.fill(9)
        value.fill(9)
        await put
        const [then, was] = [new Uint8Array([0, 255, 13, 10]), new Uint8Array([255, 0, 13, 10, 36])]
        expect([key.length, value.length]).toEqual([4, 5])
        expect(new Uint8Array((await store.get(then))!)).toEqual(was)
        const [entry] = await all(store.entries())
        expect(new Uint8Array(entry![0] as unknown as Uint8Array)).toEqual(then)
        expect(new Uint8Array(entry![1])).toEqual(was)
        const large = Array.from({ length: 8 }, (_, i) => new Uint8Array(700_000 + i).fill(i))
        await Promise.all(large.map((each, i) => store.put(`large ${i}`, each)))
        const found = await all(store.values('large'))
        expect(found.map((each, i) => Buffer.compare(each, large[i]!))).toEqual(large.map(() => 0))
        expect(large.map(each => each.byteLength)).toEqual(large.map((_, i) => 700_000 + i))
      }))

    test.skipIf(implementation.isOneSlot)('without the ordered index there are no ranges, and everything else', () =>
      run(
        async store => {
          for (let i = 0; i < 50; i++) await store.put(`k${i}`, 'x')
          for (const ask of [() => all(store.keys()), () => store.count('k'), () => store.clear('k')])
            await expectCodeAsync(ask, 'XENON_NOT_SUPPORTED')
          expect(await store.count()).toBe(50)
          const tx = await store.begin()
          await tx.put('k1', 'y')
          const cleared = store.clear()
          expect(await isWaiting(cleared)).toBe(true)
          await tx.commit()
          await cleared
          expect(await store.count()).toBe(0)
        },
        { ordered: false },
      ),
    )
  })

  describe(`${implementation.name}: errors`, () => {
    const refused: Record<string, [code: XenonErrorCode, call: (store: AsyncStore) => Promise<unknown>]> = {
      'an empty key': ['XENON_INVALID_ARGUMENT', store => store.get('')],
      'a key of another type': ['XENON_INVALID_ARGUMENT', store => store.has(wrong(7))],
      'a key with a lone surrogate': ['XENON_INVALID_ARGUMENT', store => store.put('\ud800', 'x')],
      'keys that are no list': ['XENON_INVALID_ARGUMENT', store => store.getMany(wrong('a'))],
      'a long key': ['XENON_KEY_TOO_LARGE', store => store.delete('x'.repeat(1025))],
      'a value of another type': ['XENON_INVALID_ARGUMENT', store => store.put('a', wrong({}))],
      'a value that no thread can be sent': [
        'XENON_INVALID_ARGUMENT',
        store =>
          store.put(
            'a',
            wrong(() => 1),
          ),
      ],
      'a time that is past': ['XENON_INVALID_ARGUMENT', store => store.put('a', 'b', { ttl: -1 })],
      'a time that is no number': ['XENON_INVALID_ARGUMENT', store => store.expire('a', wrong('soon'))],
      'an unknown option of put': ['XENON_INVALID_ARGUMENT', store => store.put('a', 'b', wrong({ x: 1 }))],
      'options that are none': ['XENON_INVALID_ARGUMENT', store => store.delete('a', wrong(1))],
      'a signal that is none': ['XENON_INVALID_ARGUMENT', store => store.delete('a', wrong({ signal: {} }))],
      'a negative lockTimeout': ['XENON_INVALID_ARGUMENT', store => store.persist('a', { lockTimeout: -1 })],
      'a batch that is no list': ['XENON_INVALID_ARGUMENT', store => store.batch(wrong('a'))],
      'an operation without a type': ['XENON_INVALID_ARGUMENT', store => store.batch([wrong({ key: 'a' })])],
      'an unknown field of a batch': [
        'XENON_INVALID_ARGUMENT',
        store => store.batch([wrong({ type: 'put', key: 'a', value: 'b', tll: 1 })]),
      ],
      'an unknown option of a range': ['XENON_INVALID_ARGUMENT', store => all(store.keys(wrong({ from: 'a' })))],
      'a negative limit': ['XENON_INVALID_ARGUMENT', store => all(store.entries({ limit: -1 }))],
      'a range that is none': ['XENON_INVALID_ARGUMENT', store => store.count(wrong(1))],
      'a bound that is none': ['XENON_INVALID_ARGUMENT', store => store.clear({ gt: wrong(1) })],
      'an unknown isolation': ['XENON_INVALID_ARGUMENT', store => store.begin({ isolation: wrong('none') })],
      'an unknown option of begin': ['XENON_INVALID_ARGUMENT', store => store.begin(wrong({ retries: 1 }))],
      'negative retries': ['XENON_INVALID_ARGUMENT', store => store.transact(() => 1, { retries: -1 })],
      'work that is no function': ['XENON_INVALID_ARGUMENT', store => store.transact(wrong(1))],
      'a watch backwards': ['XENON_INVALID_ARGUMENT', store => store.watch({ reverse: true })],
      'a buffer of nothing': ['XENON_INVALID_ARGUMENT', store => store.watch('a', { buffer: 0 })],
    }
    test.each(Object.entries(refused))('%s', (_, [code, call]) =>
      run(async store => {
        let promise: Promise<unknown> | undefined
        expect(() => {
          promise = call(store)
        }, 'nothing is thrown at once').not.toThrow()
        const error = (await failureOf(() => promise)) as XenonError
        expect(error).toBeInstanceOf(XenonError)
        expect(error).toMatchObject({ code })
        expect(await store.count()).toBe(0)
      }),
    )

    test('a value that is not what the encoding makes', async () => {
      await withStore<unknown>(implementation, { valueEncoding: 'json' }, async store => {
        const circle: { self?: unknown } = {}
        circle.self = circle
        await expectCodeAsync(() => store.put('a', circle), 'XENON_ENCODE')
        await expectCodeAsync(() => store.put('a', undefined), 'XENON_ENCODE')
        expect(await store.has('a')).toBe(false)
      })
    })
  })

  describe.skipIf(implementation.isSub)(`${implementation.name}: records that cannot be decoded`, () => {
    const written = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`k0${i}`, String(i)]))
    const broken: StoreOptions = { valueEncoding: 'json', written: { ...written, k03: '{', k04: '{' } }

    test('are errors that name their key, and iterators go on behind them', async () => {
      await withStore<unknown>(implementation, broken, async store => {
        const error = await failureOf(() => store.get('k03'))
        expect(error).toBeInstanceOf(DecodeError)
        expect(error).toMatchObject({ code: 'XENON_DECODE', key: 'k03', encoding: 'json' })
        expect((error as Error).cause).toMatchObject({ name: 'SyntaxError' })
        await expectCodeAsync(() => store.getMany(['k01', 'k04']), 'XENON_DECODE')
        const tx = await store.begin()
        for (const reads of [store, tx]) {
          const entries = reads.entries()
          const seen: unknown[] = []
          for (let ended = false; !ended; )
            try {
              const step = await entries.next()
              if (step.done === true) ended = true
              else seen.push(step.value[1])
            } catch (failed) {
              seen.push((failed as DecodeError).key)
            }
          expect(seen).toEqual([0, 1, 2, 'k03', 'k04', 5, 6, 7, 8, 9])
        }
        await tx.rollback()
      })
    })

    test('are passed over, or handed to a function, and do not count for a limit', async () => {
      await withStore<unknown>(implementation, broken, async store => {
        const tx = await store.begin()
        for (const reads of [store, tx]) {
          expect(await all(reads.values({ onDecodeError: 'skip', limit: 5 }))).toEqual([0, 1, 2, 5, 6])
          expect(await all(reads.values({ onDecodeError: 'skip', reverse: true }))).toEqual([9, 8, 7, 6, 5, 2, 1, 0])
          const found: unknown[] = []
          const range = { gte: 'k02', onDecodeError: (error: DecodeError) => found.push(error.key) }
          expect((await all(reads.entries(range))).map(([, value]) => value)).toEqual([2, 5, 6, 7, 8, 9])
          expect(found).toEqual(['k03', 'k04'])
          const page = await reads.page(range, 3)
          expect(page.entries.map(([, value]) => value)).toEqual([2, 5, 6])
          expect(found).toEqual(['k03', 'k04', 'k03', 'k04'])
          expect(await reads.count(range)).toBe(8)
          expect(await all(reads.keys({ onDecodeError: 'skip' }))).toHaveLength(10)
          expect(await reads.count({ onDecodeError: 'skip' })).toBe(10)
        }
        await tx.rollback()
        await expectCodeAsync(() => all(store.keys({ onDecodeError: wrong('no') })), 'XENON_INVALID_ARGUMENT')
      })
    })
  })

  describe(`${implementation.name}: ranges`, () => {
    test('prefixes, bounds, limits, forwards and backwards, over many pages', () =>
      run(async store => {
        const records = await fill(store, 2600)
        const keys = records.map(([key]) => key)
        const ranges: [Range | string | undefined, [string, string][]][] = [
          [undefined, records],
          ['key 0001', records.slice(10, 20)],
          [{ prefix: 'key 0001', reverse: true }, records.slice(10, 20).reverse()],
          [{ gt: numbered(10), lte: numbered(12) }, records.slice(11, 13)],
          [{ gte: numbered(10), lt: numbered(12) }, records.slice(10, 12)],
          [{ gte: numbered(100), limit: 1500 }, records.slice(100, 1600)],
          [{ limit: 1000 }, records.slice(0, 1000)],
          [{ reverse: true, limit: 1101 }, records.slice(-1101).reverse()],
          [{ reverse: true }, [...records].reverse()],
          [{ limit: 0 }, []],
          [{ gt: 'b', lt: 'a' }, []],
          ['nothing', []],
        ]
        for (const [range, expected] of ranges) {
          expect(await all(store.entries(range)), JSON.stringify(range)).toEqual(expected)
          expect(await all(store.keys(range))).toEqual(expected.map(([key]) => key))
          expect(await all(store.values(range))).toEqual(expected.map(([, value]) => value))
          expect(await store.count(range)).toBe(expected.length)
        }
        await store.clear('key 000')
        expect(await all(store.keys())).toEqual(keys.slice(100))
        await store.clear({ gte: numbered(200) })
        expect(await all(store)).toEqual(records.slice(100, 200))
      }))

    test('an iterator sees one moment, whatever changes meanwhile', () =>
      run(async store => {
        const records = await fill(store, 3000)
        const iterator = store.entries()
        const seen = [(await iterator.next()).value!]
        await store.put('key 00000 more', 'late')
        await store.put(numbered(2500), 'changed')
        await store.delete(numbered(2900))
        for await (const entry of iterator) {
          seen.push(entry)
          if (seen.length === 1500) await store.clear('key 02')
        }
        expect(seen).toEqual(records)
        expect(await store.count()).toBe(2001)
        expect(await all(store.keys({ limit: 2 }))).toEqual([numbered(0), 'key 00000 more'])
      }))

    test('a loop that is left early, by break, by an error, or by return, leaves nothing open', () =>
      run(async store => {
        await fill(store, 3000)
        for (const stop of [0, 1, 1500]) {
          let at = 0
          for await (const _ of store.keys()) if (at++ === stop) break
          const failure = await failureOf(async () => {
            let at = 0
            for await (const _ of store.entries({ reverse: true })) if (at++ === stop) throw new Error('mine')
          })
          expect(failure).toMatchObject({ message: 'mine' })
        }
        const unused = store.values()
        expect(await unused.return(undefined)).toMatchObject({ done: true })
        const used = store.values()
        await used.next()
        await used.return(undefined)
        expect(await used.next()).toEqual({ done: true, value: undefined })
        const tx = await store.begin()
        for await (const _ of tx.keys()) break
        await tx.rollback()
      }))

    test('has map, filter, take and the others on its iterators, as arrays have them', () =>
      run(async store => {
        const records = await fill(store, 300)
        expect(await store.keys().toArray()).toEqual(records.map(([key]) => key))
        const some = store.entries({ reverse: true }).filter(([, value]) => value.endsWith('7'))
        expect(
          await some
            .map(async ([key]) => key)
            .take(2)
            .toArray(),
        ).toEqual([numbered(297), numbered(287)])
        expect(await store.values().find(value => value === 'value 12')).toBe('value 12')
        const tx = await store.begin()
        await tx.put('zz', 'last')
        expect(await tx.values().reduce((count, value) => count + Number(value === 'last'), 0)).toBe(1)
        await tx.rollback()
      }))

    test('gives pages of a range, each behind the last key of the one before', () =>
      run(async store => {
        const records = await fill(store, 25)
        const range = { gte: numbered(3), reverse: true }
        const first = await store.page(range, 10)
        expect(first.entries).toEqual(records.slice(15).reverse())
        await store.delete(numbered(15))
        await store.put(`${numbered(14)}a`, 'new')
        const second = await store.page(range, 10, first.cursor)
        expect(second.entries.map(([key]) => key)).toEqual([
          `${numbered(14)}a`,
          ...records
            .slice(6, 15)
            .reverse()
            .map(([key]) => key),
        ])
        const tx = await store.begin()
        await tx.delete(numbered(5))
        const last = await tx.page(range, 10, second.cursor)
        expect(last).toEqual({ entries: [records[4], records[3]], cursor: undefined })
        await tx.rollback()
        await expectCodeAsync(() => store.page(undefined, 10, first.cursor), 'XENON_INVALID_ARGUMENT')
        await expectCodeAsync(() => store.page(range, 0), 'XENON_INVALID_ARGUMENT')
      }))

    test('many iterators at a time, one inside the other', () =>
      run(async store => {
        await fill(store, 1500)
        let pairs = 0
        for await (const key of store.keys({ limit: 30 }))
          for await (const other of store.keys({ gt: key, limit: 1200 })) if (other > key) pairs++
        expect(pairs).toBe(30 * 1200)
        const counts = await Promise.all(Array.from({ length: 12 }, async () => (await all(store.keys())).length))
        expect(counts).toEqual(Array(12).fill(1500))
      }))
  })

  describe(`${implementation.name}: locks`, () => {
    test.skipIf(implementation.isOneSlot).each(Object.entries(writes))(
      '%s waits for a transaction, and is done when that has ended',
      (name, write) =>
        run(async store => {
          await store.put('a', '0')
          const tx = await store.begin()
          await tx.put('a', 'theirs', { ttl: 100_000 })
          const writing = write(store, 'a')
          expect(await isWaiting(writing)).toBe(true)
          // What is committed can be read all the while.
          expect(await store.get('a')).toBe('0')
          await tx.commit()
          expect(await writing).toBe(['delete', 'expire', 'persist'].includes(name) ? true : undefined)
          const value =
            name === 'put' || name === 'batch'
              ? 'mine'
              : name.startsWith('e') || name === 'persist'
                ? 'theirs'
                : undefined
          expect(await store.get('a')).toBe(value)
        }),
    )

    test('who waits is served in order', () =>
      run(async store => {
        await store.put('a', '0')
        const tx = await store.begin()
        await tx.put('a', 'theirs')
        const order: number[] = []
        const waiting = [1, 2, 3, 4].map(i => store.put('a', `${i}`).then(() => order.push(i)))
        await pause(A_MOMENT)
        await tx.rollback()
        await Promise.all(waiting)
        expect(order).toEqual([1, 2, 3, 4])
        expect(await store.get('a')).toBe('4')
      }))

    test.skipIf(implementation.isOneSlot)('who waits keeps nobody waiting but for changes of the same key', () =>
      run(async store => {
        const [a, b] = (await keysApart(store, 2)) as [string, string]
        const tx = await store.begin()
        await tx.put(a, 'theirs')
        const first = store.batch([{ type: 'put', key: a, value: 'first' }])
        const second = store.put(a, 'second')
        await store.put(b, '1')
        await store.batch([{ type: 'put', key: b, value: '2' }])
        expect(await store.getMany([a, b])).toEqual(['0', '2'])
        expect((await all(store.keys())).length).toBe(2)
        expect(await isWaiting(first)).toBe(true)
        const third = store.put(a, 'third')
        await tx.commit()
        const fourth = store.put(a, 'fourth')
        await Promise.all([first, second, third, fourth])
        expect(await store.get(a)).toBe('fourth')
      }),
    )

    test('a put into a range that a transaction has read waits, one beside it does not', () =>
      run(async store => {
        const tx = await store.begin()
        expect(await tx.count('seat:')).toBe(0)
        const inside = store.put('seat:1', 'taken')
        expect(await isWaiting(inside)).toBe(true)
        await tx.commit()
        await inside
        expect(await store.get('seat:1')).toBe('taken')
      }))

    test.each(Object.entries(writes))('%s gives up after lockTimeout', (_, write) =>
      run(
        async store => {
          await store.put('a', '0', { ttl: 100_000 })
          const tx = await store.begin()
          await tx.put('a', 'theirs')
          const started = performance.now()
          await expectCodeAsync(() => write(store, 'a', { lockTimeout: 80 }), 'XENON_LOCK_CONFLICT')
          const took = performance.now() - started
          expect(took).toBeGreaterThan(70)
          expect(took).toBeLessThan(3000)
          await tx.rollback()
          expect(await store.get('a')).toBe('0')
          await write(store, 'a', { lockTimeout: 80 })
        },
        { lockTimeout: 30_000 },
      ),
    )

    test('the lockTimeout of the database is that of all calls', () =>
      run(
        async store => {
          const tx = await store.begin()
          await tx.put('a', 'theirs')
          await expectCodeAsync(() => store.put('a', 'mine'), 'XENON_LOCK_CONFLICT')
          const other = await store.begin()
          await expectCodeAsync(() => other.put('a', 'mine'), 'XENON_LOCK_CONFLICT')
          await other.rollback()
          await tx.commit()
          expect(await store.get('a')).toBe('theirs')
        },
        { lockTimeout: 60 },
      ))

    test('a put that has met a deadlock with a transaction goes on when that one goes on', () =>
      run(async store => {
        const [a] = (await keysApart(store, 1)) as [string]
        const tx = await store.begin()
        expect(await tx.count('new')).toBe(0)
        const puts = Array.from({ length: 20 }, (_, i) => store.put(`new ${i}`, 'x'))
        await pause(A_MOMENT)
        // Their blocks are theirs by now, perhaps; the range is the transaction's.
        const failure = await failureOf(async () => {
          for (let i = 0; i < 20; i++) await tx.get(`new ${i}`)
          await tx.put(a, 'theirs')
          await tx.commit()
        })
        if (failure !== undefined) expect(failure).toMatchObject({ code: 'XENON_DEADLOCK' })
        await Promise.all(puts)
        expect(await store.count('new')).toBe(20)
      }))
  })

  describe(`${implementation.name}: signals`, () => {
    const begins: typeof writes = {
      ...writes,
      begin: (store, _, options) => store.begin(options),
      transact: (store, key, options) => store.transact(tx => tx.put(key, 'mine'), options),
      watch: (store, key, options) => store.watch(key, options),
    }
    test.each(Object.entries(begins))('%s with one that is aborted already does nothing', (_, call) =>
      run(async store => {
        await store.put('a', '0', { ttl: 100_000 })
        const signal = AbortSignal.abort(new Error('mine'))
        expect(await failureOf(() => call(store, 'a', { signal }))).toBe(signal.reason)
        expect(await store.get('a')).toBe('0')
        expect(await store.ttl('a')).toBeLessThan(100_001)
      }),
    )

    test.each(Object.entries(writes))('%s that waits for a lock is ended by one, and not done later', (_, write) =>
      run(async store => {
        await store.put('a', '0', { ttl: 100_000 })
        const tx = await store.begin()
        await tx.put('a', 'theirs', { ttl: 100_000 })
        const controller = new AbortController()
        const writing = failureOf(() => write(store, 'a', { signal: controller.signal }))
        expect(await isWaiting(writing)).toBe(true)
        const reason = new Error('mine')
        controller.abort(reason)
        expect(await writing).toBe(reason)
        await pause(A_MOMENT)
        await tx.commit()
        expect(await store.get('a')).toBe('theirs')
        expect(await store.ttl('a')).toBeLessThan(100_001)
        await store.put('a', 'free', { signal: new AbortController().signal })
      }, waitsForNode),
    )

    test('a transaction is rolled back by one, whether it waits or not', () =>
      run(async store => {
        const reason = new Error('mine')
        for (const waits of [false, true]) {
          await store.put('a', '0')
          const holder = await store.begin()
          if (waits) await holder.put('b', 'theirs')
          const controller = new AbortController()
          const tx = await store.begin({ signal: controller.signal })
          if (!waits) await tx.put('a', 'mine')
          const waiting = waits ? failureOf(() => tx.put('b', 'mine')) : undefined
          await pause(A_MOMENT)
          controller.abort(reason)
          if (waits) expect(await waiting).toBe(reason)
          await holder.rollback()
          for (const use of [() => tx.get('a'), () => tx.put('a', 'x'), () => tx.commit()])
            expect(await failureOf(use)).toBe(reason)
          expect(tx.ended).toBe(true)
          // Its locks are free.
          await store.put('a', 'free')
          expect(await store.get('b')).toBe(undefined)
        }
      }))

    test('transact is ended by one, and does not run again', () =>
      run(async store => {
        const controller = new AbortController()
        const reason = new Error('mine')
        let runs = 0
        const holder = await store.begin()
        await holder.put('a', 'theirs')
        let begin = (): void => {}
        const begun = new Promise<void>(resolve => {
          begin = resolve
        })
        const running = failureOf(() =>
          store.transact(
            async tx => {
              runs++
              begin()
              await tx.put('a', 'mine').catch(() => {})
            },
            { signal: controller.signal },
          ),
        )
        await begun
        expect(await isWaiting(running)).toBe(true)
        controller.abort(reason)
        expect(await running).toBe(reason)
        expect(runs).toBe(1)
        await pause(A_MOMENT)
        await holder.commit()
        expect(await store.get('a')).toBe('theirs')
      }))
  })

  describe(`${implementation.name}: transactions`, () => {
    test('see their own changes, commit, and roll back', () =>
      run(async store => {
        await store.put('a', '1')
        await store.put('gone', '1')
        const tx = await store.begin()
        expect(tx.isolation).toBe('serializable')
        await tx.put('a', '2')
        await tx.put('b', '1', { ttl: 100_000 })
        expect(await tx.delete('gone')).toBe(true)
        expect(await tx.getMany(['a', 'b', 'gone'])).toEqual(['2', '1', undefined])
        expect(await tx.has('b')).toBe(true)
        expect(await tx.ttl('b')).toBeGreaterThan(90_000)
        expect(await tx.ttl('a')).toBe(Number.POSITIVE_INFINITY)
        expect([await tx.persist('b'), await tx.expire('a', 100_000)]).toEqual([true, true])
        expect(await all(tx.keys())).toEqual(['a', 'b'])
        expect(await all(tx.values({ reverse: true }))).toEqual(['1', '2'])
        expect(await all(tx.entries({ limit: 1 }))).toEqual([['a', '2']])
        expect(await tx.count()).toBe(2)
        expect(await store.getMany(['a', 'b', 'gone'])).toEqual(['1', undefined, '1'])
        await tx.commit()
        expect(tx.ended).toBe(true)
        expect(await store.getMany(['a', 'b', 'gone'])).toEqual(['2', '1', undefined])
        expect(await store.ttl('a')).toBeLessThan(100_001)
        const other = await store.begin()
        await other.clear()
        expect(await other.count()).toBe(0)
        await other.rollback()
        expect(await store.count()).toBe(2)
      }))

    test('go on past a page, and stay as they are for the length of a transaction', () =>
      run(async store => {
        const records = await fill(store, 2500)
        const tx = await store.begin()
        expect(await all(tx.entries())).toEqual(records)
        const writing = store.put('key 00100 more', 'late')
        expect(await isWaiting(writing)).toBe(true)
        expect((await all(tx.keys())).length).toBe(2500)
        await tx.clear('key 02')
        expect(await tx.count()).toBe(2000)
        await tx.commit()
        await writing
        expect(await store.count()).toBe(2001)
      }))

    test('savepoints take back a part', () =>
      run(async store => {
        const tx = await store.begin()
        await tx.put('a', '1')
        const first = await tx.savepoint()
        await tx.put('a', '2')
        const second = await tx.savepoint()
        await tx.put('b', '1')
        await tx.rollbackTo(first)
        expect(await tx.getMany(['a', 'b'])).toEqual(['1', undefined])
        await expectCodeAsync(() => tx.rollbackTo(second), 'XENON_INVALID_ARGUMENT')
        await expectCodeAsync(() => tx.rollbackTo({}), 'XENON_INVALID_ARGUMENT')
        const other = await store.begin()
        await expectCodeAsync(() => other.rollbackTo(first), 'XENON_INVALID_ARGUMENT')
        await other.rollback()
        await tx.commit()
        expect(await all(store)).toEqual([['a', '1']])
      }))

    test('at the level snapshot, and with readOnly, they see the moment of their beginning', () =>
      run(async store => {
        await store.put('a', '1')
        for (const options of [{ isolation: 'snapshot' }, { readOnly: true }] as const) {
          const tx = await store.begin(options)
          const before = await tx.get('a')
          await store.put('a', `${before} and more`)
          expect(await tx.get('a')).toBe(before)
          expect(await all(tx.values())).toEqual([before])
          if ('readOnly' in options)
            for (const write of [() => tx.put('a', 'x'), () => tx.delete('a'), () => tx.clear()])
              await expectCodeAsync(write, 'XENON_READ_ONLY')
          await tx.rollback()
        }
      }))

    test('have ended once, and say so', () =>
      run(async store => {
        for (const end of ['commit', 'rollback'] as const) {
          const tx = await store.begin()
          await tx.put('a', '1')
          await tx[end]()
          expect(tx.ended).toBe(true)
          for (const use of [
            () => tx.get('a'),
            () => tx.put('a', '2'),
            () => tx.delete('a'),
            () => all(tx.keys()),
            () => tx.count(),
            () => tx.savepoint(),
            () => tx.commit(),
            () => tx.rollback(),
          ])
            await expectCodeAsync(use, 'XENON_TRANSACTION_ENDED')
          await tx[Symbol.asyncDispose]()
        }
        const left = await store.begin()
        await left.put('b', '1')
        await left[Symbol.asyncDispose]()
        expect(left.ended).toBe(true)
        expect(await store.has('b')).toBe(false)
      }))

    test('refuse wrong arguments, and go on', () =>
      run(async store => {
        const tx = await store.begin()
        await tx.put('a', '1')
        for (const use of [
          () => tx.get(''),
          () => tx.put('a', wrong(1)),
          () => tx.put('a', 'x', wrong({ lockTimeout: 5 })),
          () => tx.put('a', 'x', { ttl: -5 }),
          () => tx.expire('a', Number.NaN),
          () => all(tx.keys(wrong({ from: 1 }))),
        ])
          await expectCodeAsync(use, 'XENON_INVALID_ARGUMENT')
        expect(await tx.get('a')).toBe('1')
        await tx.commit()
      }))

    test('of two that wait for each other the younger is rolled back', () =>
      run(async store => {
        const [a, b] = (await keysApart(store, 2)) as [string, string]
        const old = await store.begin()
        const young = await store.begin()
        await old.put(a, 'old')
        await young.put(b, 'young')
        const waiting = old.put(b, 'old')
        expect(await isWaiting(waiting)).toBe(true)
        await expectCodeAsync(() => young.put(a, 'young'), 'XENON_DEADLOCK')
        expect(young.ended).toBe(true)
        await expectCodeAsync(() => young.get(a), 'XENON_TRANSACTION_ENDED')
        await waiting
        await old.commit()
        expect(await store.getMany([a, b])).toEqual(['old', 'old'])
      }))

    test('at the level snapshot, the first committer wins', () =>
      run(async store => {
        await store.put('a', '1')
        const tx = await store.begin({ isolation: 'snapshot' })
        expect(await tx.get('a')).toBe('1')
        await store.put('a', '2')
        await expectCodeAsync(() => tx.put('a', '3'), 'XENON_WRITE_CONFLICT')
        await tx.rollback()
        expect(await store.get('a')).toBe('2')
      }))
  })

  describe(`${implementation.name}: transact`, () => {
    test('gives the result, and rolls back what throws', () =>
      run(async store => {
        expect(
          await store.transact(async tx => {
            await tx.put('a', '1')
            return 'done'
          }),
        ).toBe('done')
        const mine = new Error('mine')
        const failing = store.transact(async tx => {
          await tx.put('a', '2')
          throw mine
        })
        expect(await failureOf(() => failing)).toBe(mine)
        expect(await store.get('a')).toBe('1')
        await store.transact(async tx => {
          await tx.put('a', '3')
          await tx.rollback()
        })
        expect(await store.get('a')).toBe('1')
        const generator = function* (): Generator<number> {
          yield 1
        }
        await expectCodeAsync(() => store.transact(wrong(generator)), 'XENON_INVALID_ARGUMENT')
      }))

    test('runs again after a deadlock, until both have committed', () =>
      run(async store => {
        const [a, b] = (await keysApart(store, 2)) as [string, string]
        let arrived = 0
        let runs = 0
        const meet = async (tx: AsyncStoreTransaction, first: string, second: string): Promise<void> => {
          runs++
          await tx.put(first, first)
          arrived++
          // The first two runs each hold one before they ask for the other.
          while (arrived < 2) await pause(1)
          await tx.put(second, first)
        }
        await Promise.all([store.transact(tx => meet(tx, a, b)), store.transact(tx => meet(tx, b, a))])
        expect(runs).toBeGreaterThan(2)
        const [one, two] = await store.getMany([a, b])
        expect(one).toBe(two)
      }))

    test('gives up after its last retry, with the error of that', () =>
      run(async store => {
        let runs = 0
        const running = store.transact(
          async tx => {
            await tx.get('a')
            await store.put('a', `from outside ${runs++}`)
            await tx.put('a', 'mine')
          },
          { isolation: 'snapshot', retries: 3 },
        )
        await expectCodeAsync(() => running, 'XENON_WRITE_CONFLICT')
        expect(runs).toBe(4)
        expect(await store.get('a')).toBe('from outside 3')
      }))

    test('does not take a conflict for success that its work has swallowed', () =>
      run(async store => {
        const running = store.transact(
          async tx => {
            await tx.get('a')
            await store.put('a', 'from outside')
            await tx.put('a', 'mine').catch(() => {})
          },
          { isolation: 'snapshot', retries: 0 },
        )
        await running.catch(() => {})
        expect(await store.get('a')).toBe('from outside')
      }))

    test('200 increments of one counter that read before they write: none is lost', () =>
      run(async store => {
        await store.put('counter', '0')
        const add = async (tx: AsyncStoreTransaction): Promise<void> => {
          await tx.put('counter', String(Number(await tx.get('counter')) + 1))
        }
        await Promise.all(Array.from({ length: 200 }, () => store.transact(add, { retries: Number.POSITIVE_INFINITY })))
        expect(await store.get('counter')).toBe('200')
      }))
  })

  describe.skipIf(implementation.isOneSlot)(`${implementation.name}: watch`, () => {
    test('gives the changes of a range in the order of their commits', () =>
      run(async store => {
        const watcher = await store.watch('user:')
        await store.put('user:ada', 'Ada')
        await store.put('city:oslo', 'Oslo')
        await store.transact(async tx => {
          await tx.put('user:b', 'B')
          await tx.put('user:a', 'A')
          await tx.delete('user:ada')
        })
        const changes: Change<string>[] = []
        for await (const change of watcher) if (changes.push(change) === 4) break
        expect(changes.map(({ type, key }) => `${type} ${key}`)).toEqual([
          'put user:ada',
          'put user:a',
          'delete user:ada',
          'put user:b',
        ])
        const [first, ...others] = changes
        expect(first).toMatchObject({ value: 'Ada' })
        expect(new Set(others.map(({ commit }) => commit)).size).toBe(1)
        expect(others[0]!.commit).toBeGreaterThan(first!.commit)
        // Left by break, it is over.
        expect(await watcher.next()).toEqual({ done: true, value: undefined })
      }))

    test('with many changes loses none', () =>
      run(async store => {
        const watcher = await store.watch('key')
        const reading = (async () => {
          const keys: string[] = []
          for await (const { key } of watcher) if (keys.push(key) === 2000) break
          return keys
        })()
        const records = await fill(store, 1000)
        for (let i = 0; i < 1000; i += 100)
          await Promise.all(records.slice(i, i + 100).map(([key]) => store.put(key, 'again')))
        const keys = await reading
        expect(keys.slice(0, 1000)).toEqual(records.map(([key]) => key))
        expect(keys.slice(1000).sort()).toEqual(records.map(([key]) => key))
      }))

    test('ends when more changes wait to be read than its buffer holds', () =>
      run(async store => {
        const watcher = await store.watch(undefined, { buffer: 3 })
        for (let i = 0; i < 20; i++) await store.put(`k${i}`, 'x')
        await pause(A_MOMENT)
        const seen: string[] = []
        const failure = await failureOf(async () => {
          for await (const { key } of watcher) seen.push(key)
        })
        expect(failure).toMatchObject({ code: 'XENON_WATCH_OVERFLOW' })
        expect(seen).toEqual(['k0', 'k1', 'k2'])
        expect(await watcher.next()).toEqual({ done: true, value: undefined })
      }))

    test('ends with its signal, with return, and with the store', () =>
      run(async store => {
        const controller = new AbortController()
        const reason = new Error('mine')
        const aborted = await store.watch('a', { signal: controller.signal })
        const waiting = failureOf(() => aborted.next())
        controller.abort(reason)
        expect(await waiting).toBe(reason)
        expect(await aborted.next()).toEqual({ done: true, value: undefined })
        const returned = await store.watch()
        const next = returned.next()
        await returned.return()
        expect(await next).toEqual({ done: true, value: undefined })
        if (implementation.isSub === true) return
        const closed = await store.watch()
        const last = closed.next()
        await store.close()
        expect(await last).toEqual({ done: true, value: undefined })
      }))
  })

  describe(`${implementation.name}: tuple keys`, () => {
    const tuples = (body: (store: AsyncStore<string, TupleKey>) => Promise<unknown>): Promise<void> =>
      withStore(implementation, { keyEncoding: 'tuple' }, store =>
        body(store as unknown as AsyncStore<string, TupleKey>),
      )
    const keys: TupleKey[] = [
      null,
      true,
      -1,
      42,
      42n,
      'text\0',
      new Uint8Array([0, 1, 255]),
      ['user', 42],
      ['user', 42, ['nested', [1n]]],
      ['user', 421],
    ]

    test('come back as they went, in the order of tuples', () =>
      tuples(async store => {
        await store.batch([...keys].reverse().map((key, i) => ({ type: 'put', key, value: `${i}` })))
        expect(await all(store.keys())).toStrictEqual(keys)
        expect((await all(store)).map(([key]) => key)).toStrictEqual(keys)
        expect(await store.getMany(keys)).toEqual(keys.map((_, i) => `${keys.length - 1 - i}`))
        for (const key of keys) expect(await store.has(key)).toBe(true)
        expect(await all(store.keys(['user', 42]))).toEqual([keys[7], keys[8]])
        expect(await all(store.keys({ prefix: ['user'], reverse: true, limit: 1 }))).toEqual([keys[9]])
        expect(await all(store.keys({ gt: -1, lte: 42n }))).toEqual([42, 42n])
        expect(await store.count(['user'])).toBe(3)
        await store.put(['user', 7], 'x', { ttl: 60_000 })
        expect(await store.ttl(['user', 7])).toBeGreaterThan(1000)
        expect(await store.expire(['user', 7], 90_000)).toBe(true)
        expect(await store.persist(['user', 7])).toBe(true)
        expect(await store.delete(['user', 7])).toBe(true)
        await store.clear(['user', 42])
        expect(await all(store.keys(['user']))).toEqual([keys[9]])
      }))

    test.skipIf(implementation.isOneSlot)('are watched, and changed in transactions', () =>
      tuples(async store => {
        const watcher = await store.watch(['user'])
        await store.transact(async tx => {
          await tx.put(['user', 1n], 'a')
          await tx.put(['other'], 'b')
          expect(await all(tx.keys(['user']))).toEqual([['user', 1n]])
          expect(await tx.get(['user', 1n])).toBe('a')
        })
        expect((await watcher.next()).value).toMatchObject({ type: 'put', key: ['user', 1n], value: 'a' })
        await watcher.return()
      }),
    )

    test('that are none are refused', () =>
      tuples(async store => {
        for (const key of [undefined, Number.NaN, {}, ['a', undefined]].map(each => wrong(each))) {
          await expectCodeAsync(() => store.get(key), 'XENON_INVALID_ARGUMENT')
          await expectCodeAsync(() => store.put(key, 'x'), 'XENON_INVALID_ARGUMENT')
        }
        await expectCodeAsync(() => all(store.keys('user')), 'XENON_INVALID_ARGUMENT')
        await expectCodeAsync(() => store.put(['x'.repeat(2000)], 'x'), 'XENON_KEY_TOO_LARGE')
        expect(await store.count()).toBe(0)
      }))
  })

  if (!implementation.isOneSlot) subContract(implementation)
  indexContract(implementation)

  describe.skipIf(implementation.isSub || implementation.isOneSlot)(`${implementation.name}: close`, () => {
    test('lets the writes on their way be done; afterwards there is a typed error', () =>
      run(async store => {
        await store.put('a', '0')
        const tx = await store.begin({ readOnly: true })
        expect(await tx.get('a')).toBe('0')
        const writing = [store.put('a', '1'), store.put('c', '1')]
        expect(store.closed).toBe(false)
        await Promise.all([store.close(), store.close()])
        await Promise.all(writing)
        expect(store.closed).toBe(true)
        for (const use of [
          () => store.get('a'),
          () => store.getMany(['a']),
          () => store.has('a'),
          () => store.ttl('a'),
          () => store.count(),
          () => store.put('a', '2'),
          () => store.put('a', '2', { lockTimeout: 5 }),
          () => store.delete('a'),
          () => store.batch([{ type: 'delete', key: 'a' }]),
          () => store.expire('a', 5),
          () => store.persist('a'),
          () => store.clear(),
          () => store.clear('a'),
          () => all(store.keys()),
          () => all(store),
          () => store.begin(),
          () => store.transact(other => other.get('a')),
          () => store.watch(),
          () => store.flush(),
        ])
          await expectCodeAsync(use, 'XENON_CLOSED')
        await store.close()
        await store[Symbol.asyncDispose]()
      }))

    test('rolls back what is open, and ends what waits', () =>
      run(async store => {
        const tx = await store.begin()
        await tx.put('a', 'theirs')
        const other = await store.begin()
        const waiting = failureOf(() => other.put('a', 'mine'))
        const put = store.put('a', 'mine').catch(() => {})
        await pause(A_MOMENT)
        await store.close()
        expect(await waiting).toBeInstanceOf(XenonError)
        await put
        expect(await failureOf(() => tx.get('a'))).toBeInstanceOf(XenonError)
      }))
  })
}
