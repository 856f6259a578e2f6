/** Pipelining, lost connections, timeouts: what the client does, whatever the server. */
import { expect, test } from 'vitest'
import { type Client, ConnectionError, connect, ServerError, TimeoutError } from '../../src/client/index.ts'
import { InvalidArgumentError } from '../../src/index.ts'
import { pause } from '../support/child.ts'
import { expectCodeAsync, failureOf, wrong } from '../support/errors.ts'
import { type FakeServer, fakeServer } from './fake-server.ts'

type Answer = Parameters<typeof fakeServer>[0]

const echo: Answer = ([, key], socket) => void socket.write(`$${key!.length}\r\n${key}\r\n`)

async function withFake(
  answer: Answer,
  body: (client: Client, server: FakeServer) => Promise<void>,
  options: Parameters<typeof connect>[0] = {},
): Promise<void> {
  const server = await fakeServer(answer)
  const client = await connect({ port: server.port, ...options } as { port: number })
  try {
    await body(client, server)
  } finally {
    await client.close()
    await server.close()
  }
}

test('commands of one turn go out in one write, and each gets its own answer', () =>
  withFake(echo, async (client, server) => {
    const keys = Array.from({ length: 500 }, (_, i) => `key ${i}`)
    expect(await Promise.all(keys.map(key => client.get(key)))).toEqual(keys)
    expect(server.commands.length).toBe(500)
    expect(server.writes.length).toBeLessThanOrEqual(2)
    // The answers of one turn are followed by commands of one turn.
    server.writes.length = 0
    const twice = async (key: string): Promise<string | undefined> => {
      await client.get(key)
      return await client.get(`${key} again`)
    }
    await Promise.all(keys.map(twice))
    expect(server.writes.length).toBeLessThanOrEqual(8)
  }))

test('an error of the server keeps its text, and does not disturb the next command', () =>
  withFake(
    ([name, key], socket) => void socket.write(name === 'GET' ? `$1\r\n${key}\r\n` : '-WRONGTYPE of a key\r\n'),
    async client => {
      const [error, value] = await Promise.all([failureOf(() => client.put('a', 'b')), client.get('x')])
      expect(error).toBeInstanceOf(ServerError)
      expect(error).toMatchObject({
        code: 'XENON_SERVER',
        prefix: 'WRONGTYPE',
        message: 'WRONGTYPE of a key',
      })
      expect(value).toBe('x')
    },
  ))

test('a command that was sent and not answered is rejected and not repeated; a read is repeated', async () => {
  let first = true
  await withFake(
    ([name, key], socket) => {
      if (first && name === 'SET') {
        first = false
        socket.destroy()
      } else if (!first) socket.write(name === 'GET' ? `$1\r\n${key}\r\n` : '+OK\r\n')
    },
    async (client, server) => {
      const read = client.get('r')
      const write = failureOf(() => client.put('w', '1'))
      const error = await write
      expect(error).toBeInstanceOf(ConnectionError)
      expect(error).toMatchObject({ code: 'XENON_CONNECTION', sent: true })
      expect(await read).toBe('r')
      await client.put('w', '2')
      expect(server.commands.filter(([name]) => name === 'SET').map(command => command[2])).toEqual(['1', '2'])
    },
  )
})

test('commands given while there is no connection are sent when there is one again', async () => {
  const server = await fakeServer(echo)
  const client = await connect({ port: server.port })
  expect(await client.get('a')).toBe('a')
  await server.close()
  await pause(20)
  const waiting = client.get('b')
  await pause(100)
  const again = await fakeServer(echo, server.port)
  expect(await waiting).toBe('b')
  await client.close()
  await again.close()
})

test('a command without an answer ends with a timeout, and a late answer harms nobody', () =>
  withFake(
    ([, key], socket) => {
      if (key === 'late') setTimeout(() => socket.write('$4\r\nlate\r\n'), 150)
      else setTimeout(() => socket.write(`$1\r\n${key}\r\n`), key === 'b' ? 200 : 0)
    },
    async client => {
      const late = failureOf(() => client.get('late'))
      await pause(60)
      const other = client.get('b')
      const error = await late
      expect(error).toBeInstanceOf(TimeoutError)
      expect(error).toMatchObject({ code: 'XENON_TIMEOUT', sent: true })
      expect(['b', TimeoutError]).toContain(
        await other.then(
          value => value,
          error => error.constructor,
        ),
      )
      await pause(200)
      expect(await client.get('c')).toBe('c')
    },
    { requestTimeout: 100 },
  ))

test('where nobody listens, or who listens does not want us, connect fails', async () => {
  const server = await fakeServer(() => {}, 0, '-WRONGPASS invalid username-password pair or user is disabled.\r\n')
  const refused = await failureOf(() => connect({ port: server.port, password: 'x' }))
  expect(refused).toMatchObject({ code: 'XENON_SERVER', prefix: 'WRONGPASS' })
  await server.close()
  await expectCodeAsync(() => connect({ port: server.port }), 'XENON_CONNECTION')
  const mute = await fakeServer(() => {}, 0, '')
  await expectCodeAsync(() => connect({ port: mute.port, connectTimeout: 50 }), 'XENON_TIMEOUT')
  await mute.close()
  const strange = await fakeServer(() => {}, 0, 'HTTP/1.1 400 Bad Request\r\n\r\n')
  await expectCodeAsync(() => connect({ port: strange.port }), 'XENON_CONNECTION', 'XENON_PROTOCOL')
  await strange.close()
})

test('close lets what is on its way be answered; afterwards there is a typed error', async () => {
  const server = await fakeServer((command, socket) => void setTimeout(() => echo(command, socket), 50))
  const client = await connect({ port: server.port })
  const value = client.get('a')
  await Promise.all([client.close(), client.close()])
  expect(await value).toBe('a')
  expect(client.closed).toBe(true)
  await expectCodeAsync(() => client.get('a'), 'XENON_CLOSED')
  await expectCodeAsync(() => client.begin(), 'XENON_CLOSED')
  await expectCodeAsync(() => client.watch(), 'XENON_CLOSED')
  await client.close()
  await server.close()
})

test('keys, values and options that can never be right are refused before anything is sent', () =>
  withFake(echo, async (client, server) => {
    await expectCodeAsync(() => client.get(''), 'XENON_INVALID_ARGUMENT')
    await expectCodeAsync(() => client.get(wrong(7)), 'XENON_INVALID_ARGUMENT')
    await expectCodeAsync(() => client.get('\ud800'), 'XENON_INVALID_ARGUMENT')
    await expectCodeAsync(() => client.get('x'.repeat(1025)), 'XENON_KEY_TOO_LARGE')
    await expectCodeAsync(() => client.put('a', wrong({})), 'XENON_INVALID_ARGUMENT')
    await expectCodeAsync(() => client.put('a', 'b', { ttl: -1 }), 'XENON_INVALID_ARGUMENT')
    await expectCodeAsync(() => client.batch(wrong([{ type: 'get', key: 'a' }])), 'XENON_INVALID_ARGUMENT')
    await expectCodeAsync(() => client.transact(wrong(1)), 'XENON_INVALID_ARGUMENT')
    await expectCodeAsync(() => client.begin({ isolation: wrong('none') }), 'XENON_INVALID_ARGUMENT')
    await expectCodeAsync(() => client.command(), 'XENON_INVALID_ARGUMENT')
    expect(server.commands).toEqual([])
    for (const options of [{ port: 0 }, { port: 70_000 }, { host: '' }, { requestTimeout: -1 }, { unknown: 1 }])
      expect(await failureOf(() => connect(wrong(options)))).toBeInstanceOf(InvalidArgumentError)
  }))

test('bytes are copied when they are handed over', () =>
  withFake(
    (_, socket) => void socket.write('+OK\r\n'),
    async (client, server) => {
      const value = Buffer.from('before')
      const put = (client as unknown as Client<Uint8Array>).put('k', value)
      value.fill('x')
      await put
      expect(server.commands).toEqual([['SET', 'k', 'before']])
    },
    { valueEncoding: wrong('binary') },
  ))
