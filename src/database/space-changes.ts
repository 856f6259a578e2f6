/**
 * Changes of a key space that are transactions of their own, committed but not durable when they return; or, given a
 * transaction, parts of that one.
 */
import { KEYS_AHEAD, LOOK_AHEAD_FROM } from '../hash/keys-ahead.ts'
import type { Store } from '../records/store.ts'
import type { TransactionState } from '../txn/transaction-state.ts'
import type { Key } from '../types.ts'
import type { BatchChange } from '../values/batch.ts'

export class SpaceChanges<V, K> {
  private readonly store: Store<V>

  constructor(store: Store<V>) {
    this.store = store
  }

  /** `ttl`: checked, 0 = none. */
  changeExpiry(key: K | Key, ttl: number, inside?: TransactionState): boolean {
    const { writer, keys, space } = this.store
    const given = keys.given(key)
    let changed = false
    const work = (state: TransactionState): void => {
      changed = writer.changeExpiry(state, given, writer.timeAfter(ttl))
    }
    if (inside === undefined) space.implicitly(work)
    else work(inside)
    return changed
  }

  /** All of them, or none. */
  apply(changes: readonly BatchChange<V, K>[], inside?: TransactionState): void {
    const { writer, space, keys: codec } = this.store
    const keys = codec.allGiven(changes.map(change => change.key))
    const { keysAhead } = space
    const looksAhead = keys.length >= LOOK_AHEAD_FROM
    const work = (state: TransactionState): void => {
      for (let i = 0; i < changes.length; i++) {
        const { isPut, value, ttl } = changes[i]!
        const key = keys[i]!
        if (space.health.attention) space.attend()
        if (looksAhead && i % KEYS_AHEAD === 0) keysAhead.load(space, keys, i, changes)
        if (isPut) writer.putIn(state, key, value as V, writer.timeAfter(ttl))
        else writer.deleteIn(state, key)
      }
    }
    try {
      if (inside === undefined) space.implicitly(work)
      else space.within(inside, () => work(inside))
    } finally {
      keysAhead.clear()
    }
  }
}
