/** What COMMAND INFO and COMMAND DOCS tell of a command is what Redis tells of it. */
import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { commands } from '../../src/server/commands/index.ts'
import { withDirectory } from '../support/directory.ts'
import { hasRedis, startRedis } from './servers.ts'

const OWN = ['backup', 'begin', 'commit', 'compact', 'range', 'rollback', 'watchrange']

test.runIf(hasRedis)('all commands but our own are described as by Redis', () =>
  withDirectory(async directory => {
    const server = await startRedis(directory)
    const redis = new Redis(server.port)
    try {
      const unknown: string[] = []
      for (const {
        name,
        arity,
        flags,
        keys,
        categories,
        summary,
        since,
        group,
        complexity,
      } of commands.values()) {
        const [info] = (await redis.call('COMMAND', 'INFO', name)) as [unknown[] | null]
        if (info === null) {
          unknown.push(name)
          continue
        }
        expect([name, arity, flags.toSorted(), ...keys, categories.toSorted()]).toEqual(
          info.slice(0, 7).map(each => (Array.isArray(each) ? each.toSorted() : each)),
        )
        const [, documented] = (await redis.call('COMMAND', 'DOCS', name)) as [string, string[]]
        for (const [field, value] of Object.entries({ summary, since, group, complexity }))
          expect(documented[documented.indexOf(field) + 1], `${name} ${field}`).toBe(value)
      }
      expect(unknown.toSorted()).toEqual(OWN)
    } finally {
      redis.disconnect()
      await server.stop()
    }
  }),
)
