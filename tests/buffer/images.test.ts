/** Images of blocks, against torn writes: two small files that are filled in turn. */
import { describe, expect, test } from 'vitest'
import { batchHeaderBytes, MAX_BATCH_BLOCKS, StoredImages } from '../../src/buffer/image-format.ts'
import { BlockImages } from '../../src/buffer/images.ts'
import { memoryStorage } from '../../src/index.ts'
import { Health } from '../../src/log/health.ts'
import { DataFile } from '../../src/pager/data-file.ts'
import { Metadata } from '../../src/pager/metadata.ts'
import { Arena } from '../../src/runtime/bytes.ts'
import { Home } from '../../src/storage/home.ts'
import { seeded } from '../support/random.ts'

const BLOCK = 4096

/** Images of a data file that has `blocks` blocks, block n full of the byte n. */
function subject(bytes: number) {
  const storage = memoryStorage()
  storage.makeDirectory('log')
  const metadata = new Metadata({
    version: 2,
    blockSize: BLOCK,
    uuid: new Uint8Array(16).fill(7),
    hashKey: [1, 2],
    createdAt: 0,
  })
  const data = new DataFile(storage.open('data', { create: true }), metadata, storage)
  const { uuid } = metadata.identity
  const images = new BlockImages(new Home(storage, '.', undefined), 'log', data, uuid, new Health(), bytes)
  const arena = new Arena(64 * BLOCK)
  const fill = (block: number, byte: number): number => {
    const base = (block % 64) * BLOCK
    arena.u8.fill(byte, base, base + BLOCK)
    data.seal(block, arena, base)
    return base
  }
  return { storage, data, images, arena, fill, uuid }
}

/** Writes images of blocks as the pool does, and the blocks in place. */
function guard({ images, data, arena, fill }: ReturnType<typeof subject>, blocks: number[], byte: number, lsn: number) {
  for (let from = 0; from < blocks.length; ) {
    const part = blocks.slice(from, from + images.room(blocks.length - from))
    const bases = part.map(block => fill(block, byte))
    images.write(part, bases, arena, lsn)
    part.forEach((block, i) => {
      data.writeSealed(block, [bases[i]!], arena)
    })
    images.written()
    from += part.length
  }
}

const firstByte = (stored: StoredImages, block: number): number | undefined => {
  const arena = new Arena(BLOCK)
  return stored.copy(block, arena, 0) ? arena.u8[100] : undefined
}

describe('stored images', () => {
  test('are the latest of each block that was made while the log was between two places', () => {
    const it = subject(2 ** 20)
    guard(it, [5, 6, 7], 1, 1000)
    guard(it, [6, 9], 2, 2000)
    guard(it, [7], 3, 3000)
    const between = (from: number, to: number): StoredImages => new StoredImages('log', it.data, it.uuid, from, to)
    expect([5, 6, 7, 9, 10].map(block => firstByte(between(0, 9999), block))).toEqual([1, 2, 3, 2, undefined])
    expect([5, 6, 7, 9].map(block => firstByte(between(1500, 9999), block))).toEqual([undefined, 2, 3, 2])
    expect([5, 6, 7, 9].map(block => firstByte(between(0, 2000), block))).toEqual([1, 2, 1, 2])
    const elsewhere = new StoredImages('log', it.data, new Uint8Array(16), 0, 9999)
    expect([...elsewhere.blocks()]).toEqual([])
  })

  test('of which the last is torn leave the one before', () => {
    const it = subject(2 ** 20)
    guard(it, [5], 1, 1000)
    guard(it, [5], 2, 2000)
    const file = it.storage.open(it.storage.join('log', 'images-1'))
    const at = 2 * batchHeaderBytes(1) + BLOCK + 50
    file.write(new Uint8Array([99]), 0, 1, at)
    expect(firstByte(new StoredImages('log', it.data, it.uuid, 0, 9999), 5)).toBe(1)
  })

  test('under a header with a flipped bit are none, and do not hang the reader', () =>
    seeded(random => {
      const it = subject(2 ** 20)
      guard(it, [5, 6, 7], 1, 1000)
      const file = it.storage.open(it.storage.join('log', 'images-1'))
      for (let i = 0; i < 200; i++) {
        const at = random.below(512)
        const byte = new Uint8Array(1)
        file.read(byte, 0, 1, at)
        const before = byte[0]!
        byte[0] = before ^ (1 << random.below(8))
        file.write(byte, 0, 1, at)
        expect([...new StoredImages('log', it.data, it.uuid, 0, 9999).blocks()]).toEqual([])
        byte[0] = before
        file.write(byte, 0, 1, at)
      }
      expect([...new StoredImages('log', it.data, it.uuid, 0, 9999).blocks()]).toEqual([5, 6, 7])
    }))
})

describe('the files of images', () => {
  test('take no more than they may, however many images are made (I4)', () => {
    const it = subject(2 ** 20)
    for (let round = 0; round < 40; round++) {
      guard(
        it,
        Array.from({ length: 60 }, (_, i) => 100 + i),
        round,
        1000 + round,
      )
      expect(it.images.bytes).toBeLessThanOrEqual(2 ** 20)
    }
    expect(it.images.count).toBe(2400)
  })

  test('are begun anew only when what they guard is synced in the data file (I2)', () => {
    const it = subject(2 ** 20)
    const syncs = it.data.fsyncs
    let begun = 0
    for (let round = 0; round < 40; round++) {
      const before = it.images.bytes
      guard(it, [round + 1], 1, 1000 + round)
      if (it.images.bytes < before) begun++
    }
    // 1 MiB holds 240 blocks: nothing had to be synced for 40.
    expect(it.data.fsyncs).toBe(syncs)
    for (let round = 0; round < 400; round++) guard(it, [round + 1], 2, 2000 + round)
    expect(it.data.fsyncs).toBeGreaterThan(syncs)
    expect(it.data.fsyncs - syncs).toBeLessThan(8)
    expect(begun).toBe(0)
  })

  test('guard a block as long as its image stands and the log goes on from it', () => {
    const it = subject(2 ** 20)
    guard(it, [5], 1, 1000)
    expect(it.images.guards(5, 0)).toBe(true)
    expect(it.images.guards(5, 1000)).toBe(true)
    expect(it.images.guards(5, 1001)).toBe(false)
    expect(it.images.guards(6, 0)).toBe(false)
    it.images.written()
    // Two files further on it is overwritten.
    for (let round = 0; round < 400; round++) guard(it, [100 + round], 1, 1001)
    expect(it.images.guards(5, 0)).toBe(false)
  })

  test('hold as many blocks in one batch as one header can name', () => {
    const it = subject(2 ** 25)
    expect(it.images.room(5000)).toBe(MAX_BATCH_BLOCKS)
  })
})
