/**
 * The entries of an index, in a key space of their own.
 *
 *   not unique   key: index key, key of the record     value: none
 *   unique       key: index key                        value: key of the record
 *
 *   while it is built, one that is no entry: key 00    value: key of the record from which the build has to go on
 *
 * Index keys are tuples as bytes. None of them is the beginning of another one (K2), so that what is joined to them is
 * ordered by the index key first, and one index key of a unique index is one key with one lock: of two open transactions
 * that want it, one is refused or waits.
 */
import type { Space } from '../engine/space.ts'
import { Outcome } from '../hash/hash.ts'
import { recordFieldLength } from '../pager/bucket.ts'
import { compareBytes, copyBytes } from '../runtime/bytes.ts'
import type { TransactionState } from '../txn/transaction-state.ts'
import { MAX_KEY_BYTES } from '../values/limits.ts'

/** No tuple begins so: it lies before all entries. */
const PROGRESS = Uint8Array.of(0)

export class IndexEntries {
  readonly space: Space
  readonly unique: boolean
  /** Where the key of a record lies while it is put as a value: behind the value of that record, which is to come. */
  private readonly holderAt: number
  private readonly joined: Uint8Array = new Uint8Array(MAX_KEY_BYTES)

  constructor(space: Space, unique: boolean) {
    this.space = space
    this.unique = unique
    this.holderAt = space.fieldAt + space.pool.blockSize - MAX_KEY_BYTES
  }

  /**
   * The key of the record that has an index key of a unique index; undefined if none has. Nobody else can give it to
   * another one before the transaction ends.
   */
  holderOf(state: TransactionState, indexKey: Uint8Array): Uint8Array | undefined {
    const { index, transactions } = this.space
    index.key.set(indexKey)
    transactions.beforeChange(state, index.key)
    return this.holderAtHand()
  }

  private holderAtHand(): Uint8Array | undefined {
    const { index, arena } = this.space
    const record = index.find()
    if (record === 0) return undefined
    const field = index.fieldOf(record)
    return copyBytes(arena.u8, field, field + recordFieldLength(arena, record))
  }

  /** Of a unique index: nobody else has the index key. While an index is built, the entry may be there. */
  add(state: TransactionState, indexKey: Uint8Array, key: Uint8Array): void {
    const { index, arena, room } = this.space
    if (room.tight) room.admit(true)
    if (!this.unique) {
      index.key.set(this.entry(indexKey, key))
      index.put(state, 0, this.holderAt, 0)
      return
    }
    index.key.set(indexKey)
    arena.u8.set(key, this.holderAt)
    index.put(state, 0, this.holderAt, key.length)
  }

  /** True if it was there; while an index is built, it may not be. */
  remove(state: TransactionState, indexKey: Uint8Array, key: Uint8Array): boolean {
    const { index } = this.space
    index.key.set(this.unique ? indexKey : this.entry(indexKey, key))
    if (this.unique) {
      const holder = this.holderAtHand()
      if (holder === undefined || compareBytes(holder, key) !== 0) return false
    }
    return index.remove(state) === Outcome.removed
  }

  /** True if the entry is there, in the blocks as they are read at the moment. */
  has(indexKey: Uint8Array, key: Uint8Array): boolean {
    const { index } = this.space
    index.key.set(this.unique ? indexKey : this.entry(indexKey, key))
    if (!this.unique) return index.find() !== 0
    const holder = this.holderAtHand()
    return holder !== undefined && compareBytes(holder, key) === 0
  }

  /** The key of the record from which a build that was cut off goes on; undefined: from the first one. */
  get progress(): Uint8Array | undefined {
    this.space.index.key.set(PROGRESS)
    return this.holderAtHand()
  }

  /** The entries of all records before this key are there; undefined: the build is over. */
  setProgress(state: TransactionState, key: Uint8Array | undefined): void {
    const { index, arena, room } = this.space
    index.key.set(PROGRESS)
    if (key === undefined) {
      if (index.find() !== 0) index.remove(state)
      return
    }
    if (room.tight) room.admit(true)
    arena.u8.set(key, this.holderAt)
    index.put(state, 0, this.holderAt, key.length)
  }

  private entry(indexKey: Uint8Array, key: Uint8Array): Uint8Array {
    const { joined } = this
    joined.set(indexKey)
    joined.set(key, indexKey.length)
    return joined.subarray(0, indexKey.length + key.length)
  }
}
