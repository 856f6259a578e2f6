/** Applies the operations of a part of a log record to the block it belongs to. The images are bytes here. */

import { bucketProblem, compact } from '../pager/bucket.ts'
import { AT_KIND, AT_LEVEL, BlockKind, HEADER_BYTES } from '../pager/layout.ts'
import { AT_MARK, MAX_MARK_BYTES, type Metadata } from '../pager/metadata.ts'
import {
  compactNode,
  entryBytes,
  insertNodeEntry,
  keepNodeEntries,
  liveBytesWithPrefix,
  NODE_SLOT_BYTES,
  nodeCount,
  nodeGap,
  prefixLength,
  removeNodeEntry,
  shortenNodePrefix,
} from '../pager/node.ts'
import { nodeProblem } from '../pager/node-check.ts'
import type { Position } from '../pager/place.ts'
import { type Arena, copyBytes } from '../runtime/bytes.ts'
import { LogOp, pad4 } from './format.ts'

/** True when the operations need nothing of the block's old bytes. */
export const formatsBlock = (log: Arena, from: number): boolean =>
  log.u16[from >>> 1] === 0 && log.u16[(from + 2) >>> 1] === LogOp.format

/**
 * Applies operations [from, to) of `log` to the block at `base` of `a`. `scratch`: one spare block in `a`.
 * @throws RangeError for an operation that the block cannot have been meant for; nothing outside of it is changed.
 */
export const applyOperations = (
  log: Arena,
  from: number,
  to: number,
  a: Arena,
  base: Position,
  blockSize: number,
  scratch: Position,
): void => {
  for (let at = from; at < to; ) {
    const length = log.u16[at >>> 1]!
    const offset = log.u16[(at + 2) >>> 1]!
    at += 4
    if (length > 0) {
      if (offset + length > blockSize) throw outside(offset, length, blockSize)
      a.u8.set(log.u8.subarray(at, at + length), base + offset)
      at += pad4(length)
    } else if (offset === LogOp.format) {
      const argument = log.u32[at >>> 2]!
      at += 4
      a.clear(base, base + blockSize)
      a.u8[base + AT_KIND] = argument
      a.u8[base + AT_LEVEL] = argument >>> 8
    } else if (offset === LogOp.move) {
      const ends = log.u32[at >>> 2]!
      const bytes = log.u32[(at + 4) >>> 2]!
      at += 8
      const farther = Math.max(ends >>> 16, ends & 0xffff)
      if (farther + bytes > blockSize) throw outside(farther, bytes, blockSize)
      a.u8.copyWithin(base + (ends >>> 16), base + (ends & 0xffff), base + (ends & 0xffff) + bytes)
    } else if (offset === LogOp.compact) {
      if (a.u8[base + AT_KIND] === BlockKind.bucket) {
        requireSound(bucketProblem(a, base, blockSize))
        compact(a, base, blockSize, scratch)
      } else {
        requireSound(nodeProblem(a, base, blockSize))
        compactNode(a, base, blockSize, scratch)
      }
    } else if (offset === LogOp.insertEntry) {
      const word = log.u32[at >>> 2]!
      const child = log.u32[(at + 4) >>> 2]!
      at += 8
      const size = entryBytes(word >>> 16, a.u8[base + AT_KIND] === BlockKind.inner)
      if ((word & 0xffff) > nodeCount(a, base) || nodeGap(a, base, blockSize) < size + NODE_SLOT_BYTES)
        throw new RangeError('an entry that does not fit in its tree node')
      insertNodeEntry(a, base, blockSize, word & 0xffff, log.u8, at, word >>> 16, child)
      at += pad4(word >>> 16)
    } else if (offset === LogOp.removeEntry) {
      const index = log.u32[at >>> 2]!
      if (index >= nodeCount(a, base)) throw new RangeError(`a tree node has no entry ${index}`)
      removeNodeEntry(a, base, index)
      at += 4
    } else if (offset === LogOp.keepEntries) {
      const word = log.u32[at >>> 2]!
      at += 4
      requireSound(nodeProblem(a, base, blockSize))
      if ((word & 0xffff) > word >>> 16 || word >>> 16 > nodeCount(a, base))
        throw new RangeError(`a tree node does not have the entries ${word & 0xffff} to ${word >>> 16}`)
      keepNodeEntries(a, base, blockSize, word & 0xffff, word >>> 16, scratch)
    } else if (offset === LogOp.shortenPrefix) {
      requireSound(nodeProblem(a, base, blockSize))
      const prefix = log.u32[at >>> 2]!
      if (prefix > prefixLength(a, base) || liveBytesWithPrefix(a, base, prefix) > blockSize - HEADER_BYTES)
        throw new RangeError(`a tree node cannot have a prefix of ${prefix} bytes`)
      shortenNodePrefix(a, base, blockSize, prefix, scratch)
      at += 4
    } else {
      throw new RangeError(`unknown log operation ${offset}`)
    }
  }
}

const outside = (offset: number, length: number, blockSize: number): RangeError =>
  new RangeError(`${length} bytes at ${offset} of a block of ${blockSize}`)

/** Before a whole block is made anew from what it holds. */
const requireSound = (problem: string | undefined): void => {
  if (problem !== undefined) throw new RangeError(`a block that is not sound: ${problem}`)
}

/** Applies operations [from, to) of `log` to block 0: codes with one argument, and bytes where the mark stands. */
export const applyToMetadata = (log: Arena, from: number, to: number, metadata: Metadata): void => {
  for (let at = from; at < to; at += stateOperationBytes(log, at)) {
    const length = log.u16[at >>> 1]!
    const code = log.u16[(at + 2) >>> 1]!
    if (length > 0) {
      if (code !== AT_MARK || length > MAX_MARK_BYTES) throw new RangeError(`${length} bytes at ${code} of block 0`)
      // Copied: the log's bytes are a Buffer, whose slice would be a window.
      metadata.mark = copyBytes(log.u8, at + 4, at + 4 + length)
      continue
    }
    const value = log.u32[(at + 4) >>> 2]!
    if (code === LogOp.records) metadata.addRecords(value | 0)
    else if (code === LogOp.blocks) metadata.blocks = value
    else if (code === LogOp.freeHead) metadata.freeHead = value
    else if (code === LogOp.freeBlocks) metadata.freeBlocks = value
    else if (code === LogOp.ordered) metadata.ordered = value === 1
    else if (code === LogOp.firstSpace) metadata.firstSpace = value
    else if (code === LogOp.firstCondemned) metadata.firstCondemned = value
    else if (code === LogOp.spaces) metadata.spaces = value
    else throw new RangeError(`unknown log operation ${code} on block 0`)
  }
}

/** Bytes of the operation on block 0 at `at`. */
const stateOperationBytes = (log: Arena, at: Position): number => {
  const length = log.u16[at >>> 1]!
  return length === 0 ? 8 : 4 + pad4(length)
}

/** The highest number of blocks that operations on block 0 say, or 0. */
export const blocksIn = (log: Arena, from: number, to: number): number => {
  let most = 0
  for (let at = from; at < to; at += stateOperationBytes(log, at))
    if (log.u16[at >>> 1] === 0 && log.u16[(at + 2) >>> 1] === LogOp.blocks)
      most = Math.max(most, log.u32[(at + 4) >>> 2]!)
  return most
}
