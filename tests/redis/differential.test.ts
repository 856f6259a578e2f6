/**
 * The same random commands to redis-server and to `xenondb serve`: the same answers, types and error texts.
 * `XENON_RUNS=10` runs longer; `XENON_SEED` replays a failure.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { withDirectory } from '../support/directory.ts'
import { rounds } from '../support/long.ts'
import { firstSeed, Random, runs, runTimeout } from '../support/random.ts'
import { randomBitCommand } from './bit-commands.ts'
import { randomCommand } from './commands.ts'
import { compareStream, type Difference } from './compare.ts'
import { randomDatabaseCommand } from './database-commands.ts'
import { hasRedis, NO_REDIS, type RunningServer, startRedis, startXenon } from './servers.ts'
import type { Command } from './wire.ts'

let redis: RunningServer
let finish: () => void
let directory: string

if (!hasRedis) console.log(NO_REDIS)

describe.skipIf(!hasRedis)('differential', () => {
  beforeAll(async () => {
    await new Promise<void>(ready => {
      void withDirectory(path => {
        directory = path
        ready()
        return new Promise<void>(resolve => {
          finish = resolve
        })
      })
    })
    redis = await startRedis(directory)
  })

  afterAll(async () => {
    await redis?.stop()
    finish?.()
  })

  test('two redis-servers answer alike', async () => {
    const other = await startRedis(directory)
    try {
      await compare(other, 10, 200)
    } finally {
      await other.stop()
    }
  })

  test('so does one whose commits survive power loss', async () => {
    const xenon = await startXenon(`${directory}/durable`)
    try {
      await compare(xenon, 4, 200)
    } finally {
      await xenon.stop()
    }
  })

  test(
    'xenondb answers as Redis does',
    async () => {
      const xenon = await startXenon(`${directory}/db`, '--durability', 'none')
      try {
        await compare(xenon, rounds(50, 150) * runs, 300)
      } finally {
        await xenon.stop()
      }
    },
    runTimeout,
  )

  test('so it does for commands on bits', async () => {
    // The longest value is the same then.
    const other = await startRedis(directory, '--proto-max-bulk-len', '16mb')
    const xenon = await startXenon(`${directory}/bits`, '--durability', 'none')
    try {
      await compare(xenon, rounds(20, 60) * runs, 300, { from: other, make: randomBitCommand })
    } finally {
      await other.stop()
      await xenon.stop()
    }
  })

  test(
    'several databases, with transactions, bits and scripts',
    async () => {
      const other = await startRedis(directory, '--proto-max-bulk-len', '16mb')
      const xenon = await startXenon(`${directory}/databases`, '--durability', 'none')
      try {
        await compare(xenon, rounds(20, 50) * runs, 300, { from: other, make: randomDatabaseCommand })
      } finally {
        await other.stop()
        await xenon.stop()
      }
    },
    runTimeout,
  )
})

async function compare(
  tested: RunningServer,
  streams: number,
  length: number,
  { from = redis, make = randomCommand }: { from?: RunningServer; make?: (random: Random) => Command } = {},
): Promise<void> {
  const first = firstSeed()
  const differences: (Difference & { seed: number })[] = []
  for (let seed = first; seed < first + streams && differences.length < 10; seed++) {
    const difference = await compareStream(from, tested, new Random(seed), length, seed % 2 === 0 ? 2 : 3, make)
    if (difference !== undefined) differences.push({ ...difference, seed })
  }
  const report = differences.map(
    ({ seed, command, expected, found, before }) =>
      `XENON_SEED=${seed}: ${command}\n  redis ${expected}\n  found ${found}\n    ${before.join('\n    ')}`,
  )
  expect(report.join('\n\n')).toBe('')
}
