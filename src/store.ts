/** Typed records over the index: what Database and Transaction share. Nothing here makes a commit durable. */
import { asText } from './bytes.ts'
import { copyBytes, type Decode, ValueEncoder, valueDecoder } from './encoding.ts'
import type { Engine } from './engine.ts'
import { InvalidArgumentError } from './errors.ts'
import { Outcome } from './index/hash.ts'
import { LargeValues } from './index/large.ts'
import {
  LARGE_POINTER_BYTES,
  RecordFlag,
  recordBytes,
  recordFieldLength,
  recordFlags,
} from './pager/bucket.ts'
import { maxInlineRecord } from './pager/layout.ts'
import { type CommittedRecord, latin1 } from './txn/committed-view.ts'
import type { TransactionState } from './txn/transaction-state.ts'
import type { Key, ValueEncoding } from './types.ts'

export class Store<V> {
  readonly engine: Engine
  readonly decode: Decode<V>
  private readonly encoder: ValueEncoder<V>
  private readonly inlineLimit: number
  private readonly callsBack: boolean

  constructor(engine: Engine, encoding: ValueEncoding<V>) {
    this.engine = engine
    this.inlineLimit = maxInlineRecord(engine.pool.blockSize)
    this.encoder = new ValueEncoder(encoding, engine.arena, engine.fieldAt, this.inlineLimit)
    this.decode = valueDecoder(encoding)
    this.callsBack = encoding !== 'utf8' && encoding !== 'binary'
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
    return record === 0 ? undefined : this.decodeRecord(record)
  }

  has(key: Key): boolean {
    const { index, transactions } = this.engine
    index.key.set(key)
    const record = index.find()
    if (transactions.locks.exclusive !== 0) {
      const before = this.committedBefore()
      if (before !== null) return before !== undefined
    }
    return record !== 0
  }

  /** The value as the transaction sees it. */
  getIn(state: TransactionState, key: Key): V | undefined {
    const record = this.findIn(state, key)
    return record === 0 ? undefined : this.decodeRecord(record)
  }

  hasIn(state: TransactionState, key: Key): boolean {
    return this.findIn(state, key) !== 0
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
    const { index, transactions, arena, large } = this.engine
    index.key.set(key)
    const record = index.find()
    if (transactions.locks.exclusive !== 0) {
      const before = this.committedBefore()
      if (before !== null) return before === undefined ? undefined : this.committedBytes(before)
    }
    if (record === 0) return undefined
    const field = index.fieldOf(record)
    if ((recordFlags(arena, record) & RecordFlag.large) !== 0)
      return large.read(LargeValues.pointer(arena, field))
    return copyBytes(arena.u8, field, field + recordFieldLength(arena, record))
  }

  private decodeRecord(record: number): V {
    const { arena, index, large } = this.engine
    const field = index.fieldOf(record)
    if ((recordFlags(arena, record) & RecordFlag.large) === 0)
      return this.decode(arena.u8, field, field + recordFieldLength(arena, record))
    const bytes = large.read(LargeValues.pointer(arena, field))
    return this.decode(asText(bytes), 0, bytes.length)
  }

  decodeCommitted(record: CommittedRecord): V {
    const bytes = this.committedBytes(record)
    return this.decode(asText(bytes), 0, bytes.length)
  }

  private committedBytes(record: CommittedRecord): Uint8Array {
    if ((record.flags & RecordFlag.large) === 0) return record.field
    const { arena, fieldAt, large } = this.engine
    arena.u8.set(record.field, fieldAt)
    return large.read(LargeValues.pointer(arena, fieldAt))
  }

  /** One put as a transaction of its own, committed but not made durable. */
  put(key: Key, value: V): void {
    const { transactions, fieldAt, index } = this.engine
    const length = this.encode(value)
    index.key.set(key)
    if (recordBytes(index.key.length, length) <= this.inlineLimit) {
      const outcome = index.put(transactions.autocommit, 0, fieldAt, length)
      if (outcome !== Outcome.needsTransaction) return
    }
    this.implicitly(state => this.store(state, length))
  }

  putIn(state: TransactionState, key: Key, value: V): void {
    const length = this.encode(value)
    this.engine.index.key.set(key)
    this.store(state, length)
  }

  /** JSON and custom codecs run the caller's code, which must not come back into the database meanwhile. */
  private encode(value: V): number {
    if (!this.callsBack) return this.encoder.encode(value)
    const { health } = this.engine
    health.busy = true
    health.attention = true
    try {
      return this.encoder.encode(value)
    } finally {
      health.busy = false
    }
  }

  /** Stores the encoded value, which is `length` bytes long, under the key in the key buffer. */
  private store(state: TransactionState, length: number): void {
    const { arena, fieldAt, index, large, transactions, health } = this.engine
    if (recordBytes(index.key.length, length) <= this.inlineLimit) {
      index.put(state, 0, fieldAt, length)
      return
    }
    const before = transactions.savepoint(state)
    try {
      const pointer = large.write(state, this.encoder.spill(length))
      LargeValues.encode(arena, fieldAt, pointer)
      index.put(state, RecordFlag.large, fieldAt, LARGE_POINTER_BYTES)
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

  /** One delete as a transaction of its own; true if the key was there. */
  delete(key: Key): boolean {
    const { transactions, index } = this.engine
    index.key.set(key)
    const outcome = index.remove(transactions.autocommit)
    if (outcome === Outcome.needsTransaction) {
      this.implicitly(state => index.remove(state))
      return true
    }
    return outcome === Outcome.removed
  }

  deleteIn(state: TransactionState, key: Key): boolean {
    this.engine.index.key.set(key)
    return this.engine.index.remove(state) === Outcome.removed
  }

  /** A rollback that fails too leaves changes that nobody can take back any more: recovery has to. */
  takeBack(state: TransactionState): void {
    const { transactions, health } = this.engine
    if (health.failure === undefined) {
      try {
        transactions.rollback(state)
        return
      } catch (error) {
        health.fail(error)
      }
    }
    transactions.finish(state)
  }

  /** Runs `work` in a transaction that nobody else can see into. */
  implicitly(work: (state: TransactionState) => void): void {
    const { transactions } = this.engine
    const state = transactions.begin(false)
    try {
      work(state)
      transactions.commit(state)
    } catch (error) {
      this.takeBack(state)
      throw error
    }
  }
}

export const requireList = <T>(keys: readonly T[]): readonly T[] => {
  if (!Array.isArray(keys)) throw new InvalidArgumentError('getMany() takes an array of keys')
  return keys
}
