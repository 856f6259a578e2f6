/** A process is killed while it recovers, again and again: the last one to open still finds everything. */
import { expect, test } from 'vitest'
import { type OpenOptions, open } from '../../src/index.ts'
import { pause, startChild } from '../support/child.ts'
import { closeQuietly, expectVerified } from '../support/database.ts'
import { withDirectory } from '../support/directory.ts'
import { readImage, writeImage } from '../support/image.ts'
import { expectEqual } from '../support/model.ts'
import { runs, seeded } from '../support/random.ts'

const KILLS = 16 * runs
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
        const expected = new Map<string, string>()
        const crashed = `${parent}/crashed`
        const source = open(`${parent}/source`, options)
        for (let i = 0; i < 12_000; i++) {
          const key = `record ${random.below(4000)}`
          const value = `${i} `.repeat(random.between(1, 60))
          source.put(key, value)
          expected.set(key, value)
        }
        // A transaction without an end, so large that parts of it have reached the data file.
        const loser = source.begin()
        for (let i = 0; i < 3_000; i++) loser.put(`record ${i}`, 'never committed')
        source.flush().catch(() => {})
        writeImage(crashed, readImage(`${parent}/source`))
        loser.rollback()
        source.close()

        const whole = await measure(crashed, `${parent}/measured`)
        for (let kill = 0; kill < KILLS; kill++) {
          const child = startChild('support/opener.mjs', [crashed, JSON.stringify(options)])
          await child.firstLine
          await pause(random.below(whole))
          child.kill()
          await child.ended
          // Once a recovery was faster than its kill, begin with a crash again.
          if ((await child.ended).lines.length > 1)
            writeImage(crashed, readImage(`${parent}/measured-source`))
        }
        const db = open(crashed, options)
        try {
          expectEqual(db, expected)
          await expectVerified(db, expected.size)
        } finally {
          closeQuietly(db)
        }
      }),
    ),
  60_000 + 3_000 * KILLS,
)

/** Milliseconds that the recovery of a copy takes. */
async function measure(crashed: string, copy: string): Promise<number> {
  writeImage(copy, readImage(crashed))
  writeImage(`${copy}-source`, readImage(crashed))
  const started = performance.now()
  const db = open(copy, options)
  const milliseconds = performance.now() - started
  expect(db.stats().recovery.needed).toBe(true)
  expect(db.stats().recovery.transactionsRolledBack).toBe(1)
  db.close()
  return Math.max(2, milliseconds)
}
