/** The wire list of the reliability brief: what clients do wrong, and what they may not do. */
import { expect, test } from 'vitest'
import { memoryStorage, open } from '../../../src/index.ts'
import { createServer } from '../../../src/server/index.ts'
import { pause } from '../../support/child.ts'
import { bulk, request, type Wire, withServer } from '../wire.ts'

test('one byte at a time', () =>
  withServer({}, async ({ client }) => {
    const c = await client()
    for (const byte of request('SET', 'a', 'b') + request('GET', 'a')) {
      c.write(byte)
      await pause(1)
    }
    expect(await c.until(text => text.endsWith('b\r\n'))).toBe('+OK\r\n$1\r\nb\r\n')
  }))

test.each([
  ['*2147483648\r\n', '-ERR Protocol error: invalid multibulk length\r\n'],
  ['*1\r\n$-1\r\n', '-ERR Protocol error: invalid bulk length\r\n'],
  [
    '*1\r\n$999999999999\r\n',
    '-ERR Protocol error: invalid bulk length: 999999999999 bytes, of at most 16777216 (proto-max-bulk-len)\r\n',
  ],
  ['*1\r\n*1\r\n', "-ERR Protocol error: expected '$', got '*'\r\n"],
  ['*1\r\n$4\r\nPINGPING\r\n', '-ERR Protocol error: expected CRLF behind a bulk string\r\n'],
])('%j gets a typed error, then the connection is closed', (bytes, reply) =>
  withServer({}, async ({ client }) => {
    const c = await client()
    c.write(`PING\r\n${bytes}PING\r\n`)
    expect(await c.untilClosed()).toBe(`+PONG\r\n${reply}`)
  }),
)

test('an endless inline line', () =>
  withServer({}, async ({ client }) => {
    const c = await client()
    c.write('x'.repeat(70_000))
    expect(await c.untilClosed()).toBe('-ERR Protocol error: too big inline request\r\n')
  }))

test('what a browser sends is not executed', () =>
  withServer({}, async ({ client, server }) => {
    for (const first of ['POST / HTTP/1.1', 'GET / HTTP/1.1\r\nHost: localhost']) {
      const c = await client()
      c.write(`${first}\r\n\r\nSET a b\r\n`)
      await c.untilClosed()
    }
    expect(server.keys.records.count()).toBe(0)
  }))

test('TLS bytes on a plain port', () =>
  withServer({ requestTimeout: 100 }, async ({ client }) => {
    const c = await client()
    c.write(Buffer.from('16030100f5010000f10303', 'hex'))
    await c.untilClosed()
  }))

test('one client too many is told so', () =>
  withServer({ maxClients: 8 }, async ({ client, server }) => {
    const clients = await Promise.all(Array.from({ length: 8 }, () => client()))
    await Promise.all(clients.map(c => c.expect('PING\r\n', '+PONG\r\n')))
    const c = await client()
    expect(await c.untilClosed()).toBe('-ERR max number of clients reached\r\n')
    clients[0]!.close()
    while (server.sessions.size === 8) await pause(5)
    await (await client()).expect('PING\r\n', '+PONG\r\n')
  }))

test('1,025 connections: the last one is refused', () =>
  withServer({}, async ({ client }) => {
    const clients: Wire[] = []
    for (let i = 0; i < 1024; i += 64) clients.push(...(await Promise.all(Array.from({ length: 64 }, () => client()))))
    await Promise.all(clients.map(c => c.expect('PING\r\n', '+PONG\r\n')))
    expect(await (await client()).untilClosed()).toContain('max number of clients')
  }))

test('100,000 pipelined GETs without reading: memory stays bounded, and all are answered later', () =>
  withServer({}, async ({ client, server }) => {
    const c = await client()
    const value = 'v'.repeat(1000)
    await c.expect(request('SET', 'k', value), '+OK\r\n')
    c.socket.pause()
    c.write(request('GET', 'k').repeat(100_000))
    await pause(500)
    const [session] = server.sessions.values()
    expect(session!.unsent).toBeLessThan(4 * 1048576)
    let bytes = 0
    c.socket.on('data', (text: string) => {
      bytes += text.length
      c.received = ''
    })
    c.socket.resume()
    const total = 100_000 * bulk(value).length
    for (let i = 0; i < 6000 && bytes < total; i++) await pause(10)
    expect(bytes).toBe(total)
  }))

/** What a reply above the limit is answered with. */
const tooLong = (limit: number, done = 'nothing was changed'): string =>
  `-ERR the reply takes more than ${limit} bytes, so ${done}; ask for less at a time (SCAN, RANGE ... LIMIT)\r\n`

const SMALL = { maxOutputBytes: 1_000_000, pauseOutputBytes: 100_000 }
const LONG = 'v'.repeat(300_000)

test('a reply above the limit is an error of that command; the others are answered', () =>
  withServer(SMALL, async ({ client }) => {
    const c = await client()
    const five = request('MGET', 'k', 'k', 'k', 'k', 'k')
    const three = `*3\r\n${bulk(LONG).repeat(3)}`
    await c.expect(request('SET', 'k', LONG), '+OK\r\n')
    await c.expect(`PING\r\n${five}PING\r\n`, `+PONG\r\n${tooLong(1_000_000)}+PONG\r\n`)
    // What is unsent of earlier replies takes nothing from the room of the next.
    await c.expect(
      `STRLEN k\r\n${request('GETRANGE', 'k', 0, 90_000)}${request('MGET', 'k', 'k', 'k')}${five}PING\r\n`,
      `:300000\r\n${bulk(LONG.slice(0, 90_001))}${three}${tooLong(1_000_000)}+PONG\r\n`,
    )
    await c.expect(
      `MULTI\r\nSET a 1\r\n${five}SET b 1\r\nEXEC\r\n`,
      `+OK\r\n${'+QUEUED\r\n'.repeat(3)}${tooLong(1_000_000)}`,
    )
    await c.expect('EXISTS a b\r\n', ':0\r\n')
    await c.expect(`BEGIN\r\nSET a 1\r\n${five}`, `+OK\r\n+OK\r\n${tooLong(1_000_000)}`)
    await c.expect('COMMIT\r\nGET a\r\n', `+OK\r\n${bulk('1')}`)
  }))

test('a change whose reply is above the limit says that it has happened, in a transaction that it has not', () =>
  withServer({ maxOutputBytes: 100_000 }, async ({ client }) => {
    const c = await client()
    for (const key of ['a', 'b']) await c.expect(request('SET', key, LONG), '+OK\r\n')
    await c.expect('GETDEL a\r\nEXISTS a\r\n', `${tooLong(100_000, 'the command was executed')}:0\r\n`)
    await c.expect('BEGIN\r\nGETDEL b\r\n', `+OK\r\n${tooLong(100_000)}`)
    await c.expect('EXISTS b\r\nCOMMIT\r\nEXISTS b\r\n', ':1\r\n+OK\r\n:1\r\n')
  }))

test('a reply above the limit of a command that has waited for a lock is an error, too', () =>
  withServer(SMALL, async ({ client }) => {
    const [holder, waiter] = [await client(), await client()]
    await holder.expect(request('SET', 'k', LONG), '+OK\r\n')
    await holder.expect('BEGIN\r\nSET a 1\r\n', '+OK\r\n+OK\r\n')
    await waiter.expect('MULTI\r\nSET a 2\r\nMGET k k k k k\r\n', '+OK\r\n+QUEUED\r\n+QUEUED\r\n')
    waiter.write('EXEC\r\nPING\r\n')
    await pause(20)
    await holder.expect('COMMIT\r\n', '+OK\r\n')
    await waiter.expect('', `${tooLong(1_000_000)}+PONG\r\n`)
    await holder.expect('GET a\r\n', '$1\r\n1\r\n')
  }))

test('a value or a request above the limit is told the sizes, behind what was answered before', () =>
  withServer({ maxArgumentBytes: 100_000, maxQueryBytes: 200_000 }, async ({ client }) => {
    const c = await client()
    c.write(`SET a 1\r\n${request('SET', 'k', LONG)}`)
    expect(await c.untilClosed()).toBe(
      '+OK\r\n-ERR Protocol error: invalid bulk length: 300000 bytes, of at most 100000 (proto-max-bulk-len)\r\n',
    )
    const d = await client()
    d.write(`GET a\r\n*9\r\n${bulk('x'.repeat(90_000)).repeat(3)}`)
    expect(await d.untilClosed()).toBe(
      `${bulk('1')}-ERR Protocol error: the request takes more than 200000 bytes (client-query-buffer-limit)\r\n`,
    )
  }))

test('a client that goes on sending a value above the limit slowly still gets the reason', () =>
  withServer({ maxArgumentBytes: 100_000 }, async ({ client }) => {
    const c = await client()
    c.socket.allowHalfOpen = true
    c.write('*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$300000\r\n')
    for (let i = 0; i < 22; i++) {
      c.write('v'.repeat(10_000))
      await pause(100)
    }
    expect(c.closed).toBe(false)
    expect(c.received).toContain('300000 bytes, of at most 100000')
  }))

test('a request that is not sent in time is told so, behind what was answered before', () =>
  withServer({ requestTimeout: 150 }, async ({ client }) => {
    const c = await client()
    c.write('PING\r\n*1\r\n$4\r\n')
    // A drip does not help.
    const drip = setInterval(() => c.write('P'), 60)
    expect(await c.untilClosed(3000)).toBe(
      '+PONG\r\n-ERR Protocol error: the request has not arrived within 150 ms\r\n',
    )
    clearInterval(drip)
  }))

test('a client that does not authenticate in time', () =>
  withServer({ password: 'secret', authTimeout: 150 }, async ({ client }) => {
    const c = await client()
    await c.expect('PING\r\n', '-NOAUTH Authentication required.\r\n')
    await c.untilClosed(3000)
    const d = await client()
    await d.expect('AUTH secret\r\n', '+OK\r\n')
    await pause(300)
    await d.expect('PING\r\n', '+PONG\r\n')
  }))

test('floods before AUTH', () =>
  withServer({ password: 'secret' }, async ({ client }) => {
    const c = await client()
    c.write('*11\r\n')
    expect(await c.untilClosed()).toContain('unauthenticated multibulk length')
    const d = await client()
    d.write('*2\r\n$4\r\nAUTH\r\n$16385\r\n')
    expect(await d.untilClosed()).toContain('unauthenticated bulk length')
    const e = await client()
    await e.expect('AUTH wrong\r\n', '-WRONGPASS invalid username-password pair or user is disabled.\r\n')
    await e.expect('AUTH default secret\r\n', '+OK\r\n')
    await e.expect('SET a b\r\n', '+OK\r\n')
  }))

test('a disconnect in the middle of an EXEC changes nothing', () =>
  withServer({}, async ({ client, server }) => {
    const c = await client()
    c.write('MULTI\r\nSET a 1\r\nSET b 2\r\n*1\r\n$4\r\nEXE')
    await c.until(text => text.includes('QUEUED'))
    c.close()
    while (server.sessions.size > 0) await pause(5)
    expect(server.keys.records.count()).toBe(0)
  }))

test('patterns that would take for ever take no time', () =>
  withServer({}, async ({ client }) => {
    const c = await client()
    await c.expect(request('SET', 'a'.repeat(1000), 'x'), '+OK\r\n')
    const started = performance.now()
    await c.expect(request('KEYS', `${'a*'.repeat(500)}b`), '*0\r\n')
    await c.expect(request('KEYS', '*'.repeat(100_000)), `*1\r\n${bulk('a'.repeat(1000))}`)
    expect(performance.now() - started).toBeLessThan(20_000)
  }))

test('a huge COUNT of SCAN', () =>
  withServer({}, async ({ client }) => {
    const c = await client()
    await c.expect(request('SET', 'a', 'x'), '+OK\r\n')
    await c.expect('SCAN 0 COUNT 9223372036854775807\r\n', `*2\r\n${bulk('0')}*1\r\n${bulk('a')}`)
    await c.expect('SCAN 18446744073709551615\r\n', `*2\r\n${bulk('0')}*0\r\n`)
  }))

test('what is queued after MULTI is bounded', () =>
  withServer({ maxQueryBytes: 100_000 }, async ({ client }) => {
    const c = await client()
    c.write('MULTI\r\n')
    for (let i = 0; i < 20; i++) c.write(request('SET', 'a', 'x'.repeat(10_000)))
    c.write('EXEC\r\n')
    const text = await c.until(received => received.includes('EXECABORT'))
    expect(text).toContain('-ERR the commands queued since MULTI are too large')
  }))

test('an address that others can reach needs a password', () => {
  const db = open<Uint8Array>('db', {
    storage: memoryStorage(),
    keyEncoding: 'binary',
    valueEncoding: 'binary',
  })
  for (const host of ['0.0.0.0', '::', '192.168.1.1'])
    expect(() => createServer(db, { host })).toThrow('needs a password')
  expect(() => createServer(db, { host: '0.0.0.0', password: 'x' })).not.toThrow()
  expect(() => createServer(db, { port: 70_000 })).toThrow('port')
  expect(() => createServer(db, { unknown: 1 } as never)).toThrow("no server option 'unknown'")
  db.close()
})
