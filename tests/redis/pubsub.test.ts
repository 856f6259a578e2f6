/** Channels, patterns and shard channels: the same conversations with both servers, byte for byte. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { withDirectory } from '../support/directory.ts'
import { hasRedis, type RunningServer, startRedis, startXenon } from './servers.ts'
import { raiseIds, type Step, transcript } from './transcript.ts'

const CONVERSATIONS: Readonly<Record<string, readonly Step[]>> = {
  'a message reaches those who have subscribed, by channel and by pattern': [
    'a> SUBSCRIBE news "" news',
    'b> PSUBSCRIBE n* *r n[x-z]ws',
    'p> PUBLISH news hello',
    'p> PUBLISH "" nothing',
    'p> PUBLISH other hello',
    'p> PUBLISH n ""',
    'b> PUNSUBSCRIBE n* nobody',
    'p> PUBLISH nyws again',
    'p> PUBLISH news again',
    'a> UNSUBSCRIBE news',
    'p> PUBLISH news gone',
    'a> UNSUBSCRIBE',
    'a> UNSUBSCRIBE',
    'a> GET k',
    'b> PUNSUBSCRIBE *r n[a-e]ws',
    'b> PUNSUBSCRIBE',
    'b> PUNSUBSCRIBE',
    'b> PUNSUBSCRIBE x y',
    'p> PUBLISH news gone',
  ],
  'shard channels are apart': [
    'a> SSUBSCRIBE s t',
    'a> SUBSCRIBE s',
    'b> PSUBSCRIBE *',
    'p> SPUBLISH s shard',
    'p> PUBLISH s plain',
    'p> PUBSUB SHARDNUMSUB s t u',
    'p> PUBSUB SHARDCHANNELS t*',
    'p> PUBSUB CHANNELS',
    'a> SUNSUBSCRIBE s u',
    'a> SUNSUBSCRIBE',
    'a> SUNSUBSCRIBE',
    'p> SPUBLISH s shard',
    'a> GET k',
    'a> UNSUBSCRIBE s',
    'a> GET k',
  ],
  'what PUBSUB tells': [
    'a> SUBSCRIBE one',
    'b> SUBSCRIBE one',
    'b> PSUBSCRIBE o* t*',
    'a> PSUBSCRIBE o*',
    'p> PUBSUB CHANNELS',
    'p> PUBSUB CHANNELS ?ne',
    'p> PUBSUB CHANNELS x*',
    'p> PUBSUB CHANNELS x y',
    'p> PUBSUB NUMSUB',
    'p> PUBSUB NUMSUB one two "" one',
    'p> PUBSUB NUMPAT',
    'p> PUBSUB NUMPAT x',
    'p> PUBSUB SHARDCHANNELS',
    'p> PUBSUB SHARDCHANNELS a b',
    'p> PUBSUB SHARDNUMSUB',
    'p> PUBSUB BOGUS',
    'p> PUBSUB',
    'p> PUBSUB channels O*',
    'p> PUBLISH',
    'p> PUBLISH one',
    'p> PUBLISH one two three',
    'p> SPUBLISH one',
    'p> SUBSCRIBE',
    'p> PSUBSCRIBE',
    'p> SSUBSCRIBE',
    'p> PUBLISH one message',
  ],
  'in RESP2 a subscriber may say little else': [
    'a> SUBSCRIBE c',
    'a> GET k',
    'a> PING',
    'a> PING hello',
    'a> PING a b',
    'a> NOSUCH a b',
    'a> GET',
    'a> PUBLISH c x',
    'a> CLIENT GETNAME',
    'a> CONFIG GET timeout',
    'a> CLIENT',
    'a> MULTI',
    'a> EXEC',
    'a> HELLO 3',
    'a> SSUBSCRIBE s',
    'a> PSUBSCRIBE p*',
    'a> UNSUBSCRIBE',
    'a> SUNSUBSCRIBE',
    'a> ECHO x',
    'a> PUNSUBSCRIBE',
    'a> ECHO x',
    'a> SUBSCRIBE c',
    'a> RESET',
    'a> ECHO x',
    'p> PUBLISH c x',
    'a> SUBSCRIBE c',
    'a> QUIT',
    'p> PUBLISH c x',
  ],
  'in RESP3 a subscriber may say anything': [
    'a> HELLO 3',
    'a> SUBSCRIBE c d',
    'a> PSUBSCRIBE c*',
    'a> SSUBSCRIBE c',
    'a> PING',
    'a> PING hello',
    'a> SET k v',
    'a> GET k',
    'a> PUBLISH c mine',
    'a> SPUBLISH c mine',
    'p> PUBLISH c theirs',
    'a> HELLO 2',
    'p> PUBLISH c theirs',
    'a> GET k',
    'a> UNSUBSCRIBE d',
    'a> UNSUBSCRIBE',
    'a> PUNSUBSCRIBE',
    'a> SUNSUBSCRIBE',
    'a> GET k',
    'a> HELLO 3',
    'a> UNSUBSCRIBE',
    'a> UNSUBSCRIBE x',
    'a> PUNSUBSCRIBE',
    'a> SUNSUBSCRIBE',
    'a> RESET',
  ],
  'in a transaction': [
    'a> SUBSCRIBE c',
    't> MULTI',
    't> PUBLISH c one',
    't> SET k v',
    't> PUBLISH c two',
    't> PUBLISH nobody three',
    't> EXEC',
    't> MULTI',
    't> PUBLISH c never',
    't> DISCARD',
    't> MULTI',
    't> SUBSCRIBE d',
    't> UNSUBSCRIBE',
    't> EXEC',
    't> GET k',
    't> MULTI',
    't> SUBSCRIBE d',
    't> GET k',
    't> EXEC',
    't> GET k',
    't> RESET',
    't> MULTI',
    't> PUBLISH c',
    't> EXEC',
  ],
  'whoever is gone is subscribed no more': [
    'a> SUBSCRIBE c',
    'b> PSUBSCRIBE c',
    'a> QUIT',
    'p> CLIENT KILL ID <b>',
    'wait 50',
    'p> PUBLISH c x',
    'p> PUBSUB NUMSUB c',
    'p> PUBSUB NUMPAT',
    'p> PUBSUB CHANNELS',
  ],
  'CLIENT KILL TYPE': [
    'a> SUBSCRIBE c',
    'n> PING',
    'p> CLIENT KILL TYPE pubsub',
    'p> CLIENT KILL TYPE pubsub',
    'p> PUBLISH c x',
    'n> PING',
  ],
  'bytes of all kinds': ['a> PSUBSCRIBE [a-c]?\\*', 'p> PUBLISH b1* x', 'p> PUBLISH b1x x', 'a> PUNSUBSCRIBE'],
  'the limits of subscribers': [
    'a> CONFIG SET client-output-buffer-limit "pubsub 1mb 100kb"',
    'a> CONFIG SET client-output-buffer-limit "bogus 1mb 100kb 10"',
    'a> CONFIG SET client-output-buffer-limit "pubsub 1xb 100kb 10"',
    'a> CONFIG SET client-output-buffer-limit "pubsub 1mb 100kb -1"',
    'a> CONFIG SET client-output-buffer-limit "pubsub 1mb 100kb 10"',
    'a> CONFIG SET client-output-buffer-limit "pubsub 32mb 8mb 60"',
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
