/**
 * SIGKILL under clients that write to several databases, with scripts, MSET and transactions: what was answered is there,
 * and each of these is there as a whole or not at all. `XENON_KILLS=20` kills more often.
 */
import { expect, test } from 'vitest'
import { open } from '../../src/index.ts'
import { startXenon } from '../redis/servers.ts'
import { pause } from '../support/child.ts'
import { expectVerified } from '../support/database.ts'
import { withDirectory } from '../support/directory.ts'
import { request, Wire } from './wire.ts'

const KILLS = Number(process.env.XENON_KILLS ?? 3)
const CLIENTS = 12
const DATABASES = [0, 1, 2, 3]

/** The second key gets what the script has read back of the first. */
const BOTH = "redis.call('SET', KEYS[1], ARGV[1]) redis.call('SET', KEYS[2], redis.call('GET', KEYS[1])) return ARGV[1]"
const COUNT = "redis.call('INCR', KEYS[1]) return redis.call('INCR', KEYS[2])"

type Kind = 'set' | 'eval' | 'mset' | 'multi' | 'count'
const KINDS: readonly Kind[] = ['set', 'eval', 'mset', 'multi', 'count']

/** The keys of a client that must hold the same number, each with its database. */
const keysOf = (kind: Kind, client: number, database: number): [database: number, key: string][] => {
  const key = (part: string): string => `${kind}:${client}:${part}`
  switch (kind) {
    case 'set':
      return [[database, key('a')]]
    case 'mset':
      return ['a', 'b', 'c', 'd'].map(part => [database, key(part)])
    case 'multi':
      return [
        [database, key('a')],
        [(database + 1) % DATABASES.length, key(`of ${database}`)],
      ]
    default:
      return [
        [database, key('a')],
        [database, key('b')],
      ]
  }
}

/** What makes them hold `n`, and what answers that they do. */
const write = (kind: Kind, client: number, database: number, n: number): [sent: string, answer: string] => {
  const keys = keysOf(kind, client, database).map(([, key]) => key) as [string, string]
  const select = `${request('SELECT', database)}`
  const text = String(n)
  switch (kind) {
    case 'set':
      return [select + request('SET', keys[0], n), '+OK\r\n+OK\r\n']
    case 'mset':
      return [select + request('MSET', ...keys.flatMap(key => [key, n])), '+OK\r\n+OK\r\n']
    case 'eval':
      return [select + request('EVAL', BOTH, 2, ...keys, n), `+OK\r\n$${text.length}\r\n${text}\r\n`]
    case 'count':
      return [select + request('EVAL', COUNT, 2, ...keys), `+OK\r\n:${n}\r\n`]
    case 'multi': {
      const other = request('SELECT', (database + 1) % DATABASES.length)
      return [
        select + request('MULTI') + request('SET', keys[0], n) + other + request('SET', keys[1], n) + request('EXEC'),
        '+OK\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+OK\r\n+OK\r\n+OK\r\n',
      ]
    }
  }
}

/** The last number that was answered, and the last that was sent, of each kind, client and database. */
class Counter {
  answered = 0
  sent = 0
  readonly kind: Kind
  readonly client: number
  readonly database: number

  constructor(kind: Kind, client: number, database: number) {
    this.kind = kind
    this.client = client
    this.database = database
  }
}

test(
  `${KILLS} × SIGKILL under ${CLIENTS} clients in ${DATABASES.length} databases`,
  { timeout: 60_000 + KILLS * 10_000 },
  () =>
    withDirectory(async directory => {
      const counters = Array.from({ length: CLIENTS }, (_, client) =>
        KINDS.flatMap(kind => DATABASES.map(database => new Counter(kind, client, database))),
      )
      let answers = 0
      for (let kill = 0; kill < KILLS; kill++) {
        const server = await startXenon(`${directory}/db`, '--log-level', 'warn')
        const wires = await Promise.all(counters.map(() => Wire.open(server.port)))
        const writing = wires.map((wire, i) => writeUntilClosed(wire, counters[i]!))
        await pause(200 + Math.random() * 600)
        server.process.kill('SIGKILL')
        for (const count of await Promise.all(writing)) answers += count
        await server.stop()
        for (const wire of wires) wire.close()
        await examine(directory, counters.flat())
      }
      expect(answers).toBeGreaterThan(KILLS * CLIENTS)
      console.log(`${KILLS} kills, ${answers} answered writes`)
      const db = open<Uint8Array>(`${directory}/db`, { valueEncoding: 'binary' })
      await expectVerified(db)
      db.close()
    }),
)

async function writeUntilClosed(wire: Wire, counters: readonly Counter[]): Promise<number> {
  for (let count = 0; ; count++) {
    const counter = counters[(count * 7) % counters.length]!
    const [sent, answer] = write(counter.kind, counter.client, counter.database, ++counter.sent)
    try {
      await wire.expect(sent, answer)
    } catch (error) {
      if (wire.closed) return count
      throw error
    }
    counter.answered = counter.sent
  }
}

/** Another server looks at what the killed one has left. */
async function examine(directory: string, counters: readonly Counter[]): Promise<void> {
  const server = await startXenon(`${directory}/db`, '--log-level', 'warn')
  const wire = await Wire.open(server.port)
  for (const counter of counters) {
    const { kind, client, database, answered, sent } = counter
    const found: number[] = []
    for (const [where, key] of keysOf(kind, client, database)) {
      wire.received = ''
      wire.write(request('SELECT', where) + request('GET', key))
      const text = await wire.until(received => /^\+OK\r\n(\$-1\r\n|\$\d+\r\n\d+\r\n)$/.test(received))
      found.push(Number(/\r\n(\d+)\r\n$/.exec(text)?.[1] ?? 0))
    }
    const what = `${kind} of client ${client} in database ${database}: ${found}, answered ${answered}, sent ${sent}`
    expect(new Set(found).size, `as a whole: ${what}`).toBe(1)
    expect(found[0]! === answered || found[0]! === sent, `what was answered is there: ${what}`).toBe(true)
    counter.sent = found[0]!
    counter.answered = found[0]!
  }
  wire.close()
  await server.stop()
  expect(server.process.exitCode).toBe(0)
}
