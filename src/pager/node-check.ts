/** Whether the bytes of a tree node are sound: N1 to N3 of node.ts, and every offset within the block. */
import type { Arena } from '../runtime/bytes.ts'
import { AT_GARBAGE, AT_KIND, AT_RECORD_BYTES, BlockKind, HEADER_BYTES } from './layout.ts'
import {
  CHILD_BYTES,
  compareRest,
  entryBytes,
  LONG,
  lengthAt,
  lengthOf,
  MAX_TREE_KEY_BYTES,
  NODE_SLOT_BYTES,
  nodeCount,
  nodeLevel,
  prefixLength,
  slotsOf,
  suffixLengthAt,
} from './node.ts'
import type { Position } from './place.ts'

/**
 * What is wrong with a node's own bytes, as a sentence, or undefined. Reads nothing outside the block, whatever the
 * bytes are: run on every node that comes from the disk before anything trusts its offsets.
 */
export const nodeProblem = (a: Arena, base: Position, blockSize: number): string | undefined => {
  const { u16, u32, u8 } = a
  const count = nodeCount(a, base)
  const used = u16[(base + AT_RECORD_BYTES) >>> 1]!
  const prefix = prefixLength(a, base)
  const isInner = u8[base + AT_KIND] === BlockKind.inner
  if (isInner !== nodeLevel(a, base) > 0) return `a ${isInner ? 'inner node' : 'leaf'} of level ${nodeLevel(a, base)}`
  // N3
  if (HEADER_BYTES + NODE_SLOT_BYTES * count + used > blockSize)
    return `${count} entries and ${used} bytes of them do not fit in ${blockSize} bytes`
  if (prefix > used || prefix > MAX_TREE_KEY_BYTES) return `a prefix of ${prefix} bytes`
  if (isInner && count === 0) return 'an inner tree node without children'
  const start = blockSize - used
  const end = blockSize - prefix
  const least = isInner ? CHILD_BYTES + 3 : 3
  let bytes = soundEntryBytes(a, base, count, prefix, start, end)
  if (bytes >= 0) {
    const garbage = u16[(base + AT_GARBAGE) >>> 1]!
    if (used - prefix - bytes === garbage && (!isInner || suffixLengthAt(a, base, 0) === 0)) return undefined
  }
  bytes = prefix
  for (let i = 0; i < count; i++) {
    const offset = u32[slotsOf(base) + i]! & 0xffff
    if (offset < start || offset >= end) return `entry ${i} lies at ${offset}, outside ${start} to ${end}`
    const lengthByte = base + offset + (isInner ? CHILD_BYTES : 0)
    if (offset + (isInner ? CHILD_BYTES : 0) >= end) return `entry ${i} ends behind the block`
    if (u8[lengthByte] === LONG && offset + least > end) return `entry ${i} ends behind the block`
    const length = lengthOf(a, lengthByte)
    const size = entryBytes(length, isInner)
    if (length + prefix > MAX_TREE_KEY_BYTES || offset + size > end) return `entry ${i} is ${length} bytes long`
    bytes += size
    // N1
    if (i > 0 && !ascends(a, base, i)) return `entries ${i - 1} and ${i} do not ascend`
  }
  if (isInner && count > 0 && suffixLengthAt(a, base, 0) !== 0) return 'the first separator is not empty'
  // N2
  const garbage = u16[(base + AT_GARBAGE) >>> 1]!
  return used - bytes === garbage ? undefined : `${used - bytes} garbage bytes, the header says ${garbage}`
}

/**
 * Bytes of all entries if each is short, lies in its place and ascends; -1 if one of them needs a closer look. Every
 * entry of every block that is read comes by here, often before the engine has compiled it, so it is one small loop.
 */
const soundEntryBytes = (
  a: Arena,
  base: Position,
  count: number,
  prefix: number,
  start: number,
  end: number,
): number => {
  const { u8, u32 } = a
  const extra = u8[base + AT_KIND] === BlockKind.inner ? CHILD_BYTES : 0
  if (prefix + LONG > MAX_TREE_KEY_BYTES) return -1
  const slots = slotsOf(base)
  const first = base + start + extra
  const last = base + end
  let bytes = count * (extra + 1)
  let headBefore = -1
  let atBefore = 0
  let lengthBefore = 0
  for (let i = 0; i < count; i++) {
    const word = u32[slots + i]!
    const at = base + extra + (word & 0xffff)
    if (at < first || at >= last) return -1
    const length = u8[at]!
    if (length === LONG) return -1
    if (length > 2) {
      bytes += length - 2
      if (at + length > last + 1) return -1
    }
    const head = word >>> 16
    if (head <= headBefore) {
      if (head < headBefore) return -1
      let k = 2
      while (k < length && k < lengthBefore && u8[atBefore + k - 1] === u8[at + k - 1]) k++
      const isLess = k < length && k < lengthBefore ? u8[atBefore + k - 1]! < u8[at + k - 1]! : lengthBefore < length
      if (!isLess) return -1
    }
    headBefore = head
    atBefore = at
    lengthBefore = length
  }
  return bytes
}

const ascends = (a: Arena, base: Position, index: number): boolean => {
  const word = a.u32[slotsOf(base) + index]!
  const before = a.u32[slotsOf(base) + index - 1]!
  if (word >>> 16 !== before >>> 16) return word >>> 16 > before >>> 16
  const at = lengthAt(a, base, index)
  const length = lengthOf(a, at)
  return compareRest(a.u8, lengthAt(a, base, index - 1), at + (length < LONG ? 1 : 3) - 2, length) < 0
}
