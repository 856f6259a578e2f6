/** What COMMAND INFO and COMMAND DOCS tell of a command is what Redis 7.0 tells of it. */
import { spawnSync } from 'node:child_process'
import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { commands } from '../../src/server/commands/index.ts'
import { withDirectory } from '../support/directory.ts'
import { startRedis } from './servers.ts'

/** Later ones tell other things of some commands. */
const isRedis70: boolean = spawnSync('redis-server', ['--version'], { encoding: 'utf8' }).stdout?.includes('v=7.0.')

/** What Redis lacks, or has only since a later version. */
const OWN: readonly string[] = [...commands.values()]
  .filter(({ since, summary }) => summary.endsWith('(xenondb)') || since.startsWith('7.2.'))
  .map(({ name }) => name)

test.runIf(isRedis70)('all commands but our own are described as by Redis', () =>
  withDirectory(async directory => {
    const server = await startRedis(directory)
    const redis = new Redis(server.port)
    try {
      const unknown: string[] = []
      for (const { name, arity, flags, keys, categories, summary, since, group, complexity } of commands.values()) {
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
      expect(unknown).toEqual(OWN)
    } finally {
      redis.disconnect()
      await server.stop()
    }
  }),
)
