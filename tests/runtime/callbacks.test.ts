/**
 * Functions that could not do what they are given for: generators, and async ones where the work must be done at once.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { MessageChannel } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { connect } from '../../src/client/index.ts'
import { convert, memoryStorage, open, salvage } from '../../src/index.ts'
import { createServer } from '../../src/server/index.ts'
import { PortDatabase, servePort } from '../../src/worker/index.ts'
import { withMemoryDatabase } from '../support/database.ts'
import { expectCode, expectCodeAsync, wrong } from '../support/errors.ts'

const unhandled: unknown[] = []
const note = (reason: unknown): void => void unhandled.push(reason)
let others: NodeJS.UnhandledRejectionListener[] = []
beforeEach(() => {
  others = process.listeners('unhandledRejection')
  process.removeAllListeners('unhandledRejection')
  process.on('unhandledRejection', note)
  unhandled.length = 0
})
afterEach(async () => {
  // Node reports them at the end of a turn.
  await turn()
  await turn()
  process.off('unhandledRejection', note)
  for (const listener of others) process.on('unhandledRejection', listener)
  expect(unhandled).toEqual([])
})

function* generator(): Generator {
  yield 1
}
async function* asyncGenerator(): AsyncGenerator {
  yield 1
}
const generators: readonly [string, () => unknown][] = [
  ['a generator', generator],
  ['an async generator', asyncGenerator],
  ['a bound generator', generator.bind(null)],
  ['one that calls a generator', () => generator()],
  ['one that calls an async generator', () => asyncGenerator()],
]

describe('transaction', () => {
  for (const [name, work] of generators)
    test(`refuses ${name}, and the database goes on`, () =>
      withMemoryDatabase({}, ({ db }) => {
        expect(expectCode(() => db.transaction(work), 'XENON_INVALID_ARGUMENT').message).toMatch(
          /transaction\(\) takes .* generator.*, whose body/,
        )
        expect(db.stats().transactions.open).toBe(0)
        db.transaction(tx => tx.put('a', '1'))
        expect(db.get('a')).toBe('1')
      }))

  test('refuses an async function before it runs, and a promise; what the promise fails with is heard by nobody', () =>
    withMemoryDatabase({}, async ({ db }) => {
      let ran = false
      const failing = async (): Promise<void> => {
        ran = true
        throw new Error('too late')
      }
      expect(expectCode(() => db.transaction(failing), 'XENON_INVALID_ARGUMENT').message).toContain('is async')
      expect(ran).toBe(false)
      const hidden = (): Promise<void> => failing()
      expect(expectCode(() => db.transaction(hidden), 'XENON_INVALID_ARGUMENT').message).toContain('a promise')
      expectCode(
        () =>
          db.transaction(tx =>
            Promise.resolve().then(() => {
              tx.put('late', '1')
            }),
          ),
        'XENON_INVALID_ARGUMENT',
      )
      await turn()
      expect(db.count()).toBe(0)
    }))
})

const BINARY = { keyEncoding: 'binary', valueEncoding: 'binary' } as const

describe('transact', () => {
  for (const [name, work] of generators)
    test(`refuses ${name}: here, over the network, from a worker`, () =>
      withMemoryDatabase<Uint8Array>(BINARY, async ({ db }) => {
        const server = createServer(db, { port: 0 })
        await server.listen()
        const client = await connect<Uint8Array>({
          port: (server.address as { port: number }).port,
          valueEncoding: 'binary',
        })
        const { port1, port2 } = new MessageChannel()
        servePort(db, port1)
        const far = new PortDatabase<Uint8Array>(port2)
        for (const target of [db.async, client, far]) {
          const error = await expectCodeAsync(() => target.transact(work as never), 'XENON_INVALID_ARGUMENT')
          expect(error.message).toMatch(/transact\(\) takes .* generator.*, whose body/)
          await expectCodeAsync(() => target.transact(wrong('text')), 'XENON_INVALID_ARGUMENT')
          await target.transact(async tx => await tx.put('a', Buffer.from('1')))
        }
        far.close()
        await client.close()
        await server.close()
        expect(db.stats().transactions.open).toBe(0)
      }))
})

test('a codec must answer at once; a promise it gives is refused, and its failure heard by nobody', () =>
  withMemoryDatabase({}, ({ db, directory, options }) => {
    const fail = async (): Promise<never> => {
      throw new Error('too late')
    }
    const bytes = (given: unknown): Uint8Array => Buffer.from(String(given))
    for (const broken of [fail, generator, wrong('text')])
      for (const name of ['encode', 'decode'] as const)
        expectCode(
          () =>
            open('other', {
              storage: memoryStorage(),
              valueEncoding: { name: 'c', encode: bytes, decode: bytes, [name]: broken } as never,
            }),
          'XENON_INVALID_ARGUMENT',
        )
    for (const name of ['compress', 'decompress'] as const)
      expectCode(
        () =>
          open('other', {
            storage: memoryStorage(),
            compression: { name: 'c', compress: bytes, decompress: bytes, [name]: fail } as never,
          }),
        'XENON_INVALID_ARGUMENT',
      )
    db.close()
    const late = (): never => fail() as never
    const encoded = open<string, string>(directory, {
      ...options,
      storedEncoding: 'ignore',
      valueEncoding: { name: 'late', encode: late, decode: String },
    })
    expect(expectCode(() => encoded.put('a', 'v'), 'XENON_ENCODE').message).toContain('a promise')
    encoded.close()
    const packed = open(directory, {
      ...options,
      compression: { name: 'late', compress: late, decompress: bytes },
    })
    expect(expectCode(() => packed.put('a', 'v'.repeat(100)), 'XENON_ENCODE').message).toContain('a promise')
    packed.close()
  }))

test('onProgress must be a function that runs when it is called', () =>
  withMemoryDatabase({}, async ({ db, options }) => {
    for (const given of [generator, asyncGenerator, 'text', 1, null]) {
      const broken = { onProgress: given as never }
      for (const action of [
        () => db.checkpoint(broken),
        () => db.compact(broken),
        () => db.verify(broken),
        () => db.backup('copy', broken),
        () => salvage('db', 'other', { ...broken, storage: options.storage! }),
        () => convert('db', { ...broken, ordered: false, storage: options.storage! }),
      ])
        expect((await expectCodeAsync(action, 'XENON_INVALID_ARGUMENT')).message).toContain('onProgress takes')
    }
    let calls = 0
    await db.verify({
      onProgress: async () => {
        calls++
      },
    })
    expect(calls).toBeGreaterThan(0)
  }))
