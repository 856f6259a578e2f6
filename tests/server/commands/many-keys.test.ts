/** MSET, MGET, EXISTS and DEL of many keys, which the engine looks at ahead of time: answers as for one at a time. */
import { expect, test } from 'vitest'
import { type Random, seeded } from '../../support/random.ts'
import { bulk, request, withServer } from '../wire.ts'

const KEYS = 20_000

/** Short keys, long ones that nobody looks at ahead, and keys that are not allowed and so are never there. */
const keyOf = (n: number): string =>
  n % 50 === 0 ? `long ${n} `.repeat(20) : n % 997 === 1 ? '' : n % 997 === 2 ? 'x'.repeat(1025) : `key ${n}`
const isAllowed = (key: string): boolean => key.length > 0 && key.length <= 1024

const someKeys = (random: Random, most: number): string[] =>
  Array.from({ length: 1 + random.below(most) }, () => keyOf(random.below(KEYS)))

for (const cacheBytes of [64 << 20, 5 << 20])
  test(`many keys at once agree with a Map, ${cacheBytes >> 20} MiB of cache`, () =>
    seeded(random =>
      withServer(
        {},
        async ({ client, server }) => {
          const c = await client()
          const model = new Map<string, string>()
          for (let round = 0; round < 60; round++) {
            const pairs = someKeys(random, 2000)
              .filter(isAllowed)
              .map((key, i) => [key, `${round} ${i} `.repeat(random.below(40))] as const)
            // The same key may stand there twice: the last one wins.
            for (const [key, value] of pairs) model.set(key, value)
            if (pairs.length > 0) await c.expect(request('MSET', ...pairs.flat()), '+OK\r\n')
            for (let i = 0; i < 20; i++) {
              const key = `key ${random.below(KEYS)}`
              const value = random.chance(0.5) ? 'large'.repeat(random.below(5000)) : 'expires'
              model.set(key, value)
              await c.expect(request('SET', key, value, 'PX', 1e9), '+OK\r\n')
            }
            const wanted = someKeys(random, 200)
            const values = wanted.map(key => (model.has(key) ? bulk(model.get(key)!) : '$-1\r\n'))
            await c.expect(request('MGET', ...wanted), `*${wanted.length}\r\n${values.join('')}`)
            const there = someKeys(random, 200)
            await c.expect(request('EXISTS', ...there), `:${there.filter(key => model.has(key)).length}\r\n`)
            const gone = someKeys(random, 400)
            let removed = 0
            for (const key of gone) if (model.delete(key)) removed++
            await c.expect(request(random.pick(['DEL', 'UNLINK']), ...gone), `:${removed}\r\n`)
          }
          const { cache } = server.db.stats()
          expect(cache.bytes, 'large enough to be worth looking ahead').toBeGreaterThan(4 << 20)
          if (cacheBytes === 5 << 20) expect(cache.misses).toBeGreaterThan(1000)
          expect(server.keys.count()).toBe(model.size)
        },
        { cacheBytes },
      ),
    ))

test('an MSET with a key that is refused changes nothing, and the next command finds nothing left over', () =>
  withServer({}, async ({ client }) => {
    const c = await client()
    const pairs = Array.from({ length: 100 }, (_, i) => [`key ${i}`, `${i}`]).flat()
    await c.expect(request('MSET', ...pairs, '', 'x'), '-ERR a key has 1 to 1024 bytes\r\n')
    await c.expect(request('EXISTS', ...pairs), ':0\r\n')
    await c.expect(request('MSET', ...pairs), '+OK\r\n')
    await c.expect(request('DEL', ...pairs), ':100\r\n')
  }))

test('inside BEGIN many keys are those that the transaction sees', () =>
  withServer({}, async ({ client }) => {
    const [one, other] = [await client(), await client()]
    const keys = Array.from({ length: 100 }, (_, i) => `key ${i}`)
    const pairs = keys.flatMap(key => [key, 'x'])
    await one.expect('BEGIN\r\n', '+OK\r\n')
    await one.expect(request('MSET', ...pairs), '+OK\r\n')
    await one.expect(request('EXISTS', ...keys), ':100\r\n')
    await other.expect(request('EXISTS', ...keys), ':0\r\n')
    await other.expect(request('MGET', ...keys), `*100\r\n${'$-1\r\n'.repeat(100)}`)
    await one.expect('COMMIT\r\n', '+OK\r\n')
    await other.expect(request('MGET', ...keys), `*100\r\n${bulk('x').repeat(100)}`)
  }))

test('inside BEGIN ISOLATION snapshot many keys are those of its beginning', () =>
  withServer({}, async ({ client, server }) => {
    const [one, other] = [await client(), await client()]
    const pairs = (value: string): string[] => Array.from({ length: 20_000 }, (_, i) => [`key ${i}`, value]).flat()
    await other.expect(request('MSET', ...pairs('y'.repeat(300))), '+OK\r\n')
    expect(server.db.stats().cache.bytes, 'large enough to be worth looking ahead').toBeGreaterThan(4 << 20)
    await one.expect('BEGIN ISOLATION snapshot\r\n', '+OK\r\n')
    const keys = Array.from({ length: 100 }, (_, i) => `key ${i}`)
    await one.expect(request('EXISTS', ...keys), ':100\r\n')
    await other.expect(request('DEL', ...keys.slice(50)), ':50\r\n')
    await other.expect(request('MSET', ...keys.slice(0, 50).flatMap(key => [key, 'z'])), '+OK\r\n')
    await one.expect(request('MGET', ...keys), `*100\r\n${bulk('y'.repeat(300)).repeat(100)}`)
    await one.expect('ROLLBACK\r\n', '+OK\r\n')
    await one.expect(request('MGET', ...keys), `*100\r\n${bulk('z').repeat(50)}${'$-1\r\n'.repeat(50)}`)
  }))
