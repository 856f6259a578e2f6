/** Keyspace notifications: what a listener hears of the same commands on both servers. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { withDirectory } from '../support/directory.ts'
import { hasRedis, type RunningServer, startRedis, startXenon } from './servers.ts'
import { raiseIds, type Step, transcript } from './transcript.ts'

const LISTEN: readonly Step[] = ['w> FLUSHALL', 'l> PSUBSCRIBE __key*__:*']
const of = (classes: string, ...steps: readonly Step[]): readonly Step[] => [
  ...LISTEN,
  `w> CONFIG SET notify-keyspace-events "${classes}"`,
  ...steps,
  'w> CONFIG SET notify-keyspace-events ""',
  'w> SET silent 1',
]

const CONVERSATIONS: Readonly<Record<string, readonly Step[]>> = {
  'how the classes are shown': [
    ...[
      'KEA',
      'AKE',
      'Ex',
      'KEg$',
      'lshzKxe',
      'mnKEA',
      'n',
      'td',
      'KEg$lshzxetd',
      'g$lshzxetdn',
      '',
      'Kq',
      'k',
    ].flatMap(classes => [`w> CONFIG SET notify-keyspace-events "${classes}"`, 'w> CONFIG GET notify-keyspace-events']),
    'w> CONFIG SET notify-keyspace-events ""',
  ],
  strings: of(
    'KEA',
    'w> SET a 1',
    'w> SET a 2 EX 100',
    'w> SET a 3 KEEPTTL',
    'w> SET a 4 XX GET',
    'w> SET a 5 NX',
    'w> SET nobody 5 XX',
    'w> SETNX a 1',
    'w> SETNX b 1',
    'w> SETEX c 100 x',
    'w> PSETEX c 100000 x',
    'w> GETSET a 7',
    'w> MSET a 1 b 2 a 3',
    'w> MSETNX a 1 z 2',
    'w> MSETNX y 1 z 2',
    'w> APPEND a x',
    'w> APPEND new x',
    'w> SETRANGE a 2 xyz',
    'w> SETRANGE a 2 ""',
    'w> GETDEL a',
    'w> GETDEL a',
    'w> GETEX b EX 100',
    'w> GETEX b PERSIST',
    'w> GETEX b PERSIST',
    'w> GETEX b',
    'w> GET b',
    'w> SET a 1',
    'w> INCR a',
    'w> DECR a',
    'w> INCRBY a 5',
    'w> DECRBY a 5',
    'w> INCRBYFLOAT a 1.5',
    'w> INCR fresh',
    'w> INCR b x',
    'w> SETBIT bits 7 1',
    'w> SETBIT bits 7 1',
    'w> BITOP NOT target bits',
    'w> BITOP NOT target nobody',
    'w> BITFIELD bits SET u8 0 1',
    'w> BITFIELD bits GET u8 0',
  ),
  keys: of(
    'KEA',
    'w> MSET a 1 b 2 c 3',
    'w> DEL a nobody b',
    'w> UNLINK c',
    'w> UNLINK c',
    'w> MSET a 1 b 2 c 3',
    'w> RENAME a x',
    'w> RENAME x x',
    'w> RENAME b x',
    'w> RENAMENX c x',
    'w> RENAMENX c d',
    'w> COPY x y',
    'w> COPY x y',
    'w> COPY x y REPLACE',
    'w> EXPIRE x 100',
    'w> EXPIRE x 100 NX',
    'w> PEXPIREAT x 99999999999999',
    'w> PERSIST x',
    'w> PERSIST x',
    'w> EXPIRE x -1',
    'w> EXPIRE x -1',
    'w> TOUCH y',
    'w> FLUSHDB',
    'w> SET a 1',
    'w> FLUSHALL',
  ),
  'only keyspace': of('K$', 'w> SET a 1', 'w> EXPIRE a 100', 'w> DEL a'),
  'only keyevent': of('Eg', 'w> SET a 1', 'w> EXPIRE a 100', 'w> DEL a'),
  neither: of('g$', 'w> SET a 1', 'w> DEL a'),
  'new keys': of(
    'En',
    'w> SET a 1',
    'w> SET a 2',
    'w> MSET a 1 b 1',
    'w> RENAME a c',
    'w> RENAME b c',
    'w> COPY c d',
    'w> COPY c d REPLACE',
    'w> INCR n',
    'w> INCR n',
    'w> APPEND s x',
    'w> SETBIT bits 1 1',
    'w> GETSET g 1',
  ),
  'missed keys': of(
    'Em',
    'w> GET no',
    'w> MGET no also',
    'w> EXISTS no',
    'w> TTL no',
    'w> PTTL no',
    'w> TYPE no',
    'w> STRLEN no',
    'w> GETRANGE no 0 1',
    'w> GETDEL no',
    'w> GETEX no',
    'w> TOUCH no',
    'w> COPY no other',
    'w> GETBIT no 1',
    'w> BITCOUNT no',
    'w> BITPOS no 1',
    'w> OBJECT ENCODING no',
    'w> LCS no also',
    'w> DEL no',
    'w> EXPIRE no 1',
    'w> PERSIST no',
    'w> RENAME no other',
    'w> APPEND no x',
    'w> GETSET other x',
    'w> SET third x GET',
    'w> INCR fourth',
  ),
  databases: of(
    'KEA',
    'w> SELECT 3',
    'w> SET a 1',
    'w> MOVE a 5',
    'w> SELECT 5',
    'w> COPY a b DB 2',
    'w> DEL a',
    'w> SELECT 0',
    'w> SWAPDB 0 2',
    'w> APPEND b x',
    'w> DEL b',
  ),
  transactions: of(
    'KEA',
    'w> MULTI',
    'w> SET a 1',
    'w> INCR a',
    'w> PUBLISH __keyapart__: x',
    'w> DEL a',
    'w> EXEC',
    'w> MULTI',
    'w> SET a 1',
    'w> DISCARD',
  ),
  scripts: of(
    'KEA',
    `w> EVAL "redis.call('set', KEYS[1], 1) redis.call('publish', '__keyx__:', 'm') return redis.call('incr', KEYS[1])" 1 a`,
    `w> EVAL "redis.call('del', KEYS[1]) return redis.error_reply('MINE no')" 1 a`,
  ),
  expiry: of('Exg', 'w> SET a 1 PX 30', 'wait 250', 'w> SET b 1', 'w> PEXPIRE b 40', 'wait 250', 'w> MGET a b'),
  'to itself in RESP3': [
    'w> FLUSHALL',
    's> HELLO 3',
    's> CONFIG SET notify-keyspace-events Eg$',
    's> SUBSCRIBE __keyevent@0__:set __keyevent@0__:del',
    's> SET a 1',
    's> DEL a',
    's> MSET a 1 b 2',
    's> CONFIG SET notify-keyspace-events ""',
  ],
}

describe.skipIf(!hasRedis)('the same conversation', () => {
  let servers: RunningServer[] = []
  let finish: () => void

  beforeAll(async () => {
    const directory = await new Promise<string>(resolve => {
      void withDirectory(path => {
        resolve(path)
        return new Promise<void>(done => {
          finish = done
        })
      })
    })
    servers = await Promise.all([startRedis(directory), startXenon(`${directory}/db`)])
    await Promise.all(servers.map(raiseIds))
  })

  afterAll(async () => {
    for (const server of servers) await server.stop()
    finish?.()
  })

  test.each(Object.keys(CONVERSATIONS))('%s', async name => {
    const [expected, found] = await Promise.all(servers.map(server => transcript(server, CONVERSATIONS[name]!)))
    expect(found).toEqual(expected)
  })
})
