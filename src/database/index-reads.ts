/** What is read of a secondary index: what is committed, what a transaction sees, or what a snapshot does. */
import type { IndexEntry } from '../records/index-entry.ts'
import { IndexIterator } from '../records/index-iterator.ts'
import type { IndexReader } from '../records/index-reader.ts'
import type { IndexReading } from '../records/index-reading.ts'
import type { Items } from '../runtime/items.ts'
import type { GivenIndexRange, TupleKey } from '../types.ts'
import { type IndexPage, pageOfBytes } from '../values/page.ts'
import type { ResolvedRange } from '../values/range.ts'

/** Where an index is read. */
export interface IndexPoint<V> {
  readonly reader: IndexReader<V>
  /** Throws if it cannot be read. */
  check(): void
  /** The value of the first record with an index key. */
  first(indexKey: TupleKey): V | undefined
  open(range: ResolvedRange): IndexReading
}

/** An entry, and where it lies in the index. */
interface PagedEntry<V, K, IK> {
  readonly entry: [indexKey: IK, key: K, value: V]
  readonly bytes: Uint8Array
}

/** @internal Where an entry lies: by its index key, and by the key of its record. */
export interface EntryPlace {
  readonly indexKey: Uint8Array
  readonly key: Uint8Array
}

/** @internal An entry with its keys as bytes, and the value if it was asked for. */
export interface RawEntry<V> extends EntryPlace {
  readonly value: V | undefined
}

/** An index as it is read: by `Index` itself, or inside a transaction or a snapshot, by what its `in` gives. */
export class IndexReads<V = string, K = string, IK = TupleKey> {
  private readonly point: IndexPoint<V>

  /** @internal Use `index` of the database, or `in` of that. */
  constructor(point: IndexPoint<V>) {
    this.point = point
  }

  /**
   * The value of the first record with this index key, in the order of the records' keys.
   * @throws XenonError `XENON_NOT_READY` while the index is built.
   * @example const first = index.get('Oslo')
   */
  get(indexKey: IK): V | undefined {
    this.point.check()
    return this.point.first(indexKey as TupleKey)
  }

  /**
   * `[indexKey, key, value]` of the records of a range of index keys, in the order of index keys, then of keys. A key in
   * place of a range stands for itself, an array for all that begin with its items; `prefix` takes an array, or a text
   * that texts begin with.
   * @example for (const [city, key, value] of index.entries('Oslo')) console.log(city, key, value)
   */
  entries(range?: GivenIndexRange<IK>): Items<[indexKey: IK, key: K, value: V]> {
    return this.iterate(this.resolve(range), true, (entry, value) => [
      entry.indexKey as IK,
      entry.keyOfCaller<K>(),
      value,
    ])
  }

  /**
   * `[indexKey, key]`, as `entries`.
   * @example for (const [city, key] of index.keys({ prefix: 'O' })) console.log(city, key)
   */
  keys(range?: GivenIndexRange<IK>): Items<[indexKey: IK, key: K]> {
    return this.iterate(this.resolve(range), false, entry => [entry.indexKey as IK, entry.keyOfCaller<K>()])
  }

  /**
   * Some entries of a range, `size` at most, and a cursor for those behind them, as `page` of the database does.
   * @example
   * const first = index.page('Oslo', 20)
   * const second = index.page('Oslo', 20, first.cursor)
   */
  page(range: GivenIndexRange<IK> | undefined, size: number, cursor?: string): IndexPage<V, K, IK> {
    const page = pageOfBytes<PagedEntry<V, K, IK>>(this.resolve(range), size, cursor)
    const found = this.iterate<PagedEntry<V, K, IK>>(page.range, true, (entry, value) => ({
      entry: [entry.indexKey as IK, entry.keyOfCaller<K>(), value],
      bytes: entry.bytes,
    }))
    const { items, cursor: next } = page.finish(found.toArray(), ({ bytes }) => bytes)
    return { entries: items.map(({ entry }) => entry), cursor: next }
  }

  /**
   * Number of entries in a range.
   * @example const inOslo = index.count('Oslo')
   */
  count(range?: GivenIndexRange<IK>): number {
    const resolved = this.resolve(range)
    return this.point.reader.count(resolved, this.point.open(resolved))
  }

  /** @internal The same for a range of index keys as bytes, whoever has sent them. */
  countOfBytes(range: ResolvedRange): number {
    const { reader } = this.point
    this.point.check()
    const within = reader.withinBytes(range, undefined)
    return reader.count(within, this.point.open(within))
  }

  /** @internal Entries of it that lie behind `last`, with keys as bytes. */
  entriesOfBytes(range: ResolvedRange, last: EntryPlace | undefined, withValues: boolean): Items<RawEntry<V>> {
    const { reader } = this.point
    this.point.check()
    return this.iterate(reader.withinBytes(range, last), withValues, (entry, value) => ({
      indexKey: entry.indexKeyBytes,
      key: entry.key,
      value,
    }))
  }

  private resolve(range: unknown): ResolvedRange {
    this.point.check()
    return this.point.reader.resolve(range)
  }

  private iterate<T>(
    range: ResolvedRange,
    withValues: boolean,
    shape: (entry: IndexEntry, value: V) => T,
  ): IndexIterator<V, T> {
    const { point } = this
    return new IndexIterator(point.reader, point.open(range), range, withValues, shape)
  }
}
