/** Reads what is committed now, whatever open transactions are doing: nobody waits, nothing is locked. */

import type { Engine } from '../engine/engine.ts'
import type { HashIndex } from '../hash/hash.ts'
import type { BucketScan } from '../hash/scan.ts'
import { RECORD_HEADER_BYTES, recordKeyLength } from '../pager/bucket.ts'
import type { Block } from '../pager/place.ts'
import { fromLatin1, latin1 } from '../txn/changed-keys.ts'
import type { TransactionManager } from '../txn/manager.ts'
import type { TransactionState } from '../txn/transaction-state.ts'
import type { Key } from '../types.ts'
import { hasExpired } from './expiry.ts'
import type { Found, Reading } from './found.ts'

export class Committed implements Reading {
  private readonly engine: Engine
  private readonly index: HashIndex
  private readonly transactions: TransactionManager
  private readonly found: Found

  constructor(engine: Engine, found: Found) {
    this.engine = engine
    this.index = engine.index
    this.transactions = engine.transactions
    this.found = found
  }

  find(key: Key): Found | undefined {
    this.index.key.set(key)
    return this.findAtHand()
  }

  /** Whether `find` finds anything. As long as nobody has changed anything, the record's time alone is looked at. */
  has(key: Key): boolean {
    if (this.transactions.locks.exclusive !== 0) return this.find(key) !== undefined
    this.index.key.set(key)
    const record = this.index.find()
    return record !== 0 && !hasExpired(this.engine, record)
  }

  /** `find` for the key in the key buffer. */
  findAtHand(): Found | undefined {
    const record = this.index.find()
    const holder = this.holderOf(this.index.bucket)
    if (holder !== undefined) {
      const { name } = this.index.key
      const changed = this.transactions.view.of(holder)
      if (changed.has(name)) return this.found.inCopy(changed.get(name), 0)
    }
    return record === 0 ? undefined : this.found.inPool(record, 0)
  }

  /**
   * The open transaction that may have changed records of a bucket, since it has locked it. What it has changed lies in
   * the blocks; what was committed before is in its undo sections (`CommittedView`).
   */
  holderOf(bucket: Block): TransactionState | undefined {
    const { locks, open } = this.transactions
    if (locks.exclusive === 0) return undefined
    const owner = locks.exclusiveOwner(bucket)
    return owner === 0 ? undefined : open.get(owner)
  }

  /**
   * Keys of the bucket that a scan has copied which an open transaction has deleted from it: for others they are there.
   */
  hiddenKeys(scan: BucketScan): Uint8Array[] {
    const holder = this.holderOf(scan.bucket)
    if (holder === undefined) return []
    const { copy, records } = scan
    const present = new Set(
      records.map(record => latin1(copy.u8, record + RECORD_HEADER_BYTES, recordKeyLength(copy, record))),
    )
    const changed = this.transactions.view.of(holder)
    return scan
      .changedBy(changed, this.engine.changedPlaces)
      .filter(name => changed.get(name) !== undefined && !present.has(name))
      .map(fromLatin1)
  }
}
