/** An index of a shared database: each call is one of the index that the owner gives. */
import type { AsyncItems } from '../runtime/items.ts'
import type { GivenIndexRange, TupleKey } from '../types.ts'
import type { AsyncIndexReads } from '../values/async-index.ts'
import type { AsyncIndex, AsyncStoreTransaction } from '../values/async-store.ts'
import type { IndexPage } from '../values/page.ts'

/** Where it is read. */
export interface IndexSource<V, K, IK> {
  /** Reads from what there is now, again if that goes meanwhile. */
  read<T>(work: (from: AsyncIndexReads<V, K, IK>) => Promise<T>): Promise<T>
  /** The items of what there is at the first step. */
  items<T>(from: (from: AsyncIndexReads<V, K, IK>) => AsyncItems<T>): AsyncItems<T>
  /** What may still be read when the call has returned. */
  kept<T>(value: T): T
}

export class SharedIndexReads<V, K, IK> implements AsyncIndexReads<V, K, IK> {
  private readonly source: IndexSource<V, K, IK>

  constructor(source: IndexSource<V, K, IK>) {
    this.source = source
  }

  get(indexKey: IK): Promise<V | undefined> {
    const kept = this.source.kept(indexKey)
    return this.source.read(from => from.get(kept))
  }

  entries(range?: GivenIndexRange<IK>): AsyncItems<[indexKey: IK, key: K, value: V]> {
    const kept = this.source.kept(range)
    return this.source.items(from => from.entries(kept))
  }

  keys(range?: GivenIndexRange<IK>): AsyncItems<[indexKey: IK, key: K]> {
    const kept = this.source.kept(range)
    return this.source.items(from => from.keys(kept))
  }

  page(range: GivenIndexRange<IK> | undefined, size: number, cursor?: string): Promise<IndexPage<V, K, IK>> {
    const kept = this.source.kept(range)
    return this.source.read(from => from.page(kept, size, cursor))
  }

  count(range?: GivenIndexRange<IK>): Promise<number> {
    const kept = this.source.kept(range)
    return this.source.read(from => from.count(kept))
  }
}

export class SharedIndex<V, K, IK = TupleKey> extends SharedIndexReads<V, K, IK> implements AsyncIndex<V, K, IK> {
  readonly name: string
  private readonly inside: <S, T>(tx: AsyncStoreTransaction<S, T>) => IndexSource<V, K, IK>

  constructor(
    name: string,
    source: IndexSource<V, K, IK> & { inside<S, T>(tx: AsyncStoreTransaction<S, T>): IndexSource<V, K, IK> },
  ) {
    super(source)
    this.name = name
    this.inside = tx => source.inside(tx)
  }

  in<S, T>(tx: AsyncStoreTransaction<S, T>): AsyncIndexReads<V, K, IK> {
    return new SharedIndexReads<V, K, IK>(this.inside(tx))
  }
}
