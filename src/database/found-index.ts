/** An index that is found by its name, and what `in` of it gives for transactions and snapshots. */
import { InvalidArgumentError, XenonError } from '../errors.ts'
import type { Lsn } from '../pager/place.ts'
import type { IndexReader } from '../records/index-reader.ts'
import { type IndexReading, readingNow } from '../records/index-reading.ts'
import type { TupleKey } from '../types.ts'
import type { AsyncIndexReads } from '../values/async-index.ts'
import { InsideTransaction } from './async-index.ts'
import { AsyncTransaction } from './async-transaction.ts'
import { IndexReads } from './index-reads.ts'
import { Snapshot } from './snapshot.ts'
import { Transaction } from './transaction.ts'

/** @internal What is read of it. */
export interface FoundParts<V> {
  readonly name: string
  readonly reader: IndexReader<V>
  /** Throws if it cannot be read: it is not complete, was dropped, or its key space is closed. */
  check(): void
  /** The end of the log when it became complete: earlier snapshots show only a part of it. */
  completeAt(): Lsn
}

/** What can be read of an index: by `Index`, which declares it, as by who knows no more than its name. */
export class FoundIndex<V = string, K = string, IK = TupleKey> extends IndexReads<V, K, IK> {
  /** Its name in the key space that it belongs to. */
  readonly name: string
  private readonly found: FoundParts<V>

  /** @internal Use `db.index`. */
  constructor(found: FoundParts<V>) {
    const { reader } = found
    super({
      reader,
      check: () => found.check(),
      first: indexKey => reader.first(indexKey),
      open: () => readingNow(reader),
    })
    this.name = found.name
    this.found = found
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
    const { reader } = this.found
    const access = tx.indexAccess(reader, this.requireSince)
    const check = (): void => {
      tx.check()
      this.found.check()
    }
    return new IndexReads<V, K, IK>({
      reader,
      check,
      first: indexKey => reader.firstInside(indexKey, access, check),
      open: range => access.open(range, check),
    })
  }

  private asOf(snapshot: Snapshot<unknown, unknown>): IndexReads<V, K, IK> {
    const { reader } = this.found
    const open = (): IndexReading => snapshot.indexReading(reader, this.requireSince)
    // Who has the wrong snapshot hears of it at once.
    open()
    const check = (): void => this.found.check()
    return new IndexReads<V, K, IK>({ reader, check, first: indexKey => reader.firstOf(indexKey, open), open })
  }

  /** A snapshot of an earlier moment than the index shows only a part of it. */
  private readonly requireSince = (lsn: Lsn): void => {
    const { found } = this
    found.check()
    if (lsn >= found.completeAt()) return
    throw new XenonError(
      'XENON_NOT_READY',
      `the index '${this.name}' was declared, or became complete, after the snapshot; make another snapshot`,
    )
  }
}
