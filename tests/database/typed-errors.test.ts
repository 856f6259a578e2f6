/** Whatever is handed to the API: it works, or throws a XenonError, or what the caller's own code threw. */
import { describe, expect, test } from 'vitest'
import {
  type Database,
  DecodeError,
  EncodeError,
  memoryStorage,
  type OpenOptions,
  open,
  XenonError,
} from '../../src/index.ts'
import { expectVerified, withMemoryDatabase } from '../support/database.ts'
import { expectCode, thrownBy, wrong } from '../support/errors.ts'
import { type Random, seeded } from '../support/random.ts'

class OwnError extends Error {}

const own = (): never => {
  throw new OwnError('of the caller')
}
const detached = (): Uint8Array => {
  const bytes = new Uint8Array(8)
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] })
  return bytes
}

/** What nobody should hand in. */
const things: readonly (() => unknown)[] = [
  () => undefined,
  () => null,
  () => true,
  () => 0,
  () => -1,
  () => 1.5,
  () => Number.NaN,
  () => Number.POSITIVE_INFINITY,
  () => Number.NEGATIVE_INFINITY,
  () => 2 ** 53,
  () => 1e308,
  () => 5n,
  () => Symbol('symbol'),
  () => '',
  () => 'k',
  () => '\ud800',
  () => 'x'.repeat(1025),
  () => '\0',
  () => [],
  () => [1, 2],
  () => ['k', Symbol('in a list')],
  () => new Array(5),
  () => ({}),
  () => Object.create(null),
  () => Object.create(null, { ttl: { value: Object.create(null), enumerable: true } }),
  () => ({ limit: Object.create(null) }),
  () => ({ ttl: Symbol('ttl') }),
  () => ({ ttl: { valueOf: own } }),
  () => ({ type: Object.create(null) }),
  () => [{ type: 'put', key: {}, value: 'v' }],
  () => [{ type: Object.create(null), key: 'k' }],
  () => [{ type: 'put', key: 'k', value: 'v', ttl: Symbol('ttl') }],
  () => [null],
  () => ({
    get type(): never {
      return own()
    },
  }),
  () => ({
    get limit(): never {
      return own()
    },
  }),
  () => ({
    get ttl(): never {
      return own()
    },
  }),
  () => ({ toString: own }),
  () => ({ gt: 5 }),
  () => ({ gte: Symbol('bound') }),
  () => ({ prefix: {} }),
  () => ({ limit: -1 }),
  () => ({ reverse: 'yes' }),
  () => ({ isolation: Object.create(null) }),
  () => ({ signal: {} }),
  () => ({ signal: { addEventListener: 5 } }),
  () => ({ lockTimeout: Symbol('time') }),
  () => ({ retries: Object.create(null) }),
  () => ({ buffer: Symbol('buffer') }),
  () => ({ unknown: 1 }),
  () => new Proxy({}, { get: own, ownKeys: own, has: own, getPrototypeOf: own, getOwnPropertyDescriptor: own }),
  () => new Proxy([], { get: own }),
  () => new Proxy(() => 1, { apply: own }),
  () => own,
  () => () => 5,
  () => detached(),
  () => new Uint8Array(0),
  () => new Uint8Array([107]),
  () => new Uint8Array(new SharedArrayBuffer(4)),
  () => new Uint8Array(1025),
  () => new Uint16Array(4),
  () => new DataView(new ArrayBuffer(4)),
  () => new ArrayBuffer(4),
  () => new Date(Number.NaN),
  () => /x/,
  () => new Map(),
  () => new (class extends Uint8Array {})(3),
  () => Promise.resolve(1),
  () => globalThis,
]

const isRight = (error: unknown): boolean => error instanceof XenonError || error instanceof OwnError

// biome-ignore lint/suspicious/noExplicitAny: arguments of every kind are the point.
type Any = any
type Call = (db: Any, a: Any, b: Any, c: Any) => unknown

const calls: Readonly<Record<string, Call>> = {
  get: (db, a) => db.get(a),
  getMany: (db, a) => db.getMany(a),
  has: (db, a) => db.has(a),
  put: (db, a, b, c) => db.put(a, b, c),
  'put with options': (db, _a, b, c) => db.put('k', b, c),
  delete: (db, a) => db.delete(a),
  ttl: (db, a) => db.ttl(a),
  expire: (db, a, b) => db.expire(a, b),
  'expire a key': (db, a) => db.expire('k', a),
  persist: (db, a) => db.persist(a),
  batch: (db, a) => db.batch(a),
  'batch of one': (db, a, b, c) => db.batch([{ type: 'put', key: a, value: b, ttl: c }]),
  'async.put': (db, a, b, c) => db.async.put(a, b, c),
  'async.delete': (db, a) => db.async.delete(a),
  'async.batch': (db, a) => db.async.batch(a),
  begin: (db, a) => db.begin(a).rollback(),
  'async.put with options': (db, a) => db.async.put('k', 'v', a),
  'async.expire': (db, a, b) => db.async.expire(a, b),
  'async.clear': (db, a, b) => db.async.clear(a, b),
  'async.begin': async (db, a) => (await db.async.begin(a)).rollback(),
  transaction: (db, a, b) => db.transaction(a, b),
  'async.transact': (db, a, b) => db.async.transact(a, { retries: 0, ...(typeof b === 'object' ? b : {}) }),
  'in a transaction': (db, a, b, c) =>
    db.transaction((tx: Any) => {
      tx.put(a, b, c)
      tx.rollbackTo(a)
    }),
  'reading in a transaction': (db, a) => db.transaction((tx: Any) => [[...tx.keys(a)], tx.count(a), tx.get(a)]),
  keys: (db, a) => [...db.keys(a)],
  values: (db, a) => [...db.values(a)],
  entries: (db, a) => db.entries(a).take(2).toArray(),
  count: (db, a) => db.count(a),
  clear: (db, a) => db.clear(a),
  cursor: (db, a) => {
    const cursor = db.cursor(a)
    cursor.seek?.(a)
    cursor.next()
    cursor.close()
  },
  watch: (db, a, b) => db.watch(a, b).return(),
  checkpoint: (db, a) => db.checkpoint(a),
  compact: (db, a) => db.compact(a),
  backup: (db, a, b) => db.backup(a, b),
  verify: (db, a) => db.verify(a),
  snapshot: (db, a) => {
    const snapshot = db.snapshot()
    try {
      return [snapshot.get(a), snapshot.has(a), snapshot.count(a)]
    } finally {
      snapshot.close()
    }
  },
}

test('a proxy of bytes is no bytes', () =>
  withMemoryDatabase<Uint8Array>({ valueEncoding: 'binary' }, ({ db }) => {
    const proxy = new Proxy(new Uint8Array(2), {})
    expectCode(() => db.put('key', proxy), 'XENON_INVALID_ARGUMENT')
    expectCode(() => db.put(proxy, new Uint8Array(1)), 'XENON_INVALID_ARGUMENT')
    expectCode(() => db.get(proxy), 'XENON_INVALID_ARGUMENT')
  }))

describe('wrong arguments of every kind', () => {
  for (const valueEncoding of ['utf8', 'json', 'binary'] as const)
    test(`lead to typed errors alone, with valueEncoding '${valueEncoding}'`, () =>
      seeded(random =>
        withMemoryDatabase<unknown>(
          { valueEncoding: valueEncoding as 'json', durability: 'none', ordered: true },
          async ({ db }) => {
            const tried: string[] = []
            for (const [name, call] of Object.entries(calls))
              for (let round = 0; round < 3 * things.length; round++) {
                const first = round < things.length ? round : random.below(things.length)
                await tryCall(db, name, call, first, random, tried)
              }
            expect(tried).toEqual([])
            await expectVerified(db)
          },
        ),
      ))

  test('among the options of open lead to typed errors alone', () =>
    seeded(random => {
      const names = [
        'cacheBytes',
        'blockSize',
        'valueEncoding',
        'keyEncoding',
        'ordered',
        'compression',
        'createIfMissing',
        'errorIfExists',
        'readOnly',
        'durability',
        'checkpointBytes',
        'snapshotBytes',
        'lockTimeout',
        'logSegmentBytes',
      ]
      const wrong: string[] = []
      const attempt = (what: string, directory: unknown, options: unknown): void => {
        try {
          open(directory as string, options as OpenOptions).close()
        } catch (error) {
          if (!isRight(error)) wrong.push(`${what}: ${String(error)}`)
        }
      }
      things.forEach((thing, i) => {
        attempt(`directory ${i}`, typeof thing() === 'string' ? '' : thing(), { storage: memoryStorage() })
        for (const name of names)
          attempt(`${name} ${i}`, 'db', {
            storage: memoryStorage(),
            ...(random.below(2) === 0 ? { durability: 'none' } : {}),
            [name]: thing(),
          })
      })
      expect(wrong).toEqual([])
    }))
})

const tryCall = async (
  db: Database<unknown>,
  name: string,
  call: Call,
  first: number,
  random: Random,
  tried: string[],
): Promise<void> => {
  const second = random.below(things.length)
  const third = random.below(things.length)
  try {
    const a = things[first]!()
    // A promise as an argument may be refused: nobody else waits for it.
    await call(db, a, things[second]!(), things[third]!())
  } catch (error) {
    if (!isRight(error))
      tried.push(`${name}(${[first, second, third].map(i => things[i]!.toString()).join(', ')}): ${String(error)}`)
  }
}

describe('a value that does not decode', () => {
  const storage = memoryStorage()
  const written = (): void => {
    const db = open('db', { storage })
    for (let i = 0; i < 100; i++) db.put(`k${String(i).padStart(3, '0')}`, i === 50 ? '{broken' : `{"n":${i}}`)
    db.close()
  }

  test('gives an error that names key, encoding and cause, and leaves the handle in order', async () => {
    written()
    const db = open<{ n: number }>('db', { storage, valueEncoding: 'json', storedEncoding: 'ignore' })
    const error = thrownBy(() => db.get('k050')) as DecodeError
    expect(error).toBeInstanceOf(DecodeError)
    expect(error).toMatchObject({ code: 'XENON_DECODE', key: 'k050', encoding: 'json' })
    expect(error.cause).toBeInstanceOf(SyntaxError)
    expect(error.message).toContain('"k050"')
    for (const read of [
      () => db.getMany(['k001', 'k050']),
      () => db.snapshot().get('k050'),
      () => db.begin().get('k050'),
      () => [...db.values()],
      () => [...db.entries({ limit: 60 })],
      () => [...db.entries({ reverse: true })],
      () => db.transaction(tx => [...tx.entries()]),
      () => {
        const cursor = db.cursor()
        while (cursor.next()) cursor.readCurrent()
      },
    ])
      expect(thrownBy(read)).toMatchObject({ code: 'XENON_DECODE', key: 'k050' })
    expect(db.get('k051')).toEqual({ n: 51 })
    expect([...db.keys()]).toHaveLength(100)
    db.close()
  })

  test('does not end an iterator, which goes on behind it, nor a cursor', () => {
    written()
    const db = open<{ n: number }>('db', { storage, valueEncoding: 'json', storedEncoding: 'ignore' })
    const ranges = [
      undefined,
      { limit: 100 },
      { reverse: true },
      { gte: 'k', limit: 90, onDecodeError: 'throw' as const },
    ]
    const tx = db.begin()
    const snapshot = db.snapshot()
    for (const reads of [db, tx, snapshot])
      for (const range of ranges) {
        const entries = reads.entries(range)
        const seen: unknown[] = []
        for (;;) {
          const step = thrownBy(() => {
            const { done, value } = entries.next()
            seen.push(done === true ? 'end' : value[1].n)
          })
          if (step !== undefined) seen.push((step as DecodeError).key)
          if (seen.at(-1) === 'end') break
        }
        const all: unknown[] = Array.from({ length: 100 }, (_, i) => (i === 50 ? 'k050' : i))
        if (range?.reverse) all.reverse()
        expect(seen).toEqual([...all.slice(0, range?.limit ?? 100), 'end'])
      }
    tx.rollback()
    snapshot.close()
    const half = db.entries()
    expect(thrownBy(() => half.take(60).toArray())).toMatchObject({ code: 'XENON_DECODE' })
    half.return()
    const cursor = db.cursor({ gte: 'k049' })
    expect(cursor.next()).toBe(true)
    expect(cursor.readCurrent()).toEqual({ key: 'k049', value: { n: 49 } })
    expect(thrownBy(() => cursor.next())).toMatchObject({ code: 'XENON_DECODE' })
    expect(thrownBy(() => cursor.readCurrent())).toMatchObject({ code: 'XENON_INVALID_ARGUMENT' })
    expect(cursor.next()).toBe(true)
    expect(cursor.readCurrent()).toEqual({ key: 'k051', value: { n: 51 } })
    cursor.seek('k051')
    expect(cursor.next()).toBe(true)
    expect(cursor.readCurrent()).toEqual({ key: 'k051', value: { n: 51 } })
    cursor.close()
    const scan = db.cursor()
    let readable = 0
    while (scan.next()) if (thrownBy(() => scan.readCurrent()) === undefined) readable++
    expect(readable).toBe(99)
    scan.close()
    expect(db.stats().snapshots.open).toBe(0)
    db.put('k050', { n: 50 })
    expect([...db.values()]).toHaveLength(100)
    db.close()
  })

  test('is passed over, or handed to a function that may use the database, and does not count', async () => {
    written()
    const db = open<{ n: number }>('db', { storage, valueEncoding: 'json', storedEncoding: 'ignore' })
    const tx = db.begin()
    const snapshot = db.snapshot()
    for (const reads of [db, tx, snapshot]) {
      expect([...reads.values({ onDecodeError: 'skip' })]).toHaveLength(99)
      expect([...reads.values({ gte: 'k049', limit: 2, onDecodeError: 'skip' })]).toEqual([{ n: 49 }, { n: 51 }])
      expect([...reads.keys({ onDecodeError: 'skip' })]).toHaveLength(100)
      expect(reads.count({ gte: 'k050', onDecodeError: 'skip' })).toBe(50)
    }
    tx.rollback()
    snapshot.close()
    const cursor = db.cursor({ gte: 'k049', onDecodeError: 'skip' })
    expect(cursor.next()).toBe(true)
    expect(cursor.next()).toBe(true)
    expect(cursor.readCurrent().key).toBe('k051')
    cursor.close()
    const named: unknown[] = []
    const repair = (error: DecodeError): void => {
      named.push(error.key)
      db.put(error.key as string, { n: 0 })
    }
    expect([...db.values({ onDecodeError: repair })]).toHaveLength(99)
    expect(named).toEqual(['k050'])
    expect(db.get('k050')).toEqual({ n: 0 })
    for (const given of [1, 'no', null, {}, async () => {}])
      expect(thrownBy(() => db.keys({ onDecodeError: wrong(given) }))).toMatchObject({ code: 'XENON_INVALID_ARGUMENT' })
    expect(db.stats().snapshots.open).toBe(0)
    await expectVerified(db, 100)
    db.close()
  })

  test('among those that an open transaction has changed, and those that an index leads to', async () => {
    const picky = {
      name: 'picky',
      encode: (value: string): Uint8Array => new TextEncoder().encode(value),
      decode: (bytes: Uint8Array): string => {
        const text = new TextDecoder().decode(bytes)
        if (text.endsWith(blocked)) throw new OwnError('cannot')
        return text
      },
    }
    let blocked = 'nothing'
    await withMemoryDatabase<string>({ valueEncoding: picky }, async ({ db }) => {
      const byFirst = db.index('first', value => value[0]!)
      for (let i = 0; i < 10; i++) db.put(`k${i}`, `${'ab'[i % 2]!}${i}`)
      const tx = db.begin()
      tx.put('k4', 'c0')
      tx.delete('k3')
      blocked = '4'
      expect([...db.values({ onDecodeError: 'skip' })]).toEqual(['a0', 'b1', 'a2', 'b3', 'b5', 'a6', 'b7', 'a8', 'b9'])
      expect(thrownBy(() => [...db.values()])).toMatchObject({ code: 'XENON_DECODE', key: 'k4', encoding: 'picky' })
      tx.rollback()
      for (const limit of [undefined, 4]) {
        const range = { gte: 'a', lt: 'b', ...(limit !== undefined && { limit }) }
        const entries = byFirst.entries(range)
        const seen: unknown[] = []
        for (let i = 0; i < 5; i++) {
          const error = thrownBy(() => seen.push(entries.next().value?.[1]))
          if (error !== undefined) seen.push(error)
        }
        expect(seen[2]).toMatchObject({ code: 'XENON_DECODE', key: 'k4' })
        expect(seen.toSpliced(2, 1)).toEqual(['k0', 'k2', 'k6', limit === undefined ? 'k8' : undefined])
        const rest = [...byFirst.entries({ ...range, onDecodeError: 'skip' })]
        expect(rest.map(([, key]) => key)).toEqual(['k0', 'k2', 'k6', 'k8'])
        const named: unknown[] = []
        expect([...byFirst.entries({ ...range, onDecodeError: error => named.push(error.key) })]).toHaveLength(4)
        expect(named).toEqual(['k4'])
      }
      blocked = 'nothing'
      await expectVerified(db, 10)
    })
  })

  test('names codecs of the caller too, and passes on what the database itself has said', async () => {
    const codec = {
      name: 'picky',
      encode: (value: string): Uint8Array => {
        if (value === 'refused') throw new OwnError('not this one')
        return new TextEncoder().encode(value)
      },
      decode: (bytes: Uint8Array): string => {
        const text = new TextDecoder().decode(bytes)
        if (text === 'unreadable') throw new OwnError('cannot')
        return text
      },
    }
    await withMemoryDatabase<string>({ valueEncoding: codec }, async ({ db }) => {
      const refused = thrownBy(() => db.put('a', 'refused'))
      expect(refused).toBeInstanceOf(EncodeError)
      expect(refused).toMatchObject({ code: 'XENON_ENCODE', key: 'a', encoding: 'picky' })
      expect((refused as Error).cause).toBeInstanceOf(OwnError)
      await expect(db.async.put('a', 'refused')).rejects.toMatchObject({ code: 'XENON_ENCODE' })
      db.put('b', 'unreadable')
      db.put('c', 'fine')
      expect(thrownBy(() => db.get('b'))).toMatchObject({ code: 'XENON_DECODE', key: 'b', encoding: 'picky' })
      expect(thrownBy(() => [...db.entries()])).toMatchObject({ code: 'XENON_DECODE', key: 'b' })
      expect(db.get('c')).toBe('fine')
    })
    await withMemoryDatabase<string>({ valueEncoding: codec, keyEncoding: 'binary' }, ({ db }) => {
      const bytes = new Uint8Array([0xff, 0xfe])
      db.put(bytes, 'unreadable')
      expect((thrownBy(() => db.get(bytes)) as DecodeError).key).toEqual(bytes)
    })
  })

  test('does not undo the commit of a record that somebody watches', async () => {
    const codec = {
      name: 'one way',
      encode: (value: string): Uint8Array => new TextEncoder().encode(value),
      decode: (bytes: Uint8Array): string => {
        const text = new TextDecoder().decode(bytes)
        if (text === 'unreadable') throw new OwnError('cannot')
        return text
      },
    }
    await withMemoryDatabase<string>({ valueEncoding: codec }, async ({ db }) => {
      const watcher = db.watch()
      db.batch([
        { type: 'put', key: 'a', value: 'readable' },
        { type: 'put', key: 'b', value: 'unreadable' },
      ])
      db.put('c', 'unreadable')
      expect(await watcher.next()).toMatchObject({ value: { key: 'a' } })
      await expect(watcher.next()).rejects.toMatchObject({ code: 'XENON_DECODE', key: 'b' })
      expect(await watcher.next()).toEqual({ done: true, value: undefined })
      expect([...db.keys()]).toEqual(['a', 'b', 'c'])
      expect(db.stats().transactions.open).toBe(0)
      db.put('d', 'readable')
      await expectVerified(db, 4)
    })
  })

  test('names the compression that fails, on the way in and on the way out', async () => {
    let fails = false
    const compression = {
      name: 'half',
      compress: (bytes: Uint8Array): Uint8Array => (fails ? own() : bytes.subarray(0, 10)),
      decompress: (): Uint8Array => (fails ? own() : new Uint8Array(100)),
    }
    await withMemoryDatabase<Uint8Array>({ valueEncoding: 'binary', compression }, async ({ db }) => {
      db.put('a', new Uint8Array(100))
      fails = true
      expect(thrownBy(() => db.put('b', new Uint8Array(100)))).toMatchObject({
        code: 'XENON_ENCODE',
        key: 'b',
        encoding: 'half',
      })
      expect(thrownBy(() => db.get('a'))).toMatchObject({ code: 'XENON_DECODE', key: 'a', encoding: 'half' })
      expect(thrownBy(() => [...db.entries()])).toMatchObject({ code: 'XENON_DECODE', key: 'a' })
      const cursor = db.cursor()
      expect(thrownBy(() => cursor.next())).toMatchObject({ code: 'XENON_DECODE', key: 'a' })
      compression.decompress = () => 'text' as unknown as Uint8Array
      expect(thrownBy(() => db.get('a'))).toMatchObject({ code: 'XENON_DECODE', key: 'a', encoding: 'half' })
      fails = false
    })
  })

  test('a string longer than the longest value is refused before its bytes are made', async () => {
    await withMemoryDatabase({ durability: 'none' }, ({ db }) => {
      expect(thrownBy(() => db.put('k', 'x'.repeat(2 ** 28 + 1)))).toMatchObject({
        code: 'XENON_VALUE_TOO_LARGE',
      })
    })
  })
})
