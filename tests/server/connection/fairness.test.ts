/** One client that pipelines does not keep the others waiting, and loses nothing by that. */
import { expect, test } from 'vitest'
import { memoryStorage } from '../../../src/index.ts'
import { pause } from '../../support/child.ts'
import { bulk, request, withServer } from '../wire.ts'

/** So many requests take far longer than a turn. */
const MANY = 60_000

const increments = (count: number): string => request('INCR', 'n').repeat(count)

/** The replies to INCRs of a key that begins with 0. */
const counted = (count: number): string => Array.from({ length: count }, (_, i) => `:${i + 1}\r\n`).join('')

test('neighbours are answered while a client pipelines', () =>
  withServer({}, async ({ client, server }) => {
    const [c, d] = [await client(), await client()]
    c.write(increments(MANY))
    for (let i = 0; i < 5; i++) await d.expect('PING\r\n', '+PONG\r\n')
    expect(server.counts.commands).toBeLessThan(MANY)
    expect(await c.until(text => text.endsWith(`:${MANY}\r\n`))).toBe(counted(MANY))
  }))

test('slow commands are executed one at a turn, or few', () =>
  withServer({}, async ({ client, server }) => {
    const [c, d] = [await client(), await client()]
    const names = Array.from({ length: 1000 }, (_, i) => `key ${i}`)
    await c.expect(request('MSET', ...names.flatMap(name => [name, 'x'])), '+OK\r\n')
    const none = '*0\r\n'
    c.write(request('KEYS', '*none*').repeat(300))
    for (let i = 0; i < 5; i++) await d.expect('PING\r\n', '+PONG\r\n')
    expect(server.counts.commands).toBeLessThan(200)
    await c.expect('', none.repeat(300))
  }))

test('many clients that pipeline all get their replies, in order', () =>
  withServer({}, async ({ client }) => {
    const clients = await Promise.all(Array.from({ length: 20 }, () => client()))
    const each = 3000
    await Promise.all(
      clients.map((c, i) =>
        c.expect(request('INCR', `n${i}`).repeat(each) + request('GET', `n${i}`), counted(each) + bulk(String(each))),
      ),
    )
  }))

test('a client that ends its side while it waits for its turn gets all replies', () =>
  withServer({}, async ({ client }) => {
    const c = await client()
    c.socket.end(increments(MANY))
    expect(await c.untilClosed()).toBe(counted(MANY))
  }))

test('nothing behind QUIT is executed, however many turns it takes to come to it', () =>
  withServer({}, async ({ client }) => {
    const [c, d] = [await client(), await client()]
    c.write(`${increments(MANY)}QUIT\r\n${increments(MANY)}`)
    expect(await c.untilClosed()).toBe(`${counted(MANY)}+OK\r\n`)
    await d.expect('GET n\r\n', bulk(String(MANY)))
  }))

test('EXEC, BEGIN and what waits for a lock keep their order among what is pipelined', () =>
  withServer({}, async ({ client }) => {
    const [c, holder] = [await client(), await client()]
    const half = MANY / 4
    await holder.expect('BEGIN\r\nSET locked 1\r\n', '+OK\r\n+OK\r\n')
    const exec = `MULTI\r\n${request('INCR', 'm')}${request('INCR', 'm')}EXEC\r\n`
    const begin = `BEGIN\r\n${request('INCR', 'b')}COMMIT\r\n`
    c.write(`${increments(half)}${exec}${begin}APPEND locked 2\r\n${increments(half)}GET n\r\n`)
    const before = `${counted(half)}+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n:2\r\n+OK\r\n:1\r\n+OK\r\n`
    expect(await c.until(text => text.length >= before.length)).toBe(before)
    await pause(20)
    expect(c.received).toBe(before)
    c.received = ''
    await holder.expect('COMMIT\r\n', '+OK\r\n')
    const rest = counted(2 * half).slice(counted(half).length)
    await c.expect('', `:2\r\n${rest}${bulk(String(2 * half))}`)
  }))

test('a client that reads slowly and pipelines gets all, and the server closes in the middle without harm', () =>
  withServer({ pauseOutputBytes: 20_000 }, async ({ client, server }) => {
    const [c, d] = [await client(), await client()]
    c.socket.pause()
    c.write(increments(MANY))
    await pause(50)
    c.socket.resume()
    expect(await c.until(text => text.endsWith(`:${MANY}\r\n`))).toBe(counted(MANY))
    d.write(increments(MANY))
    await d.until(text => text.length > 0)
    await server.close()
    // What was answered are whole replies, from the first on.
    const { received } = d
    const rest = counted(2 * MANY).slice(counted(MANY).length)
    expect(received.endsWith('\r\n')).toBe(true)
    expect(rest.startsWith(received)).toBe(true)
    const last = Number(Buffer.from(server.keys.get(Buffer.from('n'))!).toString())
    expect(last).toBeGreaterThanOrEqual(MANY + received.split('\r\n').length - 1)
  }))

test('a drip of a request is late although the server has nothing else to do', () =>
  withServer({ requestTimeout: 300 }, async ({ client }) => {
    const c = await client()
    c.write('*2\r\n$3\r\nGET\r\n$10000\r\n')
    const drip = setInterval(() => c.write('x'), 5)
    expect(await c.untilClosed(5000)).toContain('has not arrived within 300 ms')
    clearInterval(drip)
  }))

test('FLUSHALL ASYNC and FLUSHDB ASYNC are refused where they would go by records, SYNC is not', () =>
  withServer({}, async ({ client }) => {
    const [c, watcher] = [await client(), await client()]
    const refused =
      '-ERR somebody watches a range of these records (WATCHRANGE) and is told of each, so ASYNC would hold up all others; say SYNC\r\n'
    await c.expect('SELECT 1\r\nSET a 1\r\nSELECT 0\r\nSET a 1\r\n', '+OK\r\n'.repeat(4))
    watcher.write('SELECT 1\r\nWATCHRANGE - +\r\n')
    await watcher.until(text => text.length >= '+OK\r\n'.length)
    await pause(20)
    await c.expect('FLUSHALL ASYNC\r\nDBSIZE\r\n', `${refused}:1\r\n`)
    await c.expect('FLUSHDB ASYNC\r\nDBSIZE\r\nSELECT 1\r\n', '+OK\r\n:0\r\n+OK\r\n')
    await c.expect('FLUSHDB ASYNC\r\nFLUSHALL ASYNC\r\nDBSIZE\r\n', `${refused}${refused}:1\r\n`)
    await c.expect('FLUSHALL\r\nDBSIZE\r\n', '+OK\r\n:0\r\n')
    await watcher.until(text => text.includes('delete'))
    watcher.close()
    await pause(20)
    await c.expect('SET a 1\r\nFLUSHALL ASYNC\r\nDBSIZE\r\n', '+OK\r\n+OK\r\n:0\r\n')
  }))

test('the turns of a client that is alone share syncs', () =>
  withServer(
    {},
    async ({ client, server }) => {
      const c = await client()
      await c.expect(increments(1), counted(1))
      const before = server.db.stats().fsyncs
      const turns = server.turns.number
      await c.expect(increments(MANY), counted(MANY + 1).slice(4))
      const taken = server.turns.number - turns
      expect(taken).toBeGreaterThan(20)
      expect(server.db.stats().fsyncs - before).toBeLessThan(taken)
    },
    { storage: memoryStorage(), durability: 'power' },
  ))
