/** Keyspace notifications and CLIENT TRACKING, where Redis has nothing to compare with: transactions, the program. */
import { expect, test } from 'vitest'
import { memoryStorage, open } from '../../../src/index.ts'
import { createServer } from '../../../src/server/index.ts'
import { pause } from '../../support/child.ts'
import { expectVerified } from '../../support/database.ts'
import { bulk, request, Wire, withServer } from '../wire.ts'

const event = (name: string, key: string, database = 0): string =>
  `*4\r\n${bulk('pmessage')}${bulk('__keyevent@*')}${bulk(`__keyevent@${database}__:${name}`)}${bulk(key)}`
const invalidated = (...keys: string[]): string =>
  `>2\r\n${bulk('invalidate')}*${keys.length}\r\n${keys.map(bulk).join('')}`
const ALL_INVALIDATED = `>2\r\n${bulk('invalidate')}_\r\n`

const listen = async (client: Wire): Promise<void> => {
  client.write('PSUBSCRIBE __keyevent@*\r\n')
  await client.until(text => text.endsWith(':1\r\n'))
  client.received = ''
}

/** In RESP3, with CLIENT TRACKING. */
const track = async (client: Wire, options = ''): Promise<void> => {
  client.write(`HELLO 3\r\nCLIENT TRACKING ON ${options}\r\n`)
  await client.until(text => text.endsWith('+OK\r\n'))
  client.received = ''
}

/** Nothing but this has come. */
const hears = async (client: Wire, text: string): Promise<void> => {
  client.write('PING end\r\n')
  await client.until(received => received.endsWith('end\r\n'))
  expect(client.received.replace(/(\*2\r\n\$4\r\npong\r\n)?\$3\r\nend\r\n$/, '')).toBe(text)
  client.received = ''
}

test('BEGIN announces at COMMIT, and nothing after ROLLBACK', () =>
  withServer({ notifyKeyspaceEvents: 'EA' }, async ({ client }) => {
    const [listener, c, other] = [await client(), await client(), await client()]
    await listen(listener)
    await c.expect(
      'BEGIN\r\nSET a 1\r\nSAVEPOINT\r\nSET b 1\r\nROLLBACK TO 1\r\nSET c 1\r\n',
      '+OK\r\n+OK\r\n:1\r\n+OK\r\n+OK\r\n+OK\r\n',
    )
    await hears(listener, '')
    await other.expect('SET x 1\r\n', '+OK\r\n')
    await hears(listener, event('set', 'x'))
    await c.expect('COMMIT\r\n', '+OK\r\n')
    await hears(listener, event('set', 'a') + event('set', 'c'))
    await c.expect('BEGIN\r\nDEL a\r\nROLLBACK\r\n', '+OK\r\n:1\r\n+OK\r\n')
    await hears(listener, '')
  }))

test('a command that is undone and tried again announces once', () =>
  withServer({ notifyKeyspaceEvents: 'EA' }, async ({ client, keysApart }) => {
    const [free, locked] = keysApart(2) as [string, string]
    const [listener, holder, c] = [await client(), await client(), await client()]
    await listen(listener)
    await holder.expect(`BEGIN\r\nSET ${locked} 1\r\n`, '+OK\r\n+OK\r\n')
    c.write(request('MSET', free, '1', locked, '2'))
    await pause(50)
    await hears(listener, '')
    await holder.expect('ROLLBACK\r\n', '+OK\r\n')
    await c.expect('', '+OK\r\n')
    await hears(listener, event('set', free) + event('set', locked))
  }))

test('a time that has passed already', () =>
  withServer({ notifyKeyspaceEvents: 'EA' }, async ({ client }) => {
    const [listener, c] = [await client(), await client()]
    await listen(listener)
    await c.expect('SET a 1\r\nSET a 2 PXAT 1\r\n', '+OK\r\n+OK\r\n')
    await hears(listener, event('set', 'a') + event('set', 'a') + event('expire', 'a') + event('expired', 'a'))
  }))

test('sub-databases are not announced, but caches are told', () =>
  withServer({ notifyKeyspaceEvents: 'EA' }, async ({ client }) => {
    const [listener, cache, c] = [await client(), await client(), await client()]
    await c.expect('SUB OPEN s\r\n', `*2\r\n${bulk('utf8')}${bulk('utf8')}`)
    await listen(listener)
    await track(cache)
    await cache.expect('IN s GET a\r\n', '_\r\n')
    await c.expect('IN s SET a 1\r\n', '+OK\r\n')
    await hears(listener, '')
    await hears(cache, invalidated('a'))
    await cache.expect('IN s GET a\r\n', bulk('1'))
    await c.expect('SUB DROP s\r\n', ':1\r\n')
    await hears(cache, ALL_INVALIDATED)
  }))

test('what a transaction reads is not to be cached', () =>
  withServer({}, async ({ client }) => {
    const [cache, c] = [await client(), await client()]
    await track(cache)
    await cache.expect('BEGIN ISOLATION snapshot\r\nGET a\r\n', `+OK\r\n_\r\n${invalidated('a')}`)
    await c.expect('SET a 1\r\n', '+OK\r\n')
    await cache.expect('GET a\r\nCOMMIT\r\n', `_\r\n${invalidated('a')}+OK\r\n`)
    await cache.expect('GET a\r\n', bulk('1'))
    await c.expect('BEGIN\r\nSET a 2\r\n', '+OK\r\n+OK\r\n')
    await hears(cache, '')
    await c.expect('COMMIT\r\n', '+OK\r\n')
    await hears(cache, invalidated('a'))
  }))

test('changes by the program are announced, and caches are told', async () => {
  const db = open<string>('db', { storage: memoryStorage() })
  const server = createServer(db, { port: 0, notifyKeyspaceEvents: 'EA' })
  const address = await server.listen()
  const port = 'port' in address ? address.port : 0
  const [listener, cache, all] = [await Wire.open(port), await Wire.open(port), await Wire.open(port)]
  await listen(listener)
  await track(cache)
  await track(all, 'BCAST')
  await cache.expect('MGET a b\r\n', '*2\r\n_\r\n_\r\n')
  db.put('a', '1')
  await hears(listener, event('set', 'a'))
  await hears(cache, invalidated('a'))
  await hears(all, invalidated('a'))
  db.transaction(tx => {
    tx.put('b', '1')
    tx.delete('a')
  })
  await pause(20)
  const both = [event('set', 'b'), event('del', 'a')]
  listener.write('PING end\r\n')
  await listener.until(text => text.endsWith('end\r\n'))
  for (const each of both) expect(listener.received).toContain(each)
  listener.received = ''
  await hears(cache, invalidated('b'))
  await hears(all, invalidated('a', 'b'))
  db.put('short', '1', { ttl: 30 })
  await hears(listener, event('set', 'short'))
  await cache.expect('GET short\r\n', bulk('1'))
  await listener.until(text => text.length > 0)
  await hears(listener, event('expired', 'short'))
  await hears(cache, invalidated('short'))
  await cache.expect('GET b\r\n', bulk('1'))
  db.clear()
  await hears(listener, '')
  await hears(cache, ALL_INVALIDATED)
  const numbered = db.sub('users')
  numbered.put('a', '1')
  await hears(listener, '')
  for (const each of [listener, cache, all]) each.close()
  while (server.sessions.size > 0) await pause(1)
  await server.close()
  await expectVerified(db)
  db.close()
})

test('the table of tracked keys is bounded', () =>
  withServer({ trackingTableMaxKeys: 2 }, async ({ client, server }) => {
    const cache = await client()
    await track(cache)
    await cache.expect('GET a\r\nGET b\r\n', '_\r\n_\r\n')
    await cache.expect('GET c\r\n', `_\r\n${invalidated('a')}`)
    expect([server.tracking.keys, server.tracking.items]).toEqual([2, 2])
    cache.write('INFO\r\n')
    expect(await cache.until(text => text.includes('tracking_total_prefixes'))).toMatch(
      /tracking_clients:1\r\n[\s\S]*tracking_total_keys:2\r\ntracking_total_items:2\r\ntracking_total_prefixes:0\r\n/,
    )
    cache.received = ''
    const other = await client()
    other.write('CLIENT LIST\r\n')
    expect(await other.until(text => text.includes('lib-ver'))).toMatch(/ flags=t .* redir=0 /)
  }))

test('nothing is left of caches that are gone, and nobody listens any more', () =>
  withServer({}, async ({ client, server }) => {
    const { tracking, observation } = server
    expect(observation.isOn).toBe(false)
    const [a, b, c] = [await client(), await client(), await client()]
    await track(a)
    await track(b, 'BCAST PREFIX x PREFIX y')
    await a.expect('MGET a b\r\n', '*2\r\n_\r\n_\r\n')
    expect([observation.isOn, tracking.size, tracking.keys, tracking.prefixes]).toEqual([true, 2, 2, 2])
    await a.expect('CLIENT TRACKING OFF\r\n', '+OK\r\n')
    b.close()
    while (server.sessions.size > 2) await pause(1)
    expect([observation.isOn, tracking.size, tracking.keys, tracking.prefixes]).toEqual([false, 0, 0, 0])
    await c.expect('CONFIG SET notify-keyspace-events KEA\r\n', '+OK\r\n')
    expect(observation.isOn).toBe(true)
    await c.expect('CONFIG SET notify-keyspace-events ""\r\n', '+OK\r\n')
    expect(observation.isOn).toBe(false)
  }))

test('nobody listens any more to sub-databases that were dropped', () =>
  withServer({ notifyKeyspaceEvents: 'EA' }, async ({ client, server }) => {
    const c = await client()
    const { transactions } = (
      server.db.asBytes() as unknown as { space: { transactions: { observers: Set<unknown> } } }
    ).space
    const before = transactions.observers.size
    for (let i = 0; i < 5; i++)
      await c.expect('SUB OPEN s\r\nIN s SET a 1\r\nSUB DROP s\r\n', /^\*2\r\n(.*\r\n){4}\+OK\r\n:1\r\n$/)
    expect(transactions.observers.size).toBe(before)
    // The program drops it.
    await c.expect('SUB OPEN s\r\nIN s SET a 1\r\n', /\+OK\r\n$/)
    server.db.asBytes().drop('s')
    await c.expect('BEGIN\r\nSET a 1\r\nCOMMIT\r\n', '+OK\r\n+OK\r\n+OK\r\n')
    expect(transactions.observers.size).toBe(before)
  }))
