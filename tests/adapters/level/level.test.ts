/** What abstract-level leaves to its implementations: the disk, durability, errors, odd keys. */
import type { AbstractIterator } from 'abstract-level'
import { describe, expect, test } from 'vitest'
import { LevelError, XenonLevel, type XenonLevelOptions } from '../../../src/adapters/level/index.ts'
import { memoryStorage, open, XenonError } from '../../../src/index.ts'
import { expectVerified } from '../../support/database.ts'
import { withDirectory } from '../../support/directory.ts'
import { failureOf } from '../../support/errors.ts'
import { readImage, storageOf } from '../../support/image.ts'
import fc from '../../support/property.ts'

/** Runs `body` with an open database on the disk, which is verified at the end. */
async function withLevel<K = string, V = string>(
  options: XenonLevelOptions<K, V>,
  body: (db: XenonLevel<K, V>) => Promise<void>,
): Promise<void> {
  await withDirectory(async parent => {
    const db = new XenonLevel<K, V>(`${parent}/db`, { cacheBytes: 1048576, ...options })
    await db.open()
    try {
      await body(db)
      if (db.status === 'closed') await db.open()
      await expectVerified(db.database)
    } finally {
      await db.close()
    }
  })
}

async function codesOf(action: () => unknown): Promise<string[]> {
  const codes: string[] = []
  for (let error = await failureOf(action); error instanceof Error; error = error.cause)
    codes.push((error as { code?: string }).code ?? error.name)
  return codes
}

describe('on the disk', () => {
  test('records survive closing and opening, by the same object and another', async () => {
    await withLevel({}, async db => {
      await db.put('a', '1')
      await db.batch([
        { type: 'put', key: 'b', value: '2' },
        { type: 'del', key: 'a' },
      ])
      await db.close()
      await db.open()
      expect(await db.iterator().all()).toEqual([['b', '2']])
      await db.close()
      const other = new XenonLevel(db.location)
      expect(await other.get('b')).toBe('2')
      await other.close()
    })
  })

  test('keys are the same bytes for open() and for XenonLevel', async () => {
    await withLevel<string, object>({ valueEncoding: 'json' }, async db => {
      await db.put('city:Genève', { people: 203856 })
      await db.close()
      const plain = open<{ people: number }>(db.location, { valueEncoding: 'json' })
      expect(plain.get('city:Genève')).toEqual({ people: 203856 })
      plain.put('city:Oslo', { people: 709037 })
      plain.close()
      await db.open()
      expect(await db.keys().all()).toEqual(['city:Genève', 'city:Oslo'])
    })
  })

  test('a time to live survives closing', async () => {
    await withLevel({}, async db => {
      await db.put('soon', '1', { ttl: 60_000 })
      await db.put('later', '2')
      await db.batch([{ type: 'put', key: 'batched', value: '3', ttl: 60_000 } as never])
      await db.close()
      await db.open()
      expect(db.database.ttl('soon')).toBeGreaterThan(0)
      expect(db.database.ttl('batched')).toBeLessThanOrEqual(60_000)
      expect(db.database.ttl('later')).toBe(Number.POSITIVE_INFINITY)
      await db.put('now', '4', { ttl: 1 })
      await new Promise(resolve => setTimeout(resolve, 5))
      expect(await db.get('now')).toBeUndefined()
      expect(await db.keys().all()).toEqual(['batched', 'later', 'soon'])
    })
  })
})

describe('durability', () => {
  test('a write is not synced, with sync it is', async () => {
    await withLevel({}, async db => {
      const syncs = (): number => db.database.stats().log.fsyncs
      const before = syncs()
      await db.put('a', '1')
      await db.del('a')
      await db.batch([{ type: 'put', key: 'b', value: '2' }])
      expect(syncs()).toBe(before)
      await db.put('a', '1', { sync: true })
      expect(syncs()).toBe(before + 1)
      await db.del('a', { sync: true })
      expect(syncs()).toBe(before + 2)
      await db.batch([{ type: 'put', key: 'c', value: '3' }], { sync: true })
      expect(syncs()).toBe(before + 3)
      await db
        .batch()
        .put('d', '4')
        .write({ sync: true } as object)
      expect(syncs()).toBe(before + 4)
    })
  })

  test.each(['process', 'power'] as const)('writes at the same time share a sync (%s)', async durability => {
    await withLevel({ durability }, async db => {
      const before = db.database.stats().log.fsyncs
      await Promise.all(Array.from({ length: 100 }, (_, i) => db.put(`key${i}`, 'x', { sync: true })))
      expect(db.database.stats().log.fsyncs - before).toBe(1)
    })
  })
})

describe('errors', () => {
  test('a directory that is open already is locked', async () => {
    await withLevel({}, async db => {
      const second = new XenonLevel(db.location)
      expect(await codesOf(() => second.open())).toEqual(['LEVEL_DATABASE_NOT_OPEN', 'LEVEL_LOCKED', 'XENON_LOCKED'])
    })
  })

  test('what cannot be opened says why', async () => {
    await withDirectory(async parent => {
      const missing = new XenonLevel(`${parent}/none`, { createIfMissing: false })
      expect((await codesOf(() => missing.open()))[1]).toBe('LEVEL_NOT_FOUND')
      open(`${parent}/unordered`, { ordered: false }).close()
      const unordered = new XenonLevel(`${parent}/unordered`)
      const error = (await failureOf(() => unordered.open())) as Error
      expect(String((error.cause as Error).message)).toContain('convert')
      const wrong = new XenonLevel(`${parent}/wrong`, { cacheBytes: -1 })
      expect((await codesOf(() => wrong.open()))[1]).toBe('LEVEL_INVALID_ARGUMENT')
      open(`${parent}/read`).close()
      const reader = new XenonLevel(`${parent}/read`, { readOnly: true })
      expect(await codesOf(() => reader.put('a', '1'))).toEqual(['LEVEL_READONLY', 'XENON_READ_ONLY'])
      expect(await reader.get('a')).toBeUndefined()
      await reader.close()
    })
    expect(() => new XenonLevel('')).toThrow(TypeError)
  })

  test('a recovery is told of, as open tells it', async () => {
    const storage = memoryStorage()
    const db = open('db', { storage })
    db.put('a', '1')
    const phases = new Set<string>()
    const left = storageOf(readImage('db', storage))
    const level = new XenonLevel('db', { storage: left, onRecovery: ({ phase }) => phases.add(phase) })
    expect(await level.get('a')).toBe('1')
    expect(phases.size).toBeGreaterThan(0)
    await level.close()
    db.close()
  })

  test('keys and values that the engine cannot hold are refused', async () => {
    await withLevel({}, async db => {
      expect(await codesOf(() => db.put('x'.repeat(1025), '1'))).toEqual(['LEVEL_INVALID_KEY', 'XENON_KEY_TOO_LARGE'])
      expect(await codesOf(() => db.put('\ud800', '1'))).toEqual(['LEVEL_INVALID_KEY'])
      expect(await codesOf(() => db.put('a', '\ud800'))).toEqual(['LEVEL_INVALID_VALUE'])
      expect((await codesOf(() => db.put('a', '1', { ttl: -1 })))[0]).toBe('LEVEL_INVALID_ARGUMENT')
      expect(await codesOf(() => db.get('a', { snapshot: {} as never }))).not.toEqual([])
      expect(await db.keys().all()).toEqual([])
    })
  })

  test('a failure of batch() leaves nothing behind', async () => {
    await withLevel({}, async db => {
      const operations = ['a', 'x'.repeat(1025)].map(key => ({ type: 'put' as const, key, value: '1' }))
      expect((await codesOf(() => db.batch(operations)))[0]).toBe('LEVEL_INVALID_KEY')
      expect(await db.get('a')).toBeUndefined()
    })
  })

  test('the database under it is there only while it is open', async () => {
    await withLevel({}, async db => {
      expect(db.database.stats().records).toBe(0)
      await db.close()
      expect(() => db.database).toThrow(LevelError)
    })
  })
})

describe('snapshots', () => {
  test('reads of a snapshot and iterators do not see later writes', async () => {
    await withLevel({}, async db => {
      await db.batch(['a', 'b', 'c'].map(key => ({ type: 'put', key, value: 'old' })))
      const snapshot = db.snapshot()
      const iterator = db.iterator()
      await db.put('a', 'new')
      await db.del('b')
      await db.put('d', 'new')
      expect(await db.getMany(['a', 'b', 'd'], { snapshot })).toEqual(['old', 'old', undefined])
      expect(db.getSync('a', { snapshot })).toBe('old')
      expect(await db.hasMany(['b', 'd'], { snapshot })).toEqual([true, false])
      expect(await db.keys({ snapshot, reverse: true }).all()).toEqual(['c', 'b', 'a'])
      expect(await iterator.nextv(10)).toEqual([
        ['a', 'old'],
        ['b', 'old'],
        ['c', 'old'],
      ])
      iterator.seek('b')
      expect(await iterator.next()).toEqual(['b', 'old'])
      await db.clear({ snapshot, gte: 'b' })
      expect(await db.iterator().all()).toEqual([
        ['a', 'new'],
        ['d', 'new'],
      ])
      await iterator.close()
      await snapshot.close()
      expect(await codesOf(() => db.get('a', { snapshot }))).toEqual(['LEVEL_SNAPSHOT_NOT_OPEN'])
    })
  })

  test('closing the database closes iterators and snapshots', async () => {
    await withLevel({}, async db => {
      await db.batch(Array.from({ length: 100 }, (_, i) => ({ type: 'put', key: String(i), value: 'x' })))
      const iterator: AbstractIterator<typeof db, string, string> = db.iterator()
      const snapshot = db.snapshot()
      await iterator.next()
      await db.close()
      expect(await codesOf(() => iterator.next())).toEqual(['LEVEL_ITERATOR_NOT_OPEN'])
      await db.open()
      expect((await codesOf(() => db.get('1', { snapshot })))[0]).toBe('LEVEL_SNAPSHOT_NOT_OPEN')
    })
  })

  test('a snapshot that took too much memory is lost, and says so', async () => {
    await withLevel({ snapshotBytes: 0 }, async db => {
      await db.put('a', '1')
      const snapshot = db.snapshot()
      await db.put('a', '2')
      expect(await codesOf(() => db.get('a', { snapshot }))).toEqual(['LEVEL_SNAPSHOT_NOT_OPEN', 'XENON_SNAPSHOT_LOST'])
      await snapshot.close()
    })
  })

  test('all() gives other work its turn, and can be aborted', async () => {
    await withLevel({}, async db => {
      const operations = Array.from({ length: 5000 }, (_, i) => ({
        type: 'put' as const,
        key: String(i).padStart(5, '0'),
        value: '',
      }))
      await db.batch(operations)
      const keys = operations.map(({ key }) => key)
      expect(await db.keys().all()).toEqual(keys)
      expect(await db.keys({ limit: 2500 }).all()).toEqual(keys.slice(0, 2500))
      expect(await db.keys({ limit: 2000, reverse: true }).all()).toEqual(keys.toReversed().slice(0, 2000))
      const abort = new AbortController()
      const iterator = db.values({ signal: abort.signal } as object)
      const all = iterator.all()
      setImmediate(() => abort.abort())
      expect(await codesOf(() => all)).toContain('LEVEL_ABORTED')
      await iterator.close()
    })
  })
})

describe('keys', () => {
  test('buffers come back as buffers, views as views', async () => {
    await withLevel<Uint8Array, Uint8Array>({ keyEncoding: 'view', valueEncoding: 'view' }, async db => {
      const bytes = Uint8Array.of(0xff, 0, 0xfe)
      await db.put(bytes, bytes)
      expect(await db.keys().all()).toEqual([bytes])
      const buffer = await db.get<Buffer, Buffer>(Buffer.from(bytes), {
        keyEncoding: 'buffer',
        valueEncoding: 'buffer',
      })
      expect(Buffer.isBuffer(buffer)).toBe(true)
      const wide = new Uint16Array([0x4241, 0x4443])
      await db.put(wide as never, wide as never)
      expect(await db.get<string, string>('ABCD', { keyEncoding: 'utf8', valueEncoding: 'utf8' })).toBe('ABCD')
    })
  })

  test('a value does not change with the array it came from', async () => {
    await withLevel<string, Uint8Array>({ valueEncoding: 'view' }, async db => {
      const value = new Uint8Array(10_000).fill(1)
      const done = db.put('a', value)
      value.fill(2)
      await done
      expect((await db.get('a'))?.[0]).toBe(1)
    })
  })

  /**
   * Short keys over few bytes, so that keys of zeros, prefixes and equal keys are frequent; some too long for a key.
   */
  const key = fc.array(fc.constantFrom(0, 0, 1, 255), { maxLength: 4 }).map(bytes => Uint8Array.from(bytes))
  const bound = fc.oneof(
    { weight: 9, arbitrary: key },
    { weight: 1, arbitrary: fc.constantFrom(0, 1, 255).map(byte => new Uint8Array(1030).fill(byte)) },
  )
  const lower = fc.oneof(fc.record({ gt: bound }), fc.record({ gte: bound }), fc.constant({}))
  const upper = fc.oneof(fc.record({ lt: bound }), fc.record({ lte: bound }), fc.constant({}))

  test('any bytes are keys, the empty one and zeros too, in bytewise order, in any range', async () => {
    const storage = memoryStorage()
    let number = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(key, { maxLength: 12 }),
        lower,
        upper,
        fc.boolean(),
        bound,
        async (keys, from, to, reverse, target) => {
          const db = new XenonLevel<Uint8Array, Uint8Array>(`db${number++}`, {
            keyEncoding: 'view',
            valueEncoding: 'view',
            storage,
            cacheBytes: 262144,
          })
          await db.open()
          await db.batch(keys.map(bytes => ({ type: 'put', key: bytes, value: bytes })))
          const range: { gt?: Uint8Array; gte?: Uint8Array; lt?: Uint8Array; lte?: Uint8Array } = {
            ...from,
            ...to,
          }
          const holds = (bytes: Uint8Array): boolean =>
            (range.gt === undefined || Buffer.compare(bytes, range.gt) > 0) &&
            (range.gte === undefined || Buffer.compare(bytes, range.gte) >= 0) &&
            (range.lt === undefined || Buffer.compare(bytes, range.lt) < 0) &&
            (range.lte === undefined || Buffer.compare(bytes, range.lte) <= 0)
          const sorted = [...new Map(keys.map(bytes => [bytes.join(), bytes])).values()].sort(Buffer.compare)
          const expected = sorted.filter(holds)
          if (reverse) expected.reverse()
          expect(await db.keys({ ...range, reverse }).all()).toEqual(expected)
          const iterator = db.values({ ...range, reverse })
          iterator.seek(target)
          const sign = reverse ? -1 : 1
          const behind = holds(target) ? expected.filter(k => sign * Buffer.compare(k, target) >= 0) : []
          // A target longer than any key may lie outside of the range and still be where one of its keys begins.
          if (target.length <= 1024 && Object.values(range).every(({ length }) => length <= 1024))
            expect(await iterator.nextv(100)).toEqual(behind)
          await iterator.close()
          await db.clear(range)
          expect(await db.keys().all()).toEqual(sorted.filter(bytes => !holds(bytes)))
          await db.close()
        },
      ),
      { numRuns: 200 },
    )
  })
})

test('errors of the engine are the cause', async () => {
  await withLevel({}, async db => {
    const error = (await failureOf(() => db.put('x'.repeat(2000), ''))) as Error
    expect(error).toBeInstanceOf(LevelError)
    expect(error.cause).toBeInstanceOf(XenonError)
  })
})
