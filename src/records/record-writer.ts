/** Changes of records: put, delete, another time of expiry. Nothing here makes a commit durable. */

import type { Space } from '../engine/space.ts'
import { EncodeError, XenonError } from '../errors.ts'
import { Outcome, pointerAt } from '../hash/hash.ts'
import { LargeValues } from '../hash/large.ts'
import {
  EXPIRY_BYTES,
  LARGE_POINTER_BYTES,
  RecordFlag,
  recordBytes,
  recordFieldLength,
  recordFlags,
  writeTime,
} from '../pager/bucket.ts'
import { maxInlineRecord } from '../pager/layout.ts'
import { copyBytes } from '../runtime/bytes.ts'
import type { TransactionState } from '../txn/transaction-state.ts'
import type { Key } from '../types.ts'
import type { Compression } from '../values/compression.ts'
import { encodingName, type LoadedEncoding, ValueEncoder } from '../values/encoding.ts'
import { requireUtf8Key } from '../values/key.ts'
import type { KeyCodec } from '../values/key-codec.ts'
import { expiryTime } from '../values/ttl.ts'
import { hasExpired } from './expiry.ts'
import type { IndexChanges, Indexes } from './indexes.ts'
import { COMPRESSED, FLAGS_OF, type RecordValues } from './record-values.ts'

/** Where the encoded value lies in the field scratch: there is room for a time of expiry before it. */
const VALUE_OFFSET = 8

/** Times of expiry are exact: milliseconds since 1970, 0 = never. */
export class RecordWriter<V> {
  /** Indexes that it may be found to have at the first change. */
  indexes: Indexes<V> | undefined
  private readonly space: Space
  private readonly encodingName: string
  private readonly encoder: ValueEncoder<V>
  private readonly compression: Compression
  private readonly inlineLimit: number
  private readonly valueAt: number
  private readonly callsBack: boolean
  private readonly keys: KeyCodec
  /** Keys are given back as text. */
  private readonly textKeys: boolean
  /** Of the value that was encoded last: flags of its record, when it expires, its bytes. */
  private flags = 0
  private expiresAt = 0
  private length = 0

  constructor(space: Space, encoding: LoadedEncoding<V>, compression: Compression, keys: KeyCodec) {
    this.space = space
    this.keys = keys
    this.textKeys = keys.asTexts
    this.compression = compression
    this.inlineLimit = maxInlineRecord(space.pool.blockSize)
    this.valueAt = space.fieldAt + VALUE_OFFSET
    this.encoder = new ValueEncoder(encoding, space.arena, this.valueAt, this.inlineLimit)
    this.encodingName = encodingName(encoding)
    this.callsBack = (encoding !== 'utf8' && encoding !== 'binary') || compression.kind !== 'none'
  }

  /** One put as a transaction of its own, committed but not made durable. */
  put(key: Key, value: V, expiresAt: number): void {
    try {
      this.putAlone(key, value, expiresAt)
    } finally {
      this.encoder.letGo()
    }
  }

  private putAlone(key: Key, value: V, expiresAt: number): void {
    const { transactions, index, room } = this.space
    if (room.tight) room.admit(true)
    this.encode(key, value, expiresAt)
    index.key.set(key)
    if (typeof key !== 'string') this.requireText()
    if (this.mayBeIndexed) {
      const changes = this.changesOfPut(transactions.autocommit)
      if (changes !== undefined) {
        this.space.implicitly(state => this.storeWith(state, changes))
        return
      }
    }
    if (this.isInline) {
      const start = this.fieldStart()
      const length = this.valueAt + this.length - start
      const outcome = index.put(transactions.autocommit, this.flags, start, length)
      if (outcome !== Outcome.needsTransaction) {
        if (this.space.observer !== undefined) this.space.observer()
        return
      }
    }
    this.space.implicitly(state => this.store(state))
  }

  putIn(state: TransactionState, key: Key, value: V, expiresAt: number): void {
    const { index, room } = this.space
    if (room.tight) room.admit(true)
    try {
      this.encode(key, value, expiresAt)
      index.key.set(key)
      if (typeof key !== 'string') this.requireText()
      this.storeAll(state)
    } finally {
      this.encoder.letGo()
    }
  }

  /** The time of expiry of what is put now with a time to live, 0 = none. */
  timeAfter(ttl: number): number {
    return ttl === 0 ? 0 : expiryTime(this.space.now(), ttl)
  }

  /** For the key in the key buffer, which nobody else can change any more. */
  private requireText(): void {
    const { arena, index } = this.space
    if (this.textKeys) requireUtf8Key(arena.u8, index.key.at, index.key.at + index.key.length)
  }

  /**
   * Stores a record as another database holds it: `bytes` of its value, compressed as `flags` say, and its time of
   * expiry, even one that has passed.
   */
  putRecord(state: TransactionState, key: Uint8Array, flags: number, bytes: Uint8Array, expiresAt: number): void {
    const { room } = this.space
    if (room.tight) room.admit(true)
    this.flags = (flags & COMPRESSED) | (expiresAt === 0 ? 0 : RecordFlag.expires)
    this.expiresAt = expiresAt
    this.length = this.encoder.replace(bytes)
    try {
      this.space.index.key.set(key)
      this.storeAll(state)
    } finally {
      this.encoder.letGo()
    }
  }

  /**
   * JSON, custom codecs and compression run the caller's code, which must not come back into the database meanwhile.
   */
  private encode(key: Key, value: V, expiresAt: number): void {
    this.flags = expiresAt === 0 ? 0 : RecordFlag.expires
    this.expiresAt = expiresAt
    if (!this.callsBack) {
      this.length = this.encoder.encode(value)
      return
    }
    const { health } = this.space
    health.busy = true
    health.attention = true
    try {
      let encoding = this.encodingName
      try {
        this.length = this.encoder.encode(value)
        encoding = this.compression.name
        if (this.compression.kind !== 'none') this.compress()
      } catch (error) {
        if (error instanceof XenonError) throw error
        throw new EncodeError(typeof key === 'string' ? key : this.keys.ofError(key), encoding, error)
      }
    } finally {
      health.busy = false
    }
  }

  private compress(): void {
    const smaller = this.compression.compress(this.encoder.spill(this.length))
    if (smaller === undefined) return
    this.length = this.encoder.replace(smaller)
    if (this.compression.kind !== 'none') this.flags |= FLAGS_OF[this.compression.kind]
  }

  private get isInline(): boolean {
    const { index } = this.space
    const time = this.expiresAt === 0 ? 0 : EXPIRY_BYTES
    return recordBytes(index.key.length, this.length + time) <= this.inlineLimit
  }

  /** Where the field begins that ends with the encoded value, after putting the time of expiry before that. */
  private fieldStart(): number {
    if (this.expiresAt === 0) return this.valueAt
    const start = this.valueAt - EXPIRY_BYTES
    writeTime(this.space.arena.u8, start, this.expiresAt)
    return start
  }

  /** Stores the encoded value under the key in the key buffer. */
  private store(state: TransactionState): void {
    const { arena, index, large } = this.space
    const start = this.fieldStart()
    if (this.isInline) {
      index.put(state, this.flags, start, this.valueAt + this.length - start)
      return
    }
    this.space.room.admitValue(this.length)
    this.space.within(state, () => {
      const pointer = large.write(state, this.encoder.spill(this.length))
      LargeValues.encode(arena, this.valueAt, pointer)
      index.put(state, this.flags | RecordFlag.large, start, this.valueAt + LARGE_POINTER_BYTES - start)
    })
  }

  /** `store`, and what follows of it for the indexes: all of it, or nothing. */
  private storeAll(state: TransactionState): void {
    const changes = this.changesOfPut(state)
    if (changes === undefined) this.store(state)
    else this.space.within(state, () => this.storeWith(state, changes))
  }

  /** What the put of the encoded value under the key in the key buffer changes in the indexes. */
  private changesOfPut(state: TransactionState): IndexChanges<V> | undefined {
    const { index, arena } = this.space
    const indexes = this.indexesToKeep()
    if (indexes === undefined) return undefined
    const key = copyBytes(arena.u8, index.key.at, index.key.at + index.key.length)
    return indexes.changesOfPut(state, key, values => this.storedValue(values))
  }

  private storeWith(state: TransactionState, changes: IndexChanges<V>): void {
    this.indexesToKeep()?.apply(state, changes)
    this.space.index.key.set(changes.key)
    this.store(state)
  }

  /** The encoded value as `get` will give it to those who keep the indexes. */
  private storedValue(values: RecordValues<V>): V {
    const { length, flags, valueAt } = this
    if (length <= this.inlineLimit && (flags & COMPRESSED) === 0)
      return values.decode(this.space.arena.u8, valueAt, valueAt + length)
    return values.ofStored(flags, this.encoder.spill(length))
  }

  /** One delete as a transaction of its own; `removed` if something was, `found` if it had not expired. */
  delete(key: Key): { removed: boolean; found: boolean } {
    const { transactions, index, room } = this.space
    if (this.mayBeIndexed) return this.deleteIndexed(key)
    if (room.tight) room.admit(false)
    index.key.set(key)
    let outcome = index.remove(transactions.autocommit)
    if (outcome === Outcome.needsTransaction) {
      this.space.implicitly(state => index.remove(state))
      outcome = Outcome.removed
    } else if (outcome === Outcome.removed && this.space.observer !== undefined) {
      const { removedTime } = index
      this.space.observer()
      index.removedTime = removedTime
    }
    return outcome === Outcome.removed ? { removed: true, found: this.removedWasThere } : ABSENT
  }

  deleteIn(state: TransactionState, key: Key): boolean {
    const { index, room } = this.space
    if (room.tight) room.admit(false)
    index.key.set(key)
    return this.removeAll(state) === Outcome.removed && this.removedWasThere
  }

  private deleteIndexed(key: Key): { removed: boolean; found: boolean } {
    const { room, index } = this.space
    if (room.tight) room.admit(false)
    let outcome: Outcome = Outcome.absent
    this.space.implicitly(state => {
      index.key.set(key)
      outcome = this.removeAll(state)
    })
    return (outcome as Outcome) === Outcome.removed ? { removed: true, found: this.removedWasThere } : ABSENT
  }

  /** Removes the record of the key in the key buffer, and its entries in the indexes. */
  removeAll(state: TransactionState): Outcome {
    const indexes = this.indexesToKeep()
    const { index, arena } = this.space
    if (indexes === undefined || index.find() === 0) return index.remove(state)
    const key = copyBytes(arena.u8, index.key.at, index.key.at + index.key.length)
    return this.space.within(state, () => {
      const changes = indexes.changesOfRemove(state, key)
      if (changes !== undefined) indexes.apply(state, changes)
      index.key.set(key)
      return index.remove(state)
    })
  }

  private get mayBeIndexed(): boolean {
    return this.indexes !== undefined || this.space.keeper !== undefined
  }

  /** Before a change: what follows it, if anything does. Others may keep the indexes, in terms of their own encodings. */
  private indexesToKeep(): Indexes<V> | undefined {
    const indexes = this.knownIndexes
    if (indexes === undefined) return undefined
    indexes.beforeAny()
    if (!indexes.isIdle) return indexes
    this.indexes = undefined
    return undefined
  }

  private get knownIndexes(): Indexes<V> | undefined {
    return (this.space.keeper?.indexes as Indexes<V> | undefined) ?? this.indexes
  }

  /** The sweep may remove what has expired: no index becomes stale by that. */
  get maySweep(): boolean {
    return this.knownIndexes?.isComplete ?? true
  }

  private get removedWasThere(): boolean {
    const { space } = this
    const { removedTime } = space.index
    return removedTime === 0 || removedTime > space.now()
  }

  /**
   * Gives a record another time of expiry. False if there is no such record, or (to take the time away) none that
   * expires.
   */
  changeExpiry(state: TransactionState, key: Key, expiresAt: number): boolean {
    const { arena, index, transactions, room } = this.space
    if (room.tight) room.admit(true)
    index.key.set(key)
    const record = index.find()
    const old = record === 0 ? 0 : recordFlags(arena, record)
    const isThere = record !== 0 && !hasExpired(this.space, record)
    if (!isThere || (expiresAt === 0 && (old & RecordFlag.expires) === 0)) {
      transactions.beforeNoChange(state, index.key)
      return false
    }
    const field = index.fieldOf(record)
    const from = pointerAt(field, old)
    const length = field + recordFieldLength(arena, record) - from
    arena.u8.copyWithin(this.valueAt, from, from + length)
    this.expiresAt = expiresAt
    this.length = length
    const start = this.fieldStart()
    const flags = expiresAt === 0 ? old & ~RecordFlag.expires : old | RecordFlag.expires
    index.put(state, flags, start, this.valueAt + length - start)
    return true
  }
}

const ABSENT = { removed: false, found: false }
