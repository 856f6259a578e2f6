/** A bucket taken apart: records, free slots, holes. The block has been found sound. */
import { pointerAt } from '../hash/hash.ts'
import { LargeValues } from '../hash/large.ts'
import {
  bucketNext,
  contiguousBytes,
  EXPIRY_BYTES,
  RECORD_HEADER_BYTES,
  RecordFlag,
  readTime,
  recordAt,
  recordFieldLength,
  recordFlags,
  recordKeyLength,
  recordSize,
  SLOT_BYTES,
  slotInUse,
  slotWord,
} from '../pager/bucket.ts'
import { AT_COUNT, AT_FREE_SLOT, AT_GARBAGE, AT_LIVE, AT_RECORD_BYTES, HEADER_BYTES } from '../pager/layout.ts'
import type { Position } from '../pager/place.ts'
import type { Arena } from '../runtime/bytes.ts'
import type { BucketView, FreeSlot, RecordView, Region } from './shapes.ts'
import { shownBytes } from './shown.ts'

/** `isTuple`: its keys are tuples. */
export const viewBucket = (a: Arena, base: Position, blockSize: number, isTuple: boolean): BucketView => {
  const count = a.u16[(base + AT_COUNT) >>> 1]!
  const records: RecordView[] = []
  for (let slot = 0; slot < count; slot++)
    if (slotInUse(slotWord(a, base, slot))) records.push(viewRecord(a, base, slot, isTuple))
  return {
    slots: count,
    live: a.u16[(base + AT_LIVE) >>> 1]!,
    gap: contiguousBytes(a, base, blockSize),
    garbage: a.u16[(base + AT_GARBAGE) >>> 1]!,
    records,
    freeSlots: freeSlotsOf(a, base),
    holes: holesOf(records, blockSize - a.u16[(base + AT_RECORD_BYTES) >>> 1]!, blockSize),
    next: bucketNext(a, base),
  }
}

/** The record that a used slot points to. */
export const viewRecord = (a: Arena, base: Position, slot: number, isTuple: boolean): RecordView => {
  const record = recordAt(a, base, slot)
  const flags = recordFlags(a, record)
  const keyAt = record + RECORD_HEADER_BYTES
  const field = keyAt + recordKeyLength(a, record)
  const end = field + recordFieldLength(a, record)
  const isLarge = (flags & RecordFlag.large) !== 0
  const expires = (flags & RecordFlag.expires) !== 0
  return {
    slot,
    tag: (slotWord(a, base, slot) >>> 16) & 0x7fff,
    at: record - base,
    bytes: recordSize(a, record),
    key: shownBytes(a.u8.subarray(keyAt, field), isTuple),
    compressed:
      (flags & RecordFlag.deflated) !== 0 ? 'deflate' : (flags & RecordFlag.encoded) !== 0 ? 'codec' : undefined,
    expiresAt: expires ? readTime(a.u8, field) : undefined,
    value: isLarge ? undefined : shownBytes(a.u8.subarray(field + (expires ? EXPIRY_BYTES : 0), end)),
    large: isLarge ? { ...LargeValues.pointer(a, pointerAt(field, flags)) } : undefined,
  }
}

/** The list of free slots, in the order in which they are used again. */
const freeSlotsOf = (a: Arena, base: Position): FreeSlot[] => {
  const free: FreeSlot[] = []
  for (let next = a.u16[(base + AT_FREE_SLOT) >>> 1]!; next !== 0; ) {
    const slot = next - 1
    const word = slotWord(a, base, slot)
    next = word >>> 16
    free.push({ slot, hole: word & 0xffff, next: next === 0 ? undefined : next - 1 })
  }
  return free
}

/** What lies between records, from the start of the record area to the end of the block. */
const holesOf = (records: readonly RecordView[], start: number, end: number): { at: number; bytes: number }[] => {
  const holes: { at: number; bytes: number }[] = []
  let at = start
  for (const record of [...records].sort((x, y) => x.at - y.at)) {
    if (record.at > at) holes.push({ at, bytes: record.at - at })
    at = record.at + record.bytes
  }
  if (end > at) holes.push({ at, bytes: end - at })
  return holes
}

export const bucketRegions = ({ slots, gap, records, holes }: BucketView): Region[] => {
  const slotsAt = HEADER_BYTES
  const gapAt = slotsAt + slots * SLOT_BYTES
  return [
    { at: slotsAt, bytes: slots * SLOT_BYTES, what: 'slots' },
    { at: gapAt, bytes: gap, what: 'unused' },
    ...records.map(({ at, bytes, slot }): Region => ({ at, bytes, what: 'record', index: slot })),
    ...holes.map((hole): Region => ({ ...hole, what: 'hole' })),
  ]
}
