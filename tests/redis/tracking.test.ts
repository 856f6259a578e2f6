/** CLIENT TRACKING: the same conversations with both servers, byte for byte. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { withDirectory } from '../support/directory.ts'
import { hasRedis, type RunningServer, startRedis, startXenon } from './servers.ts'
import { raiseIds, type Step, transcript } from './transcript.ts'

const CONVERSATIONS: Readonly<Record<string, readonly Step[]>> = {
  'a client is told once of each key that it has read': [
    'w> MSET a 1 b 2 c 3',
    'r> HELLO 3',
    'r> CLIENT TRACKING ON',
    'r> CLIENT TRACKINGINFO',
    'r> CLIENT GETREDIR',
    'r> GET a',
    'r> MGET b c nobody',
    'w> SET a 2',
    'w> SET a 3',
    'w> SET other 1',
    'w> DEL b',
    'w> SET nobody 1',
    'w> EXPIRE c 100',
    'r> GET a',
    'r> TTL c',
    'r> STRLEN nobody',
    'r> EXISTS x y',
    'w> SET a 1',
    'w> SET x 1',
    'w> APPEND c x',
    'w> RENAME nobody y',
    'r> SET a 9',
    'r> GET a',
    'r> SET a 10',
    'r> GET a',
    'r> INCR a',
    'w> PERSIST a',
    'r> GET a',
    'r> CLIENT TRACKING OFF',
    'w> SET a 1',
    'r> CLIENT TRACKINGINFO',
    'r> CLIENT GETREDIR',
  ],
  'NOLOOP leaves out what the client has changed itself': [
    'r> HELLO 3',
    'r> CLIENT TRACKING ON NOLOOP',
    'r> CLIENT TRACKINGINFO',
    'r> GET a',
    'r> SET a 1',
    'r> GET a',
    'w> SET a 2',
  ],
  'OPTIN and OPTOUT': [
    'r> HELLO 3',
    'r> CLIENT CACHING YES',
    'r> CLIENT TRACKING ON OPTIN',
    'r> GET a',
    'w> SET a 1',
    'r> CLIENT CACHING NO',
    'r> CLIENT CACHING maybe',
    'r> CLIENT CACHING YES',
    'r> CLIENT TRACKINGINFO',
    'r> GET a',
    'r> CLIENT TRACKINGINFO',
    'r> GET b',
    'w> SET b 1',
    'w> SET a 2',
    'r> CLIENT CACHING YES',
    'r> MULTI',
    'r> GET a',
    'r> GET b',
    'r> EXEC',
    'w> SET a 3',
    'w> SET b 3',
    'r> CLIENT TRACKING ON OPTOUT',
    'r> CLIENT TRACKING OFF',
    'r> CLIENT TRACKING ON OPTOUT',
    'r> CLIENT TRACKINGINFO',
    'r> CLIENT CACHING YES',
    'r> CLIENT CACHING NO',
    'r> CLIENT TRACKINGINFO',
    'r> GET a',
    'w> SET a 4',
    'r> GET a',
    'w> SET a 5',
  ],
  broadcasting: [
    'r> HELLO 3',
    'r> CLIENT TRACKING ON BCAST PREFIX user: PREFIX item:',
    'r> CLIENT TRACKINGINFO',
    'w> SET user:1 x',
    'w> SET item:1 x',
    'w> SET other x',
    'w> MSET user:2 x user:1 x item:2 x',
    'w> DEL user:1 nobody',
    'r> SET user:3 x',
    'r> CLIENT TRACKING ON BCAST PREFIX more:',
    'r> CLIENT TRACKING ON BCAST PREFIX user:1',
    'r> CLIENT TRACKING ON BCAST PREFIX use',
    'w> SET more:1 x',
    'r> CLIENT TRACKING ON',
    'r> CLIENT TRACKING OFF',
    'w> SET user:1 x',
    'r> CLIENT TRACKING ON BCAST NOLOOP',
    'r> CLIENT TRACKINGINFO',
    'r> SET any x',
    'w> SET any x',
    'w> MULTI',
    'w> SET a 1',
    'w> SET b 1',
    'w> EXEC',
  ],
  'redirected to a subscriber in RESP2': [
    's> CLIENT TRACKING OFF',
    's> SUBSCRIBE __redis__:invalidate',
    'r> CLIENT TRACKING ON REDIRECT <s>',
    'r> CLIENT GETREDIR',
    'r> CLIENT TRACKINGINFO',
    'r> GET a',
    'w> SET a 1',
    'r> GET a',
    'r> SET a 2',
    'w> FLUSHALL',
    'r> CLIENT TRACKING OFF',
    'r> CLIENT TRACKING ON BCAST REDIRECT <s> PREFIX k',
    'w> MSET k1 a k2 b',
  ],
  'redirected to nobody': [
    's> HELLO 3',
    'r> HELLO 3',
    'r> CLIENT TRACKING ON REDIRECT <s>',
    'r> GET a',
    'w> SET a 1',
    'r> GET a',
    's> QUIT',
    'wait 50',
    'w> SET a 2',
    'r> CLIENT TRACKINGINFO',
    'r> CLIENT GETREDIR',
    'r> CLIENT TRACKING ON REDIRECT 99999999',
  ],
  'in RESP2 nothing is pushed': [
    'r> CLIENT TRACKING ON',
    'r> GET a',
    'w> SET a 1',
    'r> CLIENT TRACKING ON BCAST',
    'r> CLIENT TRACKINGINFO',
  ],
  'what is flushed': [
    'r> HELLO 3',
    'b> HELLO 3',
    'w> MSET a 1 b 2',
    'r> CLIENT TRACKING ON',
    'b> CLIENT TRACKING ON BCAST',
    'r> GET a',
    'w> FLUSHALL',
    'w> SET a 1',
    'r> GET a',
    'w> FLUSHDB',
    'w> FLUSHDB',
    'r> GET a',
    'r> FLUSHALL',
    'w> SET a 1',
  ],
  'what has expired': [
    'r> HELLO 3',
    'w> SET a 1 PX 50',
    'r> CLIENT TRACKING ON',
    'r> GET a',
    'wait 300',
    'r> GET a',
    'w> SET a 2',
  ],
  transactions: [
    'r> HELLO 3',
    'r> CLIENT TRACKING ON',
    'w> MSET a 1 b 1',
    'r> MGET a b',
    'w> MULTI',
    'w> SET a 2',
    'w> SET a 3',
    'w> EXEC',
    'r> MULTI',
    'r> GET a',
    'r> SET a 4',
    'r> EXEC',
    'w> SET a 5',
  ],
  scripts: [
    'r> HELLO 3',
    'r> CLIENT TRACKING ON',
    'w> SET a 1',
    `r> EVAL "return redis.call('get', KEYS[1])" 1 a`,
    'w> SET a 2',
    `r> EVAL_RO "return redis.call('get', KEYS[1])" 1 a`,
    `w> EVAL "redis.call('set', KEYS[1], 3) return redis.call('incr', KEYS[1])" 1 a`,
    'r> GET a',
    `r> EVAL "redis.call('set', KEYS[1], 5)" 1 a`,
    'w> SET a 6',
  ],
  'RESET ends it': ['r> HELLO 3', 'r> CLIENT TRACKING ON BCAST', 'r> RESET', 'r> CLIENT TRACKINGINFO', 'w> SET a 1'],
  'wrong options': [
    'r> CLIENT TRACKING',
    'r> CLIENT TRACKING maybe',
    'r> CLIENT TRACKING ON bogus',
    'r> CLIENT TRACKING ON PREFIX a',
    'r> CLIENT TRACKING ON PREFIX',
    'r> CLIENT TRACKING ON BCAST OPTIN',
    'r> CLIENT TRACKING ON OPTIN OPTOUT',
    'r> CLIENT TRACKING ON REDIRECT x',
    'r> CLIENT TRACKING ON REDIRECT 0',
    'r> CLIENT TRACKING ON BCAST PREFIX ab PREFIX abc',
    'r> CLIENT TRACKING ON BCAST PREFIX ab PREFIX ab',
    'r> CLIENT TRACKING ON REDIRECT <r> REDIRECT <r>',
    'r> CLIENT CACHING',
    'r> CLIENT GETREDIR x',
    'r> CLIENT TRACKINGINFO x',
    'r> CLIENT TRACKING OFF',
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
    const steps = ['w> FLUSHALL', ...CONVERSATIONS[name]!]
    const [expected, found] = await Promise.all(servers.map(server => transcript(server, steps)))
    expect(found).toEqual(expected)
  })
})
