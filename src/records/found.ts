/**
 * What a way of reading has found of a key.
 *
 * There are three of them, and `find(key)` is all that a caller has to know of each: `Committed` (what is committed
 * now), `Inside` (what stands in the blocks, under a transaction's locks) and `AsOf` (what a snapshot sees). What they
 * find is read in the same way: the value by `RecordValues.of`, the time of expiry here. A record that has expired is
 * not found.
 */

import type { Space } from '../engine/space.ts'
import { CorruptionError } from '../errors.ts'
import {
  FLAG_MASK,
  RECORD_HEADER_BYTES,
  RecordFlag,
  readTime,
  recordFieldLength,
  recordFlags,
} from '../pager/bucket.ts'
import type { Lsn, Position } from '../pager/place.ts'
import { copyBytes } from '../runtime/bytes.ts'
import { type CommittedRecord, fromLatin1 } from '../txn/changed-keys.ts'
import type { Key } from '../types.ts'
import { hasPassed } from './expiry.ts'

/** One way to read. */
export interface Reading {
  /** The record of a key; undefined if there is none, or none any more. It holds until the next access to the pool. */
  find(key: Key): Found | undefined
}

/** One object for all that a database finds, so that a get allocates nothing but its value. */
export class Found {
  flags = 0
  /** Where the value field lies in the arena, and its length. */
  field: Position = 0
  length = 0
  /** The blocks of a large value are read as a snapshot of this LSN sees them; 0: as they are now. */
  asOf: Lsn = 0
  private readonly space: Space

  constructor(space: Space) {
    this.space = space
  }

  /**
   * The record at `record` of the pool; undefined if it has expired. Its header (`pager/bucket.ts`) is read at one go:
   * by the functions for its parts a get takes 5 % longer.
   */
  inPool(record: Position, asOf: Lsn): Found | undefined {
    const { u8 } = this.space.arena
    const first = u8[record]!
    const flags = first & FLAG_MASK
    this.flags = flags
    this.field = record + RECORD_HEADER_BYTES + (((first >>> 5) << 8) | u8[record + 1]!)
    this.length = u8[record + 2]! | (u8[record + 3]! << 8)
    this.asOf = asOf
    return flags === 0 ? this : this.unexpired()
  }

  /** The same whether it has expired or not. */
  standing(record: Position, asOf: Lsn): Found {
    this.inPool(record, asOf)
    return this
  }

  /** `inPool` for a record whose field lies elsewhere: it is copied to the scratch. */
  inCopy(record: CommittedRecord | undefined, asOf: Lsn): Found | undefined {
    if (record === undefined) return undefined
    const { arena, fieldAt, pool, file } = this.space
    const { flags, field } = record
    if (field.length > pool.blockSize)
      throw new CorruptionError(file.file.path, `a record claims a value field of ${field.length} bytes`)
    arena.u8.set(field, fieldAt)
    this.flags = flags
    this.field = fieldAt
    this.length = field.length
    this.asOf = asOf
    return this.unexpired()
  }

  /** Milliseconds since 1970, 0 = never. */
  get expiresAt(): number {
    return (this.flags & RecordFlag.expires) === 0 ? 0 : readTime(this.space.arena.u8, this.field)
  }

  /** Milliseconds until it expires, `Infinity` if it never does. */
  get ttl(): number {
    const { expiresAt } = this
    return expiresAt === 0 ? Number.POSITIVE_INFINITY : Math.max(1, expiresAt - this.space.now())
  }

  private unexpired(): Found | undefined {
    return hasPassed(this.space, this.flags, this.space.arena.u8, this.field) ? undefined : this
  }
}

/** The record of a key of the ordered index, in which only those stand that have one. */
export const requireRecord = ({ file, ordered }: Space, record: Position): Position => {
  if (record !== 0) return record
  throw new CorruptionError(file.file.path, 'the ordered index holds a key that has no record', ordered.block)
}

/** A copy of the record of the key in the key buffer, in the blocks as they are read at the moment. */
export const copyRecord = ({ index, arena }: Space): CommittedRecord | undefined => {
  const record = index.find()
  if (record === 0) return undefined
  const field = index.fieldOf(record)
  return {
    flags: recordFlags(arena, record),
    field: copyBytes(arena.u8, field, field + recordFieldLength(arena, record)),
  }
}

/** A copy of the record of a key (as Latin-1 text of its bytes) as it stands, even while a snapshot is read. */
export const recordNow = (space: Space, name: string): CommittedRecord | undefined =>
  space.readAt(space.place, () =>
    space.pool.readAsOf(0, () => {
      space.index.key.set(fromLatin1(name))
      return copyRecord(space)
    }),
  )
