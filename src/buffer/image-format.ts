/**
 * Images of blocks: what two files beside the log, `images-0` and `images-1`, hold of blocks that are overwritten in
 * place, so that a write that was torn can be done again. Each file is filled from its start with batches.
 *
 * Batch: a header of whole sectors, then the blocks, each with a checksum of its own. Little-endian.
 *    0   8  magic "XENIMG1\n"                   16   8  LSN up to which the log had been synced
 *    8   4  checksum of the rest of the header  24   4  block size
 *   12   4  number of blocks                    28   4  0
 *                                               32      their numbers, u32 each
 */

import type { DataFile } from '../pager/data-file.ts'
import { uuidSeed } from '../pager/metadata.ts'
import type { Block, Lsn, Position } from '../pager/place.ts'
import { type Arena, alignUp, readU64, writeU64 } from '../runtime/bytes.ts'
import type { File, Storage } from '../storage/storage.ts'

export const IMAGE_FILES = ['images-0', 'images-1'] as const
/** With these many blocks the header and they are as many parts as one write takes. */
export const MAX_BATCH_BLOCKS = 1023
export const IMAGES_MAGIC: Uint8Array = new Uint8Array([0x58, 0x45, 0x4e, 0x49, 0x4d, 0x47, 0x31, 0x0a])
const SECTOR = 512
const NUMBERS_AT = 32

export const batchHeaderBytes = (blocks: number): number => alignUp(NUMBERS_AT + 4 * blocks, SECTOR)

export const encodeBatchHeader = (
  storage: Storage,
  uuid: Uint8Array,
  blockSize: number,
  blocks: readonly number[],
  lsn: Lsn,
): Uint8Array => {
  const header = new Uint8Array(batchHeaderBytes(blocks.length))
  const u32 = new Uint32Array(header.buffer)
  header.set(IMAGES_MAGIC, 0)
  u32[3] = blocks.length
  writeU64(u32, 4, lsn)
  u32[6] = blockSize
  u32.set(blocks, NUMBERS_AT / 4)
  u32[2] = storage.crc32(header.subarray(12), uuidSeed(storage, uuid))
  return header
}

interface Place {
  file: File
  position: number
  lsn: Lsn
}

/** The images that a recovery may use. */
export class StoredImages {
  private readonly places: Map<number, Place[]> = new Map()
  private readonly files: File[] = []
  private readonly data: DataFile

  /**
   * Reads what the files in `directory` hold of images that were made when the log had been synced to a place from
   * `from` to `to`: the log holds all that has happened to the block since. An older image may belong to changes that
   * the log does not hold any more.
   */
  constructor(directory: string, data: DataFile, uuid: Uint8Array, from: number, to: number) {
    this.data = data
    const { storage } = data
    try {
      for (const name of IMAGE_FILES) {
        const path = storage.join(directory, name)
        if (storage.kind(path) === 'none') continue
        const file = storage.open(path, { readOnly: true })
        this.files.push(file)
        this.readBatches(file, uuid, from, to)
      }
    } catch (error) {
      this.close()
      throw error
    }
    for (const places of this.places.values()) places.sort((a, b) => b.lsn - a.lsn)
  }

  /** Blocks of which there may be an image. */
  blocks(): Iterable<number> {
    return this.places.keys()
  }

  /** Copies the latest image of the block that is whole to `base`; false if there is none. */
  copy(block: Block, arena: Arena, base: Position): boolean {
    const places = this.places.get(block)
    return (
      places?.some(({ file, position }) => this.data.readAt(file, position, block, arena, base) === undefined) ?? false
    )
  }

  close(): void {
    for (const file of this.files.splice(0)) file.close()
  }

  /** Batches follow each other; what is behind the first that is not whole was never relied on, or is not any more. */
  private readBatches(file: File, uuid: Uint8Array, from: number, to: number): void {
    const { storage, blockSize } = this.data
    const seed = uuidSeed(storage, uuid)
    const bytes = new Uint8Array(batchHeaderBytes(MAX_BATCH_BLOCKS))
    const u32 = new Uint32Array(bytes.buffer)
    for (let at = 0; ; ) {
      const got = file.read(bytes, 0, bytes.length, at)
      const count = u32[3]!
      if (got < SECTOR || IMAGES_MAGIC.some((byte, i) => bytes[i] !== byte)) return
      if (count === 0 || count > MAX_BATCH_BLOCKS || u32[6] !== blockSize) return
      const length = batchHeaderBytes(count)
      if (got < length || u32[2] !== storage.crc32(bytes.subarray(12, length), seed)) return
      const lsn = readU64(u32, 4)
      if (lsn >= from && lsn <= to)
        for (let i = 0; i < count; i++)
          this.add(u32[NUMBERS_AT / 4 + i]!, { file, position: at + length + i * blockSize, lsn })
      at += length + count * blockSize
    }
  }

  private add(block: Block, place: Place): void {
    const places = this.places.get(block)
    if (places === undefined) this.places.set(block, [place])
    else places.push(place)
  }
}
