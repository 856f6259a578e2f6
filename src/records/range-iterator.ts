/** What `keys`, `values`, `entries` and `cursor(range)` give out. */
import { InvalidArgumentError, LockConflictError, XenonError } from '../errors.ts'
import { Items } from '../runtime/items.ts'
import type { Entry } from '../types.ts'
import type { RangeReader } from './range-reader.ts'

/** Called before each step; throws if the reader may not go on. Called at the end, to let go of the snapshot. */
export interface ReaderOwner {
  check(): void
  end(): void
}

/** A reader that has begun, and whose it is. */
export interface OpenReader<V, K> {
  readonly reader: RangeReader<V, K>
  readonly owner: ReaderOwner
}

/** Snapshots of iterators that were dropped half-way. */
const forgotten = new FinalizationRegistry<() => void>(end => end())

/**
 * An iterator over a range. It sees the database as it was when it was made (inside a transaction: as the transaction
 * sees it). Leaving a `for of` early, `return()` or `using` gives up its snapshot at once.
 */
export class RangeIterator<T, V, K> extends Items<T> {
  private readonly reader: RangeReader<V, K>
  private readonly owner: ReaderOwner
  private readonly kind: 'keys' | 'values' | 'entries'
  private at = 0
  private size = 0
  private ended = false

  constructor({ reader, owner }: OpenReader<V, K>, kind: 'keys' | 'values' | 'entries') {
    super()
    this.reader = reader
    this.owner = owner
    this.kind = kind
    if (reader.isShort) this.readAll()
    else forgotten.register(this, () => owner.end(), this)
  }

  /** A short range is read at once: then there is no snapshot to be kept. */
  private readAll(): void {
    try {
      this.reader.loadAll()
    } finally {
      this.ended = true
      this.owner.end()
    }
    this.size = this.reader.size
  }

  /**
   * The next item. Behind one that could not be decoded it goes on with the record after that.
   * @example const { done, value } = iterator.next()
   */
  override next(): IteratorResult<T, undefined> {
    const { reader } = this
    do {
      if (this.at === this.size && !this.advance()) return { done: true, value: undefined }
    } while (!reader.isThere(this.at++))
    const at = this.at - 1
    const value =
      this.kind === 'entries'
        ? [reader.keys[at], reader.values[at]]
        : this.kind === 'keys'
          ? reader.keys[at]
          : reader.values[at]
    return { done: false, value: value as T }
  }

  private advance(): boolean {
    if (this.ended) return false
    this.owner.check()
    this.at = 0
    this.size = 0
    try {
      if (this.reader.load()) this.size = this.reader.size
    } catch (error) {
      // A lock may be gone when it is tried again; behind anything else there is no way on.
      if (!(error instanceof LockConflictError)) this.end()
      throw error
    }
    // The rest is in memory: the snapshot is not needed for that.
    if (this.reader.done) this.end()
    return this.size > 0
  }

  /** @internal At most `count` items, fewer only at the end; it goes on behind them. */
  nextMany(count: number): T[] {
    const items: T[] = []
    while (items.length < count) {
      const result = this.next()
      if (result.done === true) break
      items.push(result.value)
    }
    return items
  }

  /**
   * Ends it early and gives up its snapshot; leaving a `for … of` does that.
   * @example iterator.return()
   */
  override return(): IteratorResult<T, undefined> {
    this.at = this.size
    this.end()
    return { done: true, value: undefined }
  }

  private end(): void {
    if (this.ended) return
    this.ended = true
    forgotten.unregister(this)
    this.owner.end()
  }
}

/** A cursor over a range, in key order: a snapshot of the moment of its making, or of the last `reset`. */
export class RangeCursor<V, K = string> {
  private readonly begin: () => OpenReader<V, K>
  private readonly bytesOf: (key: K | string | Uint8Array) => Uint8Array
  private current: OpenReader<V, K>
  private at = -1
  /** What stands there could be decoded. */
  private isOnRecord = false
  private closed = false

  /** @internal */
  constructor(begin: () => OpenReader<V, K>, bytesOf: (key: K | string | Uint8Array) => Uint8Array) {
    this.begin = begin
    this.bytesOf = bytesOf
    this.current = this.open()
  }

  private open(): OpenReader<V, K> {
    const opened = this.begin()
    forgotten.register(this, () => opened.owner.end(), this)
    return opened
  }

  /**
   * Goes back to before the first record, and to the state of now.
   * @example range.reset()
   */
  reset(): void {
    this.check()
    forgotten.unregister(this)
    this.current.owner.end()
    this.current = this.open()
    this.at = -1
  }

  /**
   * Moves to the next record; false behind the last one.
   * @example while (range.next()) console.log(range.readCurrent().key)
   */
  next(): boolean {
    this.check()
    const { reader } = this.current
    for (;;) {
      if (this.at + 1 < reader.size) this.at++
      else if (this.at >= 0 && this.at >= reader.size) return false
      else {
        const found = reader.load()
        this.at = found ? 0 : Math.max(0, reader.size)
        if (!found) return false
      }
      this.isOnRecord = false
      if (!reader.isThere(this.at)) continue
      this.isOnRecord = true
      return true
    }
  }

  /**
   * The record that `next` moved to.
   * @example if (range.next()) console.log(range.readCurrent().value)
   */
  readCurrent(): Entry<V, K> {
    this.check()
    const { at } = this
    const { reader } = this.current
    if (!this.isOnRecord || at < 0 || at >= reader.size)
      throw new InvalidArgumentError('the cursor is not on a record: call next() first, and read only if it says true')
    return { key: reader.keys[at]!, value: reader.values[at]! }
  }

  /**
   * Goes to just before the first record whose key is not before `key`, in the order of the cursor.
   * @example range.seek('user:42')
   */
  seek(key: K | string | Uint8Array): void {
    this.check()
    const { reader } = this.current
    reader.seek(this.bytesOf(key))
    reader.drop()
    this.at = -1
  }

  /**
   * Gives up its snapshot. Closing twice is fine.
   * @example range.close()
   */
  close(): void {
    if (this.closed) return
    this.closed = true
    forgotten.unregister(this)
    this.current.owner.end()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  private check(): void {
    if (this.closed) throw new XenonError('XENON_CLOSED', 'the cursor is closed; ask the database for another one')
    this.current.owner.check()
  }
}
