/** What the differential tests against Redis do not reach: replies of RESP3, extras, admin. */
import { expect, test } from 'vitest'
import { pause } from '../../support/child.ts'
import { bulk, request, withServer } from '../wire.ts'

test('RESP3: maps, nulls, verbatim texts', () =>
  withServer({}, async ({ client }) => {
    const c = await client()
    c.write('HELLO 3\r\n')
    expect(await c.until(text => text.endsWith('*0\r\n'))).toMatch(/^%7\r\n\$6\r\nserver\r\n\$5\r\nredis/)
    c.received = ''
    await c.expect('GET nothing\r\n', '_\r\n')
    await c.expect('CONFIG GET maxmemory\r\n', `%1\r\n${bulk('maxmemory')}${bulk('0')}`)
    c.write('INFO replication\r\n')
    expect(await c.until(text => text.includes('connected_slaves'))).toMatch(/^=\d+\r\ntxt:# Replication/)
    c.received = ''
    await c.expect('HELLO 4\r\n', '-NOPROTO unsupported protocol version\r\n')
  }))

test('keys are 1 to 1,024 bytes long; reading others finds nothing', () =>
  withServer({}, async ({ client }) => {
    const c = await client()
    await c.expect(request('SET', '', 'x'), '-ERR a key has 1 to 1024 bytes\r\n')
    await c.expect(request('SET', 'k'.repeat(1025), 'x'), '-ERR a key has 1 to 1024 bytes\r\n')
    await c.expect(request('SET', 'k'.repeat(1024), 'x'), '+OK\r\n')
    await c.expect(request('GET', ''), '$-1\r\n')
    await c.expect(request('EXISTS', 'k'.repeat(1025), 'k'.repeat(1024)), ':1\r\n')
    await c.expect(request('MSET', 'a', '1', '', '2'), '-ERR a key has 1 to 1024 bytes\r\n')
    await c.expect(request('GET', 'a'), '$-1\r\n')
  }))

test('large values, in and out', () =>
  withServer({}, async ({ client }) => {
    const c = await client()
    const value = 'abc'.repeat(1_000_000)
    await c.expect(request('SET', 'k', value), '+OK\r\n')
    await c.expect(request('GET', 'k'), bulk(value))
    await c.expect(request('APPEND', 'k', 'd'), ':3000001\r\n')
    await c.expect(request('STRLEN', 'k'), ':3000001\r\n')
    await c.expect(
      request('SETRANGE', 'k', 16777216, 'x'),
      '-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n',
    )
  }))

test('SCAN meets every key that stays, whatever else changes', () =>
  withServer({}, async ({ client, server }) => {
    const c = await client()
    const { records } = server.keys
    for (let i = 0; i < 3000; i++) records.put(Buffer.from(`stays:${i}`), Buffer.from('x'), 0)
    const found = new Map<string, number>()
    let cursor = '0'
    let round = 0
    do {
      c.write(`SCAN ${cursor} COUNT 50\r\n`)
      const text = await c.until(received => /^\*2\r\n[^*]*\*(\d+)\r\n/.test(received) && complete(received))
      c.received = ''
      const words = text.split('\r\n')
      cursor = words[2]!
      for (let i = 5; i < words.length; i += 2)
        if (words[i]!.startsWith('stays:')) found.set(words[i]!, (found.get(words[i]!) ?? 0) + 1)
      for (let i = 0; i < 50; i++) records.put(Buffer.from(`new:${round}:${i}`), Buffer.from('x'), 0)
      for (let i = 0; i < 50; i++) records.delete(Buffer.from(`new:${round - 2}:${i}`))
      round++
    } while (cursor !== '0')
    expect(found.size).toBe(3000)
    expect(Math.max(...found.values())).toBe(1)
  }))

/** The reply to SCAN has as many bulk strings as it says. */
function complete(text: string): boolean {
  const count = Number(/\r\n\*(\d+)\r\n/.exec(text)![1])
  return text.split('\r\n').length - 1 >= 4 + 2 * count
}

test('WATCH notices changes, and records that expire', () =>
  withServer({}, async ({ client }) => {
    const a = await client()
    const b = await client()
    await a.expect('WATCH k\r\n', '+OK\r\n')
    await b.expect('SET k 1\r\n', '+OK\r\n')
    await a.expect('MULTI\r\nSET k 2\r\nEXEC\r\n', '+OK\r\n+QUEUED\r\n*-1\r\n')
    await a.expect('SET k 1 PX 300\r\nWATCH k\r\n', '+OK\r\n+OK\r\n')
    await pause(400)
    await a.expect('MULTI\r\nPING\r\nEXEC\r\n', '+OK\r\n+QUEUED\r\n*-1\r\n')
    await a.expect('WATCH k\r\nMULTI\r\nSET k 3\r\nEXEC\r\n', '+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n')
  }))

test('BEGIN: others see the change after COMMIT alone; who meets its lock waits, and others go on', () =>
  withServer({}, async ({ client, keysApart }) => {
    const a = await client()
    const b = await client()
    const d = await client()
    const [k, other] = keysApart(2)
    await a.expect(`SET ${k} 1\r\n`, '+OK\r\n')
    await a.expect(`BEGIN ISOLATION serializable\r\nSET ${k} 2\r\nGET ${k}\r\n`, `+OK\r\n+OK\r\n${bulk('2')}`)
    await b.expect(`GET ${k}\r\n`, bulk('1'))
    b.write(`SET ${k} 3\r\nGET ${k}\r\n`)
    await d.expect(`SET ${other} 1\r\nGET ${k}\r\n`, `+OK\r\n${bulk('1')}`)
    await pause(50)
    expect(b.received).toBe('')
    await a.expect('COMMIT\r\n', '+OK\r\n')
    await b.expect('', `+OK\r\n${bulk('3')}`)
    await a.expect(
      `BEGIN\r\nDEL ${k}\r\nTTL ${k}\r\nROLLBACK\r\nGET ${k}\r\n`,
      `+OK\r\n:1\r\n:-2\r\n+OK\r\n${bulk('3')}`,
    )
    await a.expect('COMMIT\r\n', '-ERR COMMIT without BEGIN\r\n')
    await a.expect('BEGIN\r\nMULTI\r\n', '+OK\r\n-ERR MULTI is not allowed between BEGIN and COMMIT\r\n')
  }))

test('a deadlock ends one of two, whose further commands are refused until ROLLBACK', () =>
  withServer({}, async ({ client, keysApart }) => {
    const a = await client()
    const b = await client()
    const [x, y, z] = keysApart(3)
    await a.expect(`BEGIN\r\nSET ${x} 1\r\n`, '+OK\r\n+OK\r\n')
    await b.expect(`BEGIN\r\nSET ${y} 1\r\n`, '+OK\r\n+OK\r\n')
    a.write(`SET ${y} 2\r\n`)
    await pause(30)
    b.write(`SET ${x} 2\r\nSET ${z} 1\r\n`)
    await b.until(text => text.includes('ABORTED'))
    expect(b.received).toMatch(/^-DEADLOCK .*\r\n-ABORTED .*\r\n$/)
    b.received = ''
    await a.expect('COMMIT\r\n', '+OK\r\n+OK\r\n')
    await b.expect(`ROLLBACK\r\nMGET ${x} ${y} ${z}\r\n`, `+OK\r\n*3\r\n${bulk('1')}${bulk('2')}$-1\r\n`)
  }))

test('a client that leaves takes its transaction with it', () =>
  withServer({}, async ({ client, server }) => {
    const a = await client()
    const b = await client()
    await a.expect('BEGIN\r\nSET k 1\r\n', '+OK\r\n+OK\r\n')
    b.write('SET k 2\r\n')
    await pause(30)
    a.close()
    await b.expect('', '+OK\r\n')
    expect(server.db.stats().transactions.open).toBe(0)
  }))

test('a lock that is held too long', () =>
  withServer({ lockTimeout: 100 }, async ({ client }) => {
    const a = await client()
    const b = await client()
    await a.expect('BEGIN\r\nSET k 1\r\n', '+OK\r\n+OK\r\n')
    b.write('SET k 2\r\nMULTI\r\nSET k 3\r\nEXEC\r\n')
    await b.until(text => text.split('LOCKTIMEOUT').length === 3)
    await a.expect('ROLLBACK\r\n', '+OK\r\n')
    b.received = ''
    await b.expect('SET k 2\r\n', '+OK\r\n')
  }))

test('RANGE', () =>
  withServer({}, async ({ client }) => {
    const c = await client()
    await c.expect('MSET a 1 b 2 c 3 d 4\r\n', '+OK\r\n')
    await c.expect('RANGE [b (d\r\n', `*4\r\n${['b', '2', 'c', '3'].map(bulk).join('')}`)
    await c.expect('RANGE - + LIMIT 2 REV KEYS\r\n', `*2\r\n${bulk('d')}${bulk('c')}`)
    await c.expect('RANGE b d\r\n', '-ERR min or max not valid string range item\r\n')
    await c.expect('BEGIN\r\nDEL b\r\nRANGE - + KEYS\r\n', `+OK\r\n:1\r\n*3\r\n${['a', 'c', 'd'].map(bulk).join('')}`)
  }))

test('WATCHRANGE pushes what is committed', () =>
  withServer({}, async ({ client }) => {
    const watcher = await client()
    const c = await client()
    await watcher.expect('WATCHRANGE [k (l\r\n', '+OK\r\n')
    await c.expect('SET k1 v\r\nSET other v\r\nDEL k1\r\n', '+OK\r\n+OK\r\n:1\r\n')
    const text = await watcher.until(received => received.includes('delete'))
    expect(text).toMatch(
      /^\*5\r\n\$6\r\nchange\r\n\$3\r\nput\r\n\$2\r\nk1\r\n\$1\r\nv\r\n:\d+\r\n\*4\r\n\$6\r\nchange\r\n\$6\r\ndelete\r\n/,
    )
    await pause(20)
    watcher.received = ''
    watcher.write('GET k1\r\n')
    await watcher.until(received => received.includes("Can't execute 'get'"))
  }))

test('INFO, CLIENT LIST, CONFIG SET, SAVE, COMPACT', () =>
  withServer({}, async ({ client }) => {
    const c = await client()
    await c.expect('CLIENT SETNAME me\r\nCLIENT GETNAME\r\n', `+OK\r\n${bulk('me')}`)
    c.write('CLIENT LIST\r\n')
    expect(await c.until(text => text.includes('lib-ver'))).toMatch(/id=\d+ addr=127\.0\.0\.1:\d+ .*name=me/)
    c.received = ''
    await c.expect('CONFIG SET maxclients 10 timeout 5\r\n', '+OK\r\n')
    await c.expect('CONFIG GET timeout\r\n', `*2\r\n${bulk('timeout')}${bulk('5')}`)
    await c.expect('CONFIG SET dir /tmp\r\n', "-ERR Unknown option or number of arguments for CONFIG SET - 'dir'\r\n")
    await c.expect('SET a 1\r\nSAVE\r\n', '+OK\r\n+OK\r\n')
    c.write('COMPACT\r\n')
    await c.until(text => text.includes('bytesAfter'))
    c.received = ''
    await c.expect('BACKUP\r\n', '-ERR this server was started without a directory for backups\r\n')
  }))

test('CLIENT KILL and QUIT end connections', () =>
  withServer({}, async ({ client }) => {
    const a = await client()
    const b = await client()
    a.write('CLIENT ID\r\n')
    const id = Number((await a.until(text => text.endsWith('\r\n'))).slice(1))
    await b.expect(`CLIENT KILL ID ${id}\r\n`, ':1\r\n')
    await a.untilClosed()
    b.write('QUIT\r\nPING\r\n')
    expect(await b.untilClosed()).toBe('+OK\r\n')
  }))

test('all clients of a turn share one fdatasync', () =>
  withServer({}, async ({ client, server }) => {
    const clients = await Promise.all(Array.from({ length: 32 }, () => client()))
    await Promise.all(clients.map(c => c.expect('PING\r\n', '+PONG\r\n')))
    const before = server.db.stats().log.fsyncs
    await Promise.all(clients.map((c, i) => c.expect(`SET k${i} v\r\nGET k${i}\r\n`, '+OK\r\n$1\r\nv\r\n')))
    expect(server.db.stats().log.fsyncs - before).toBeLessThan(8)
  }))
