/** The client against `xenondb serve`: the API of a database, over the network. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Change, type Client, type ConnectOptions, connect } from '../../src/client/index.ts'
import { type RunningServer, startXenon } from '../redis/servers.ts'
import { pause } from '../support/child.ts'
import { withDirectory } from '../support/directory.ts'
import { expectCodeAsync, failureOf } from '../support/errors.ts'
import { seeded } from '../support/random.ts'

let server: RunningServer
let finish: () => void

async function withClient<V = string>(
  body: (client: Client<V>) => Promise<void>,
  options: ConnectOptions<V> = {},
): Promise<void> {
  const client = await connect<V, string>({ port: server.port, ...options })
  try {
    await client.clear()
    await body(client)
  } finally {
    await client.close()
  }
}

async function all<T>(iterator: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of iterator) found.push(item)
  return found
}

describe('client', () => {
  beforeAll(async () => {
    const directory = await new Promise<string>(resolve => {
      void withDirectory(path => {
        resolve(path)
        return new Promise<void>(done => {
          finish = done
        })
      })
    })
    server = await startXenon(`${directory}/db`, '--durability', 'process')
  })

  afterAll(async () => {
    await server?.stop()
    finish?.()
  })

  test('get, getMany, has, put, delete, count, clear', () =>
    withClient(async client => {
      expect(await client.get('a')).toBe(undefined)
      await client.put('a', 'A')
      await client.put('ä', 'Ä🎓\0')
      expect(await client.get('ä')).toBe('Ä🎓\0')
      expect(await client.getMany(['ä', 'nobody', 'a'])).toEqual(['Ä🎓\0', undefined, 'A'])
      expect(await client.getMany([])).toEqual([])
      expect(await client.has('a')).toBe(true)
      expect(await client.has('b')).toBe(false)
      expect(await client.count()).toBe(2)
      expect(await client.delete('a')).toBe(true)
      expect(await client.delete('a')).toBe(false)
      expect(await client.count()).toBe(1)
      await client.clear()
      expect(await client.count()).toBe(0)
      await client.put('empty', '')
      expect(await client.get('empty')).toBe('')
    }))

  test('ttl, expire, persist', () =>
    withClient(async client => {
      await client.put('a', '1', { ttl: 100_000 })
      await client.put('b', '2')
      expect(await client.ttl('a')).toBeGreaterThan(90_000)
      expect(await client.ttl('b')).toBe(Number.POSITIVE_INFINITY)
      expect(await client.ttl('c')).toBe(undefined)
      expect(await client.expire('b', 50)).toBe(true)
      expect(await client.expire('c', 50)).toBe(false)
      expect(await client.persist('a')).toBe(true)
      expect(await client.persist('a')).toBe(false)
      await pause(80)
      expect(await client.get('b')).toBe(undefined)
      expect(await client.get('a')).toBe('1')
    }))

  test('values as JSON and as bytes, keys as bytes', async () => {
    await withClient<unknown>(
      async client => {
        const value = { name: 'Alice', tags: [1, null, true], text: 'é' }
        await client.put('user', value)
        expect(await client.get('user')).toEqual(value)
        await expectCodeAsync(() => client.put('user', undefined), 'XENON_ENCODE')
      },
      { valueEncoding: 'json' },
    )
    await withClient<Uint8Array>(
      async client => {
        const key = new Uint8Array([0, 255, 13, 10])
        const value = new Uint8Array([255, 0, 13, 10, 36])
        await client.put(key, value)
        expect(await client.get(key)).toEqual(value)
        expect(await all(client.entries())).toEqual([[key, value]])
      },
      { valueEncoding: 'binary', keyEncoding: 'binary' },
    )
  })

  test('large values, many of them at a time', () =>
    withClient<Uint8Array>(
      async client => {
        const values = Array.from({ length: 20 }, (_, i) => new Uint8Array(500_000 + i).fill(i))
        await Promise.all(values.map((value, i) => client.put(`large ${i}`, value)))
        const found = await Promise.all(values.map((_, i) => client.get(`large ${i}`)))
        for (const [i, value] of values.entries()) expect(Buffer.compare(found[i]!, value)).toBe(0)
      },
      { valueEncoding: 'binary' },
    ))

  test('a batch is one transaction', () =>
    withClient(async client => {
      await client.put('old', '1')
      await client.batch([
        { type: 'put', key: 'a', value: '1' },
        { type: 'put', key: 'b', value: '2', ttl: 100_000 },
        { type: 'delete', key: 'old' },
        { type: 'delete', key: 'nobody' },
      ])
      expect(await all(client.entries())).toEqual([
        ['a', '1'],
        ['b', '2'],
      ])
      expect(await client.ttl('b')).toBeGreaterThan(90_000)
      await client.batch([])
    }))

  test('ranges, forwards and backwards, in pages', () =>
    withClient(async client => {
      const keys = Array.from({ length: 3456 }, (_, i) => `key ${String(i).padStart(5, '0')}`)
      await client.batch(keys.map(key => ({ type: 'put', key, value: `v ${key}` })))
      expect(await all(client.keys())).toEqual(keys)
      expect(await all(client.keys({ reverse: true }))).toEqual(keys.toReversed())
      expect(await all(client.values({ limit: 3 }))).toEqual(keys.slice(0, 3).map(key => `v ${key}`))
      expect(await all(client.entries({ limit: 1101, reverse: true }))).toEqual(
        keys
          .slice(-1101)
          .reverse()
          .map(key => [key, `v ${key}`]),
      )
      expect(await all(client.keys({ gt: 'key 00010', lte: 'key 00012' }))).toEqual(['key 00011', 'key 00012'])
      expect(await all(client.keys({ gte: 'key 00010', lt: 'key 00012' }))).toEqual(['key 00010', 'key 00011'])
      expect(await all(client.keys('key 0001'))).toEqual(keys.slice(10, 20))
      expect(await all(client.keys('nothing'))).toEqual([])
      expect(await client.count('key 01')).toBe(1000)
      expect(await client.count({ gt: 'b', lt: 'a' })).toBe(0)
      await client.clear('key 000')
      expect(await client.count()).toBe(keys.length - 100)
    }))

  test('a range of large values comes in small pages', () =>
    withClient<Uint8Array>(
      async client => {
        // 120 MB: more than the server sends at a time.
        const value = new Uint8Array(3_000_000)
        for (let i = 0; i < 40; i++) await client.put(`large ${100 + i}`, value)
        let count = 0
        for await (const [key, found] of client.entries('large')) {
          expect(key).toBe(`large ${100 + count++}`)
          expect(found.length).toBe(value.length)
        }
        expect(count).toBe(40)
        const larger = new Uint8Array(15_000_000)
        for (let i = 0; i < 4; i++) await client.put(`huge ${i}`, larger)
        expect((await all(client.values('huge'))).map(({ length }) => length)).toEqual(Array(4).fill(15_000_000))
      },
      { valueEncoding: 'binary' },
    ))

  test('transactions commit, roll back, and see their own changes', () =>
    withClient(async client => {
      await client.put('a', '1')
      const result = await client.transact(async tx => {
        await tx.put('a', '2')
        await tx.put('b', '1')
        expect(await tx.get('a')).toBe('2')
        expect(await all(tx.keys())).toEqual(['a', 'b'])
        expect(await client.has('b')).toBe(false)
        return 'done'
      })
      expect(result).toBe('done')
      expect(await client.getMany(['a', 'b'])).toEqual(['2', '1'])
      const failure = new Error('no')
      const failed = await failureOf(() =>
        client.transact(async tx => {
          await tx.delete('a')
          throw failure
        }),
      )
      expect(failed).toBe(failure)
      expect(await client.get('a')).toBe('2')
      const tx = await client.begin({ isolation: 'snapshot' })
      await client.put('a', '3')
      expect(await tx.get('a')).toBe('2')
      await tx.rollback()
      expect(tx.ended).toBe(true)
      await expectCodeAsync(() => tx.get('a'), 'XENON_TRANSACTION_ENDED')
      await expectCodeAsync(() => tx.commit(), 'XENON_TRANSACTION_ENDED')
    }))

  test('transactions that meet are run again: no increment is lost', () =>
    withClient(
      async client => {
        await client.batch(['x', 'y'].map(key => ({ type: 'put', key, value: '0' })))
        await seeded(async random => {
          const increments = Array.from({ length: 60 }, (_, i) =>
            (random.chance(0.5) ? ['x', 'y'] : ['y', 'x']).slice(i % 3 === 0 ? 1 : 0),
          )
          await Promise.all(
            increments.map(keys =>
              client.transact(
                async tx => {
                  for (const key of keys) await tx.put(key, String(Number(await tx.get(key)) + 1))
                },
                { retries: Number.POSITIVE_INFINITY },
              ),
            ),
          )
          for (const key of ['x', 'y'])
            expect(Number(await client.get(key))).toBe(increments.filter(keys => keys.includes(key)).length)
        })
      },
      { transactionConnections: 6 },
    ))

  test('a transaction whose client goes away is rolled back', () =>
    withClient(async client => {
      const other = await connect({ port: server.port })
      const tx = await other.begin()
      await tx.put('k', 'never')
      await other.close()
      await client.put('k', 'mine')
      expect(await client.get('k')).toBe('mine')
    }))

  test('a watch gives the changes of a range, in order', () =>
    withClient(async client => {
      const watcher = await client.watch('user:')
      await client.put('user:1', 'a')
      await client.put('other', 'x')
      await client.batch([
        { type: 'put', key: 'user:2', value: 'b' },
        { type: 'put', key: 'user:3', value: 'c' },
      ])
      await client.delete('user:1')
      const changes: Change<string>[] = []
      for await (const change of watcher) if (changes.push(change) === 4) break
      expect(changes.map(({ commit, ...change }) => change)).toEqual([
        { type: 'put', key: 'user:1', value: 'a' },
        { type: 'put', key: 'user:2', value: 'b' },
        { type: 'put', key: 'user:3', value: 'c' },
        { type: 'delete', key: 'user:1' },
      ])
      expect(changes[1]!.commit).toBe(changes[2]!.commit)
      expect(changes[0]!.commit).toBeLessThan(changes[1]!.commit)
      const aborted = new AbortController()
      const other = await client.watch(undefined, { signal: aborted.signal })
      aborted.abort()
      expect(await failureOf(() => other.next())).toBe(aborted.signal.reason)
    }))

  test('any command, with its reply or its error', () =>
    withClient(async client => {
      expect(await client.command('SET', 'a', 1)).toBe('OK')
      expect(await client.command('INCRBY', 'a', 5)).toBe(6)
      expect(await client.command('MGET', 'a', 'b')).toEqual(['6', null])
      expect(await client.command('CONFIG', 'GET', 'nosuch')).toEqual(new Map())
      await expectCodeAsync(() => client.command('NOSUCH'), 'XENON_SERVER')
    }))

  test('the errors of the engine keep their codes', () =>
    withClient(async client => {
      await expectCodeAsync(() => client.command('SET', 'x'.repeat(2000), '1'), 'XENON_KEY_TOO_LARGE', 'XENON_SERVER')
    }))
})
