/**
 * The bucket: layout shared by hash index blocks and overflow blocks. Pure functions over a block in an arena;
 * `base` is the position of the block.
 *
 *   header | slots, 4 bytes each, growing up | unused | record area, growing down from the end of the block
 *
 *   slot, in use:  1 bit set, 15-bit tag of the key's hash | 16-bit offset of the record in the block
 *   slot, free:    1 bit clear, 15-bit number + 1 of the next free slot | 16-bit offset of the hole it left
 *
 *   record, offset 0: flags (low 5 bits), bits 8 to 10 of the key's length (high 3 bits)
 *                  1: bits 0 to 7 of the key's length
 *                  2: u16 length of the value field
 *                  4: key bytes, value field
 *
 * A hole keeps the record header that stood there, which tells its size. The value field of a record that expires
 * begins with the time. A large record's value field is (but for that) a pointer to a chain of large blocks
 * (LARGE_POINTER_BYTES): u32 head, u32 tail, u32 blocks, u32 bytes of the value.
 *
 * Invariants
 *  B1  live + free slots = count.
 *  B2  garbage = record bytes - sum of the sizes of live records.
 *  B3  header + 4 * count + record bytes <= block size.
 */
import type { Arena } from '../runtime/bytes.ts'
import {
  AT_COUNT,
  AT_FREE_SLOT,
  AT_GARBAGE,
  AT_KIND,
  AT_LIVE,
  AT_LSN,
  AT_NEXT,
  AT_RECORD_BYTES,
  BlockKind,
  HEADER_BYTES,
} from './layout.ts'
import type { Block, Lsn, Position } from './place.ts'

export const RECORD_HEADER_BYTES = 4
export const SLOT_BYTES = 4
export const LARGE_POINTER_BYTES = 16

export const RecordFlag = {
  /** The value field points to a chain of large blocks. */
  large: 1,
  /** The value field begins with the time of expiry (EXPIRY_BYTES). */
  expires: 2,
  /** The value is compressed: with deflate, or with the codec of the option `compression`. */
  deflated: 4,
  encoded: 8,
} as const
/** Milliseconds since 1970, big-endian. */
export const EXPIRY_BYTES = 6
export const FLAG_MASK = 0x1f

export const recordBytes = (keyLength: number, fieldLength: number): number =>
  RECORD_HEADER_BYTES + keyLength + fieldLength

export const recordFlags = (a: Arena, record: Position): number => a.u8[record]! & FLAG_MASK
export const recordKeyLength = (a: Arena, record: Position): number => ((a.u8[record]! >>> 5) << 8) | a.u8[record + 1]!
export const recordFieldLength = (a: Arena, record: Position): number => a.u8[record + 2]! | (a.u8[record + 3]! << 8)
export const recordSize = (a: Arena, record: Position): number =>
  RECORD_HEADER_BYTES + recordKeyLength(a, record) + recordFieldLength(a, record)

export const writeRecordHeader = (
  a: Arena,
  record: Position,
  flags: number,
  keyLength: number,
  fieldLength: number,
): void => {
  const u8 = a.u8
  u8[record] = flags | ((keyLength >>> 8) << 5)
  u8[record + 1] = keyLength
  u8[record + 2] = fieldLength
  u8[record + 3] = fieldLength >>> 8
}

export const slotInUse = (word: number): boolean => word >= 0x80000000

/**
 * The slot of the record whose hash tag and key bytes match, or -1.
 * `tag` has bit 15 set, so a free slot never matches.
 */
export const findSlot = (a: Arena, base: Position, tag: number, key: Position, keyLength: number): number => {
  const u32 = a.u32
  const first = (base + HEADER_BYTES) >>> 2
  const end = first + a.u16[(base + AT_COUNT) >>> 1]!
  for (let w = first; w < end; w++) {
    const word = u32[w]!
    if (word >>> 16 === tag && keyEquals(a, base + (word & 0xffff), key, keyLength)) return w - first
  }
  return -1
}

/** Whether the record of a used slot is that of a key. */
export const isRecordOf = (a: Arena, base: Position, slot: number, key: Position, keyLength: number): boolean =>
  keyEquals(a, recordAt(a, base, slot), key, keyLength)

const keyEquals = (a: Arena, record: Position, key: Position, keyLength: number): boolean => {
  const u8 = a.u8
  if (u8[record + 1] !== (keyLength & 0xff) || u8[record]! >>> 5 !== keyLength >>> 8) return false
  const start = record + RECORD_HEADER_BYTES
  for (let i = 0; i < keyLength; i++) if (u8[start + i] !== u8[key + i]) return false
  return true
}

export const slotWord = (a: Arena, base: Position, slot: number): number => a.u32[((base + HEADER_BYTES) >>> 2) + slot]!

/** Position of the record that a used slot points to. */
export const recordAt = (a: Arena, base: Position, slot: number): Position =>
  base + (a.u32[((base + HEADER_BYTES) >>> 2) + slot]! & 0xffff)

/** Bytes between the slots and the record area. */
export const contiguousBytes = (a: Arena, base: Position, blockSize: number): number =>
  blockSize - HEADER_BYTES - SLOT_BYTES * a.u16[(base + AT_COUNT) >>> 1]! - a.u16[(base + AT_RECORD_BYTES) >>> 1]!

/** Bytes of live records and their slots. */
export const liveBytes = (a: Arena, base: Position): number =>
  a.u16[(base + AT_RECORD_BYTES) >>> 1]! -
  a.u16[(base + AT_GARBAGE) >>> 1]! +
  SLOT_BYTES * a.u16[(base + AT_LIVE) >>> 1]!

/** True when a record of `size` bytes fits, perhaps after `compact`. */
export const fits = (a: Arena, base: Position, blockSize: number, size: number): boolean =>
  HEADER_BYTES + liveBytes(a, base) + SLOT_BYTES + size <= blockSize

export const formatBucket = (a: Arena, base: Position, blockSize: number): void => {
  a.clear(base, base + blockSize)
  a.u8[base + AT_KIND] = BlockKind.bucket
}

/**
 * Rewrites the block so that the free space is in one piece and no slot is free: live records keep their slot order.
 * A pure function of the block's bytes: the log redoes it by calling it again.
 * `scratch` is the position of one block's worth of spare bytes.
 */
export const compact = (a: Arena, base: Position, blockSize: number, scratch: Position): void => {
  const { u8, u16, u32 } = a
  const slots = (base + HEADER_BYTES) >>> 2
  const count = u16[(base + AT_COUNT) >>> 1]!
  u8.copyWithin(scratch, base, base + blockSize)
  let end = blockSize
  let live = 0
  for (let slot = 0; slot < count; slot++) {
    const word = u32[slots + slot]!
    if (!slotInUse(word)) continue
    const from = scratch + (word & 0xffff)
    const size = recordSize(a, from)
    end -= size
    u8.copyWithin(base + end, from, from + size)
    u32[slots + live++] = ((word & 0xffff0000) | end) >>> 0
  }
  u8.fill(0, base + HEADER_BYTES + live * SLOT_BYTES, base + end)
  u16[(base + AT_COUNT) >>> 1] = live
  u16[(base + AT_LIVE) >>> 1] = live
  u16[(base + AT_FREE_SLOT) >>> 1] = 0
  u16[(base + AT_RECORD_BYTES) >>> 1] = blockSize - end
  u16[(base + AT_GARBAGE) >>> 1] = 0
}

/**
 * What is wrong with a bucket's own bytes (B1 to B3), as a sentence, or undefined. Reads nothing outside the block,
 * whatever the bytes are: run on every block that comes from the disk before anything trusts its offsets.
 */
export const bucketProblem = (a: Arena, base: Position, blockSize: number): string | undefined => {
  const { u16, u32 } = a
  const count = u16[(base + AT_COUNT) >>> 1]!
  const records = u16[(base + AT_RECORD_BYTES) >>> 1]!
  // B3
  if (HEADER_BYTES + SLOT_BYTES * count + records > blockSize)
    return `${count} slots and ${records} record bytes do not fit in ${blockSize} bytes`
  const start = blockSize - records
  let live = 0
  let bytes = 0
  for (let slot = 0; slot < count; slot++) {
    const word = u32[((base + HEADER_BYTES) >>> 2) + slot]!
    const offset = word & 0xffff
    if (!slotInUse(word)) continue
    if (offset < start || offset + RECORD_HEADER_BYTES > blockSize)
      return `slot ${slot} points to ${offset}, outside the record area ${start} to ${blockSize}`
    const size = recordSize(a, base + offset)
    if (offset + size > blockSize) return `the record of slot ${slot} ends at ${offset + size}, behind the block`
    live++
    bytes += size
  }
  // B1; the free slots are counted by their list, below.
  if (live !== u16[(base + AT_LIVE) >>> 1])
    return `${live} live records, the header says ${u16[(base + AT_LIVE) >>> 1]}`
  // B2
  if (records - bytes !== u16[(base + AT_GARBAGE) >>> 1])
    return `${records - bytes} garbage bytes, the header says ${u16[(base + AT_GARBAGE) >>> 1]}`
  return freeSlotProblem(a, base, count, count - live, start, blockSize)
}

const freeSlotProblem = (
  a: Arena,
  base: Position,
  count: number,
  expected: number,
  start: number,
  blockSize: number,
): string | undefined => {
  let seen = 0
  for (let next = a.u16[(base + AT_FREE_SLOT) >>> 1]!; next !== 0; seen++) {
    if (next > count) return `the slot freelist points to slot ${next - 1} of ${count}`
    if (seen >= expected) return 'the slot freelist is longer than the free slots, or cyclic'
    const word = slotWord(a, base, next - 1)
    if (slotInUse(word)) return `the slot freelist holds slot ${next - 1}, which is in use`
    const offset = word & 0xffff
    if (offset !== 0 && (offset < start || offset + RECORD_HEADER_BYTES > blockSize))
      return `free slot ${next - 1} points to a hole at ${offset}, outside the record area`
    next = word >>> 16
  }
  return seen === expected ? undefined : `${expected} free slots, ${seen} on the slot freelist`
}

export const bucketNext = (a: Arena, base: Position): Block => a.u32[(base + AT_NEXT) >>> 2]!
export const blockLsn = (a: Arena, base: Position): Lsn =>
  a.u32[(base + AT_LSN) >>> 2]! + a.u32[(base + AT_LSN + 4) >>> 2]! * 4294967296

const TWO_32 = 4294967296

/** Reads a time of expiry (EXPIRY_BYTES). */
export const readTime = (u8: Uint8Array, at: number): number =>
  (u8[at]! * 256 + u8[at + 1]!) * TWO_32 +
  (((u8[at + 2]! << 24) | (u8[at + 3]! << 16) | (u8[at + 4]! << 8) | u8[at + 5]!) >>> 0)

export const writeTime = (u8: Uint8Array, at: number, time: number): void => {
  const high = Math.floor(time / TWO_32)
  const low = time % TWO_32
  u8[at] = high >>> 8
  u8[at + 1] = high
  u8[at + 2] = low >>> 24
  u8[at + 3] = low >>> 16
  u8[at + 4] = low >>> 8
  u8[at + 5] = low
}
