/**
 * Damage under a right checksum, as a defect or a forger would leave it: pointers that lead nowhere or in circles,
 * counts and LSNs that cannot be, an identity of another version. No hang, no untyped error, no allocation from a
 * forged length.
 */
import { describe, expect, test, vi } from 'vitest'
import { type Database, open } from '../../src/index.ts'
import { AT_KIND, AT_LEVEL, AT_LSN, AT_NEXT, BlockKind, HEADER_BYTES, INDEX_BLOCKS } from '../../src/pager/layout.ts'
import { closeQuietly } from '../support/database.ts'
import { copyImage, differences, type Image, readImage } from '../support/image.ts'
import { runs, runTimeout, seeded } from '../support/random.ts'
import { expectReported } from './damage.ts'
import { BLOCK, blockOfEachKind, fastStorage, type Small, scanned, seal, smallOptions, smallSample } from './small.ts'

vi.setConfig({ testTimeout: runTimeout })

const { crc32 } = fastStorage(new Map())
const view = (image: Image): DataView => {
  const data = image.get('data')!
  return new DataView(data.buffer, data.byteOffset, data.byteLength)
}

interface Finding {
  /** Why `open` refused it. */
  refused?: string
  /** Everything that reading it threw, and what `verify` found. */
  problems: string[]
  ok: boolean
}

/** Opens forged files and asks for everything, with limits of time and kind of error but not of what is there. */
async function examine(image: Image, keys: readonly string[]): Promise<Finding> {
  const storage = fastStorage(image)
  let db: Database
  try {
    db = open('db', { ...smallOptions, storage })
  } catch (error) {
    expectReported(error)
    expect(differences(image, readImage('db', storage))).toEqual([])
    return { refused: (error as Error).message, problems: [], ok: false }
  }
  const problems: string[] = []
  const attempt = (action: () => unknown): void => {
    try {
      action()
    } catch (error) {
      expectReported(error)
      problems.push((error as Error).message)
    }
  }
  try {
    attempt(() => scanned(db))
    for (const key of keys) attempt(() => db.get(key))
    const report = await db.verify()
    // Writing must end, too, one way or the other.
    for (const key of keys) attempt(() => db.put(key, 'x'.repeat(1300)))
    for (const key of keys) attempt(() => db.put(`${key} too`, 'y'.repeat(300)))
    for (const key of keys) attempt(() => db.delete(key))
    return { problems: [...problems, ...report.problems], ok: report.ok }
  } finally {
    closeQuietly(db)
  }
}

/** Forges one thing in a closed database; `verify` or the open must name the file, the block and what is wrong. */
function forged(name: string, message: RegExp, forge: (image: Image, small: Small) => void): void {
  test(`${name} is named`, () =>
    seeded(async random => {
      const small = await smallSample(random)
      const image = copyImage(small.closed)
      forge(image, small)
      const { refused, problems, ok } = await examine(image, [...small.closedRecords.keys()])
      expect(ok).toBe(false)
      expect([refused, ...problems].join('\n')).toMatch(message)
    }))
}

const blockLike = (image: Image, kind: string): number => {
  const block = blockOfEachKind(image)[kind]
  if (block === undefined) throw new Error(`the sample has no ${kind}`)
  return block
}

/** The first bucket with an overflow block behind it. */
const chainHead = (image: Image): number => {
  for (let block = 1; block <= INDEX_BLOCKS; block++)
    if (
      image.get('data')![block * BLOCK + AT_KIND] === BlockKind.bucket &&
      view(image).getUint32(block * BLOCK + AT_NEXT, true) > 0
    )
      return block
  throw new Error('the sample has no overflow chain')
}

const set32 = (image: Image, block: number, at: number, value: number): void => {
  view(image).setUint32(block * BLOCK + at, value, true)
  seal(image, block)
}

describe('under a right checksum', () => {
  forged('an overflow chain that leads to its own head', /data, block \d+: .*(cyclic|reached twice)/, image => {
    const head = chainHead(image)
    set32(image, view(image).getUint32(head * BLOCK + AT_NEXT, true), AT_NEXT, head)
  })
  forged('a bucket that leads to itself', /data, block \d+: .*(cyclic|reached twice)/, image => {
    const head = blockLike(image, 'an index block with records')
    set32(image, head, AT_NEXT, head)
  })
  forged('an overflow block that leads to itself', /data, block \d+: .*(cyclic|reached twice)/, image => {
    const next = view(image).getUint32(chainHead(image) * BLOCK + AT_NEXT, true)
    set32(image, next, AT_NEXT, next)
  })
  for (const target of [0x7fffffff, 0xffffffff, 100_000])
    forged(`an overflow pointer to block ${target}`, /data, block \d+: .*there are \d+ blocks/, image =>
      set32(image, chainHead(image), AT_NEXT, target),
    )
  forged('an overflow pointer to a large value part', /expected a bucket|a large value part/, image =>
    set32(image, chainHead(image), AT_NEXT, blockLike(image, 'a large value part')),
  )
  forged('a directory entry behind the end of the file', /data, block \d+: .*there are \d+ blocks/, image => {
    const directory = blockLike(image, 'an index block with a directory')
    set32(image, directory, HEADER_BYTES + 4 * Math.floor((BLOCK - HEADER_BYTES) / 8), 0x00ffffff)
  })
  forged('a directory entry that leads to the directory', /nested too deeply|reached twice/, image => {
    const directory = blockLike(image, 'an index block with a directory')
    set32(image, directory, HEADER_BYTES + 4 * Math.floor((BLOCK - HEADER_BYTES) / 8), directory)
  })
  forged(
    'a directory of another level than its children are for (D2)',
    /expected a directory, found a bucket/,
    image => {
      const directory = blockLike(image, 'an index block with a directory')
      image.get('data')![directory * BLOCK + AT_LEVEL] = 1
      seal(image, directory)
    },
  )
  forged('a directory without entries', /a directory of 0 entries/, image => {
    const directory = blockLike(image, 'an index block with a directory')
    view(image).setUint16(directory * BLOCK + 6, 0, true)
    seal(image, directory)
  })
  forged('an LSN behind the end of the log', /data, block \d+: .*LSN \d+ lies behind the end of the log/, image => {
    const block = blockLike(image, 'an index block with records')
    view(image).setBigUint64(block * BLOCK + AT_LSN, 0xffff_ffffn, true)
    seal(image, block)
  })
  forged('a large value part that leads to itself', /data, block \d+: .*(reached twice|large value part)/, image => {
    const part = blockLike(image, 'a large value part')
    set32(image, part, AT_NEXT, part)
  })
  forged('an unknown kind', /unknown kind 77/, image => {
    const block = blockLike(image, 'an overflow block')
    image.get('data')![block * BLOCK + AT_KIND] = 77
    seal(image, block)
  })
  forged('more slots than the block can hold', /slots and \d+ record bytes do not fit/, image => {
    const block = blockLike(image, 'an overflow block')
    view(image).setUint16(block * BLOCK + 6, 0xffff, true)
    seal(image, block)
  })

  test('a large value of 4 GiB is refused before anything is allocated for it', () =>
    seeded(async random => {
      const { closed, closedRecords } = await smallSample(random)
      const pointers = largePointers(closed)
      expect(pointers.length).toBeGreaterThan(1)
      for (const { block, at } of pointers)
        for (const [blocks, bytes] of [
          [0xffffffff, 0xffffffff],
          [Math.ceil(0xfffff000 / (BLOCK - HEADER_BYTES)), 0xfffff000],
          [Math.ceil(0x0ffffff0 / (BLOCK - HEADER_BYTES)), 0x0ffffff0],
        ] as const) {
          const image = copyImage(closed)
          view(image).setUint32(at + 8, blocks, true)
          view(image).setUint32(at + 12, bytes, true)
          seal(image, block)
          const before = process.memoryUsage().arrayBuffers
          const { ok } = await examine(image, [...closedRecords.keys()])
          expect(ok).toBe(false)
          expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(100_000_000)
        }
    }))

  test(`${400 * runs} blocks with random changes neither hang nor crash`, () =>
    seeded(async random => {
      const { closed, closedRecords } = await smallSample(random)
      const blocks = Object.values(blockOfEachKind(closed))
      for (let i = 0; i < 400 * runs; i++) {
        const image = copyImage(closed)
        const block = random.chance(0.7)
          ? random.pick(blocks)
          : random.between(1, image.get('data')!.length / BLOCK - 1)
        for (let k = random.between(1, 4); k > 0; k--) {
          const at = 4 + random.below(random.chance(0.7) ? 60 : BLOCK - 4)
          image.get('data')![block * BLOCK + at] = random.pick([0, 1, 0x7f, 0x80, 0xff, random.below(256)])
        }
        seal(image, block)
        await examine(image, [...closedRecords.keys()])
      }
    }))
})

describe('an identity under a right checksum', () => {
  const identities: Record<string, [RegExp, (head: DataView) => void]> = {
    'of format version 1': [
      /has format version 1; this release reads versions 2 to 4/,
      head => head.setUint32(8, 1, true),
    ],
    'of format version 4294967295': [
      /has format version 4294967295; this release reads versions 2 to 4: it was written by a newer release/,
      head => head.setUint32(8, 0xffffffff, true),
    ],
    'with block size 0': [/impossible block size 0/, head => head.setUint32(12, 0, true)],
    'with block size 5000': [/impossible block size 5000/, head => head.setUint32(12, 5000, true)],
    'with a block size of 2 GiB': [/impossible block size 2147483648/, head => head.setUint32(12, 0x80000000, true)],
    'with twice the block size': [/was cut off|block \d+/, head => head.setUint32(12, 8192, true)],
    'with another UUID': [/copies of the database state|another database/, head => head.setUint32(16, 1, true)],
  }
  for (const [name, [message, change]] of Object.entries(identities))
    for (const state of ['closed', 'live'] as const)
      test(`${name} is refused (${state} database)`, () =>
        seeded(async random => {
          const small = await smallSample(random)
          const image = copyImage(small[state])
          change(view(image))
          view(image).setUint32(508, crc32(image.get('data')!.subarray(0, 508), 0), true)
          const { refused } = await examine(image, [])
          expect(refused).toMatch(/^db\/data/)
          expect(refused).toMatch(message)
        }))
})

/** Where the pointers of large records lie in the data file. */
function largePointers(image: Image): { block: number; at: number }[] {
  const data = image.get('data')!
  const found: { block: number; at: number }[] = []
  for (let block = 1; block * BLOCK < data.length; block++) {
    const base = block * BLOCK
    if (data[base + AT_KIND] !== BlockKind.bucket) continue
    for (let slot = 0; slot < view(image).getUint16(base + 6, true); slot++) {
      const word = view(image).getUint32(base + HEADER_BYTES + 4 * slot, true)
      const record = base + (word & 0xffff)
      if (word >= 0x80000000 && (data[record]! & 1) === 1)
        found.push({ block, at: record + 4 + (((data[record]! >>> 5) << 8) | data[record + 1]!) })
    }
  }
  return found
}
