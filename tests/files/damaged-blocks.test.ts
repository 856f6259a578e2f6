/** Blocks zeroed, swapped, doubled, taken from another time or another database, and files cut short. */
import { describe, expect, test, vi } from 'vitest'
import { open } from '../../src/index.ts'
import { copyImage, type Image, readImage, segments, storageOf } from '../support/image.ts'
import { rounds } from '../support/long.ts'
import { type Random, runs, runTimeout, seeded } from '../support/random.ts'
import { BLOCK, type Outcome, options, recordsOf, sample, tryDamaged } from './damage.ts'

vi.setConfig({ testTimeout: runTimeout })

const TRIALS = rounds(40, 150) * runs

const blockOf = (image: Image, n: number): Uint8Array => image.get('data')!.subarray(n * BLOCK, (n + 1) * BLOCK)
const blocksOf = (image: Image): number => image.get('data')!.length / BLOCK

describe('in the data file', () => {
  campaign('a zeroed block', (image, random) => {
    blockOf(image, random.below(blocksOf(image))).fill(0)
  })

  campaign('a zeroed sector', (image, random) => {
    const data = image.get('data')!
    const sector = 512 * random.below(data.length / 512)
    data.fill(0, sector, sector + 512)
  })

  campaign('two blocks that changed places', (image, random) => {
    const [a, b] = [random.below(blocksOf(image)), random.below(blocksOf(image))]
    const kept = blockOf(image, a).slice()
    blockOf(image, a).set(blockOf(image, b))
    blockOf(image, b).set(kept)
  })

  campaign('a block copied over another', (image, random) => {
    blockOf(image, random.below(blocksOf(image))).set(blockOf(image, random.below(blocksOf(image))))
  })

  campaign('a block of random bytes', (image, random) => {
    blockOf(image, random.below(blocksOf(image))).set(random.bytes(BLOCK))
  })

  campaign('a block of ones', (image, random) => {
    blockOf(image, random.below(blocksOf(image))).fill(0xff)
  })

  test('every index block zeroed, one at a time, is noticed: it is not taken for an empty bucket', () =>
    seeded(async random => {
      const { closed, records } = sample(random)
      for (let n = 0; n <= 101; n += rounds(3, 1)) {
        const damaged = copyImage(closed)
        blockOf(damaged, n).fill(0)
        expect(await tryDamaged(damaged, [records]), `block ${n}`).not.toBe('harmless')
      }
    }))

  test('a block of another database under the same number is noticed', () =>
    seeded(async random => {
      const { closed, records } = sample(random)
      const stranger = sample(random).closed
      for (let n = 0; n <= 101; n += 4) {
        const damaged = copyImage(closed)
        blockOf(damaged, n).set(blockOf(stranger, n))
        expect(await tryDamaged(damaged, [records]), `block ${n}`).not.toBe('harmless')
      }
    }))

  test('a cut at any size is noticed, unless it cut off nothing that matters', () =>
    seeded(async random => {
      const { closed, records } = sample(random)
      const size = closed.get('data')!.length
      const sizes = new Set([0, 1, 7, 16, 64, 100, 511, 512, 513, 4095, 4096, 4097, 8192, 102 * BLOCK, 102 * BLOCK - 1])
      for (let i = 1; i <= 8; i++) sizes.add(size - i * 512)
      for (let i = 0; i < 40; i++) sizes.add(512 * random.below(size / 512))
      for (const cut of sizes) {
        const damaged = copyImage(closed)
        damaged.set('data', closed.get('data')!.slice(0, cut))
        const outcome = await labelled(`cut to ${cut} of ${size} bytes`, () => tryDamaged(damaged, [records]))
        if (cut < 102 * BLOCK) expect(outcome, `cut to ${cut}`).toBe('rejected')
      }
    }))

  test('a tail of zeros or garbage does no harm, or is reported', () =>
    seeded(async random => {
      const { closed, records } = sample(random)
      for (const length of [1, 511, 512, BLOCK, 3 * BLOCK, 3 * BLOCK + 17]) {
        for (const tail of [new Uint8Array(length), random.bytes(length)]) {
          const damaged = copyImage(closed)
          damaged.set('data', Buffer.concat([closed.get('data')!, tail]))
          await labelled(`tail of ${length}`, () => tryDamaged(damaged, [records]))
        }
      }
    }))
})

describe('in the log of a crashed database', () => {
  crashCampaign('a zeroed sector', (bytes, random) => {
    const sector = 512 * random.below(bytes.length / 512)
    bytes.fill(0, sector, sector + 512)
  })

  crashCampaign('a sector of random bytes', (bytes, random) => {
    bytes.set(random.bytes(512), 512 * random.below(bytes.length / 512))
  })

  crashCampaign('a sector copied over another', (bytes, random) => {
    const from = 512 * random.below(bytes.length / 512)
    bytes.copyWithin(512 * random.below(bytes.length / 512), from, from + 512)
  })

  crashCampaign('a huge length, wherever one may stand', (bytes, random) => {
    const at = 4 * random.below(bytes.length / 4)
    new DataView(bytes.buffer, bytes.byteOffset).setUint32(at, random.pick([0xffffffff, 0x7fffffff, 0x80000000]), true)
  })
})

/** Segments that are gone as a whole. */
const replacements: Record<string, (image: Image, name: string) => void> = {
  'is missing': (image, name) => void image.delete(name),
  'is empty': (image, name) => void image.set(name, new Uint8Array()),
  'is all zeros': (image, name) => void image.get(name)!.fill(0),
  'has no header': (image, name) => void image.get(name)!.fill(0, 0, 512),
}

describe('a segment of the log', () => {
  test('cut at any size is noticed, or does no harm', () =>
    seeded(async random => {
      const { closed, crashed, records, history } = sample(random)
      for (const image of [closed, crashed]) {
        const names = segments(image)
        for (const name of names) {
          const size = image.get(name)!.length
          const sizes = [512, 513, 4096, size >> 1, size - 512, size - 1, 512 * random.below(size / 512)]
          for (const cut of [0, 1, 100, 511, ...sizes]) {
            const damaged = copyImage(image)
            damaged.set(name, image.get(name)!.slice(0, cut))
            // At the end of the log of a crash, a cut looks like commits that were never finished.
            const allowed = image === crashed && name === names.at(-1) ? history : [records]
            await labelled(`${name} cut to ${cut} of ${size}`, () => tryDamaged(damaged, allowed))
          }
        }
      }
    }))

  for (const [name, replace] of Object.entries(replacements)) {
    for (const state of ['closed', 'crashed'] as const) {
      test(`that ${name} is noticed, or does no harm (${state} database)`, () =>
        seeded(async random => {
          const whole = sample(random)
          for (const segment of segments(whole[state])) {
            const damaged = copyImage(whole[state])
            replace(damaged, segment)
            await labelled(segment, () => tryDamaged(damaged, [whole.records]))
          }
        }))
    }
  }

  test('with a tail of zeros or garbage does no harm, or is reported', () =>
    seeded(async random => {
      const { closed, crashed, records } = sample(random)
      for (const image of [closed, crashed]) {
        for (const name of segments(image)) {
          for (const tail of [new Uint8Array(512), random.bytes(512), random.bytes(5000), random.bytes(7)]) {
            const damaged = copyImage(image)
            damaged.set(name, Buffer.concat([image.get(name)!, tail]))
            await labelled(`${name} with a tail of ${tail.length}`, () => tryDamaged(damaged, [records]))
          }
        }
      }
    }))

  test('that is a copy of another is noticed, or does no harm', () =>
    seeded(async random => {
      const { closed, crashed, records } = sample(random)
      for (const image of [closed, crashed]) {
        const names = segments(image)
        for (const name of names) {
          for (const other of names) {
            if (name === other) continue
            const damaged = copyImage(image)
            damaged.set(name, image.get(other)!.slice())
            await labelled(`${name} is ${other}`, () => tryDamaged(damaged, [records]))
          }
        }
      }
    }))
})

describe('files that do not belong together', () => {
  test('data without a log, after a crash, is rejected', () =>
    seeded(async random => {
      const { crashed, records } = sample(random)
      const damaged: Image = new Map([['data', crashed.get('data')!.slice()]])
      expect(await tryDamaged(damaged, [records])).toBe('rejected')
    }))

  test('data without a log, after a clean close, is rejected or whole', () =>
    seeded(async random => {
      const { closed, records } = sample(random)
      const damaged: Image = new Map([['data', closed.get('data')!.slice()]])
      await tryDamaged(damaged, [records])
    }))

  test('a log without data is rejected, not opened empty', () =>
    seeded(async random => {
      const { closed, crashed, records } = sample(random)
      for (const image of [closed, crashed]) {
        const damaged = copyImage(image)
        damaged.delete('data')
        expect(await tryDamaged(damaged, [records])).toBe('rejected')
      }
    }))

  test('the log of another database is noticed, or does no harm', () =>
    seeded(async random => {
      const one = sample(random)
      const other = sample(random)
      for (const [image, log] of [
        [one.closed, other.closed],
        [one.closed, other.crashed],
        [one.crashed, other.closed],
        [one.crashed, other.crashed],
      ] as const) {
        const damaged: Image = new Map([['data', image.get('data')!.slice()]])
        for (const name of segments(log)) damaged.set(name, log.get(name)!.slice())
        const outcome = await tryDamaged(damaged, [one.records])
        if (image === one.crashed) expect(outcome).not.toBe('harmless')
      }
    }))

  test('the data of another time is noticed, or does no harm', () =>
    seeded(async random => {
      const { closed } = sample(random)
      const storage = storageOf(closed)
      const db = open('db', { ...options, storage })
      for (let i = 0; i < 300; i++) db.put(`later ${i}`, 'x'.repeat(300))
      const crashed = readImage('db', storage)
      await db.checkpoint()
      for (let i = 0; i < 300; i++) db.put(`later ${i}`, 'y'.repeat(300))
      await db.checkpoint()
      const records = recordsOf(db)
      db.close()
      const later = readImage('db', storage)
      // Old data and a new log, then new data and an old log.
      for (const [data, log] of [
        [closed, later],
        [crashed, later],
        [later, closed],
        [later, crashed],
      ] as const) {
        const damaged: Image = new Map([['data', data.get('data')!.slice()]])
        for (const name of segments(log)) damaged.set(name, log.get(name)!.slice())
        await tryDamaged(damaged, [records])
      }
    }))
})

/** Damages the data file of closed databases at random. */
function campaign(name: string, damage: (image: Image, random: Random) => void): void {
  test(`${name} is noticed, or does no harm`, () =>
    seeded(async random => {
      const { closed, records } = sample(random)
      const outcomes: Outcome[] = []
      for (let i = 0; i < TRIALS; i++) {
        const damaged = copyImage(closed)
        damage(damaged, random)
        outcomes.push(await labelled(`trial ${i}`, () => tryDamaged(damaged, [records])))
      }
      expect(outcomes.filter(outcome => outcome !== 'harmless').length).toBeGreaterThan(TRIALS / 3)
    }))
}

/** Damages a written part of the log of crashed databases at random: at most the last commit may be lost. */
function crashCampaign(name: string, damage: (bytes: Uint8Array, random: Random) => void): void {
  test(`${name} is noticed, or no commit but the last is lost`, () =>
    seeded(async random => {
      const { crashed, records, earlier } = sample(random)
      const names = segments(crashed).filter(segment => crashed.get(segment)!.some(byte => byte !== 0))
      for (let i = 0; i < TRIALS; i++) {
        const damaged = copyImage(crashed)
        const segment = random.pick(names)
        damage(damaged.get(segment)!, random)
        await labelled(`trial ${i}, ${segment}`, () => tryDamaged(damaged, [records, earlier[0]!]))
      }
    }))
}

async function labelled(label: string, trial: () => Promise<Outcome>): Promise<Outcome> {
  try {
    return await trial()
  } catch (error) {
    if (error instanceof Error) error.message = `${label}: ${error.message}`
    throw error
  }
}
