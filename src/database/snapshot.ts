/** A consistent, read-only view of the database as it was when the snapshot was made. */

import { InvalidArgumentError, XenonError } from '../errors.ts'
import type { AsOf } from '../records/as-of.ts'
import { countPast } from '../records/counts.ts'
import type { Found } from '../records/found.ts'
import { type IndexReading, type IndexStores, readingAt } from '../records/index-reading.ts'
import type { RangeIterator } from '../records/range-iterator.ts'
import type { Ranges } from '../records/ranges.ts'
import type { Store } from '../records/store.ts'
import { showAs } from '../runtime/inspecting.ts'
import { performance } from '../runtime/timers.ts'
import type { GivenRange, Key } from '../types.ts'
import { requireList } from '../values/checks.ts'
import { type Page, pageRequest, syncPage } from '../values/page.ts'
import type { InTransactions, SpaceParts } from './transaction.ts'

/** Snapshots that were dropped without `close`. */
const forgotten = new FinalizationRegistry<() => void>(end => end())

/**
 * Never blocks and is never blocked. Every method throws `XENON_SNAPSHOT_LOST` once the copies that open snapshots
 * need have taken more than `snapshotBytes`, and this was the oldest of them.
 */
export class Snapshot<V = string, K = string> {
  static {
    showAs('Snapshot', Snapshot, ({ closed }) => ({ closed }))
  }

  private readonly store: Store<V>
  private readonly view: AsOf
  private readonly ranges: Ranges<V>
  /** Records that were committed at its moment, those that expire later included. */
  private readonly records: number
  private ended = false
  /** That of another key space, with which it ends. */
  private readonly outer: Snapshot<unknown, unknown> | undefined

  /** @internal Use `snapshot` of the database, or of a sub-database. */
  constructor({ store, ranges }: SpaceParts<V>, outer?: Snapshot<unknown, unknown>) {
    this.store = store
    this.ranges = ranges
    this.outer = outer
    const { metadata, transactions, isRoot } = store.space
    this.records = outer === undefined && isRoot ? metadata.records + (transactions.entered?.records ?? 0) : -1
    const view = outer === undefined ? store.asOfNow() : store.asOf(outer.view)
    if (outer === undefined) view.handle.began = performance.now()
    this.view = view
    if (outer === undefined) forgotten.register(this, () => view.end(), this)
  }

  /**
   * The same moment in another key space: the database, or any of its sub-databases. It ends with this snapshot.
   * @throws InvalidArgumentError for a key space of another database; XenonError `XENON_NOT_FOUND` for a sub-database
   *   that was made later, or was dropped.
   * @example const users = snapshot.in(db.sub('users'))
   */
  in<S, T>(space: InTransactions<S, T>): Snapshot<S, T> {
    this.check()
    const parts = (space as Partial<InTransactions<S, T>> | null)?.parts
    if (parts?.store?.space?.transactions !== this.store.space.transactions)
      throw new InvalidArgumentError('in() takes a sub-database of the same database, or the database itself')
    space.check()
    return new Snapshot<S, T>(parts, (this.outer ?? this) as Snapshot<unknown, unknown>)
  }

  /**
   * The value of a key as it was, or `undefined`.
   * @example const name = snapshot.get('ada')
   */
  get(key: K | Key): V | undefined {
    return this.store.values.of(this.find(key))
  }

  /**
   * The values of several keys, in their order.
   * @example const [ada, alan] = snapshot.getMany(['ada', 'alan'])
   */
  getMany(keys: readonly (K | Key)[]): (V | undefined)[] {
    return requireList(keys).map(key => this.get(key))
  }

  /**
   * True if there was a record with this key.
   * @example const was = snapshot.has('ada')
   */
  has(key: K | Key): boolean {
    return this.find(key) !== undefined
  }

  /**
   * The keys of a range, in their order.
   * @example for (const key of snapshot.keys('user:')) console.log(key)
   */
  keys(range?: GivenRange<K>): RangeIterator<K, V, K> {
    this.check()
    return this.ranges.at(this.view, range, 'keys', () => this.check())
  }

  /**
   * The values of a range, in the order of their keys.
   * @example const all = [...snapshot.values('user:')]
   */
  values(range?: GivenRange<K>): RangeIterator<V, V, K> {
    this.check()
    return this.ranges.at(this.view, range, 'values', () => this.check())
  }

  /**
   * The records of a range as `[key, value]`, in the order of their keys.
   * @example for (const [key, value] of snapshot.entries()) console.log(key, value)
   */
  entries(range?: GivenRange<K>): RangeIterator<[K, V], V, K> {
    this.check()
    return this.ranges.at(this.view, range, 'entries', () => this.check())
  }

  /**
   * Some records of a range, `size` at most, and a cursor for those behind them: text that fits into a URL. Another page
   * goes on behind the last key of this one, whatever has come or gone meanwhile. The range must be the same one.
   * @throws InvalidArgumentError for a cursor of another range.
   * @example
   * const first = snapshot.page('post:', 20)
   * const second = snapshot.page('post:', 20, first.cursor)
   */
  page(range: GivenRange<K> | undefined, size: number, cursor?: string): Page<V, K> {
    const request = pageRequest<V, K>(range, size, cursor, this.store.keys)
    return syncPage(
      request,
      given => this.entries(given),
      key => this.has(key),
    )
  }

  [Symbol.iterator](): RangeIterator<[K, V], V, K> {
    return this.entries()
  }

  /**
   * Number of records in the range.
   * @example const users = snapshot.count('user:')
   */
  count(range?: GivenRange<K>): number {
    this.check()
    return range === undefined && this.records >= 0
      ? this.records - countPast(this.store.space, this.view)
      : this.ranges.count(this.view, range ?? {})
  }

  /**
   * Lets go of what the snapshot keeps in memory. Closing twice is fine.
   * @example snapshot.close()
   */
  close(): void {
    if (this.closed || this.outer !== undefined) return
    this.ended = true
    forgotten.unregister(this)
    this.view.end()
  }

  /** True once `close` was called. */
  get closed(): boolean {
    return this.outer?.ended ?? this.ended
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** @internal An index as of its moment. `requireSince`: throws if that is too early. */
  indexReading<S>(index: IndexStores<S>, requireSince: (lsn: number) => void): IndexReading {
    this.check()
    if (index.records.space.transactions !== this.store.space.transactions)
      throw new InvalidArgumentError('in() takes a snapshot of the database that the index belongs to')
    requireSince(this.view.handle.lsn)
    return readingAt(index, this.view, () => this.check())
  }

  private find(key: K | Key): Found | undefined {
    const given = this.store.keys.given(key)
    this.check()
    return this.view.find(given)
  }

  private check(): void {
    const { space } = this.store
    if (space.health.attention) space.attend()
    if (this.closed) throw new XenonError('XENON_CLOSED', 'the snapshot is closed; make another one')
  }
}
