/** A consistent, read-only view of the database as it was when the snapshot was made. */

import { XenonError } from '../errors.ts'
import type { AsOf } from '../records/as-of.ts'
import { countPast } from '../records/counts.ts'
import type { RangeIterator } from '../records/range-iterator.ts'
import type { Ranges } from '../records/ranges.ts'
import type { Store } from '../records/store.ts'
import type { Key, Range } from '../types.ts'
import { requireList } from '../values/checks.ts'

/** Snapshots that were dropped without `close`. */
const forgotten = new FinalizationRegistry<() => void>(end => end())

/**
 * Never blocks and is never blocked. Every method throws `XENON_SNAPSHOT_LOST` once the copies that open snapshots
 * need have taken more than `snapshotBytes`, and this was the oldest of them.
 */
export class Snapshot<V = string> {
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
    this.records = store.engine.metadata.records
    const view = store.asOfNow()
    this.view = view
    forgotten.register(this, () => view.end(), this)
  }

  get(key: Key): V | undefined {
    this.check()
    return this.store.values.of(this.view.find(key))
  }

  getMany(keys: readonly Key[]): (V | undefined)[] {
    return requireList(keys).map(key => this.get(key))
  }

  has(key: Key): boolean {
    this.check()
    return this.view.find(key) !== undefined
  }

  keys(range?: Range | Key): RangeIterator<string, V, string> {
    this.check()
    return this.ranges.at(this.view, range, 'keys', () => this.check())
  }

  values(range?: Range | Key): RangeIterator<V, V, string> {
    this.check()
    return this.ranges.at(this.view, range, 'values', () => this.check())
  }

  entries(range?: Range | Key): RangeIterator<[string, V], V, string> {
    this.check()
    return this.ranges.at(this.view, range, 'entries', () => this.check())
  }

  [Symbol.iterator](): RangeIterator<[string, V], V, string> {
    return this.entries()
  }

  /** Number of records in the range. */
  count(range?: Range | Key): number {
    this.check()
    return range === undefined
      ? this.records - countPast(this.store.engine, this.view)
      : this.ranges.count(this.view, range)
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

  private check(): void {
    const { engine } = this.store
    if (engine.health.attention) engine.attend()
    if (this.ended) throw new XenonError('XENON_CLOSED', 'the snapshot is closed; make another one')
  }
}
