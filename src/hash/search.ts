/**
 * Finds the record of a key: from its index block by way of directories to its bucket, and along the bucket's chain.
 */
import type { BufferPool } from '../buffer/pool.ts'
import { CorruptionError } from '../errors.ts'
import { blockLsn, bucketNext, findSlot, fits, isRecordOf, RECORD_HEADER_BYTES, recordAt } from '../pager/bucket.ts'
import { childOf, directoryCapacity, findEntry } from '../pager/directory.ts'
import { AT_KIND, BlockKind, kindName } from '../pager/layout.ts'
import type { Block, Position } from '../pager/place.ts'
import type { Arena } from '../runtime/bytes.ts'
import type { KeyBuffer } from './key.ts'

const MAX_DEPTH = 12

export class HashSearch {
  readonly key: KeyBuffer
  /**
   * Of the last search: head block of the bucket; block, position and slot where the record lies. If there is none,
   * block and position are those of the last block of the bucket's chain.
   */
  bucket: Block = 0
  block: Block = 0
  base: Position = 0
  slot = 0
  protected readonly pool: BufferPool
  protected readonly arena: Arena
  protected readonly path: string
  protected readonly blockSize: number
  private readonly capacity: number

  constructor(pool: BufferPool, key: KeyBuffer, path: string) {
    this.pool = pool
    this.arena = pool.arena
    this.key = key
    this.path = path
    this.blockSize = pool.blockSize
    this.capacity = directoryCapacity(pool.blockSize)
  }

  /** Position of the record of the key in the key buffer, or 0. */
  find(): Position {
    const { arena, key } = this
    const seen = key.seenIndex
    if (seen >= 0 && this.pool.asOf === 0) {
      const record = this.findSeen(seen)
      if (record >= 0) return record
    }
    let base = this.descend()
    for (let hops = 0; ; hops++) {
      this.base = base
      const slot = findSlot(arena, base, key.hash.tag, key.at, key.length)
      if (slot >= 0) {
        this.slot = slot
        return recordAt(arena, base, slot)
      }
      const next = bucketNext(arena, base)
      if (next === 0) return 0
      base = this.chained(next, hops)
    }
  }

  /**
   * By what was seen ahead of time, which still holds if the bucket has not changed: whatever takes a key out of its
   * bucket, or adds it, changes that. -1 if it has.
   */
  private findSeen(index: number): Position {
    const { pool, arena, key } = this
    const { blocks, lsns, records, slots } = key.seen
    if (lsns[index]! < 0) return -1
    const block = blocks[index]!
    const base = pool.peek(block)
    if (base === 0 || blockLsn(arena, base) !== lsns[index]) return -1
    this.bucket = block
    this.block = block
    this.base = base
    if (records[index] === 0) return 0
    const slot = slots[index]!
    this.slot = slot
    return isRecordOf(arena, base, slot, key.at, key.length) ? recordAt(arena, base, slot) : -1
  }

  /** Goes to the head block of the key's bucket. */
  private descend(): Position {
    const { pool, arena, capacity, key } = this
    const { hash } = key
    const position = hash.position
    let block = hash.root
    let base = pool.get(block)
    for (let depth = 0; arena.u8[base + AT_KIND] === BlockKind.directory; depth++) {
      if (depth === MAX_DEPTH)
        throw new CorruptionError(this.path, 'the directories are nested too deeply, or cyclic', block)
      block = childOf(arena, base, capacity, findEntry(arena, base, position))
      base = pool.get(block)
    }
    if (arena.u8[base + AT_KIND] !== BlockKind.bucket) throw this.wrongKind(block, base)
    this.bucket = block
    this.block = block
    return base
  }

  private chained(block: Block, hops: number): Position {
    if (hops > this.pool.limit()) throw new CorruptionError(this.path, 'its overflow chain is cyclic', this.bucket)
    const base = this.pool.get(block)
    if (this.arena.u8[base + AT_KIND] !== BlockKind.bucket) throw this.wrongKind(block, base)
    this.block = block
    return base
  }

  private wrongKind(block: Block, base: Position): CorruptionError {
    return new CorruptionError(
      this.path,
      `expected a bucket, found a ${kindName(this.arena.u8[base + AT_KIND]!)}`,
      block,
    )
  }

  /** Position of the value field of a record. */
  fieldOf(record: Position): Position {
    const u8 = this.arena.u8
    return record + RECORD_HEADER_BYTES + (((u8[record]! >>> 5) << 8) | u8[record + 1]!)
  }

  /** Finds a block of the key's bucket with room for a new record. */
  protected findRoom(size: number): boolean {
    const { arena, blockSize } = this
    if (this.block === this.bucket && bucketNext(arena, this.base) === 0) return fits(arena, this.base, blockSize, size)
    let base = this.descend()
    for (let hops = 0; ; hops++) {
      if (fits(arena, base, blockSize, size)) {
        this.base = base
        return true
      }
      const next = bucketNext(arena, base)
      if (next === 0) return false
      base = this.chained(next, hops)
    }
  }
}
