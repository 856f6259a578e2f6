/** Where an index is read: as of one moment, or inside a transaction. */
import { copyBytes } from '../runtime/bytes.ts'
import type { ResolvedRange } from '../values/range.ts'
import type { Access } from './access.ts'
import type { AsOf } from './as-of.ts'
import type { Found, Reading } from './found.ts'
import type { Inside } from './inside.ts'
import type { Store } from './store.ts'

/** Where the entries of a range and the records that they lead to are read, until `end` is called. */
export interface IndexReading {
  /** The records, and the entries, of one moment. */
  readonly records: AsOf
  readonly entries: AsOf
  /**
   * Of a transaction that locks what it reads: entries and records as they stand. Which entries there are to look at is
   * what the moment says, so that a loop that moves records in the index does not meet them again.
   */
  readonly locked: { readonly entries: Inside; readonly records: Inside } | undefined
  /** Throws if it may not go on. */
  check(): void
  end(): void
}

/** The entries of an index and the records of the key space that they belong to. */
export interface IndexStores<V> {
  readonly records: Store<V>
  readonly entries: Store<Uint8Array>
}

/** The moment of a snapshot, which somebody else ends. */
export const readingAt = <V>({ records, entries }: IndexStores<V>, view: AsOf, check: () => void): IndexReading => ({
  records: records.asOf(view),
  entries: entries.asOf(view),
  locked: undefined,
  check,
  end: () => {},
})

/** What is committed now. */
export const readingNow = <V>({ records, entries }: IndexStores<V>): IndexReading => {
  const view = records.asOfNow()
  const { space } = records
  const check = (): void => {
    if (space.health.attention) space.attend()
  }
  return { ...readingAt({ records, entries }, view, check), end: () => view.end() }
}

/** What a transaction sees of an index, and locks of it. */
export class IndexAccess<V> {
  private readonly stores: IndexStores<V>
  private readonly records: Access<V>
  private readonly entries: Access<Uint8Array>

  /** `records`, `entries`: the same transaction in both key spaces. */
  constructor(stores: IndexStores<V>, records: Access<V>, entries: Access<Uint8Array>) {
    this.stores = stores
    this.records = records
    this.entries = entries
  }

  /** `holder` shows what `open` does: not what others have changed and not committed, as entries may not fit records. */
  get readsByKey(): boolean {
    return this.records.isolation !== 'read-uncommitted'
  }

  /** The record that has an index key of a unique index. */
  holder(indexKey: Uint8Array): Found | undefined {
    const entry = this.entries.find(indexKey)
    return entry === undefined ? undefined : this.records.find(holderIn(this.stores, entry))
  }

  /** Locks a range of entries, as the level says. */
  open(range: ResolvedRange, check: () => void): IndexReading {
    const { records, entries, stores } = this
    records.requireReadable()
    const locked = records.lockedReading
    if (locked !== undefined) entries.lockRange(range)
    const { from, end } = records.momentReading()
    return {
      records: from,
      entries: records.moment === Number.POSITIVE_INFINITY ? stores.entries.asOf(from) : entries.momentReading().from,
      locked: locked && { records: locked, entries: entries.lockedReading! },
      check,
      end,
    }
  }
}

/** The key of a record, from the entry of a unique index that was found. */
export const holderIn = <V>({ entries }: IndexStores<V>, { field, length }: Found): Uint8Array =>
  copyBytes(entries.space.arena.u8, field, field + length)

/** Where the record of an entry is looked for. */
export const recordsOf = ({ locked, records }: IndexReading): Reading => locked?.records ?? records
