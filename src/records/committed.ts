/** Reads what is committed now, whatever open transactions are doing: nobody waits, nothing is locked. */

import type { Space } from '../engine/space.ts'
import type { HashIndex } from '../hash/hash.ts'
import type { BucketScan } from '../hash/scan.ts'
import { RECORD_HEADER_BYTES, recordKeyLength } from '../pager/bucket.ts'
import { fromLatin1, latin1 } from '../txn/changed-keys.ts'
import type { Lock } from '../txn/locks.ts'
import type { TransactionManager } from '../txn/manager.ts'
import type { TransactionState } from '../txn/transaction-state.ts'
import type { Key } from '../types.ts'
import { hasExpired } from './expiry.ts'
import type { Found, Reading } from './found.ts'

export class Committed implements Reading {
  private readonly space: Space
  private readonly index: HashIndex
  private readonly transactions: TransactionManager
  private readonly found: Found

  constructor(space: Space, found: Found) {
    this.space = space
    this.index = space.index
    this.transactions = space.transactions
    this.found = found
  }

  find(key: Key): Found | undefined {
    this.index.key.set(key)
    return this.findAtHand()
  }

  /** Whether `find` finds anything. As long as nobody has changed anything, the record's time alone is looked at. */
  has(key: Key): boolean {
    this.index.key.set(key)
    return this.hasAtHand()
  }

  /** `find` for a key that lies among other bytes. */
  findPart(source: Uint8Array, start: number, end: number): Found | undefined {
    this.index.key.setPart(source, start, end)
    return this.findAtHand()
  }

  hasPart(source: Uint8Array, start: number, end: number): boolean {
    this.index.key.setPart(source, start, end)
    return this.hasAtHand()
  }

  /** `has` for the key in the key buffer. */
  private hasAtHand(): boolean {
    if (this.transactions.locks.exclusive !== 0) return this.findAtHand() !== undefined
    const record = this.index.find()
    return record !== 0 && !hasExpired(this.space, record)
  }

  /** `find` for the key in the key buffer. */
  findAtHand(): Found | undefined {
    const record = this.index.find()
    const { key } = this.index
    const holder = this.holderOf(key.lock)
    if (holder !== undefined) {
      const { name } = key
      const changed = this.space.view.of(holder)
      if (changed.has(name)) return this.found.inCopy(changed.get(name), 0)
    }
    return record === 0 ? undefined : this.found.inPool(record, 0)
  }

  /**
   * The open transaction that may have changed the record of a key, since it has locked that. What it has changed lies
   * in the blocks; what was committed before is in its undo sections (`CommittedView`).
   */
  private holderOf(lock: Lock): TransactionState | undefined {
    const { locks, open, entered } = this.transactions
    if (locks.exclusive === 0) return undefined
    const owner = locks.exclusiveOwner(lock)
    const holder = owner === 0 ? undefined : open.get(owner)
    return holder === entered ? undefined : holder
  }

  /**
   * The keys, as Latin-1 text, which open transactions have changed in the bucket that a scan has copied, and whether
   * anything was committed under each before.
   */
  changedIn(scan: BucketScan): ReadonlyMap<string, boolean> {
    const { locks, open, entered } = this.transactions
    if (locks.exclusive === 0) return UNCHANGED
    const { view } = this.space
    const names = new Map<string, boolean>()
    for (const state of open.values()) {
      if (state.lastLsn === 0 || state === entered) continue
      const changed = view.of(state)
      for (const name of scan.changedBy(changed, this.space.changedPlaces))
        names.set(name, changed.get(name) !== undefined)
    }
    return names
  }

  /** Those of these keys that are missing in the copy: open transactions have deleted them, for others they are there. */
  hiddenKeys({ copy, records }: BucketScan, changed: ReadonlyMap<string, boolean>): Uint8Array[] {
    if (changed.size === 0) return []
    const present = new Set(
      records.map(record => latin1(copy.u8, record + RECORD_HEADER_BYTES, recordKeyLength(copy, record))),
    )
    const hidden = [...changed].filter(([name, wasThere]) => wasThere && !present.has(name))
    return hidden.map(([name]) => fromLatin1(name))
  }
}

const UNCHANGED: ReadonlyMap<string, boolean> = new Map()
