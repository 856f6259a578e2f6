/** TLS, Unix sockets, metrics, and many clients at once. */
import { readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer as createNetServer } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { expect, test } from 'vitest'
import { parseExposition } from '../metrics/parser.ts'
import { pause } from '../support/child.ts'
import { withDirectory } from '../support/directory.ts'
import { type Wire, withServer } from './wire.ts'

const file = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8')
const key = file('./tls-key.pem')
const cert = file('./tls-cert.pem')

test('TLS: a client that trusts the certificate is served; plain bytes are not', () =>
  withServer({ tls: { key, cert } }, async ({ port, client }) => {
    const reply = await new Promise<string>((resolve, reject) => {
      const socket = connectTls({ port, host: '127.0.0.1', servername: 'localhost', ca: cert }, () =>
        socket.write('SET a b\r\nGET a\r\n'),
      )
      let text = ''
      socket.setEncoding('latin1').on('data', (more: string) => {
        text += more
        if (text.endsWith('b\r\n')) {
          socket.destroy()
          resolve(text)
        }
      })
      socket.on('error', reject)
    })
    expect(reply).toBe('+OK\r\n$1\r\nb\r\n')
    const plain = await client()
    plain.write('PING\r\n')
    expect(await plain.untilClosed()).not.toContain('PONG')
  }))

test('a Unix socket; one that a killed server has left is taken over, other files are not', () =>
  withDirectory(async directory => {
    const path = join(directory, 'socket')
    const ask = (): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connect(path, () => socket.write('PING\r\n'))
        socket.once('data', bytes => {
          socket.destroy()
          resolve(bytes.toString())
        })
        socket.once('error', reject)
      })
    await withServer({ socket: path }, async ({ server }) => {
      expect(server.address).toEqual({ socket: path })
      expect(await ask()).toBe('+PONG\r\n')
      await expect(withServer({ socket: path }, async () => {})).rejects.toThrow('another server listens')
    })
    writeFileSync(path, 'a file')
    await expect(withServer({ socket: path }, async () => {})).rejects.toThrow('no socket')
  }))

test('a port that is taken is an error of listen', async () => {
  const other = createNetServer()
  await new Promise<void>(resolve => other.listen(0, '127.0.0.1', resolve))
  const { port } = other.address() as { port: number }
  await expect(withServer({ port }, async () => {})).rejects.toThrow('EADDRINUSE')
  other.close()
})

test('/metrics and /health', () =>
  withServer({ metricsPort: 0 }, async ({ client, server }) => {
    await (await client()).expect('SET a b\r\n', '+OK\r\n')
    const { port } = server.metricsAddress!
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    const families = parseExposition(metrics)
    expect(families.get('xenondb_disk_full')?.samples).toEqual([{ labels: {}, value: 0 }])
    expect(families.get('process_cpu_seconds_total')?.type).toBe('counter')
    expect(metrics).toMatch(/^xenondb_records 1$/m)
    expect(metrics).toMatch(/^xenondb_commands_total 1$/m)
    const health = await fetch(`http://127.0.0.1:${port}/health`)
    expect(health.status).toBe(200)
    expect(await health.json()).toEqual({ status: 'ok' })
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(404)
  }))

test('the log is lines of JSON', async () => {
  const lines: string[] = []
  await withServer({ logLevel: 'debug', log: line => lines.push(line) }, async ({ client }) => {
    const c = await client()
    c.write('*x\r\n')
    await c.untilClosed()
  })
  const events = lines.map(line => JSON.parse(line).event)
  expect(events).toEqual(
    expect.arrayContaining(['listening', 'client connected', 'protocol error', 'closing', 'closed']),
  )
})

test('close answers what has arrived and ends all connections', () =>
  withServer({}, async ({ client, server }) => {
    const clients = await Promise.all(Array.from({ length: 10 }, () => client()))
    await Promise.all(clients.map(c => c.expect('PING\r\n', '+PONG\r\n')))
    await server.close()
    await Promise.all(clients.map(c => c.untilClosed()))
    await server.done
  }))

test('SHUTDOWN closes the server', () =>
  withServer({}, async ({ client, server }) => {
    const c = await client()
    c.write('SET a b\r\nSHUTDOWN\r\n')
    expect(await c.untilClosed()).toBe('+OK\r\n')
    await server.done
  }))

test('1,000 clients read and write at once, and none is lost', () =>
  withServer({}, async ({ client, server }) => {
    const clients: Wire[] = []
    for (let i = 0; i < 1000; i += 50) clients.push(...(await Promise.all(Array.from({ length: 50 }, () => client()))))
    const end = Date.now() + Number(process.env.XENON_SECONDS ?? 3) * 1000
    let rounds = 0
    await Promise.all(
      clients.map(async (c, i) => {
        for (let n = 0; Date.now() < end; n++) {
          const value = String(n)
          // Node 20's clients (not servers) may be late to notice what they can read, unless UV_USE_IO_URING=0.
          const reply = `+OK\r\n$${value.length}\r\n${value}\r\n`
          await c.expect(`SET k${i} ${value}\r\nGET k${i}\r\n`, reply, 90_000)
          rounds++
        }
      }),
    )
    expect(server.sessions.size).toBe(1000)
    expect(server.keys.records.count()).toBe(1000)
    expect(rounds).toBeGreaterThan(3000)
    await pause(1)
  }))
