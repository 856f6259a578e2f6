/** Whether the campaign would notice: each rule of the engine is switched off in turn, and a crash must show it. */

import { expect, test } from 'vitest'
import { openOn } from '../../src/database/open.ts'
import { nodeStorage } from '../../src/storage/node.ts'
import { FaultDisk } from '../../src/testing/fault.ts'
import { type MutantName, mutantNames, withMutant } from '../../src/testing/mutants.ts'
import { Random } from '../../src/testing/random.ts'
import { rounds } from '../support/long.ts'
import { CrashFailure, crashEverywhere, Tally } from './campaign/campaign.ts'
import { scan } from './campaign/examine.ts'
import { record } from './campaign/plan.ts'
import { workloads } from './campaign/workloads.ts'

/** The workloads in which a missing rule shows first; the others are tried when these do not notice. */
const first: Partial<Record<MutantName, string>> = {
  'no sync at commit': 'log used again, commit by commit',
  'no sync at creation': 'creation',
  'write-ahead rule off': 'larger than the pool',
  'block images off': 'checkpoints',
  'images not synced': 'images go round',
  'images used again too early': 'images go round',
  'images ahead of the log': 'hot blocks',
  'stale images': 'hot blocks',
  'no sync at checkpoint': 'checkpoints',
  'metadata without sync': 'log used again',
  'log reuse without new salt': 'log used again, commit by commit',
  'no undo': 'larger than the pool',
  'tree change not logged': 'ordered index',
  'no sync aside of the blocks': 'checkpoints aside',
  'no sync aside of block 0': 'checkpoints aside',
  'no sync aside of the log': 'commits aside',
  'commits share a sync that has begun': 'commits aside',
  'overtaken checkpoint goes on': 'overtaken checkpoints',
  'block 0 ahead of the log': 'records come and go aside',
  'written blocks called blank': 'checkpoints',
  'pending head not restored': 'savepoints with large values',
  'list of key spaces not logged': 'key spaces',
  'cleared blocks freed twice': 'clear and drop by blocks',
  'no keepOnly after a crash': 'a log of several segments',
  'log checksum off': 'creation',
  'index not updated on replace': 'indexes',
  'mark outside the commit': 'groups with marks',
}
const SEEDS = 4
const TIMEOUT_MS = 300_000

/** In the control run every n-th crash point is tried. */
const CONTROL_STRIDE = rounds(110, 22)

test('the campaign finds nothing in the engine as it is, so that a mutant dies of its own', async () => {
  const tally = new Tally()
  for (const { name } of workloads) await crashEverywhere(await record(name, 1), 1, tally, { stride: CONTROL_STRIDE })
  expect(tally.images).toBeGreaterThan(rounds(200, 1000))
  console.log(`without a mutant: ${tally.images} images survived`)
})

for (const name of mutantNames.filter(mutant => mutant !== 'no log' && mutant !== 'block checksum off')) {
  test(
    `the campaign kills the mutant '${name}'`,
    async () => {
      const tally = new Tally()
      const death = await withMutant(name, () => attack(name, tally))
      expect(death, `survived ${tally.images} images`).toBeDefined()
      console.log(`mutant '${name}' died after ${tally.images} images: ${death!.split('\n')[0]}`)
    },
    TIMEOUT_MS,
  )
}

test("flipped bits kill the mutant 'block checksum off', and are all noticed without it", async () => {
  const noticed = await flips(400)
  expect(noticed.wrong).toBe(0)
  expect(noticed.detected).toBeGreaterThan(0)
  const mutant = await withMutant('block checksum off', () => flips(400))
  expect(mutant.wrong).toBeGreaterThan(0)
  console.log(`mutant 'block checksum off': ${mutant.wrong} of 400 flipped bits changed a record in silence`)
})

const attack = async (name: MutantName, tally: Tally): Promise<string | undefined> => {
  const names = workloads.map(workload => workload.name)
  const preferred = first[name]
  const order = preferred === undefined ? names : [preferred, ...names.filter(other => other !== preferred)]
  // Some show late in a recording: first a walk through all of it in long steps.
  return (await crashes(order.slice(0, 1), tally, 9)) ?? (await crashes(order, tally, 1))
}

const crashes = async (names: readonly string[], tally: Tally, stride: number): Promise<string | undefined> => {
  for (const workload of names) {
    for (let seed = 1; seed <= SEEDS; seed++) {
      try {
        await crashEverywhere(await record(workload, seed), seed, tally, { stride })
      } catch (error) {
        // An engine without the rule may also break down while it records.
        return `${workload}: ${error instanceof CrashFailure ? '' : 'in the workload: '}${(error as Error).message}`
      }
    }
  }
  return undefined
}

/** Flips one bit of the data file of a closed database at a time, in blocks that hold records. */
const flips = async (count: number): Promise<{ detected: number; wrong: number }> => {
  const random = new Random(11)
  const disk = new FaultDisk({ seed: 11, crc32: nodeStorage.crc32 })
  const db = openOn('db', { storage: disk.storage, cacheBytes: 65536, logSegmentBytes: 131072 }, disk.storage)
  const records = new Map(Array.from({ length: 900 }, (_, i) => [`key ${i}`, `${i}`.repeat(100)] as const))
  db.batch([...records].map(([key, value]) => ({ type: 'put', key, value })))
  db.close()
  const bits = 8 * disk.bytes('db/data').length
  let detected = 0
  let wrong = 0
  for (let i = 0; i < count; i++) {
    const copy = disk.kill(random)
    copy.flip('db/data', 8 * 4096 + random.below(bits - 8 * 4096))
    try {
      const found = scan(
        openOn('db', { storage: copy.storage, cacheBytes: 65536, logSegmentBytes: 131072 }, copy.storage),
      )
      const same = found.size === records.size && [...records].every(([key, value]) => found.get(key) === value)
      if (!same) wrong++
    } catch {
      detected++
    }
  }
  return { detected, wrong }
}
