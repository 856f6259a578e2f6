/**
 * What programs do with these libraries. A scenario gets the port of the server, the number of the database, and `note`,
 * which puts down the outcome of a call; `ends` takes what closes the library's connections. Each opens its connections
 * one after the other, so that those of two runs can be compared. Where a library asks for what SCAN has found, that is
 * one key, since the order of keys is each server's own.
 */
import { setTimeout as pause } from 'node:timers/promises'
import rateLimit from '@fastify/rate-limit'
import KeyvRedis from '@keyv/redis'
import { createAdapter } from '@socket.io/redis-adapter'
import { createCache } from 'cache-manager'
import { RedisStore as SessionStore } from 'connect-redis'
import fastify from 'fastify'
import { Redis } from 'ioredis'
import Keyv from 'keyv'
import { RedisStore as LimitStore } from 'rate-limit-redis'
import { RateLimiterRedis } from 'rate-limiter-flexible'
import { createClient, defineScript } from 'redis'
import { Mutex, RedlockMutex } from 'redis-semaphore'
import Redlock from 'redlock'
import { Server as SocketServer } from 'socket.io'

/** Clients of ioredis and of node-redis, connected; the server is empty. */
async function io({ port, database, ends }, options = {}) {
  const client = new Redis({ port, db: database, lazyConnect: true, retryStrategy: () => null, ...options })
  client.on('error', () => {})
  ends(() => client.disconnect())
  await client.connect()
  await client.flushall()
  await client.script('FLUSH')
  return client
}

async function node({ port, database, ends }, options = {}) {
  const client = createClient({ socket: { port, reconnectStrategy: false }, database, ...options })
  client.on('error', () => {})
  ends(() => client.destroy())
  await client.connect()
  await client.flushAll()
  await client.scriptFlush()
  return client
}

const INCREMENT = `local n = redis.call('INCRBY', KEYS[1], ARGV[1])
if n > tonumber(ARGV[2]) then return redis.error_reply('LIMIT reached') end
return {n, KEYS[1], redis.status_reply('FINE'), false}`

/** What redis-py's Lock sends, as its documentation describes it: the token, the time, and three scripts. */
const PYTHON_LOCK = {
  release: `local token = redis.call('get', KEYS[1])
    if not token or token ~= ARGV[1] then return 0 end
    redis.call('del', KEYS[1])
    return 1`,
  extend: `local token = redis.call('get', KEYS[1])
    if not token or token ~= ARGV[1] then return 0 end
    local left = redis.call('pttl', KEYS[1])
    if not left then left = 0 end
    if left < 0 then return 0 end
    local more = ARGV[2]
    if ARGV[3] == '0' then more = ARGV[2] + left end
    redis.call('pexpire', KEYS[1], more)
    return 1`,
  reacquire: `local token = redis.call('get', KEYS[1])
    if not token or token ~= ARGV[1] then return 0 end
    redis.call('pexpire', KEYS[1], ARGV[2])
    return 1`,
}

/** What Laravel's cache and its locks send. */
const LARAVEL = {
  add: "return redis.call('exists', KEYS[1]) < 1 and redis.call('setex', KEYS[1], ARGV[2], ARGV[1])",
  release: "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end",
}

export const scenarios = {
  'ioredis: strings, pipelines, transactions': {
    async run(at) {
      const client = await io(at)
      const { note } = at
      await note(client.set('a', '1', 'EX', 100, 'NX'))
      await note(client.mset({ b: '2', c: '3' }))
      await note(client.mgetBuffer('a', 'b', 'none'))
      await note(client.pipeline().incr('a').incrbyfloat('b', 0.5).getset('c', 'x').incr('c').get('none').exec())
      await client.watch('a')
      await note(client.multi().set('a', '5').setbit('bits', 7, 1).exec())
      await note(client.bitcount('bits'))
      await note(client.move('a', at.database + 1))
      await note(client.select(at.database + 1))
      await note(client.get('a'))
      await note(client.swapdb(at.database, at.database + 1))
      await note(client.dbsize())
      await note(client.scan(0, 'MATCH', '*', 'COUNT', 100).then(([, keys]) => keys.sort()))
      await note(client.flushdb())
      await note(client.quit())
    },
  },
  'ioredis: scripts': {
    async run(at) {
      const client = await io(at)
      const { note } = at
      client.defineCommand('raise', { numberOfKeys: 1, lua: INCREMENT })
      for (const step of [3, 4, 5]) await note(client.raise('n', step, 10))
      await note(client.pipeline().raise('m', 1, 10).raise('m', 'x', 10).get('m').exec())
      await note(client.multi().raise('m', 1, 10).get('m').exec())
      await note(client.script('EXISTS', '0'.repeat(40)))
      await note(client.eval('return redis.call("NOSUCH")', 0))
      await note(client.eval('return {1, 2, {3, "four"}, 5.9, true, false, "six"}', 0))
      await note(client.eval('return cjson.encode({KEYS[1], ARGV[1]})', 1, 'k', 'v'))
      await note(client.eval("return redis.sha1hex('x')", 0))
    },
  },
  'ioredis: channels': {
    async run(at) {
      const client = await io(at)
      const listener = await io(at)
      const heard = []
      listener.on('message', (...words) => heard.push(words))
      listener.on('pmessage', (...words) => heard.push(words))
      const { note } = at
      await note(listener.subscribe('news', 'sport'))
      await note(listener.psubscribe('n*'))
      await note(client.publish('news', 'first'))
      await note(client.publish('none', 'nobody'))
      await note(client.publish('nothing', 'second'))
      await note(client.pubsub('CHANNELS', 'n*'))
      await note(client.pubsub('NUMSUB', 'news', 'none'))
      await note(client.pubsub('NUMPAT'))
      await note(listener.get('a'))
      await note(listener.unsubscribe('news'))
      await note(client.publish('news', 'third'))
      await note(listener.unsubscribe('sport'))
      await note(listener.punsubscribe('n*'))
      await note(listener.set('a', 'after'))
      await note(heard)
    },
  },
  'ioredis: keyspace notifications': {
    async run(at) {
      const client = await io(at)
      const listener = await io(at)
      const heard = []
      listener.on('pmessage', (...words) => heard.push(words))
      const { note } = at
      await note(client.config('SET', 'notify-keyspace-events', 'KEA'))
      await note(listener.psubscribe('__key*__:*'))
      await note(client.mset('b', '1', 'c', '2'))
      await note(client.incr('b'))
      await note(client.rename('b', 'd'))
      await note(client.del('c', 'none'))
      await note(client.multi().append('d', 'x').persist('d').expire('d', 100).exec())
      await note(client.getex('d', 'PERSIST'))
      await note(client.set('a', '1', 'PX', 30))
      const isExpired = ([, channel]) => channel.endsWith(':expired')
      for (let wait = 0; wait < 200 && !heard.some(isExpired); wait++) await pause(10)
      await note(client.config('SET', 'notify-keyspace-events', ''))
      await pause(20)
      await note(heard)
    },
  },
  'node-redis, RESP2': {
    run: at => nodeRedis(at, 2),
  },
  'node-redis, RESP3': {
    run: at => nodeRedis(at, 3),
  },
  'node-redis: its cache in the client (CLIENT TRACKING)': {
    async run(at) {
      const client = await node(at, { RESP: 3, clientSideCache: { ttl: 0, maxEntries: 100 } })
      const other = await node(at)
      const { note } = at
      await note(other.set('a', '1'))
      await note(client.get('a'))
      await note(client.get('a'))
      await note(other.set('a', '2'))
      await pause(50)
      await note(client.get('a'))
      await note(other.flushAll())
      await pause(50)
      await note(client.get('a'))
    },
  },
  '@keyv/redis': {
    async run(at) {
      const client = await node(at)
      const store = new KeyvRedis(client, { namespace: 'space' })
      const keyv = new Keyv({ store, namespace: 'space', useKeyPrefix: false })
      const { note } = at
      await note(keyv.set('a', { n: 1 }, 100_000))
      await note(keyv.set('b', 'text'))
      await note(keyv.get('a'))
      await note(keyv.get(['a', 'b', 'none']))
      await note(keyv.has('a'))
      await note(keyv.delete('a'))
      await note(
        keyv.setMany([
          { key: 'c', value: 1 },
          { key: 'd', value: 2, ttl: 100_000 },
        ]),
      )
      await note(keyv.hasMany(['b', 'c', 'none']))
      await note(keyv.deleteMany(['c', 'd', 'none']))
      const left = []
      for await (const pair of store.iterator('space')) left.push(pair)
      await note(left.sort())
      await note(keyv.set('soon', 'gone', 20))
      await pause(40)
      await note(keyv.get('soon'))
      await note(keyv.clear())
      await note(keyv.get('b'))
    },
  },
  'cache-manager on @keyv/redis': {
    async run(at) {
      const client = await node(at)
      const cache = createCache({ stores: [new Keyv({ store: new KeyvRedis(client) })], ttl: 100_000 })
      const { note } = at
      await note(cache.set('a', { n: 1 }))
      await note(cache.get('a'))
      await note(cache.wrap('b', () => 'made', 50_000))
      await note(cache.wrap('b', () => 'made again'))
      await note(
        cache.mset([
          { key: 'c', value: 1 },
          { key: 'd', value: 2 },
        ]),
      )
      await note(cache.mget(['a', 'c', 'none']))
      await note(cache.mdel(['c', 'd']))
      await note(cache.del('a'))
      await note(cache.get('a'))
      await note(cache.clear())
    },
  },
  'connect-redis': {
    async run(at) {
      const client = await node(at)
      const store = new SessionStore({ client, prefix: 'sess:', ttl: 1000 })
      const { note } = at
      await note(store.set('one', { cookie: { maxAge: 60_000 }, user: 'ada' }))
      await note(store.set('two', { cookie: {}, user: 'alan' }))
      await note(store.get('one'))
      await note(store.get('none'))
      await note(store.touch('one', { cookie: {} }))
      await note(store.length())
      await note(store.ids().then(ids => ids.sort()))
      await note(store.destroy('one'))
      await note(store.all())
      await note(store.clear())
      await note(store.length())
    },
  },
  'rate-limiter-flexible': {
    async run(at) {
      const client = await io(at)
      const limiter = new RateLimiterRedis({ storeClient: client, points: 3, duration: 50, blockDuration: 100 })
      const { note } = at
      for (let i = 0; i < 5; i++)
        await note(limiter.consume('user').then(plainLimit, refused => ({ refused: plainLimit(refused) })))
      await note(limiter.get('user').then(plainLimit))
      await note(limiter.penalty('other', 2).then(plainLimit))
      await note(limiter.reward('other', 1).then(plainLimit))
      await note(limiter.block('third', 10).then(plainLimit))
      await note(limiter.get('third').then(plainLimit))
      await note(limiter.delete('user'))
      await note(limiter.get('user'))
      await note(
        Promise.all(
          Array.from({ length: 5 }, () =>
            limiter.consume('many').then(
              () => 1,
              () => 0,
            ),
          ),
        ),
      )
    },
  },
  redlock: {
    async run(at) {
      const client = await io(at)
      const redlock = new Redlock([client], { retryCount: 2, retryDelay: 10, retryJitter: 0 })
      redlock.on('clientError', () => {})
      const { note } = at
      const lock = await redlock.lock('resource', 10_000)
      await note(redlock.lock('resource', 10_000))
      await note(lock.extend(20_000).then(() => 'extended'))
      await note(client.pttl('resource'))
      await note(lock.unlock())
      await note(lock.unlock())
      const both = await redlock.lock(['one', 'two'], 10_000)
      await note(redlock.lock(['two', 'three'], 10_000))
      await note(client.scan(0, 'COUNT', 100).then(([, keys]) => keys.sort()))
      await note(both.unlock())
      await note(client.dbsize())
    },
  },
  'redis-semaphore: Mutex and RedlockMutex': {
    async run(at) {
      const client = await io(at)
      const { note } = at
      for (const kind of ['mutex', 'redlock']) {
        const make = options =>
          kind === 'mutex' ? new Mutex(client, 'key', options) : new RedlockMutex([client], 'key', options)
        const first = make({ lockTimeout: 5000, refreshInterval: 0 })
        const second = make({ lockTimeout: 5000, acquireAttemptsLimit: 3, retryInterval: 10, refreshInterval: 0 })
        await note(first.acquire())
        await note(second.tryAcquire())
        await note(second.acquire().catch(error => error.name))
        // What its timer calls.
        await note(first._refresh())
        await note(first.release())
        await note(second.tryAcquire())
        await note(second.release())
      }
    },
  },
  'rate-limit-redis (express-rate-limit)': {
    async run(at) {
      const client = await io(at)
      const { note } = at
      const store = new LimitStore({ sendCommand: (...words) => client.call(...words) })
      await store.init({ windowMs: 100_000 })
      for (let i = 0; i < 3; i++) await note(store.increment('1.2.3.4'))
      await note(store.get('1.2.3.4'))
      await note(store.decrement('1.2.3.4'))
      await note(client.script('FLUSH'))
      await note(store.increment('1.2.3.4'))
      await note(store.resetKey('1.2.3.4'))
      await note(client.dbsize())
    },
  },
  '@fastify/rate-limit': {
    async run(at) {
      const client = await io(at)
      const { note } = at
      const app = fastify()
      at.ends(() => app.close())
      await app.register(rateLimit, { redis: client, max: 2, timeWindow: 50_000, skipOnError: false })
      app.get('/', () => 'hello')
      app.get('/strict', { config: { rateLimit: { max: 1, continueExceeding: true } } }, () => 'strict')
      const get = async url => {
        const { statusCode, headers } = await app.inject(url)
        return [statusCode, headers['x-ratelimit-remaining'], headers['retry-after']]
      }
      for (const url of ['/', '/', '/', '/strict', '/strict']) await note(get(url))
      await note(client.scan(0, 'COUNT', 100).then(([, keys]) => keys.sort()))
    },
  },
  'Redis adapter of socket.io': {
    async run(at) {
      const { note } = at
      const publisher = await node(at)
      const subscriber = publisher.duplicate()
      subscriber.on('error', () => {})
      at.ends(() => subscriber.destroy())
      await subscriber.connect()
      const servers = [0, 1].map(() => {
        const server = new SocketServer()
        server.adapter(createAdapter(publisher, subscriber, { requestsTimeout: 1000 }))
        at.ends(() => server.close())
        return server
      })
      await pause(30)
      const heard = []
      servers[1].on('event', (...words) => heard.push(words))
      servers[0].serverSideEmit('event', 'hello')
      servers[0].emit('to all', { n: 1 })
      servers[0].to('room').emit('to a room', 2)
      await pause(30)
      await note(heard)
      await note(servers[0].fetchSockets().then(sockets => sockets.length))
      await note(publisher.pubSubNumSub(['socket.io#/#']))
    },
  },
  'the scripts of redis-py’s Lock': {
    async run(at) {
      const client = await io(at)
      const { note } = at
      const sha = {}
      for (const [name, text] of Object.entries(PYTHON_LOCK)) {
        sha[name] = await client.script('LOAD', text)
        await note(sha[name])
      }
      const call = (name, ...words) => client.evalsha(sha[name], 1, 'lock', ...words)
      await note(client.set('lock', 'mine', 'NX', 'PX', 10_000))
      await note(client.set('lock', 'yours', 'NX', 'PX', 10_000))
      await note(call('extend', 'mine', '5000', '0'))
      await note(client.pttl('lock'))
      await note(call('extend', 'mine', '5000', '1'))
      await note(client.pttl('lock'))
      await note(call('reacquire', 'yours', '7000'))
      await note(call('reacquire', 'mine', '7000'))
      await note(client.pttl('lock'))
      await note(call('release', 'yours'))
      await note(call('release', 'mine'))
      await note(call('release', 'mine'))
      await note(call('extend', 'mine', '5000', '0'))
      await note(client.evalsha('f'.repeat(40), 0))
    },
  },
  'Laravel’s add and locks': {
    async run(at) {
      const client = await io(at)
      const { note } = at
      await note(client.eval(LARAVEL.add, 1, 'laravel_cache:k', 's:1:"v";', 100))
      await note(client.eval(LARAVEL.add, 1, 'laravel_cache:k', 's:1:"w";', 100))
      await note(client.eval(LARAVEL.add, 1, 'laravel_cache:k2', 's:1:"w";', 0))
      await note(client.get('laravel_cache:k'))
      await note(client.ttl('laravel_cache:k'))
      await note(client.set('laravel_lock', 'owner', 'EX', 10, 'NX'))
      await note(client.eval(LARAVEL.release, 1, 'laravel_lock', 'thief'))
      await note(client.eval(LARAVEL.release, 1, 'laravel_lock', 'owner'))
    },
  },
}

/** Strings, transactions, scripts, channels. */
async function nodeRedis(at, RESP) {
  const scripts = {
    raise: defineScript({
      NUMBER_OF_KEYS: 1,
      SCRIPT: INCREMENT,
      parseCommand(parser, key, step, most) {
        parser.pushKey(key)
        parser.push(String(step), String(most))
      },
      transformReply: reply => reply,
    }),
  }
  const client = await node(at, { RESP, scripts })
  const { note } = at
  await note(client.set('a', '1', { expiration: { type: 'EX', value: 100 } }))
  await note(client.mSet({ b: '2', c: '3' }))
  await note(client.mGet(['a', 'b', 'none']))
  await note(client.multi().incr('a').get('none').exec())
  for (const step of [3, 4, 5]) await note(client.raise('n', step, 10))
  await note(client.multi().raise('m', 1, 10).get('m').exec())
  await note(client.eval('return {KEYS[1], ARGV[1], false}', { keys: ['k'], arguments: ['v'] }))
  await note(client.eval('redis.setresp(3); return {double = 1.5}', { keys: [] }))
  await note(client.bitOp('XOR', 'x', ['b', 'c']))
  await note(client.getRange('x', 0, -1))
  await note(client.copy('a', 'copied', { DB: at.database + 1 }))
  await note(client.scan('0', { COUNT: 1000 }).then(({ keys }) => keys.sort()))
  const listener = client.duplicate()
  at.ends(() => listener.destroy())
  listener.on('error', () => {})
  await listener.connect()
  const heard = []
  await listener.subscribe('news', (...words) => heard.push(words))
  await listener.pSubscribe('n?ws', (...words) => heard.push(words))
  await note(client.publish('news', 'text'))
  await note(client.pubSubChannels('n*'))
  await note(client.pubSubNumSub(['news', 'none']))
  await listener.unsubscribe('news')
  await note(client.publish('news', 'more'))
  await listener.pUnsubscribe()
  await pause(20)
  await note(heard)
}

function plainLimit(result) {
  if (result === null || result instanceof Error) return String(result)
  const { remainingPoints, msBeforeNext, consumedPoints, isFirstInDuration } = result
  return { remainingPoints, msBeforeNext, consumedPoints, isFirstInDuration }
}
