/** Scripts: the same answers as from redis-server 7.0, types and texts of errors too, in RESP2 and RESP3. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { withDirectory } from '../support/directory.ts'
import { runs, runTimeout, seeded } from '../support/random.ts'
import { Pair } from './compare.ts'
import { randomScript } from './random-scripts.ts'
import { SCRIPTS } from './scripts.ts'
import { hasRedis, NO_REDIS, type RunningServer, startRedis, startXenon } from './servers.ts'
import type { Command } from './wire.ts'

if (!hasRedis) console.log(NO_REDIS)

describe.skipIf(!hasRedis)('scripts', () => {
  let redis: RunningServer
  let xenon: RunningServer
  let finish: () => void

  beforeAll(async () => {
    const directory = await new Promise<string>(ready => {
      void withDirectory(path => {
        ready(path)
        return new Promise<void>(resolve => {
          finish = resolve
        })
      })
    })
    redis = await startRedis(directory)
    xenon = await startXenon(`${directory}/db`, '--durability', 'none')
  })

  afterAll(async () => {
    await redis?.stop()
    await xenon?.stop()
    finish?.()
  })

  /** Lua 5.4 knows the names of other variables than 5.1 does. */
  const nameless = (reply: string): string =>
    reply.replaceAll(/(?:local|global|field|upvalue|method) '[^']*' \((an? \w+ value)\)/g, '$1')

  const compareAll = async (protocol: 2 | 3, commands: readonly Command[]): Promise<void> => {
    const pair = await Pair.open(redis, xenon, protocol)
    const differences: unknown[] = []
    try {
      await pair.send([['FLUSHALL']])
      for (const command of commands) {
        const difference = await pair.send([command])
        if (difference !== undefined) differences.push(difference)
      }
    } finally {
      pair.close()
    }
    expect(differences).toEqual([])
  }

  test(
    'random scripts',
    () =>
      seeded(async random => {
        const pair = await Pair.open(redis, xenon, 2)
        try {
          await pair.send([['FLUSHALL']])
          for (let i = 0; i < 1500 * runs; i++) {
            const script = randomScript(random)
            const [difference] = await pair.differ([['EVAL', script, '0']], nameless)
            if (difference !== undefined) throw new Error(`${script}\n${difference.expected}\n${difference.found}`)
          }
        } finally {
          pair.close()
        }
      }),
    runTimeout,
  )

  test.each([2, 3] as const)('every script of the list, in RESP%i', async protocol => {
    await compareAll(
      protocol,
      SCRIPTS.map(script => ['EVAL', ...script]),
    )
  })
})
