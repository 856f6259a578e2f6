import { describe, expect, test } from 'vitest'
import { formatBucket } from '../../src/pager/bucket.ts'
import { blockProblem, DataFile } from '../../src/pager/data-file.ts'
import { AT_COUNT, AT_KIND, BlockKind } from '../../src/pager/layout.ts'
import { Metadata } from '../../src/pager/metadata.ts'
import { Arena } from '../../src/runtime/bytes.ts'
import { memoryStorage } from '../../src/storage/memory.ts'
import { expectCode } from '../support/errors.ts'
import { seeded } from '../support/random.ts'

const BLOCK = 4096
const BLOCKS = 6

describe('a block', () => {
  test('is read as it was written, alone or with its neighbours', () => {
    const { file, arena } = written()
    const read = new Arena(BLOCK)
    for (let block = 1; block <= BLOCKS; block++) {
      expect(file.read(block, read, 0)).toBeUndefined()
      expect(read.u8.subarray(4)).toEqual(arena.u8.subarray(block * BLOCK + 4, (block + 1) * BLOCK))
    }
    expect(file.blockWrites).toBe(BLOCKS)
    expect(file.blockReads).toBe(BLOCKS)
  })

  test('in another place is noticed', () => {
    const { file } = written()
    const bytes = new Uint8Array(BLOCK)
    for (let from = 1; from <= BLOCKS; from++) {
      file.file.read(bytes, 0, BLOCK, from * BLOCK)
      const to = (from % BLOCKS) + 1
      const moved = written().file
      moved.file.write(bytes, 0, BLOCK, to * BLOCK)
      expect(moved.read(to, new Arena(BLOCK), 0)).toMatch(/wrong checksum/)
    }
    // The highest byte of the number counts too.
    const far = 1 + 2 ** 24
    file.file.write(bytes, 0, BLOCK, 0)
    const seen = { ...file.file, read: file.file.read.bind(file.file), size: () => far * BLOCK }
    seen.read = (target, offset, length) => file.file.read(target, offset, length, BLOCK)
    const large = new DataFile(seen, metadata(1), file.storage)
    expect(large.read(1, new Arena(BLOCK), 0)).toBeUndefined()
    expect(large.read(far, new Arena(BLOCK), 0)).toMatch(/wrong checksum/)
  })

  test('of another database is noticed', () => {
    const { file } = written()
    const other = new DataFile(file.file, metadata(2), file.storage)
    for (let block = 1; block <= BLOCKS; block++)
      expect(other.read(block, new Arena(BLOCK), 0)).toMatch(/wrong checksum/)
  })

  test('with any flipped bit is noticed', () =>
    seeded(random => {
      const { file } = written()
      const byte = new Uint8Array(1)
      for (let offset = 0; offset < BLOCK; offset++) {
        const at = 2 * BLOCK + offset
        file.file.read(byte, 0, 1, at)
        const bit = 1 << random.below(8)
        byte[0]! ^= bit
        file.file.write(byte, 0, 1, at)
        expect(file.read(2, new Arena(BLOCK), 0), `byte ${offset}`).toMatch(/wrong checksum/)
        byte[0]! ^= bit
        file.file.write(byte, 0, 1, at)
      }
      expect(file.read(2, new Arena(BLOCK), 0)).toBeUndefined()
    }))

  test('that the file ends before or inside is reported, with its number', () => {
    const { file } = written()
    expect(file.read(BLOCKS + 1, new Arena(BLOCK), 0)).toMatch(/ends before/)
    file.file.truncate((BLOCKS + 1) * BLOCK - 1)
    expect(file.read(BLOCKS, new Arena(BLOCK), 0)).toMatch(/ends inside/)
    const error = expectCode(() => file.readSound(BLOCKS, new Arena(BLOCK), 0), 'XENON_CORRUPT')
    expect(error).toMatchObject({ block: BLOCKS, file: 'data' })
  })

  test('whose checksum is right but whose contents are not is refused', () => {
    const { file, arena } = written()
    for (const [at, value] of [
      [AT_KIND, 6],
      [AT_KIND, BlockKind.inner],
      [AT_KIND, 255],
      [AT_KIND, BlockKind.directory],
      [AT_COUNT, 1],
    ] as const) {
      formatBucket(arena, BLOCK, BLOCK)
      arena.u8[BLOCK + at] = value
      file.writeRun(1, [BLOCK], arena)
      expect(file.read(1, new Arena(BLOCK), 0)).toBeUndefined()
      expectCode(() => file.readSound(1, new Arena(BLOCK), 0), 'XENON_CORRUPT')
    }
    for (const kind of [BlockKind.free, BlockKind.large]) {
      arena.u8[BLOCK + AT_KIND] = kind
      expect(blockProblem(arena, BLOCK, BLOCK)).toBeUndefined()
    }
  })
})

const metadata = (fill: number): Metadata =>
  new Metadata({ version: 2, blockSize: BLOCK, uuid: new Uint8Array(16).fill(fill), hashKey: [1, 2], createdAt: 0 })

/** A file of buckets that all hold the same; block n lies at n blocks in the arena. */
const written = (): { file: DataFile; arena: Arena } => {
  const storage = memoryStorage()
  const file = new DataFile(storage.open('data', { create: true }), metadata(1), storage)
  const arena = new Arena((BLOCKS + 1) * BLOCK)
  const bases = Array.from({ length: BLOCKS }, (_, i) => (i + 1) * BLOCK)
  for (const base of bases) {
    formatBucket(arena, base, BLOCK)
    arena.u8.fill(0x77, base + 100, base + 200)
  }
  file.writeRun(1, bases.slice(0, 1), arena)
  file.writeRun(2, bases.slice(1), arena)
  return { file, arena }
}
