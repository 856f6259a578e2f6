/** The clients that people use, against redis-server (which shows that the test is right) and `xenondb serve`. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { Redis as Redis6 } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { withDirectory } from '../support/directory.ts'
import { hasRedis, hasRedisTools, NO_REDIS, type RunningServer, startRedis, startXenon } from './servers.ts'

const PASSWORD = 'correct horse'

const servers: readonly (readonly [
  name: string,
  there: boolean,
  start: (directory: string) => Promise<RunningServer>,
])[] = [
  ['redis-server', hasRedis, directory => startRedis(directory, '--requirepass', PASSWORD)],
  ['xenondb serve', true, directory => startXenon(`${directory}/db`, '--password', PASSWORD)],
]

if (!hasRedis || !hasRedisTools) console.log(NO_REDIS)

describe.each(servers)('%s', (_, there, start) => {
  let server: RunningServer
  let finish: () => void

  beforeAll(async () => {
    if (!there) return
    const directory = await new Promise<string>(resolve => {
      void withDirectory(path => {
        resolve(path)
        return new Promise<void>(done => {
          finish = done
        })
      })
    })
    server = await start(directory)
  })

  afterAll(async () => {
    await server?.stop()
    finish?.()
  })

  describe.each([
    ['ioredis 5', Redis5],
    ['ioredis 6', Redis6],
  ] as unknown as [string, typeof Redis6][])('%s', (_name, Redis) => {
    test.skipIf(!there)('strings, numbers, expiry, transactions, scans', async () => {
      const client = new Redis({
        port: server.port,
        password: PASSWORD,
        lazyConnect: true,
        connectionName: 'io',
      })
      try {
        await client.connect()
        expect(await client.flushall()).toBe('OK')
        expect(await client.set('a', '1', 'EX', 100)).toBe('OK')
        expect(await client.set('a', '2', 'NX')).toBe(null)
        expect(await client.get('a')).toBe('1')
        expect(await client.ttl('a')).toBeGreaterThan(98)
        expect(await client.incrby('a', 41)).toBe(42)
        expect(await client.getBuffer('a')).toEqual(Buffer.from('42'))
        expect(await client.set(Buffer.from([0, 255]), Buffer.from([1, 254]))).toBe('OK')
        expect(await client.getBuffer(Buffer.from([0, 255]))).toEqual(Buffer.from([1, 254]))
        expect(await client.mset({ b: '2', c: '3' })).toBe('OK')
        expect(await client.mget('a', 'b', 'nobody')).toEqual(['42', '2', null])
        expect(await client.client('GETNAME')).toBe('io')
        const piped = await client.pipeline().get('b').incr('c').incr('b').lpush('b', '1').exec()
        expect(piped!.map(([error, value]) => error?.message ?? value).slice(0, 3)).toEqual(['2', 4, 3])
        expect(piped![3]![0]).toBeInstanceOf(Error)
        expect(await client.multi().set('d', '4').get('d').exec()).toEqual([
          [null, 'OK'],
          [null, '4'],
        ])
        await client.watch('a')
        await client.set('a', 'other')
        expect(await client.multi().set('a', 'mine').exec()).toBe(null)
        await client.set('n', 'text')
        await expect(client.incr('n')).rejects.toThrow('ERR value is not an integer or out of range')
        const many = Array.from({ length: 500 }, (_, i) => `many:${i}`)
        await Promise.all(many.map(key => client.set(key, key)))
        const found = new Set<string>()
        for await (const keys of client.scanStream({ match: 'many:*', count: 50 }))
          for (const key of keys) found.add(key)
        expect(found).toEqual(new Set(many))
        expect(await client.del(...many)).toBe(500)
        expect(await client.info()).toContain('# Server')
      } finally {
        client.disconnect()
      }
    })

    test.skipIf(!there)('channels', async () => {
      const options = { port: server.port, password: PASSWORD }
      const [subscriber, publisher] = [new Redis(options), new Redis(options)]
      try {
        const heard: string[][] = []
        subscriber.on('message', (...message: string[]) => heard.push(message))
        subscriber.on('pmessage', (...message: string[]) => heard.push(message))
        expect(await subscriber.subscribe('news', 'other')).toBe(2)
        expect(await subscriber.psubscribe('n*')).toBe(3)
        expect(await publisher.publish('news', 'hello')).toBe(2)
        expect(await publisher.pubsub('NUMSUB', 'news')).toEqual(['news', 1])
        await vi.waitFor(() => expect(heard).toHaveLength(2))
        expect(heard).toEqual([
          ['news', 'hello'],
          ['n*', 'news', 'hello'],
        ])
        expect(await subscriber.unsubscribe('news', 'other')).toBe(1)
        expect(await subscriber.punsubscribe('n*')).toBe(0)
        expect(await subscriber.set('k', 'normal again')).toBe('OK')
        expect(await publisher.publish('news', 'hello')).toBe(0)
      } finally {
        subscriber.disconnect()
        publisher.disconnect()
      }
    })

    test.skipIf(!there)('a wrong password is told so', async () => {
      const client = new Redis({
        port: server.port,
        password: 'wrong',
        lazyConnect: true,
        retryStrategy: () => null,
      })
      client.on('error', () => {})
      try {
        await expect(client.connect().then(() => client.get('a'))).rejects.toThrow(/WRONGPASS|Connection is closed/)
      } finally {
        client.disconnect()
      }
    })
  })

  test.skipIf(!there).each([2, 3] as const)('node-redis with RESP%i', async RESP => {
    const client = createClient({
      RESP,
      password: PASSWORD,
      name: 'node',
      socket: { port: server.port, reconnectStrategy: false },
    })
    client.on('error', () => {})
    await client.connect()
    try {
      await client.flushAll()
      expect(await client.set('a', '1', { expiration: { type: 'PX', value: 100_000 } })).toBe('OK')
      expect(await client.set('a', '2', { condition: 'NX' })).toBe(null)
      expect(await client.set('a', '5', { GET: true, expiration: 'KEEPTTL' })).toBe('1')
      expect(await client.pTTL('a')).toBeGreaterThan(98_000)
      expect(await client.get('nobody')).toBe(null)
      expect(await client.mSet({ b: '2', c: '3' })).toBe('OK')
      expect(await client.mGet(['a', 'b', 'nobody'])).toEqual(['5', '2', null])
      expect(await client.exists(['a', 'b', 'nobody'])).toBe(2)
      expect(await client.incrByFloat('b', 0.1)).toBe('2.1')
      expect(await client.expire('b', 100, 'NX')).toBe(1)
      expect(await client.persist('b')).toBe(1)
      expect(await client.multi().set('d', '4').get('d').exec()).toEqual(['OK', '4'])
      expect(await client.clientGetName()).toBe('node')
      await client.set('n', 'text')
      await expect(client.incr('n')).rejects.toThrow('ERR value is not an integer or out of range')
      await expect(client.sendCommand(['NOSUCH', 'x'])).rejects.toThrow("ERR unknown command 'NOSUCH'")
      const keys: string[] = []
      for await (const batch of client.scanIterator({ COUNT: 2 })) keys.push(...batch)
      expect([...new Set(keys)].sort()).toEqual(['a', 'b', 'c', 'd', 'n'])
      expect((await client.configGet('maxmemory')) as unknown).toMatchObject({
        maxmemory: expect.any(String),
      })
      const config = await client.sendCommand(['CONFIG', 'GET', 'nosuch'])
      expect(RESP === 2 ? (config as unknown) : Object.keys(config as object)).toEqual([])
    } finally {
      await client.close()
    }
  })

  test.skipIf(!there).each([2, 3] as const)('channels of node-redis with RESP%i', async RESP => {
    const options = { RESP, password: PASSWORD, socket: { port: server.port, reconnectStrategy: false } } as const
    const [subscriber, publisher] = [createClient(options), createClient(options)]
    await Promise.all([subscriber.connect(), publisher.connect()])
    try {
      const heard: string[][] = []
      const hear = (message: string, channel: string): number => heard.push([channel, message])
      await subscriber.subscribe(['news', 'other'], hear)
      await subscriber.pSubscribe('n*', hear)
      await subscriber.sSubscribe('shard', hear)
      expect(await publisher.publish('news', 'hello')).toBe(2)
      expect(await publisher.sPublish('shard', 'part')).toBe(1)
      expect(await publisher.pubSubChannels()).toHaveLength(2)
      await subscriber.unsubscribe('other', hear)
      await vi.waitFor(() => expect(heard).toHaveLength(3))
      expect(heard).toEqual([
        ['news', 'hello'],
        ['news', 'hello'],
        ['shard', 'part'],
      ])
      await subscriber.unsubscribe()
      await subscriber.pUnsubscribe()
      await subscriber.sUnsubscribe()
      // As bytes, which node-redis leaves them as after RESP2's messages.
      expect(String(await subscriber.set('k', 'normal again'))).toBe('OK')
      expect(await publisher.publish('news', 'hello')).toBe(0)
    } finally {
      await Promise.all([subscriber.close(), publisher.close()])
    }
  })

  const tools = there && hasRedisTools
  const execute = promisify(execFile)
  const at = (): string[] => ['-p', `${server.port}`, '-a', PASSWORD]

  test.skipIf(!tools)('redis-cli', async () => {
    const cli = async (...words: string[]): Promise<string> =>
      (await execute('redis-cli', [...at(), '--no-auth-warning', ...words])).stdout
    expect(await cli('SET', 'k', 'a "b"\n')).toBe('OK\n')
    expect(await cli('GET', 'k')).toBe('a "b"\n\n')
    expect(await cli('--no-raw', 'GET', 'k')).toBe('"a \\"b\\"\\n"\n')
    expect(await cli('--no-raw', 'GET', 'nobody')).toBe('(nil)\n')
    expect(await cli('-3', '--no-raw', 'MGET', 'k', 'nobody')).toBe('1) "a \\"b\\"\\n"\n2) (nil)\n')
    expect(await cli('NOSUCH')).toContain("ERR unknown command 'NOSUCH'")
    expect(await cli('--scan')).toContain('k\n')
    expect(await cli('INFO', 'server')).toContain('redis_version:')
    expect(await cli('-r', '3', 'INCR', 'counter')).toBe('1\n2\n3\n')
  })

  test.skipIf(!tools)('redis-benchmark', async () => {
    const args = ['-n', '2000', '-c', '20', '-r', '1000', '-d', '100', '--csv', '-t', 'set,get,incr,mset,ping']
    const { stdout, stderr } = await execute('redis-benchmark', [...at(), ...args])
    expect(stderr.replace(/^WARN.*\n/gm, '')).toBe('')
    const lines = stdout.trim().split('\n').slice(1)
    expect(lines.map(line => line.split(',')[0])).toEqual(
      ['PING_INLINE', 'PING_MBULK', 'SET', 'GET', 'INCR', 'MSET (10 keys)'].map(name => `"${name}"`),
    )
    const piped = await execute('redis-benchmark', [...at(), ...args.slice(0, -2), '-P', '16', '-t', 'set,get'])
    expect(piped.stdout).toContain('"GET"')
  })
})
