/** Reading ranges of a database: iterators and counts, over a snapshot or inside a transaction. */

import type { Engine } from '../engine/engine.ts'
import type { TransactionState } from '../txn/transaction-state.ts'
import type { Key, Range } from '../types.ts'
import { type ResolvedRange, resolveRange } from '../values/range.ts'
import type { Access } from './access.ts'
import { countRange } from './counts.ts'
import { RangeIterator, type ReaderOwner } from './range-iterator.ts'
import { RangeReader, requireOrdered } from './range-reader.ts'
import type { Store, View } from './store.ts'

export type IteratorKind = 'keys' | 'values' | 'entries'

export class Ranges<V> {
  private readonly store: Store<V>
  private readonly engine: Engine
  private readonly directory: string
  private readonly binaryKeys: boolean

  constructor(store: Store<V>, directory: string, binaryKeys: boolean) {
    this.store = store
    this.engine = store.engine
    this.directory = directory
    this.binaryKeys = binaryKeys
  }

  /** An iterator over what is committed now. */
  now<T>(range: Range | Key | undefined, kind: IteratorKind): RangeIterator<T, V, string> {
    const { reader, owner } = this.reader(this.resolve(range), kind)
    return new RangeIterator(reader, owner, kind)
  }

  /** An iterator over a snapshot that somebody else holds. */
  at<T>(
    view: View,
    range: Range | Key | undefined,
    kind: IteratorKind,
    check: () => void,
  ): RangeIterator<T, V, string> {
    const reader = this.readerOf(this.resolve(range), kind, view, undefined)
    return new RangeIterator(reader, { check, end: () => {} }, kind)
  }

  /** An iterator over what a transaction sees. */
  inside<T>(
    access: Access<V>,
    range: Range | Key | undefined,
    kind: IteratorKind,
    check: () => void,
  ): RangeIterator<T, V, string> {
    const { reader, end } = this.readerInside(access, range, kind)
    return new RangeIterator(reader, { check, end }, kind)
  }

  readerInside(
    access: Access<V>,
    range: Range | Key | undefined,
    kind: IteratorKind,
  ): { reader: RangeReader<V, string>; end: () => void } {
    const resolved = this.resolve(range)
    const found = access.rangeView(resolved)
    if (found === undefined)
      return { reader: this.readerOf(resolved, kind, undefined, access.state), end: () => {} }
    return { reader: this.readerOf(resolved, kind, found.view, undefined), end: found.end }
  }

  resolve(range: Range | Key | undefined): ResolvedRange {
    requireOrdered(this.engine.metadata.ordered, this.directory)
    return resolveRange(range)
  }

  /** A reader over a snapshot of now, with the owner that lets go of it. */
  reader(range: ResolvedRange, kind: IteratorKind): { reader: RangeReader<V, string>; owner: ReaderOwner } {
    const { store, engine } = this
    const view = store.beginView()
    return {
      reader: this.readerOf(range, kind, view, undefined),
      owner: {
        check: () => {
          if (engine.health.attention) engine.attend()
        },
        end: () => store.endView(view),
      },
    }
  }

  private readerOf(
    range: ResolvedRange,
    kind: IteratorKind,
    view: View | undefined,
    state: TransactionState | undefined,
  ): RangeReader<V, string> {
    const wanted = { keys: kind !== 'values', values: kind !== 'keys', binaryKeys: this.binaryKeys }
    return new RangeReader(this.store, range, wanted, view, state)
  }

  /** Number of records of a snapshot in a range. */
  count(view: View, range: ResolvedRange): number {
    requireOrdered(this.engine.metadata.ordered, this.directory)
    return countRange(this.store, view, range)
  }

  countInside(access: Access<V>, range: Range | Key | undefined): number {
    const resolved = this.resolve(range)
    const found = access.rangeView(resolved)
    try {
      if (found !== undefined) return countRange(this.store, found.view, resolved)
      // What is locked is read record by record.
      if (!access.state.locksReads) return countRange(this.store, undefined, resolved)
      return this.countByReading(this.readerOf(resolved, 'keys', undefined, access.state))
    } finally {
      found?.end()
    }
  }

  private countByReading(reader: RangeReader<V, string>): number {
    let count = 0
    while (reader.load()) count += reader.size
    return count
  }

  /** Removes the records of a range, in an implicit transaction that nobody else can see into. */
  clear(state: TransactionState, range: ResolvedRange): void {
    const { engine, store } = this
    const wanted = { keys: true, values: false, binaryKeys: true }
    engine.transactions.beforeRangeRead(state, range)
    const reader = new RangeReader<V, Uint8Array>(store, range, wanted, undefined, state)
    while (reader.load()) {
      for (const key of reader.keys) {
        if (engine.health.attention) engine.attend()
        store.deleteIn(state, key)
      }
    }
  }

  /** Removes the records of a range that a transaction sees. */
  clearInside(access: Access<V>, range: Range | Key | undefined): void {
    const { engine } = this
    const { reader, end } = this.readerInside(access, range, 'keys')
    try {
      while (reader.load()) {
        for (const key of reader.keys) {
          if (engine.health.attention) engine.attend()
          access.delete(key)
        }
      }
    } finally {
      end()
    }
  }
}
