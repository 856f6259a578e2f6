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
        const commands = Array.from({ length: 2000 * runs }, () => ['EVAL', randomScript(random), '0'])
        await compareAll(2, commands)
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
