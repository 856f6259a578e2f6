/** Salvage of closed databases with damaged blocks: everything outside of them is rescued, and nothing is invented. */
import { describe, expect, test, vi } from 'vitest'
import { isBlank } from '../../src/pager/blank.ts'
import { Metadata } from '../../src/pager/metadata.ts'
import { nodeStorage } from '../../src/storage/node.ts'
import { copyImage, type Image } from '../support/image.ts'
import { firstDifference, type Records } from '../support/model.ts'
import { type Random, runs, runTimeout, seeded } from '../support/random.ts'
import { BLOCK, blocksOf, expectOutcome, layoutOf, rich, smash } from './damage.ts'
import { expectComplete, salvaged } from './salvaging.ts'

vi.setConfig({ testTimeout: runTimeout })

describe('one damaged block', () => {
  for (const [use, what] of [
    ['bucket', 'index'],
    ['directory', 'index'],
    ['bucket', 'bucket'],
    ['directory', 'directory'],
    ['bucket', 'overflow'],
    ['large', 'large value'],
  ] as const) {
    test(`that is a ${use} used as ${what} costs what it holds, and no more`, () =>
      seeded(async random => {
        const { closed, records } = rich(random, {}, what === 'directory')
        const layout = layoutOf(closed)
        const blocks = [...layout.uses].filter(([, found]) => found.kind === use && found.use === what)
        expect(blocks.length, `there is no ${use} used as ${what}`).toBeGreaterThan(0)
        for (const [block, { keys }] of random.shuffle(blocks).slice(0, 6 * runs)) {
          const damaged = copyImage(closed)
          smash(damaged, block, random)
          const { report, records: found } = await salvaged(damaged)
          if (report.blocks.rebuilt > 0) {
            expect(firstDifference(found, records)).toBeUndefined()
            continue
          }
          expectOutcome(found, records, keys)
          expect(report.damagedBlocks).toMatchObject({ count: 1, first: [{ block, use: what }] })
          expect(report.damagedBlocks.first[0]!.reason).toMatch(/checksum/)
          expect(report.complete).toBe(keys.size === 0 && use === 'large')
          if (use === 'large') expect(report.lostKeys.first.map(({ key }) => key)).toEqual([...keys])
          else expect(report.gaps.first).toMatchObject([{ block }])
          expect(report.expectedRecords).toBe(records.size)
          expect(report.records).toBe(records.size - keys.size)
        }
      }))
  }

  test('that is free costs nothing', () =>
    seeded(async random => {
      const { closed, records } = rich(random)
      const free = [...layoutOf(closed).uses].filter(([, { use }]) => use === 'free')
      expect(free.length).toBeGreaterThan(0)
      for (const [block] of random.shuffle(free).slice(0, 6)) {
        const damaged = copyImage(closed)
        smash(damaged, block, random)
        const { report, records: found } = await salvaged(damaged)
        expect(firstDifference(found, records)).toBeUndefined()
        expectComplete(report)
        if (report.blocks.rebuilt === 0) expect(report.damagedBlocks).toMatchObject({ count: 1, first: [{ block }] })
      }
    }))
})

describe('block 0', () => {
  for (const [name, sectors, expected] of [
    ['one copy of the state', [1], { complete: true, block0: { state: 'one copy damaged' } }],
    ['the other copy of the state', [2], { complete: true, block0: { state: 'one copy damaged' } }],
    ['both copies of the state', [1, 2], { complete: false, block0: { state: 'lost' } }],
    ['the identity', [0], { complete: true, block0: { identity: 'rebuilt', state: 'sound' } }],
    ['all of it', [0, 1, 2], { complete: false, block0: { identity: 'rebuilt', state: 'lost' } }],
  ] as const) {
    for (const state of ['closed', 'crashed'] as const) {
      test(`without ${name} every record is rescued (${state} database)`, () =>
        seeded(async random => {
          for (const blockSize of [4096, 16384]) {
            const whole = rich(random, { blockSize })
            const damaged = copyImage(whole[state])
            for (const sector of sectors) damaged.get('data')!.fill(0xa5, 512 * sector, 512 * (sector + 1))
            const { report, records: found } = await salvaged(damaged)
            expect(firstDifference(found, whole.records)).toBeUndefined()
            expect(report).toMatchObject(expected)
            expect(report.blockSize).toBe(blockSize)
          }
        }))
    }
  }

  test('without the identity, a bucket that is gone costs what it holds', () =>
    seeded(async random => {
      const { closed, records } = rich(random)
      const layout = layoutOf(closed)
      const buckets = [...layout.uses].filter(([, { kind }]) => kind === 'bucket')
      const [block, { keys }] = random.pick(buckets)
      const damaged = copyImage(closed)
      damaged.get('data')!.fill(0, 0, 512)
      smash(damaged, block, random)
      const { report, records: found } = await salvaged(damaged)
      expectOutcome(found, records, keys, report.blocks.rebuilt)
      expect(report.complete).toBe(report.blocks.rebuilt === 1)
    }))
})

describe('a data file that was cut off', () => {
  test('gives the records of what is left', () =>
    seeded(async random => {
      const { closed, records } = rich(random)
      const { uses } = layoutOf(closed)
      for (let i = 0; i < 8 * runs; i++) {
        const size = random.between(2 * BLOCK, closed.get('data')!.length)
        const damaged: Image = copyImage(closed)
        damaged.set('data', closed.get('data')!.slice(0, size))
        const { report, records: found } = await salvaged(damaged)
        const lost = new Set(
          [...uses].filter(([block]) => (block + 1) * BLOCK > size).flatMap(([, { keys }]) => [...keys]),
        )
        expectOutcome(found, records, lost, report.blocks.rebuilt)
        expect(report.complete).toBe(found.size === records.size && report.gaps.count === 0)
      }
    }))
})

describe('several damaged blocks', () => {
  test('cost what they hold together, whatever they are', () =>
    seeded(async random => {
      for (let run = 0; run < 30 * runs; run++) {
        const { closed, records } = run % 10 === 0 ? rich(random) : last!
        last = { closed, records }
        await several(closed, records, random, run)
      }
    }))
})

let last: { closed: Image; records: Records<string> } | undefined

async function several(closed: Image, records: Records<string>, random: Random, run: number): Promise<void> {
  const { uses } = layoutOf(closed)
  const { blank } = Metadata.decode(closed.get('data')!, 'data', nodeStorage)
  const damaged = copyImage(closed)
  const lost = new Set<string>()
  const share = random.pick([0.002, 0.02, 0.2, 0.9])
  const smashed: number[] = []
  for (let block = 1; block < blocksOf(closed); block++) {
    if (!random.chance(share) || isBlank(blank, block)) continue
    smash(damaged, block, random)
    smashed.push(block)
    for (const key of uses.get(block)?.keys ?? []) lost.add(key)
  }
  const { report, records: found } = await salvaged(damaged)
  try {
    expectOutcome(found, records, lost, report.blocks.rebuilt)
  } catch (error) {
    if (error instanceof Error) error.message = `run ${run}, blocks ${smashed.slice(0, 20)}: ${error.message}`
    throw error
  }
  expect(report.damagedBlocks.count + report.blocks.rebuilt).toBe(smashed.length)
  for (const { block } of report.damagedBlocks.first) expect(smashed).toContain(block)
  expect(report.complete).toBe(found.size === records.size && report.gaps.count === 0)
}
