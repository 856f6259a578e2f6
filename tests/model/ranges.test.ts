/** Ranges against a sorted reference: every form of them, and while everything else goes on. */
import { expect, test, vi } from 'vitest'
import type { Range } from '../../src/index.ts'
import { hashOf, keysApart } from '../hash/keys.ts'
import { expectVerified, withMemoryDatabase } from '../support/database.ts'
import { expectCode, expectCodeAsync, thrownBy } from '../support/errors.ts'
import { type Random, runs, runTimeout, seeded } from '../support/random.ts'
import { steadyStorage, withSteadyTime } from '../support/steady.ts'
import { Life } from './life.ts'
import {
  binaryNames,
  bytesOf,
  given,
  isIn,
  type NamedRange,
  nameOf,
  randomRange,
  requireSame,
  select,
  showRange,
  textNames,
  textOf,
} from './sorted.ts'

vi.setConfig({ testTimeout: runTimeout })

const sizes = [4096, 8192, 16384, 32768, 65536]

/** What of the public classes reads ranges. */
interface Readable {
  keys(range?: Range | string | Uint8Array): Iterable<string>
  values(range?: Range | string | Uint8Array): Iterable<string>
  entries(range?: Range | string | Uint8Array): Iterable<[string, string]>
  count(range?: Range | string | Uint8Array): number
}

const fill = (random: Random, names: readonly string[], blockSize: number): Map<string, string> =>
  new Map(names.map((name, i) => [name, `${i} `.repeat(random.pick([0, 1, 3, 20, blockSize / 40]))]))

for (const blockSize of sizes) {
  for (const keyEncoding of ['binary', 'utf8'] as const) {
    test(`every form of range gives what a sorted Map gives: ${keyEncoding} keys, blocks of ${blockSize}`, () =>
      seeded(async random => {
        const isText = keyEncoding === 'utf8'
        const names = (isText ? textNames : binaryNames)(random, 400)
        const frames = random.pick([16, 16, 400])
        const options = {
          blockSize,
          keyEncoding,
          cacheBytes: frames * blockSize,
          durability: 'none' as const,
        }
        await withMemoryDatabase(options, async ({ db }) => {
          const all = fill(random, names, blockSize)
          const records = new Map([...all].filter(() => random.chance(0.8)))
          db.batch([...records].map(([name, value]) => ({ type: 'put', key: bytesOf(name), value })))
          const requireRange = (from: Readable, range: NamedRange, who: string): void => {
            const what = `${who} ${showRange(range)}`
            const asked = given(range, isText && random.chance(0.5))
            const expected = select(records, range)
            const expectedNames = expected.map(([name]) => name)
            const expectedValues = expected.map(([, value]) => value)
            requireSame([...from.keys(asked)].map(nameOf), expectedNames, `keys, ${what}`)
            requireSame([...from.values(asked)], expectedValues, `values, ${what}`)
            const entries = [...from.entries(asked)]
            const encoded = entries.every(([key]) => (typeof key === 'string') === isText)
            if (!encoded) throw new Error(`${what}: keys are not ${keyEncoding}`)
            requireSame(
              entries.map(([key]) => nameOf(key)),
              expectedNames,
              `entries, ${what}`,
            )
            requireSame(
              entries.map(([, value]) => value),
              expectedValues,
              `values of entries, ${what}`,
            )
            const count = from.count(asked)
            if (count !== expected.length) throw new Error(`count, ${what}: ${count}, expected ${expected.length}`)
          }
          for (let i = 0; i < 40 * runs; i++) {
            const range = i === 0 ? {} : randomRange(random, names, isText)
            requireRange(db, range, 'db')
            using snapshot = db.snapshot()
            requireRange(snapshot, range, 'snapshot')
            using tx = db.begin()
            requireRange(tx, range, 'transaction')
          }
          const prefix = random.pick(names)
          const key = isText ? textOf(prefix) : bytesOf(prefix)
          const within = select(records, { prefix }).map(([name]) => name)
          requireSame([...db.keys(key)].map(nameOf), within, 'a prefix alone')
          requireSame(
            [...db].map(([k]) => nameOf(k as string)),
            select(records, {}).map(([name]) => name),
            'all',
          )
          for (let i = 0; i < 15 * runs; i++) {
            const range = randomRange(random, names, isText)
            const expected = select(records, range)
            requireCursor(db.cursor(given(range, false)), random, names, range, expected)
          }
          for (let i = 0; i < 8 * runs; i++) {
            const { reverse: _, limit, ...range } = randomRange(random, names, isText)
            const cleared = limit === undefined ? range : { ...range, limit }
            const gone = select(records, cleared)
            const rest = new Map(records)
            for (const [name] of gone) rest.delete(name)
            const tx = db.begin()
            tx.clear(given(cleared, false))
            requireSame(
              [...tx.keys()].map(nameOf),
              select(rest, {}).map(([name]) => name),
              'cleared in a transaction',
            )
            if (db.count() !== records.size) throw new Error('others see an uncommitted clear()')
            tx.rollback()
            requireRange(db, {}, 'after the rollback of a clear()')
            db.clear(given(cleared, false))
            for (const [name] of gone) records.delete(name)
            requireRange(db, {}, `after clear(${showRange(cleared)})`)
            for (const [name, value] of gone) {
              db.put(bytesOf(name), value)
              records.set(name, value)
            }
          }
          await expectVerified(db, records.size)
          db.clear()
          records.clear()
          requireRange(db, {}, 'after clear()')
          await expectVerified(db, 0)
        })
      }))
  }
}

type AnyCursor = ReturnType<Life['db']['cursor']> & { seek(key: Uint8Array): void }

/** Steps and seeks of a cursor, in any order; past the end it stays there. */
const requireCursor = (
  cursor: { close(): void },
  random: Random,
  names: readonly string[],
  range: NamedRange,
  expected: readonly (readonly [string, string])[],
): void => {
  const c = cursor as AnyCursor
  const what = `cursor ${showRange(range)}`
  // With a limit, seek() begins to count anew.
  const unlimited = range.limit === undefined
  let at = -1
  for (let step = 0; step < 40; step++) {
    if (random.chance(0.15) && unlimited) {
      const name = random.pick(names)
      c.seek(bytesOf(name))
      const first = expected.findIndex(([other]) => (range.reverse === true ? other <= name : other >= name))
      at = (first < 0 ? expected.length : first) - 1
    } else if (random.chance(0.05)) {
      c.reset()
      at = -1
    }
    const moved = c.next()
    at = Math.min(at + 1, expected.length)
    if (moved !== at < expected.length) throw new Error(`${what}: next() gave ${moved} at ${at}`)
    if (!moved) {
      expectCode(() => c.readCurrent(), 'XENON_INVALID_ARGUMENT')
      if (c.next()) throw new Error(`${what}: next() goes on behind the end`)
      continue
    }
    const { key, value } = c.readCurrent()
    requireSame([nameOf(key), value], expected[at]!, `${what} at ${at}`)
  }
  c.close()
  expectCode(() => c.next(), 'XENON_CLOSED')
}

for (const blockSize of sizes) {
  for (const frames of [16, 1000]) {
    test(`iterators and snapshots keep the moment of their making: blocks of ${blockSize}, ${frames} frames`, () =>
      seeded(async random => {
        const keyEncoding = random.pick(['binary', 'utf8'] as const)
        const options = {
          blockSize,
          keyEncoding,
          cacheBytes: frames * blockSize,
          checkpointBytes: 262_144,
          logSegmentBytes: 131_072,
          durability: random.pick(['process', 'none'] as const),
          storage: steadyStorage(random),
        }
        await withSteadyTime(random, () =>
          withMemoryDatabase(options, async subject => {
            const names = (keyEncoding === 'utf8' ? textNames : binaryNames)(random, 300)
            const life = new Life(subject, random, names)
            await life.run(350 * runs)
          }),
        )
      }))
  }
}

test('a key longer than any other, and one of a single byte, bound every range', () =>
  withMemoryDatabase({ keyEncoding: 'binary' }, ({ db }) => {
    const names = ['\0', 'a', `a${'\xff'.repeat(1023)}`, 'b', '\xff', '\xff'.repeat(1024)]
    for (const name of names) db.put(bytesOf(name), name.slice(0, 1))
    const found = (range: Range): string[] => [...db.keys(range)].map(nameOf)
    expect(found({ gt: bytesOf('\xff'.repeat(1024)) })).toEqual([])
    expect(found({ gte: bytesOf('\xff'.repeat(1024)) })).toEqual(names.slice(5))
    expect(found({ lt: bytesOf('\0') })).toEqual([])
    expect(found({ lte: bytesOf('\0') })).toEqual(names.slice(0, 1))
    expect(found({ lt: new Uint8Array(0) })).toEqual([])
    expect(found({ lte: new Uint8Array(0) })).toEqual([])
    expect(found({ gt: new Uint8Array(0) })).toEqual(names)
    expect(found({ prefix: bytesOf('\xff') })).toEqual(names.slice(4))
    expect(found({ prefix: bytesOf('a') })).toEqual(names.slice(1, 3))
    expect(found({ gt: bytesOf('b'), lt: bytesOf('a') })).toEqual([])
    expectCode(() => db.keys({ gt: new Uint8Array(1025) }), 'XENON_INVALID_ARGUMENT')
    expectCode(() => db.keys({ limit: -1 }), 'XENON_INVALID_ARGUMENT')
    expectCode(() => db.keys({ limit: Number.NaN }), 'XENON_INVALID_ARGUMENT')
    expectCode(() => db.count({ more: 1 } as never), 'XENON_INVALID_ARGUMENT')
    expectCode(() => db.entries(7 as never), 'XENON_INVALID_ARGUMENT')
    expectCode(() => db.values({ prefix: '\ud800' }), 'XENON_INVALID_ARGUMENT')
    expectCode(() => db.clear({ reverse: 1 as never }), 'XENON_INVALID_ARGUMENT')
  }))

test('who reads a range in a transaction meets no phantom, also where the range is empty', () =>
  withMemoryDatabase({}, subject => {
    const { db } = subject
    // Keys that share an index block may share a lock.
    const used = ['b1', 'b2', 'b15', 'c1', 'c5', 'c7']
    const own = keysApart(hashOf(subject), 1, 'b3', used)[0]!
    const elsewhere = keysApart(hashOf(subject), 1, 'z', [...used, own])[0]!
    db.put('b1', 'one')
    db.put('b2', 'two')
    const reader = db.begin()
    expect(reader.count('b')).toBe(2)
    expect([...reader.keys({ gt: 'c', lt: 'd' })]).toEqual([])
    expectCode(() => db.put('b15', 'phantom'), 'XENON_LOCK_CONFLICT')
    expectCode(() => db.delete('b1'), 'XENON_LOCK_CONFLICT')
    expectCode(() => db.put('c5', 'phantom'), 'XENON_LOCK_CONFLICT')
    expectCode(() => db.clear('b'), 'XENON_LOCK_CONFLICT')
    expectCode(() => db.batch([{ type: 'put', key: 'c1', value: '' }]), 'XENON_LOCK_CONFLICT')
    const writer = db.begin()
    expectCode(() => writer.put('c7', 'phantom'), 'XENON_LOCK_CONFLICT')
    expectCode(() => writer.delete('b2'), 'XENON_LOCK_CONFLICT')
    expect(thrownBy(() => writer.put(elsewhere, 'elsewhere'))).toBeUndefined()
    expectCode(() => reader.count({ gte: 'z' }), 'XENON_LOCK_CONFLICT')
    reader.put(own, 'of its own')
    expect([...reader.keys('b')]).toEqual(['b1', 'b2', own])
    expect([...db.keys()]).toEqual(['b1', 'b2'])
    writer.commit()
    reader.commit()
    db.put('b15', 'now it may')
    expect([...db.keys()]).toEqual(['b1', 'b15', 'b2', own, elsewhere])
  }))

test('an unordered database has no ranges, and says how to get them', () =>
  withMemoryDatabase({ ordered: false }, async ({ db }) => {
    for (let i = 0; i < 50; i++) db.put(`key ${i}`, 'value')
    for (const action of [
      () => db.keys(),
      () => db.values('a'),
      () => db.entries({ gt: 'a' }),
      () => [...db],
      () => db.count('a'),
      () => db.cursor('a'),
      () => db.clear('a'),
      () => db.snapshot().keys(),
      () => db.begin().count(),
    ])
      expectCode(action, 'XENON_NOT_SUPPORTED')
    await expectCodeAsync(async () => db.begin().clear('a'), 'XENON_NOT_SUPPORTED')
    expect(db.count()).toBe(50)
    expect(db.snapshot().get('key 1')).toBe('value')
    db.clear()
    expect(db.count()).toBe(0)
  }))

test('count() of an unordered database, and of its snapshots, leaves out what is not committed', () =>
  withMemoryDatabase({ ordered: false }, ({ db }) => {
    for (let i = 0; i < 50; i++) db.put(`key ${i}`, 'value', i < 5 ? { ttl: 1e6 } : {})
    const tx = db.begin()
    tx.put('key 50', 'new')
    tx.delete('key 1')
    expect(db.count()).toBe(50)
    const snapshot = db.snapshot()
    tx.commit()
    expect(snapshot.count()).toBe(50)
    expect(db.count()).toBe(50)
    db.delete('key 50')
    expect(db.count()).toBe(49)
  }))

test('isIn and select are what the names say', () => {
  expect(isIn('a', { gt: 'a' })).toBe(false)
  expect(select(new Map([['b', ''], ['a', '']]), { reverse: true, limit: 1 })).toEqual([['b', '']]) // biome-ignore format: one line
})
