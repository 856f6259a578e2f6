/** What xenondb/client uses of the server, in raw bytes: LOCKWAIT, LOCKTIMEOUT, savepoints, pages, WAITAOF. */
import { expect, test } from 'vitest'
import { pause } from '../../support/child.ts'
import { type Wire, withServer } from '../wire.ts'

/** RESP3, and lock waits are pushed. */
const pushing = async (client: Wire): Promise<Wire> => {
  client.write('HELLO 3\r\nLOCKWAIT PUSH\r\nPING\r\n')
  await client.until(text => text.endsWith('+OK\r\n+PONG\r\n'))
  client.received = ''
  return client
}

const push = (number: number, reply: string): string => `>3\r\n$8\r\nlockwait\r\n:${number}\r\n${reply}`

test('LOCKWAIT PUSH: what meets a lock is answered later, and the connection goes on', () =>
  withServer({}, async ({ client, keysApart }) => {
    const [a, b] = keysApart(2) as [string, string]
    const [holder, c] = [await client(), await pushing(await client())]
    await holder.expect(`BEGIN\r\nSET ${a} theirs\r\n`, '+OK\r\n+OK\r\n')
    await c.expect(`SET ${a} 1\r\nSET ${b} 1\r\nGET ${a}\r\nGET ${b}\r\n`, '-LOCKWAIT 1\r\n+OK\r\n_\r\n$1\r\n1\r\n')
    // Behind the first: it must not come before it, whatever becomes of the lock.
    await c.expect(`SET ${a} 2\r\nAPPEND ${a} 3\r\n`, '-LOCKWAIT 2\r\n-LOCKWAIT 3\r\n')
    await holder.expect('COMMIT\r\n', '+OK\r\n')
    await c.until(text => text.length >= push(1, '+OK\r\n').length * 3 - 1)
    expect(c.received).toBe(push(1, '+OK\r\n') + push(2, '+OK\r\n') + push(3, ':2\r\n'))
    c.received = ''
    await c.expect(`GET ${a}\r\n`, '$2\r\n23\r\n')
  }))

test('LOCKWAIT: an EXEC that waits keeps what it is to run, whatever is queued meanwhile', () =>
  withServer({}, async ({ client, keysApart }) => {
    const [a, b] = keysApart(2) as [string, string]
    const [holder, c] = [await client(), await pushing(await client())]
    await holder.expect(`BEGIN\r\nSET ${a} theirs\r\n`, '+OK\r\n+OK\r\n')
    await c.expect(`MULTI\r\nSET ${a} 1\r\nEXEC\r\n`, '+OK\r\n+QUEUED\r\n-LOCKWAIT 1\r\n')
    await c.expect(`MULTI\r\nSET ${b} 2\r\n`, '+OK\r\n+QUEUED\r\n')
    await holder.expect('COMMIT\r\n', '+OK\r\n')
    await c.until(text => text.length > 20)
    expect(c.received).toBe(push(1, '*1\r\n+OK\r\n'))
    c.received = ''
    await c.expect(`EXEC\r\nMGET ${a} ${b}\r\n`, '*1\r\n+OK\r\n*2\r\n$1\r\n1\r\n$1\r\n2\r\n')
  }))

test('LOCKWAIT CANCEL gives up, LOCKTIMEOUT limits one command, and a client that goes takes its waits along', () =>
  withServer({ lockTimeout: 10_000 }, async ({ client, server, keysApart }) => {
    const [a] = keysApart(1) as [string]
    const [holder, c, plain] = [await client(), await pushing(await client()), await client()]
    await holder.expect(`BEGIN\r\nSET ${a} theirs\r\n`, '+OK\r\n+OK\r\n')
    await c.expect(`DEL ${a}\r\n`, '-LOCKWAIT 1\r\n')
    await c.expect(
      'LOCKWAIT CANCEL 1\r\nLOCKWAIT CANCEL 1\r\n',
      `${push(1, '-LOCKTIMEOUT the wait for a lock was cancelled\r\n')}:1\r\n:0\r\n`,
    )
    await c.expect(`LOCKTIMEOUT 30\r\nSET ${a} 1\r\n`, '+OK\r\n-LOCKWAIT 2\r\n')
    expect(await c.until(text => text.endsWith('\r\n'))).toMatch(/^>3\r\n\$8\r\nlockwait\r\n:2\r\n-LOCKTIMEOUT /)
    c.received = ''
    plain.write(`LOCKTIMEOUT 30\r\nSET ${a} 1\r\n`)
    expect(await plain.until(text => /-.*\r\n$/.test(text))).toMatch(/^\+OK\r\n-LOCKTIMEOUT /)
    plain.received = ''
    await plain.expect('LOCKTIMEOUT -1\r\n', '-ERR timeout is out of range\r\n')
    await plain.expect('LOCKWAIT PUSH\r\n', '-ERR LOCKWAIT PUSH needs RESP3; say HELLO 3\r\n')
    await c.expect(`SET ${a} never\r\n`, '-LOCKWAIT 3\r\n')
    c.close()
    await pause(30)
    await holder.expect('ROLLBACK\r\n', '+OK\r\n')
    await pause(30)
    expect(server.lockWaits.count).toBe(0)
    await plain.expect(`GET ${a}\r\n`, '$-1\r\n')
  }))

test('BEGIN READONLY, SAVEPOINT, ROLLBACK TO', () =>
  withServer({}, async ({ client }) => {
    const c = await client()
    await c.expect('BEGIN READONLY LOCKTIMEOUT 5\r\n', '+OK\r\n')
    await c.expect('SET a 1\r\n', "-READONLY You can't write against a read only database.\r\n")
    await c.expect('ROLLBACK\r\n', '+OK\r\n')
    await c.expect('BEGIN ISOLATION repeatable read READONLY\r\nROLLBACK\r\n', '+OK\r\n+OK\r\n')
    await c.expect('BEGIN\r\nSET a 1\r\nSAVEPOINT\r\nSET a 2\r\nSAVEPOINT\r\n', '+OK\r\n+OK\r\n:1\r\n+OK\r\n:2\r\n')
    await c.expect('ROLLBACK TO 1\r\nGET a\r\n', '+OK\r\n$1\r\n1\r\n')
    await c.expect('ROLLBACK TO 3\r\n', '-ERR no such savepoint\r\n')
    c.write('ROLLBACK TO 2\r\n')
    expect(await c.until(text => text.endsWith('\r\n'))).toMatch(/^-ERR .*\[XENON_INVALID_ARGUMENT\]/)
    c.received = ''
    await c.expect('ROLLBACK AT 1\r\nCOMMIT\r\nGET a\r\n', '-ERR syntax error\r\n+OK\r\n$1\r\n1\r\n')
    await c.expect('SAVEPOINT\r\n', '-ERR SAVEPOINT without BEGIN\r\n')
    await c.expect('BEGIN READONLY LOCKTIMEOUT\r\n', '-ERR syntax error\r\n')
  }))

test('RANGE … BYTES ends a page, RANGE … COUNT counts, WAITAOF answers', () =>
  withServer({}, async ({ client }) => {
    const c = await client()
    await c.expect('MSET a 123456789 b 123456789 c 123456789\r\n', '+OK\r\n')
    await c.expect('RANGE - + BYTES 11 KEYS\r\n', '*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n')
    await c.expect('RANGE - + BYTES 1\r\n', '*2\r\n$1\r\na\r\n$9\r\n123456789\r\n')
    await c.expect('RANGE (a + BYTES 10 REV\r\n', '*2\r\n$1\r\nc\r\n$9\r\n123456789\r\n')
    await c.expect('RANGE (a + COUNT\r\nRANGE - + COUNT LIMIT 1\r\n', ':2\r\n:1\r\n')
    await c.expect('WAITAOF 1 0 0\r\n', '*2\r\n:1\r\n:0\r\n')
    await c.expect('WAITAOF 1 0 -1\r\n', '-ERR value is out of range, must be positive\r\n')
  }))

test('LOCKWAIT CANCEL lets the next command of the same key have its turn', () =>
  withServer({}, async ({ client, keysApart }) => {
    const [a] = keysApart(1) as [string]
    const [holder, c] = [await client(), await pushing(await client())]
    await holder.expect(`BEGIN\r\nSET ${a} theirs\r\n`, '+OK\r\n+OK\r\n')
    await c.expect(`SET ${a} 1\r\nSET ${a} 2\r\n`, '-LOCKWAIT 1\r\n-LOCKWAIT 2\r\n')
    await c.expect('LOCKWAIT CANCEL 1\r\n', `${push(1, '-LOCKTIMEOUT the wait for a lock was cancelled\r\n')}:1\r\n`)
    await holder.expect('COMMIT\r\n', '+OK\r\n')
    await c.until(text => text.length > 0)
    expect(c.received).toBe(push(2, '+OK\r\n'))
  }))

test('commands that wait are not tried before a transaction that is in their way has ended', () =>
  withServer({}, async ({ client, server, keysApart }) => {
    const [a, b] = keysApart(2) as [string, string]
    const [one, two] = [await client(), await client()]
    await one.expect(`BEGIN\r\nSET ${a} theirs\r\n`, '+OK\r\n+OK\r\n')
    await two.expect(`BEGIN\r\nSET ${b} theirs\r\n`, '+OK\r\n+OK\r\n')
    const waiting: Wire[] = []
    for (let i = 0; i < 20; i++) {
      const plain = await client()
      plain.write(`SET ${i % 2 === 0 ? a : b} ${i}\r\n`)
      waiting.push(plain)
    }
    const pushed = await pushing(await client())
    for (let i = 1; i <= 200; i++) pushed.write(`SET ${a} pushed${i}\r\n`)
    await pushed.until(text => text.endsWith('-LOCKWAIT 200\r\n'))
    while (server.lockWaits.count < 220) await pause(1)
    const conflicts = (): number => server.db.stats().transactions.lockConflicts
    const before = conflicts()
    await pause(100)
    expect(conflicts()).toBe(before)
    await two.expect('COMMIT\r\n', '+OK\r\n')
    for (const [i, plain] of waiting.entries()) if (i % 2 === 1) await plain.expect('', '+OK\r\n')
    expect(conflicts()).toBe(before)
    pushed.received = ''
    await one.expect('COMMIT\r\n', '+OK\r\n')
    for (const [i, plain] of waiting.entries()) if (i % 2 === 0) await plain.expect('', '+OK\r\n')
    await pushed.until(text => text.endsWith(push(200, '+OK\r\n')))
    expect(conflicts()).toBe(before)
    await one.expect(`GET ${a}\r\nGET ${b}\r\n`, '$9\r\npushed200\r\n$2\r\n19\r\n')
  }))

test('CLIENT REPLY OFF holds back no changes and nothing that MONITOR shows, while its client waits', () =>
  withServer({}, async ({ client, keysApart }) => {
    const [locked, free] = keysApart(2) as [string, string]
    const [holder, watcher, monitor, other] = [await client(), await client(), await client(), await client()]
    watcher.write('HELLO 3\r\nWATCHRANGE - +\r\n')
    await watcher.until(text => text.endsWith('+OK\r\n'))
    await holder.expect(`BEGIN\r\nSET ${locked} 1\r\n`, '+OK\r\n+OK\r\n')
    await monitor.expect('MONITOR\r\n', '+OK\r\n')
    for (const waiting of [watcher, monitor]) {
      waiting.received = ''
      waiting.write(`CLIENT REPLY OFF\r\nSET ${locked} 2\r\n`)
    }
    await pause(50)
    await other.expect(`SET ${free} 1\r\n`, '+OK\r\n')
    expect(await watcher.until(text => text.includes(free))).toMatch(/^>5\r\n\$6\r\nchange\r\n/)
    await monitor.until(text => text.includes(`"SET" "${free}" "1"`))
    await holder.expect('ROLLBACK\r\n', '+OK\r\n')
    await watcher.until(text => text.includes(locked))
    expect(watcher.received).not.toContain('+OK')
  }))

test('a client that ends its side while it waits for a lock is gone, with the command and what follows', () =>
  withServer({ requestTimeout: 400 }, async ({ client, server }) => {
    const [holder, plain, inside] = [await client(), await client(), await client()]
    await holder.expect('BEGIN\r\nSET locked theirs\r\n', '+OK\r\n+OK\r\n')
    plain.socket.end('PING\r\nSET locked mine\r\nSET after 1\r\n')
    inside.socket.end('BEGIN\r\nSET held 1\r\nSET locked mine\r\nCOMMIT\r\n')
    expect(await plain.untilClosed(60_000)).toBe('+PONG\r\n')
    expect(await inside.untilClosed(60_000)).toBe('+OK\r\n+OK\r\n')
    // What it held is free.
    await holder.expect('SET held 2\r\nCOMMIT\r\n', '+OK\r\n+OK\r\n')
    await holder.expect('MGET locked held after\r\n', '*3\r\n$6\r\ntheirs\r\n$1\r\n2\r\n$-1\r\n')
    expect(server.sessions.size).toBe(1)
  }))

test('so is one that waits for replicas, or for the end of a pause', () =>
  withServer({ requestTimeout: 400 }, async ({ client, server }) => {
    const [c, d, other] = [await client(), await client(), await client()]
    c.socket.end('PING\r\nWAIT 1 0\r\n')
    expect(await c.untilClosed(60_000)).toBe('+PONG\r\n')
    await other.expect('CLIENT PAUSE 600000 WRITE\r\n', '+OK\r\n')
    d.socket.end('SET k 1\r\n')
    expect(await d.untilClosed(60_000)).toBe('')
    await other.expect('CLIENT UNPAUSE\r\nGET k\r\n', '+OK\r\n$-1\r\n')
    expect(server.sessions.size).toBe(1)
  }))

test('one that stays is not read without end while it waits, and all that it has sent is executed', () =>
  withServer({ requestTimeout: 400 }, async ({ client, server }) => {
    const [holder, c] = [await client(), await client()]
    await holder.expect('BEGIN\r\nSET locked theirs\r\n', '+OK\r\n+OK\r\n')
    const many = 50_000
    c.write(`SET locked mine\r\n${'*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n'.repeat(many)}`)
    await expect.poll(() => Math.max(...[...server.sessions.values()].map(({ unread }) => unread))).toBeGreaterThan(0)
    await pause(300)
    for (const { unread } of server.sessions.values()) expect(unread).toBeLessThan(262_144)
    await holder.expect('COMMIT\r\n', '+OK\r\n')
    await c.until(text => text.endsWith(`:${many}\r\n`), 60_000)
    await holder.expect('GET locked\r\n', '$4\r\nmine\r\n')
  }))
