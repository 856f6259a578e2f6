/** A server over a handle of any encoding: clients send and get the bytes that the encodings of the handle make. */
import { describe, expect, test } from 'vitest'
import { connect } from '../../src/client/index.ts'
import { type CompressionCodec, type Database, memoryStorage, type OpenOptions, open } from '../../src/index.ts'
import { createServer, type ServerOptions } from '../../src/server/index.ts'
import { expectVerified } from '../support/database.ts'

async function serving<V>(
  options: OpenOptions<V>,
  body: (db: Database<V>, port: number) => Promise<void>,
  serverOptions: ServerOptions = {},
): Promise<void> {
  const db = open<V, string>('db', { ...options, storage: memoryStorage() })
  const server = createServer(db, { port: 0, ...serverOptions })
  try {
    const { port } = (await server.listen()) as { port: number }
    await body(db, port)
    await expectVerified(db)
  } finally {
    await server.close()
    db.close()
  }
}

/** A codec of the program: without it nobody reads what it has made. */
const codec: CompressionCodec = {
  name: 'runs',
  compress: bytes =>
    Buffer.from(
      Buffer.from(bytes)
        .toString()
        .replace(/x{2000}/, '~'),
    ),
  decompress: bytes => Buffer.from(Buffer.from(bytes).toString().replace('~', 'x'.repeat(2000))),
}

describe('a server', () => {
  test('over JSON values gives JSON to clients, of whatever encoding', () =>
    serving<unknown>({ valueEncoding: 'json' }, async (db, port) => {
      const json = await connect<unknown>({ port, valueEncoding: 'json' })
      const bytes = await connect<Uint8Array>({ port, valueEncoding: 'binary' })
      db.put('here', { a: [1, 2] })
      await json.put('there', { b: null })
      expect(await json.get('here')).toEqual({ a: [1, 2] })
      expect(db.get('there')).toEqual({ b: null })
      expect(Buffer.from((await bytes.get('here'))!).toString()).toBe('{"a":[1,2]}')
      expect(await collect(json.entries())).toEqual([...db.entries()])
      const seen = await json.watch()
      db.put('watched', 1)
      for await (const change of seen) {
        expect(change).toMatchObject({ type: 'put', key: 'watched', value: 1 })
        break
      }
      // One transaction of the program and one of a client stand in each other's way, in the same key space.
      const tx = db.begin()
      tx.put('here', 0)
      await expect(json.put('here', 1, { lockTimeout: 20 })).rejects.toMatchObject({ code: 'XENON_LOCK_CONFLICT' })
      tx.commit()
      await json.put('here', 2)
      expect(db.get('here')).toBe(2)
      await Promise.all([json.close(), bytes.close()])
    }))

  test('over tuple keys takes clients with tuple keys, in their order', () =>
    serving<string>({ keyEncoding: 'tuple' } as OpenOptions<string>, async (given, port) => {
      const db = given as unknown as import('../../src/index.ts').Database<string, readonly unknown[]>
      const client = await connect<string>({ port, keyEncoding: 'tuple' })
      for (const n of [10, 9, -1, 2.5]) await client.put(['n', n], String(n))
      expect([...db.keys({ prefix: ['n'] as never })]).toEqual([
        ['n', -1],
        ['n', 2.5],
        ['n', 9],
        ['n', 10],
      ])
      expect(await collect(client.keys({ prefix: ['n'] }))).toEqual([...db.keys()])
      await client.close()
    }))

  test('keeps the indexes of the handle, and its compression, in sub-databases too', () =>
    serving<{ city: string; note?: string }>({ valueEncoding: 'json', compression: codec }, async (db, port) => {
      const byCity = db.index('city', user => user.city)
      const users = db.sub<{ age: number }>('users', { valueEncoding: 'json' })
      const byAge = users.index('age', user => user.age)
      const client = await connect<{ city: string; note?: string }>({ port, valueEncoding: 'json' })
      await client.put('ada', { city: 'London', note: 'x'.repeat(2000) })
      expect(byCity.get('London')).toMatchObject({ city: 'London' })
      expect((await client.get('ada'))!.note).toHaveLength(2000)
      const sub = await client.sub<{ age: number }>('users')
      await sub.put('bob', { age: 7 })
      expect([...byAge.keys(7)]).toEqual([[7, 'bob']])
      await client.transact(async tx => {
        await tx.put('bob', { city: 'Oslo' })
        await tx.in(sub).put('bob', { age: 8 })
      })
      expect([...byAge.keys()]).toEqual([[8, 'bob']])
      expect([...byCity.keys()]).toEqual([
        ['London', 'ada'],
        ['Oslo', 'bob'],
      ])
      await client.close()
    }))

  test('that is for reading alone takes no command that changes anything, or ends it', () =>
    serving<string>(
      {},
      async (db, port) => {
        const client = await connect({ port })
        db.put('a', '1')
        db.sub('users').put('b', '2')
        for (const command of ['SET a 2', 'DEL a', 'FLUSHALL', 'INCR n', 'EXPIRE a 9', 'COMPACT', 'SHUTDOWN', 'SAVE'])
          await expect(client.command(...command.split(' ')), command).rejects.toMatchObject({
            code: 'XENON_READ_ONLY',
          })
        for (const command of ['SUB OPEN other', 'SUB DROP users', 'IN users SET b 3'])
          await expect(client.command(...command.split(' ')), command).rejects.toMatchObject({
            code: 'XENON_READ_ONLY',
          })
        await expect(client.batch([{ type: 'put', key: 'a', value: '3' }])).rejects.toMatchObject({
          code: 'XENON_READ_ONLY',
        })
        await expect(client.transact(tx => tx.put('a', '4'))).rejects.toMatchObject({ code: 'XENON_READ_ONLY' })
        expect(await client.get('a')).toBe('1')
        expect(await (await client.sub('users')).get('b')).toBe('2')
        expect(db.subs()).toEqual(['users'])
        await client.close()
      },
      { readOnly: true },
    ))

  test('says which encodings keys and values have', () =>
    serving<unknown>({ valueEncoding: 'json' }, async (db, port) => {
      const client = await connect({ port })
      db.sub('events', { keyEncoding: 'tuple', valueEncoding: 'binary' } as never)
      const asked = async (...command: string[]): Promise<unknown> =>
        JSON.parse((await client.command(...command)) as string)
      expect(await asked('INSPECT', 'SPACE')).toEqual({ keyEncoding: 'utf8', valueEncoding: 'json', indexes: [] })
      expect(await asked('IN', 'events', 'INSPECT', 'SPACE')).toEqual({
        keyEncoding: 'tuple',
        valueEncoding: 'binary',
        indexes: [],
      })
      expect(await asked('INSPECT', 'DATABASE')).toMatchObject({ pid: process.pid, ordered: true, readOnly: false })
      expect(await asked('INSPECT', 'STATS')).toMatchObject({ records: 0, ordered: true })
      await client.close()
    }))
})

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}
