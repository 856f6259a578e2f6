/** Tells which keys of a space each commit has changed, when it is committed; it may not be durable yet. */

import type { Space, SpaceObserver } from '../engine/space.ts'
import { hasPassed } from '../records/expiry.ts'
import { fromLatin1 } from '../txn/changed-keys.ts'
import type { CommitObserver } from '../txn/manager.ts'
import type { TransactionState } from '../txn/transaction-state.ts'

/** Whoever is told must not use the database, which is in the midst of a commit. */
export interface KeyListener {
  /** `name`: one character per byte; `expired`: removed since its time has passed. */
  changed(name: string, now: 'put' | 'deleted' | 'expired'): void
  /** All records were removed, or the space with them. */
  cleared(): void
}

export class KeyObserver implements SpaceObserver, CommitObserver {
  private readonly space: Space
  private readonly listener: KeyListener

  constructor(space: Space, listener: KeyListener) {
    this.space = space
    this.listener = listener
    space.observe(this, true)
    space.transactions.observers.add(this)
  }

  end(): void {
    this.space.observe(this, false)
    this.space.transactions.observers.delete(this)
  }

  changed(): void {
    const { name } = this.space.index.key
    this.listener.changed(name, this.isThere(name) ? 'put' : 'deleted')
  }

  cleared(): void {
    this.listener.cleared()
  }

  /** The changes of one transaction come in no order. */
  transaction(state: TransactionState): void {
    const { space, listener } = this
    if (space.isDropped) {
      this.end()
      return
    }
    const before = space.view.of(state)
    for (const name of before.namesFrom(0)) {
      const record = before.get(name)
      if (this.isThere(name)) listener.changed(name, 'put')
      else if (record !== undefined)
        listener.changed(name, hasPassed(space, record.flags, record.field, 0) ? 'expired' : 'deleted')
    }
  }

  private isThere(name: string): boolean {
    const { space } = this
    return space.readAt(space.place, () =>
      space.pool.readAsOf(0, () => {
        space.index.key.set(fromLatin1(name))
        return space.index.find() !== 0
      }),
    )
  }
}
