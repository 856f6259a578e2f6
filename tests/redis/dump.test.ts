/** DUMP and RESTORE: what Redis dumps is restored here, and what is dumped here in Redis. */
import { expect, test } from 'vitest'
import { withDirectory } from '../support/directory.ts'
import { Random } from '../support/random.ts'
import { hasRedis, startRedis, startXenon } from './servers.ts'
import { showWire, type Wire, WireConnection } from './wire.ts'

const random = new Random(1)
const NUMBERS = [7, 15, 16, 31, 32].flatMap(bits => [-1, 0, 1].flatMap(by => [2 ** bits + by, -(2 ** bits) + by]))
const VALUES = [
  ...['', '0', '-0', '+1', '01', ' 1', '1.5', '2147483647', '9223372036854775807', 'text', 'Ä\r\n\0'],
  ...NUMBERS.map(String),
  ...[20, 21, 63, 64, 65, 16383, 16384, 70000].flatMap(length => [
    'x'.repeat(length),
    'some text that comes again, '.repeat(length).slice(0, length),
    Array.from({ length }, () => String.fromCharCode(random.below(128))).join(''),
  ]),
]

const withServers = (work: (redis: WireConnection, xenon: WireConnection) => Promise<void>): Promise<void> =>
  withDirectory(async directory => {
    const servers = [await startRedis(directory), await startXenon(`${directory}/db`, '--durability', 'none')]
    try {
      const [redis, xenon] = await Promise.all(servers.map(({ port }) => WireConnection.open(port)))
      await work(redis!, xenon!)
      for (const connection of [redis!, xenon!]) connection.close()
    } finally {
      for (const server of servers) await server.stop()
    }
  })

const dumpsOf = async (connection: WireConnection): Promise<Buffer[]> => {
  await connection.send(VALUES.map((value, i) => ['SET', `key ${i}`, value]))
  return (await connection.send(VALUES.map((_, i) => ['DUMP', `key ${i}`]))).map(bytesOf)
}

const bytesOf = ({ text }: Wire): Buffer => Buffer.from(text!, 'latin1')

const restored = async (connection: WireConnection, dumps: readonly Buffer[]): Promise<(string | undefined)[]> => {
  await connection.send([['FLUSHALL']])
  const answers = await connection.send(dumps.map((dump, i) => ['RESTORE', `key ${i}`, '0', dump]))
  expect(answers.map(({ text }) => text)).toEqual(dumps.map(() => 'OK'))
  return (await connection.send(dumps.map((_, i) => ['GET', `key ${i}`]))).map(({ text }) => text)
}

test.runIf(hasRedis)('values of all lengths and forms go from one to the other and back', () =>
  withServers(async (redis, xenon) => {
    const [theirs, ours] = [await dumpsOf(redis), await dumpsOf(xenon)]
    const values = VALUES.map(value => Buffer.from(value).toString('latin1'))
    expect(await restored(xenon, theirs)).toEqual(values)
    expect(await restored(redis, ours)).toEqual(values)
    expect(await restored(xenon, ours)).toEqual(values)
    // Longer ones Redis compresses if it can.
    const short = VALUES.map((value, i) => (Buffer.byteLength(value) <= 20 ? i : -1)).filter(i => i >= 0)
    expect(short.map(i => ours[i])).toEqual(short.map(i => theirs[i]))
  }),
)

test.runIf(hasRedis)('options, times and errors are those of Redis', () =>
  withServers(async (redis, xenon) => {
    const [dump] = await dumpsOf(redis)
    const broken = Buffer.from(dump!)
    broken[broken.length - 1]! ^= 1
    await redis.send([['RPUSH', 'list', 'a', 'b']])
    const list = bytesOf((await redis.send([['DUMP', 'list']]))[0]!)
    const future = String(Date.now() + 1e9)
    const requests: (string | Buffer)[][] = [
      ['FLUSHALL'],
      ['DUMP', 'none'],
      ['DUMP'],
      ['RESTORE', 'a', '0'],
      ['RESTORE', 'a', '0', dump!],
      ['RESTORE', 'a', '0', dump!],
      ['RESTORE', 'a', 'x', dump!],
      ['RESTORE', 'a', 'x', dump!, 'REPLACE'],
      ['RESTORE', 'a', '-1', dump!, 'replace'],
      ['RESTORE', 'a', '0', broken, 'REPLACE'],
      ['RESTORE', 'a', '0', 'short', 'REPLACE'],
      ['RESTORE', 'a', '0', '', 'REPLACE'],
      ['RESTORE', 'a', future, dump!, 'REPLACE', 'ABSTTL'],
      ['PEXPIRETIME', 'a'],
      ['RESTORE', 'b', '100000', dump!],
      ['TTL', 'b'],
      ['RESTORE', 'a', '1', dump!, 'ABSTTL', 'REPLACE'],
      ['EXISTS', 'a'],
      ['RESTORE', 'c', '1', dump!, 'ABSTTL'],
      ['EXISTS', 'c'],
      ['RESTORE', 'c', '0', dump!, 'IDLETIME', '5'],
      ['RESTORE', 'd', '0', dump!, 'FREQ', '5'],
      ['RESTORE', 'e', '0', dump!, 'FREQ', '256'],
      ['RESTORE', 'e', '0', dump!, 'FREQ', '-1'],
      ['RESTORE', 'e', '0', dump!, 'IDLETIME', '-1'],
      ['RESTORE', 'e', '0', dump!, 'IDLETIME', 'x'],
      ['RESTORE', 'e', '0', dump!, 'IDLETIME', '1', 'FREQ', '1'],
      ['RESTORE', 'e', '0', dump!, 'IDLETIME'],
      ['RESTORE', 'e', '0', dump!, 'BOGUS'],
      ['DBSIZE'],
    ]
    const [expected, found] = await Promise.all([redis, xenon].map(each => each.send(requests)))
    expect(found!.map(showWire)).toEqual(expected!.map(showWire))
    const [refused] = await xenon.send([['RESTORE', 'list', '0', list]])
    expect(refused!.text).toBe('ERR Bad data format')
  }),
)
