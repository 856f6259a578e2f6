/** A secondary index, as `db.index` gives it: finds records by what its function makes of them. */
import { XenonError } from '../errors.ts'
import { IndexIterator } from '../records/index-reader.ts'
import type { Items } from '../runtime/items.ts'
import type { GivenIndexRange, IndexReport, TupleKey } from '../types.ts'
import { type IndexPage, pageOfBytes } from '../values/page.ts'
import type { IndexBuild } from './index-build.ts'
import { type CheckedIndex, checkIndex } from './index-check.ts'

/** An entry, and where it lies in the index. */
interface PagedEntry<V, K, IK> {
  readonly entry: [indexKey: IK, key: K, value: V]
  readonly bytes: Uint8Array
}

/** What an index is made of. */
export interface IndexParts<V> extends CheckedIndex<V> {
  readonly version: number
  readonly build: IndexBuild<V>
  /** Throws if the key space that it belongs to is closed, or dropped. */
  check(): void
}

/**
 * Reads see what is committed, as `db.get` does; iterators see the moment when they were made. A record that has expired
 * is not found.
 */
export class Index<V = string, K = string, IK = TupleKey> {
  /** Its name in the key space that it belongs to. */
  readonly name: string
  /** No two records may have the same index key. */
  readonly unique: boolean
  /** That of the function, as `db.index` was told. */
  readonly version: number
  private readonly parts: IndexParts<V>

  /** @internal Use `db.index`. */
  constructor(parts: IndexParts<V>) {
    this.name = parts.name
    this.unique = parts.unique
    this.version = parts.version
    this.parts = parts
  }

  /** Resolves when the index is complete; rejects if it cannot be built, with the reason. */
  get ready(): Promise<void> {
    return this.parts.build.ready
  }

  /** It is complete. */
  get isReady(): boolean {
    return this.parts.build.isReady
  }

  /** Records that the build has looked at, and those that there were when it began. */
  get progress(): { done: number; total: number } {
    const { done, total } = this.parts.build
    return { done, total }
  }

  /**
   * The value of the first record with this index key, in the order of the records' keys.
   * @throws XenonError `XENON_NOT_READY` while the index is built.
   * @example const first = index.get('Oslo')
   */
  get(indexKey: IK): V | undefined {
    this.check()
    return this.parts.reader.first(indexKey as TupleKey)
  }

  /**
   * `[indexKey, key, value]` of the records of a range of index keys, in the order of index keys, then of keys. A key in
   * place of a range stands for itself, an array for all that begin with its items; `prefix` takes an array, or a text
   * that texts begin with.
   * @example for (const [city, key, value] of index.entries('Oslo')) console.log(city, key, value)
   */
  entries(range?: GivenIndexRange<IK>): Items<[indexKey: IK, key: K, value: V]> {
    this.check()
    const { reader } = this.parts
    return new IndexIterator(reader, reader.resolve(range), true, (entry, value: V) => [
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
    this.check()
    const { reader } = this.parts
    return new IndexIterator(reader, reader.resolve(range), false, entry => [
      entry.indexKey as IK,
      entry.keyOfCaller<K>(),
    ])
  }

  /**
   * Some entries of a range, `size` at most, and a cursor for those behind them, as `page` of the database does.
   * @example
   * const first = index.page('Oslo', 20)
   * const second = index.page('Oslo', 20, first.cursor)
   */
  page(range: GivenIndexRange<IK> | undefined, size: number, cursor?: string): IndexPage<V, K, IK> {
    this.check()
    const { reader } = this.parts
    const page = pageOfBytes<PagedEntry<V, K, IK>>(reader.resolve(range), size, cursor)
    const found = new IndexIterator(
      reader,
      page.range,
      true,
      (entry, value: V): PagedEntry<V, K, IK> => ({
        entry: [entry.indexKey as IK, entry.keyOfCaller<K>(), value],
        bytes: entry.bytes,
      }),
    )
    const { items, cursor: next } = page.finish(found.toArray(), ({ bytes }) => bytes)
    return { entries: items.map(({ entry }) => entry), cursor: next }
  }

  /**
   * Number of entries in a range.
   * @example const inOslo = index.count('Oslo')
   */
  count(range?: GivenIndexRange<IK>): number {
    this.check()
    return this.parts.reader.count(range)
  }

  /**
   * Compares the index with the records as of one moment, both ways. Others may read and write meanwhile.
   * @example const { ok, problems } = await index.verify()
   */
  async verify(): Promise<IndexReport> {
    this.check()
    return await checkIndex(this.parts)
  }

  /** @internal */
  check(): void {
    this.parts.check()
    const { build, name } = this.parts
    if (build.isReady) return
    if (build.failure !== undefined)
      throw new XenonError('XENON_NOT_READY', `the index '${name}' could not be built; its ready says why`, {
        cause: build.failure,
      })
    throw new XenonError(
      'XENON_NOT_READY',
      `the index '${name}' is being built (${build.done} of ${build.total} records); await its ready before you read it`,
    )
  }
}
