/** Typed records over the index: what Database, Transaction and Snapshot share. Nothing here makes a commit durable. */

import { BlockVersions, type SnapshotHandle } from '../buffer/versions.ts'
import type { Engine } from '../engine/engine.ts'
import {
  CorruptionError,
  DecodeError,
  EncodeError,
  InvalidArgumentError,
  reasonOf,
  shown,
  XenonError,
} from '../errors.ts'
import { Outcome, pointerAt } from '../hash/hash.ts'
import { LargeValues } from '../hash/large.ts'
import {
  EXPIRY_BYTES,
  LARGE_POINTER_BYTES,
  RecordFlag,
  readTime,
  recordBytes,
  recordFieldLength,
  recordFlags,
  writeTime,
} from '../pager/bucket.ts'
import { maxInlineRecord } from '../pager/layout.ts'
import { type Arena, asText, compareBytes, copyBytes } from '../runtime/bytes.ts'
import { type ChangedKeys, type CommittedRecord, fromLatin1, latin1 } from '../txn/changed-keys.ts'
import type { TransactionState } from '../txn/transaction-state.ts'
import type { Key, ValueEncoding } from '../types.ts'
import type { Compression } from '../values/compression.ts'
import { type Decode, ValueEncoder, valueDecoder } from '../values/encoding.ts'
import { keyText, requireUtf8Key } from '../values/key.ts'
import { expiryTime } from '../values/ttl.ts'
import { Before } from './before.ts'

/** Where the encoded value lies in the field scratch: there is room for a time of expiry before it. */
const VALUE_OFFSET = 8

/** Flags of a record whose value is compressed. */
const COMPRESSED = RecordFlag.deflated | RecordFlag.encoded

/** What a snapshot sees: the blocks of its moment, but for what transactions had changed and not committed then. */
export interface View {
  readonly handle: SnapshotHandle
  readonly before: Before
}

export class Store<V> {
  readonly engine: Engine
  /** @throws DecodeError that names the key that was looked for last. */
  readonly decode: Decode<V>
  private readonly encodingName: string
  private readonly encoder: ValueEncoder<V>
  private readonly compression: Compression
  private readonly inlineLimit: number
  private readonly valueAt: number
  private readonly callsBack: boolean
  private readonly textKeys: boolean
  /** Decoding a value runs none of the caller's code, which might come back into the database. */
  readonly decodesAlone: boolean
  /** Values are texts, or JSON. */
  readonly asTexts: boolean
  readonly fromJson: boolean
  /** Of the value that was encoded last: flags of its record, when it expires (0 = never), its bytes. */
  private flags = 0
  private expiresAt = 0
  private length = 0

  /** `textKeys`: keys are given back as text. */
  constructor(engine: Engine, encoding: ValueEncoding<V>, compression: Compression, textKeys: boolean) {
    this.engine = engine
    this.textKeys = textKeys
    this.compression = compression
    this.inlineLimit = maxInlineRecord(engine.pool.blockSize)
    this.valueAt = engine.fieldAt + VALUE_OFFSET
    this.encoder = new ValueEncoder(encoding, engine.arena, this.valueAt, this.inlineLimit)
    const decode = valueDecoder(encoding)
    this.encodingName = shown(typeof encoding === 'string' ? encoding : encoding.name)
    this.decode =
      encoding === 'utf8' || encoding === 'binary'
        ? decode
        : typeof encoding === 'string'
          ? (bytes, start, end) => {
              try {
                return decode(bytes, start, end)
              } catch (error) {
                throw this.cannotDecode(error, this.keyAtHand())
              }
            }
          : (bytes, start, end) => {
              // The caller's code may come back into the database and look for another key.
              const key = this.keyAtHand()
              try {
                return decode(bytes, start, end)
              } catch (error) {
                throw this.cannotDecode(error, key)
              }
            }
    this.decodesAlone = typeof encoding === 'string'
    this.asTexts = encoding === 'utf8' || encoding === 'json'
    this.fromJson = encoding === 'json'
    this.callsBack = (encoding !== 'utf8' && encoding !== 'binary') || compression.kind !== 'none'
  }

  /** The error for bytes that are no value; one of the database itself, which the caller's code has met, stays what it is. */
  cannotDecode(error: unknown, key: Uint8Array, encoding: string = this.encodingName): XenonError {
    return error instanceof XenonError ? error : new DecodeError(keyText(key), encoding, error)
  }

  /** The key that was looked for last. */
  private keyAtHand(): Uint8Array {
    const { index, arena } = this.engine
    return copyBytes(arena.u8, index.key.at, index.key.at + index.key.length)
  }

  /** The committed value, whatever open transactions are doing. */
  get(key: Key): V | undefined {
    const { index, transactions } = this.engine
    index.key.set(key)
    const record = index.find()
    if (transactions.locks.exclusive !== 0) {
      const before = this.committedBefore()
      if (before !== null) return before === undefined ? undefined : this.decodeCommitted(before)
    }
    return record === 0 ? undefined : this.valueOf(record)
  }

  has(key: Key): boolean {
    const { index, transactions } = this.engine
    index.key.set(key)
    const record = index.find()
    if (transactions.locks.exclusive !== 0) {
      const before = this.committedBefore()
      if (before !== null) return before !== undefined && !this.isPast(before)
    }
    return record !== 0 && !this.hasExpired(record)
  }

  /** The value as the transaction sees it. */
  getIn(state: TransactionState, key: Key): V | undefined {
    const record = this.findIn(state, key)
    return record === 0 ? undefined : this.valueOf(record)
  }

  hasIn(state: TransactionState, key: Key): boolean {
    const record = this.findIn(state, key)
    return record !== 0 && !this.hasExpired(record)
  }

  /** The value as a snapshot sees it. */
  getAt(view: View, key: Key): V | undefined {
    return this.at(
      view,
      key,
      record => this.valueOf(record),
      before => this.decodeCommitted(before),
    )
  }

  hasAt(view: View, key: Key): boolean {
    const found = this.at(
      view,
      key,
      record => !this.hasExpired(record),
      before => !this.isPast(before),
    )
    return found === true
  }

  private at<T>(
    view: View,
    key: Key,
    ofRecord: (record: number) => T,
    ofCommitted: (before: CommittedRecord) => T,
  ): T | undefined {
    const { index, arena } = this.engine
    index.key.set(key)
    const name = view.before.isEmpty ? '' : latin1(arena.u8, index.key.at, index.key.length)
    return this.asOf(view, () => {
      if (name !== '' && view.before.has(name)) {
        const before = view.before.get(name)
        return before === undefined ? undefined : ofCommitted(before)
      }
      const record = index.find()
      return record === 0 ? undefined : ofRecord(record)
    })
  }

  /** Runs `read` with the blocks as the snapshot sees them. */
  asOf<T>(view: View, read: () => T): T {
    const { pool } = this.engine
    BlockVersions.requireKept(view.handle)
    if (pool.versions.isEmpty) return read()
    pool.asOf = view.handle.lsn
    try {
      return read()
    } finally {
      pool.asOf = 0
    }
  }

  /** Runs `read` with the blocks as they are, in the midst of `asOf`. */
  asNow<T>(read: () => T): T {
    const { pool } = this.engine
    const { asOf } = pool
    pool.asOf = 0
    try {
      return read()
    } finally {
      pool.asOf = asOf
    }
  }

  /** Begins a snapshot of what is committed now, and of what `own` has changed. */
  beginView(own?: TransactionState): View {
    const { transactions, view, pool, log, metadata } = this.engine
    const changed: ChangedKeys[] = []
    for (const state of transactions.open.values())
      if (state.lastLsn !== 0 && state !== own) changed.push(view.of(state))
    return { handle: pool.versions.begin(log.endLsn, metadata.blocks), before: Before.of(changed) }
  }

  /** The record of a key (as Latin-1 text of its bytes) as it stands. */
  recordNow(name: string): CommittedRecord | undefined {
    const { index, arena } = this.engine
    index.key.set(fromLatin1(name))
    const record = index.find()
    if (record === 0) return undefined
    const field = index.fieldOf(record)
    return {
      flags: recordFlags(arena, record),
      field: copyBytes(arena.u8, field, field + recordFieldLength(arena, record)),
    }
  }

  /** Locks the bucket of a key as for a change. */
  lockForChange(state: TransactionState, key: Key): void {
    const { index, transactions } = this.engine
    index.key.set(key)
    index.find()
    transactions.beforeChange(state, index.bucket)
  }

  /** True if the record of a key stands as a snapshot sees it. */
  isAsIn(view: View, key: Key): boolean {
    const { index, arena } = this.engine
    index.key.set(key)
    const name = latin1(arena.u8, index.key.at, index.key.length)
    const now = this.recordNow(name)
    const then = view.before.has(name) ? view.before.get(name) : this.asOf(view, () => this.recordNow(name))
    if (now === undefined || then === undefined) return now === then
    if (now.flags !== then.flags || compareBytes(now.field, then.field) !== 0) return false
    if ((now.flags & RecordFlag.large) === 0) return true
    // The blocks of a large value may have been freed meanwhile, and taken again for another one.
    const bytes = this.committedBytes(now)
    const before = this.asOf(view, () => this.committedBytes(then))
    return bytes === undefined || before === undefined || compareBytes(bytes, before) === 0
  }

  endView(view: View): void {
    this.engine.pool.versions.end(view.handle)
  }

  private findIn(state: TransactionState, key: Key): number {
    const { index, transactions } = this.engine
    index.key.set(key)
    const record = index.find()
    transactions.beforeRead(state, index.bucket)
    return record
  }

  /**
   * For the key of the last search: the committed record that an open transaction has changed, `undefined` if there
   * was none, `null` if no open transaction has touched it.
   */
  committedBefore(): CommittedRecord | undefined | null {
    const { index, transactions, view, arena } = this.engine
    const owner = transactions.locks.exclusiveOwner(index.bucket)
    const state = owner === 0 ? undefined : transactions.open.get(owner)
    if (state === undefined) return null
    const records = view.of(state)
    const key = latin1(arena.u8, index.key.at, index.key.length)
    return records.has(key) ? records.get(key) : null
  }

  /** The committed value field of a key, as bytes of its own. */
  committedField(key: Uint8Array): Uint8Array | undefined {
    const { index, transactions, arena } = this.engine
    index.key.set(key)
    const record = index.find()
    if (transactions.locks.exclusive !== 0) {
      const before = this.committedBefore()
      if (before !== null) return before === undefined ? undefined : this.committedBytes(before)
    }
    return record === 0
      ? undefined
      : this.bytesOf(
          arena,
          recordFlags(arena, record),
          index.fieldOf(record),
          recordFieldLength(arena, record),
        )
  }

  /** The value of the record at `record` of the pool; undefined if it has expired. */
  valueOf(record: number): V | undefined {
    const { arena, index } = this.engine
    const field = index.fieldOf(record)
    const flags = recordFlags(arena, record)
    const length = recordFieldLength(arena, record)
    if (flags === 0) return this.decode(arena.u8, field, field + length)
    return this.decodeFlagged(arena, flags, field, length)
  }

  /** The value of a record whose field lies in any arena. */
  decodeFlagged(a: Arena, flags: number, field: number, length: number): V | undefined {
    const bytes = this.bytesOf(a, flags, field, length)
    return bytes === undefined ? undefined : this.decode(asText(bytes), 0, bytes.length)
  }

  /** The value's bytes as an array of their own, decompressed; undefined if the record has expired. */
  bytesOf(a: Arena, flags: number, field: number, length: number): Uint8Array | undefined {
    if ((flags & RecordFlag.expires) !== 0 && this.timePassed(readTime(a.u8, field))) return undefined
    const start = pointerAt(field, flags)
    const bytes =
      (flags & RecordFlag.large) === 0
        ? copyBytes(a.u8, start, field + length)
        : this.engine.large.read(LargeValues.pointer(a, start))
    return (flags & COMPRESSED) === 0 ? bytes : this.decompress(flags, bytes)
  }

  private decompress(flags: number, bytes: Uint8Array): Uint8Array {
    const key = this.keyAtHand()
    try {
      return this.compression.decompress((flags & RecordFlag.encoded) === 0 ? 'deflate' : 'codec', bytes)
    } catch (error) {
      if ((flags & RecordFlag.deflated) === 0) throw this.cannotDecode(error, key, this.compression.name)
      if (error instanceof XenonError) throw error
      const where = this.engine.file.file.path
      const name = shown(keyText(key))
      throw new CorruptionError(where, `the compressed value of '${name}' cannot be read: ${reasonOf(error)}`)
    }
  }

  /** Time of expiry of a record, 0 = none. */
  expiryOf(record: number): number {
    const { arena, index } = this.engine
    return (recordFlags(arena, record) & RecordFlag.expires) === 0
      ? 0
      : readTime(arena.u8, index.fieldOf(record))
  }

  hasExpired(record: number): boolean {
    const time = this.expiryOf(record)
    return time !== 0 && this.timePassed(time)
  }

  private timePassed(time: number): boolean {
    return time <= this.engine.now()
  }

  isPast(record: CommittedRecord): boolean {
    return (record.flags & RecordFlag.expires) !== 0 && this.timePassed(readTime(record.field, 0))
  }

  decodeCommitted(record: CommittedRecord): V | undefined {
    const bytes = this.committedBytes(record)
    return bytes === undefined ? undefined : this.decode(asText(bytes), 0, bytes.length)
  }

  /** The bytes of its value, or undefined if it has expired. */
  committedBytes(record: CommittedRecord): Uint8Array | undefined {
    const { arena, fieldAt } = this.engine
    if (record.flags === 0) return record.field
    arena.u8.set(record.field, fieldAt)
    return this.bytesOf(arena, record.flags, fieldAt, record.field.length)
  }

  /** One put as a transaction of its own, committed but not made durable. `ttl`: milliseconds, 0 = for ever. */
  put(key: Key, value: V, ttl: number): void {
    this.putUntil(key, value, this.timeAfter(ttl))
  }

  /** The same with the exact time of expiry, 0 = never. */
  putUntil(key: Key, value: V, expiresAt: number): void {
    try {
      this.putAlone(key, value, expiresAt)
    } finally {
      this.encoder.letGo()
    }
  }

  private putAlone(key: Key, value: V, expiresAt: number): void {
    const { transactions, index, room } = this.engine
    if (room.tight) room.admit(true)
    this.encode(key, value, expiresAt)
    index.key.set(key)
    if (typeof key !== 'string') this.requireText()
    if (this.isInline) {
      const start = this.fieldStart()
      const outcome = index.put(
        transactions.autocommit,
        this.flags,
        start,
        this.valueAt + this.length - start,
      )
      if (outcome !== Outcome.needsTransaction) {
        if (transactions.observer !== undefined) transactions.observer.record()
        return
      }
    }
    this.implicitly(state => this.store(state))
  }

  putIn(state: TransactionState, key: Key, value: V, ttl: number): void {
    this.putUntilIn(state, key, value, this.timeAfter(ttl))
  }

  putUntilIn(state: TransactionState, key: Key, value: V, expiresAt: number): void {
    const { index, room } = this.engine
    if (room.tight) room.admit(true)
    try {
      this.encode(key, value, expiresAt)
      index.key.set(key)
      if (typeof key !== 'string') this.requireText()
      this.store(state)
    } finally {
      this.encoder.letGo()
    }
  }

  /** For the key in the key buffer, which nobody else can change any more. */
  private requireText(): void {
    const { arena, index } = this.engine
    if (this.textKeys) requireUtf8Key(arena.u8, index.key.at, index.key.at + index.key.length)
  }

  /**
   * Stores a record as another database holds it: `bytes` of its value, compressed as `flags` say, and its exact time of
   * expiry (0 = never), even one that has passed.
   */
  putRecord(
    state: TransactionState,
    key: Uint8Array,
    flags: number,
    bytes: Uint8Array,
    expiresAt: number,
  ): void {
    const { room } = this.engine
    if (room.tight) room.admit(true)
    this.flags = (flags & COMPRESSED) | (expiresAt === 0 ? 0 : RecordFlag.expires)
    this.expiresAt = expiresAt
    this.length = this.encoder.replace(bytes)
    try {
      this.engine.index.key.set(key)
      this.store(state)
    } finally {
      this.encoder.letGo()
    }
  }

  /** JSON, custom codecs and compression run the caller's code, which must not come back into the database meanwhile. */
  private encode(key: Key, value: V, expiresAt: number): void {
    this.flags = expiresAt === 0 ? 0 : RecordFlag.expires
    this.expiresAt = expiresAt
    if (!this.callsBack) {
      this.length = this.encoder.encode(value)
      return
    }
    const { health } = this.engine
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
        throw new EncodeError(typeof key === 'string' ? key : keyText(key), encoding, error)
      }
    } finally {
      health.busy = false
    }
  }

  private compress(): void {
    const smaller = this.compression.compress(this.encoder.spill(this.length))
    if (smaller === undefined) return
    this.length = this.encoder.replace(smaller)
    this.flags |= this.compression.kind === 'codec' ? RecordFlag.encoded : RecordFlag.deflated
  }

  private get isInline(): boolean {
    const { index } = this.engine
    const time = this.expiresAt === 0 ? 0 : EXPIRY_BYTES
    return recordBytes(index.key.length, this.length + time) <= this.inlineLimit
  }

  /** Where the field begins that ends with the encoded value, after putting the time of expiry before that. */
  private fieldStart(): number {
    if (this.expiresAt === 0) return this.valueAt
    const start = this.valueAt - EXPIRY_BYTES
    writeTime(this.engine.arena.u8, start, this.expiresAt)
    return start
  }

  /** Stores the encoded value under the key in the key buffer. */
  private store(state: TransactionState): void {
    const { arena, index, large, transactions, health } = this.engine
    const start = this.fieldStart()
    if (this.isInline) {
      index.put(state, this.flags, start, this.valueAt + this.length - start)
      return
    }
    this.engine.room.admitValue(this.length)
    const before = transactions.savepoint(state)
    try {
      const pointer = large.write(state, this.encoder.spill(this.length))
      LargeValues.encode(arena, this.valueAt, pointer)
      index.put(state, this.flags | RecordFlag.large, start, this.valueAt + LARGE_POINTER_BYTES - start)
    } catch (error) {
      if (health.failure === undefined) {
        try {
          transactions.rollbackTo(state, before)
        } catch (second) {
          health.fail(second)
        }
      }
      throw error
    }
  }

  /** One delete as a transaction of its own; `removed` if something was, `found` if it had not expired. */
  delete(key: Key): { removed: boolean; found: boolean } {
    const { transactions, index, room } = this.engine
    if (room.tight) room.admit(false)
    index.key.set(key)
    let outcome = index.remove(transactions.autocommit)
    if (outcome === Outcome.needsTransaction) {
      this.implicitly(state => index.remove(state))
      outcome = Outcome.removed
    } else if (outcome === Outcome.removed && transactions.observer !== undefined) {
      const { removedTime } = index
      transactions.observer.record()
      index.removedTime = removedTime
    }
    return outcome === Outcome.removed ? { removed: true, found: this.removedWasThere } : ABSENT
  }

  deleteIn(state: TransactionState, key: Key): boolean {
    const { index, room } = this.engine
    if (room.tight) room.admit(false)
    index.key.set(key)
    return index.remove(state) === Outcome.removed && this.removedWasThere
  }

  private get removedWasThere(): boolean {
    const { removedTime } = this.engine.index
    return removedTime === 0 || !this.timePassed(removedTime)
  }

  /**
   * Gives the record another time of expiry (0 = none), in a transaction. False if there is no such record, or
   * (to take the time away) none that expires.
   */
  changeExpiry(state: TransactionState, key: Key, ttl: number): boolean {
    return this.changeExpiryTime(state, key, this.timeAfter(ttl))
  }

  /** The same with the exact time, 0 = never. */
  changeExpiryTime(state: TransactionState, key: Key, expiresAt: number): boolean {
    const { arena, index, transactions, room } = this.engine
    if (room.tight) room.admit(true)
    index.key.set(key)
    const record = index.find()
    if (record === 0 || this.hasExpired(record)) {
      transactions.beforeNoChange(state, index.bucket)
      return false
    }
    const old = recordFlags(arena, record)
    if (expiresAt === 0 && (old & RecordFlag.expires) === 0) {
      transactions.beforeNoChange(state, index.bucket)
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

  private timeAfter(ttl: number): number {
    return ttl === 0 ? 0 : expiryTime(this.engine.now(), ttl)
  }

  /** Milliseconds until the committed record expires: Infinity if it does not, undefined if there is none. */
  ttl(key: Key): number | undefined {
    const time = this.timeOf(key)
    if (time === undefined || time === 0) return time === 0 ? Number.POSITIVE_INFINITY : undefined
    return Math.max(1, time - this.engine.now())
  }

  /** When the committed record expires: 0 if it does not, undefined if there is none. */
  timeOf(key: Key): number | undefined {
    const { index, transactions } = this.engine
    index.key.set(key)
    const record = index.find()
    if (transactions.locks.exclusive !== 0) {
      const before = this.committedBefore()
      if (before === undefined) return undefined
      if (before !== null) return this.ahead(committedTime(before))
    }
    return record === 0 ? undefined : this.ahead(this.expiryOf(record))
  }

  /** The same as the transaction sees it. */
  timeIn(state: TransactionState, key: Key): number | undefined {
    const record = this.findIn(state, key)
    return record === 0 ? undefined : this.ahead(this.expiryOf(record))
  }

  /** The same as a snapshot sees it. */
  timeAt(view: View, key: Key): number | undefined {
    return this.at(
      view,
      key,
      record => this.ahead(this.expiryOf(record)),
      before => this.ahead(committedTime(before)),
    )
  }

  private ahead(time: number): number | undefined {
    return time === 0 || !this.timePassed(time) ? time : undefined
  }

  /** Runs `work` in a transaction that nobody else can see into. */
  implicitly(work: (state: TransactionState) => void): void {
    const { transactions } = this.engine
    const state = transactions.begin(false)
    try {
      work(state)
      transactions.commit(state)
    } catch (error) {
      this.engine.takeBack(state)
      throw error
    }
  }
}

export const requireList = <T>(keys: readonly T[]): readonly T[] => {
  if (!Array.isArray(keys)) throw new InvalidArgumentError('getMany() takes an array of keys')
  return keys
}

const committedTime = (record: CommittedRecord): number =>
  (record.flags & RecordFlag.expires) === 0 ? 0 : readTime(record.field, 0)

const ABSENT = { removed: false, found: false }
