/**
 * Appends records to the log. A record is built in the log's buffer, which lies in the arena beside the pool, from
 * bytes that lie in the arena; the buffer goes to the segment as one group when somebody needs it there.
 *
 *   reserve -> begin -> undo? -> (part -> set | move | format | … -> endPart)* -> end: LSN
 *
 * Invariants
 *  L1  After `reserve(n)` the building of up to n bytes cannot fail, so a block may be changed first.
 *  L2  A group begins on a fresh sector if the bytes before it were synced, or are being synced: the log is filled up
 *      to that sector before a sync aside, whose end a reader could not tell from the header of the next group.
 *  L3  A failed sync is never retried, nor is a failed write, but for one that found the disk full: that is done once
 *      more if `onFull` has found room for it. Otherwise `health` fails and everything after it is refused.
 */

import { isFull } from '../errors.ts'
import type { Block, Lsn, Position } from '../pager/place.ts'
import { type Arena, writeU64 } from '../runtime/bytes.ts'
import { broken } from '../runtime/invariant.ts'
import type { Storage } from '../storage/storage.ts'
import {
  GROUP_HEADER_BYTES,
  GROUP_MAGIC,
  IN_SPACE,
  LogOp,
  pad4,
  RECORD_HEADER_BYTES,
  RecordFlag,
  RecordType,
  SECTOR,
  SPACE_BYTES,
  sectorAfter,
  UNDO_HEADER_BYTES,
  UndoKind,
} from './format.ts'
import type { Health } from './health.ts'
import type { LogSegments, Segment } from './segments.ts'
import { SyncPace } from './sync-pace.ts'
import { WrittenLog } from './written-log.ts'

/** Bytes that are copied one by one. */
const SHORT = 16
/** Log that is synced in line where syncs are short. */
const SOON_BYTES = 1048576
/** Room that the filling of a sector may take. */
const PADDING_BYTES: number = SECTOR + RECORD_HEADER_BYTES

export class LogWriter {
  /** LSN behind the last record. */
  endLsn: Lsn
  /** LSN up to which the log was written, and synced. */
  writtenLsn: Lsn
  syncedLsn: Lsn
  records = 0
  groups = 0
  bytes = 0
  readonly segments: LogSegments
  /** How long its syncs take. */
  readonly pace: SyncPace
  readonly capacity: number
  private readonly arena: Arena
  private readonly storage: Storage
  readonly health: Health
  private readonly start: number
  private position: number
  /** LSN of the group that is being filled: a record's place for recovery to begin reading. */
  groupLsn: Lsn
  /** What was reserved of the buffer ends here. */
  private reserved = 0
  private recordStart = 0
  private partStart = 0
  private undoStart = 0
  /**
   * The first sync of each new segment is noted in block 0, so that a segment that goes missing later is missed. Called
   * when all of the log is synced; false: not now, but after the next sync.
   */
  onSegmentSynced: () => boolean = () => true
  /** The disk is full: gives room for another attempt, or returns false. */
  onFull: () => boolean = () => false
  /** Bytes that the buffer gathers before they are written, at most `capacity`. */
  fill: number
  /** Called when the written log has reached `growthAt`. */
  onGrowth: () => void = () => {}
  growthAt: number = Number.POSITIVE_INFINITY
  private notedSegment: Segment | undefined
  private afterSegmentStart: (() => void) | undefined
  private parts = 0
  private alignNext = true
  private readonly preallocate: boolean
  /** The sync that is under way aside, and the one that follows it. */
  private aside: Promise<void> | undefined
  private nextAside: Promise<void> | undefined
  /** Bytes read back from the segments, for undo. */
  private written: Pick<WrittenLog, 'locate'> | undefined

  /** The buffer is [start, start + capacity) of the arena; a group may fill all but the room for padding. */
  constructor(
    arena: Arena,
    start: number,
    capacity: number,
    segments: LogSegments,
    storage: Storage,
    health: Health,
    endLsn: Lsn,
    preallocate: boolean,
  ) {
    this.arena = arena
    this.start = start
    this.capacity = capacity - PADDING_BYTES
    this.fill = this.capacity
    this.segments = segments
    this.storage = storage
    this.health = health
    this.endLsn = endLsn
    this.writtenLsn = endLsn
    this.syncedLsn = endLsn
    this.groupLsn = endLsn
    this.position = start
    this.preallocate = preallocate
    this.notedSegment = segments.current
    this.pace = new SyncPace(storage)
  }

  /** Makes room for `bytes` of records (L1). */
  reserve(bytes: number): void {
    if (this.position === this.start) this.openGroup()
    else if (this.position + bytes > this.start + this.fill) {
      this.write()
      this.openGroup()
    }
    this.reserved = this.position + bytes
  }

  begin(type: number, flags: number, transaction: number, previous: Lsn): void {
    const { u32 } = this.arena
    const at = this.position
    const w = at >>> 2
    u32[w + 1] = type | (flags << 8)
    u32[w + 2] = transaction
    u32[w + 3] = previous % 4294967296
    u32[w + 4] = (previous / 4294967296) | 0
    this.recordStart = at
    this.parts = 0
    this.position = at + RECORD_HEADER_BYTES
  }

  part(block: Block): void {
    this.arena.u32[this.position >>> 2] = block
    this.partStart = this.position
    this.position += 8
    this.parts++
  }

  /** The bytes [from, from + length) of the arena now stand at `offset` of the block. */
  set(offset: number, length: number, from: Position): void {
    const { u8, u32 } = this.arena
    const at = this.position
    u32[at >>> 2] = length | (offset << 16)
    // A call for a few bytes costs more than they do.
    if (length > SHORT) u8.copyWithin(at + 4, from, from + length)
    else for (let i = 0; i < length; i++) u8[at + 4 + i] = u8[from + i]!
    this.position = at + 4 + pad4(length)
  }

  /** These bytes now stand at `offset` of the block. */
  setBytes(offset: number, bytes: Uint8Array): void {
    const { u8, u32 } = this.arena
    const at = this.position
    u32[at >>> 2] = bytes.length | (offset << 16)
    u8.set(bytes, at + 4)
    this.position = at + 4 + pad4(bytes.length)
  }

  /** The 32-bit word at `offset` of the block is now `value`. */
  setWord(offset: number, value: number): void {
    const w = this.position >>> 2
    this.arena.u32[w] = 4 | (offset << 16)
    this.arena.u32[w + 1] = value
    this.position += 8
  }

  move(to: number, from: number, length: number): void {
    if (length === 0) return
    this.operation(LogOp.move, (to << 16) | from)
    this.arena.u32[this.position >>> 2] = length
    this.position += 4
  }

  format(kind: number, level: number): void {
    this.operation(LogOp.format, kind | (level << 8))
  }

  compact(): void {
    this.arena.u32[this.position >>> 2] = LogOp.compact << 16
    this.position += 4
  }

  /** An entry goes into a tree node; its suffix lies at `suffix` of the arena. */
  insertEntry(index: number, child: Block, suffix: Position, length: number): void {
    this.operation(LogOp.insertEntry, index | (length << 16))
    const at = this.position
    this.arena.u32[at >>> 2] = child
    const { u8 } = this.arena
    if (length > SHORT) u8.copyWithin(at + 4, suffix, suffix + length)
    else for (let i = 0; i < length; i++) u8[at + 4 + i] = u8[suffix + i]!
    this.position = at + 4 + pad4(length)
  }

  /** An operation with one argument. */
  operation(code: number, argument: number): void {
    const w = this.position >>> 2
    this.arena.u32[w] = code << 16
    this.arena.u32[w + 1] = argument
    this.position += 8
  }

  endPart(): void {
    this.arena.u32[(this.partStart + 4) >>> 2] = this.position - this.partStart - 8
  }

  undo(
    kind: number,
    flags: number,
    key: Position,
    keyLength: number,
    field: Position,
    fieldLength: number,
    space: number = 0,
  ): void {
    const { u8, u32 } = this.arena
    const at = this.position
    u32[at >>> 2] = kind | (flags << 8) | (keyLength << 16)
    u32[(at + 4) >>> 2] = fieldLength
    const keyAt = at + (space === 0 ? UNDO_HEADER_BYTES : this.spaceOfUndo(space))
    u8.copyWithin(keyAt, key, key + keyLength)
    const fieldAt = keyAt + pad4(keyLength)
    u8.copyWithin(fieldAt, field, field + fieldLength)
    this.position = fieldAt + pad4(fieldLength)
    u8[this.recordStart + 5] = u8[this.recordStart + 5]! | RecordFlag.undo
  }

  /** Begins the record of an insertion: its undo needs the key alone, which the record holds already. */
  undoInsert(keyLength: number, space: number = 0): void {
    const { u8, u32 } = this.arena
    u32[this.position >>> 2] = UndoKind.insert | (keyLength << 16)
    this.undoStart = this.position
    this.position += space === 0 ? UNDO_HEADER_BYTES : this.spaceOfUndo(space)
    u8[this.recordStart + 5] = u8[this.recordStart + 5]! | RecordFlag.undo
  }

  /** Inside an undo section: its key is one of a key space of its own. Returns the bytes of the section's header. */
  private spaceOfUndo(space: number): number {
    const { u8, u32 } = this.arena
    u8[this.position] = u8[this.position]! | IN_SPACE
    u32[(this.position + UNDO_HEADER_BYTES) >>> 2] = space
    return UNDO_HEADER_BYTES + SPACE_BYTES
  }

  /** After `undoInsert`: the key begins at `keyOffset` of the bytes that the last `set` logged. */
  keyOfInsert(bytesSet: number, keyOffset: number): void {
    if (this.undoStart === 0) return
    this.arena.u32[(this.undoStart + 4) >>> 2] = this.position - pad4(bytesSet) + keyOffset - this.recordStart
    this.undoStart = 0
  }

  /** Completes the record and returns its LSN. */
  end(): Lsn {
    const at = this.recordStart
    const length = this.position - at
    if (this.position > this.reserved)
      broken('L1', `a record of ${length} bytes is longer than was reserved`, this.health)
    this.arena.u32[at >>> 2] = length
    this.arena.u16[(at + 6) >>> 1] = this.parts
    this.records++
    const lsn = this.groupLsn + (at - this.start)
    this.endLsn = lsn + length
    return lsn
  }

  /** Hands what is in the buffer to the operating system. */
  write(): void {
    if (this.position - this.start > GROUP_HEADER_BYTES) this.writeGroup(false)
  }

  /** The same, and what is unsynced ends with a sector. */
  private writePadded(): void {
    if (this.position - this.start > GROUP_HEADER_BYTES) this.writeGroup(true)
    else if (this.writtenLsn > this.syncedLsn && this.paddingAt(this.writtenLsn) > 0) {
      if (this.position === this.start) this.openGroup()
      this.writeGroup(true)
    }
  }

  private writeGroup(padded: boolean): void {
    this.health.check()
    let length: number
    try {
      length = this.putGroup(padded)
    } catch (error) {
      if (!isFull(error) || !this.onFull()) throw this.health.fail(error)
      try {
        length = this.putGroup(padded)
      } catch (second) {
        throw this.health.fail(second)
      }
    }
    this.groups++
    this.bytes += length
    this.writtenLsn = this.groupLsn + length
    this.position = this.start
    this.health.observer?.group(this.groupLsn, length, this.arena, this.start)
    if (this.writtenLsn >= this.growthAt) this.onGrowth()
  }

  /** Writes what is in the buffer as a group; done again it writes the same to the same place. Returns its length. */
  private putGroup(padded: boolean): number {
    const { arena, start, segments, afterSegmentStart } = this
    const w = start >>> 2
    let length = this.position - start
    const padding = padded ? this.paddingAt(this.groupLsn + length) : 0
    if (afterSegmentStart !== undefined) {
      segments.startSegment(this.groupLsn)
      this.afterSegmentStart = undefined
      afterSegmentStart()
    } else if (!segments.hasRoom(this.groupLsn, length + padding)) segments.startSegment(this.groupLsn)
    if (this.groupLsn <= this.syncedLsn && this.sectorAfter(this.groupLsn) !== this.groupLsn)
      broken('L2', `a group at ${this.groupLsn} shares a sector with what is synced`, this.health)
    if (padded) length += this.pad(this.paddingAt(this.groupLsn + length))
    arena.u32[w] = GROUP_MAGIC
    arena.u32[w + 2] = length
    arena.u32[w + 3] = segments.current!.salt
    writeU64(arena.u32, w + 4, this.groupLsn)
    writeU64(arena.u32, w + 6, this.syncedLsn)
    arena.u32[w + 1] = this.storage.crc32(arena.window(start + 8, length - 8), 0)
    segments.write(arena.u8, start, length, this.groupLsn, this.preallocate)
    return length
  }

  /** Bytes of a record that fills the sector in which the log would end at an LSN. */
  private paddingAt(lsn: Lsn): number {
    const bytes = this.sectorAfter(lsn) - lsn
    return bytes > 0 && bytes < RECORD_HEADER_BYTES ? bytes + SECTOR : bytes
  }

  /** Appends a record of so many bytes that says nothing. */
  private pad(bytes: number): number {
    if (bytes === 0) return 0
    const { arena, position } = this
    arena.clear(position, position + bytes)
    arena.u32[position >>> 2] = bytes
    arena.u8[position + 4] = RecordType.system
    this.position = position + bytes
    this.endLsn += bytes
    return bytes
  }

  /** Makes every record so far survive power loss. */
  sync(): void {
    this.write()
    if (this.syncedLsn === this.writtenLsn) return
    this.health.check()
    const started = this.pace.now()
    this.orFail(() => this.segments.sync())
    const milliseconds = this.pace.now() - started
    this.pace.inLine(milliseconds)
    this.health.stalled('sync', milliseconds)
    this.alignNext = true
    this.synced(this.writtenLsn)
  }

  /** Work on the files whose failure is for good (L3). */
  private orFail(work: () => void): void {
    try {
      work()
    } catch (error) {
      throw this.health.fail(error)
    }
  }

  /**
   * Syncs are short, and there is little to be synced: to wait for it in line is cheaper than to have it done aside.
   */
  get isSoonSynced(): boolean {
    return this.pace.isShort && this.endLsn - this.syncedLsn <= SOON_BYTES
  }

  /** Every record so far survives power loss. */
  get isSynced(): boolean {
    return this.syncedLsn === this.writtenLsn && this.position - this.start <= GROUP_HEADER_BYTES
  }

  /**
   * The same while others go on, where the storage can: resolves when every record that was appended before the call
   * survives power loss. One sync is under way at a time; the next one serves all who call meanwhile.
   */
  syncAside(): Promise<void> {
    if (this.aside === undefined) {
      this.aside = this.syncBehind().finally(() => {
        this.aside = undefined
      })
      return this.aside
    }
    this.nextAside ??= this.aside.then(() => {
      this.nextAside = undefined
      return this.syncAside()
    })
    return this.nextAside
  }

  private async syncBehind(): Promise<void> {
    if (this.storage.syncsAside !== true) {
      this.sync()
      return
    }
    this.writePadded()
    if (this.syncedLsn === this.writtenLsn) return
    this.health.check()
    const through = this.writtenLsn
    const started = this.pace.now()
    try {
      await this.segments.syncAside()
    } catch (error) {
      throw this.health.fail(error)
    }
    this.pace.aside(this.pace.now() - started)
    this.health.check()
    this.synced(through)
  }

  /** The log survives power loss up to an LSN; a sync in line may have gone further, and the files be closed since. */
  private synced(through: number): void {
    if (through <= this.syncedLsn) return
    if (this.health.failure !== undefined) broken('L3', 'a sync counts after another one has failed', this.health)
    this.syncedLsn = through
    this.health.observer?.synced(through)
    const { current } = this.segments
    if (current !== this.notedSegment && this.isSynced && this.onSegmentSynced()) this.notedSegment = current
  }

  /** Where a record that was appended earlier lies, for undo: in the buffer, or read back from its segment. */
  locate(lsn: Lsn): { arena: Arena; position: Position } {
    if (this.position > this.start && lsn >= this.groupLsn)
      return { arena: this.arena, position: this.start + lsn - this.groupLsn }
    this.written ??= new WrittenLog(this.segments, this.capacity)
    return this.written.locate(lsn)
  }

  /** Of a log that somebody else writes: it ends at an LSN, and this gives the records in it. */
  follows(endLsn: Lsn, records: Pick<WrittenLog, 'locate'>): void {
    this.endLsn = endLsn
    this.writtenLsn = endLsn
    this.syncedLsn = endLsn
    this.groupLsn = endLsn
    this.written = records
  }

  /**
   * After a crash: what follows goes to a segment of its own, away from the torn tail. Nothing is written before there
   * is something to write; `afterStart` is called when the segment has been started.
   */
  continueInFreshSegment(afterStart: () => void): void {
    this.afterSegmentStart = afterStart
  }

  /** Begins that segment now. False if it has begun already. */
  startFreshSegment(): boolean {
    const { afterSegmentStart } = this
    if (afterSegmentStart === undefined) return false
    this.afterSegmentStart = undefined
    this.orFail(() => {
      this.segments.startSegment(this.endLsn)
      afterSegmentStart()
    })
    return true
  }

  /**
   * What follows goes to another segment, so that those before it can be given up. All of the log is synced; false if
   * there is no room for a segment, or something in the way.
   */
  goOnInFreshSegment(): boolean {
    if (this.afterSegmentStart !== undefined || this.position > this.start || !this.isSynced) return false
    this.health.check()
    try {
      this.segments.startSegment(this.endLsn)
    } catch (error) {
      if (isFull(error)) return false
      throw this.health.fail(error)
    }
    this.orFail(() => this.segments.sync())
    return true
  }

  private alignEnd(): void {
    this.endLsn = this.sectorAfter(this.endLsn)
  }

  /** Where the sector begins in which nothing stands if the log ends at this LSN. */
  private sectorAfter(lsn: Lsn): Lsn {
    return sectorAfter(this.segments.current?.startLsn ?? lsn, lsn)
  }

  private openGroup(): void {
    if (this.alignNext) {
      this.alignEnd()
      this.alignNext = false
    }
    this.groupLsn = this.endLsn
    this.endLsn += GROUP_HEADER_BYTES
    this.position = this.start + GROUP_HEADER_BYTES
  }
}
