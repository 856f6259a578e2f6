/** A process is killed while it recovers, again and again: the last one to open still finds everything. */
import { rmSync } from 'node:fs'
import { expect, test } from 'vitest'
import { type OpenOptions, open } from '../../src/index.ts'
import { pause, startChild } from '../support/child.ts'
import { closeQuietly, expectVerified } from '../support/database.ts'
import { withDirectory } from '../support/directory.ts'
import { type Image, readImage, writeImage } from '../support/image.ts'
import { rounds } from '../support/long.ts'
import { expectEqual } from '../support/model.ts'
import { type Random, runs, seeded } from '../support/random.ts'

const KILLS_IN_A_ROW = 4
const KILLS = rounds(2, 4) * KILLS_IN_A_ROW * runs

/** The pool is small, so that recovery itself writes blocks back; no checkpoint shortens the log. */
const options: OpenOptions = {
  durability: 'process',
  cacheBytes: 32 * 4096,
  checkpointBytes: 256 << 20,
  logSegmentBytes: 1 << 20,
}

test(
  `a recovery killed ${KILLS} times loses nothing and leaves no half transaction`,
  () =>
    seeded(random =>
      withDirectory(async parent => {
        const { image, expected } = crash(`${parent}/source`, random)
        const whole = measure(image, `${parent}/measured`)
        const directory = `${parent}/db`
        for (let kill = 0; kill < KILLS; kill++) {
          if (kill % KILLS_IN_A_ROW === 0) {
            rmSync(directory, { recursive: true, force: true })
            writeImage(directory, image)
          }
          await openAndKill(directory, random.below(whole))
          if (kill % KILLS_IN_A_ROW < KILLS_IN_A_ROW - 1) continue
          const db = open(directory, options)
          try {
            expectEqual(db, expected)
            await expectVerified(db, expected.size)
          } finally {
            closeQuietly(db)
          }
        }
      }),
    ),
  60_000 + 3_000 * KILLS,
)

/** What a kill leaves behind after many commits and in the middle of a transaction, and what must be recovered. */
function crash(directory: string, random: Random): { image: Image; expected: Map<string, string> } {
  const expected = new Map<string, string>()
  const db = open(directory, options)
  for (let i = 0; i < 6_000; i++) {
    const key = `record ${random.below(3000)}`
    const value = `${i} `.repeat(random.between(1, 60))
    db.put(key, value)
    expected.set(key, value)
  }
  // A transaction without an end, so large that parts of it have reached the data file.
  const loser = db.begin()
  for (let i = 0; i < 2_000; i++) loser.put(`record ${i}`, 'never committed')
  const image = readImage(directory)
  db.close()
  return { image, expected }
}

/** Milliseconds that a recovery takes. */
function measure(image: Image, directory: string): number {
  writeImage(directory, image)
  const started = performance.now()
  const db = open(directory, options)
  const milliseconds = performance.now() - started
  expect(db.stats().recovery.needed).toBe(true)
  expect(db.stats().recovery.transactionsRolledBack).toBe(1)
  db.close()
  return Math.max(2, Math.round(milliseconds))
}

async function openAndKill(directory: string, delay: number): Promise<void> {
  const child = startChild('support/opener.mjs', [directory, JSON.stringify(options)])
  try {
    await child.firstLine
    await pause(delay)
  } finally {
    child.kill()
  }
  await child.ended
}
