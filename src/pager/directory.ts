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
import type { Arena } from '../runtime/bytes.ts'
import { AT_COUNT, AT_KIND, AT_LEVEL, BlockKind, HEADER_BYTES } from './layout.ts'
import type { Block, Position } from './place.ts'

export const directoryCapacity = (blockSize: number): number => Math.floor((blockSize - HEADER_BYTES) / 8)

export const entryCount = (a: Arena, base: Position): number => a.u16[(base + AT_COUNT) >>> 1]!
export const directoryLevel = (a: Arena, base: Position): number => a.u8[base + AT_LEVEL]!

export const separatorOffset = (entry: number): number => HEADER_BYTES + 4 * entry
export const childOffset = (capacity: number, entry: number): number => HEADER_BYTES + 4 * (capacity + entry)

export const separatorOf = (a: Arena, base: Position, entry: number): number =>
  a.u32[(base + HEADER_BYTES) / 4 + entry]!
export const childOf = (a: Arena, base: Position, capacity: number, entry: number): Block =>
  a.u32[(base + HEADER_BYTES) / 4 + capacity + entry]!

/**
 * The entry whose interval holds `position`. A binary search whose only branch is its end, since a processor guesses
 * the others wrong half of the time: it compares all bits but the last one, so that a difference keeps its sign.
 */
export const findEntry = (a: Arena, base: Position, position: number): number => {
  const { u32 } = a
  const first = (base + HEADER_BYTES) >>> 2
  const wanted = position >>> 1
  let entry = first
  for (let left = a.u16[(base + AT_COUNT) >>> 1]!; left > 1; ) {
    const half = left >>> 1
    // All bits are set where the separator is not above the position, none where it is.
    entry += half & (((u32[entry + half]! >>> 1) - wanted - 1) >> 31)
    left -= half
  }
  while (entry > first && u32[entry]! > position) entry--
  return entry - first
}

/** What is wrong with a directory's own bytes, or undefined. */
export const directoryProblem = (a: Arena, base: Position, blockSize: number): string | undefined => {
  const count = entryCount(a, base)
  if (count === 0 || count > directoryCapacity(blockSize)) return `a directory of ${count} entries`
  // D1
  for (let entry = 1; entry < count; entry++)
    if (separatorOf(a, base, entry) <= separatorOf(a, base, entry - 1))
      return `separators ${entry - 1} and ${entry} do not ascend`
  return undefined
}

export const formatDirectory = (a: Arena, base: Position, blockSize: number, level: number): void => {
  a.clear(base, base + blockSize)
  a.u8[base + AT_KIND] = BlockKind.directory
  a.u8[base + AT_LEVEL] = level
}
