/**
 * The bytes of the log. LSN: position of a byte in the endless stream of groups, so a larger LSN is a later one;
 * the space that groups leave up to the next sector counts too. Everything is aligned to 4 bytes, little-endian.
 *
 * Segment file, first sector
 *    0   8  magic "XENLOG1\n"          16  16  UUID of the database
 *    8   4  checksum of bytes 12-63    32   8  LSN of the first byte behind this sector
 *   12   4  salt of this use           40   4  bytes of the segment
 *
 * Group: what one write carries. Begins on a fresh sector when the one before it was synced; before it is synced aside,
 * a system record without parts fills its last sector.
 *    0   4  magic                      16   8  LSN of this group
 *    4   4  checksum of the rest       24   8  synced through: every byte below this LSN was synced before
 *    8   4  bytes of the group
 *   12   4  salt of the segment's use  32      records
 *
 * Record
 *    0   4  bytes of the record        8   4  transaction, 0 = the system
 *    4   1  type                      12   8  LSN of the transaction's record before this one, 0 = none;
 *    5   1  flags                             in a compensation record: of the record to undo next
 *    6   2  parts                     20      the undo section if flagged, then the parts
 *
 * Part: all changes of one block.      u32 block | u32 bytes of operations | operations
 * Operation: one word u16 length | u16 offset, then `length` bytes (padded) that overwrite the block from `offset`;
 *    or length 0 and a code in place of the offset, then its arguments (see LogOp).
 * Undo section: u8 kind | u8 record flags | u16 key length | u32 field length | key (padded) | field (padded);
 *    of an insertion: u8 kind | u8 0 | u16 key length | u32 offset of the key in the log record
 *    In both, for a key of a key space of its own: kind + 128, and u32 the number of the space behind the 8 bytes.
 */

import type { Block, Lsn, Position } from '../pager/place.ts'
import type { Arena } from '../runtime/bytes.ts'

export const SEGMENT_MAGIC: Uint8Array = new Uint8Array([0x58, 0x45, 0x4e, 0x4c, 0x4f, 0x47, 0x31, 0x0a])
export const SEGMENT_HEADER_BYTES = 512
/** Bytes that the power may take away together: what is synced and what is written next share none. */
export const SECTOR = 512
export const GROUP_MAGIC = 0x474c4e58
export const GROUP_HEADER_BYTES = 32
export const RECORD_HEADER_BYTES = 20
export const UNDO_HEADER_BYTES = 8

export const RecordType = {
  /** A change of a transaction; with the flag `commits` it is a whole transaction in itself. */
  update: 1,
  commit: 2,
  /** A transaction has been rolled back completely. */
  end: 3,
  /** A structure change: atomic in itself, never undone. */
  system: 4,
  /** A full block, logged before the block is overwritten in place. */
  image: 5,
} as const

export const RecordFlag = {
  commits: 1,
  compensation: 2,
  undo: 4,
} as const

export const UndoKind = {
  /** Remove the key again. */
  insert: 1,
  /** Put the old record (flags and field) back. */
  restore: 2,
  /** Free the blocks whose numbers are the field. */
  allocate: 3,
} as const

/** Added to the kind of an undo section whose key is one of a key space of its own. */
export const IN_SPACE = 0x80
export const SPACE_BYTES = 4

export const LogOp = {
  /** Argument: kind | level << 8. The block is zeroed; nothing of its old bytes is needed. */
  format: 1,
  /** Arguments: to << 16 | from, length. Bytes move inside the block. */
  move: 2,
  /** The bucket, or the tree node, is compacted. */
  compact: 3,
  /** Tree node, arguments: index | length << 16, child, suffix (padded). */
  insertEntry: 4,
  /** Tree node, argument: index. */
  removeEntry: 5,
  /** Tree node, argument: from | to << 16. The other entries go. */
  keepEntries: 6,
  /** Tree node, argument: the new, shorter length of the prefix. */
  shortenPrefix: 7,
  /** Block 0, argument: change of the number of records (signed). */
  records: 16,
  /** Block 0, argument: the new value. */
  blocks: 17,
  freeHead: 18,
  freeBlocks: 19,
  /** 1 when the database keeps the ordered index. */
  ordered: 20,
  firstSpace: 21,
  firstCondemned: 22,
  spaces: 23,
} as const

export const pad4 = (bytes: number): number => (bytes + 3) & ~3

export const recordLength = (a: Arena, position: Position): number => a.u32[position >>> 2]!
export const recordType = (a: Arena, position: Position): number => a.u8[position + 4]!
export const recordFlags = (a: Arena, position: Position): number => a.u8[position + 5]!
export const recordParts = (a: Arena, position: Position): number => a.u16[(position + 6) >>> 1]!
export const recordTransaction = (a: Arena, position: Position): number => a.u32[(position + 8) >>> 2]!
export const recordPrevious = (a: Arena, position: Position): Lsn =>
  a.u32[(position + 12) >>> 2]! + a.u32[(position + 16) >>> 2]! * 4294967296

/** By the byte with the kind of an undo section. */
export const undoHeaderBytes = (kind: number): number =>
  (kind & IN_SPACE) === 0 ? UNDO_HEADER_BYTES : UNDO_HEADER_BYTES + SPACE_BYTES

/** Position of the first part of a record. */
const firstPart = (a: Arena, position: Position): number => {
  const at = position + RECORD_HEADER_BYTES
  if ((recordFlags(a, position) & RecordFlag.undo) === 0) return at
  const kind = a.u8[at]!
  const header = undoHeaderBytes(kind)
  if ((kind & ~IN_SPACE) === UndoKind.insert) return at + header
  return at + header + pad4(a.u16[(at + 2) >>> 1]!) + pad4(a.u32[(at + 4) >>> 2]!)
}

/** Calls `visit` with the block and the bounds of the operations of each part. */
export const eachPart = (
  a: Arena,
  position: Position,
  visit: (block: Block, from: number, to: number) => void,
): void => {
  let at = firstPart(a, position)
  for (let part = recordParts(a, position); part > 0; part--) {
    const block = a.u32[at >>> 2]!
    const from = at + 8
    at = from + a.u32[(at + 4) >>> 2]!
    visit(block, from, at)
  }
}

export interface UndoSection {
  /** Number of the key space of the key, 0 = the root. */
  space: number
  kind: number
  flags: number
  key: Position
  keyLength: number
  field: Position
  fieldLength: number
}

/** The undo section of a record that has one. */
export const undoSection = (a: Arena, position: Position): UndoSection => {
  const at = position + RECORD_HEADER_BYTES
  const keyLength = a.u16[(at + 2) >>> 1]!
  const word = a.u32[(at + 4) >>> 2]!
  const kind = a.u8[at]! & ~IN_SPACE
  const isInsert = kind === UndoKind.insert
  const header = undoHeaderBytes(a.u8[at]!)
  const key = isInsert ? position + word : at + header
  return {
    space: header === UNDO_HEADER_BYTES ? 0 : a.u32[(at + UNDO_HEADER_BYTES) >>> 2]!,
    kind,
    flags: a.u8[at + 1]!,
    key,
    keyLength,
    field: key + pad4(keyLength),
    fieldLength: isInsert ? 0 : word,
  }
}

/** Where the sector begins in which nothing stands if the log of a segment that begins at `start` ends at `lsn`. */
export const sectorAfter = (start: Lsn, lsn: Lsn): Lsn => start + Math.ceil((lsn - start) / SECTOR) * SECTOR
