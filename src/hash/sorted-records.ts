/**
 * The records of a bucket by the position of their keys, and where the bucket may be parted: never between two records
 * of the same position, which no directory can tell apart.
 */
import type { BufferPool } from '../buffer/pool.ts'
import { freeSlot } from '../freelist/slots.ts'
import { RECORD_HEADER_BYTES, recordKeyLength, recordSize, SLOT_BYTES, slotInUse } from '../pager/bucket.ts'
import { AT_COUNT, AT_LIVE, AT_RECORD_BYTES, HEADER_BYTES } from '../pager/layout.ts'
import type { Position } from '../pager/place.ts'
import type { Arena } from '../runtime/bytes.ts'
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
  /** position * SLOT_BITS + slot of each record, ascending; then its slot, and its bytes with the slot. */
  private readonly order: Float64Array
  private readonly slots: Uint16Array
  private readonly sizes: Uint16Array

  /** `hash`: one of its own, since the key at hand is needed again behind the change. */
  constructor(pool: BufferPool, hash: KeyHash) {
    this.pool = pool
    this.hash = hash
    const most = Math.ceil(pool.blockSize / (SLOT_BYTES + RECORD_HEADER_BYTES))
    this.order = new Float64Array(most)
    this.slots = new Uint16Array(most)
    this.sizes = new Uint16Array(most)
  }

  /** Sorts the records of the block at `base`, which stays there as long as anything else is asked. */
  read(base: Position): this {
    const { arena } = this.pool
    const { order, slots, sizes, hash } = this
    const end = arena.u16[(base + AT_COUNT) >>> 1]!
    const first = (base + HEADER_BYTES) >>> 2
    let count = 0
    for (let slot = 0; slot < end; slot++) {
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
    for (let i = 0; i < count; i++) {
      const item = order[i]!
      const slot = item - Math.floor(item / SLOT_BITS) * SLOT_BITS
      slots[i] = slot
      sizes[i] = SLOT_BYTES + recordSize(arena, base + (arena.u32[first + slot]! & 0xffff))
    }
    this.base = base
    this.count = count
    return this
  }

  positionAt(index: number): number {
    return Math.floor(this.order[index]! / SLOT_BITS)
  }

  /** No directory can part them. */
  get areOfOnePosition(): boolean {
    return this.positionAt(0) === this.positionAt(this.count - 1)
  }

  /** Bytes of the records [from, to), slots included. */
  bytesOf(from: number, to: number): number {
    let bytes = 0
    for (let i = from; i < to; i++) bytes += this.sizes[i]!
    return bytes
  }

  /** The index nearest to `bytes` of records from the low end where the position changes; 0 if it never does. */
  cut(bytes: number): number {
    const { count, sizes } = this
    let sum = 0
    let best = 0
    let bestDistance = Number.POSITIVE_INFINITY
    for (let i = 1; i < count; i++) {
      sum += sizes[i - 1]!
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
    const { count, sizes } = this
    let sum = 0
    let last = 0
    for (let i = 1; i < count; i++) {
      sum += sizes[i - 1]!
      if (sum > bytes) break
      if (this.positionAt(i) !== this.positionAt(i - 1)) last = i
    }
    return last
  }

  /** How many records from the low end on take at most `bytes`. */
  countWithin(bytes: number): number {
    let sum = 0
    for (let i = 0; i < this.count; i++) {
      sum += this.sizes[i]!
      if (sum > bytes) return i
    }
    return this.count
  }

  /** Appends the records [from, to) to a bucket with room in one piece, and frees their slots. */
  moveTo(target: Position, from: number, to: number): void {
    const { slots, sizes, base } = this
    const { arena, blockSize } = this.pool
    const { u8, u16, u32 } = arena
    const sourceSlots = (base + HEADER_BYTES) >>> 2
    const targetSlots = (target + HEADER_BYTES) >>> 2
    let count = u16[(target + AT_COUNT) >>> 1]!
    let bytes = u16[(target + AT_RECORD_BYTES) >>> 1]!
    for (let i = from; i < to; i++) {
      const slot = slots[i]!
      const word = u32[sourceSlots + slot]!
      const record = base + (word & 0xffff)
      const size = sizes[i]! - SLOT_BYTES
      bytes += size
      u8.copyWithin(target + blockSize - bytes, record, record + size)
      u32[targetSlots + count++] = ((word & 0xffff0000) | (blockSize - bytes)) >>> 0
      freeSlot(arena, base, slot)
    }
    noteAppended(arena, target, count, to - from, bytes)
  }

  /** The records, each with its place in the arena. */
  placed(): PlacedRecord[] {
    const { slots, sizes, base } = this
    const first = (base + HEADER_BYTES) >>> 2
    return Array.from({ length: this.count }, (_, i) => {
      const word = this.pool.arena.u32[first + slots[i]!]!
      return { position: this.positionAt(i), word, at: base + (word & 0xffff), bytes: sizes[i]! }
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
  const { arena, blockSize } = pool
  const { u8, u16, u32 } = arena
  const slots = (target + HEADER_BYTES) >>> 2
  let count = u16[(target + AT_COUNT) >>> 1]!
  let bytes = u16[(target + AT_RECORD_BYTES) >>> 1]!
  for (const record of records) {
    const size = record.bytes - SLOT_BYTES
    bytes += size
    u8.copyWithin(target + blockSize - bytes, record.at, record.at + size)
    u32[slots + count++] = ((record.word & 0xffff0000) | (blockSize - bytes)) >>> 0
  }
  noteAppended(arena, target, count, records.length, bytes)
}

const noteAppended = ({ u16 }: Arena, bucket: Position, slots: number, added: number, bytes: number): void => {
  u16[(bucket + AT_COUNT) >>> 1] = slots
  u16[(bucket + AT_LIVE) >>> 1] = u16[(bucket + AT_LIVE) >>> 1]! + added
  u16[(bucket + AT_RECORD_BYTES) >>> 1] = bytes
}
