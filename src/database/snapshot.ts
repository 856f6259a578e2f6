/** A consistent, read-only view of the database as it was when the snapshot was made. */

import { XenonError } from '../errors.ts'
import type { AsOf } from '../records/as-of.ts'
import { countPast } from '../records/counts.ts'
import type { Found } from '../records/found.ts'
import type { RangeIterator } from '../records/range-iterator.ts'
import type { Ranges } from '../records/ranges.ts'
import type { Store } from '../records/store.ts'
import type { GivenRange, Key } from '../types.ts'
import { requireList } from '../values/checks.ts'

/** Snapshots that were dropped without `close`. */
const forgotten = new FinalizationRegistry<() => void>(end => end())

/**
 * Never blocks and is never blocked. Every method throws `XENON_SNAPSHOT_LOST` once the copies that open snapshots
 * need have taken more than `snapshotBytes`, and this was the oldest of them.
 */
export class Snapshot<V = string, K = string> {
  private readonly store: Store<V>
  private readonly view: AsOf
  private readonly ranges: Ranges<V>
  /** Records that were committed at its moment, those that expire later included. */
  private readonly records: number
  private ended = false

  /** @internal Use `Database.snapshot`. */
  constructor(store: Store<V>, ranges: Ranges<V>) {
    this.store = store
    this.ranges = ranges
    this.records = store.space.isRoot ? store.space.metadata.records : -1
    const view = store.asOfNow()
    this.view = view
    forgotten.register(this, () => view.end(), this)
  }

  get(key: K | Key): V | undefined {
    return this.store.values.of(this.find(key))
  }

  getMany(keys: readonly (K | Key)[]): (V | undefined)[] {
    return requireList(keys).map(key => this.get(key))
  }

  has(key: K | Key): boolean {
    return this.find(key) !== undefined
  }

  keys(range?: GivenRange<K>): RangeIterator<K, V, K> {
    this.check()
    return this.ranges.at(this.view, range, 'keys', () => this.check())
  }

  values(range?: GivenRange<K>): RangeIterator<V, V, K> {
    this.check()
    return this.ranges.at(this.view, range, 'values', () => this.check())
  }

  entries(range?: GivenRange<K>): RangeIterator<[K, V], V, K> {
    this.check()
    return this.ranges.at(this.view, range, 'entries', () => this.check())
  }

  [Symbol.iterator](): RangeIterator<[K, V], V, K> {
    return this.entries()
  }

  /** Number of records in the range. */
  count(range?: GivenRange<K>): number {
    this.check()
    return range === undefined && this.records >= 0
      ? this.records - countPast(this.store.space, this.view)
      : this.ranges.count(this.view, range ?? {})
  }

  /** Lets go of what the snapshot keeps in memory. Closing twice is fine. */
  close(): void {
    if (this.ended) return
    this.ended = true
    forgotten.unregister(this)
    this.view.end()
  }

  get closed(): boolean {
    return this.ended
  }

  [Symbol.dispose](): void {
    this.close()
  }

  private find(key: K | Key): Found | undefined {
    const given = this.store.keys.given(key)
    this.check()
    return this.view.find(given)
  }

  private check(): void {
    const { space } = this.store
    if (space.health.attention) space.attend()
    if (this.ended) throw new XenonError('XENON_CLOSED', 'the snapshot is closed; make another one')
  }
}
