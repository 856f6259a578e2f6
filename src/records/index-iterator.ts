/** Goes through the entries of an index, and the records that they lead to. */
import { DecodeError } from '../errors.ts'
import { Items } from '../runtime/items.ts'
import type { OnDecodeError } from '../types.ts'
import { Failed, passOver } from '../values/failed-items.ts'
import type { ResolvedRange } from '../values/range.ts'
import type { AsOf } from './as-of.ts'
import type { Found } from './found.ts'
import type { IndexEntry } from './index-entry.ts'
import { holderIn, type IndexReading, type IndexStores, recordsOf } from './index-reading.ts'
import type { RangeReader } from './range-reader.ts'

/** Up to this limit all is read at once: then nothing of the moment has to be kept. */
const SHORT = 512

/** Moments that iterators keep which were dropped half-way. */
const forgotten = new FinalizationRegistry<() => void>(end => end())

/** What is made of an entry and the record that it leads to; the value is there if it was asked for. */
type Shape<V, T> = (entry: IndexEntry, value: V) => T

/** The index, as far as it is asked here. */
export interface IndexSource<V> extends IndexStores<V> {
  readonly unique: boolean
  newEntry(): IndexEntry
  /** Some record that entries lead to may have expired, or expire meanwhile. */
  mayExpire(view: AsOf): boolean
  /** Entries as they lie in the index, in order. */
  readerOf(range: ResolvedRange, view: AsOf): RangeReader<Uint8Array, Uint8Array>
}

/**
 * The entries of a range whose records are there, as `reading` sees them. Leaving a `for of` early, or `return()`, lets
 * go of that.
 */
export class IndexIterator<V, T> extends Items<T> {
  private readonly from: IndexSource<V>
  private readonly reading: IndexReading
  private readonly withValues: boolean
  private readonly entry: IndexEntry
  private readonly reader: RangeReader<Uint8Array, Uint8Array>
  private readonly looksAtRecords: boolean
  private readonly shape: Shape<V, T>
  private readonly ready: (T | Failed)[] = []
  private readonly onDecodeError: OnDecodeError
  private item: T | Failed | undefined
  private left: number
  private at = 0
  private given = 0
  private ended = false

  constructor(
    from: IndexSource<V>,
    reading: IndexReading,
    resolved: ResolvedRange,
    withValues: boolean,
    shape: Shape<V, T>,
  ) {
    super()
    this.from = from
    this.reading = reading
    this.withValues = withValues
    this.shape = shape
    this.entry = from.newEntry()
    this.left = resolved.isEmpty ? 0 : resolved.limit
    this.onDecodeError = resolved.onDecodeError
    try {
      this.looksAtRecords = withValues || from.mayExpire(reading.records)
      this.reader = from.readerOf({ ...resolved, limit: Number.POSITIVE_INFINITY }, reading.entries)
      if (resolved.limit <= SHORT) this.readAll()
      else forgotten.register(this, () => reading.end(), this)
    } catch (error) {
      this.end()
      throw error
    }
  }

  private readAll(): void {
    while (this.read()) this.ready.push(this.item as T | Failed)
    this.end()
  }

  override next(): IteratorResult<T, undefined> {
    for (;;) {
      const isReady = this.given < this.ready.length
      if (!isReady && (this.ended || !this.read())) break
      const item = isReady ? this.ready[this.given++] : this.item
      if (!(item instanceof Failed)) return { done: false, value: item as T }
      passOver(item.error, this.onDecodeError)
    }
    this.end()
    return { done: true, value: undefined }
  }

  /** Goes to the next one whose record is there; false behind the last one. A lock that it meets may be gone later. */
  private read(): boolean {
    const { reader, reading, entry } = this
    while (this.left > 0) {
      if (this.at === reader.size) {
        reading.check()
        this.at = 0
        if (!reader.load()) return false
      } else if (reading.locked !== undefined) reading.check()
      const isStanding = this.goTo(reader.keys[this.at]!, reader.values[this.at])
      const found = isStanding && this.looksAtRecords ? recordsOf(reading).find(entry.key) : undefined
      this.at++
      if (!isStanding || (this.looksAtRecords && found === undefined)) continue
      this.left--
      this.item = this.itemOf(found)
      return true
    }
    return false
  }

  /** False if the entry, which is locked, does not stand any more. */
  private goTo(entry: Uint8Array, holder: Uint8Array | undefined): boolean {
    const { from } = this
    const { locked } = this.reading
    if (locked === undefined) {
      this.entry.goTo(entry, holder)
      return true
    }
    const found = locked.entries.find(entry)
    if (found !== undefined) this.entry.goTo(entry, from.unique ? holderIn(from, found) : undefined)
    return found !== undefined
  }

  /** One that is passed over does not count. */
  private itemOf(found: Found | undefined): T | Failed {
    try {
      const value = (this.withValues ? this.from.records.values.of(found) : undefined) as V
      return this.shape(this.entry, value)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      if (this.onDecodeError !== 'throw') this.left++
      return new Failed(error)
    }
  }

  override return(): IteratorResult<T, undefined> {
    this.given = this.ready.length
    this.end()
    return { done: true, value: undefined }
  }

  private end(): void {
    if (this.ended) return
    this.ended = true
    forgotten.unregister(this)
    this.reading.end()
  }
}
