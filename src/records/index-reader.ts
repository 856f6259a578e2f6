/** Reads an index: its entries, and the records that they lead to, as of one moment. */
import { DecodeError } from '../errors.ts'
import { nodeCount, nodeKey } from '../pager/node.ts'
import { asText, shortText } from '../runtime/bytes.ts'
import { Items } from '../runtime/items.ts'
import type { OnDecodeError, TupleKey } from '../types.ts'
import { Failed, passOver } from '../values/failed-items.ts'
import { resolveIndexRange } from '../values/index-range.ts'
import { BINARY_KEYS, type KeyCodec } from '../values/key-codec.ts'
import type { ResolvedRange } from '../values/range.ts'
import { encodeTuple, TupleReader } from '../values/tuple.ts'
import type { AsOf } from './as-of.ts'
import { countRange } from './counts.ts'
import { nextExpiry } from './expiry.ts'
import type { Found } from './found.ts'
import { RangeReader } from './range-reader.ts'
import type { Store } from './store.ts'

const NO_BYTES = new Uint8Array(0)

/** Up to this limit all is read at once: then nothing of the moment has to be kept. */
const SHORT = 512

export class IndexReader<V> {
  readonly records: Store<V>
  readonly entries: Store<Uint8Array>
  private readonly unique: boolean

  constructor(records: Store<V>, entries: Store<Uint8Array>, unique: boolean) {
    this.records = records
    this.entries = entries
    this.unique = unique
  }

  /** The value of the first record with an index key. */
  first(indexKey: TupleKey): V | undefined {
    const bytes = encodeTuple(indexKey)
    if (this.unique) return this.ofHolder(bytes)
    // What others have changed and not committed stands in the tree.
    if (this.entries.space.transactions.locks.exclusive !== 0) {
      const exactly = { gte: indexKey, lte: indexKey, limit: 1 }
      for (const value of new IndexIterator(this, this.resolve(exactly), true, (_, found: V) => found)) return value
      return undefined
    }
    return this.firstInTree(bytes)
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

  count(range: unknown): number {
    const resolved = this.resolve(range)
    const { records, entries } = this
    const view = records.asOfNow()
    const entryView = entries.asOfNow()
    try {
      const mayExpire = this.mayExpire(view)
      if (!mayExpire) return countRange(entries.space, entryView, resolved)
    } finally {
      view.end()
      entryView.end()
    }
    let count = 0
    for (const _ of new IndexIterator<V, true>(this, resolved, false, () => true)) count++
    return count
  }

  /** Some record that entries lead to may have expired, or expire meanwhile. */
  mayExpire(view: AsOf): boolean {
    return !view.before.isEmpty || view.read(() => nextExpiry(this.records.space)) !== Number.POSITIVE_INFINITY
  }

  newEntry(): IndexEntry {
    return new IndexEntry(this.unique, this.records.keys)
  }

  /** Entries as they lie in the index, in order. */
  readerOf(range: ResolvedRange, view: AsOf): RangeReader<Uint8Array, Uint8Array> {
    const wanted = { keys: true, values: this.unique, codec: BINARY_KEYS }
    return new RangeReader<Uint8Array, Uint8Array>(this.entries, range, wanted, view)
  }
}

/** The entry that a reader is at: its index key, and where the key of its record lies. */
export class IndexEntry {
  indexKey: TupleKey = null
  /** All of it. */
  bytes: Uint8Array = NO_BYTES
  private source: Uint8Array = NO_BYTES
  private start = 0
  /** An entry that begins with the index key at hand, if that is no object, and how many bytes of it those are. */
  private prefix: Uint8Array = NO_BYTES
  private prefixLength = 0
  private readonly unique: boolean
  private readonly keys: KeyCodec

  constructor(unique: boolean, keys: KeyCodec) {
    this.unique = unique
    this.keys = keys
  }

  /** `holder`: of a unique index, the value of the entry. */
  goTo(entry: Uint8Array, holder: Uint8Array | undefined): void {
    this.bytes = entry
    // Most often many have the same one, which need not be read again. An object is the caller's from then on.
    if (!this.isSame(entry)) {
      const reader = new TupleReader(entry, 0, entry.length)
      this.indexKey = reader.value()
      this.prefix = typeof this.indexKey === 'object' ? NO_BYTES : entry
      this.prefixLength = reader.at
    }
    this.source = this.unique ? holder! : entry
    this.start = this.unique ? 0 : this.prefixLength
  }

  private isSame(entry: Uint8Array): boolean {
    const { prefix, prefixLength } = this
    if (prefix.length === 0 || entry.length < prefixLength) return false
    for (let i = 0; i < prefixLength; i++) if (entry[i] !== prefix[i]) return false
    return true
  }

  get key(): Uint8Array {
    return this.start === 0 ? this.source : this.source.subarray(this.start)
  }

  /** The key as callers get it. */
  keyOfCaller<K>(): K {
    const { keys, source, start } = this
    const text = keys.asTexts ? shortText(source, start, source.length) : undefined
    return text === undefined ? keys.decode<K>(asText(source), start, source.length) : (text as K)
  }
}

const beginsWith = (u8: Uint8Array, at: number, length: number, prefix: Uint8Array): boolean => {
  if (length < prefix.length) return false
  for (let i = 0; i < prefix.length; i++) if (u8[at + i] !== prefix[i]) return false
  return true
}

/** Moments that iterators keep which were dropped half-way. */
const forgotten = new FinalizationRegistry<() => void>(end => end())

/** What is made of an entry and the record that it leads to; the value is there if it was asked for. */
type Shape<V, T> = (entry: IndexEntry, value: V) => T

/**
 * The entries of a range whose records are there, as of the moment when it was made. Leaving a `for of` early, or
 * `return()`, lets go of that.
 */
export class IndexIterator<V, T> extends Items<T> {
  private readonly from: IndexReader<V>
  private readonly withValues: boolean
  private readonly view: AsOf
  private readonly entry: IndexEntry
  private readonly reader: RangeReader<Uint8Array, Uint8Array>
  private readonly looksAtRecords: boolean
  private readonly shape: Shape<V, T>
  private readonly letGo: () => void
  private readonly ready: (T | Failed)[] = []
  private readonly onDecodeError: OnDecodeError
  private item: T | Failed | undefined
  private left: number
  private at = 0
  private given = 0
  private ended = false

  constructor(from: IndexReader<V>, resolved: ResolvedRange, withValues: boolean, shape: Shape<V, T>) {
    super()
    this.from = from
    this.withValues = withValues
    this.shape = shape
    this.entry = from.newEntry()
    this.left = resolved.isEmpty ? 0 : resolved.limit
    this.onDecodeError = resolved.onDecodeError
    const view = from.records.asOfNow()
    const entryView = from.entries.asOfNow()
    this.view = view
    this.letGo = () => {
      view.end()
      entryView.end()
    }
    try {
      this.looksAtRecords = withValues || from.mayExpire(view)
      this.reader = from.readerOf({ ...resolved, limit: Number.POSITIVE_INFINITY }, entryView)
      if (resolved.limit <= SHORT) this.readAll()
      else forgotten.register(this, this.letGo, this)
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

  /** Goes to the next one whose record is there; false behind the last one. */
  private read(): boolean {
    const { reader, from, view, entry } = this
    const { health } = from.records.space
    while (this.left > 0) {
      if (this.at === reader.size) {
        if (health.attention) from.records.space.attend()
        this.at = 0
        if (!reader.load()) return false
      }
      const i = this.at++
      entry.goTo(reader.keys[i]!, reader.values[i])
      const found = this.looksAtRecords ? view.find(entry.key) : undefined
      if (this.looksAtRecords && found === undefined) continue
      this.left--
      this.item = this.itemOf(found)
      return true
    }
    return false
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
    this.letGo()
  }
}
