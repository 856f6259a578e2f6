/**
 * A cursor over all records, in the order in which they lie in the blocks.
 *
 * It sees committed records. While it runs, others may change the database: a record that stays is seen exactly
 * once, wherever splits and merges move it; a record that is deleted or updated before the cursor reaches it is
 * skipped or seen with its new value; a record that is added meanwhile may or may not be seen.
 */

import { DecodeError, InvalidArgumentError, XenonError } from '../errors.ts'
import type { BucketScan } from '../hash/scan.ts'
import { RECORD_HEADER_BYTES, recordFieldLength, recordFlags, recordKeyLength } from '../pager/bucket.ts'
import type { Store } from '../records/store.ts'
import { asText, copyBytes, type TextBytes } from '../runtime/bytes.ts'
import { latin1 } from '../txn/changed-keys.ts'
import type { Entry } from '../types.ts'
import type { KeyCodec } from '../values/key-codec.ts'

/** Goes through all records that are committed, in no order, without keeping earlier states of blocks. */
export class Cursor<V, K = string> {
  private readonly store: Store<V>
  private readonly scan: BucketScan
  private readonly codec: KeyCodec
  /** Index of the next record of the bucket copy, and the index's version when it was copied. */
  private at = 0
  private version = 0
  /** The keys of the bucket that open transactions had changed when it was copied. */
  private changed: ReadonlyMap<string, boolean> = new Map()
  /** Those of them that are committed and deleted from the bucket, not seen yet. */
  private hidden: Uint8Array[] = []
  /** Where the current record's key and value lie. */
  private keyBytes: TextBytes | undefined
  private keyStart = 0
  private keyEnd = 0
  private valueBytes: TextBytes | undefined
  private valueStart = 0
  private valueEnd = 0
  private closed = false

  /** `codec`: what the keys are given as. */
  constructor(store: Store<V>, codec: KeyCodec = store.keys) {
    this.store = store
    this.codec = codec
    this.scan = store.space.bucketScan()
  }

  /**
   * Goes back to before the first record.
   * @example cursor.reset()
   */
  reset(): void {
    this.check()
    this.scan.rewind()
    this.at = 0
    this.hidden = []
    this.leave()
  }

  /**
   * Moves to the next record; false behind the last one.
   * @example while (cursor.next()) console.log(cursor.readCurrent().key)
   */
  next(): boolean {
    this.check()
    const { scan, store } = this
    for (;;) {
      if (this.at < scan.records.length) {
        if (this.take(scan.records[this.at++]!)) return true
      } else if (this.hidden.length > 0) {
        const key = this.hidden.pop()!
        if (this.lookUp(asText(key), 0, key.length)) return true
      } else if (scan.advance()) {
        this.at = 0
        this.version = store.space.index.version
        this.changed = store.committed.changedIn(scan)
        this.hidden = store.committed.hiddenKeys(scan, this.changed)
      } else {
        this.leave()
        return false
      }
    }
  }

  /**
   * The record that `next` moved to, as it was then.
   * @example if (cursor.next()) console.log(cursor.readCurrent().value)
   */
  readCurrent(): Entry<V, K> {
    this.check()
    const { keyBytes, valueBytes } = this
    if (keyBytes === undefined || valueBytes === undefined)
      throw new InvalidArgumentError('the cursor is not on a record: call next() first, and read only if it says true')
    const key = this.codec.decode<K>(keyBytes, this.keyStart, this.keyEnd)
    try {
      return { key, value: this.store.values.decode(valueBytes, this.valueStart, this.valueEnd) }
    } catch (error) {
      // It names the key that was looked for last, which is not this one.
      if (!(error instanceof DecodeError)) throw error
      throw this.store.values.cannotDecode(error.cause, copyBytes(keyBytes, this.keyStart, this.keyEnd))
    }
  }

  /** @internal The bytes of the key of the record that `next` moved to. */
  currentKey(): Uint8Array {
    return copyBytes(this.keyBytes!, this.keyStart, this.keyEnd)
  }

  /**
   * It cannot be used any more. Closing twice is fine.
   * @example cursor.close()
   */
  close(): void {
    this.closed = true
    this.leave()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** It is on no record: the last value is not kept. */
  private leave(): void {
    this.keyBytes = undefined
    this.valueBytes = undefined
  }

  private check(): void {
    const { space } = this.store
    if (space.health.attention) space.attend()
    if (this.closed) throw new XenonError('XENON_CLOSED', 'the cursor is closed; ask the database for another one')
    space.requireThere()
  }

  /** Makes a record of the bucket copy the current one; false if it is gone meanwhile. */
  private take(record: number): boolean {
    const { copy } = this.scan
    const { space, found, values } = this.store
    const keyStart = record + RECORD_HEADER_BYTES
    const keyEnd = keyStart + recordKeyLength(copy, record)
    if (space.index.version !== this.version || this.isChanged(keyStart, keyEnd))
      return this.lookUp(copy.u8, keyStart, keyEnd)
    const flags = recordFlags(copy, record)
    const length = recordFieldLength(copy, record)
    if (flags === 0) this.setValue(copy.u8, keyEnd, keyEnd + length)
    else {
      space.index.key.set(copy.u8.subarray(keyStart, keyEnd))
      const field = copy.u8.subarray(keyEnd, keyEnd + length)
      const flagged = found.inCopy({ flags, field }, 0)
      if (flagged === undefined) return false
      this.setOwnValue(values.bytesOf(flagged))
    }
    this.setKey(copy.u8, keyStart, keyEnd)
    return true
  }

  /** An open transaction had changed the record when its bucket was copied. */
  private isChanged(keyStart: number, keyEnd: number): boolean {
    const { changed, scan } = this
    return changed.size > 0 && changed.has(latin1(scan.copy.u8, keyStart, keyEnd - keyStart))
  }

  /** The same by a search for the key, since the copy may be out of date. */
  private lookUp(bytes: TextBytes, start: number, end: number): boolean {
    const { committed, values } = this.store
    const found = committed.find(bytes.subarray(start, end))
    if (found === undefined) return false
    this.setKey(bytes, start, end)
    this.setOwnValue(values.bytesOf(found))
    return true
  }

  private setKey(bytes: TextBytes, start: number, end: number): void {
    this.keyBytes = bytes
    this.keyStart = start
    this.keyEnd = end
  }

  private setValue(bytes: TextBytes, start: number, end: number): void {
    this.valueBytes = bytes
    this.valueStart = start
    this.valueEnd = end
  }

  private setOwnValue(bytes: Uint8Array): void {
    this.setValue(asText(bytes), 0, bytes.length)
  }
}
