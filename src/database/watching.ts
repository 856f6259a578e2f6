/**
 * A feed of committed changes, in commit order: what a commit has changed is noted when it happens and handed out when
 * it is as durable as the database's `durability` says. Nobody watching costs nothing.
 */

import type { Space, SpaceObserver } from '../engine/space.ts'
import { recordNow } from '../records/found.ts'
import type { Store } from '../records/store.ts'
import { type CommittedRecord, fromLatin1 } from '../txn/changed-keys.ts'
import type { CommitObserver } from '../txn/manager.ts'
import { isWithin } from '../txn/range-locks.ts'
import type { TransactionState } from '../txn/transaction-state.ts'
import type { Change } from '../types.ts'
import type { ResolvedRange } from '../values/range.ts'
import { Watcher } from '../values/watcher.ts'
import type { Publisher } from './handle.ts'

interface Noted<V, K> {
  bytes: Uint8Array
  commit: number
  change?: Change<V, K>
  /** Why there is no change to show. */
  failure?: unknown
}

export class Watching<V, K> implements SpaceObserver {
  private readonly space: Space
  private readonly store: Store<V>
  private readonly watchers: Map<Watcher<V, K>, ResolvedRange> = new Map()
  private pending: Noted<V, K>[] = []
  private readonly publishers: Set<Publisher>
  private readonly observer: CommitObserver = { transaction: state => this.noteTransaction(state) }

  /** `publishers`: where who wants to hand out changes enters itself. */
  constructor(store: Store<V>, publishers: Set<Publisher>) {
    this.store = store
    this.publishers = publishers
    this.space = store.space
  }

  watch(range: ResolvedRange, most: number, signal: AbortSignal | undefined): Watcher<V, K> {
    const watcher = new Watcher<V, K>(most, signal, () => {
      this.watchers.delete(watcher)
      if (this.watchers.size === 0) this.listen(false)
    })
    this.watchers.set(watcher, range)
    this.listen(true)
    return watcher
  }

  private listen(isOn: boolean): void {
    const { space, observer } = this
    space.observe(this, isOn)
    if (isOn) {
      space.transactions.observers.add(observer)
      this.publishers.add(this)
    } else space.transactions.observers.delete(observer)
  }

  /** What has been noted of commits up to an LSN is durable; returns how many changes are not yet. */
  publish(through: number = Number.POSITIVE_INFINITY): number {
    const { pending } = this
    if (pending.length === 0) return 0
    const left = pending.findIndex(({ commit }) => commit > through)
    const noted = left < 0 ? pending : pending.slice(0, left)
    this.pending = left < 0 ? [] : pending.slice(left)
    for (const [watcher, range] of [...this.watchers])
      for (const { bytes, change, failure } of noted) {
        if (!isWithin(bytes, range)) continue
        if (change === undefined) watcher.fail(failure)
        else watcher.add(change)
      }
    return this.pending.length
  }

  /** An autocommit has changed the key in the key buffer. */
  changed(): void {
    this.note(this.space.index.key.name)
  }

  /** The changes of one transaction come in the order of their keys. */
  private noteTransaction(state: TransactionState): void {
    const before = this.space.view.of(state)
    const names = before.inOrder().flat()
    for (const name of names.sort()) this.note(name, before.get(name) === undefined)
  }

  private note(name: string, wasAbsent: boolean = false): void {
    const bytes = fromLatin1(name)
    const record = recordNow(this.space, name)
    if (record === undefined && wasAbsent) return
    const commit = this.space.log.endLsn
    let key: K
    let value: V | undefined
    try {
      key = this.store.keys.decodeAll<K>(bytes)
      value = record === undefined ? undefined : this.decode(record)
    } catch (error) {
      // The commit stands all the same: whoever watches this key learns that it cannot be shown.
      this.pending.push({ bytes, commit, failure: error })
      return
    }
    const change: Change<V, K> =
      record === undefined || value === undefined
        ? { type: 'delete', key, commit }
        : { type: 'put', key, value, commit }
    this.pending.push({ bytes, commit, change })
  }

  /** The caller's code must not come back into a database that is about to end a commit. */
  private decode(record: CommittedRecord): V | undefined {
    const { found, values } = this.store
    if (values.decodesAlone) return values.of(found.inCopy(record, 0))
    const { health } = this.space
    health.busy = true
    health.attention = true
    try {
      return values.of(found.inCopy(record, 0))
    } finally {
      health.busy = false
    }
  }

  /** The database closes. */
  end(): void {
    this.publish()
    for (const watcher of [...this.watchers.keys()]) watcher.end()
    this.publishers.delete(this)
  }
}
