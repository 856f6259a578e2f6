/** Reading ranges of a database: iterators and counts, over a snapshot or inside a transaction. */

import type { Space } from '../engine/space.ts'
import { XenonError } from '../errors.ts'
import type { TransactionState } from '../txn/transaction-state.ts'
import { BINARY_KEYS, type KeyCodec } from '../values/key-codec.ts'
import { type ResolvedRange, resolveRange } from '../values/range.ts'
import type { Access } from './access.ts'
import { AsOf } from './as-of.ts'
import { countRange } from './counts.ts'
import type { Inside } from './inside.ts'
import { type OpenReader, RangeIterator } from './range-iterator.ts'
import { RangeReader } from './range-reader.ts'
import type { Store } from './store.ts'

export type IteratorKind = 'keys' | 'values' | 'entries'

export class Ranges<V> {
  private readonly store: Store<V>
  private readonly space: Space
  private readonly directory: string

  constructor(store: Store<V>, directory: string) {
    this.store = store
    this.space = store.space
    this.directory = directory
  }

  /** An iterator over what is committed now. */
  now<T, K>(range: unknown, kind: IteratorKind): RangeIterator<T, V, K> {
    return new RangeIterator(this.reader(this.resolve(range), kind), kind)
  }

  /** An iterator over a snapshot that somebody else holds. */
  at<T, K>(view: AsOf, range: unknown, kind: IteratorKind, check: () => void): RangeIterator<T, V, K> {
    const reader = this.readerOf<K>(this.resolve(range), kind, view)
    return new RangeIterator({ reader, owner: { check, end: () => {} } }, kind)
  }

  /** A reader over what a transaction sees; `check` says whether that still stands. */
  inside<K>(access: Access<V>, range: unknown, kind: IteratorKind, check: () => void): OpenReader<V, K> {
    const resolved = this.resolve(range)
    const { from, end } = access.rangeReading(resolved)
    return { reader: this.readerOf(resolved, kind, from), owner: { check, end } }
  }

  /**
   * A range as callers give it; undefined: all records.
   * @throws XenonError `XENON_NOT_SUPPORTED` if the database keeps no ordered index.
   */
  resolve(range: unknown): ResolvedRange {
    if (!this.space.metadata.ordered)
      throw new XenonError(
        'XENON_NOT_SUPPORTED',
        `the database was created with ordered: false, so it has no ranges; 'xenondb convert ${this.directory} --ordered' adds the index, reset() and next() go through all records`,
      )
    return resolveRange(range, this.store.keys)
  }

  /** A reader over a snapshot of now, with the owner that lets go of it. */
  reader<K>(range: ResolvedRange, kind: IteratorKind): OpenReader<V, K> {
    const { store, space } = this
    const view = store.asOfNow()
    return {
      reader: this.readerOf(range, kind, view),
      owner: {
        check: () => {
          if (space.health.attention) space.attend()
        },
        end: () => view.end(),
      },
    }
  }

  private readerOf<K>(
    range: ResolvedRange,
    kind: IteratorKind,
    from: AsOf | Inside,
    codec: KeyCodec = this.store.keys,
  ): RangeReader<V, K> {
    const wanted = { keys: kind !== 'values', values: kind !== 'keys', codec }
    return new RangeReader(this.store, range, wanted, from)
  }

  /** Number of records of a snapshot in a range. */
  count(view: AsOf, range: unknown): number {
    return countRange(this.space, view, this.resolve(range))
  }

  countInside(access: Access<V>, range: unknown): number {
    const resolved = this.resolve(range)
    const { from, end } = access.rangeReading(resolved)
    try {
      if (from instanceof AsOf) return countRange(this.space, from, resolved)
      // What is locked is read record by record.
      if (!access.state.locksReads) return countRange(this.space, undefined, resolved)
      const reader = this.readerOf(resolved, 'keys', from)
      let count = 0
      while (reader.load()) count += reader.size
      return count
    } finally {
      end()
    }
  }

  /** Removes the records of a range, in a transaction that nobody else can see into; returns how many there were. */
  clear(state: TransactionState, range: ResolvedRange): number {
    const { space, store } = this
    const wanted = { keys: true, values: false, codec: BINARY_KEYS }
    space.transactions.beforeRangeRead(state, space.locks, range)
    const reader = new RangeReader<V, Uint8Array>(store, range, wanted, store.inside(state))
    return this.removeAll(reader, key => store.writer.deleteIn(state, key))
  }

  /** Removes the records of a range that a transaction sees. */
  clearInside(access: Access<V>, range: unknown): void {
    const resolved = this.resolve(range)
    const { from, end } = access.rangeReading(resolved)
    try {
      this.removeAll(this.readerOf<Uint8Array>(resolved, 'keys', from, BINARY_KEYS), key => access.delete(key))
    } finally {
      end()
    }
  }

  private removeAll<K>(reader: RangeReader<V, K>, remove: (key: K) => boolean): number {
    const { space } = this
    let count = 0
    while (reader.load())
      for (const key of reader.keys) {
        if (space.health.attention) space.attend()
        if (remove(key)) count++
      }
    return count
  }
}
