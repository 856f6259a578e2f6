/**
 * The node of a B+tree over byte strings: leaves hold keys alone, inner nodes separators and children. Pure functions
 * over a block in an arena; `base` is the position of the block.
 *
 *   header | slots, 4 bytes each, ascending by key | unused | entries, growing down | the prefix that all keys share
 *
 *   slot:   first two bytes of the suffix (zeros where it is shorter), big-endian | 16-bit offset of the entry
 *   entry:  inner node: u32 child | length of the suffix: one byte, or 255 and u16 | suffix from its third byte on
 *
 * A key is the node's prefix and the suffix of its entry. Child i covers the keys from separator i up to separator
 * i + 1; entry 0 of an inner node stands for all keys below separator 1 and has an empty suffix.
 *
 * Invariants
 *  N1  suffixes ascend strictly; in an inner node, no suffix but the first is empty.
 *  N2  garbage = record bytes - prefix - sum of the sizes of entries.
 *  N3  header + 4 * count + record bytes <= block size.
 */
import type { Arena } from '../runtime/bytes.ts'
import { AT_COUNT, AT_GARBAGE, AT_KIND, AT_LEVEL, AT_RECORD_BYTES, BlockKind, HEADER_BYTES } from './layout.ts'
import type { Block, Position } from './place.ts'

export const NODE_SLOT_BYTES = 4
/** Longest key of a tree: a time of expiry before a key of 1,024 bytes. */
export const MAX_TREE_KEY_BYTES = 1040
const AT_PREFIX = 8
export const CHILD_BYTES = 4
export const LONG = 255

/** A key on its way from one node to another. */
const work = new Uint8Array(MAX_TREE_KEY_BYTES)

export const nodeCount = (a: Arena, base: Position): number => a.u16[(base + AT_COUNT) >>> 1]!
export const nodeLevel = (a: Arena, base: Position): number => a.u8[base + AT_LEVEL]!
export const prefixLength = (a: Arena, base: Position): number => a.u16[(base + AT_PREFIX) >>> 1]!

/** Bytes of an entry with a suffix of this length. */
export const entryBytes = (suffixLength: number, isInner: boolean): number =>
  (isInner ? CHILD_BYTES : 0) + (suffixLength < LONG ? 1 : 3) + (suffixLength > 2 ? suffixLength - 2 : 0)

/** Bytes of entries, slots and prefix. */
export const nodeLiveBytes = (a: Arena, base: Position): number =>
  a.u16[(base + AT_RECORD_BYTES) >>> 1]! -
  a.u16[(base + AT_GARBAGE) >>> 1]! +
  NODE_SLOT_BYTES * a.u16[(base + AT_COUNT) >>> 1]!

/** True when an entry of `size` bytes fits, perhaps after `compactNode`. */
export const nodeFits = (a: Arena, base: Position, blockSize: number, size: number): boolean =>
  HEADER_BYTES + nodeLiveBytes(a, base) + NODE_SLOT_BYTES + size <= blockSize

/** Bytes between the slots and the entries. */
export const nodeGap = (a: Arena, base: Position, blockSize: number): number =>
  blockSize - HEADER_BYTES - NODE_SLOT_BYTES * a.u16[(base + AT_COUNT) >>> 1]! - a.u16[(base + AT_RECORD_BYTES) >>> 1]!

export const slotsOf = (base: Position): number => (base + HEADER_BYTES) >>> 2

const entryAt = (a: Arena, base: Position, index: number): number => base + (a.u32[slotsOf(base) + index]! & 0xffff)

/** Position behind the child of an entry: its length. */
export const lengthAt = (a: Arena, base: Position, index: number): number =>
  entryAt(a, base, index) + (a.u8[base + AT_KIND] === BlockKind.inner ? CHILD_BYTES : 0)

export const lengthOf = (a: Arena, at: number): number => {
  const length = a.u8[at]!
  return length < LONG ? length : a.u8[at + 1]! | (a.u8[at + 2]! << 8)
}

export const suffixLengthAt = (a: Arena, base: Position, index: number): number => lengthOf(a, lengthAt(a, base, index))

/** Child of an entry of an inner node. */
export const nodeChild = (a: Arena, base: Position, index: number): Block => {
  const at = entryAt(a, base, index)
  const { u8 } = a
  return (u8[at]! | (u8[at + 1]! << 8) | (u8[at + 2]! << 16) | (u8[at + 3]! << 24)) >>> 0
}

/** Offset in the block of the child of an entry. */
export const nodeChildOffset = (a: Arena, base: Position, index: number): number =>
  a.u32[slotsOf(base) + index]! & 0xffff

/** Writes the key of an entry to `out` at `at`; returns its length. */
export const nodeKey = (
  a: Arena,
  base: Position,
  blockSize: number,
  index: number,
  out: Uint8Array,
  at: number,
): number => {
  const { u8 } = a
  const prefix = prefixLength(a, base)
  const prefixAt = base + blockSize - prefix
  for (let i = 0; i < prefix; i++) out[at + i] = u8[prefixAt + i]!
  const word = a.u32[slotsOf(base) + index]!
  let from = base + (word & 0xffff)
  if (u8[base + AT_KIND] === BlockKind.inner) from += CHILD_BYTES
  const to = at + prefix
  let length = u8[from]!
  if (length < LONG) from += 1
  else {
    length = u8[from + 1]! | (u8[from + 2]! << 8)
    from += 3
  }
  if (length > 0) out[to] = word >>> 24
  if (length > 1) out[to + 1] = word >>> 16
  for (let i = 2; i < length; i++) out[to + i] = u8[from + i - 2]!
  return prefix + length
}

/** Where the keys of a leaf go: bytes of the arena between `start`, a multiple of 4, and `end`. */
export interface KeyRoom {
  readonly start: number
  readonly end: number
  /** Position and length of each key; long enough for all that may be asked for at a time. */
  readonly at: Int32Array
  readonly length: Int32Array
}

/**
 * Copies the keys of a leaf's entries from `first` on, forward or backward (`step` 1 or -1), at most `most` of them.
 * Each begins at a multiple of 4 and is followed by zeros up to the next one, so that it can be read in words.
 * Returns how many keys found room.
 */
export const copyLeafKeys = (
  a: Arena,
  base: Position,
  blockSize: number,
  first: number,
  step: number,
  most: number,
  room: KeyRoom,
): number => {
  const { u8, u32 } = a
  const slots = slotsOf(base)
  const prefix = prefixLength(a, base)
  const prefixAt = base + blockSize - prefix
  const prefixWords = (prefix + 3) >>> 2
  let at = room.start
  let count = 0
  for (let index = first; count < most; index += step) {
    const word = u32[slots + index]!
    let from = base + (word & 0xffff)
    const length = lengthOf(a, from)
    const end = at + prefix + length
    if (end + 3 > room.end) break
    from += length < LONG ? 1 : 3
    // The key before begins with the prefix too, and can be read in words.
    if (count === 0) for (let i = 0; i < prefix; i++) u8[at + i] = u8[prefixAt + i]!
    else {
      const before = room.at[count - 1]! >>> 2
      for (let i = 0; i < prefixWords; i++) u32[(at >>> 2) + i] = u32[before + i]!
    }
    const to = at + prefix
    if (length > 0) u8[to] = word >>> 24
    if (length > 1) u8[to + 1] = word >>> 16
    for (let i = 2; i < length; i++) u8[to + i] = u8[from + i - 2]!
    room.at[count] = at
    room.length[count++] = prefix + length
    for (at = end; (at & 3) !== 0; at++) u8[at] = 0
  }
  return count
}

/**
 * Looks for a key: the index of the first entry that is not below it, times two, plus one if that entry is the key.
 */
export const searchNode = (a: Arena, base: Position, blockSize: number, key: Position, keyLength: number): number => {
  const { u8, u32 } = a
  const count = nodeCount(a, base)
  const prefix = prefixLength(a, base)
  const prefixAt = base + blockSize - prefix
  for (let i = 0; i < prefix; i++) {
    if (i === keyLength) return 0
    const difference = u8[key + i]! - u8[prefixAt + i]!
    if (difference !== 0) return difference < 0 ? 0 : count << 1
  }
  const suffix = key + prefix
  const length = keyLength - prefix
  const head = length > 1 ? (u8[suffix]! << 8) | u8[suffix + 1]! : length > 0 ? u8[suffix]! << 8 : 0
  const slots = slotsOf(base)
  const extra = u8[base + AT_KIND] === BlockKind.inner ? CHILD_BYTES : 0
  let low = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >>> 1
    const word = u32[slots + middle]!
    let order = (word >>> 16) - head
    if (order === 0) {
      order = compareRest(u8, base + (word & 0xffff) + extra, suffix, length)
      if (order === 0) return (middle << 1) | 1
    }
    if (order < 0) low = middle + 1
    else high = middle
  }
  return low << 1
}

/** Compares the entry whose length lies at `at` with a suffix that has the same first two bytes. */
export const compareRest = (u8: Uint8Array, at: number, suffix: number, length: number): number => {
  let from = at + 1
  let entry = u8[at]!
  if (entry === LONG) {
    entry = u8[at + 1]! | (u8[at + 2]! << 8)
    from = at + 3
  }
  const shared = entry < length ? entry : length
  for (let i = 2; i < shared; i++) {
    const difference = u8[from + i - 2]! - u8[suffix + i]!
    if (difference !== 0) return difference
  }
  return entry - length
}

/** Number of leading bytes of the key that equal the node's prefix. */
export const prefixShared = (a: Arena, base: Position, blockSize: number, key: Position, keyLength: number): number => {
  const prefix = prefixLength(a, base)
  const prefixAt = base + blockSize - prefix
  let i = 0
  while (i < prefix && i < keyLength && a.u8[key + i] === a.u8[prefixAt + i]) i++
  return i
}

/** Number of leading bytes that the keys of two entries share. */
const sharedBy = (a: Arena, base: Position, blockSize: number, first: number, second: number): number => {
  const length = nodeKey(a, base, blockSize, first, work, 0)
  const prefix = prefixLength(a, base)
  const other = suffixLengthAt(a, base, second)
  const word = a.u32[slotsOf(base) + second]!
  const at = lengthAt(a, base, second)
  const rest = at + (other < LONG ? 1 : 3)
  let shared = prefix
  for (let i = 0; i < other && shared < length; i++, shared++) {
    const byte = i === 0 ? word >>> 24 : i === 1 ? (word >>> 16) & 0xff : a.u8[rest + i - 2]!
    if (byte !== work[shared]) break
  }
  return shared
}

/** Formats an empty node that shares the first `prefix` bytes at `prefixAt` of `bytes`. */
export const formatNode = (
  a: Arena,
  base: Position,
  blockSize: number,
  level: number,
  bytes: Uint8Array,
  prefixAt: number,
  prefix: number,
): void => {
  const { u8, u16 } = a
  a.clear(base, base + blockSize)
  u8[base + AT_KIND] = level === 0 ? BlockKind.leaf : BlockKind.inner
  u8[base + AT_LEVEL] = level
  u16[(base + AT_PREFIX) >>> 1] = prefix
  u16[(base + AT_RECORD_BYTES) >>> 1] = prefix
  for (let i = 0; i < prefix; i++) u8[base + blockSize - prefix + i] = bytes[prefixAt + i]!
}

/** Inserts an entry; there is room for it in one piece. `suffix`: position in `bytes` of the key behind the prefix. */
export const insertNodeEntry = (
  a: Arena,
  base: Position,
  blockSize: number,
  index: number,
  bytes: Uint8Array,
  suffix: number,
  length: number,
  child: Block,
): void => {
  const { u8, u16, u32 } = a
  const count = nodeCount(a, base)
  const isInner = u8[base + AT_KIND] === BlockKind.inner
  const size = entryBytes(length, isInner)
  const used = u16[(base + AT_RECORD_BYTES) >>> 1]! + size
  const offset = blockSize - used
  let at = base + offset
  const slots = slotsOf(base)
  if (index < count) u32.copyWithin(slots + index + 1, slots + index, slots + count)
  const high = length > 0 ? bytes[suffix]! : 0
  const low = length > 1 ? bytes[suffix + 1]! : 0
  u32[slots + index] = ((high << 24) | (low << 16) | offset) >>> 0
  if (isInner) {
    u8[at] = child
    u8[at + 1] = child >>> 8
    u8[at + 2] = child >>> 16
    u8[at + 3] = child >>> 24
    at += CHILD_BYTES
  }
  if (length < LONG) u8[at++] = length
  else {
    u8[at] = LONG
    u8[at + 1] = length
    u8[at + 2] = length >>> 8
    at += 3
  }
  for (let i = 2; i < length; i++) u8[at + i - 2] = bytes[suffix + i]!
  u16[(base + AT_COUNT) >>> 1] = count + 1
  u16[(base + AT_RECORD_BYTES) >>> 1] = used
}

export const removeNodeEntry = (a: Arena, base: Position, index: number): void => {
  const { u8, u16, u32 } = a
  const count = nodeCount(a, base)
  const isInner = u8[base + AT_KIND] === BlockKind.inner
  const size = entryBytes(suffixLengthAt(a, base, index), isInner)
  const slots = slotsOf(base)
  u32.copyWithin(slots + index, slots + index + 1, slots + count)
  u16[(base + AT_COUNT) >>> 1] = count - 1
  u16[(base + AT_GARBAGE) >>> 1] = u16[(base + AT_GARBAGE) >>> 1]! + size
}

/** Appends the entries [from, to) of the node at `source` to the node at `target`, whose prefix they share. */
export const appendNodeEntries = (
  a: Arena,
  target: Position,
  source: Position,
  blockSize: number,
  from: number,
  to: number,
): void => {
  const prefix = prefixLength(a, target)
  const isInner = a.u8[source + AT_KIND] === BlockKind.inner
  for (let i = from; i < to; i++) {
    const length = nodeKey(a, source, blockSize, i, work, 0)
    const child = isInner ? nodeChild(a, source, i) : 0
    insertNodeEntry(a, target, blockSize, nodeCount(a, target), work, prefix, length - prefix, child)
  }
}

/** Builds at `target` a node of the entries [from, to) of the node at `source`, with the longest prefix they share. */
export const buildNode = (
  a: Arena,
  target: Position,
  source: Position,
  blockSize: number,
  from: number,
  to: number,
): void => {
  const level = nodeLevel(a, source)
  const first = level === 0 ? from : from + 1
  let prefix = 0
  if (to - first > 1) {
    prefix = sharedBy(a, source, blockSize, first, to - 1)
    const longest = prefixLength(a, source) + suffixLengthAt(a, source, first) - 1
    if (level > 0 && prefix > longest) prefix = longest
  }
  buildWithPrefix(a, target, source, blockSize, from, to, prefix)
}

const buildWithPrefix = (
  a: Arena,
  target: Position,
  source: Position,
  blockSize: number,
  from: number,
  to: number,
  prefix: number,
): void => {
  const level = nodeLevel(a, source)
  const kept = from < to ? prefix : 0
  let first = from
  if (kept > 0) nodeKey(a, source, blockSize, to - 1, work, 0)
  formatNode(a, target, blockSize, level, work, 0, kept)
  if (level > 0 && from < to) {
    insertNodeEntry(a, target, blockSize, 0, work, 0, 0, nodeChild(a, source, from))
    first++
  }
  appendNodeEntries(a, target, source, blockSize, first, to)
}

/** Keeps the entries [from, to) alone. The log redoes it by calling it again. `scratch`: one spare block. */
export const keepNodeEntries = (
  a: Arena,
  base: Position,
  blockSize: number,
  from: number,
  to: number,
  scratch: Position,
): void => {
  copyBlock(a, base, scratch, blockSize)
  buildNode(a, base, scratch, blockSize, from, to)
}

/** Makes the prefix shorter. The log redoes it by calling it again. */
export const shortenNodePrefix = (
  a: Arena,
  base: Position,
  blockSize: number,
  prefix: number,
  scratch: Position,
): void => {
  copyBlock(a, base, scratch, blockSize)
  buildWithPrefix(a, base, scratch, blockSize, 0, nodeCount(a, scratch), prefix)
}

/** Brings the free space together. The log redoes it by calling it again. */
export const compactNode = (a: Arena, base: Position, blockSize: number, scratch: Position): void => {
  shortenNodePrefix(a, base, blockSize, prefixLength(a, base), scratch)
}

const copyBlock = (a: Arena, base: Position, to: number, blockSize: number): void => {
  a.u8.copyWithin(to, base, base + blockSize)
}

/** Bytes that the node would take with a shorter prefix. */
export const liveBytesWithPrefix = (a: Arena, base: Position, prefix: number): number => {
  const isInner = a.u8[base + AT_KIND] === BlockKind.inner
  const longer = prefixLength(a, base) - prefix
  let bytes = prefix
  for (let i = 0; i < nodeCount(a, base); i++) {
    const length = suffixLengthAt(a, base, i)
    bytes += NODE_SLOT_BYTES + entryBytes(isInner && i === 0 ? 0 : length + longer, isInner)
  }
  return bytes
}
