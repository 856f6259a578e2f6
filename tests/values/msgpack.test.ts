/** `valueEncoding: 'msgpack'`, without the native part that msgpackr uses where it finds it. */
import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { connect } from '../../src/client/index.ts'
import { type Database, memoryStorage, open } from '../../src/index.ts'
import { loadPackage } from '../../src/runtime/packages.ts'
import { createServer } from '../../src/server/index.ts'
import { withMemoryDatabase } from '../support/database.ts'
import { expectCode, failureOf } from '../support/errors.ts'
import fc from '../support/property.ts'

process.env.MSGPACKR_NATIVE_ACCELERATION_DISABLED = 'true'

const circle: Record<string, unknown> = { name: 'circle' }
circle.self = circle
const shared = { x: 1 }

/** What comes back as structuredClone would give it. */
const VALUES: Readonly<Record<string, unknown>> = {
  undefined,
  null: null,
  booleans: [true, false],
  numbers: [0, 1, -1, 127, 128, -129, 65536, 2 ** 53 - 1, -(2 ** 53), 0.1, 1.5, 1e300, 5e-324],
  'numbers that are none': [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  bigints: [0n, 1n, -1n, 2n ** 63n, 2n ** 64n - 1n, 2n ** 200n, -(2n ** 200n)],
  texts: ['', 'a', 'é', '語', '😀', '\0', 'x'.repeat(70_000)],
  dates: [new Date(0), new Date(1_234_567_890_123), new Date(-5), new Date(8.64e15), new Date(Number.NaN)],
  maps: new Map<unknown, unknown>([
    [1, 'one'],
    ['1', { a: new Map() }],
    [null, new Set()],
    [{ key: 1 }, undefined],
  ]),
  sets: new Set<unknown>([1, '1', undefined, { x: 1 }, new Set([2n])]),
  'empty ones': [new Map(), new Set(), {}, [], ''],
  undefineds: { a: undefined, b: [undefined, null] },
  bytes: [new Uint8Array([1, 2, 255]), new Uint8Array(0)],
  'typed arrays': [
    new Int8Array([-1]),
    new Uint8ClampedArray([255]),
    new Int16Array([-300]),
    new Uint16Array([65535]),
    new Int32Array([-70_000]),
    new Uint32Array([4_000_000_000]),
    new Float32Array([1.5]),
    new Float64Array([0.1]),
    new BigInt64Array([-1n]),
    new BigUint64Array([2n ** 63n]),
  ],
  buffers: [new Uint8Array([9, 8]).buffer, new DataView(new Uint8Array([7]).buffer)],
  expressions: [/a+/gi],
  errors: [new TypeError('wrong')],
  'what is there twice': [shared, shared],
  'a circle': circle,
  'an object with many fields': Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`field ${i}`, i])),
  'an object with odd fields': { '': 1, 1: 'number', 'a b': null, constructor: 2, toString: 3 },
  nested: { list: [{ map: new Map([[{ k: 1 }, new Set([new Date(5)])]]) }] },
}

describe('msgpack', () => {
  test.each(Object.keys(VALUES))('%s: as structuredClone', name =>
    withMemoryDatabase<unknown>({ valueEncoding: 'msgpack' }, async ({ db, reopen }) => {
      const value = VALUES[name]
      db.put('a', value)
      db.put('b', { inside: value })
      await db.async.put('c', [value, value])
      const check = (from: Database<unknown>): void => {
        expect(from.get('a')).toStrictEqual(structuredClone(value))
        expect(from.get('b')).toStrictEqual(structuredClone({ inside: value }))
        expect(from.get('c')).toStrictEqual(structuredClone([value, value]))
        expect([...from.values()]).toHaveLength(3)
        expect(from.has('a')).toBe(true)
      }
      check(db)
      check(reopen())
    }),
  )

  test('anything with values of all kinds in it, read in any order by another handle', () =>
    withMemoryDatabase<unknown>({ valueEncoding: 'msgpack' }, ({ reopen }) => {
      const anything = fc.anything({
        withBigInt: true,
        withDate: true,
        withMap: true,
        withSet: true,
        withTypedArray: true,
        stringUnit: 'grapheme',
        maxDepth: 3,
        maxKeys: 6,
      })
      fc.assert(
        fc.property(fc.array(anything.filter(isKept), { maxLength: 20 }), values => {
          const db = reopen()
          db.clear()
          db.batch(values.map((value, i) => ({ type: 'put', key: `${i}`, value })))
          const again = reopen()
          for (let i = values.length - 1; i >= 0; i--) expect(again.get(`${i}`)).toStrictEqual(values[i])
        }),
        { numRuns: 150 },
      )
    }))

  test('bytes come back as a Uint8Array of their own', () =>
    withMemoryDatabase<Uint8Array | { part: Uint8Array }>({ valueEncoding: 'msgpack' }, ({ db }) => {
      db.put('bytes', new Uint8Array([1, 2, 3]))
      db.put('inside', { part: new Uint8Array([4]) })
      const bytes = db.get('bytes') as Uint8Array
      expect(bytes.constructor).toBe(Uint8Array)
      bytes.fill(9)
      expect(db.get('bytes')).toEqual(new Uint8Array([1, 2, 3]))
      expect((db.get('inside') as { part: Uint8Array }).part.constructor).toBe(Uint8Array)
    }))

  test('what it does not keep is what docs/api.md says', () =>
    withMemoryDatabase<unknown>({ valueEncoding: 'msgpack' }, ({ db }) => {
      const back = (value: unknown): unknown => {
        db.put('k', value)
        return db.get('k')
      }
      expect(Object.is(back(-0), 0)).toBe(true)
      expect(back('\ud800')).toBe('\ufffd')
      expect(back({ f: () => 1 })).toEqual({ f: undefined })
      class Point {
        x = 1
      }
      expect(back(new Point())).toStrictEqual({ x: 1 })
      expect(back({ [Symbol('s')]: 1, a: 2 })).toStrictEqual({ a: 2 })
      const holes = new Array(2)
      expect(back(holes)).toStrictEqual([undefined, undefined])
    }))

  test('bytes that are none are a typed error with the key; a value that has no end is refused', async () => {
    const storage = memoryStorage()
    const binary = open('db', { storage, valueEncoding: 'binary' })
    binary.put('bad', new Uint8Array([0xd9, 5, 65]))
    binary.close()
    const db = open<unknown>('db', { storage, valueEncoding: 'msgpack', storedEncoding: 'ignore' })
    expect(expectCode(() => db.get('bad'), 'XENON_DECODE').message).toContain("as 'msgpack'")
    expect(await failureOf(() => db.async.get('bad'))).toMatchObject({ code: 'XENON_DECODE', key: 'bad' })
    const deep: Record<string, unknown> = {}
    for (let i = 0, at = deep; i < 200_000; i++) {
      at.in = {}
      at = at.in as Record<string, unknown>
    }
    expectCode(() => db.put('deep', deep), 'XENON_ENCODE')
    db.put('good', { still: true })
    expect(db.get('good')).toEqual({ still: true })
    db.close()
  })

  test('over the network, in a sub-database, and beside compression', async () => {
    const value = { when: new Date(7), tags: new Set(['a'.repeat(200)]) }
    const served = open('db', { storage: memoryStorage(), keyEncoding: 'binary', valueEncoding: 'binary' })
    const server = createServer(served, { port: 0 })
    const { port } = (await server.listen()) as { port: number }
    const client = await connect<unknown>({ port, valueEncoding: 'msgpack' })
    await client.put('k', value)
    expect(await client.get('k')).toStrictEqual(value)
    await client.close()
    await server.close()
    served.close()
    const storage = memoryStorage()
    const db = open<unknown>('db', { storage, valueEncoding: 'msgpack', compression: 'snappy' })
    db.sub<unknown>('s', { valueEncoding: 'msgpack' }).put('k', value)
    db.put('k', value)
    db.close()
    const again = open<unknown>('db', { storage, valueEncoding: 'msgpack' })
    expect(again.sub<unknown>('s').get('k')).toStrictEqual(value)
    expect(again.get('k')).toStrictEqual(value)
    again.close()
  })

  test('a package that is not there is named, with the way to get it', () => {
    const error = expectCode(
      () => loadPackage('no-such-package-of-xenondb', "valueEncoding 'x'"),
      'XENON_NOT_SUPPORTED',
    )
    expect(error.message).toBe(
      "valueEncoding 'x' needs the package 'no-such-package-of-xenondb', which is not installed: npm install no-such-package-of-xenondb (a bundle does not carry it along: docs/frameworks.md, \"Bundlers\")",
    )
  })

  test('nothing is loaded before it is asked for', () => {
    const script = `
      import { createRequire } from 'node:module'
      const { open, memoryStorage } = await import('./dist/index.js')
      const loaded = () => Object.keys(createRequire(import.meta.url).cache).filter(name => /msgpackr|snappyjs/.test(name)).length
      const storage = memoryStorage()
      open('db', { storage, valueEncoding: 'json' }).close()
      const before = loaded()
      const db = open('other', { storage, valueEncoding: 'msgpack', compression: 'snappy' })
      db.put('k', new Map([['a'.repeat(300), 1n]]))
      console.log(before, loaded() > 1, db.get('k').get('a'.repeat(300)))`
    const child = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
    expect(child.stdout + child.stderr).toBe('0 true 1n\n')
  })
})

/** -0 becomes 0; objects without a prototype, and with a field `__proto__`, come back as others. */
const isKept = (value: unknown): boolean => {
  if (Object.is(value, -0)) return false
  if (value instanceof Map) return [...value].flat().every(isKept)
  if (value instanceof Set) return [...value].every(isKept)
  if (Array.isArray(value)) return value.length === Object.keys(value).length && value.every(isKept)
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || value instanceof Date) return true
  return (
    Object.getPrototypeOf(value) !== null && !Object.hasOwn(value, '__proto__') && Object.values(value).every(isKept)
  )
}
