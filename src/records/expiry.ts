/**
 * Records that expire: the time in front of the value, and the tree over times of expiry. That holds time (big-endian)
 * and key of every such record, so that the sweep reads only what it removes, and counts need not look at records.
 */

import type { Space } from '../engine/space.ts'
import { EXPIRY_BYTES, RecordFlag, readTime, recordFlags, writeTime } from '../pager/bucket.ts'
import type { Block } from '../pager/place.ts'
import type { Bound, Bounds } from '../runtime/bytes.ts'
import { TreeSearch } from '../tree/search.ts'
import { countBetween, SCAN_KEYS, TreeScan } from '../tree/tree-scan.ts'
import { latin1 } from '../txn/changed-keys.ts'
import { MAX_TIME } from '../values/ttl.ts'

/** Whether a value field begins with a time that has passed. */
export const hasPassed = (space: Space, flags: number, u8: Uint8Array, field: number): boolean =>
  (flags & RecordFlag.expires) !== 0 && readTime(u8, field) <= space.now()

/** Whether the record at `record` of the pool has expired: the tree over times alone is not believed. */
export const hasExpired = (space: Space, record: number): boolean => {
  const { arena, index } = space
  const flags = recordFlags(arena, record)
  return flags !== 0 && hasPassed(space, flags, arena.u8, index.fieldOf(record))
}

/** The end of the times that have passed, as a bound of the tree. */
export const passed = (now: number): Bound => {
  const key = new Uint8Array(EXPIRY_BYTES)
  writeTime(key, 0, Math.min(MAX_TIME, Math.floor(now) + 1))
  return { key, inclusive: false }
}

/** Number of records whose time has passed; from `enough` on it may be more. */
export const countPassed = (space: Space, enough: number = Number.POSITIVE_INFINITY): number => {
  const { pool, expiry, scanRoom } = space
  const bounds = { lower: undefined, upper: passed(space.now()) }
  return countBetween(pool, expiry, scanRoom.boundAt, bounds, enough)
}

/** Records with a time that has not passed, as the blocks are: what open transactions have changed counts. */
export const countExpiring = (space: Space): number => {
  const { pool, expiry, scanRoom } = space
  const all = countBetween(pool, expiry, scanRoom.boundAt, { lower: undefined, upper: undefined })
  return all - countPassed(space)
}

/**
 * Of the records whose time has passed, how many lie in a range (and pass `isMeant`, which takes their key as Latin-1
 * text).
 */
export const passedWithin = (space: Space, range: Bounds, isMeant?: (name: string) => boolean): number => {
  const { pool, expiry, scanRoom, arena } = space
  const { u8 } = arena
  const bounds = { lower: undefined, upper: passed(space.now()) }
  const scan = new TreeScan(pool, expiry, scanRoom, bounds, false)
  let count = 0
  while (!scan.done) {
    scan.step(SCAN_KEYS)
    for (let i = 0; i < scan.count; i++) {
      const at = scan.at[i]! + EXPIRY_BYTES
      const length = scan.length[i]! - EXPIRY_BYTES
      if (liesWithin(u8, at, length, range) && (isMeant === undefined || isMeant(latin1(u8, at, length)))) count++
    }
  }
  return count
}

const liesWithin = (u8: Uint8Array, at: number, length: number, { lower, upper }: Bounds): boolean => {
  const low = lower === undefined ? 1 : compareAt(u8, at, length, lower.key)
  if (low < 0 || (low === 0 && !lower!.inclusive)) return false
  const high = upper === undefined ? -1 : compareAt(u8, at, length, upper.key)
  return high < 0 || (high === 0 && upper!.inclusive)
}

const compareAt = (u8: Uint8Array, at: number, length: number, other: Uint8Array): number => {
  const shared = Math.min(length, other.length)
  for (let i = 0; i < shared; i++) if (u8[at + i] !== other[i]) return u8[at + i]! - other[i]!
  return length - other.length
}

/** The first time in the tree over times of a space that need not be open; Infinity if there is none. */
export const firstTimeIn = ({ pool, arena, file, scanRoom }: Space, root: Block): number => {
  const tree = new TreeSearch(pool, file.file.path, root)
  const scan = new TreeScan(pool, tree, scanRoom, { lower: undefined, upper: undefined }, false)
  while (!scan.done) {
    scan.step(1)
    if (scan.count > 0) return readTime(arena.u8, scan.at[0]!)
  }
  return Number.POSITIVE_INFINITY
}

/** The first time in the tree (of those after `now`, if that is given), or Infinity. */
export const nextExpiry = (space: Space, now?: number): number => {
  const { pool, expiry, arena } = space
  const lower = now === undefined ? undefined : { key: passed(now).key, inclusive: true }
  const scan = new TreeScan(pool, expiry, space.scanRoom, { lower, upper: undefined }, false)
  while (!scan.done) {
    scan.step(1)
    if (scan.count > 0) return readTime(arena.u8, scan.at[0]!)
  }
  return Number.POSITIVE_INFINITY
}
