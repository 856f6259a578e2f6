/** Sub-databases: key spaces of their own in one file, log and transactions. */
import { describe, expect, test } from 'vitest'
import type { Engine } from '../../src/engine/engine.ts'
import { type Database, memoryStorage, open, type Storage, StorageError } from '../../src/index.ts'
import { goldenStorage, readGolden } from '../golden/golden.ts'
import { expectVerified, withMemoryDatabase } from '../support/database.ts'
import { expectCode } from '../support/errors.ts'

const withDb = (work: (db: Database) => unknown): Promise<void> =>
  withMemoryDatabase({ durability: 'process' }, ({ db }) => work(db))

describe('a sub-database', () => {
  test('has keys of its own, whatever the root and others hold', () =>
    withDb(db => {
      const [one, other] = [db.sub('one'), db.sub('other')]
      for (const [store, value] of [
        [db, 'root'],
        [one, 'one'],
        [other, 'other'],
      ] as const)
        for (let i = 0; i < 3000; i++) store.put(`key ${i}`, `${value} ${i}`)
      one.delete('key 7')
      expect([db.get('key 7'), one.get('key 7'), other.get('key 7')]).toEqual(['root 7', undefined, 'other 7'])
      expect([db.count(), one.count(), other.count()]).toEqual([3000, 2999, 3000])
      expect([...one.entries({ prefix: 'key 299' })].map(([key]) => key)).toEqual(
        ['key 299', ...Array.from({ length: 10 }, (_, i) => `key 299${i}`)].sort(),
      )
      expect(db.getMany(['key 1', 'none'])).toEqual(['root 1', undefined])
      one.batch([
        { type: 'put', key: 'key 7', value: 'back' },
        { type: 'delete', key: 'key 8' },
      ])
      expect(one.getMany(['key 7', 'key 8', 'key 9'])).toEqual(['back', undefined, 'one 9'])
    }))

  test('keeps its encodings, and is refused with others', () => {
    const storage = memoryStorage()
    const db = open('db', { storage })
    db.sub<{ n: number }>('json', { valueEncoding: 'json' }).put('a', { n: 1 })
    db.sub<Uint8Array>('bytes', { valueEncoding: 'binary', keyEncoding: 'binary' }).put('a', Uint8Array.of(1, 2))
    db.close()
    const again = open('db', { storage })
    expect(again.subs()).toEqual(['bytes', 'json'])
    expect(again.sub('json').get('a')).toEqual({ n: 1 })
    const bytes = again.sub<Uint8Array>('bytes')
    expect([...bytes.entries()]).toEqual([[Uint8Array.of(97), Uint8Array.of(1, 2)]])
    const { message } = expectCode(() => again.sub('json', { valueEncoding: 'utf8' }), 'XENON_ENCODING')
    expect(message).toContain(
      "the sub-database 'json' was made with valueEncoding 'json'; open it with that, not with 'utf8'",
    )
    expect(again.sub('json')).toBe(again.sub('json'))
    again.close()
  })

  test('lies in another one, and goes with it', () =>
    withDb(db => {
      const outer = db.sub('outer')
      const inner = outer.sub('inner')
      inner.sub('innermost').put('a', 'deep')
      inner.put('a', 'inner')
      outer.put('a', 'outer')
      expect([db.subs(), outer.subs(), inner.subs()]).toEqual([['outer'], ['inner'], ['innermost']])
      expect(db.drop('outer')).toBe(true)
      expect(db.drop('outer')).toBe(false)
      expect(db.subs()).toEqual([])
      for (const gone of [outer, inner]) {
        expect(gone.closed).toBe(true)
        const { message } = expectCode(() => gone.get('a'), 'XENON_NOT_FOUND')
        expect(message).toMatch(/^the sub-database '(outer|inner)' was dropped; sub\('\1'\) makes it anew$/)
      }
      const anew = db.sub('outer')
      expect([anew.get('a'), anew.subs()]).toEqual([undefined, []])
    }))

  test('is named by text, short enough, and not empty', () =>
    withDb(db => {
      for (const name of ['', 'x'.repeat(1024), '\ud800', 7, undefined] as string[])
        expectCode(() => db.sub(name), 'XENON_INVALID_ARGUMENT')
      expectCode(() => db.sub('a', { ordered: true } as object), 'XENON_INVALID_ARGUMENT')
      expect(db.subs()).toEqual([])
      for (const given of [null, 7, 'utf8'] as unknown as object[])
        for (const name of ['a', ' ', ' ']) {
          expectCode(() => db.sub(name, given), 'XENON_INVALID_ARGUMENT')
          db.sub(' ')
        }
      for (const name of ['x'.repeat(1023), 'ä/b', ' ']) expect(db.sub(name).name).toBe(name)
      expect(db.subs()).toEqual([' ', 'x'.repeat(1023), 'ä/b'])
    }))

  test('takes part in transactions, locks and ranges as the root does, and shares none of its keys', () =>
    withDb(db => {
      const [one, other] = [db.sub('one'), db.sub('other')]
      one.put('a', '1')
      const tx = one.begin()
      tx.put('a', '2')
      expect([...tx.keys()]).toEqual(['a'])
      for (const store of [db, other]) store.put('a', 'free')
      expect(one.get('a')).toBe('1')
      expect(expectCode(() => one.put('a', '3'), 'XENON_LOCK_CONFLICT').message).toContain("the key 'a'")
      expectCode(() => one.put('b', '3'), 'XENON_LOCK_CONFLICT')
      other.put('b', 'free')
      tx.rollback()
      expect([one.get('a'), other.get('a'), db.get('a')]).toEqual(['1', 'free', 'free'])
    }))

  test('expires, is watched, and is seen by snapshots', () =>
    withDb(async db => {
      const one = db.sub('one')
      one.put('a', '1')
      const snapshot = one.snapshot()
      const changes = one.watch()
      db.put('a', 'root')
      one.put('a', '2')
      one.put('b', 'soon gone', { ttl: 20 })
      expect([...snapshot.entries()]).toEqual([['a', '1']])
      snapshot.close()
      const seen: string[] = []
      for await (const { type, key } of changes) {
        seen.push(`${type} ${key}`)
        if (type === 'delete') break
      }
      expect(seen).toEqual(['put a', 'put b', 'delete b'])
      expect(one.count()).toBe(1)
    }))

  test('has figures of its own', () =>
    withDb(db => {
      const one = db.sub('one')
      for (let i = 0; i < 3000; i++) one.put(`key ${i}`, 'x'.repeat(50))
      one.sub('inner')
      one.index('length', value => value.length)
      db.put('of the root', 'x')
      expect(one.stats()).toMatchObject({
        ...{ name: 'one', ordered: true, records: 3000, expired: 0, subs: ['inner'], indexes: ['length'] },
        index: { merges: 0 },
      })
      expect(one.stats().index.splits).toBeGreaterThan(20)
      expect(db.stats().records).toBe(1)
    }))

  test('without an ordered index is counted, gone through and cleared too', () =>
    withMemoryDatabase({ durability: 'process', ordered: false }, ({ db }) => {
      const one = db.sub('one')
      for (let i = 0; i < 5000; i++) one.put(`key ${i}`, 'x')
      expect(one.count()).toBe(5000)
      expectCode(() => one.keys(), 'XENON_NOT_SUPPORTED')
      one.clear()
      expect([one.count(), one.get('key 1')]).toEqual([0, undefined])
    }))
})

test('the first one can be made again where raising the format version has failed', async () => {
  const golden = readGolden('2-images-beside-log/unordered')
  const inner = goldenStorage(golden, golden.now)
  let fails = 0
  const storage: Storage = Object.assign(Object.create(inner) as Storage, {
    open: (...given: Parameters<Storage['open']>) => {
      const file = inner.open(...given)
      const write = file.write.bind(file)
      file.write = (source, offset, length, position) => {
        // Where the identity stands once more.
        if (length === 512 && position === 3 * 512 && fails-- > 0) throw new StorageError('EIO', undefined)
        write(source, offset, length, position)
      }
      return file
    },
  })
  const db = open<unknown, string>('db', { ...golden.options, storage })
  const records = db.count()
  fails = 1
  expect(() => db.sub('sub')).toThrow('EIO')
  await db.checkpoint()
  db.put('b', '2')
  db.sub('sub').put('a', '3')
  await db.checkpoint()
  db.close()
  const again = open<unknown, string>('db', { ...golden.options, storage })
  expect([again.count(), again.get('b'), again.sub('sub').get('a')]).toEqual([records + 1, '2', '3'])
  await expectVerified(again)
  again.close()
})

test('ranges never show the records of another one, whose bucket lies where one of theirs did', () => {
  const key = (i: number): string => `k${String(i).padStart(4, '0')}`
  // Of 60 seeds those where a record of the same key came to lie in the same slot of the same block.
  for (const seed of [21, 44, 51]) {
    let state = seed
    const randomBytes = (length: number): Uint8Array =>
      Uint8Array.from({ length }, () => {
        state = (Math.imul(state, 1103515245) + 12345) >>> 0
        return state >>> 16
      })
    const storage = Object.assign(Object.create(memoryStorage()), { randomBytes })
    const db = open('db', { storage, durability: 'none' })
    const sub = db.sub('A')
    for (let i = 0; i < 1200; i++) sub.put(key(i), `A${i}${'p'.repeat(700)}`)
    const wrong = (): string[] => [...sub.values({ gte: key(800) })].filter(value => !value.startsWith('A'))
    for (let time = 0; time < 2; time++) expect(wrong()).toEqual([])
    for (let i = 0; i < 800; i++) sub.delete(key(i))
    for (let n = 0; n < 4; n++) {
      const other = db.sub(`B${n}`)
      for (let i = 800; i < 1200; i++) other.put(key(i), `B${i}${'q'.repeat(700)}`)
    }
    expect(wrong()).toEqual([])
    db.close()
  }
})

test('what lay in one that a crash has left half dropped goes at the next open, and nothing else (J1)', async () => {
  const storage = memoryStorage()
  const db = open('db', { storage })
  for (const outer of ['a', 'b'])
    for (const inner of ['x', 'y']) db.sub(outer).sub(inner).sub('deep').put('k', `${outer} ${inner}`)
  const { spaces } = (db as unknown as { engine: Engine }).engine
  type Listed = { facts: { name: string } }
  const parts = spaces as unknown as { listed: Listed[]; takeOff(listed: Listed): void }
  parts.takeOff(parts.listed.find(({ facts }) => facts.name === 'sa')!)
  db.close()
  const again = open('db', { storage })
  expect(again.subs()).toEqual(['b'])
  // Of 'a', 'b', two in each, and one in each of these.
  expect((again as unknown as { engine: Engine }).engine.spaces.count).toBe(9)
  await expect.poll(() => (again as unknown as { engine: Engine }).engine.spaces.count, { timeout: 20_000 }).toBe(5)
  expect(again.sub('b').subs()).toEqual(['x', 'y'])
  expect(again.sub('b').sub('y').sub('deep').get('k')).toBe('b y')
  await expect.poll(() => again.stats().blocks.free, { timeout: 20_000 }).toBeGreaterThanOrEqual(16)
  await expectVerified(again)
  again.close()
})
