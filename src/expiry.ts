/**
 * Records that expire: the time in front of the value, and the sweep that removes what has expired. The tree over times
 * of expiry holds time (big-endian) and key of every such record, so that the sweep reads only what it removes, and
 * counts need not look at records.
 */
import type { Bound } from './bytes.ts'
import { copyBytes } from './encoding.ts'
import type { Engine } from './engine.ts'
import { InvalidArgumentError, LockConflictError } from './errors.ts'
import { TreeScan } from './index/tree-scan.ts'
import { EXPIRY_BYTES, readTime, writeTime } from './pager/bucket.ts'

const MAX_TIME = 2 ** 48 - 1

/** Milliseconds of a `ttl` option, checked. */
export const checkedTtl = (ttl: unknown): number => {
  if (typeof ttl !== 'number' || !(ttl > 0))
    throw new InvalidArgumentError(`ttl must be a positive number of milliseconds, not ${String(ttl)}`)
  return ttl
}

/** The time when a record with this ttl expires. `Infinity` becomes the last time there is. */
export const expiryTime = (now: number, ttl: number): number => Math.min(MAX_TIME, Math.ceil(now + ttl))

/** The end of the times that have passed, as a bound of the tree. */
export const passed = (now: number): Bound => {
  const key = new Uint8Array(EXPIRY_BYTES)
  writeTime(key, 0, Math.min(MAX_TIME, Math.floor(now) + 1))
  return { key, inclusive: false }
}

/** Keys whose time has passed, the earliest first, at most `most` of them. */
export const expiredKeys = (engine: Engine, now: number, most: number): Uint8Array[] => {
  const { pool, expiry, arena } = engine
  const scan = new TreeScan(pool, expiry, engine.scanRoom, { lower: undefined, upper: passed(now) }, false)
  const keys: Uint8Array[] = []
  while (!scan.done && keys.length < most) {
    scan.step(most - keys.length)
    for (let i = 0; i < scan.count; i++)
      keys.push(copyBytes(arena.u8, scan.at[i]! + EXPIRY_BYTES, scan.at[i]! + scan.length[i]!))
  }
  return keys
}

/** The first time in the tree, or Infinity. */
export const nextExpiry = (engine: Engine): number => {
  const { pool, expiry, arena } = engine
  const scan = new TreeScan(pool, expiry, engine.scanRoom, { lower: undefined, upper: undefined }, false)
  while (!scan.done) {
    scan.step(1)
    if (scan.count > 0) return readTime(arena.u8, scan.at[0]!)
  }
  return Number.POSITIVE_INFINITY
}

/** Records removed in one transaction of the sweep, and milliseconds after which it lets others go first. */
const SWEEP_RECORDS = 64
const SWEEP_MS = 2

/** Removes expired records for about two milliseconds; true if there are more of them. */
export const sweep = (engine: Engine): boolean => {
  const { index, transactions } = engine
  const started = performance.now()
  for (;;) {
    const keys = expiredKeys(engine, engine.now(), SWEEP_RECORDS)
    if (keys.length === 0) return false
    const state = transactions.begin(false)
    let removed = 0
    try {
      for (const key of keys) {
        index.key.set(key)
        try {
          index.remove(state)
          removed++
        } catch (error) {
          if (!(error instanceof LockConflictError)) throw error
        }
      }
      transactions.commit(state)
    } catch (error) {
      engine.takeBack(state)
      throw error
    }
    engine.expired += removed
    // What is left is held by open transactions.
    if (removed < keys.length) return false
    if (performance.now() - started > SWEEP_MS) return true
  }
}
