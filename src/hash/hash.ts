/**
 * The hash index: from a key to the record. 101 fixed index blocks; each is a bucket at first, and a directory over
 * the hash positions once it has outgrown its first overflow block. structure.ts changes the shape, this file uses it.
 *
 * A change finds its place, makes room if there is none, and then is one log record on one bucket (two if the
 * record moves along an overflow chain). The lock of a bucket is the lock of its head block.
 */

import type { BufferPool } from '../buffer/pool.ts'
import { CorruptionError } from '../errors.ts'
import { freeSlot, relinkedSlot, takenSlot, takeSlot } from '../freelist/slots.ts'
import { LogOp, RecordType, UndoKind, type UndoSection } from '../log/format.ts'
import type { LogWriter } from '../log/writer.ts'
import {
  bucketNext,
  compact,
  EXPIRY_BYTES,
  findSlot,
  fits,
  liveBytes,
  RECORD_HEADER_BYTES,
  RecordFlag,
  readTime,
  recordAt,
  recordBytes,
  recordFieldLength,
  recordFlags,
  recordSize,
  SLOT_BYTES,
  slotWord,
  writeRecordHeader,
} from '../pager/bucket.ts'
import { childOf, directoryCapacity, findEntry } from '../pager/directory.ts'
import {
  AT_FREE_SLOT,
  AT_KIND,
  BlockKind,
  BUCKET_STATE_BYTES,
  BUCKET_STATE_OFFSET,
  HEADER_BYTES,
  kindName,
} from '../pager/layout.ts'
import type { Arena } from '../runtime/bytes.ts'
import type { TreeChanges } from '../tree/tree-changes.ts'
import type { TransactionManager } from '../txn/manager.ts'
import type { TransactionState } from '../txn/transaction-state.ts'
import type { KeyBuffer } from './key.ts'
import { LargeValues } from './large.ts'
import type { Structure } from './structure.ts'

const MAX_DEPTH = 12
/** Each round of making room leaves more of it; more rounds than this mean that the shape is not what it should be. */
const MAX_ROUNDS = 256

/** What a change did. */
export const Outcome = {
  added: 0,
  replaced: 1,
  removed: 2,
  absent: 3,
  needsTransaction: 4,
} as const
export type Outcome = (typeof Outcome)[keyof typeof Outcome]

export class HashIndex {
  readonly key: KeyBuffer
  /** Counts changes of records, so that a reader can tell that nothing has happened since. */
  version = 0
  slotsReused = 0
  compactions = 0
  /** When the record that was removed last was to expire, 0 = never. */
  removedTime = 0
  /**
   * Of the last search: head block of the bucket; block, position and slot where the record lies. If there is none,
   * block and position are those of the last block of the bucket's chain.
   */
  bucket = 0
  block = 0
  base = 0
  slot = 0
  private readonly pool: BufferPool
  private readonly arena: Arena
  private readonly log: LogWriter
  private readonly transactions: TransactionManager
  private readonly large: LargeValues
  private readonly structure: Structure
  private readonly trees: TreeChanges
  private readonly path: string
  private readonly blockSize: number
  private readonly capacity: number
  /** Spare bytes: a field to be put back, and a block for compaction. */
  private readonly fieldScratch: number
  private readonly blockScratch: number

  constructor(
    parts: {
      pool: BufferPool
      log: LogWriter
      transactions: TransactionManager
      large: LargeValues
      structure: Structure
      trees: TreeChanges
      key: KeyBuffer
      path: string
    },
    fieldScratch: number,
    blockScratch: number,
  ) {
    this.pool = parts.pool
    this.arena = parts.pool.arena
    this.log = parts.log
    this.transactions = parts.transactions
    this.large = parts.large
    this.structure = parts.structure
    this.trees = parts.trees
    this.key = parts.key
    this.path = parts.path
    this.blockSize = parts.pool.blockSize
    this.capacity = directoryCapacity(this.blockSize)
    this.fieldScratch = fieldScratch
    this.blockScratch = blockScratch
    this.transactions.onUndo((state, log, undo) => this.undo(state, log, undo))
  }

  /** Position of the record of the key in the key buffer, or 0. */
  find(): number {
    const { arena, key } = this
    let base = this.descend()
    for (let hops = 0; ; hops++) {
      this.base = base
      const slot = findSlot(arena, base, key.hash.tag, key.at, key.length)
      if (slot >= 0) {
        this.slot = slot
        return recordAt(arena, base, slot)
      }
      const next = bucketNext(arena, base)
      if (next === 0) return 0
      base = this.chained(next, hops)
    }
  }

  /** Goes to the head block of the key's bucket. */
  private descend(): number {
    const { pool, arena, capacity, key } = this
    const { hash } = key
    const position = hash.position
    let block = hash.root
    let base = pool.get(block)
    for (let depth = 0; arena.u8[base + AT_KIND] === BlockKind.directory; depth++) {
      if (depth === MAX_DEPTH)
        throw new CorruptionError(this.path, 'the directories are nested too deeply, or cyclic', block)
      block = childOf(arena, base, capacity, findEntry(arena, base, position))
      base = pool.get(block)
    }
    if (arena.u8[base + AT_KIND] !== BlockKind.bucket) throw this.wrongKind(block, base)
    this.bucket = block
    this.block = block
    return base
  }

  private chained(block: number, hops: number): number {
    if (hops > this.pool.limit())
      throw new CorruptionError(this.path, 'its overflow chain is cyclic', this.bucket)
    const base = this.pool.get(block)
    if (this.arena.u8[base + AT_KIND] !== BlockKind.bucket) throw this.wrongKind(block, base)
    this.block = block
    return base
  }

  private wrongKind(block: number, base: number): CorruptionError {
    return new CorruptionError(
      this.path,
      `expected a bucket, found a ${kindName(this.arena.u8[base + AT_KIND]!)}`,
      block,
    )
  }

  /**
   * Stores the record of the key in the key buffer; its field lies at `field` of the arena.
   * The one-record transaction of an autocommit cannot free a large value that is replaced: it gets
   * `needsTransaction`, and nothing has changed.
   */
  put(state: TransactionState, flags: number, field: number, fieldLength: number): Outcome {
    try {
      return this.putField(state, flags, field, fieldLength)
    } catch (error) {
      this.trees.giveUp()
      throw error
    }
  }

  private putField(state: TransactionState, flags: number, field: number, fieldLength: number): Outcome {
    const { arena, transactions, key } = this
    const size = recordBytes(key.length, fieldLength)
    for (let round = 0; ; round++) {
      if (round > MAX_ROUNDS)
        throw new CorruptionError(this.path, 'no room can be made in its bucket', this.bucket)
      const record = this.find()
      transactions.beforeChange(state, this.bucket)
      if (record !== 0) {
        if (this.needsTransaction(state, record)) return Outcome.needsTransaction
        if (recordFieldLength(arena, record) === fieldLength && recordFlags(arena, record) === flags) {
          this.prepareTrees(record, flags, field)
          this.replaceLarge(state, record, flags, field)
          this.overwrite(state, record, field, fieldLength)
          return Outcome.replaced
        }
        if (HEADER_BYTES + liveBytes(arena, this.base) - recordSize(arena, record) + size <= this.blockSize) {
          this.prepareTrees(record, flags, field)
          this.replaceLarge(state, record, flags, field)
          this.change(
            state,
            this.block,
            this.base,
            this.slot,
            this.block,
            this.base,
            flags,
            field,
            fieldLength,
          )
          this.trees.shrink()
          return Outcome.replaced
        }
        if (this.moveAlongChain(state, record, flags, field, fieldLength, size)) return Outcome.replaced
      } else if (this.findRoom(size)) {
        transactions.beforeKeyChange(state, arena.u8, key.at, key.length)
        this.trees.prepare(this.base, -1, 0, flags, field)
        this.change(state, 0, 0, 0, this.block, this.base, flags, field, fieldLength)
        this.trees.shrink()
        return Outcome.added
      }
      this.structure.makeRoom(state, key)
    }
  }

  /** Removes the record of the key in the key buffer. */
  remove(state: TransactionState): Outcome {
    try {
      return this.removeFound(state)
    } catch (error) {
      this.trees.giveUp()
      throw error
    }
  }

  private removeFound(state: TransactionState): Outcome {
    const record = this.find()
    if (record === 0) {
      this.transactions.beforeNoChange(state, this.bucket)
      return Outcome.absent
    }
    this.transactions.beforeChange(state, this.bucket)
    if (this.needsTransaction(state, record)) return Outcome.needsTransaction
    this.transactions.beforeKeyChange(state, this.arena.u8, this.key.at, this.key.length)
    this.removedTime = this.timeOf(record)
    this.prepareTrees(record, -1, 0)
    this.replaceLarge(state, record, 0, 0)
    this.change(state, this.block, this.base, this.slot, 0, 0, 0, 0, 0)
    const isSparse = this.structure.isSparse(this.base, this.bucket, this.block)
    this.trees.shrink()
    if (isSparse) this.giveBack(state)
    return Outcome.removed
  }

  /** The record is gone already: a damaged neighbour must not make its removal, or a rollback, fail. */
  private giveBack(state: TransactionState): void {
    try {
      this.structure.shrink(state, this.key)
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error
    }
  }

  private needsTransaction(state: TransactionState, record: number): boolean {
    return state.isAutocommit && (recordFlags(this.arena, record) & RecordFlag.large) !== 0
  }

  private timeOf(record: number): number {
    const { arena } = this
    if ((recordFlags(arena, record) & RecordFlag.expires) === 0) return 0
    return readTime(arena.u8, this.fieldOf(record))
  }

  /** The trees have to follow when the record of the last search is removed (-1), or when it expires at another time. */
  private prepareTrees(record: number, flags: number, field: number): void {
    const old = recordFlags(this.arena, record)
    if (flags < 0 || ((old | flags) & RecordFlag.expires) !== 0)
      this.trees.prepare(this.base, old, this.fieldOf(record), flags, field)
  }

  /** A large value that is replaced or removed is freed by the commit, unless the new record is the same pointer. */
  private replaceLarge(state: TransactionState, record: number, flags: number, field: number): void {
    const { arena } = this
    if ((recordFlags(arena, record) & RecordFlag.large) === 0) return
    const old = LargeValues.pointer(arena, pointerAt(this.fieldOf(record), recordFlags(arena, record)))
    if (
      (flags & RecordFlag.large) !== 0 &&
      LargeValues.pointer(arena, pointerAt(field, flags)).head === old.head
    )
      return
    this.pool.pin(this.base)
    try {
      this.transactions.freeAtCommit(state, old.head, old.tail, old.blocks)
    } finally {
      this.pool.unpin(this.base)
    }
  }

  /** The blocks of the large value of the key in the key buffer, or none. */
  largeBlocks(): number[] {
    const record = this.find()
    const flags = record === 0 ? 0 : recordFlags(this.arena, record)
    if ((flags & RecordFlag.large) === 0) return []
    return this.large.blocksOf(LargeValues.pointer(this.arena, pointerAt(this.fieldOf(record), flags)))
  }

  /** Position of the value field of a record. */
  fieldOf(record: number): number {
    const u8 = this.arena.u8
    return record + RECORD_HEADER_BYTES + (((u8[record]! >>> 5) << 8) | u8[record + 1]!)
  }

  /** A field of the same length: only its bytes change. */
  private overwrite(state: TransactionState, record: number, field: number, fieldLength: number): void {
    const { arena, log, key, base } = this
    const { trees } = this
    const target = this.fieldOf(record)
    this.pool.preserve(base)
    log.reserve(128 + 2 * fieldLength + key.length + trees.logBytes)
    log.begin(RecordType.update, state.recordFlags, state.id, state.previous)
    if (state.wantsUndo)
      log.undo(UndoKind.restore, recordFlags(arena, record), key.at, key.length, target, fieldLength)
    arena.u8.copyWithin(target, field, field + fieldLength)
    log.part(this.block)
    if (fieldLength > 0) log.set(target - base, fieldLength, target)
    log.endPart()
    trees.log()
    const lsn = log.end()
    this.pool.changed(base, lsn)
    trees.finish(lsn)
    this.version++
    this.transactions.changed(state, lsn, 0)
    trees.shrink()
  }

  /**
   * One log record that takes the record of `slot` out of one block (0 = none) and puts the key's record into
   * another, or the same (0 = none).
   */
  private change(
    state: TransactionState,
    fromBlock: number,
    from: number,
    slot: number,
    toBlock: number,
    to: number,
    flags: number,
    field: number,
    fieldLength: number,
  ): void {
    const { arena, log, key, pool } = this
    const { trees } = this
    const old = from === 0 ? 0 : recordAt(arena, from, slot)
    if (from !== 0) pool.preserve(from)
    if (to !== 0 && to !== from) pool.preserve(to)
    log.reserve(
      320 + 2 * key.length + fieldLength + (old === 0 ? 0 : recordFieldLength(arena, old)) + trees.logBytes,
    )
    log.begin(RecordType.update, state.recordFlags, state.id, state.previous)
    if (state.wantsUndo) {
      if (old === 0) log.undoInsert(key.length)
      else
        log.undo(
          UndoKind.restore,
          recordFlags(arena, old),
          key.at,
          key.length,
          this.fieldOf(old),
          recordFieldLength(arena, old),
        )
    }
    if (from !== 0) {
      freeSlot(arena, from, slot)
      if (from !== to) {
        log.part(fromBlock)
        this.logState(from)
        this.logSlot(from, slot)
        log.endPart()
      }
    }
    if (to !== 0) {
      log.part(toBlock)
      this.insert(to, from === to ? slot : -1, flags, field, fieldLength)
      log.endPart()
    }
    trees.log()
    const records = (to === 0 ? 0 : 1) - (from === 0 ? 0 : 1)
    if (state.isAutocommit && records !== 0) {
      log.part(0)
      log.operation(LogOp.records, records)
      log.endPart()
    }
    const lsn = log.end()
    if (from !== 0 && from !== to) pool.changed(from, lsn)
    if (to !== 0) pool.changed(to, lsn)
    trees.finish(lsn)
    this.version++
    this.transactions.changed(state, lsn, records)
  }

  /** Inside a part: puts the key's record into the bucket at `base`, from which slot `freed` (or -1) was just freed. */
  private insert(base: number, freed: number, flags: number, field: number, fieldLength: number): void {
    const { arena, log, key, blockSize } = this
    const size = recordBytes(key.length, fieldLength)
    const firstFree = arena.u16[(base + AT_FREE_SLOT) >>> 1]!
    let taken = takeSlot(arena, base, blockSize, key.hash.tag, size)
    if (taken < 0) {
      if (freed >= 0) {
        this.logState(base)
        this.logSlot(base, freed)
      }
      compact(arena, base, blockSize, this.blockScratch)
      log.compact()
      this.compactions++
      taken = takeSlot(arena, base, blockSize, key.hash.tag, size)
    } else if (freed >= 0) this.logSlot(base, freed)
    const slot = takenSlot(taken)
    const relinked = relinkedSlot(taken)
    if (relinked >= 0) this.logSlot(base, relinked)
    if (firstFree !== 0) this.slotsReused++
    const record = recordAt(arena, base, slot)
    writeRecordHeader(arena, record, flags, key.length, fieldLength)
    const keyAt = record + RECORD_HEADER_BYTES
    arena.u8.copyWithin(keyAt, key.at, key.at + key.length)
    arena.u8.copyWithin(keyAt + key.length, field, field + fieldLength)
    this.logState(base)
    this.logSlot(base, slot)
    log.set(record - base, size, record)
    log.keyOfInsert(size, RECORD_HEADER_BYTES)
  }

  private logSlot(base: number, slot: number): void {
    this.log.setWord(HEADER_BYTES + SLOT_BYTES * slot, slotWord(this.arena, base, slot))
  }

  private logState(base: number): void {
    this.log.set(BUCKET_STATE_OFFSET, BUCKET_STATE_BYTES, base + BUCKET_STATE_OFFSET)
  }

  /** Finds a block of the key's bucket with room for a new record. */
  private findRoom(size: number): boolean {
    const { arena, blockSize } = this
    if (this.block === this.bucket && bucketNext(arena, this.base) === 0)
      return fits(arena, this.base, blockSize, size)
    let base = this.descend()
    for (let hops = 0; ; hops++) {
      if (fits(arena, base, blockSize, size)) {
        this.base = base
        return true
      }
      const next = bucketNext(arena, base)
      if (next === 0) return false
      base = this.chained(next, hops)
    }
  }

  /** A grown record that no longer fits in its block of an overflow chain moves to another block of the chain. */
  private moveAlongChain(
    state: TransactionState,
    record: number,
    flags: number,
    field: number,
    fieldLength: number,
    size: number,
  ): boolean {
    const { block, base, slot, pool } = this
    if (bucketNext(this.arena, base) === 0 && block === this.bucket) return false
    pool.pin(base)
    try {
      if (!this.findRoom(size)) return false
      const toBlock = this.block
      const to = this.base
      pool.pin(to)
      try {
        this.prepareTrees(record, flags, field)
        this.replaceLarge(state, record, flags, field)
      } finally {
        pool.unpin(to)
      }
      this.change(state, block, base, slot, toBlock, to, flags, field, fieldLength)
      this.trees.shrink()
      return true
    } finally {
      pool.unpin(base)
    }
  }

  /** Takes back one change of a transaction (the manager's UndoAction). */
  private undo(state: TransactionState, log: Arena, undo: UndoSection): void {
    if (undo.kind === UndoKind.allocate) {
      this.large.undoAllocate(state, log, undo.field, undo.fieldLength)
      return
    }
    // The bytes of the undo section may lie in the log's buffer, which the compensation record will reuse.
    const { fieldScratch, arena } = this
    if (undo.kind === UndoKind.restore) {
      if (log === arena) arena.u8.copyWithin(fieldScratch, undo.field, undo.field + undo.fieldLength)
      else arena.u8.set(log.u8.subarray(undo.field, undo.field + undo.fieldLength), fieldScratch)
    }
    this.key.copy(log, undo.key, undo.keyLength)
    if (undo.kind === UndoKind.restore) this.put(state, undo.flags, fieldScratch, undo.fieldLength)
    else this.remove(state)
  }
}

/** Position of the pointer in the value field of a large record. */
export const pointerAt = (field: number, flags: number): number =>
  (flags & RecordFlag.expires) === 0 ? field : field + EXPIRY_BYTES
