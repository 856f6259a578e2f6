/**
 * Flipped bits in the files of a database that was closed cleanly: every one is detected or harmless, none costs a
 * record.
 */
import { expect, test, vi } from 'vitest'
import { FIRST_OVERFLOW_BLOCK } from '../../src/pager/layout.ts'
import { METADATA_BYTES } from '../../src/pager/metadata.ts'
import { segments } from '../support/image.ts'
import { rounds } from '../support/long.ts'
import { runs, runTimeout, seeded } from '../support/random.ts'
import { Flips } from './flips.ts'
import {
  BLOCK,
  blockOfEachKind,
  fastStorage,
  isWritten,
  metadataIn,
  smallOptions,
  smallSample,
  writtenByte,
} from './small.ts'

vi.setConfig({ testTimeout: runTimeout })

/** In the long form, with those of flipped-bits-live.test.ts, more than 10,000. */
const RANDOM_FLIPS = rounds(1_000, 5_000) * runs
/** Of the bits that are tried one after the other, every so manieth. */
const STEP = rounds(9, 1)

test('every bit of block 0 is detected', () =>
  seeded(async random => {
    const { closed, closedRecords: records } = await smallSample(random)
    const storage = fastStorage(new Map())
    const identity = new Flips(closed)
    for (let bit = 0; bit < 512 * 8; bit += STEP) await identity.flip('data', bit >> 3, bit & 7, { records })
    expect(identity.counts).toEqual({ rejected: Math.ceil(4096 / STEP), reported: 0, harmless: 0, lostTail: 0 })
    // An open that may write heals a damaged copy of the state from the other one.
    const states = new Flips(closed)
    const readOnly = new Flips(closed, { ...smallOptions, readOnly: true })
    const bytes = closed.get('data')!.slice(0, METADATA_BYTES)
    const metadata = metadataIn(closed)
    for (let bit = 512 * 8; bit < METADATA_BYTES * 8; bit += STEP) {
      bytes[bit >> 3]! ^= 1 << (bit & 7)
      expect(metadata.problems(bytes, storage)).toEqual([expect.stringMatching(/copy of the state/)])
      bytes[bit >> 3]! ^= 1 << (bit & 7)
      if (bit % 9 === 0) await readOnly.flip('data', bit >> 3, bit & 7, { records })
      if (bit % 41 === 0) await states.flip('data', bit >> 3, bit & 7, { records })
    }
    expect(readOnly.counts).toEqual({ rejected: 0, reported: readOnly.total, harmless: 0, lostTail: 0 })
    expect(states.counts).toMatchObject({ rejected: 0, lostTail: 0 })
    console.info('block 0 of a closed database:', identity.counts, readOnly.counts, states.counts)
  }))

test('every bit of the header of a block of each kind is detected', () =>
  seeded(async random => {
    const { closed, closedRecords: records } = await smallSample(random)
    const flips = new Flips(closed)
    const blocks = Object.values(blockOfEachKind(closed))
    expect(blocks).toHaveLength(6)
    for (const block of blocks)
      for (let bit = 0; bit < 32 * 8; bit += STEP)
        await flips.flip('data', block * BLOCK + (bit >> 3), bit & 7, { records })
    expect(flips.counts).toMatchObject({ harmless: 0, lostTail: 0 })
    expect(flips.total).toBe(Math.ceil(256 / STEP) * blocks.length)
    console.info(`headers of ${blocks.length} blocks of a closed database:`, flips.counts)
  }))

test("every bit of a log segment's header is harmless, since it has a copy: reported, and mended by an open that may write", () =>
  seeded(async random => {
    const { closed, closedRecords: records } = await smallSample(random)
    const mended = new Flips(closed)
    const readOnly = new Flips(closed, { ...smallOptions, readOnly: true })
    for (const name of segments(closed))
      for (const copy of [0, 256])
        for (let bit = 0; bit < 64 * 8; bit += STEP) {
          await readOnly.flip(name, copy + (bit >> 3), bit & 7, { records })
          if (bit % 3 === 0) await mended.flip(name, copy + (bit >> 3), bit & 7, { records })
        }
    expect(readOnly.counts).toEqual({ rejected: 0, reported: readOnly.total, harmless: 0, lostTail: 0 })
    expect(mended.counts).toEqual({ rejected: 0, reported: 0, harmless: mended.total, lostTail: 0 })
    console.info('the segment header of a closed database:', readOnly.counts, mended.counts)
  }))

test('bits of blank blocks are harmless', () =>
  seeded(async random => {
    const { closed, closedRecords: records } = await smallSample(random)
    const flips = new Flips(closed)
    const blank = Array.from({ length: FIRST_OVERFLOW_BLOCK }, (_, block) => block).filter(
      block => block > 0 && !isWritten(closed, block),
    )
    expect(blank.length).toBeGreaterThan(0)
    for (let i = 0; i < 100 * runs; i++)
      await flips.flip('data', random.pick(blank) * BLOCK + random.below(BLOCK), random.below(8), { records })
    expect(flips.counts).toEqual({ rejected: 0, reported: 0, harmless: flips.total, lostTail: 0 })
  }))

test(`${RANDOM_FLIPS} random bits of data file and log are detected or harmless`, () =>
  seeded(async random => {
    const { closed, closedRecords: records } = await smallSample(random)
    const flips = new Flips(closed)
    const names = [...closed.keys()]
    for (let i = 0; i < RANDOM_FLIPS; i++) {
      const name = i % 8 === 0 ? random.pick(names) : 'data'
      const at = name === 'data' ? writtenByte(closed, random) : random.below(closed.get(name)!.length)
      await flips.flip(name, at, random.below(8), { records })
    }
    expect(flips.counts.lostTail).toBe(0)
    expect(flips.total).toBe(RANDOM_FLIPS)
    // Checksums cover whole blocks: only the log, which nobody needs any more, and the rest of block 0 can do without.
    expect(flips.counts.rejected + flips.counts.reported).toBeGreaterThan(RANDOM_FLIPS * 0.85)
    console.info('random bits of a closed database:', flips.counts)
  }))
