/** Applies the operations of a part of a log record to the block it belongs to. The images are bytes here. */
import type { Arena } from '../bytes.ts'
import { compact } from '../pager/bucket.ts'
import { AT_KIND, AT_LEVEL, BlockKind } from '../pager/layout.ts'
import type { Metadata } from '../pager/metadata.ts'
import {
  compactNode,
  insertNodeEntry,
  keepNodeEntries,
  removeNodeEntry,
  shortenNodePrefix,
} from '../pager/node.ts'
import { LogOp, pad4 } from './format.ts'

/** True when the operations need nothing of the block's old bytes. */
export const formatsBlock = (log: Arena, from: number): boolean =>
  log.u16[from >>> 1] === 0 && log.u16[(from + 2) >>> 1] === LogOp.format

/** Applies operations [from, to) of `log` to the block at `base` of `a`. `scratch`: one spare block in `a`. */
export const applyOperations = (
  log: Arena,
  from: number,
  to: number,
  a: Arena,
  base: number,
  blockSize: number,
  scratch: number,
): void => {
  for (let at = from; at < to; ) {
    const length = log.u16[at >>> 1]!
    const offset = log.u16[(at + 2) >>> 1]!
    at += 4
    if (length > 0) {
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
      a.u8.copyWithin(base + (ends >>> 16), base + (ends & 0xffff), base + (ends & 0xffff) + bytes)
    } else if (offset === LogOp.compact) {
      if (a.u8[base + AT_KIND] === BlockKind.bucket) compact(a, base, blockSize, scratch)
      else compactNode(a, base, blockSize, scratch)
    } else if (offset === LogOp.insertEntry) {
      const word = log.u32[at >>> 2]!
      const child = log.u32[(at + 4) >>> 2]!
      at += 8
      insertNodeEntry(a, base, blockSize, word & 0xffff, log.u8, at, word >>> 16, child)
      at += pad4(word >>> 16)
    } else if (offset === LogOp.removeEntry) {
      removeNodeEntry(a, base, log.u32[at >>> 2]!)
      at += 4
    } else if (offset === LogOp.keepEntries) {
      const word = log.u32[at >>> 2]!
      at += 4
      keepNodeEntries(a, base, blockSize, word & 0xffff, word >>> 16, scratch)
    } else if (offset === LogOp.shortenPrefix) {
      shortenNodePrefix(a, base, blockSize, log.u32[at >>> 2]!, scratch)
      at += 4
    } else {
      throw new RangeError(`unknown log operation ${offset}`)
    }
  }
}

/** Applies operations [from, to) of `log` to block 0. */
export const applyToMetadata = (log: Arena, from: number, to: number, metadata: Metadata): void => {
  for (let at = from; at < to; at += 8) {
    const code = log.u16[(at + 2) >>> 1]!
    const value = log.u32[(at + 4) >>> 2]!
    if (code === LogOp.records) metadata.addRecords(value | 0)
    else if (code === LogOp.blocks) metadata.blocks = value
    else if (code === LogOp.freeHead) metadata.freeHead = value
    else if (code === LogOp.freeBlocks) metadata.freeBlocks = value
    else if (code === LogOp.ordered) metadata.ordered = value === 1
    else throw new RangeError(`unknown log operation ${code} on block 0`)
  }
}
