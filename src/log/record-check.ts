/**
 * What is wrong with the bytes of a log record, whatever they are. A right checksum says that nobody has changed a
 * group by accident, not that a log writer made it: before anything follows the lengths and counts of a record, they
 * are followed here once, and stay inside it.
 */
import type { Arena } from '../runtime/bytes.ts'
import {
  IN_SPACE,
  LogOp,
  pad4,
  RECORD_HEADER_BYTES,
  RecordFlag,
  recordFlags,
  recordLength,
  recordParts,
  UNDO_HEADER_BYTES,
  UndoKind,
  undoHeaderBytes,
} from './format.ts'

/** Bytes of each operation that has a code, with its arguments; of `insertEntry`, without the suffix. */
const OPERATION_BYTES: Readonly<Record<number, number>> = {
  [LogOp.format]: 8,
  [LogOp.move]: 12,
  [LogOp.compact]: 4,
  [LogOp.insertEntry]: 12,
  [LogOp.removeEntry]: 8,
  [LogOp.keepEntries]: 8,
  [LogOp.shortenPrefix]: 8,
  [LogOp.records]: 8,
  [LogOp.blocks]: 8,
  [LogOp.freeHead]: 8,
  [LogOp.freeBlocks]: 8,
  [LogOp.ordered]: 8,
  [LogOp.firstSpace]: 8,
  [LogOp.firstCondemned]: 8,
  [LogOp.spaces]: 8,
}
const operationBytes = Uint8Array.from({ length: 32 }, (_, code) => OPERATION_BYTES[code] ?? 0)

/** Operations that work on the whole block: so many of them, and one more for so many bytes of a part, are believed. */
const WHOLE_BLOCK = 8
const BYTES_PER_WHOLE_BLOCK = 32

/** A sentence, or undefined for a record that lies whole before `end`, with its undo section, parts and operations. */
export const recordProblem = (a: Arena, position: number, end: number): string | undefined => {
  if (position + RECORD_HEADER_BYTES > end) return 'the header of a record ends behind its group'
  const length = recordLength(a, position)
  if (length < RECORD_HEADER_BYTES || length % 4 !== 0 || position + length > end) return `a record of ${length} bytes`
  const last = position + length
  let at = position + RECORD_HEADER_BYTES
  if ((recordFlags(a, position) & RecordFlag.undo) !== 0) {
    at = endOfUndo(a, position, at, length)
    if (at > last) return 'the undo section of a record ends behind it'
  }
  for (let part = recordParts(a, position); part > 0; part--) {
    if (at + 8 > last) return `a record of ${length} bytes with ${recordParts(a, position)} parts`
    const bytes = a.u32[(at + 4) >>> 2]!
    at += 8
    if (bytes > last - at || bytes % 4 !== 0) return `a part of ${bytes} bytes in a record of ${length}`
    if (!operationsFit(a, at, at + bytes)) return 'operations that do not fit in their part'
    at += bytes
  }
  return undefined
}

/** Behind the undo section at `at`; Infinity if it leads out of the record. */
const endOfUndo = (a: Arena, position: number, at: number, length: number): number => {
  if (at + UNDO_HEADER_BYTES > position + length) return Number.POSITIVE_INFINITY
  const keyLength = a.u16[(at + 2) >>> 1]!
  const word = a.u32[(at + 4) >>> 2]!
  const kind = a.u8[at]!
  const header = undoHeaderBytes(kind)
  if ((kind & ~IN_SPACE) === UndoKind.insert) return word + keyLength > length ? Number.POSITIVE_INFINITY : at + header
  if (word > length) return Number.POSITIVE_INFINITY
  return at + header + pad4(keyLength) + pad4(word)
}

const operationsFit = (a: Arena, from: number, to: number): boolean => {
  const { u16 } = a
  let at = from
  let whole = 0
  while (at < to) {
    const length = u16[at >>> 1]!
    if (length > 0) {
      at += 4 + pad4(length)
      continue
    }
    const code = u16[(at + 2) >>> 1]!
    const bytes = code < operationBytes.length ? operationBytes[code]! : 0
    if (bytes === 0 || at + bytes > to) return false
    if (code === LogOp.insertEntry) at += pad4(u16[(at + 6) >>> 1]!)
    else if (code < LogOp.records && code !== LogOp.removeEntry) whole++
    at += bytes
  }
  return at === to && (whole <= WHOLE_BLOCK || (whole - WHOLE_BLOCK) * BYTES_PER_WHOLE_BLOCK <= to - from)
}
