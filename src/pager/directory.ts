/**
 * The directory: maps intervals of 32-bit hash positions to blocks. Pure functions over a block in an arena.
 *
 *   header | separators, u32 each, ascending, room for `capacity` | children, u32 each, room for `capacity`
 *
 * Entry i covers the positions from separator i up to separator i + 1 (the last one up to the directory's own end).
 * An extendible directory in sorted form: where a bucket splits is decided by its records, not by the next hash bit,
 * so that neighbours can share their load and nothing ever doubles (docs/design.md has the measurements).
 *
 * Invariants
 *  D1  separators ascend strictly; the first equals the low end of the interval that the parent gives.
 *  D2  children of level 0 are buckets, children of level n are directories of level n - 1.
 */
import type { Arena } from '../bytes.ts'
import { AT_COUNT, AT_KIND, AT_LEVEL, BlockKind, HEADER_BYTES } from './layout.ts'

export const directoryCapacity = (blockSize: number): number => Math.floor((blockSize - HEADER_BYTES) / 8)

export const entryCount = (a: Arena, base: number): number => a.u16[(base + AT_COUNT) >>> 1]!
export const directoryLevel = (a: Arena, base: number): number => a.u8[base + AT_LEVEL]!

export const separatorOffset = (entry: number): number => HEADER_BYTES + 4 * entry
export const childOffset = (capacity: number, entry: number): number => HEADER_BYTES + 4 * (capacity + entry)

export const separatorOf = (a: Arena, base: number, entry: number): number =>
  a.u32[(base + HEADER_BYTES) / 4 + entry]!
export const childOf = (a: Arena, base: number, capacity: number, entry: number): number =>
  a.u32[(base + HEADER_BYTES) / 4 + capacity + entry]!

/**
 * The entry whose interval holds `position`. Interpolation: positions are hashes, so the guess is off by a few
 * entries; a walk longer than a cache line turns into a binary search.
 */
export const findEntry = (a: Arena, base: number, position: number): number => {
  const u32 = a.u32
  const first = (base + HEADER_BYTES) >>> 2
  const last = a.u16[(base + AT_COUNT) >>> 1]! - 1
  if (last <= 0) return 0
  const low = u32[first]!
  const span = u32[first + last]! - low
  let entry = Math.floor(((position - low) / span) * last)
  if (entry > last) entry = last
  let steps = 0
  if (u32[first + entry]! <= position) {
    while (entry < last && u32[first + entry + 1]! <= position) {
      entry++
      if (++steps === 16) return searchEntries(u32, first, entry, last, position)
    }
    return entry
  }
  while (entry > 0) {
    entry--
    if (u32[first + entry]! <= position) return entry
    if (++steps === 16) return searchEntries(u32, first, 0, entry, position)
  }
  return 0
}

const searchEntries = (
  u32: Uint32Array,
  first: number,
  from: number,
  to: number,
  position: number,
): number => {
  let low = from
  let high = to
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    if (u32[first + middle]! <= position) low = middle
    else high = middle - 1
  }
  return low
}

/** What is wrong with a directory's own bytes, or undefined. */
export const directoryProblem = (a: Arena, base: number, blockSize: number): string | undefined => {
  const count = entryCount(a, base)
  if (count === 0 || count > directoryCapacity(blockSize)) return `a directory of ${count} entries`
  for (let entry = 1; entry < count; entry++)
    if (separatorOf(a, base, entry) <= separatorOf(a, base, entry - 1))
      return `separators ${entry - 1} and ${entry} do not ascend`
  return undefined
}

export const formatDirectory = (a: Arena, base: number, blockSize: number, level: number): void => {
  a.clear(base, base + blockSize)
  a.u8[base + AT_KIND] = BlockKind.directory
  a.u8[base + AT_LEVEL] = level
}
