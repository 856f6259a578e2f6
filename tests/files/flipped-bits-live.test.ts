/**
 * Flipped bits in the files of a database that was not closed, as a crash leaves them: the log is needed. Every bit is
 * detected or harmless, but for one limit: damage to the very last synced commit looks like a write that was torn.
 */
import { describe, expect, test, vi } from 'vitest'
import { segments } from '../support/image.ts'
import { rounds } from '../support/long.ts'
import { type Random, runs, runTimeout, seeded } from '../support/random.ts'
import { Flips } from './flips.ts'
import { type Group, groupsOf, unwitnessed } from './groups.ts'
import { BLOCK, blockOfEachKind, metadataIn, type Small, smallOptions, smallSample, writtenByte } from './small.ts'

vi.setConfig({ testTimeout: runTimeout })

const RANDOM_FLIPS = rounds(600, 3_000) * runs
/** Of the bits that are tried one after the other, every so manieth. */
const STEP = rounds(9, 1)

interface Live extends Small {
  groups: Group[]
  /** The groups that nothing vouches for. */
  last: Set<Group>
}

async function liveSample(random: Random): Promise<Live> {
  const small = await smallSample(random)
  const { redoLsn, logLsn } = metadataIn(small.live)
  const groups = groupsOf(small.live, redoLsn)
  const last = unwitnessed(groups, redoLsn, logLsn)
  expect(new Set(groups.map(group => group.segment)).size).toBe(2)
  expect(groups.length).toBeGreaterThan(10)
  // In this sample the last commit is one group.
  expect([...last]).toEqual([groups.at(-1)])
  return { ...small, groups, last }
}

describe('in a database that was not closed', () => {
  test('every bit of the identity and bits of both states are detected or harmless', () =>
    seeded(async random => {
      const { live, liveRecords: records } = await liveSample(random)
      const identity = new Flips(live)
      for (let bit = 0; bit < 512 * 8; bit += STEP) await identity.flip('data', bit >> 3, bit & 7, { records })
      expect(identity.counts).toEqual({ rejected: Math.ceil(4096 / STEP), reported: 0, harmless: 0, lostTail: 0 })
      const states = new Flips(live)
      for (let bit = 512 * 8; bit < 1536 * 8; bit += 9 * STEP) await states.flip('data', bit >> 3, bit & 7, { records })
      expect(states.counts.lostTail).toBe(0)
      console.info('block 0 of a live database:', identity.total, states.counts)
    }))

  test('bits of the header of a block of each kind are detected or harmless', () =>
    seeded(async random => {
      const { live, liveRecords: records } = await liveSample(random)
      const flips = new Flips(live)
      const blocks = Object.values(blockOfEachKind(live))
      expect(blocks.length).toBeGreaterThanOrEqual(5)
      for (const block of blocks)
        for (let bit = 0; bit < 32 * 8; bit += 2 * STEP)
          await flips.flip('data', block * BLOCK + (bit >> 3), bit & 7, { records })
      expect(flips.counts.lostTail).toBe(0)
      expect(flips.total).toBe(Math.ceil(128 / STEP) * blocks.length)
      console.info(`headers of ${blocks.length} blocks of a live database:`, flips.counts)
    }))

  test('bits of a segment header are harmless, since it has a copy', () =>
    seeded(async random => {
      const { live, liveRecords: records } = await liveSample(random)
      const flips = new Flips(live)
      for (const name of segments(live))
        for (const copy of [0, 256])
          for (let bit = 0; bit < 64 * 8; bit += STEP) await flips.flip(name, copy + (bit >> 3), bit & 7, { records })
      expect(flips.counts).toMatchObject({ rejected: 0, lostTail: 0 })
      console.info('segment headers of a live database:', flips.counts)
    }))

  test('every bit of a group header is detected, but for those of the last commit', () =>
    seeded(async random => {
      const { live, liveRecords: records, beforeLast, groups, last } = await liveSample(random)
      const witnessed = new Flips(live)
      const tail = new Flips(live)
      for (const group of groups) {
        const isLast = last.has(group)
        for (let bit = 0; bit < 32 * 8; bit += STEP) {
          const flips = isLast ? tail : witnessed
          const expected = isLast ? { records, earlier: [beforeLast] } : { records }
          await flips.flip(group.segment, group.from + (bit >> 3), bit & 7, expected)
        }
      }
      expect(witnessed.counts).toEqual({
        rejected: Math.ceil(256 / STEP) * (groups.length - 1),
        reported: 0,
        harmless: 0,
        lostTail: 0,
      })
      expect(tail.counts).toEqual({ rejected: 0, reported: 0, harmless: 0, lostTail: Math.ceil(256 / STEP) })
      console.info(`headers of ${groups.length} groups of a live log:`, witnessed.counts, 'the last:', tail.counts)
    }))

  test(`${RANDOM_FLIPS} random bits of the log are detected or harmless, but for the last commit`, () =>
    seeded(async random => {
      const { live, liveRecords: records, beforeLast, groups, last } = await liveSample(random)
      const needed = new Flips(live)
      const tail = new Flips(live)
      const elsewhere = new Flips(live)
      for (let i = 0; i < RANDOM_FLIPS; i++) {
        if (i % 5 === 0) {
          const name = random.pick(segments(live))
          const byte = random.below(live.get(name)!.length)
          const group = groups.find(({ segment, from, to }) => segment === name && from <= byte && byte < to)
          const isLast = group !== undefined && last.has(group)
          const flips = isLast ? tail : group ? needed : elsewhere
          await flips.flip(name, byte, random.below(8), isLast ? { records, earlier: [beforeLast] } : { records })
          continue
        }
        const group = random.pick(groups)
        const isLast = last.has(group)
        const byte = random.between(group.from, group.to - 1)
        const expected = isLast ? { records, earlier: [beforeLast] } : { records }
        await (isLast ? tail : needed).flip(group.segment, byte, random.below(8), expected)
      }
      expect(needed.counts).toEqual({ rejected: needed.total, reported: 0, harmless: 0, lostTail: 0 })
      expect(elsewhere.counts.lostTail).toBe(0)
      expect(tail.counts).toEqual({ rejected: 0, reported: 0, harmless: 0, lostTail: tail.total })
      expect(needed.total + tail.total + elsewhere.total).toBe(RANDOM_FLIPS)
      console.info('random bits of a live log: needed', needed.counts, 'not', elsewhere.counts, 'last', tail.counts)
    }))

  test(`${RANDOM_FLIPS} random bits of the data file are detected or harmless`, () =>
    seeded(async random => {
      const { live, liveRecords: records } = await liveSample(random)
      const flips = new Flips(live)
      for (let i = 0; i < RANDOM_FLIPS; i++)
        await flips.flip('data', writtenByte(live, random), random.below(8), { records })
      expect(flips.counts.lostTail).toBe(0)
      expect(flips.counts.rejected + flips.counts.reported).toBeGreaterThan(RANDOM_FLIPS / 3)
      console.info('random bits of the data file of a live database:', flips.counts)
    }))

  for (const cacheBytes of [65536, 262144, 524288, 8388608])
    test(`a recovery that is refused has changed nothing, with a pool of ${cacheBytes >> 10} KiB`, () =>
      seeded(async random => {
        const { live, liveRecords: records } = await liveSample(random)
        const flips = new Flips(live, { ...smallOptions, cacheBytes })
        for (let i = 0; i < rounds(150, 600); i++)
          await flips.flip('data', writtenByte(live, random), random.below(8), { records })
        expect(flips.counts.rejected).toBeGreaterThan(rounds(5, 30))
        console.info(`a pool of ${cacheBytes >> 10} KiB:`, flips.counts)
      }))
})
