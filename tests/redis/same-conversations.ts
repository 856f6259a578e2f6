/** Conversations of several connections with redis-server and with `xenondb serve`, which must be the same byte for byte. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { withDirectory } from '../support/directory.ts'
import { hasRedis, type RunningServer, startRedis, startXenon } from './servers.ts'
import { raiseIds, type Step, transcript } from './transcript.ts'

/** A test for each of them, by its name; `opening` comes before every one. */
export const sameConversations = (
  conversations: Readonly<Record<string, readonly Step[]>>,
  opening: readonly Step[] = [],
): void => {
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

    test.each(Object.keys(conversations))('%s', async name => {
      const steps = [...opening, ...conversations[name]!]
      const [expected, found] = await Promise.all(servers.map(server => transcript(server, steps)))
      expect(found).toEqual(expected)
    })
  })
}
