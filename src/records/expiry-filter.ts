/**
 * Goes through keys of the ordered index, as a snapshot sees it, without those whose records have expired, which keys
 * do not show. At first the records are looked at; once too many of them have expired, the tree over times says which.
 */

import type { Space } from '../engine/space.ts'
import { SCAN_KEYS, type TreeScan } from '../tree/tree-scan.ts'
import { ExpiredKeys } from './expired-keys.ts'
import { hasExpired, nextExpiry } from './expiry.ts'
import { requireRecord } from './found.ts'

/** So many records are looked at for their time before all keys that have expired are read from the tree over times. */
const LOOKED_AT = 128
/** Fewer, if nothing was found in their place: more of that kind is likely to come. */
export const IN_VAIN = 7

/** Of the keys of a step: 0 it has not expired, 1 it has. */
const isPast = new Uint8Array(SCAN_KEYS)
const UNKNOWN = 2

export class ExpiryFilter {
  private readonly space: Space
  private readonly scan: TreeScan
  private readonly reverse: boolean
  /** LSN of the snapshot. */
  private readonly lsn: number
  /** The first time of expiry in the state that is read. */
  private firstExpiry: number | undefined
  /** Keys whose records were looked at for their time. */
  private lookedAt = 0

  constructor(space: Space, scan: TreeScan, reverse: boolean, lsn: number) {
    this.space = space
    this.scan = scan
    this.reverse = reverse
    this.lsn = lsn
  }

  /**
   * A step of the scan; how many keys of it are left: they lie in front. `inVain`: keys read since one was given.
   * `withRecords`: whoever takes the keys reads their records, and sees himself which of them have expired.
   */
  step(most: number, inVain: number, withRecords: boolean): number {
    const { space, scan } = this
    const mayExpire = this.mayExpire
    const expired = mayExpire ? this.expiredKeys(inVain) : undefined
    expired?.skip(space, scan, this.reverse)
    scan.step(most)
    if (expired?.tooMany === false) return this.dropExpired(expired)
    return mayExpire && !withRecords ? this.dropByRecord() : scan.count
  }

  private get mayExpire(): boolean {
    const { space } = this
    this.firstExpiry ??= nextExpiry(space)
    return this.firstExpiry <= space.now()
  }

  /** What has expired, once it is worth while; undefined as long as the records themselves are to be looked at. */
  private expiredKeys(inVain: number): ExpiredKeys | undefined {
    if (this.lookedAt < LOOKED_AT && inVain < IN_VAIN) return undefined
    this.lookedAt = LOOKED_AT
    return ExpiredKeys.of(this.space, this.lsn)
  }

  private dropExpired(expired: ExpiredKeys): number {
    const { at, length, count } = this.scan
    const { u8 } = this.space.arena
    let kept = 0
    for (let i = 0; i < count; i++) {
      if (expired.has(u8, at[i]!, length[i]!)) continue
      at[kept] = at[i]!
      length[kept++] = length[i]!
    }
    return kept
  }

  private dropByRecord(): number {
    const { space, scan } = this
    const { findMany, index, scanHash } = space
    const { at, length, count } = scan
    this.lookedAt += count
    const inStages = findMany.find(count, at, length, scan, scanHash)
    // Looking for one alone may move the blocks of the others.
    for (let i = 0; i < count; i++) {
      const record = inStages ? findMany.records[i]! : 0
      isPast[i] = record === 0 ? UNKNOWN : Number(hasExpired(space, record))
    }
    let kept = 0
    for (let i = 0; i < count; i++) {
      if (isPast[i] === UNKNOWN) {
        index.key.use(at[i]!, length[i]!)
        isPast[i] = Number(hasExpired(space, requireRecord(space, index.find())))
      }
      if (isPast[i] === 1) continue
      at[kept] = at[i]!
      length[kept++] = length[i]!
    }
    return kept
  }
}
