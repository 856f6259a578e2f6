/** Removes many records of a key space: by blocks where nobody looks at each of them, else one by one. */
import { clearRoot } from '../engine/condemned.ts'
import type { Ranges } from '../records/ranges.ts'
import type { Store } from '../records/store.ts'
import type { TransactionState } from '../txn/transaction-state.ts'
import { BINARY_KEYS } from '../values/key-codec.ts'
import { Cursor } from './cursor.ts'
import type { Handle } from './handle.ts'
import { IndexSpaces } from './index-spaces.ts'
import { busyTransactions } from './sub-spaces.ts'

export class Clearing<V, K> {
  private readonly handle: Handle
  private readonly store: Store<V>
  private readonly ranges: Ranges<V>
  private readonly indexSpaces: IndexSpaces<V, K>

  constructor(handle: Handle, store: Store<V>, ranges: Ranges<V>, indexSpaces: IndexSpaces<V, K>) {
    this.handle = handle
    this.store = store
    this.ranges = ranges
    this.indexSpaces = indexSpaces
  }

  /** Removes all records, or those of a range, in one transaction, or as a part of one. */
  now(range: unknown, inside?: TransactionState): void {
    const { store, ranges } = this
    const { space } = store
    if (range === undefined && inside === undefined && this.blocks()) return
    const work = (state: TransactionState): void => {
      if (range !== undefined || space.metadata.ordered) ranges.clear(state, ranges.resolve(range))
      else this.records(key => store.writer.deleteIn(state, key))
    }
    if (inside === undefined) space.implicitly(work)
    else space.within(inside, () => work(inside))
  }

  /**
   * Removes all records at once, whatever their number; false if somebody wants to hear of each, if an open transaction
   * may have read or changed some, or if the pool is too small for it.
   */
  blocks(): boolean {
    const { store, handle, indexSpaces } = this
    const { space } = store
    if (space.isObservedByRecords || busyTransactions(space.transactions).length > 0) return false
    if (space.room.tight) space.room.admit(false)
    const indexes = space.keeper instanceof IndexSpaces ? space.keeper : indexSpaces
    if (!space.isRoot) indexes.clearOwn()
    else if (!indexes.clearInSteps(() => clearRoot(space.layers, space))) return false
    handle.reclaiming.schedule()
    space.tellCleared()
    return true
  }

  /** Removes all records in the order in which they lie. */
  records(remove: (key: Uint8Array) => void): void {
    const cursor = new Cursor<V, Uint8Array>(this.store, BINARY_KEYS)
    while (cursor.next()) remove(cursor.currentKey())
  }
}
