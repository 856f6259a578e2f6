/**
 * The hash index: from a key to the record. 101 fixed index blocks; each is a bucket at first, and a directory over
 * the hash positions once it has outgrown its first overflow block. structure.ts changes the shape, this file uses it.
 *
 * A change finds its place, makes room if there is none, and then is one log record on one bucket (two if the
 * record moves along an overflow chain).
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
import { AT_FREE_SLOT, BUCKET_STATE_BYTES, BUCKET_STATE_OFFSET, HEADER_BYTES } from '../pager/layout.ts'
import type { Block, Place, Position } from '../pager/place.ts'
import type { Arena } from '../runtime/bytes.ts'
import type { TreeChanges } from '../tree/tree-changes.ts'
import type { TransactionManager } from '../txn/manager.ts'
import type { TransactionState } from '../txn/transaction-state.ts'
import type { KeyBuffer } from './key.ts'
import { LargeValues } from './large.ts'
import { HashSearch } from './search.ts'
import type { Structure } from './structure.ts'

/** Each round of making room leaves more of it; more rounds than this mean that the shape is not what it should be. */
const MAX_ROUNDS = 256
/** Bytes of a key that is copied byte by byte: a call costs more. */
const SHORT_KEY = 24

/** What a change did. */
export const Outcome = {
  added: 0,
  replaced: 1,
  removed: 2,
  absent: 3,
  needsTransaction: 4,
} as const
export type Outcome = (typeof Outcome)[keyof typeof Outcome]

class Spot implements Place {
  block: Block = 0
  base: Position = 0

  set(block: Block, base: Position): this {
    this.block = block
    this.base = base
    return this
  }
}

export class HashIndex extends HashSearch {
  /** Counts changes of records, so that a reader can tell that nothing has happened since. */
  version = 0
  slotsReused = 0
  compactions = 0
  /** When the record that was removed last was to expire, 0 = never. */
  removedTime = 0
  private readonly log: LogWriter
  private readonly transactions: TransactionManager
  private readonly large: LargeValues
  private readonly structure: Structure
  private readonly trees: TreeChanges
  /** Number of the key space, 0 = the root: it alone counts its records in block 0. */
  private readonly space: number
  /** Spare bytes: a field to be put back, and a block for compaction. */
  private readonly fieldScratch: Position
  private readonly blockScratch: Position
  /** Of the record to be put: its flags, and where its field lies. */
  private flags = 0
  private field: Position = 0
  private fieldLength = 0
  /** Where a record is taken from, and where it goes, made once for all. */
  private readonly from: Spot = new Spot()
  private readonly to: Spot = new Spot()

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
    fieldScratch: Position,
    blockScratch: Position,
  ) {
    super(parts.pool, parts.key, parts.path)
    this.log = parts.log
    this.transactions = parts.transactions
    this.large = parts.large
    this.structure = parts.structure
    this.trees = parts.trees
    this.fieldScratch = fieldScratch
    this.blockScratch = blockScratch
    this.space = parts.key.space.number
  }

  /**
   * Stores the record of the key in the key buffer; its field lies at `field` of the arena.
   * The one-record transaction of an autocommit cannot free a large value that is replaced: it gets
   * `needsTransaction`, and nothing has changed.
   */
  put(state: TransactionState, flags: number, field: Position, fieldLength: number): Outcome {
    this.flags = flags
    this.field = field
    this.fieldLength = fieldLength
    try {
      return this.putField(state)
    } catch (error) {
      this.trees.giveUp()
      throw error
    }
  }

  private putField(state: TransactionState): Outcome {
    const { arena, transactions, key, flags, fieldLength } = this
    const size = recordBytes(key.length, fieldLength)
    transactions.beforeChange(state, key)
    for (let round = 0; ; round++) {
      if (round > MAX_ROUNDS) throw new CorruptionError(this.path, 'no room can be made in its bucket', this.bucket)
      const record = this.find()
      if (record !== 0) {
        if (this.needsTransaction(state, record)) return Outcome.needsTransaction
        if (recordFieldLength(arena, record) === fieldLength && recordFlags(arena, record) === flags) {
          this.prepareReplacement(state, record)
          this.overwrite(state, record)
          return Outcome.replaced
        }
        if (HEADER_BYTES + liveBytes(arena, this.base) - recordSize(arena, record) + size <= this.blockSize) {
          this.prepareReplacement(state, record)
          this.change(state, this.from.set(this.block, this.base), this.to.set(this.block, this.base), this.slot)
          this.trees.shrink()
          return Outcome.replaced
        }
        if (this.moveAlongChain(state, record, size)) return Outcome.replaced
      } else if (this.findRoom(size)) {
        transactions.beforeKeyChange(state, key)
        this.trees.prepare(this.base, -1, 0, flags, this.field)
        this.change(state, undefined, this.to.set(this.block, this.base), -1)
        this.trees.shrink()
        return Outcome.added
      }
      this.structure.makeRoom(key)
    }
  }

  private prepareReplacement(state: TransactionState, record: Position): void {
    this.prepareTrees(record, this.flags, this.field)
    this.replaceLarge(state, record, this.flags, this.field)
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
      this.transactions.beforeNoChange(state, this.key)
      return Outcome.absent
    }
    this.transactions.beforeChange(state, this.key)
    if (this.needsTransaction(state, record)) return Outcome.needsTransaction
    this.transactions.beforeKeyChange(state, this.key)
    this.removedTime = this.timeOf(record)
    this.prepareTrees(record, -1, 0)
    this.replaceLarge(state, record, 0, 0)
    this.change(state, this.from.set(this.block, this.base), undefined, this.slot)
    const isSparse = this.structure.isSparse(this.base, this.bucket, this.block)
    this.trees.shrink()
    if (isSparse) this.giveBack()
    return Outcome.removed
  }

  /** The record is gone already: a damaged neighbour must not make its removal, or a rollback, fail. */
  private giveBack(): void {
    try {
      this.structure.shrink(this.key)
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error
    }
  }

  private needsTransaction(state: TransactionState, record: Position): boolean {
    return state.isAutocommit && (recordFlags(this.arena, record) & RecordFlag.large) !== 0
  }

  private timeOf(record: Position): number {
    const { arena } = this
    if ((recordFlags(arena, record) & RecordFlag.expires) === 0) return 0
    return readTime(arena.u8, this.fieldOf(record))
  }

  /**
   * The trees have to follow when the record of the last search is removed (-1), or when it expires at another time.
   */
  private prepareTrees(record: Position, flags: number, field: Position): void {
    const old = recordFlags(this.arena, record)
    if (flags < 0 || ((old | flags) & RecordFlag.expires) !== 0)
      this.trees.prepare(this.base, old, this.fieldOf(record), flags, field)
  }

  /** A large value that is replaced or removed is freed by the commit, unless the new record is the same pointer. */
  private replaceLarge(state: TransactionState, record: Position, flags: number, field: Position): void {
    const { arena } = this
    if ((recordFlags(arena, record) & RecordFlag.large) === 0) return
    const old = LargeValues.pointer(arena, pointerAt(this.fieldOf(record), recordFlags(arena, record)))
    if ((flags & RecordFlag.large) !== 0 && LargeValues.pointer(arena, pointerAt(field, flags)).head === old.head)
      return
    this.pool.holding(this.base, () => {
      this.transactions.freeAtCommit(state, old.head, old.tail, old.blocks)
    })
  }

  /** The blocks of the large value of the key in the key buffer, or none. */
  largeBlocks(): Block[] {
    const record = this.find()
    const flags = record === 0 ? 0 : recordFlags(this.arena, record)
    if ((flags & RecordFlag.large) === 0) return []
    return this.large.blocksOf(LargeValues.pointer(this.arena, pointerAt(this.fieldOf(record), flags)))
  }

  /** A field of the same length: only its bytes change. */
  private overwrite(state: TransactionState, record: Position): void {
    const { arena, log, key, base, trees, field, fieldLength } = this
    const target = this.fieldOf(record)
    this.pool.preserve(base)
    log.reserve(132 + 2 * fieldLength + key.length + trees.logBytes)
    log.begin(RecordType.update, state.recordFlags, state.id, state.previous)
    if (state.wantsUndo)
      log.undo(UndoKind.restore, recordFlags(arena, record), key.at, key.length, target, fieldLength, this.space)
    arena.u8.copyWithin(target, field, field + fieldLength)
    log.part(this.block)
    if (fieldLength > 0) log.set(target - base, fieldLength, target)
    log.endPart()
    trees.log()
    const lsn = log.end()
    this.pool.changed(base, lsn)
    trees.finish(lsn)
    this.version++
    this.transactions.changed(state, lsn, 0, this.space)
    trees.shrink()
  }

  /**
   * One log record that takes the record of `slot` out of one block and puts the key's record into another, or the
   * same.
   */
  private change(state: TransactionState, from: Place | undefined, to: Place | undefined, slot: number): void {
    const { arena, log, key, pool, trees } = this
    const source = from === undefined ? 0 : from.base
    const target = to === undefined ? 0 : to.base
    const old = from === undefined ? 0 : recordAt(arena, source, slot)
    if (from !== undefined) pool.preserve(source)
    if (to !== undefined && source !== target) pool.preserve(target)
    log.reserve(
      324 +
        2 * key.length +
        (to === undefined ? 0 : this.fieldLength) +
        (old === 0 ? 0 : recordFieldLength(arena, old)) +
        trees.logBytes,
    )
    log.begin(RecordType.update, state.recordFlags, state.id, state.previous)
    if (state.wantsUndo) {
      if (old === 0) log.undoInsert(key.length, this.space)
      else
        log.undo(
          UndoKind.restore,
          recordFlags(arena, old),
          key.at,
          key.length,
          this.fieldOf(old),
          recordFieldLength(arena, old),
          this.space,
        )
    }
    if (from !== undefined) {
      freeSlot(arena, source, slot)
      if (source !== target) {
        log.part(from.block)
        this.logState(source)
        this.logSlot(source, slot)
        log.endPart()
      }
    }
    if (to !== undefined) {
      log.part(to.block)
      this.insert(target, source === target ? slot : -1)
      log.endPart()
    }
    trees.log()
    const records = this.space === 0 ? (to === undefined ? 0 : 1) - (from === undefined ? 0 : 1) : 0
    if (state.isAutocommit && records !== 0) {
      log.part(0)
      log.operation(LogOp.records, records)
      log.endPart()
    }
    const lsn = log.end()
    if (from !== undefined && source !== target) pool.changed(source, lsn)
    if (to !== undefined) pool.changed(target, lsn)
    trees.finish(lsn)
    this.version++
    this.transactions.changed(state, lsn, records, this.space)
  }

  /** Inside a part: puts the key's record into the bucket at `base`, from which slot `freed` (or -1) was just freed. */
  private insert(base: Position, freed: number): void {
    const { arena, log, key, blockSize, flags, field, fieldLength } = this
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
    const { u8 } = arena
    if (key.length > SHORT_KEY) u8.copyWithin(keyAt, key.at, key.at + key.length)
    else for (let i = 0; i < key.length; i++) u8[keyAt + i] = u8[key.at + i]!
    arena.u8.copyWithin(keyAt + key.length, field, field + fieldLength)
    this.logState(base)
    this.logSlot(base, slot)
    log.set(record - base, size, record)
    log.keyOfInsert(size, RECORD_HEADER_BYTES)
  }

  private logSlot(base: Position, slot: number): void {
    this.log.setWord(HEADER_BYTES + SLOT_BYTES * slot, slotWord(this.arena, base, slot))
  }

  private logState(base: Position): void {
    this.log.set(BUCKET_STATE_OFFSET, BUCKET_STATE_BYTES, base + BUCKET_STATE_OFFSET)
  }

  /** A grown record that no longer fits in its block of an overflow chain moves to another block of the chain. */
  private moveAlongChain(state: TransactionState, record: Position, size: number): boolean {
    const { block, base, slot, pool } = this
    if (bucketNext(this.arena, base) === 0 && block === this.bucket) return false
    return pool.holding(base, () => {
      if (!this.findRoom(size)) return false
      const to = this.to.set(this.block, this.base)
      pool.holding(to.base, () => this.prepareReplacement(state, record))
      this.change(state, this.from.set(block, base), to, slot)
      this.trees.shrink()
      return true
    })
  }

  /** Takes back one change that a transaction has made in this key space (the manager's UndoAction). */
  undo(state: TransactionState, log: Arena, undo: UndoSection): void {
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
export const pointerAt = (field: Position, flags: number): Position =>
  (flags & RecordFlag.expires) === 0 ? field : field + EXPIRY_BYTES
