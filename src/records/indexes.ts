/**
 * Keeps the indexes of a key space: what a change of a record changes in them, in the same transaction.
 *
 * The function of an index is always called with the value as `get` would give it, never with what was put: so it makes
 * the same of a record whenever it is asked. The record that is there may have expired: its entries are still there.
 *
 * Invariants
 *  Q1  Whatever changes a record goes through here first, under the lock of its key: entries and records change
 *      together, or neither does.
 *  Q2  An index that this handle was not told of, or does not keep any more, is marked as stale before the first change
 *      that it does not follow.
 */
import type { Space } from '../engine/space.ts'
import { NotUniqueError } from '../errors.ts'
import type { Position } from '../pager/place.ts'
import { compareBytes } from '../runtime/bytes.ts'
import { latin1 } from '../txn/changed-keys.ts'
import type { TransactionState } from '../txn/transaction-state.ts'
import type { KeyCodec } from '../values/key-codec.ts'
import { decodeTuple } from '../values/tuple.ts'
import { tupleToJson } from '../values/tuple-json.ts'
import { hasExpired } from './expiry.ts'
import type { Found } from './found.ts'
import type { IndexEntries } from './index-entries.ts'
import type { IndexKeys } from './index-keys.ts'
import type { RecordValues } from './record-values.ts'

/** An index that follows the records. */
export interface KeptIndex<V> {
  readonly keys: IndexKeys<V>
  readonly entries: IndexEntries
}

/** Index keys that a record loses, and those that it gets. */
interface Difference<V> {
  readonly index: KeptIndex<V>
  readonly lost: readonly Uint8Array[]
  readonly gained: readonly Uint8Array[]
}

/** What a change of a record changes in the indexes. */
export interface IndexChanges<V> {
  readonly key: Uint8Array
  readonly differences: readonly Difference<V>[]
}

const NONE: readonly Uint8Array[] = []

export class Indexes<V> {
  /** Those that this handle was told of. */
  readonly kept: KeptIndex<V>[] = []
  private readonly space: Space
  private readonly keys: KeyCodec
  private readonly found: Found
  private readonly values: RecordValues<V>
  /** The spaces of those that it was not told of and that are current, or half built. */
  private readonly ask: () => readonly Space[]
  /** The same, to be asked before the next change; then it is known. */
  private unknown: (() => readonly Space[]) | undefined
  private readonly markStale: (spaces: readonly Space[]) => void

  constructor(
    parts: { space: Space; keys: KeyCodec; found: Found; values: RecordValues<V> },
    unknown: () => readonly Space[],
    markStale: (spaces: readonly Space[]) => void,
  ) {
    this.space = parts.space
    this.keys = parts.keys
    this.found = parts.found
    this.values = parts.values
    this.ask = unknown
    this.unknown = unknown
    this.markStale = markStale
  }

  /** There is nothing to keep. */
  get isIdle(): boolean {
    return this.kept.length === 0 && this.unknown === undefined
  }

  /** No index would become stale by a change now. */
  get isComplete(): boolean {
    return this.unknown === undefined || this.unknown().length === 0
  }

  /** One of those that were kept is kept no more. */
  askAgain(): void {
    this.unknown = this.ask
  }

  /** Before any change of a record. */
  beforeAny(): void {
    if (this.unknown === undefined) return
    const stale = this.unknown()
    // Q2
    if (stale.length > 0) this.markStale(stale)
    this.unknown = undefined
  }

  /**
   * What changes in the indexes when the record of a key is put, undefined if nothing does; `value` gives what `get` will
   * give. The key buffer holds the key then.
   */
  changesOfPut(
    state: TransactionState,
    key: Uint8Array,
    value: (values: RecordValues<V>) => V,
  ): IndexChanges<V> | undefined {
    const record = this.standing(state, key)
    // A build passes what has expired, so that none of its entries may be there.
    const isPast = record !== 0 && hasExpired(this.space, record)
    const differences: Difference<V>[] = []
    this.asCaller(() => {
      const old = record === 0 ? undefined : this.values.of(this.found.standing(record, 0))
      const now = value(this.values)
      const named = this.keys.decodeAll<unknown>(key.slice())
      for (const index of this.kept) {
        const before = record === 0 ? undefined : index.keys.resultOf(old as V, named, key)
        const after = index.keys.resultOf(now, named, key)
        if (before === after && typeof after !== 'object' && !isPast) continue
        const [lost, gained] = [index.keys.encoded(before, key), index.keys.encoded(after, key)]
        const difference = isPast ? { index, lost, gained } : this.differenceOf(index, lost, gained)
        if (difference.lost.length + difference.gained.length > 0) differences.push(difference)
      }
    })
    return differences.length === 0 ? undefined : { key, differences }
  }

  /** The same when it is removed. */
  changesOfRemove(state: TransactionState, key: Uint8Array): IndexChanges<V> | undefined {
    const record = this.standing(state, key)
    if (record === 0) return undefined
    return {
      key,
      differences: this.asCaller(() => {
        const old = this.values.of(this.found.standing(record, 0)) as V
        return this.kept.map(index => ({ index, lost: index.keys.of(old, key), gained: NONE }))
      }),
    }
  }

  /** Where the record of a key is, if there is one; it stays as it is (Q1). */
  private standing(state: TransactionState, key: Uint8Array): Position {
    const { index, transactions } = this.space
    index.key.set(key)
    transactions.beforeChange(state, index.key)
    return index.find()
  }

  /** For a record that an index has not followed yet, if it is there. */
  addTo(kept: KeptIndex<V>, state: TransactionState, key: Uint8Array): void {
    const { index } = this.space
    index.key.set(key)
    const record = index.find()
    if (record === 0) return
    const gained = this.asCaller(() => kept.keys.of(this.values.of(this.found.standing(record, 0)) as V, key))
    this.apply(state, { key, differences: [{ index: kept, lost: NONE, gained }] })
  }

  /** Index keys of a record that a snapshot, or nobody else, sees at `record`. */
  keysOf(kept: KeptIndex<V>, key: Uint8Array, found: Found): readonly Uint8Array[] {
    return this.asCaller(() => kept.keys.of(this.values.of(found) as V, key))
  }

  /** Runs the caller's code, which must not come back into the database. */
  private asCaller<T>(work: () => T): T {
    const { health } = this.space
    health.busy = true
    health.attention = true
    try {
      return work()
    } finally {
      health.busy = false
    }
  }

  /** Makes the changes, before the record changes. The key buffer is used. */
  apply(state: TransactionState, { key, differences }: IndexChanges<V>): void {
    for (const { index, lost } of differences) for (const each of lost) index.entries.remove(state, each, key)
    for (const { index, gained } of differences)
      for (const each of gained) {
        if (index.entries.unique) this.requireFree(state, index, each, key)
        index.entries.add(state, each, key)
      }
  }

  /** @throws NotUniqueError if another record has the index key. */
  private requireFree(state: TransactionState, kept: KeptIndex<V>, indexKey: Uint8Array, key: Uint8Array): void {
    const { space, keys } = this
    const holder = kept.entries.holderOf(state, indexKey)
    if (holder === undefined || compareBytes(holder, key) === 0) return
    const { index } = space
    index.key.set(holder)
    const record = index.find()
    if (record === 0) return
    if (hasExpired(space, record)) {
      // It is only still there because the sweep has not come to it.
      const changes = this.changesOfRemove(state, holder)
      if (changes !== undefined) this.apply(state, changes)
      index.key.set(holder)
      index.remove(state)
      return
    }
    const tuple = decodeTuple(indexKey)
    throw new NotUniqueError(kept.keys.name, tuple, tupleToJson(tuple), keys.named(key), keys.named(holder))
  }

  /** What changes when a record is replaced. */
  private differenceOf(
    index: KeptIndex<V>,
    before: readonly Uint8Array[],
    after: readonly Uint8Array[],
  ): Difference<V> {
    if (before.length === 1 && after.length === 1 && compareBytes(before[0]!, after[0]!) === 0)
      return { index, lost: NONE, gained: NONE }
    if (before.length <= 1 && after.length <= 1) return { index, lost: before, gained: after }
    const had = new Set(before.map(key => latin1(key)))
    const has = new Set(after.map(key => latin1(key)))
    return {
      index,
      lost: before.filter(key => !has.has(latin1(key))),
      gained: after.filter(key => !had.has(latin1(key))),
    }
  }
}
