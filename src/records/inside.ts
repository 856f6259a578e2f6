/**
 * Reads what stands in the blocks, as a transaction that locks what it reads sees it: its own changes, and what others
 * have committed. Where the level locks no reads (`read-uncommitted`), also what others have not committed.
 */

import type { Space } from '../engine/space.ts'
import type { Position } from '../pager/place.ts'
import type { TransactionState } from '../txn/transaction-state.ts'
import type { Key } from '../types.ts'
import type { Found, Reading } from './found.ts'

export class Inside implements Reading {
  readonly state: TransactionState
  private readonly space: Space
  private readonly found: Found

  constructor(space: Space, found: Found, state: TransactionState) {
    this.space = space
    this.found = found
    this.state = state
  }

  /** @throws LockConflictError if another open transaction has changed the key. */
  find(key: Key): Found | undefined {
    this.space.index.key.set(key)
    const record = this.lookUp()
    return record === 0 ? undefined : this.found.inPool(record, 0)
  }

  /** Position of the record of the key in the key buffer, or 0; the key is locked. */
  lookUp(): Position {
    const { index, transactions } = this.space
    const record = index.find()
    transactions.beforeRead(this.state, index.key)
    return record
  }
}
