/** Clients whose server is down, killed, or a black hole: requests end in bounded time, and nothing hangs. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect as connectSocket, createServer, type Server, type Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import { connect } from '../../src/client/index.ts'
import { startXenon } from '../redis/servers.ts'
import { pause } from '../support/child.ts'
import { withDirectory } from '../support/directory.ts'
import { fakeServer } from './fake-server.ts'

/** Milliseconds until a request is rejected, and with what. */
async function rejected(
  work: Promise<unknown>,
): Promise<{ after: number; code: string; sent?: boolean; message: string }> {
  const start = performance.now()
  try {
    await work
  } catch (error) {
    const { code, sent, message } = error as { code: string; sent: boolean; message: string }
    return { after: performance.now() - start, code, sent, message }
  }
  throw new Error('it was answered')
}

/** A port on which somebody listens who accepts nobody, with no room for one more. */
async function blackHole(): Promise<{ port: number; close(): void }> {
  const script = `
    const { createServer, connect } = require('node:net')
    const server = createServer()
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
      process.stdout.write(server.address().port + '\\n')
      // From here on nobody is accepted.
      setTimeout(() => { for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000) }, 20)
    })`
  const child: ChildProcess = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(child.stdout!, 'data')) as [Buffer]
  const port = Number(String(line))
  await pause(60)
  const fillers: Socket[] = []
  for (let i = 0; i < 4; i++) {
    const socket = connectSocket(port, '127.0.0.1')
    socket.on('error', () => {})
    fillers.push(socket)
  }
  await pause(60)
  return {
    port,
    close() {
      for (const socket of fillers) socket.destroy()
      child.kill('SIGKILL')
    },
  }
}

describe('a server that was killed', () => {
  test(
    'fails what waits within connectTimeout, later requests at once, and is found again when it is back',
    () =>
      withDirectory(async directory => {
        const server = await startXenon(`${directory}/db`, '--log-level', 'warn')
        const client = await connect({ port: server.port, connectTimeout: 400 })
        await client.put('a', '1')
        server.process.kill('SIGKILL')
        await server.stop()
        const first = await rejected(client.get('a'))
        expect(first).toMatchObject({ code: 'XENON_CONNECTION', message: expect.stringContaining('ECONNREFUSED') })
        expect(first.after).toBeLessThan(2000)
        while (!(await rejected(client.get('a')).then(({ after }) => after < 150))) await pause(10)
        for (const ask of [
          () => client.put('a', '2'),
          () => client.count(),
          () => client.batch([{ type: 'delete', key: 'a' }]),
        ]) {
          const later = await rejected(ask())
          expect(later).toMatchObject({ code: 'XENON_CONNECTION', sent: false })
          expect(later.after).toBeLessThan(1000)
        }
        expect((await rejected(client.begin())).code).toBe('XENON_CONNECTION')
        expect((await rejected(client.watch())).code).toBe('XENON_CONNECTION')
        const again = await startXenon(`${directory}/db`, '--log-level', 'warn', '--port', String(server.port))
        for (let i = 0; !client.connected && i < 6000; i++) await pause(10)
        expect(await client.get('a')).toBe('1')
        await client.close()
        await again.stop()
      }),
    30_000,
  )

  test('is waited for, if it is back in time', async () => {
    const server = await fakeServer((_, socket) => socket.write('$1\r\n1\r\n'))
    const client = await connect({ port: server.port, connectTimeout: 5000 })
    await server.close()
    const answer = client.get('a')
    await pause(150)
    const again = await fakeServer((_, socket) => socket.write('$1\r\n2\r\n'), server.port)
    expect(await answer).toBe('2')
    await client.close()
    await again.close()
  })
})

describe('offlineQueue: false', () => {
  test('rejects at once while there is no connection, reads that were sent too', async () => {
    let silent = false
    const server = await fakeServer((_, socket) => {
      if (!silent) socket.write('$1\r\n1\r\n')
    })
    const client = await connect({ port: server.port, offlineQueue: false })
    expect(await client.get('a')).toBe('1')
    silent = true
    const onTheWay = rejected(client.get('a'))
    await pause(50)
    await server.close()
    expect(await onTheWay).toMatchObject({ code: 'XENON_CONNECTION', sent: true })
    expect(client.connected).toBe(false)
    for (const ask of [() => client.get('a'), () => client.put('a', '1'), () => client.begin(), () => client.watch()]) {
      const { after, ...error } = await rejected(ask())
      expect(error).toMatchObject({
        code: 'XENON_CONNECTION',
        sent: false,
        message: expect.stringContaining('offlineQueue'),
      })
      expect(after).toBeLessThan(2000)
    }
    silent = false
    const again = await fakeServer((_, socket) => socket.write('$1\r\n2\r\n'), server.port)
    for (let i = 0; !client.connected && i < 6000; i++) await pause(10)
    expect(await client.get('a')).toBe('2')
    await client.close()
    await again.close()
    expect((await rejected(client.get('a'))).code).toBe('XENON_CLOSED')
  })
})

describe('a black hole', () => {
  test('in place of the server: connect rejects after connectTimeout', async () => {
    const hole = await blackHole()
    try {
      const { after, code } = await rejected(connect({ port: hole.port, connectTimeout: 300 }))
      expect(code).toBe('XENON_TIMEOUT')
      expect(after).toBeGreaterThan(250)
      expect(after).toBeLessThan(3000)
    } finally {
      hole.close()
    }
  })

  test('that accepts and says nothing: the same', async () => {
    const sockets = new Set<Socket>()
    const silent: Server = createServer(socket => void sockets.add(socket))
    silent.listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as { port: number }
    const { after, code } = await rejected(connect({ port, connectTimeout: 200 }))
    expect(code).toBe('XENON_TIMEOUT')
    expect(after).toBeLessThan(3000)
    for (const socket of sockets) socket.destroy()
    silent.close()
  })

  test('that the server turns into: requests reject after connectTimeout, not after requestTimeout', async () => {
    const server = await fakeServer((_, socket) => socket.write('$1\r\n1\r\n'))
    const client = await connect({ port: server.port, connectTimeout: 300, requestTimeout: 60_000 })
    await client.get('a')
    await server.close()
    const silent: Server = createServer(() => {})
    const open = new Set<Socket>()
    silent.on('connection', socket => void open.add(socket))
    silent.listen(server.port, '127.0.0.1')
    await once(silent, 'listening')
    for (let i = 0; i < 2; i++) {
      const { after, code } = await rejected(client.put('a', '1'))
      expect(['XENON_TIMEOUT', 'XENON_CONNECTION']).toContain(code)
      expect(after).toBeLessThan(3000)
    }
    await client.close()
    for (const socket of open) socket.destroy()
    silent.close()
  })
})

test('options are spelled as those of the server: what was given otherwise before is refused', async () => {
  for (const options of [
    { timeout: 1 },
    { path: '/tmp/x' },
    { offlineQueue: 1 },
    { requestTimeout: 0 },
    { connectTimeout: -1 },
  ])
    await expect(connect(options as never)).rejects.toMatchObject({ code: 'XENON_INVALID_ARGUMENT' })
  const server = await fakeServer((_, socket) => socket.write('$1\r\n1\r\n'))
  const forever = { requestTimeout: Number.POSITIVE_INFINITY, connectTimeout: Number.POSITIVE_INFINITY }
  const client = await connect({ port: server.port, ...forever })
  expect(await client.get('a')).toBe('1')
  await client.close()
  await server.close()
})
