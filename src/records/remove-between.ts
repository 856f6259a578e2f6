/** Removes the records of a range as they stand, whether their time has passed or not. */
import { Outcome } from '../hash/hash.ts'
import { RECORD_HEADER_BYTES, recordKeyLength } from '../pager/bucket.ts'
import { type Bound, type Bounds, copyBytes } from '../runtime/bytes.ts'
import { SCAN_KEYS, TreeScan } from '../tree/tree-scan.ts'
import { isWithin } from '../txn/range-locks.ts'
import type { TransactionState } from '../txn/transaction-state.ts'
import type { Store } from './store.ts'

/**
 * In a transaction; returns how many there were. With the ordered index it looks at those records alone, without it at
 * all of them.
 * @throws LockConflictError if another open transaction has changed a key of the range.
 */
export const removeBetween = <V>(store: Store<V>, state: TransactionState, bounds: Bounds): number => {
  const { space } = store
  space.transactions.beforeRangeRead(state, space.locks, bounds)
  let count = 0
  const remove = (key: Uint8Array): void => {
    if (space.health.attention) space.attend()
    space.index.key.set(key)
    if (store.writer.removeAll(state) === Outcome.removed) count++
  }
  if (space.metadata.ordered) inOrder(store, bounds, remove)
  else asTheyLie(store, bounds, remove)
  return count
}

/** What is read ahead of the removals is copied: they move what lies behind. */
const inOrder = <V>({ space }: Store<V>, { lower, upper }: Bounds, remove: (key: Uint8Array) => void): void => {
  const { pool, ordered, scanRoom, arena } = space
  for (let from: Bound | undefined = lower; ; ) {
    const scan = new TreeScan(pool, ordered, scanRoom, { lower: from, upper }, false)
    const keys: Uint8Array[] = []
    while (!scan.done && keys.length === 0) {
      scan.step(SCAN_KEYS)
      for (let i = 0; i < scan.count; i++) keys.push(copyBytes(arena.u8, scan.at[i]!, scan.at[i]! + scan.length[i]!))
    }
    if (keys.length === 0) return
    for (const key of keys) remove(key)
    from = { key: keys[keys.length - 1]!, inclusive: false }
  }
}

const asTheyLie = <V>({ space }: Store<V>, bounds: Bounds, remove: (key: Uint8Array) => void): void => {
  const scan = space.bucketScan()
  while (scan.advance()) {
    const { copy } = scan
    const keys = scan.records.map(record => {
      const start = record + RECORD_HEADER_BYTES
      return copyBytes(copy.u8, start, start + recordKeyLength(copy, record))
    })
    for (const key of keys) if (isWithin(key, bounds)) remove(key)
  }
}
