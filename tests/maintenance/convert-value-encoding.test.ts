/** convert(dir, { valueEncoding }): the same values in another encoding, or an error that names the key and no change. */
import { readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { expect, test } from 'vitest'
import {
  type BuiltInEncoding,
  convert,
  DecodeError,
  type DiskFullError,
  EncodeError,
  memoryStorage,
  type OpenOptions,
  open,
  type Storage,
} from '../../src/index.ts'
import { FaultDisk } from '../../src/testing/fault.ts'
import { msgpackEncoding } from '../../src/values/msgpack.ts'
import { expectVerified, withDatabase } from '../support/database.ts'
import { expectCodeAsync, failureOf } from '../support/errors.ts'
import fc from '../support/property.ts'

interface User {
  name: string
  city: string
}

const quick = (storage: Storage): OpenOptions<unknown> => ({ storage, cacheBytes: 131_072, durability: 'none' })

/** A database in memory with these values under `key 0`, `key 1`, …, converted; undefined if it was refused. */
const converted = async (
  from: BuiltInEncoding,
  to: BuiltInEncoding,
  values: readonly unknown[],
  more: OpenOptions<unknown> = {},
): Promise<{ values: unknown[] } | { error: unknown }> => {
  const storage = memoryStorage()
  const all = { ...quick(storage), ...more }
  const db = open<unknown, string>('db', { ...all, valueEncoding: from })
  for (const [i, value] of values.entries()) db.put(`key ${String(i).padStart(4, '0')}`, value)
  db.close()
  const error = await failureOf(() => convert('db', { valueEncoding: to, storage, cacheBytes: 131_072 }))
  // The name that is stored says what became of it: another one would be refused here.
  const again = open<unknown, string>('db', { ...all, valueEncoding: error === undefined ? to : from })
  const found = [...again.values()]
  await expectVerified(again, values.length)
  again.close()
  expect(storage.list('.')).toEqual(['db'])
  if (error === undefined) return { values: found }
  expect(found).toEqual(values)
  return { error }
}

test('values are the same ones in the other encoding', async () => {
  const json = [null, true, -1.5, 1e300, 2 ** 60, '', 'ä\u{1f600}', [], {}, [1, { a: [null] }], { b: { c: 'd' }, e: 0 }]
  const bytes = [new Uint8Array(0), Uint8Array.of(0, 255, 128), new Uint8Array(9000).fill(200)]
  const texts = ['', '\ufeffmark', 'ä\u{1f600}', 'x'.repeat(9000), '{"a":']
  const inBytes = texts.map(text => new TextEncoder().encode(text))
  const pairs: [BuiltInEncoding, BuiltInEncoding, unknown[], unknown[]][] = [
    ['json', 'msgpack', json, json],
    ['msgpack', 'json', json, json],
    ['utf8', 'json', texts, texts],
    ['json', 'utf8', texts, texts],
    ['utf8', 'msgpack', texts, texts],
    ['msgpack', 'utf8', texts, texts],
    ['binary', 'msgpack', bytes, bytes],
    ['msgpack', 'binary', bytes, bytes],
    ['utf8', 'binary', texts, inBytes],
    ['binary', 'utf8', inBytes, texts],
  ]
  for (const [from, to, values, expected] of pairs)
    expect(await converted(from, to, values), `${from} to ${to}`).toEqual({ values: expected })
})

test('a value that would not come back as it is ends it, with the key', async () => {
  const pairs: [BuiltInEncoding, BuiltInEncoding, unknown][] = [
    ['json', 'utf8', { a: 1 }],
    ['json', 'utf8', '\ud800'],
    ['json', 'binary', 'text'],
    ['binary', 'utf8', Uint8Array.of(0x80)],
    ['binary', 'json', Uint8Array.of(1, 2)],
    ['msgpack', 'utf8', 7],
    ['msgpack', 'binary', 'text'],
    ['msgpack', 'json', undefined],
    ['msgpack', 'json', Number.NaN],
    ['msgpack', 'json', 2n ** 70n],
    ['msgpack', 'json', new Date(0)],
    ['msgpack', 'json', new Map([['a', 1]])],
    ['msgpack', 'json', { a: [new Set(['x'])] }],
    ['msgpack', 'json', { a: undefined }],
    ['msgpack', 'json', [undefined]],
    ['msgpack', 'json', Uint8Array.of(1)],
  ]
  const circular: unknown[] = []
  circular.push(circular)
  pairs.push(['msgpack', 'json', circular])
  for (const [from, to, value] of pairs) {
    const outcome = await converted(from, to, [value])
    expect(outcome, `${from} to ${to}`).toMatchObject({
      error: { code: 'XENON_ENCODE', key: 'key 0000', encoding: to },
    })
    expect((outcome as { error: unknown }).error).toBeInstanceOf(EncodeError)
  }
  const second = await converted('msgpack', 'json', ['fine', new Date(0), 'fine'])
  expect(second).toMatchObject({ error: { key: 'key 0001' } })
})

const comesBack = (value: unknown): boolean => {
  const { encode, decode } = msgpackEncoding()
  try {
    return isDeepStrictEqual(decode(encode(value)), value)
  } catch {
    return false
  }
}

test('whatever JSON can hold comes back from msgpack as it was, or is refused', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.jsonValue(), { maxLength: 20 }), async given => {
      // As a database of JSON holds them.
      const values = given.map(value => JSON.parse(JSON.stringify(value)) as unknown)
      const there = await converted('json', 'msgpack', values)
      // Names of properties such as __proto__ and toJSON are none for msgpackr.
      if (!values.every(comesBack))
        expect(there).toMatchObject({ error: { code: 'XENON_ENCODE', encoding: 'msgpack' } })
      else if ('error' in there) throw there.error
      else expect(await converted('msgpack', 'json', there.values)).toEqual({ values })
    }),
    { numRuns: 10 },
  )
})

test('compressed values stay compressed, in the same way; times of expiry, others and indexes are kept', () =>
  withDatabase<User>({ valueEncoding: 'json', compression: 'snappy' }, async ({ db, directory, reopen }) => {
    const user = (i: number): User => ({ name: `User ${i}`.repeat(i % 50 === 0 ? 2000 : 30), city: `City ${i % 7}` })
    for (let i = 0; i < 300; i++) db.put(`user ${i}`, user(i))
    db.put('expires', user(1), { ttl: 1e9 })
    db.index('city', ({ city }) => city)
    const notes = db.sub<User>('users', { valueEncoding: 'json', keyEncoding: 'tuple', compression: 'deflate' })
    notes.sub('notes').put('a', 'plain text')
    notes.put('ada' as never, user(7))
    const ttl = db.ttl('expires')!
    const blocks = db.stats().blocks.total
    db.close()
    const progress: number[] = []
    const onProgress = ({ done, total }: { done: number; total: number }) => void progress.push(done / total)
    await convert(directory, { valueEncoding: 'msgpack', onProgress })
    expect(progress.at(-1)).toBe(1)
    const again = reopen({ valueEncoding: 'msgpack' })
    for (let i = 0; i < 300; i++) expect(again.get(`user ${i}`)).toEqual(user(i))
    expect(again.stats().blocks.total).toBeLessThanOrEqual(blocks + 2)
    expect(again.ttl('expires')).toBeLessThanOrEqual(ttl)
    expect(again.ttl('expires')).toBeGreaterThan(ttl - 60_000)
    const byCity = again.index('city', ({ city }) => city)
    await byCity.ready
    expect(byCity.count('City 3')).toBe(43)
    // The others are as they were, and are converted by their names.
    expect(again.sub('users').sub('notes').get('a')).toBe('plain text')
    again.close()
    await convert(directory, { valueEncoding: 'msgpack', sub: 'users', blockSize: 8192 })
    await convert(directory, { valueEncoding: 'json', sub: ['users', 'notes'] })
    const last = reopen()
    expect(last.stats().blockSize).toBe(8192)
    const users = last.sub<User, string>('users', { valueEncoding: 'msgpack', keyEncoding: 'tuple' })
    expect(users.get('ada')).toEqual(user(7))
    expect(users.sub<string>('notes', { valueEncoding: 'json' }).get('a')).toBe('plain text')
    expect(last.get('user 1')).toEqual(user(1))
  }))

test('what is there already stays, with its UUID; with the ordered index in the same call', () =>
  withDatabase<unknown>({ valueEncoding: 'json', ordered: false }, async ({ db, directory, reopen }) => {
    db.put('a', 1)
    const { uuid } = db.stats()
    db.close()
    await convert(directory, { valueEncoding: 'json' })
    expect(reopen().stats().uuid).toBe(uuid)
    reopen().close()
    await expectCodeAsync(() => convert(directory, { valueEncoding: 'utf8', ordered: true }), 'XENON_ENCODE')
    expect(reopen().stats()).toMatchObject({ ordered: false, uuid })
    reopen().close()
    await convert(directory, { valueEncoding: 'msgpack', ordered: true })
    expect([...reopen({ valueEncoding: 'msgpack', ordered: true }).entries()]).toEqual([['a', 1]])
  }))

test('bytes that the stored encoding cannot read end it with XENON_DECODE and the key', () =>
  withDatabase<unknown>({ valueEncoding: 'json' }, async ({ db, directory, reopen }) => {
    db.put('a', 1)
    const writing = reopen({ valueEncoding: 'binary', storedEncoding: 'ignore' })
    writing.put('b', new TextEncoder().encode('no JSON'))
    writing.put('c', Uint8Array.of(0x22, 0x80, 0x22))
    writing.close()
    const before = readFileSync(`${directory}/data`)
    const error = await failureOf(() => convert(directory, { valueEncoding: 'msgpack' }))
    expect(error).toBeInstanceOf(DecodeError)
    expect(error).toMatchObject({ encoding: 'json', key: expect.stringMatching(/^[bc]$/) })
    expect(readFileSync(`${directory}/data`).equals(before)).toBe(true)
    // One of the two goes; the other one is in the way then.
    const { key } = error as DecodeError
    const mending = reopen()
    mending.delete(key as string)
    mending.close()
    const other = await failureOf(() => convert(directory, { valueEncoding: 'msgpack' }))
    expect(other).toMatchObject({ code: 'XENON_DECODE', key: key === 'b' ? 'c' : 'b' })
    reopen().delete(key === 'b' ? 'c' : 'b')
    reopen().close()
    await convert(directory, { valueEncoding: 'msgpack' })
    expect([...reopen({ valueEncoding: 'msgpack', storedEncoding: 'check' }).entries()]).toEqual([['a', 1]])
  }))

test('what cannot be converted at all is refused', () =>
  withDatabase<unknown>({ valueEncoding: 'json' }, async ({ db, directory, reopen }) => {
    db.put('a', 1)
    const codec = { name: 'own', encode: () => Uint8Array.of(1), decode: () => 1 }
    db.sub<number>('own', { valueEncoding: codec }).put('a', 1)
    await expectCodeAsync(() => convert(directory, { valueEncoding: 'msgpack' }), 'XENON_LOCKED')
    db.close()
    const refused = (options: object, ...codes: Parameters<typeof expectCodeAsync>[1][]) =>
      expectCodeAsync(() => convert(directory, options), ...codes)
    for (const valueEncoding of ['yaml', 7, null, codec, 'toString'])
      await refused({ valueEncoding }, 'XENON_INVALID_ARGUMENT')
    await refused({ sub: 'own' }, 'XENON_INVALID_ARGUMENT')
    await refused({ valueEncoding: 'json', sub: '' }, 'XENON_INVALID_ARGUMENT')
    await refused({ valueEncoding: 'json', ordered: 1 }, 'XENON_INVALID_ARGUMENT')
    await refused({ valueEncoding: 'json', speed: 1 }, 'XENON_INVALID_ARGUMENT')
    await refused({ valueEncoding: 'json', sub: 'nobody' }, 'XENON_NOT_FOUND')
    await refused({ valueEncoding: 'json', sub: ['own', 'nobody'] }, 'XENON_NOT_FOUND')
    const { message } = await refused({ valueEncoding: 'json', sub: 'own' }, 'XENON_INVALID_ARGUMENT')
    expect(message).toContain("'own', which is not built in")
    const again = reopen()
    expect(again.get('a')).toBe(1)
    expect(again.sub<number>('own', { valueEncoding: codec }).get('a')).toBe(1)
  }))

test('values of a codec of compression, and a database without a name, are refused', async () => {
  const compression = { name: 'own', compress: (b: Uint8Array) => b.slice(1), decompress: (b: Uint8Array) => b }
  const outcome = await converted('binary', 'msgpack', [], { compression })
  expect(outcome).toEqual({ values: [] })
  const storage = memoryStorage()
  const db = open('db', { ...quick(storage), compression, valueEncoding: 'binary' })
  db.put('long', new Uint8Array(200))
  db.close()
  const error = await expectCodeAsync(() => convert('db', { valueEncoding: 'msgpack', storage }), 'XENON_DECODE')
  expect(error).toMatchObject({ key: 'long' })
  const unnamed = open('unnamed', { ...quick(storage), storedEncoding: 'ignore' })
  unnamed.put('a', 'x')
  unnamed.close()
  await expectCodeAsync(() => convert('unnamed', { valueEncoding: 'json', storage }), 'XENON_INVALID_ARGUMENT')
})

test('a full disk leaves the database as it was', async () => {
  const disk = new FaultDisk({ seed: 3 })
  const { storage } = disk
  const db = open('db', { ...quick(storage), valueEncoding: 'json' })
  for (let i = 0; i < 3000; i++) db.put(`key ${i}`, { text: 'x'.repeat(200), i })
  db.close()
  const taken = ['data', ...storage.list('db/log').map(name => `log/${name}`)]
  const bytes = taken.reduce((sum, name) => sum + storage.allocatedBytes(`db/${name}`), 0)
  for (const more of [2 ** 16, 2 ** 20]) {
    disk.capacity = bytes + more
    const error = (await failureOf(() =>
      convert('db', { valueEncoding: 'msgpack', storage, cacheBytes: 131_072 }),
    )) as DiskFullError
    expect(error?.code, `${more} bytes more`).toBe('XENON_FULL')
    disk.capacity = Number.POSITIVE_INFINITY
    expect(storage.list('.')).toEqual(['db'])
    const again = open<{ i: number }, string>('db', { ...quick(storage), valueEncoding: 'json' } as never)
    expect(again.get('key 2999')?.i).toBe(2999)
    await expectVerified(again, 3000)
    again.close()
  }
  await convert('db', { valueEncoding: 'msgpack', storage, cacheBytes: 131_072 })
  const last = open('db', { ...quick(storage), valueEncoding: 'msgpack' })
  await expectVerified(last, 3000)
  last.close()
})
