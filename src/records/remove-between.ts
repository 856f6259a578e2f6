/** Removes the records of a range as they stand, whether their time has passed or not. */
import { Outcome } from '../hash/hash.ts'
import type { Bounds } from '../runtime/bytes.ts'
import type { TransactionState } from '../txn/transaction-state.ts'
import { keysBetween } from './keys-between.ts'
import type { Store } from './store.ts'

/**
 * In a transaction; returns how many there were.
 * @throws LockConflictError if another open transaction has changed a key of the range.
 */
export const removeBetween = <V>({ space, writer }: Store<V>, state: TransactionState, bounds: Bounds): number => {
  space.transactions.beforeRangeRead(state, space.locks, bounds)
  let count = 0
  for (const key of keysBetween(space, bounds)) {
    if (space.health.attention) space.attend()
    space.index.key.set(key)
    if (writer.removeAll(state) === Outcome.removed) count++
  }
  return count
}
