import { expect, test } from 'vitest'
import { pause } from '../../support/child.ts'
import { bulk, request, type Wire, withServer } from '../wire.ts'

const message = (channel: string, text: string): string => `*3\r\n${bulk('message')}${bulk(channel)}${bulk(text)}`
const subscribed = (word: string, name: string, count: number): string =>
  `*3\r\n${bulk(word)}${bulk(name)}:${count}\r\n`

const speakResp3 = async (client: Wire): Promise<void> => {
  client.write('HELLO 3\r\n')
  await client.until(text => text.includes('modules'))
  client.received = ''
}

test('nothing is left of subscriptions, however they end', () =>
  withServer({}, async ({ client, server }) => {
    const { channels } = server
    const empty = { sizes: [0, 0, 0], subscribers: 0 }
    const state = (): unknown => ({
      sizes: [channels.channels.size, channels.patterns.size, channels.shardChannels.size],
      subscribers: channels.subscribers,
    })
    expect(state()).toEqual(empty)
    const clients: Wire[] = []
    while (clients.length < 6) clients.push(await client())
    const ids = [...server.sessions.keys()]
    for (const each of clients) {
      each.write('SUBSCRIBE a b c a\r\nPSUBSCRIBE p* q*\r\nSSUBSCRIBE s\r\n')
      await each.until(text => text.includes(subscribed('ssubscribe', 's', 1)))
      each.received = ''
    }
    expect(state()).toEqual({ sizes: [3, 2, 1], subscribers: 6 })
    const [a, b, c, d, e, f] = clients as [Wire, Wire, Wire, Wire, Wire, Wire]
    a.write('UNSUBSCRIBE\r\nPUNSUBSCRIBE\r\nSUNSUBSCRIBE\r\n')
    await a.until(text => text.includes('sunsubscribe'))
    b.write('RESET\r\n')
    await b.until(text => text.includes('RESET'))
    c.write('QUIT\r\n')
    await c.untilClosed()
    d.close()
    a.received = ''
    for (const id of ids.slice(4)) await a.expect(`CLIENT KILL ID ${id}\r\n`, ':1\r\n')
    await Promise.all([e.untilClosed(), f.untilClosed()])
    while (server.sessions.size > 2) await pause(1)
    expect(state()).toEqual(empty)
  }))

test('a message published in BEGIN goes out at once, one in EXEC when it is done', () =>
  withServer({}, async ({ client }) => {
    const [reader, c] = [await client(), await client()]
    await reader.expect('SUBSCRIBE m\r\n', subscribed('subscribe', 'm', 1))
    await c.expect('BEGIN\r\nSET k 1\r\nPUBLISH m now\r\n', '+OK\r\n+OK\r\n:1\r\n')
    await reader.expect('', message('m', 'now'))
    await c.expect('ROLLBACK\r\n', '+OK\r\n')
    await c.expect('MULTI\r\nPUBLISH m exec\r\nSET k 2\r\nEXEC\r\n', '+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n+OK\r\n')
    await reader.expect('', message('m', 'exec'))
  }))

test('what an EXEC that is undone has published and subscribed to is forgotten', () =>
  withServer({ lockTimeout: 100, maxOutputBytes: 4096 }, async ({ client }) => {
    const [reader, holder, c] = [await client(), await client(), await client()]
    await reader.expect('SUBSCRIBE m\r\n', subscribed('subscribe', 'm', 1))
    await holder.expect('BEGIN\r\nSET k 1\r\n', '+OK\r\n+OK\r\n')
    const exec = 'MULTI\r\nPUBLISH m never\r\nSUBSCRIBE other\r\nSET k 2\r\nEXEC\r\n'
    c.write(exec)
    await c.until(text => text.includes('-LOCKTIMEOUT'))
    c.received = ''
    // Otherwise RESP2 would refuse it.
    await c.expect('GET k\r\n', '$-1\r\n')
    await c.expect('MULTI\r\nPUBLISH m once\r\nSET k 2\r\n', '+OK\r\n+QUEUED\r\n+QUEUED\r\n')
    c.write('EXEC\r\n')
    // Tried and undone in the meantime.
    await pause(30)
    await holder.expect('COMMIT\r\n', '+OK\r\n')
    await c.expect('', '*2\r\n:1\r\n+OK\r\n')
    await reader.expect('PING\r\n', `${message('m', 'once')}*2\r\n${bulk('pong')}${bulk('')}`)
  }))

test('a subscriber is told what it has published itself', () =>
  withServer({}, async ({ client }) => {
    const c = await client()
    await speakResp3(c)
    await c.expect('SUBSCRIBE m\r\n', subscribed('subscribe', 'm', 1).replace('*', '>'))
    await c.expect('PUBLISH m x\r\nGET k\r\n', `${message('m', 'x').replace('*', '>')}:1\r\n_\r\n`)
    await c.expect(
      'MULTI\r\nPUBLISH m x\r\nGET k\r\nEXEC\r\n',
      `+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n_\r\n${message('m', 'x').replace('*', '>')}`,
    )
  }))

test('whoever watches a range in RESP2 may subscribe, too, and RESET ends both', () =>
  withServer({}, async ({ client }) => {
    const [c, other] = [await client(), await client()]
    await c.expect('WATCHRANGE - +\r\nSUBSCRIBE m\r\n', `+OK\r\n${subscribed('subscribe', 'm', 1)}`)
    await c.expect(
      'WATCHRANGE - +\r\n',
      "-ERR Can't execute 'watchrange': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context\r\n",
    )
    await c.expect('UNSUBSCRIBE\r\n', subscribed('unsubscribe', 'm', 0))
    c.write('GET k\r\n')
    await c.until(text => text.includes("Can't execute 'get'"))
    c.received = ''
    await c.expect('RESET\r\nGET k\r\n', '+RESET\r\n$-1\r\n')
    await other.expect('SET k v\r\n', '+OK\r\n')
    await c.expect('GET k\r\n', bulk('v'))
  }))

const TEXT = 'x'.repeat(65536)

/** Publishes until the subscriber, which reads nothing, is closed: how many bytes were sent in vain by then. */
const publishUntilClosed = async (publisher: Wire, most: number): Promise<number> => {
  for (let sent = 0; sent < most; sent += TEXT.length) {
    publisher.write(request('PUBLISH', 'm', TEXT))
    await publisher.until(text => text.endsWith('\r\n'))
    const { received } = publisher
    publisher.received = ''
    if (received === ':0\r\n') return sent
  }
  throw new Error('still open')
}

test('a subscriber that reads too slowly is closed, and nobody else', () =>
  withServer({ maxSubscriberOutputBytes: 1048576 }, async ({ client }) => {
    const [slow, publisher, other] = [await client(), await client(), await client()]
    await slow.expect('SUBSCRIBE m\r\n', subscribed('subscribe', 'm', 1))
    slow.socket.pause()
    // The system takes some megabytes.
    expect(await publishUntilClosed(publisher, 64 * 1048576)).toBeGreaterThan(1048576)
    await other.expect('SUBSCRIBE m\r\n', subscribed('subscribe', 'm', 1))
  }))

test('a subscriber that has much unsent for too long is closed', () =>
  withServer({ softSubscriberOutputBytes: 65536, softSubscriberOutputTime: 200 }, async ({ client, server }) => {
    const [slow, publisher] = [await client(), await client()]
    await slow.expect('SUBSCRIBE m\r\n', subscribed('subscribe', 'm', 1))
    slow.socket.pause()
    const subscriber = [...server.sessions.values()][0]!
    let before = Date.now()
    // On a busy machine it is closed before it has all of that.
    while (subscriber.unsent < 200_000 && server.channels.subscribers > 0) {
      if (subscriber.unsent < 65536) before = Date.now()
      publisher.write(request('PUBLISH', 'm', TEXT))
      await publisher.until(text => text.endsWith('\r\n'))
      publisher.received = ''
    }
    while (server.channels.subscribers > 0) await pause(20)
    expect(Date.now() - before).toBeGreaterThan(100)
  }))

test('the memory of subscriptions is bounded', () =>
  withServer({ maxQueryBytes: 100_000 }, async ({ client, server }) => {
    const c = await client()
    const names = Array.from({ length: 300 }, (_, i) => `channel:${i}`)
    c.write(request('SUBSCRIBE', ...names))
    await c.until(text => text.endsWith(':300\r\n'))
    c.received = ''
    await c.expect(
      request('PSUBSCRIBE', ...names),
      '-ERR the subscriptions of this client would take too much memory; use a pattern\r\n',
    )
    expect(server.channels.patterns.size).toBe(0)
  }))

test('a subscriber is not idle', () =>
  withServer({ idleTimeout: 100 }, async ({ client }) => {
    const [c, idle] = [await client(), await client()]
    await c.expect('SUBSCRIBE m\r\n', subscribed('subscribe', 'm', 1))
    await idle.untilClosed()
    await pause(200)
    const other = await client()
    await other.expect('PUBLISH m x\r\n', ':1\r\n')
    await c.expect('', message('m', 'x'))
  }))

test('CLIENT LIST, INFO and CONFIG tell of subscribers', () =>
  withServer({}, async ({ client }) => {
    const [a, c] = [await client(), await client()]
    a.write('SUBSCRIBE x y\r\nPSUBSCRIBE p\r\nSSUBSCRIBE s t u\r\n')
    await a.until(text => text.endsWith(':3\r\n'))
    c.write('CLIENT LIST TYPE pubsub\r\n')
    expect(await c.until(text => text.includes('lib-ver'))).toMatch(/ flags=P .* sub=2 psub=1 ssub=3 /)
    c.received = ''
    c.write('INFO stats\r\n')
    expect(await c.until(text => text.includes('pubsubshard'))).toMatch(
      /pubsub_channels:2\r\npubsub_patterns:1\r\npubsubshard_channels:3\r\n/,
    )
    c.received = ''
    await c.expect('CONFIG SET client-output-buffer-limit "pubsub 1mb 100kb 10"\r\n', '+OK\r\n')
    const limits = 'normal 34603008 0 0 slave 0 0 0 pubsub 1048576 102400 10'
    await c.expect(
      'CONFIG GET client-output-buffer-limit\r\n',
      `*2\r\n${bulk('client-output-buffer-limit')}${bulk(limits)}`,
    )
    await c.expect('CLIENT KILL TYPE pubsub\r\n', ':1\r\n')
    await a.untilClosed()
  }))
