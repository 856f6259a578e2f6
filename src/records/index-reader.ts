/** Reads an index: its entries, and the records that they lead to, as of one moment. */
import { InvalidArgumentError } from '../errors.ts'
import { nodeCount, nodeKey } from '../pager/node.ts'
import type { TupleKey } from '../types.ts'
import { joinedRange, resolveIndexRange } from '../values/index-range.ts'
import { BINARY_KEYS } from '../values/key-codec.ts'
import { MAX_KEY_BYTES } from '../values/limits.ts'
import type { ResolvedRange } from '../values/range.ts'
import { encodeTuple, joinTuples } from '../values/tuple.ts'
import type { AsOf } from './as-of.ts'
import { countRange } from './counts.ts'
import { nextExpiry } from './expiry.ts'
import { IndexEntry } from './index-entry.ts'
import { IndexIterator, type IndexSource } from './index-iterator.ts'
import { type IndexAccess, type IndexReading, readingNow } from './index-reading.ts'
import { RangeReader } from './range-reader.ts'
import type { Store } from './store.ts'

/** Opens what is to be read of a range. */
type Open = (range: ResolvedRange) => IndexReading

export class IndexReader<V> implements IndexSource<V> {
  readonly records: Store<V>
  readonly entries: Store<Uint8Array>
  readonly unique: boolean

  constructor(records: Store<V>, entries: Store<Uint8Array>, unique: boolean) {
    this.records = records
    this.entries = entries
    this.unique = unique
  }

  /** The value of the first record with an index key, of those that are committed. */
  first(indexKey: TupleKey): V | undefined {
    const bytes = encodeTuple(indexKey)
    if (this.unique) return this.ofHolder(bytes)
    // What others have changed and not committed stands in the tree.
    if (this.entries.space.transactions.locks.exclusive !== 0) return this.firstOf(indexKey, () => readingNow(this))
    return this.firstInTree(bytes)
  }

  /** The same as a transaction sees it. */
  firstInside(indexKey: TupleKey, access: IndexAccess<V>, check: () => void): V | undefined {
    if (this.unique && access.readsByKey) return this.records.values.of(access.holder(encodeTuple(indexKey)))
    return this.firstOf(indexKey, range => access.open(range, check))
  }

  /** The same wherever `open` reads. */
  firstOf(indexKey: TupleKey, open: Open): V | undefined {
    const range = this.resolve({ gte: indexKey, lte: indexKey, limit: 1 })
    for (const value of new IndexIterator(this, open(range), range, true, (_, found: V) => found)) return value
    return undefined
  }

  private ofHolder(indexKey: Uint8Array): V | undefined {
    const { records, entries } = this
    const holder = entries.committed.find(indexKey)
    if (holder === undefined) return undefined
    const { field, length } = holder
    return records.values.of(records.committed.findPart(entries.space.arena.u8, field, field + length))
  }

  private firstInTree(indexKey: Uint8Array): V | undefined {
    const { records, entries } = this
    const { ordered, pool, scanRoom, arena } = entries.space
    const at = scanRoom.boundAt
    arena.u8.set(indexKey, at)
    for (let length = indexKey.length; length >= 0; ) {
      ordered.find(at, length)
      if (ordered.index === nodeCount(arena, ordered.base)) {
        length = ordered.fence(true, at)
        continue
      }
      const end = nodeKey(arena, ordered.base, pool.blockSize, ordered.index, arena.u8, at)
      if (!beginsWith(arena.u8, at, end, indexKey)) return undefined
      const found = records.committed.findPart(arena.u8, at + indexKey.length, at + end)
      if (found !== undefined) return records.values.of(found)
      // It has expired; what lies behind it comes next.
      arena.u8[at + end] = 0
      length = end + 1
    }
    return undefined
  }

  resolve(range: unknown): ResolvedRange {
    return resolveIndexRange(range, !this.unique)
  }

  /**
   * A range of index keys as bytes, which may come from anybody; behind `last`, if that is given.
   * @throws InvalidArgumentError
   */
  withinBytes(range: ResolvedRange, last: { indexKey: Uint8Array; key: Uint8Array } | undefined): ResolvedRange {
    const within = this.unique ? range : joinedRange(range)
    if (last === undefined) return within
    const key = this.unique ? last.indexKey : joinTuples(last.indexKey, last.key)
    if (key.length > MAX_KEY_BYTES)
      throw new InvalidArgumentError('the entry that a range is to go on behind is too long')
    const bound = { key, inclusive: false }
    return { ...within, ...(range.reverse ? { upper: bound } : { lower: bound }) }
  }

  count(range: ResolvedRange, reading: IndexReading): number {
    if (reading.locked === undefined && !this.mayExpire(reading.records)) {
      try {
        return countRange(this.entries.space, reading.entries, range)
      } finally {
        reading.end()
      }
    }
    let count = 0
    for (const _ of new IndexIterator<V, true>(this, reading, range, false, () => true)) count++
    return count
  }

  mayExpire(view: AsOf): boolean {
    return !view.before.isEmpty || view.read(() => nextExpiry(this.records.space)) !== Number.POSITIVE_INFINITY
  }

  newEntry(): IndexEntry {
    return new IndexEntry(this.unique, this.records.keys)
  }

  readerOf(range: ResolvedRange, view: AsOf): RangeReader<Uint8Array, Uint8Array> {
    const wanted = { keys: true, values: this.unique, codec: BINARY_KEYS }
    return new RangeReader<Uint8Array, Uint8Array>(this.entries, range, wanted, view)
  }
}

const beginsWith = (u8: Uint8Array, at: number, length: number, prefix: Uint8Array): boolean => {
  if (length < prefix.length) return false
  for (let i = 0; i < prefix.length; i++) if (u8[at + i] !== prefix[i]) return false
  return true
}
