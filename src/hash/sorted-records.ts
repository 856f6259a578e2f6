/**
 * The records of a bucket by the position of their keys, and where the bucket may be parted: never between two records of
 * the same position, which no directory can tell apart.
 */
import type { BufferPool } from '../buffer/pool.ts'
import { freeSlot } from '../freelist/slots.ts'
import { RECORD_HEADER_BYTES, recordKeyLength, recordSize, SLOT_BYTES, slotInUse } from '../pager/bucket.ts'
import { AT_COUNT, AT_LIVE, AT_RECORD_BYTES, HEADER_BYTES } from '../pager/layout.ts'
import type { Position } from '../pager/place.ts'
import type { KeyHash } from './key-hash.ts'

const SLOT_BITS = 16384
/** So many records are sorted by insertion. */
const FEW = 64

export class SortedRecords {
  /** How many there are. */
  count = 0
  /** The block that was read last. */
  private base: Position = 0
  private readonly pool: BufferPool
  private readonly hash: KeyHash
  /** position * SLOT_BITS + slot of each record, ascending. */
  private readonly order: Float64Array

  /** `hash`: one of its own, since the key at hand is needed again behind the change. */
  constructor(pool: BufferPool, hash: KeyHash) {
    this.pool = pool
    this.hash = hash
    this.order = new Float64Array(Math.ceil(pool.blockSize / (SLOT_BYTES + RECORD_HEADER_BYTES)))
  }

  /** Sorts the records of the block at `base`, which stays there as long as anything else is asked. */
  read(base: Position): this {
    const { arena } = this.pool
    const { order, hash } = this
    const slots = arena.u16[(base + AT_COUNT) >>> 1]!
    const first = (base + HEADER_BYTES) >>> 2
    let count = 0
    for (let slot = 0; slot < slots; slot++) {
      const word = arena.u32[first + slot]!
      if (!slotInUse(word)) continue
      const record = base + (word & 0xffff)
      hash.of(arena.u8, record + RECORD_HEADER_BYTES, recordKeyLength(arena, record))
      const item = hash.position * SLOT_BITS + slot
      let at = count++
      if (count <= FEW) {
        while (at > 0 && order[at - 1]! > item) {
          order[at] = order[at - 1]!
          at--
        }
      }
      order[at] = item
    }
    if (count > FEW) order.subarray(0, count).sort()
    this.base = base
    this.count = count
    return this
  }

  positionAt(index: number): number {
    return Math.floor(this.order[index]! / SLOT_BITS)
  }

  private slotAt(index: number): number {
    return this.order[index]! % SLOT_BITS
  }

  private wordAt(index: number): number {
    return this.pool.arena.u32[((this.base + HEADER_BYTES) >>> 2) + this.slotAt(index)]!
  }

  private sizeAt(index: number): number {
    return SLOT_BYTES + recordSize(this.pool.arena, this.base + (this.wordAt(index) & 0xffff))
  }

  /** No directory can part them. */
  get areOfOnePosition(): boolean {
    return this.positionAt(0) === this.positionAt(this.count - 1)
  }

  /** Bytes of the records [from, to), slots included. */
  bytesOf(from: number, to: number): number {
    let bytes = 0
    for (let i = from; i < to; i++) bytes += this.sizeAt(i)
    return bytes
  }

  /** The index nearest to `bytes` of records from the low end where the position changes; 0 if it never does. */
  cut(bytes: number): number {
    const { count } = this
    let sum = 0
    let best = 0
    let bestDistance = Number.POSITIVE_INFINITY
    for (let i = 1; i < count; i++) {
      sum += this.sizeAt(i - 1)
      const distance = Math.abs(sum - bytes)
      if (distance >= bestDistance) break
      if (this.positionAt(i) !== this.positionAt(i - 1)) {
        best = i
        bestDistance = distance
      }
    }
    return best === 0 ? this.firstCut() : best
  }

  private firstCut(): number {
    for (let i = 1; i < this.count; i++) if (this.positionAt(i) !== this.positionAt(i - 1)) return i
    return 0
  }

  /** The last index where the position changes with at most `bytes` of records before it; 0 if there is none. */
  cutWithin(bytes: number): number {
    let sum = 0
    let last = 0
    for (let i = 1; i < this.count; i++) {
      sum += this.sizeAt(i - 1)
      if (sum > bytes) break
      if (this.positionAt(i) !== this.positionAt(i - 1)) last = i
    }
    return last
  }

  /** Appends the records [from, to) to a bucket with room in one piece, and frees their slots. */
  moveTo(target: Position, from: number, to: number): void {
    const { arena } = this.pool
    for (let i = from; i < to; i++) {
      const word = this.wordAt(i)
      const record = this.base + (word & 0xffff)
      appendRecord(this.pool, target, word, record, recordSize(arena, record))
      freeSlot(arena, this.base, this.slotAt(i))
    }
  }

  /** The records, each with its place in the arena. */
  placed(): PlacedRecord[] {
    const { arena } = this.pool
    return Array.from({ length: this.count }, (_, i) => {
      const word = this.wordAt(i)
      const at = this.base + (word & 0xffff)
      return { position: this.positionAt(i), word, at, bytes: SLOT_BYTES + recordSize(arena, at) }
    })
  }
}

/** A record of one of several blocks. */
export interface PlacedRecord {
  /** Hash position of its key. */
  readonly position: number
  /** Slot word, for the tag. */
  readonly word: number
  readonly at: Position
  /** With its slot. */
  readonly bytes: number
}

export const sumBytes = (records: readonly PlacedRecord[]): number =>
  records.reduce((sum, record) => sum + record.bytes, 0)

/** Cuts sorted records into runs of about `target` bytes, never between equal positions. */
export const group = (records: readonly PlacedRecord[], target: number): PlacedRecord[][] => {
  const groups: PlacedRecord[][] = []
  let sum = 0
  records.forEach((record, i) => {
    const sameAsBefore = i > 0 && records[i - 1]!.position === record.position
    if (groups.length === 0 || (sum >= target * groups.length && !sameAsBefore)) groups.push([])
    groups[groups.length - 1]!.push(record)
    sum += record.bytes
  })
  return groups
}

/** Appends records that lie anywhere in the arena to a bucket with room in one piece. */
export const appendRecords = (pool: BufferPool, target: Position, records: readonly PlacedRecord[]): void => {
  for (const { word, at, bytes } of records) appendRecord(pool, target, word, at, bytes - SLOT_BYTES)
}

const appendRecord = (
  { arena, blockSize }: BufferPool,
  target: Position,
  word: number,
  record: Position,
  size: number,
): void => {
  const { u8, u16, u32 } = arena
  const count = u16[(target + AT_COUNT) >>> 1]!
  const bytes = u16[(target + AT_RECORD_BYTES) >>> 1]! + size
  u8.copyWithin(target + blockSize - bytes, record, record + size)
  u32[((target + HEADER_BYTES) >>> 2) + count] = ((word & 0xffff0000) | (blockSize - bytes)) >>> 0
  u16[(target + AT_COUNT) >>> 1] = count + 1
  u16[(target + AT_LIVE) >>> 1] = u16[(target + AT_LIVE) >>> 1]! + 1
  u16[(target + AT_RECORD_BYTES) >>> 1] = bytes
}
