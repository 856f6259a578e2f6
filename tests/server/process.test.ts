/** The server as a process: SIGTERM, and SIGKILL under the writes of many clients. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { open } from '../../src/index.ts'
import { run } from '../cli/run.ts'
import { hashIn, keysApart } from '../hash/keys.ts'
import { startXenon, startXenonWith } from '../redis/servers.ts'
import { pause } from '../support/child.ts'
import { expectVerified } from '../support/database.ts'
import { withDirectory } from '../support/directory.ts'
import { readImage } from '../support/image.ts'
import { bulk, Wire } from './wire.ts'

const CLIENTS = 64
const KILLS = Number(process.env.XENON_KILLS ?? 3)

/** Each client writes numbers under keys of its own until the connection ends; gives the last one answered. */
async function writeUntilClosed(c: Wire, client: number, first: number): Promise<number> {
  for (let n = first; ; n++) {
    try {
      await c.expect(`SET k${client}:${n % 50} ${n}\r\n`, '+OK\r\n')
    } catch {
      return n - 1
    }
  }
}

test(`SIGKILL under ${CLIENTS} clients' writes: every write answered is there`, () =>
  withDirectory(async directory => {
    const last: number[] = new Array(CLIENTS).fill(0)
    for (let kill = 0; kill < KILLS; kill++) {
      const server = await startXenon(`${directory}/db`, '--log-level', 'warn')
      const clients = await Promise.all(last.map(() => Wire.open(server.port)))
      // What an earlier life had answered.
      for (const [i, c] of clients.entries()) {
        if (last[i] === 0) continue
        c.write(`GET k${i}:${last[i]! % 50}\r\n`)
        const text = await c.until(received => /^\$-?\d+\r\n(.*\r\n)?$/.test(received) && received.length > 4)
        // The write that followed may have come through or not, to another key unless it is 50 later.
        expect(Number(text.split('\r\n')[1])).toBeGreaterThanOrEqual(last[i]!)
        c.received = ''
      }
      const writing = clients.map((c, i) => writeUntilClosed(c, i, last[i]! + 1))
      await pause(300 + Math.random() * 500)
      server.process.kill('SIGKILL')
      const answered = await Promise.all(writing)
      await server.stop()
      answered.forEach((n, i) => {
        last[i] = n
      })
      for (const c of clients) c.close()
    }
    expect(Math.min(...last)).toBeGreaterThan(0)
    const db = open<string>(`${directory}/db`)
    for (const [i, n] of last.entries())
      for (let back = 0; back < Math.min(49, n); back++)
        expect(Number(db.get(`k${i}:${(n - back) % 50}`))).toBeGreaterThanOrEqual(n - back)
    await expectVerified(db)
    db.close()
  }))

test.each(['SIGTERM', 'SIGHUP'] as const)(
  '%s: what was answered is there, the process ends with 0, and the database was closed cleanly',
  signal =>
    withDirectory(async directory => {
      const server = await startXenon(`${directory}/db`, '--log-level', 'silent')
      const c = await Wire.open(server.port)
      await c.expect('SET a b\r\n', '+OK\r\n')
      const writing = writeUntilClosed(c, 1, 1)
      await pause(100)
      server.process.kill(signal)
      const last = await writing
      await server.stop()
      expect(server.process.exitCode).toBe(0)
      const db = open<string>(`${directory}/db`)
      expect(db.stats().recovery.needed).toBe(false)
      expect(Number(db.get(`k1:${last % 50}`))).toBeGreaterThanOrEqual(last)
      db.close()
    }),
)

test.runIf(process.platform === 'linux')(
  'no more clients than file descriptors: those that are refused are told so, counted, and logged once a second',
  () =>
    withDirectory(async directory => {
      const server = await startXenonWith(['ulimit -n 100'], `${directory}/db`, '--log-level', 'warn')
      let log = ''
      server.process.stderr!.on('data', (text: string) => {
        log += text
      })
      const started = Date.now()
      const first = await Wire.open(server.port)
      await first.expect('SET a 1\r\n', '+OK\r\n')
      const others: Wire[] = []
      for (let i = 0; i < 100; i++) others.push(await Wire.open(server.port))
      for (let i = 0; i < 12_000 && others.filter(c => c.closed).length < 40; i++) await pause(5)
      const refused = others.filter(c => c.closed)
      expect(refused.length).toBeGreaterThan(20)
      expect(others.length - refused.length).toBeGreaterThan(5)
      const told = refused.filter(c => c.received === '-ERR max number of clients reached\r\n')
      // The system itself closes those that come too fast.
      expect(told.length).toBeGreaterThan(refused.length / 2)
      await first.expect('INCR a\r\n', ':2\r\n')
      for (const c of others) c.close()
      await pause(100)
      const c = await Wire.open(server.port)
      await c.expect('INCR a\r\n', ':3\r\n')
      c.write('CONFIG GET maxclients\r\nINFO stats\r\n')
      const text = await c.until(received => received.includes('commits:'))
      expect(Number(/maxclients\r\n\$\d+\r\n(\d+)/.exec(text)![1])).toBeLessThan(68)
      expect(Number(/rejected_connections:(\d+)/.exec(text)![1])).toBeGreaterThanOrEqual(told.length)
      await server.stop()
      expect(server.process.exitCode).toBe(0)
      const lines = log.split('\n').filter(line => line.includes('clients are refused'))
      expect(lines.length).toBeGreaterThan(0)
      expect(lines.length).toBeLessThanOrEqual(1 + (Date.now() - started) / 1000)
      const db = open<string>(`${directory}/db`)
      await expectVerified(db)
      db.close()
    }),
)

test('the limits have flags', () =>
  withDirectory(async directory => {
    const flags = ['argument-bytes', 'query-bytes', 'output-bytes'].flatMap((name, i) => [
      `--max-${name}`,
      `${i + 2}000`,
    ])
    const times = ['auth', 'request', 'lock', 'idle'].flatMap(name => [`--${name}-timeout`, '9000'])
    const rest = ['--pause-output-bytes', '5000', '--max-client-memory', '2000000']
    const server = await startXenon(`${directory}/db`, ...flags, ...times, ...rest, '--log-level', 'silent')
    const c = await Wire.open(server.port)
    for (const [name, value] of [
      ['proto-max-bulk-len', '2000'],
      ['client-query-buffer-limit', '3000'],
      ['maxmemory-clients', '2000000'],
      ['timeout', '9'],
    ] as const)
      await c.expect(`CONFIG GET ${name}\r\n`, `*2\r\n${bulk(name)}${bulk(value)}`)
    await c.expect('MSET a x b x\r\n', '+OK\r\n')
    await c.expect(`SETRANGE a 1999 x\r\nMGET a a a\r\nPING\r\n`, `:2000\r\n${TOO_LONG}+PONG\r\n`)
    await server.stop()
    expect(server.process.exitCode).toBe(0)
  }))

const TOO_LONG =
  '-ERR the reply takes more than 4000 bytes, so nothing was changed; ask for less at a time (SCAN, RANGE ... LIMIT)\r\n'

test('a transaction that was not committed is gone after SIGKILL', () =>
  withDirectory(async directory => {
    const first = await startXenon(`${directory}/db`)
    const c = await Wire.open(first.port)
    const [a, b] = keysApart(hashIn(readImage(`${directory}/db`)), 2)
    await c.expect(`SET ${a} 1\r\nBEGIN\r\nSET ${a} 2\r\n`, '+OK\r\n+OK\r\n+OK\r\n')
    const other = await Wire.open(first.port)
    await other.expect(`SET ${b} 1\r\n`, '+OK\r\n')
    first.process.kill('SIGKILL')
    await first.stop()
    const second = await startXenon(`${directory}/db`)
    const d = await Wire.open(second.port)
    await d.expect(`GET ${a}\r\nGET ${b}\r\n`, `${bulk('1')}${bulk('1')}`)
    await second.stop()
  }))

test('what cannot be served is refused before anything is created', () =>
  withDirectory(async directory => {
    const refused = async (reason: RegExp, ...options: string[]): Promise<void> =>
      expect(await run('serve', `${directory}/db`, ...options)).toMatchObject({
        status: 2,
        stdout: '',
        stderr: expect.stringMatching(reason),
      })
    await refused(/needs a password/, '--host', '0.0.0.0')
    await refused(/port must be/, '--port', '70000')
    await refused(/maxClientMemoryBytes must be/, '--max-client-memory', '1000')
    await refused(/lock-timeout/, '--lock-timeout', '0')
    await refused(/log-level/, '--log-level', 'loud')
    await refused(/belong together/, '--tls-key', fileURLToPath(import.meta.url))
    expect(existsSync(`${directory}/db`)).toBe(false)
  }))
