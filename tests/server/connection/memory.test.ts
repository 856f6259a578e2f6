/** What all clients together may hold, and the limits that CONFIG SET changes within what the operator has allowed. */
import { expect, test } from 'vitest'
import { pause } from '../../support/child.ts'
import { bulk, request, type Wire, withServer } from '../wire.ts'

const MB = 1_000_000
const LIMIT = 4 * MB
const WHY = `-ERR the requests and replies of all clients take more than ${LIMIT} bytes: this client is closed since it holds the most\r\n`

/** Waits, since what was sent arrives when it does. */
const eventually = async (holds: () => boolean): Promise<void> => {
  for (let i = 0; i < 12_000 && !holds(); i++) await pause(5)
  expect(holds()).toBe(true)
}

const closed = (clients: readonly Wire[]): Wire[] => clients.filter(c => c.closed)

test('unfinished requests: the client with the longest is told so and closed, the others go on', () =>
  withServer({ maxClientMemoryBytes: LIMIT }, async ({ client, server }) => {
    const clients = await Promise.all(Array.from({ length: 6 }, () => client()))
    for (const [i, c] of clients.entries()) {
      c.write(`*3\r\n$3\r\nSET\r\n$2\r\nk${i}\r\n$900000\r\n`)
      c.write('v'.repeat(i === 2 ? 890_000 : 500_000))
    }
    // What was sent last may have to arrive yet, and who is closed to hear of it.
    const isSettled = (): boolean => {
      const many = closed(clients).length
      return many > 0 && many === server.counts.evictedClients && server.memory.used <= LIMIT
    }
    await eventually(isSettled)
    await pause(50)
    await eventually(isSettled)
    for (const c of closed(clients)) expect(c.received).toBe(WHY)
    // A buffer may be twice as long as what lies in it.
    expect(closed(clients).length).toBeLessThanOrEqual(4)
    expect(server.memory.used).toBeLessThanOrEqual(LIMIT)
    expect(server.counts.evictedClients).toBe(closed(clients).length)
    const open = clients.filter(c => !c.closed)
    // The buffer of one that goes on may grow beyond the limit again, and it is that one's turn.
    for (const c of open) {
      c.write(`${'v'.repeat(400_000)}\r\n`)
      await eventually(() => c.closed || c.received !== '')
      expect(['+OK\r\n', WHY]).toContain(c.received)
    }
    expect(open.filter(({ received }) => received === '+OK\r\n').length).toBeGreaterThanOrEqual(2)
    const c = await client()
    c.write('INFO\r\n')
    const text = await c.until(received => received.includes('# Keyspace'))
    expect(text).toContain(`evicted_clients:${server.counts.evictedClients}\r\n`)
    expect(Number(/mem_clients_normal:(\d+)/.exec(text)![1])).toBeLessThan(MB)
  }))

test('replies that are not taken: whoever holds the most is closed, and nothing is left of it', () =>
  withServer({ maxClientMemoryBytes: LIMIT }, async ({ client, server }) => {
    const [c, d] = [await client(), await client()]
    await c.expect(request('SET', 'k', 'v'.repeat(2 * MB)), '+OK\r\n')
    const [slow] = server.sessions.values()
    c.socket.pause()
    c.write(request('MGET', ...Array.from({ length: 12 }, () => 'k')))
    await eventually(() => slow!.closed)
    expect(server.counts.evictedClients).toBe(1)
    await d.expect('EXISTS k\r\n', ':1\r\n')
    expect(server.memory.used).toBeLessThan(100_000)
  }))

test('what MULTI has queued: the client is told so, and nothing is executed', () =>
  withServer({ maxClientMemoryBytes: LIMIT }, async ({ client, server }) => {
    const [c, d] = [await client(), await client()]
    c.write('MULTI\r\n')
    for (let i = 0; i < 5; i++) c.write(request('SET', 'k', 'v'.repeat(MB)))
    c.write('EXEC\r\n')
    expect(await c.untilClosed()).toMatch(/^\+OK\r\n(\+QUEUED\r\n){3,4}-ERR the requests and replies/)
    await d.expect('EXISTS k\r\n', ':0\r\n')
    expect(server.memory.used).toBeLessThan(100_000)
  }))

test('what clients hold comes to nothing when they are gone', () =>
  withServer({}, async ({ client, server }) => {
    const clients = await Promise.all(Array.from({ length: 8 }, () => client()))
    for (const [i, c] of clients.entries()) {
      await c.expect(request('SET', 'k', 'v'.repeat(100_000)), '+OK\r\n')
      if (i % 2 === 0) c.write('MULTI\r\nSET a b\r\n')
      else c.write(request('GET', 'k').repeat(100))
      c.write(`*2\r\n$3\r\nGET\r\n$90000\r\n${'x'.repeat(80_000)}`)
    }
    await eventually(() => server.memory.used > 8 * 80_000)
    for (const c of clients) c.close()
    await eventually(() => server.sessions.size === 0)
    expect(server.memory.used).toBe(0)
  }))

test('CONFIG SET lowers limits, and raises them again as far as the operator has allowed', () =>
  withServer({ maxArgumentBytes: 100_000, maxQueryBytes: 200_000, maxClients: 20 }, async ({ client }) => {
    const [c, d] = [await client(), await client()]
    const failed = (name: string, problem: string): string =>
      `-ERR CONFIG SET failed (possibly related to argument '${name}') - ${problem}\r\n`
    const set = (name: string, value: string): string => request('CONFIG', 'SET', name, value)
    const between = (least: number, most: number): string => `argument must be between ${least} and ${most} inclusive`
    await c.expect(set('proto-max-bulk-len', '2kb'), '+OK\r\n')
    await c.expect('CONFIG GET proto-max-bulk-len\r\n', `*2\r\n${bulk('proto-max-bulk-len')}${bulk('2048')}`)
    const tooLong = '-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n'
    await d.expect(`${request('SET', 'k', 'x'.repeat(2048))}APPEND k y\r\n`, `+OK\r\n${tooLong}`)
    d.write(request('SET', 'k', 'x'.repeat(2049)))
    expect(await d.untilClosed()).toContain('2049 bytes, of at most 2048')
    await c.expect(set('proto-max-bulk-len', '100001'), failed('proto-max-bulk-len', between(1024, 100_000)))
    await c.expect(set('proto-max-bulk-len', '100000'), '+OK\r\n')
    await c.expect('APPEND k y\r\n', ':2049\r\n')
    await c.expect(set('proto-max-bulk-len', '1x'), failed('proto-max-bulk-len', 'argument must be a memory value'))
    await c.expect(set('client-query-buffer-limit', '1mb'), failed('client-query-buffer-limit', between(1024, 200_000)))
    await c.expect(set('client-query-buffer-limit', '100k'), '+OK\r\n')
    const e = await client()
    e.write(`*9\r\n${bulk('x'.repeat(60_000)).repeat(3)}`)
    expect(await e.untilClosed()).toContain('the request takes more than 100000 bytes')
    await c.expect(set('maxclients', '21'), failed('maxclients', between(1, 20)))
    await c.expect(`${set('maxclients', '19')}${set('maxclients', '20')}`, '+OK\r\n+OK\r\n')
    await c.expect(set('maxmemory-clients', '0'), failed('maxmemory-clients', between(1_048_576, 536_870_912)))
    await c.expect(set('maxmemory-clients', '2mb'), '+OK\r\n')
    await c.expect('CONFIG GET maxmemory-clients\r\n', `*2\r\n${bulk('maxmemory-clients')}${bulk('2097152')}`)
  }))

test('CONFIG SET timeout is not above the one that the operator has set, nor for ever', () =>
  withServer({ idleTimeout: 20_000 }, async ({ client }) => {
    const c = await client()
    const failed =
      "-ERR CONFIG SET failed (possibly related to argument 'timeout') - argument must be between 1 and 20 inclusive\r\n"
    for (const seconds of [0, 21]) await c.expect(request('CONFIG', 'SET', 'timeout', seconds), failed)
    for (const seconds of [1, 20]) await c.expect(request('CONFIG', 'SET', 'timeout', seconds), '+OK\r\n')
  }))

test('codes of errors that scripts make up are counted up to an end', () =>
  withServer({}, async ({ client, server }) => {
    const c = await client()
    for (let i = 0; i < 200; i++)
      await c.expect(request('EVAL', `return redis.error_reply('CODE${i} x')`, 0), `-CODE${i} x\r\n`)
    await c.expect(request('EVAL', `return redis.error_reply(string.rep('A', 1000) .. ' x')`, 0), /^-A+ x\r\n$/)
    expect(server.out.errors.size).toBe(128)
    expect(server.out.errors.get('CODE7')).toBe(1)
  }))

test('a value too long to be shown closes the monitor, and holds up nobody else', () =>
  withServer({}, async ({ client }) => {
    const [monitor, c] = [await client(), await client()]
    await monitor.expect('MONITOR\r\n', '+OK\r\n')
    await c.expect(request('SET', 'a', '\0'.repeat(1000)), '+OK\r\n')
    await monitor.expect('', /"SET" "a" "(\\x00){1000}"\r\n$/)
    const start = performance.now()
    await c.expect(request('SET', 'a', '\0'.repeat(15 * 1048576)), '+OK\r\n')
    expect(performance.now() - start).toBeLessThan(10_000)
    await monitor.untilClosed()
  }))
