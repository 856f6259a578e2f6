/** Bytes and errors of another realm: a `vm` context, as Jest and others run their tests in, has classes of its own. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import vm from 'node:vm'
import { MessageChannel } from 'node:worker_threads'
import { describe, expect, test } from 'vitest'
import { XenonLevel } from '../../src/adapters/level/index.ts'
import { CommandEncoder } from '../../src/client/encoder.ts'
import { Values } from '../../src/client/values.ts'
import { memoryStorage, open } from '../../src/index.ts'
import { UTF8_KEYS } from '../../src/values/key-codec.ts'
import { PortDatabase, servePort } from '../../src/worker/index.ts'
import { expectVerified, withMemoryDatabase } from '../support/database.ts'
import { withDirectory } from '../support/directory.ts'
import { expectCode, wrong } from '../support/errors.ts'

const elsewhere = <T>(code: string): T => vm.runInNewContext(code) as T
const bytes = (text: string): Uint8Array => {
  const made = elsewhere<(codes: number[]) => Uint8Array>('codes => new Uint8Array(codes)')([...Buffer.from(text)])
  expect(made instanceof Uint8Array).toBe(false)
  return made
}
const textOf = (value: unknown): string => Buffer.from(value as Uint8Array).toString()

describe('bytes of another realm', () => {
  test('are keys, values, bounds and operations', () =>
    withMemoryDatabase<Uint8Array>({ valueEncoding: 'binary' }, async ({ db }) => {
      db.put(bytes('a'), bytes('1'))
      db.put(bytes('large'), bytes('L'.repeat(20_000)))
      const operations = elsewhere<(key: unknown, value: unknown) => never[]>(
        `(key, value) => [{ type: 'put', key, value }, { type: 'delete', key: 'nobody' }]`,
      )(bytes('b'), bytes('2'))
      db.batch(operations)
      await db.async.put(bytes('c'), bytes('3'), elsewhere('({ ttl: 1e6 })'))
      db.transaction(tx => {
        expect(textOf(tx.get(bytes('a')))).toBe('1')
        tx.put(bytes('d'), bytes('4'))
      })
      expect(db.getMany(elsewhere<(key: unknown) => never[]>('key => [key]')(bytes('b'))).map(textOf)).toEqual(['2'])
      expect(textOf(db.get(bytes('large')))).toBe('L'.repeat(20_000))
      expect([...db.keys(bytes('l'))]).toEqual(['large'])
      expect([...db.keys({ gt: bytes('a'), lte: bytes('c') })]).toEqual(['b', 'c'])
      const cursor = db.cursor({ gte: bytes('b') })
      cursor.seek(bytes('c'))
      expect(cursor.next() && cursor.readCurrent().key).toBe('c')
      cursor.close()
      expect(db.has(bytes('d'))).toBe(true)
      expect(db.delete(bytes('d'))).toBe(true)
      db.clear({ prefix: bytes('large') })
      expect(db.count()).toBe(3)
    }))

  test('are what codecs and compressions give', () => {
    const rot = (given: Uint8Array): Uint8Array =>
      elsewhere<(given: Uint8Array) => Uint8Array>('given => Uint8Array.from(given, byte => byte ^ 1)')(given)
    const half = {
      name: 'half',
      compress: (given: Uint8Array) => bytes(`${given.length}`),
      decompress: (given: Uint8Array) => bytes('x'.repeat(Number(textOf(given)))),
    }
    return withMemoryDatabase<string>(
      {
        valueEncoding: {
          name: 'rot',
          encode: value => rot(Buffer.from(value)),
          decode: given => textOf(rot(given)),
        },
      },
      async ({ db, reopen }) => {
        for (const length of [0, 5, 5000]) db.put(`k${length}`, 'v'.repeat(length))
        for (const length of [0, 5, 5000]) expect(db.get(`k${length}`)).toBe('v'.repeat(length))
        const packed = reopen({ valueEncoding: 'utf8', compression: half, storedEncoding: 'ignore' })
        packed.put('packed', 'x'.repeat(3000))
        expect(packed.get('packed')).toBe('x'.repeat(3000))
        expect([...packed.values('packed')]).toEqual(['x'.repeat(3000)])
      },
    )
  })

  test('go over the network, between threads and through Level', async () => {
    const values = new Values<Uint8Array>('binary', UTF8_KEYS)
    const encoder = new CommandEncoder()
    encoder.add(['SET', values.keyArgument(bytes('k')), values.encode(bytes('value'), 'k')])
    encoder.add(['GET', bytes('k')])
    expect(Buffer.concat(encoder.take()).toString()).toBe(
      '*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n',
    )
    await withMemoryDatabase<Uint8Array>({ valueEncoding: 'binary' }, async ({ db }) => {
      const { port1, port2 } = new MessageChannel()
      servePort(db, port1)
      const far = new PortDatabase<Uint8Array>(port2)
      await far.put(bytes('a'), bytes('1'))
      expect(textOf(await far.get(bytes('a')))).toBe('1')
      far.close()
    })
    const level = new XenonLevel<Uint8Array, Uint8Array>('level', {
      storage: memoryStorage(),
      keyEncoding: 'view',
      valueEncoding: 'view',
    })
    await level.put(bytes('a'), bytes('1'))
    expect(textOf(await level.get(bytes('a')))).toBe('1')
    expect((await level.keys({ gte: bytes('a') }).all()).map(textOf)).toEqual(['a'])
    await expectVerified(level.database)
    await level.close()
  })
})

test('what is nearly bytes is refused, with the way to make bytes of it, and shared memory is read', () =>
  withMemoryDatabase<Uint8Array>({ valueEncoding: 'binary' }, ({ db }) => {
    for (const make of [(code: string) => elsewhere(code), (code: string) => vm.runInThisContext(code)])
      for (const [code, hint] of [
        ['new DataView(new ArrayBuffer(8))', 'a DataView (wrap it: new Uint8Array(view.buffer'],
        ['new Int32Array(2)', 'an Int32Array (wrap it'],
        ['new Uint8ClampedArray(2)', 'a Uint8ClampedArray (wrap it'],
        ['new ArrayBuffer(8)', 'an ArrayBuffer (wrap it: new Uint8Array(buffer))'],
        ['new SharedArrayBuffer(8)', 'a SharedArrayBuffer (wrap it'],
        ['[1, 2]', 'an array'],
        ['({ length: 2, 0: 1, 1: 2 })', 'object'],
      ] as const) {
        const value = make(code)
        for (const action of [
          () => db.put('k', wrong(value)),
          () => db.put(wrong(value), Buffer.from('v')),
          () => db.get(wrong(value)),
          () => [...db.keys({ gte: wrong(value) })],
          () => new Values('binary', UTF8_KEYS).keyArgument(value),
        ])
          expect(expectCode(action, 'XENON_INVALID_ARGUMENT').message).toContain(`not ${hint}`)
      }
    const shared = new Uint8Array(new SharedArrayBuffer(3))
    shared.set([97, 98, 99])
    db.put(shared, shared)
    expect(textOf(db.get('abc'))).toBe('abc')
    expect(db.count()).toBe(1)
  }))

test('the whole package runs in another realm, where errors of Node are none of its own', () =>
  withDirectory(async directory => {
    const script = fileURLToPath(new URL('./in-context.mjs', import.meta.url))
    const child = spawnSync(process.execPath, ['--no-warnings', '--experimental-vm-modules', script, directory], {
      encoding: 'utf8',
    })
    expect(child.stderr).toBe('')
    expect(JSON.parse(child.stdout)).toEqual({
      realm: false,
      value: 'v',
      binary: [1, 2, 3],
      deflated: 3000,
      locked: 'XENON_LOCKED',
      missing: 'XENON_NOT_FOUND',
      unwritable: 'XENON_IO',
      ok: true,
    })
    const db = open(`${directory}/db`)
    expect(db.get('k')).toBe('v')
    await expectVerified(db)
    db.close()
  }))
