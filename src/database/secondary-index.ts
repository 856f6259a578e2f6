/** A secondary index, as `db.index` gives it: finds records by what its function makes of them. */
import { InvalidArgumentError, XenonError } from '../errors.ts'
import { type IndexReading, readingNow } from '../records/index-reading.ts'
import type { IndexReport, TupleKey } from '../types.ts'
import type { AsyncIndexReads } from '../values/async-index.ts'
import { InsideTransaction } from './async-index.ts'
import { AsyncTransaction } from './async-transaction.ts'
import type { IndexBuild } from './index-build.ts'
import { type CheckedIndex, checkIndex } from './index-check.ts'
import { type IndexPoint, IndexReads } from './index-reads.ts'
import { Snapshot } from './snapshot.ts'
import { Transaction } from './transaction.ts'

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
export class Index<V = string, K = string, IK = TupleKey> extends IndexReads<V, K, IK> {
  /** Its name in the key space that it belongs to. */
  readonly name: string
  /** No two records may have the same index key. */
  readonly unique: boolean
  /** That of the function, as `db.index` was told. */
  readonly version: number
  private readonly parts: IndexParts<V>

  /** @internal Use `db.index`. */
  constructor(parts: IndexParts<V>) {
    const check = (): void => this.check()
    const { reader } = parts
    super({ reader, check, first: indexKey => reader.first(indexKey), open: () => readingNow(reader) })
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
   * The index as a transaction sees it, its own changes included, or as it was at the moment of a snapshot. What a
   * transaction reads of it is locked as ranges and records are: `'serializable'` keeps others from adding an entry to a
   * range that was read, and from taking one out. An asynchronous transaction waits for locks, so that its index has
   * promises (`AsyncIndexReads`).
   *
   * `db.transaction(tx => { if (byEmail.in(tx).get('ada@here') === undefined) tx.put('ada', user) })`
   * @throws InvalidArgumentError for a transaction, or a snapshot, of another database.
   * @example db.transaction(tx => console.log(index.in(tx).count('Oslo')))
   */
  in<S, T>(at: Transaction<S, T> | Snapshot<S, T>): IndexReads<V, K, IK>
  in<S, T>(tx: AsyncTransaction<S, T>): AsyncIndexReads<V, K, IK>
  in<S, T>(
    at: Transaction<S, T> | Snapshot<S, T> | AsyncTransaction<S, T>,
  ): IndexReads<V, K, IK> | AsyncIndexReads<V, K, IK> {
    if (at instanceof Transaction) return this.inside(at as unknown as Transaction<unknown, unknown>)
    if (at instanceof Snapshot) return this.asOf(at as unknown as Snapshot<unknown, unknown>)
    if (!(at instanceof AsyncTransaction))
      throw new InvalidArgumentError('in() of an index takes a transaction or a snapshot of the same database')
    const tx = at as unknown as AsyncTransaction<unknown, unknown>
    return new InsideTransaction(tx, given => this.inside(given!))
  }

  private inside(tx: Transaction<unknown, unknown>): IndexReads<V, K, IK> {
    const { reader } = this.parts
    const access = tx.indexAccess(reader, this.requireSince)
    const check = (): void => {
      tx.check()
      this.check()
    }
    return new IndexReads<V, K, IK>({
      reader,
      check,
      first: indexKey => reader.firstInside(indexKey, access, check),
      open: range => access.open(range, check),
    })
  }

  private asOf(snapshot: Snapshot<unknown, unknown>): IndexReads<V, K, IK> {
    const { reader } = this.parts
    const open = (): IndexReading => snapshot.indexReading(reader, this.requireSince)
    const point: IndexPoint<V> = {
      reader,
      check: () => this.check(),
      first: indexKey => reader.firstOf(indexKey, open),
      open,
    }
    // Who has the wrong snapshot hears of it at once.
    open()
    return new IndexReads<V, K, IK>(point)
  }

  /** A snapshot of an earlier moment than the index shows only a part of it. */
  private readonly requireSince = (lsn: number): void => {
    const { build } = this.parts
    if (build.isReady && lsn >= build.completeAt) return
    this.check()
    throw new XenonError(
      'XENON_NOT_READY',
      `the index '${this.name}' was declared, or became complete, after the snapshot; make another snapshot`,
    )
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
