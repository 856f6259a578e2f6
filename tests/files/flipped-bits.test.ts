import { describe, expect, test, vi } from 'vitest'
import { copyImage, segments } from '../support/image.ts'
import { type Random, runs, runTimeout, seeded } from '../support/random.ts'
import { type Outcome, sample, tryDamaged } from './damage.ts'

vi.setConfig({ testTimeout: runTimeout })

const FLIPS = 1_000 * runs

describe('a flipped bit is detected or harmless', () => {
  test(`in ${FLIPS} random places of the data file`, () =>
    seeded(async random => {
      const { closed, records } = sample(random)
      const outcomes = new Tally()
      for (let i = 0; i < FLIPS; i++) {
        const damaged = copyImage(closed)
        const place = flip(damaged.get('data')!, random)
        await outcomes.add(`data, ${place}`, () => tryDamaged(damaged, [records], { readOnly: i % 4 === 0 }))
      }
      // Checksums cover whole blocks: only bits of blocks that were never written can do without.
      expect(outcomes.counts.harmless).toBeLessThan(FLIPS * 0.2)
    }))

  test('in each of the first 4,096 bits of the metadata and of an index block', () =>
    seeded(async random => {
      const { closed, records } = sample(random)
      const outcomes = new Tally()
      for (let bit = 0; bit < 4096; bit += 8 / Math.min(8, runs)) {
        for (const base of [0, 4096 * random.between(1, 101)]) {
          const damaged = copyImage(closed)
          const at = Math.floor(bit)
          damaged.get('data')![base + (at >> 3)]! ^= 1 << random.below(8)
          await outcomes.add(`data, byte ${base + (at >> 3)}`, () => tryDamaged(damaged, [records]))
        }
      }
      expect(outcomes.counts.rejected + outcomes.counts.reported).toBeGreaterThan(0)
    }))

  test(`in ${FLIPS / 2} random places of the log of a closed database`, () =>
    seeded(async random => {
      const { closed, records } = sample(random)
      const names = segments(closed)
      const outcomes = new Tally()
      for (let i = 0; i < FLIPS / 2; i++) {
        const damaged = copyImage(closed)
        const name = random.pick(names)
        const place = flip(damaged.get(name)!, random)
        await outcomes.add(`${name}, ${place}`, () =>
          tryDamaged(damaged, [records], { readOnly: i % 4 === 0 }),
        )
      }
    }))

  test(`in ${FLIPS / 2} random places of the log of a crashed database: at most the last commit is lost`, () =>
    seeded(async random => {
      const { crashed, records, earlier } = sample(random)
      const names = segments(crashed).filter(name => crashed.get(name)!.some(byte => byte !== 0))
      const outcomes = new Tally()
      for (let i = 0; i < FLIPS / 2; i++) {
        const damaged = copyImage(crashed)
        const name = random.pick(names)
        const place = flip(damaged.get(name)!, random)
        await outcomes.add(`${name}, ${place}`, () => tryDamaged(damaged, [records, earlier[0]!]))
      }
      expect(outcomes.counts.rejected).toBeGreaterThan(FLIPS / 20)
    }))

  test(`in ${FLIPS / 4} random places of the data file of a crashed database`, () =>
    seeded(async random => {
      const { crashed, records } = sample(random)
      const outcomes = new Tally()
      for (let i = 0; i < FLIPS / 4; i++) {
        const damaged = copyImage(crashed)
        const place = flip(damaged.get('data')!, random)
        await outcomes.add(`data, ${place}`, () => tryDamaged(damaged, [records]))
      }
    }))
})

/** Flips one bit; says which. */
function flip(bytes: Uint8Array, random: Random): string {
  const at = random.below(bytes.length)
  const bit = random.below(8)
  bytes[at]! ^= 1 << bit
  return `bit ${bit} of byte ${at} (block ${Math.floor(at / 4096)}, offset ${at % 4096})`
}

class Tally {
  readonly counts: Record<Outcome, number> = { rejected: 0, reported: 0, harmless: 0 }

  async add(place: string, trial: () => Promise<Outcome>): Promise<void> {
    try {
      this.counts[await trial()]++
    } catch (error) {
      if (error instanceof Error) error.message = `${place}: ${error.message}`
      throw error
    }
  }
}
