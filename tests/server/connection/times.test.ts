/** What clients have time for, and from when it counts. */
import { expect, test as one } from 'vitest'
import { connect } from '../../../src/client/index.ts'
import { pause } from '../../support/child.ts'
import { bulk, request, type Wire, withServer } from '../wire.ts'

const MiB = 1048576
/** They mostly wait. */
const test = one.concurrent
/** Requests behind a large reply are executed while it is being taken. */
const pauseOutputBytes = 64 * MiB

/** A reply that no buffer of the system takes at once. */
const COPIES = 28
const VALUE = 'v'.repeat(MiB)
const MANY = request('MGET', ...new Array(COPIES).fill('k'))
const MANY_BYTES = `*${COPIES}\r\n`.length + COPIES * bulk(VALUE).length

/** Reads in steps of 64 KiB, with pauses; resolves to the number of bytes when the server ends, or at `enough` bytes. */
const readSlowly = ({ socket }: Wire, enough = Number.POSITIVE_INFINITY, milliseconds = 8): Promise<number> =>
  new Promise(resolve => {
    let bytes = 0
    socket.removeAllListeners('data')
    socket.on('data', (text: string) => {
      bytes += text.length
      if (bytes >= enough) resolve(bytes)
      socket.pause()
      setTimeout(() => socket.resume(), milliseconds)
    })
    socket.on('close', () => resolve(bytes))
  })

test('a client that is silent too long is closed', () =>
  withServer({ idleTimeout: 200 }, async ({ client }) => {
    const c = await client()
    await c.expect('PING\r\n', '+PONG\r\n')
    await c.untilClosed(3000)
  }))

test('CONFIG SET timeout closes nobody who has just spoken', () =>
  withServer({}, async ({ client }) => {
    const c = await client()
    await c.expect('CONFIG SET timeout 1\r\n', '+OK\r\n')
    for (let i = 0; i < 3; i++) {
      await pause(700)
      await c.expect('PING\r\n', '+PONG\r\n')
    }
    await c.untilClosed(4000)
  }))

test.each(['2', '3'])('whoever watches a range is not idle, with changes or without (RESP%s)', version =>
  // A tenth of it between two requests: on a busy machine more goes by than is asked for.
  withServer({ idleTimeout: 2000 }, async ({ client }) => {
    const [watcher, quiet, writer] = [await client(), await client(), await client()]
    for (const [each, from] of [
      [watcher, 'a'],
      [quiet, 'x'],
    ] as const) {
      each.write(`HELLO ${version}\r\n`)
      await each.until(text => text.includes('modules'))
      each.received = ''
      await each.expect(`WATCHRANGE [${from} +\r\n`, '+OK\r\n')
    }
    for (let i = 0; i < 12; i++) {
      await writer.expect(request('SET', 'b', i), '+OK\r\n')
      await pause(200)
    }
    expect(watcher.received.split('change').length - 1).toBe(12)
    await quiet.expect('PING\r\n', version === '2' ? `*2\r\n${bulk('pong')}${bulk('')}` : '+PONG\r\n')
  }),
)

test('whoever waits for the push of a command that waits for a lock is not idle', () =>
  withServer({ idleTimeout: 2000 }, async ({ client }) => {
    const [holder, waiter] = [await client(), await client()]
    await holder.expect('BEGIN\r\nSET a 1\r\n', '+OK\r\n+OK\r\n')
    waiter.write('HELLO 3\r\nLOCKWAIT PUSH\r\nSET a 2\r\n')
    await waiter.until(text => text.includes('-LOCKWAIT 1'))
    for (let i = 0; i < 12; i++) {
      await pause(200)
      await holder.expect('PING\r\n', '+PONG\r\n')
    }
    await holder.expect('COMMIT\r\n', '+OK\r\n')
    await waiter.until(text => text.endsWith(`lockwait\r\n:1\r\n+OK\r\n`))
  }))

// The system takes it by megabytes, so that it shows only now and then that the client takes something.
test('whoever still takes a reply is not idle', () =>
  withServer({ idleTimeout: 3000 }, async ({ client }) => {
    const c = await client()
    await c.expect(request('SET', 'k', VALUE), '+OK\r\n')
    c.write(MANY)
    expect(await readSlowly(c, MANY_BYTES, 16)).toBe(MANY_BYTES)
    await c.untilClosed()
  }))

test('whoever takes nothing of a reply is idle', () =>
  withServer({ idleTimeout: 300 }, async ({ client, server }) => {
    const c = await client()
    await c.expect(request('SET', 'k', VALUE), '+OK\r\n')
    c.socket.pause()
    c.write(MANY)
    for (let i = 0; i < 6000 && server.sessions.size > 0; i++) await pause(10)
    expect(server.sessions.size).toBe(0)
  }))

test('QUIT cuts no earlier reply of a slow reader', () =>
  withServer({ pauseOutputBytes }, async ({ client }) => {
    const c = await client()
    await c.expect(request('SET', 'k', VALUE), '+OK\r\n')
    c.write(`${MANY}QUIT\r\n`)
    expect(await readSlowly(c)).toBe(MANY_BYTES + '+OK\r\n'.length)
  }))

test('nor does the half-close of a slow reader, with a rest of a request', () =>
  withServer({ pauseOutputBytes }, async ({ client }) => {
    const c = await client()
    await c.expect(request('SET', 'k', VALUE), '+OK\r\n')
    c.write(`${MANY}*1\r\n$4\r\nPI`)
    c.socket.end()
    expect(await readSlowly(c)).toBe(MANY_BYTES)
  }))

test('whoever takes no more after QUIT is closed, as is whoever does not end', () =>
  withServer({ requestTimeout: 300, pauseOutputBytes }, async ({ client, server }) => {
    const [stuck, open] = [await client(), await client()]
    await stuck.expect(request('SET', 'k', VALUE), '+OK\r\n')
    stuck.socket.pause()
    open.socket.allowHalfOpen = true
    stuck.write(`${MANY}QUIT\r\n`)
    open.write('QUIT\r\n')
    for (let i = 0; i < 6000 && server.sessions.size > 0; i++) await pause(10)
    expect(server.sessions.size).toBe(0)
  }))

test('after RESET there is time to authenticate, once', () =>
  withServer({ password: 'secret', authTimeout: 800 }, async ({ client }) => {
    const c = await client()
    await c.expect('AUTH secret\r\n', '+OK\r\n')
    await pause(1000)
    await c.expect('RESET\r\n', '+RESET\r\n')
    await pause(200)
    await c.expect('AUTH secret\r\n', '+OK\r\n')
    const resets = setInterval(() => c.write('RESET\r\n'), 50)
    await c.untilClosed(6000)
    clearInterval(resets)
  }))

test('a transaction without a command is rolled back in time, and its client is told so', () =>
  withServer({ transactionTimeout: 900 }, async ({ client }) => {
    const [holder, waiter] = [await client(), await client()]
    await holder.expect('BEGIN\r\nSET a 1\r\n', '+OK\r\n+OK\r\n')
    waiter.write('SET a 2\r\n')
    for (let i = 0; i < 4; i++) {
      await pause(400)
      await holder.expect('SET b 1\r\n', '+OK\r\n')
    }
    expect(waiter.received).toBe('')
    await waiter.until(text => text === '+OK\r\n', 3000)
    // What has nothing to do with the transaction did not make it last.
    const problem =
      "-ABORTED the transaction was rolled back (no command came for 900 ms, the server's transaction timeout)"
    await holder.expect('PING\r\nGET a\r\n', `+PONG\r\n${problem}; say ROLLBACK\r\n`)
    await holder.expect('COMMIT\r\nGET a\r\nGET b\r\n', `${problem}\r\n${bulk('2')}$-1\r\n`)
    await holder.expect('BEGIN\r\nSET b 1\r\nCOMMIT\r\n', '+OK\r\n+OK\r\n+OK\r\n')
  }))

test('PINGs do not keep a transaction open; a wait for a lock does, and Infinity', async () => {
  await withServer({ transactionTimeout: 600 }, async ({ client }) => {
    const [first, second] = [await client(), await client()]
    await first.expect('BEGIN\r\n', '+OK\r\n')
    for (let i = 0; i < 8; i++) {
      await pause(120)
      await first.expect('PING\r\n', '+PONG\r\n')
    }
    first.write('GET a\r\n')
    await first.until(text => text.startsWith('-ABORTED'))
    first.received = ''
    await first.expect('ROLLBACK\r\nBEGIN\r\nSET a 1\r\n', '+OK\r\n+OK\r\n+OK\r\n')
    await second.expect('BEGIN\r\nSET c 2\r\n', '+OK\r\n+OK\r\n')
    second.write('SET a 2\r\n')
    for (let i = 0; i < 8; i++) {
      await pause(120)
      await first.expect('GET a\r\n', bulk('1'))
    }
    await first.expect('COMMIT\r\n', '+OK\r\n')
    await second.until(text => text === '+OK\r\n')
    second.received = ''
    await second.expect('COMMIT\r\nGET a\r\n', `+OK\r\n${bulk('2')}`)
  })
  await withServer({ transactionTimeout: Number.POSITIVE_INFINITY, requestTimeout: 100 }, async ({ client }) => {
    const c = await client()
    await c.expect('BEGIN\r\nSET a 1\r\n', '+OK\r\n+OK\r\n')
    await pause(250)
    await c.expect('COMMIT\r\n', '+OK\r\n')
  })
})

test('a client of ours is told the same', () =>
  withServer({ transactionTimeout: 100 }, async ({ port }) => {
    const client = await connect({ port })
    const tx = await client.begin()
    await tx.put('a', '1')
    await pause(400)
    await expect(tx.put('a', '2')).rejects.toMatchObject({ code: 'XENON_TRANSACTION_ENDED' })
    await tx.rollback()
    await client.put('a', '3')
    await client.close()
  }))
