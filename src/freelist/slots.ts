/**
 * Record slots inside a bucket: taking one for a new record, and giving one back to the block's freelist.
 * A freed slot remembers the hole that its record left, and the next record that fits takes both again.
 */

import { contiguousBytes, recordSize, SLOT_BYTES, slotWord } from '../pager/bucket.ts'
import { AT_COUNT, AT_FREE_SLOT, AT_GARBAGE, AT_LIVE, AT_RECORD_BYTES, HEADER_BYTES } from '../pager/layout.ts'
import type { Position } from '../pager/place.ts'
import type { Arena } from '../runtime/bytes.ts'

/** How many free slots are looked at for a hole that is large enough. */
const PROBES = 4

/** The slot that `takeSlot` took. */
export const takenSlot = (taken: number): number => taken & 0xffff
/** The free slot whose link changed because the one behind it was taken, or -1. Its word has to be logged too. */
export const relinkedSlot = (taken: number): number => (taken >>> 16) - 1

/**
 * Takes a slot and `size` bytes for a record with hash tag `tag`; the caller writes the record at `recordAt`.
 * Returns what `takenSlot` and `relinkedSlot` read, or -1 when the free space has to be brought together first
 * (`compact`), or is too small.
 */
export const takeSlot = (a: Arena, base: Position, blockSize: number, tag: number, size: number): number => {
  const { u16, u32 } = a
  const slots = (base + HEADER_BYTES) >>> 2
  const head = u16[(base + AT_FREE_SLOT) >>> 1]!
  if (head !== 0) {
    let previous = -1
    let next = head
    for (let probe = 0; next !== 0 && probe < PROBES; probe++) {
      const word = slotWord(a, base, next - 1)
      const hole = word & 0xffff
      if (hole !== 0 && recordSize(a, base + hole) >= size) {
        if (previous < 0) u16[(base + AT_FREE_SLOT) >>> 1] = word >>> 16
        else u32[slots + previous] = ((word >>> 16) << 16) | (slotWord(a, base, previous) & 0xffff)
        u32[slots + next - 1] = ((tag << 16) | hole) >>> 0
        u16[(base + AT_GARBAGE) >>> 1] = u16[(base + AT_GARBAGE) >>> 1]! - size
        u16[(base + AT_LIVE) >>> 1] = u16[(base + AT_LIVE) >>> 1]! + 1
        return (next - 1) | ((previous + 1) << 16)
      }
      previous = next - 1
      next = word >>> 16
    }
  }
  const room = contiguousBytes(a, base, blockSize)
  const bytes = u16[(base + AT_RECORD_BYTES) >>> 1]! + size
  let slot: number
  if (head !== 0) {
    if (room < size) return -1
    slot = head - 1
    u16[(base + AT_FREE_SLOT) >>> 1] = slotWord(a, base, slot) >>> 16
  } else {
    if (room < size + SLOT_BYTES) return -1
    slot = u16[(base + AT_COUNT) >>> 1]!
    u16[(base + AT_COUNT) >>> 1] = slot + 1
  }
  u32[slots + slot] = ((tag << 16) | (blockSize - bytes)) >>> 0
  u16[(base + AT_RECORD_BYTES) >>> 1] = bytes
  u16[(base + AT_LIVE) >>> 1] = u16[(base + AT_LIVE) >>> 1]! + 1
  return slot
}

/** Puts a slot on the block's freelist; its record becomes a hole. The last live record leaves an empty block. */
export const freeSlot = (a: Arena, base: Position, slot: number): void => {
  const { u16, u32 } = a
  if (u16[(base + AT_LIVE) >>> 1] === 1) {
    u16.fill(0, (base + AT_COUNT) >>> 1, (base + AT_GARBAGE + 2) >>> 1)
    return
  }
  const offset = slotWord(a, base, slot) & 0xffff
  u16[(base + AT_GARBAGE) >>> 1] = u16[(base + AT_GARBAGE) >>> 1]! + recordSize(a, base + offset)
  u16[(base + AT_LIVE) >>> 1] = u16[(base + AT_LIVE) >>> 1]! - 1
  u32[((base + HEADER_BYTES) >>> 2) + slot] = (u16[(base + AT_FREE_SLOT) >>> 1]! << 16) | offset
  u16[(base + AT_FREE_SLOT) >>> 1] = slot + 1
}
