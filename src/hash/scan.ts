/**
 * Reads the hash index bucket by bucket, in the order of index blocks and hash positions. A record's position never
 * changes, whatever splits or merges move it, so a scan that remembers the position it has reached sees every
 * record that stays exactly once.
 */

import type { BufferPool } from '../buffer/pool.ts'
import { CorruptionError } from '../errors.ts'
import { bucketNext, RECORD_HEADER_BYTES, recordKeyLength, slotInUse } from '../pager/bucket.ts'
import { childOf, directoryCapacity, entryCount, findEntry, separatorOf } from '../pager/directory.ts'
import { AT_COUNT, AT_KIND, BlockKind, HEADER_BYTES, INDEX_BLOCKS } from '../pager/layout.ts'
import type { Block, Position } from '../pager/place.ts'
import { Arena } from '../runtime/bytes.ts'
import type { ChangedKeys } from '../txn/changed-keys.ts'
import type { ChangedPlaces } from './changed-places.ts'
import type { KeyHash } from './key-hash.ts'

const POSITIONS = 4294967296

export class BucketScan {
  /** Copies of the blocks of the bucket at hand, and the places of its records in them. */
  copy: Arena
  readonly records: Position[] = []
  /** Head block of the bucket at hand. */
  bucket: Block = 0
  /** Which of the index blocks, from 1, and the interval of hash positions that the bucket at hand was read for. */
  root = 0
  from = 0
  to = 0
  private nextRoot = 1
  private nextPosition = 0
  private readonly pool: BufferPool
  private readonly hash: KeyHash
  private readonly capacity: number
  private readonly roots: number
  private readonly path: string

  /** `hash`: that of the key space, for the scan alone. */
  constructor(pool: BufferPool, hash: KeyHash, path: string) {
    this.pool = pool
    this.hash = hash
    this.roots = hash.start.lone === 0 ? INDEX_BLOCKS : 1
    this.capacity = directoryCapacity(pool.blockSize)
    this.path = path
    this.copy = new Arena(pool.blockSize)
  }

  rewind(): void {
    this.nextRoot = 1
    this.nextPosition = 0
    this.records.length = 0
  }

  /** Goes on where another scan had come to (`next`): a number from 0, the beginning. */
  goOnFrom(place: number): void {
    this.nextRoot = 1 + Math.floor(place / POSITIONS)
    this.nextPosition = place % POSITIONS
    this.records.length = 0
  }

  /** Where the scan has come to: a whole number below 2^53, or 0 at the end. */
  get next(): number {
    return this.nextRoot > this.roots ? 0 : (this.nextRoot - 1) * POSITIONS + this.nextPosition
  }

  /** Copies the next bucket; false behind the last one. */
  advance(): boolean {
    if (this.nextRoot > this.roots) return false
    const { lone } = this.hash.start
    const low = this.descend(lone === 0 ? this.nextRoot : lone, this.nextPosition)
    this.root = this.nextRoot
    this.from = this.nextPosition
    this.copyChain(low < this.nextPosition ? this.nextPosition : 0)
    if (this.to === POSITIONS) {
      this.nextRoot++
      this.nextPosition = 0
    } else this.nextPosition = this.to
    return true
  }

  /** The keys that an open transaction has changed in the interval that the bucket at hand was read for. */
  changedBy(changed: ChangedKeys, places: ChangedPlaces): string[] {
    return places.within(changed, this.root, this.from, this.to)
  }

  /** Finds the bucket that holds a position; returns the low end of its interval and sets `bucket` and `to`. */
  private descend(root: Block, position: number): number {
    const { pool, capacity } = this
    const { arena } = pool
    let block = root
    let base = pool.get(block)
    let low = 0
    let high = POSITIONS
    for (let depth = 0; arena.u8[base + AT_KIND] === BlockKind.directory; depth++) {
      if (depth > 12) throw new CorruptionError(this.path, 'the directories are nested too deeply, or cyclic', block)
      const entry = findEntry(arena, base, position)
      low = separatorOf(arena, base, entry)
      if (entry + 1 < entryCount(arena, base)) high = separatorOf(arena, base, entry + 1)
      block = childOf(arena, base, capacity, entry)
      base = pool.get(block)
    }
    this.bucket = block
    this.to = high
    return low
  }

  private copyChain(from: number): void {
    const { pool } = this
    const { blockSize } = pool
    this.records.length = 0
    let blocks = 0
    for (let block = this.bucket; block !== 0; blocks++) {
      if (blocks > pool.limit()) throw new CorruptionError(this.path, 'its overflow chain is cyclic', this.bucket)
      const base = pool.get(block)
      if (pool.arena.u8[base + AT_KIND] !== BlockKind.bucket)
        throw new CorruptionError(this.path, 'expected a bucket', block)
      this.makeRoom((blocks + 1) * blockSize)
      this.copy.u8.set(pool.arena.u8.subarray(base, base + blockSize), blocks * blockSize)
      this.listRecords(blocks * blockSize, from)
      block = bucketNext(this.copy, blocks * blockSize)
    }
  }

  private listRecords(base: Position, from: number): void {
    const { copy, hash } = this
    const count = copy.u16[(base + AT_COUNT) >>> 1]!
    for (let slot = 0; slot < count; slot++) {
      const word = copy.u32[((base + HEADER_BYTES) >>> 2) + slot]!
      if (!slotInUse(word)) continue
      const record = base + (word & 0xffff)
      if (from > 0) {
        hash.of(copy.u8, record + RECORD_HEADER_BYTES, recordKeyLength(copy, record))
        if (hash.position < from) continue
      }
      this.records.push(record)
    }
  }

  private makeRoom(bytes: number): void {
    if (this.copy.buffer.byteLength >= bytes) return
    const larger = new Arena(2 * bytes)
    larger.u8.set(this.copy.u8)
    this.copy = larger
  }
}
