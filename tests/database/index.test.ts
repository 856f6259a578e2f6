/** Secondary indexes: what they find, what they refuse, and how they are built (rules Q1 and Q2). */
import { deflateSync, inflateSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { Engine } from '../../src/engine/engine.ts'
import {
  type CompressionCodec,
  convert,
  type Database,
  type Index,
  type IndexFunctionError,
  memoryStorage,
  type NotUniqueError,
  type OpenOptions,
  open,
  type Storage,
} from '../../src/index.ts'
import { withMutant } from '../../src/testing/mutants.ts'
import { expectVerified, withMemoryDatabase } from '../support/database.ts'
import { expectCode, thrownBy } from '../support/errors.ts'
import { readImage, storageOf } from '../support/image.ts'

interface User {
  city?: string
  email?: string
  age?: number
  tags?: string[]
}

const options: OpenOptions<User> = { valueEncoding: 'json', durability: 'process' }
const withUsers = (work: (db: Database<User>) => unknown): Promise<void> =>
  withMemoryDatabase<User>(options, ({ db }) => work(db))

const cityOf = (user: User): string | undefined => user.city
const emailOf = (user: User): string | undefined => user.email
const keysOf = (items: Iterable<[unknown, unknown, ...unknown[]]>): unknown[] => [...items].map(([, key]) => key)

const engineOf = (db: Database<User>): Engine => (db as unknown as { engine: Engine }).engine
const rejection = async (promise: Promise<unknown>): Promise<{ code?: string; message: string }> => {
  try {
    await promise
  } catch (error) {
    return error as Error
  }
  throw new Error('it did not reject')
}

/** More records than are indexed at once. */
const MANY = 5000
const fill = (db: Pick<Database<User>, 'batch'>, from: number = 0, to: number = MANY): void =>
  db.batch(
    Array.from({ length: to - from }, (_, i) => ({
      type: 'put' as const,
      key: `user ${from + i}`,
      value: { city: `city ${(from + i) % 10}`, email: `${from + i}@here` },
    })),
  )

describe('an index', () => {
  test('finds records by one key, by several, or by none', () =>
    withUsers(async db => {
      const city = db.index('city', cityOf)
      const tag = db.index('tag', user => user.tags)
      db.put('ada', { city: 'London', tags: ['math', 'poetry', 'math'] })
      db.put('alan', { city: 'London', tags: ['math'] })
      db.put('grace', { tags: [] })
      expect(city.get('London')).toEqual({ city: 'London', tags: ['math', 'poetry', 'math'] })
      expect(city.get('Paris')).toBeUndefined()
      expect([...tag.keys()]).toEqual([
        ['math', 'ada'],
        ['math', 'alan'],
        ['poetry', 'ada'],
      ])
      expect([city.count(), tag.count('math'), tag.count('none')]).toEqual([2, 2, 0])
      db.put('ada', { city: 'Paris' })
      expect([keysOf(city.keys()), keysOf(tag.keys())]).toEqual([['alan', 'ada'], ['alan']])
      expect(db.delete('alan')).toBe(true)
      expect([keysOf(city.keys()), tag.count()]).toEqual([['ada'], 0])
      expect([db.indexes(), db.subs(), (await city.verify()).ok]).toEqual([['city', 'tag'], [], true])
    }))

  test('orders numbers as numbers, and takes ranges of its keys', () =>
    withUsers(db => {
      const age = db.index('age', user => user.age)
      for (const n of [100, 9, -3, 20.5, 20]) db.put(`of ${n}`, { age: n })
      const ages = (range: Parameters<typeof age.keys>[0]): unknown[] => [...age.keys(range)].map(([at]) => at)
      expect(ages(undefined)).toEqual([-3, 9, 20, 20.5, 100])
      expect(ages({ gt: 9, lt: 100 })).toEqual([20, 20.5])
      expect(ages({ gte: 9, lte: 20 })).toEqual([9, 20])
      expect(ages({ reverse: true, limit: 2 })).toEqual([100, 20.5])
      expect(ages(20)).toEqual([20])
      expect(ages({ gt: 20, lte: 20 })).toEqual([])
      expect(age.count({ gt: 9 })).toBe(3)
    }))

  test('takes arrays as keys when each stands in an array of its own', () =>
    withUsers(db => {
      const byAge = db.index('city, age', ({ city = '', age = 0 }): [string, number][] => [[city, age]])
      for (const [key, city, age] of [
        ['a', 'Oslo', 30],
        ['b', 'Oslo', 4],
        ['c', 'Osl', 99],
      ] as const)
        db.put(key, { city, age })
      expect(byAge.get(['Oslo', 4])).toEqual({ city: 'Oslo', age: 4 })
      expect(keysOf(byAge.keys())).toEqual(['c', 'b', 'a'])
      // An array in place of a range: what begins with its items.
      expect(keysOf(byAge.entries({ prefix: ['Oslo'] }))).toEqual(['b', 'a'])
      expect(keysOf(byAge.keys(['Oslo']))).toEqual(['b', 'a'])
      expect(keysOf(byAge.keys({ gt: ['Oslo', 4] }))).toEqual(['a'])
    }))

  test('takes a text as the prefix of texts', () =>
    withUsers(db => {
      const city = db.index('city', cityOf)
      const unique = db.index('one', cityOf, { unique: true })
      for (const name of ['Bergen', 'Berlin', 'Bern', 'Bonn']) db.put(`in ${name}`, { city: name })
      for (const index of [city, unique]) {
        expect(keysOf(index.keys({ prefix: 'Ber' }))).toEqual(['in Bergen', 'in Berlin', 'in Bern'])
        expect(keysOf(index.keys({ prefix: 'Ber', reverse: true, limit: 1 }))).toEqual(['in Bern'])
        expect(keysOf(index.keys('Ber'))).toEqual([])
        expect(keysOf(index.keys('Bern'))).toEqual(['in Bern'])
        expect(keysOf(index.keys({ gt: 'Bern' }))).toEqual(['in Bonn'])
      }
      expectCode(() => city.keys({ prefix: 3 } as never), 'XENON_INVALID_ARGUMENT')
      expectCode(() => city.keys({ from: 'a' } as never), 'XENON_INVALID_ARGUMENT')
    }))

  test('gets values as get gives them, not as they were put', () =>
    withMemoryDatabase<{ at: unknown }>({ ...options, valueEncoding: 'json' }, ({ db }) => {
      const seen: unknown[] = []
      const at = db.index('at', value => {
        seen.push(value.at)
        return value.at as string
      })
      db.put('a', { at: new Date(0) })
      expect(seen).toEqual(['1970-01-01T00:00:00.000Z'])
      expect(keysOf(at.keys('1970-01-01T00:00:00.000Z'))).toEqual(['a'])
    }))

  test('is not touched by a put that changes none of its keys', () =>
    withUsers(db => {
      db.index('city', cityOf)
      db.index('email', emailOf, { unique: true })
      db.put('a', { city: 'Oslo', email: 'a' })
      const versions = (): number[] =>
        engineOf(db)
          .spaces.open()
          .map(space => space.index.version)
      const before = versions()
      db.put('a', { city: 'Oslo', email: 'a', age: 3 })
      db.expire('a', 100_000)
      db.persist('a')
      expect(versions()).toEqual(before)
      db.put('a', { city: 'Rome', email: 'a', age: 3 })
      expect(versions()).not.toEqual(before)
    }))

  test('sees large and compressed values, binary and tuple keys', async () => {
    const text = 'long '.repeat(20_000)
    const codec: CompressionCodec = {
      name: 'zlib',
      compress: bytes => deflateSync(bytes),
      decompress: bytes => inflateSync(bytes),
    }
    for (const compression of ['none', codec] as const)
      await withMemoryDatabase<string>({ durability: 'process', compression }, ({ db }) => {
        const length = db.index('length', value => value.length)
        db.put('a', text)
        db.put('b', text.slice(5))
        db.put('b', 'short')
        expect([...length.keys()]).toEqual([
          [5, 'b'],
          [text.length, 'a'],
        ])
        const logs = db.sub<{ level: number }, [string, number]>('logs', {
          keyEncoding: 'tuple',
          valueEncoding: 'json',
        })
        const level = logs.index('level', (value, [host]) => [[value.level, host]])
        logs.put(['b', 2], { level: 1 })
        logs.put(['a', 10], { level: 1 })
        expect([...level.keys()]).toEqual([
          [
            [1, 'a'],
            ['a', 10],
          ],
          [
            [1, 'b'],
            ['b', 2],
          ],
        ])
        const bytes = db.sub<Uint8Array, Uint8Array>('bytes', { keyEncoding: 'binary', valueEncoding: 'binary' })
        const first = bytes.index('first', value => value.subarray(0, 1))
        bytes.put(Uint8Array.of(255, 0), Uint8Array.of(7, 8))
        expect([...first.entries(Uint8Array.of(7))]).toEqual([
          [Uint8Array.of(7), Uint8Array.of(255, 0), Uint8Array.of(7, 8)],
        ])
      })
  })

  test('shows what is committed, and iterators the moment when they were made', () =>
    withUsers(db => {
      const city = db.index('city', cityOf)
      db.put('a', { city: 'Oslo' })
      db.put('b', { city: 'Oslo' })
      const tx = db.begin()
      tx.put('a', { city: 'Rome' })
      tx.delete('b')
      tx.put('c', { city: 'Oslo' })
      expect([keysOf(city.keys('Oslo')), city.get('Rome'), city.count()]).toEqual([['a', 'b'], undefined, 2])
      const before = city.keys()
      tx.commit()
      expect([keysOf(city.keys('Oslo')), city.count('Rome')]).toEqual([['c'], 1])
      expect(keysOf(before)).toEqual(['a', 'b'])
      const left = city.entries()
      left.next()
      left.return?.()
      expect(left.next().done).toBe(true)
    }))

  test('finds no record that has expired, and loses its entries to the sweep', async () => {
    let now = 1_000_000
    const storage: Storage = { ...memoryStorage(), now: () => now }
    await withMemoryDatabase<User>({ ...options, storage }, async ({ db }) => {
      const city = db.index('city', cityOf)
      const email = db.index('email', emailOf, { unique: true })
      db.put('a', { city: 'Oslo', email: 'mine' }, { ttl: 30 })
      db.put('b', { city: 'Oslo' })
      now += 40
      expect([keysOf(city.keys()), city.count(), city.get('Oslo'), email.get('mine')]).toEqual([
        ['b'],
        1,
        { city: 'Oslo' },
        undefined,
      ])
      expect(email.count()).toBe(0)
      // What is still there of the expired one stands in nobody's way.
      db.put('c', { email: 'mine' })
      expect(keysOf(email.keys())).toEqual(['c'])
      db.put('d', { city: 'Oslo' }, { ttl: 10 })
      now += 20
      await expect.poll(() => db.stats().expired, { timeout: 60_000 }).toBe(1)
      expect((await city.verify()).entries).toBe(1)
    })
  })
})

describe('an index refuses', () => {
  test('what cannot be a key, and then nothing is changed', () =>
    withMemoryDatabase<string>({ durability: 'process' }, async ({ db }) => {
      const results: Record<string, unknown> = {
        nan: Number.NaN,
        object: { a: 1 },
        date: new Date(),
        list: ['good', undefined],
        long: 'x'.repeat(1020),
        promise: Promise.reject(new Error('nobody hears of it')),
      }
      const index = db.index('any', value => results[value] as string)
      for (const value of Object.keys(results)) {
        const { message } = expectCode(() => db.put('a key', value), 'XENON_INVALID_ARGUMENT')
        expect(message).toMatch(/the index 'any' .* 'a key'.*nothing was changed/)
      }
      db.transaction(tx => {
        tx.put('good', 'good')
        expectCode(() => tx.put('a key', 'nan'), 'XENON_INVALID_ARGUMENT')
      })
      expect([db.count(), index.count()]).toEqual([1, 0])
    }))

  test('a function that throws, comes back into the database, or is none', () =>
    withMemoryDatabase<string>({ durability: 'process' }, ({ db }) => {
      const index = db.index('names', value => {
        if (value === 'back') db.get('a')
        if (value === 'bad') throw new TypeError('not this one')
        return value
      })
      const error = expectCode(() => db.put('key 1', 'bad'), 'XENON_INDEX') as IndexFunctionError
      expect([error.index, error.key, (error.cause as Error).message]).toEqual(['names', 'key 1', 'not this one'])
      expectCode(() => db.put('key 1', 'back'), 'XENON_INDEX')
      expect([db.count(), index.count()]).toEqual([0, 0])
      expectCode(() => db.index('x', undefined as never), 'XENON_INVALID_ARGUMENT')
      expectCode(() => db.index('x', (async () => 1) as never), 'XENON_INVALID_ARGUMENT')
      for (const name of ['', '\ud800', 5, 'x'.repeat(2000)])
        expectCode(() => db.index(name as string, () => 1), 'XENON_INVALID_ARGUMENT')
      for (const given of [{ unique: 1 }, { version: 0.5 }, { other: 1 }, null])
        expectCode(() => db.index('x', () => 1, given as never), 'XENON_INVALID_ARGUMENT')
    }))

  test('a database without order, and one that may not be written', async () => {
    await withMemoryDatabase<User>({ ...options, ordered: false }, ({ db }) => {
      expectCode(() => db.index('city', cityOf), 'XENON_NOT_SUPPORTED')
    })
    const storage = memoryStorage()
    const db = open<User, string>('db', { ...options, storage })
    db.index('city', cityOf)
    db.put('a', { city: 'Oslo' })
    db.close()
    const reader = open<User, string>('db', { ...options, storage, readOnly: true })
    expect(keysOf(reader.index('city', cityOf).keys('Oslo'))).toEqual(['a'])
    expectCode(() => reader.index('city 2', cityOf), 'XENON_READ_ONLY')
    reader.close()
  })
})

test('the function of an index may do with a key what it likes', () =>
  withMemoryDatabase({}, ({ db: outer }) => {
    const db = outer.sub<User, Uint8Array>('users', { keyEncoding: 'binary', valueEncoding: 'json' })
    const spoil = (user: User, key: Uint8Array): string | undefined => {
      key.fill(9)
      return user.city
    }
    db.put(Buffer.from('before'), { city: 'a' })
    const [one, other] = [db.index('one', spoil), db.index('other', spoil)]
    db.put('after', { city: 'b' })
    db.put('before', { city: 'c' })
    const keys = [...db.keys()].map(key => Buffer.from(key).toString())
    expect([keys, one.count(), other.count('b'), other.get('c')]).toEqual([['after', 'before'], 2, 1, { city: 'c' }])
    expect(db.delete('after')).toBe(true)
    expect([one.count(), other.count('b')]).toEqual([1, 0])
  }))

describe('a unique index', () => {
  test('refuses a second record with a key, and says which', () =>
    withUsers(async db => {
      const email = db.index('email', emailOf, { unique: true })
      db.put('a', { email: 'a@here' })
      const error = expectCode(() => db.put('b', { email: 'a@here' }), 'XENON_NOT_UNIQUE') as NotUniqueError
      expect([error.index, error.indexKey, error.key, error.holder]).toEqual(['email', 'a@here', 'b', 'a'])
      expect(error.message).toMatch(/'email' is unique.*"a".*"a@here".*"b" was not stored/)
      expectCode(
        () =>
          db.batch([
            { type: 'put', key: 'c', value: {} },
            { type: 'put', key: 'd', value: { email: 'a@here' } },
          ]),
        'XENON_NOT_UNIQUE',
      )
      await expect(db.async.put('b', { email: 'a@here' })).rejects.toMatchObject({ code: 'XENON_NOT_UNIQUE' })
      expect([db.count(), email.count()]).toEqual([1, 1])
      db.put('a', { email: 'other' })
      db.put('b', { email: 'a@here' })
      db.batch([
        { type: 'delete', key: 'a' },
        { type: 'put', key: 'c', value: { email: 'other' } },
      ])
      expect([...email.keys()]).toEqual([
        ['a@here', 'b'],
        ['other', 'c'],
      ])
    }))

  test.each(['serializable', 'repeatable-read', 'read-committed', 'read-uncommitted', 'snapshot'] as const)(
    'lets one of two open transactions have a key (%s)',
    isolation =>
      withUsers(async db => {
        const email = db.index('email', emailOf, { unique: true })
        const [one, other] = [db.begin({ isolation }), db.begin({ isolation })]
        one.put('a', { email: 'x' })
        expectCode(() => other.put('b', { email: 'x' }), 'XENON_LOCK_CONFLICT')
        other.put('b', { email: 'y' })
        one.commit()
        expectCode(() => other.put('c', { email: 'x' }), 'XENON_NOT_UNIQUE')
        other.commit()
        expect(keysOf(email.keys())).toEqual(['a', 'b'])
        const waits = db.async.put('d', { email: 'z' })
        await waits
        const third = await db.async.begin({ isolation })
        await third.put('e', { email: 'w' })
        const behind = db.async.put('f', { email: 'w' })
        await third.rollback()
        await behind
        expect(email.get('w')).toEqual({ email: 'w' })
        expect((await email.verify()).problems).toEqual([])
      }),
  )
})

describe('an index that is built', () => {
  test('is ready at once when there are few records, and follows what many writers do otherwise', () =>
    withUsers(async db => {
      fill(db, 0, 100)
      expect(db.index('city', cityOf).count('city 3')).toBe(10)
      db.dropIndex('city')
      fill(db)
      const progress: number[] = []
      const city = db.index('city', cityOf, { onProgress: ({ done }) => progress.push(done) })
      expect([city.isReady, city.progress]).toEqual([false, { done: 0, total: MANY }])
      const { message } = expectCode(() => city.get('city 1'), 'XENON_NOT_READY')
      expect(message).toContain(`0 of ${MANY}`)
      let turns = 0
      while (!city.isReady) {
        // Ahead of the build and behind it: what is there, what is new, what goes.
        db.put(`user ${(turns * 7) % MANY}`, { city: 'moved' })
        db.put(`user ${MANY + turns}`, { city: 'new' })
        db.delete(`user ${(turns * 13) % MANY}`)
        await new Promise(resolve => setImmediate(resolve))
        turns++
      }
      await city.ready
      expect(turns).toBeGreaterThan(2)
      expect(progress.at(-1)).toBeGreaterThan(progress[0]!)
      const report = await city.verify()
      expect([report.problems, report.records]).toEqual([[], db.count()])
      expect(city.count()).toBe(db.count())
    }))

  test('waits for transactions that had changed records before it was declared', () =>
    withUsers(async db => {
      fill(db)
      const [kept, undone, long] = [db.begin(), db.begin(), db.begin()]
      kept.put('new', { city: 'kept' })
      kept.delete('user 3')
      undone.put('user 1', { city: 'undone' })
      undone.delete('user 2')
      undone.put('nobody', { city: 'undone' })
      const city = db.index('city', cityOf)
      // These are followed, but where they go back to is not there yet.
      long.delete(`user ${MANY - 1}`)
      undone.put('user 1', { city: 'undone again' })
      await expect.poll(() => city.progress.done, { timeout: 20_000 }).toBe(MANY)
      expect(city.isReady).toBe(false)
      kept.commit()
      undone.rollback()
      long.rollback()
      await city.ready
      expect([keysOf(city.keys('kept')), city.count('undone'), city.count()]).toEqual([['new'], 0, MANY])
      expect((await city.verify()).problems).toEqual([])
    }))

  test('waits for a transaction that has changed very many', () =>
    withUsers(async db => {
      const tx = db.begin()
      for (let i = 0; i < 130000; i++) tx.put(`k${i}`, {})
      db.put('a', { city: 'there' })
      const city = db.index('city', cityOf)
      expect(city.isReady).toBe(false)
      tx.rollback()
      await city.ready
      expect([city.count(), keysOf(city.keys())]).toEqual([1, ['a']])
    }))

  test('goes on where a close or a crash has cut it off', async () => {
    const storage = memoryStorage()
    const db = open<User, string>('db', { ...options, storage })
    fill(db)
    const index = db.index('city', cityOf)
    const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))
    while (index.progress.done <= 300) await turn()
    // Before and behind where it is; one that is taken back, and lacks its entry until it is looked at again.
    db.put('user 1', { city: 'elsewhere' })
    db.put('user 999', { city: 'elsewhere' })
    const tx = db.begin()
    tx.delete('user 2999')
    while (index.progress.done <= 1500) await turn()
    expect(index.isReady).toBe(false)
    const { done } = index.progress
    const crashed = storageOf(readImage('db', storage))
    db.close()
    for (const left of [crashed, storage]) {
      const again = open<User, string>('db', { ...options, storage: left })
      const asked = new Set<string>()
      const rest = again.index('city', (user, key) => {
        asked.add(key)
        return user.city
      })
      const { done: already, total } = rest.progress
      expect(already).toBeGreaterThan(0)
      expect([already <= done, total]).toEqual([true, MANY])
      await rest.ready
      expect(asked.size).toBeLessThanOrEqual(MANY - already + 1)
      expect([(await rest.verify()).problems, rest.count(), rest.count('elsewhere')]).toEqual([[], MANY, 2])
      await expectVerified(again)
      again.close()
    }
  })

  test('begins anew when everything was cleared in the midst of it', async () => {
    const storage = memoryStorage()
    const db = open<User, string>('db', { ...options, storage })
    fill(db)
    const city = db.index('city', cityOf)
    while (city.progress.done <= 300) await new Promise(resolve => setImmediate(resolve))
    db.clear()
    fill(db, 0, 2500)
    const crashed = storageOf(readImage('db', storage))
    await city.ready
    expect([(await city.verify()).problems, city.count()]).toEqual([[], 2500])
    await expectVerified(db)
    db.close()
    const again = open<User, string>('db', { ...options, storage: crashed })
    const index = again.index('city', cityOf)
    await index.ready
    expect([(await index.verify()).problems, index.count()]).toEqual([[], 2500])
    await expectVerified(again)
    again.close()
  })

  test('begins anew after writes of others, when a close or a crash has cut it off', async () => {
    const storage = memoryStorage()
    const db = open<User, string>('db', { ...options, storage })
    fill(db)
    const city = db.index('city', cityOf)
    // Looked at in each turn: a whole slice later it may be complete.
    while (city.progress.done <= 300) await new Promise(resolve => setImmediate(resolve))
    expect(city.isReady).toBe(false)
    const crashed = storageOf(readImage('db', storage))
    db.close()
    expect(await rejection(city.ready)).toMatchObject({ code: 'XENON_CLOSED' })
    for (const left of [storage, crashed]) {
      const again = open<User, string>('db', { ...options, storage: left })
      expect(again.indexes()).toEqual(['city'])
      again.put('user 0', { city: 'elsewhere' })
      const index = again.index('city', cityOf)
      await index.ready
      expect([(await index.verify()).problems, index.count(), index.count('city 0')]).toEqual([[], MANY, MANY / 10 - 1])
      await expectVerified(again)
      again.close()
      const last = open<User, string>('db', { ...options, storage: left })
      expect(last.index('city', cityOf).isReady).toBe(true)
      last.close()
    }
  })

  test('takes another function with another version, and other rules', () =>
    withMemoryDatabase<User>(options, async ({ db, reopen }) => {
      fill(db, 0, 100)
      const first = db.index('city', cityOf)
      expect(db.index('city', cityOf)).toBe(first)
      const second = db.index('city', user => user.city?.toUpperCase(), { version: 2 })
      expect([second.count('CITY 1'), second.count('city 1')]).toEqual([10, 0])
      expectCode(() => first.count(), 'XENON_NOT_READY')
      expectCode(() => db.index('city', cityOf, { version: 2, unique: true }), 'XENON_NOT_UNIQUE')
      const again = reopen()
      const third = again.index('city', user => user.city?.toUpperCase(), { version: 2 })
      expect([third.count('CITY 1'), (await third.verify()).problems]).toEqual([10, []])
    }))

  test.each([
    [100, 'another'],
    [100, 'the same'],
    [MANY, 'another'],
    [MANY, 'the same'],
  ])('of %d records whose function has thrown begins anew with a mended one, in %s handle', (count, which) =>
    withMemoryDatabase<User>(options, async ({ db, reopen }) => {
      fill(db, 0, count)
      let left = count - 10
      const throwing = (user: User): string | undefined => {
        if (left-- === 0) throw new Error('not yet')
        return user.city
      }
      const failed = async (): Promise<void> => db.index('city', throwing).ready
      await expect(failed()).rejects.toMatchObject({ code: 'XENON_INDEX' })
      const then = which === 'another' ? reopen() : db
      const mended = then.index('city', user => user.city?.toUpperCase())
      await mended.ready
      expect([mended.count(), mended.count('city 1'), (await mended.verify()).problems]).toEqual([count, 0, []])
    }),
  )

  test('fails where two records have the key, and does not stand in the way of writes', () =>
    withUsers(async db => {
      fill(db)
      const city = db.index('city', cityOf, { unique: true })
      expect(await rejection(city.ready)).toMatchObject({ code: 'XENON_NOT_UNIQUE' })
      db.put('user 1', { city: 'city 2' })
      const error = expectCode(() => city.get('city 2'), 'XENON_NOT_READY')
      expect(error.cause).toMatchObject({ code: 'XENON_NOT_UNIQUE' })
      const plain = db.index('city', cityOf)
      await plain.ready
      expect([plain.count(), (await plain.verify()).problems]).toEqual([MANY, []])
      const broken = db.index('broken', () => {
        throw new Error('never')
      })
      expect(await rejection(broken.ready)).toMatchObject({ code: 'XENON_INDEX' })
    }))
})

describe('an index that a handle was not told of', () => {
  test('is built anew when it has written (Q2), and only then', async () => {
    const storage = memoryStorage()
    const reopened = (): Database<User> => open<User, string>('db', { ...options, storage })
    let db = reopened()
    let calls = 0
    const counted = (user: User): string | undefined => {
      calls++
      return user.city
    }
    db.index('city', counted)
    db.put('a', { city: 'Oslo' }, { ttl: 20 })
    db.put('b', { city: 'Oslo' })
    db.close()
    calls = 0
    db = reopened()
    await new Promise(resolve => setTimeout(resolve, 100))
    // The sweep waits: it makes no index stale.
    expect([db.get('a'), db.stats().expired]).toEqual([undefined, 0])
    expect(keysOf(db.index('city', counted).keys('Oslo'))).toEqual(['b'])
    expect(calls).toBe(0)
    db.close()
    db = reopened()
    db.put('c', { city: 'Oslo' })
    const image = storageOf(readImage('db', storage))
    expect(keysOf(db.index('city', counted).keys('Oslo'))).toEqual(['b', 'c'])
    expect(calls).toBeGreaterThan(0)
    await expectVerified(db)
    db.close()
    const crashed = open<User, string>('db', { ...options, storage: image })
    expect(keysOf(crashed.index('city', counted).keys('Oslo'))).toEqual(['b', 'c'])
    crashed.close()
  })

  test('is built anew after the order was taken away and given back', async () => {
    const storage = memoryStorage()
    let db = open<User, string>('db', { ...options, storage })
    db.index('city', cityOf)
    fill(db, 0, 50)
    db.close()
    await convert('db', { ordered: false, storage })
    db = open<User, string>('db', { ...options, storage })
    db.put('user 7', { city: 'Rome' })
    db.close()
    await convert('db', { ordered: true, storage })
    db = open<User, string>('db', { ...options, storage })
    const city = db.index('city', cityOf)
    expect([city.count('Rome'), city.count('city 7'), (await city.verify()).problems]).toEqual([1, 4, []])
    await expectVerified(db)
    db.close()
  })
})

test('an index that could not be declared anew, since the disk is full, goes on following the records', async () => {
  let free = 1 << 30
  const storage: Storage = Object.assign(Object.create(memoryStorage()) as Storage, { freeBytes: () => free })
  const db = open<User, string>('db', { ...options, storage })
  for (let i = 0; i < 100; i++) db.put(`k${i}`, { city: `city ${i}` })
  const city = db.index('city', cityOf)
  free = 300000
  const fill = (): void => {
    for (let i = 0; i < 5000; i++) db.put(`filled ${i}`, { city: 'x'.repeat(500) })
  }
  expectCode(fill, 'XENON_FULL')
  expectCode(() => db.index('city', user => user.email, { version: 2 }), 'XENON_FULL')
  expect([db.delete('k7'), city.count('city 7'), city.count('city 8')]).toEqual([true, 0, 1])
  free = 1 << 30
  db.close()
  const again = open<User, string>('db', { ...options, storage })
  const same = again.index('city', cityOf)
  expect([same.isReady, (await same.verify()).problems]).toEqual([true, []])
  await expectVerified(again)
  again.close()
})

describe('clear and drop', () => {
  test.each([undefined, 65_536])('empty the indexes with the records (pool: %s)', cacheBytes =>
    withMemoryDatabase<User>(
      { ...options, ...(cacheBytes === undefined ? {} : { cacheBytes }) },
      async ({ db, reopen }) => {
        const sub = db.sub<User>('sub', { valueEncoding: 'json' })
        for (const store of [db, sub]) {
          const indexes = [store.index('city', cityOf), store.index('email', emailOf, { unique: true })]
          fill(store, 0, 3000)
          store.clear()
          for (const index of indexes) expect([index.count(), (await index.verify()).problems]).toEqual([0, []])
          fill(store, 0, 20)
          store.clear({ gte: 'user 1', lt: 'user 2' })
          for (const index of indexes) expect(index.count()).toBe(store.count())
        }
        const again = reopen()
        for (const store of [again, again.sub<User>('sub')])
          expect([store.index('city', cityOf).count(), store.count()]).toEqual([9, 9])
      },
    ),
  )

  test('leave no index that says it is ready when they end half-way', async () => {
    const storage = memoryStorage()
    const db = open<User, string>('db', { ...options, storage })
    const city = db.index('city', cityOf)
    fill(db, 0, 100)
    const { spaces } = engineOf(db)
    spaces.clear = () => {
      throw new Error('the power went')
    }
    expect(() => db.clear()).toThrow('the power went')
    expectCode(() => city.count(), 'XENON_NOT_READY')
    await db.flush()
    const crashed = open<User, string>('db', { ...options, storage: storageOf(readImage('db', storage)) })
    expect([crashed.index('city', cityOf).count(), crashed.count()]).toEqual([0, 0])
    await expectVerified(crashed)
    crashed.close()
    db.close()
  })

  test('drop an index, and those of a sub-database with it', () =>
    withUsers(db => {
      const city = db.index('city', cityOf)
      const sub = db.sub<User>('sub', { valueEncoding: 'json' })
      const inner = sub.index('city', cityOf)
      sub.put('a', { city: 'Oslo' })
      db.put('a', { city: 'Oslo' })
      const tx = db.begin()
      tx.put('b', { city: 'Oslo' })
      expectCode(() => db.dropIndex('city'), 'XENON_LOCK_CONFLICT')
      tx.commit()
      expect([db.dropIndex('city'), db.dropIndex('city'), db.indexes()]).toEqual([true, false, []])
      expectCode(() => city.count(), 'XENON_NOT_READY')
      expect(db.drop('sub')).toBe(true)
      expectCode(() => inner.count(), 'XENON_NOT_FOUND')
      db.put('c', { city: 'Oslo' })
      expect(keysOf(db.index('city', cityOf).keys('Oslo'))).toEqual(['a', 'b', 'c'])
      const made = db.sub<User>('sub', { valueEncoding: 'json' })
      expect([made.indexes(), made.index('city', cityOf).count()]).toEqual([[], 0])
    }))
})

describe('every way to write', () => {
  test('keeps the indexes: the server, the asynchronous face, transactions in several spaces', () =>
    withUsers(async db => {
      const sub = db.sub<User>('sub', { valueEncoding: 'json' })
      const indexes = [db.index('city', cityOf), sub.index('city', cityOf)]
      const records = db.records()
      records.put('a', { city: 'one' }, 0)
      records.together(() => {
        records.put('b', { city: 'two' }, 0)
        records.delete('a')
      })
      await db.async.batch([{ type: 'put', key: 'c', value: { city: 'three' } }])
      await db.async.transact(async tx => {
        await tx.put('d', { city: 'four' })
        await tx.in(sub).put('e', { city: 'five' })
      })
      expect(indexes.map(index => [...index.keys()].map(([city]) => city))).toEqual([
        ['four', 'three', 'two'],
        ['five'],
      ])
      await db.async.clear()
      records.put('f', { city: 'six' }, 0)
      records.clear()
      expect(indexes.map(index => index.count())).toEqual([0, 1])
    }))
})

describe('a sub-database that somebody else uses as bytes', () => {
  test('keeps the indexes in terms of its own encodings', () =>
    withUsers(async db => {
      const sub = db.sub<User>('sub', { valueEncoding: 'json' })
      const bytes = db.subAsBytes('sub')!
      bytes.put('early', Buffer.from('{"city":"Oslo"}'))
      const city = sub.index('city', cityOf)
      const email = sub.index('email', emailOf, { unique: true })
      bytes.put('a', Buffer.from('{"city":"Oslo","email":"x"}'))
      bytes.records().put('b', Buffer.from('{"city":"Rome"}'), 0)
      expect([keysOf(city.keys('Oslo')), keysOf(city.keys('Rome'))]).toEqual([['a', 'early'], ['b']])
      expectCode(() => bytes.put('c', Buffer.from('{"email":"x"}')), 'XENON_NOT_UNIQUE')
      expectCode(() => bytes.put('c', Buffer.from('no JSON')), 'XENON_DECODE')
      bytes.put('a', Buffer.from('{"city":"Rome"}'))
      bytes.delete('b')
      expect([keysOf(city.keys()), email.count(), (await city.verify()).problems]).toEqual([['early', 'a'], 0, []])
      bytes.clear()
      expect([city.count(), sub.count()]).toEqual([0, 0])
      sub.dropIndex('city')
      sub.dropIndex('email')
      bytes.put('c', Buffer.from('no JSON'))
      expect(bytes.count()).toBe(1)
    }))
})

describe('an index', () => {
  test('goes through compact and backup, and iterators keep what a clear takes away', async () => {
    const storage = memoryStorage()
    const db = open<User, string>('db', { ...options, storage })
    const sub = db.sub<User>('sub', { valueEncoding: 'json' })
    const declared = (of: Database<User>): Index<User, string, string>[] =>
      [of, of.sub<User>('sub')].flatMap(space => [
        space.index('city', cityOf),
        space.index('email', emailOf, { unique: true }),
      ])
    const indexes = declared(db)
    for (const space of [db, sub]) {
      fill(space)
      space.batch(Array.from({ length: MANY - 500 }, (_, i) => ({ type: 'delete' as const, key: `user ${i}` })))
    }
    const iterators = indexes.map(index => index.entries())
    for (const iterator of iterators) iterator.next()
    await db.compact()
    expect(indexes.map(index => index.count())).toEqual([500, 500, 500, 500])
    await expectVerified(db)
    sub.clear()
    expect(iterators.map(iterator => [...iterator].length)).toEqual([499, 499, 499, 499])
    const tx = db.begin()
    tx.put('not committed', { city: 'nowhere', email: 'none' })
    tx.delete(`user ${MANY - 1}`)
    await db.backup('copy')
    tx.rollback()
    const copy = open<User, string>('copy', { ...options, storage })
    const copied = declared(copy)
    expect(copied.map(index => [index.isReady, index.count()])).toEqual([500, 500, 0, 0].map(count => [true, count]))
    await expectVerified(copy)
    copy.close()
    db.close()
  })
})

describe('verify of an index', () => {
  test('finds entries too many, and those that are missing', () =>
    withUsers(async db => {
      let isWrong = false
      const city = db.index('city', user => (isWrong ? `not ${user.city}` : user.city))
      db.put('a', { city: 'Oslo' })
      expect(await city.verify()).toEqual({ ok: true, records: 1, entries: 1, problems: [], problemCount: 0 })
      isWrong = true
      expect(await city.verify()).toEqual({
        ok: false,
        records: 1,
        entries: 1,
        problems: [
          `the index 'city' has no entry for the key 'a' under "not Oslo"`,
          `the index 'city' has an entry too many for the key 'a' under "Oslo"`,
        ],
        problemCount: 2,
      })
      // So does the verify of the database.
      expect(await db.verify()).toMatchObject({ ok: false, problemCount: 2 })
      isWrong = false
    }))

  test("finds the mutant 'index not updated on replace' (Q1)", () =>
    withMutant('index not updated on replace', () =>
      withUsers(async db => {
        const city = db.index('city', cityOf)
        db.put('a', { city: 'Oslo' })
        db.put('a', { city: 'Rome' })
        expect((await city.verify()).ok).toBe(false)
        expect(thrownBy(() => expect(keysOf(city.keys('Rome'))).toEqual(['a']))).toBeDefined()
        db.dropIndex('city')
      }),
    ))
})
