/**
 * Whether there is room on the disk, asked before there is none. While there is, a change costs one comparison
 * (`tight`) and one look at the free space for some MiB of log.
 *
 *   unseen -> ample or tight: the first look, of whoever first changes something or asks.
 *   ample -> tight: a look at the free space, or a write that met a full disk and was done in the room of the reserve.
 *   tight -> ample: there is room again, for the reserve too. Each change that is refused has looked first.
 *
 * While it is tight, what adds is refused before it changes anything (`DiskFullError`). Deletes go on as long as there
 * is room for their log records and for taking them back; reads, commits, rollbacks and `close` always do.
 *
 * What has to have room, whatever else is refused:
 *  R1  the blocks that a checkpoint will append to the data file, and what it needs to write others in place,
 *  R2  the log that taking back the open transactions would take, at most as much as theirs,
 *  R3  `SLACK_BYTES` for what comes between two looks: the rest of an operation, a segment's header, a lock.
 */
import type { BufferPool } from '../buffer/pool.ts'
import { DiskFullError } from '../errors.ts'
import type { Reserve } from '../log/reserve.ts'
import type { LogWriter } from '../log/writer.ts'
import type { DataFile } from '../pager/data-file.ts'
import type { Metadata } from '../pager/metadata.ts'
import { performance } from '../runtime/timers.ts'
import type { Checkpointer } from '../txn/checkpoint.ts'
import type { TransactionManager } from '../txn/manager.ts'

const SLACK_BYTES = 262144
/** Deletes leave so much to each other's checkpoint and commit. */
const DELETE_SLACK_BYTES = 131072
/** Bytes of log between two looks: at most, at least, and as a share of the room there is. */
const LONGEST_STEP = 4194304
const SHORTEST_STEP = 65536
/** Of log that a checkpoint writes by itself. */
const LEAST_SLACK = 8192
const STEP_SHARE = 0.25
/** What is taken without another look, as a share of the room there is. */
const SHARE_AT_ONCE = 0.125
/** Values from this size on are asked about, and the room that they take: in the log, and in the data file. */
const LARGE_BYTES = 32768
const LARGE_SHARE = 2.25
/** Of blocks that cannot be written the pool may be so full before deletes are refused too. */
const MOST_DIRTY = 0.75
/** Log worth giving up by a checkpoint out of turn. */
const WORTH_CUTTING = 524288
/** Where the free space does not tell whether a quota has room again, it is tried so often. */
const RETRY_MS = 500

export class Room {
  /** What is to be changed has to ask first, by `admit`; so has whoever changes something first. */
  tight = false
  /** Nobody has looked yet at the room there is. */
  private isUnseen = false
  /** Blocks could not be written, whatever the free space says: a checkpoint has to show that they can. */
  private blocked = false
  /** Changes that were refused. */
  refused = 0
  readonly reserve: Reserve
  private readonly directory: string
  private readonly pool: BufferPool
  private readonly log: LogWriter
  private readonly file: DataFile
  private readonly metadata: Metadata
  private readonly transactions: TransactionManager
  private readonly checkpointer: Checkpointer
  /** The last attempt to make room, and what it found. */
  private triedAt = Number.NEGATIVE_INFINITY
  private triedWith = Number.NEGATIVE_INFINITY
  private triedLsn = 0

  constructor(
    parts: {
      pool: BufferPool
      log: LogWriter
      file: DataFile
      metadata: Metadata
      transactions: TransactionManager
      checkpointer: Checkpointer
    },
    directory: string,
    reserve: Reserve,
  ) {
    this.pool = parts.pool
    this.log = parts.log
    this.file = parts.file
    this.metadata = parts.metadata
    this.transactions = parts.transactions
    this.checkpointer = parts.checkpointer
    this.directory = directory
    this.reserve = reserve
    const { log } = this
    // The first look is at the first write.
    log.growthAt = 0
    log.onGrowth = () => this.look()
    log.onFull = () => this.useReserve()
    this.checkpointer.isTight = () => this.isFull
    this.checkpointer.fits = () => !this.isFull || this.makeFit()
    this.pool.onFull = () => this.lendToImages()
    this.pool.onStuck = bytes => this.lendToBlocks(bytes)
  }

  /** When the database has been opened. The first who changes something, or asks, looks: opening does not take the time. */
  begin(): void {
    this.tight = true
    this.isUnseen = true
  }

  private see(): void {
    if (!this.isUnseen) return
    this.isUnseen = false
    this.tight = false
    const left = this.left()
    if (left === undefined) return
    this.reserve.noteCut()
    if (left < 0) this.tight = true
    this.limitSteps(left)
  }

  /** Additions are refused until there is more room. */
  get isFull(): boolean {
    this.see()
    return this.tight
  }

  /** Before it is closed, when the log has become short. */
  end(): void {
    if (this.reserve.missing === 0) return
    this.see()
    const left = this.left()
    if (left === undefined) return
    if (left >= 0) this.reserve.fill()
    else this.reserve.takeBack()
  }

  /**
   * Before a recovery has written anything: throws if there is no room to take back what was not committed.
   * @throws DiskFullError
   */
  requireToRecover(undoBytes: number): void {
    const { free } = this
    if (undoBytes === 0 || free === undefined) return
    const wanted = undoBytes + DELETE_SLACK_BYTES
    const there = free + this.reserve.bytes
    if (there >= wanted) return
    throw new DiskFullError(
      `the disk of ${this.directory} is full, and recovery needs ${kib(wanted)} of it, of which there are ${kib(there)}; free ${kib(wanted - there)}, or open the database with readOnly`,
    )
  }

  /** Bytes that may still be written on the file system, if that can be told. */
  get free(): number | undefined {
    return this.file.storage.freeBytes?.(this.directory)
  }

  /**
   * Before a change of records: throws if there is no room for it. Nobody holds a position in the arena.
   * @throws DiskFullError
   */
  admit(adds: boolean): void {
    if (!this.isFull || this.isAmple()) return
    if (this.mayTry() && this.makeRoom() && this.isAmple(true)) return
    if (!adds && this.hasRoomToDelete()) return
    this.refused++
    throw this.refusal(adds)
  }

  /**
   * Before a value of so many bytes is stored.
   * @throws DiskFullError
   */
  admitValue(bytes: number): void {
    if (bytes < LARGE_BYTES || this.hasRoomFor(bytes)) return
    if (this.mayTry() && this.makeRoom() && this.hasRoomFor(bytes)) return
    this.look()
    this.refused++
    throw this.refusal(true)
  }

  private hasRoomFor(bytes: number): boolean {
    const left = this.left()
    return left === undefined || left >= bytes * LARGE_SHARE
  }

  /** True if records may be deleted, which the sweep does only then. */
  mayDelete(): boolean {
    return !this.isFull || this.isAmple() || this.hasRoomToDelete()
  }

  /** The log has grown: how far may it grow before the next look? */
  private look(): void {
    this.see()
    const { log } = this
    const left = this.left()
    if (left === undefined) {
      log.growthAt = Number.POSITIVE_INFINITY
      return
    }
    if (left < 0 || !this.reserve.fill()) this.tight = true
    this.limitSteps(left)
    log.growthAt = log.endLsn + Math.min(LONGEST_STEP, Math.max(SHORTEST_STEP, left * STEP_SHARE))
  }

  /** A write of the log has met a full disk. */
  private useReserve(): boolean {
    this.see()
    this.tight = true
    this.limitSteps(0)
    return this.reserve.giveUp()
  }

  /** Little of the room is taken at once: of the log, and of images, which without growing only cost more syncs. */
  private limitSteps(left: number): void {
    const { log, pool } = this
    const share = Math.max(0, left * SHARE_AT_ONCE)
    pool.images.mayGrow(share)
    log.fill = Math.min(log.capacity, Math.max(SHORTEST_STEP, share))
  }

  /**
   * Blocks could not be written: without a little room for their images none can be, and little can be read. Blank ones
   * take room of the disk when they are written for the first time, as others do when they are added.
   */
  private lendToImages(): boolean {
    this.see()
    this.tight = true
    this.blocked = true
    const lack = this.imagesLack
    const blank = this.file.blanks.filter(block => this.pool.isDirty(block)).length * this.file.blockSize
    const isWorth = lack >= this.pool.images.leastBytes || blank > 0
    if (!isWorth || !this.reserve.giveUp(lack + blank)) return false
    this.limitSteps(0)
    return true
  }

  /**
   * Every block in the pool is one that the file has no room for yet: without a little room for some of them no other can
   * be read, and what was changed cannot be taken back.
   */
  private lendToBlocks(bytes: number): boolean {
    if (!this.reserve.giveUp(this.imagesLack + bytes)) return false
    this.limitSteps(0)
    return true
  }

  /** There is room for more, and for the reserve, which is made anew. */
  private isAmple(mayFill: boolean = this.mayTry()): boolean {
    if (this.blocked) return false
    const left = this.left()
    if (left !== undefined && left < 0) return false
    if (left !== undefined && this.reserve.missing > 0 && !(mayFill && this.fillAgain())) return false
    this.tight = false
    this.triedAt = Number.NEGATIVE_INFINITY
    this.look()
    return !this.tight
  }

  private fillAgain(): boolean {
    const filled = this.reserve.fill()
    if (!filled) this.noteAttempt()
    return filled
  }

  /** Bytes that are left when everything has its room; negative: so many are missing. Undefined: nobody knows. */
  left(): number | undefined {
    const { free } = this
    // R3
    return free === undefined ? undefined : free - this.needed - SLACK_BYTES - this.reserve.missing
  }

  /** What R1 and R2 ask for. */
  private get needed(): number {
    // R1, R2
    // Any of the blank blocks may be the next to be changed, at the cost of a few bytes of log.
    const blank = this.file.blanks.length * this.file.blockSize
    return this.growth + blank + this.imagesLack + this.undoBytes
  }

  /** What the images of blocks have to grow by before any block can be written in place. */
  private get imagesLack(): number {
    return Math.max(0, 2 * this.pool.images.leastBytes - this.pool.images.bytes)
  }

  private get growth(): number {
    const { blockSize, file } = this.file
    const size = file.size()
    // Of blank blocks only those that have been changed will be written.
    const blank = this.file.blanks.filter(block => block * blockSize >= size).length * blockSize
    const behind = this.metadata.blocks * blockSize - size - blank
    // Blocks that were skipped when those behind them were written.
    const holes = size - this.file.storage.allocatedBytes(file.path)
    const dirty = this.pool.dirtyFrames * blockSize
    return Math.max(0, behind) + Math.max(0, Math.min(holes + blank, dirty))
  }

  private get undoBytes(): number {
    return Math.max(0, this.log.endLsn - this.transactions.oldestLsn())
  }

  /** Log that can be written without asking anybody, and in what room there is. */
  private hasRoomToDelete(): boolean {
    const { free, pool } = this
    if (this.blocked && pool.dirtyFrames > MOST_DIRTY * pool.maxFrames) return false
    if (free === undefined) return true
    const room = this.log.segments.bytesAhead(this.log.endLsn) + free + this.reserve.bytes
    return room >= this.undoBytes + DELETE_SLACK_BYTES
  }

  /** An attempt that has failed is worth another one if something has changed. */
  private mayTry(): boolean {
    const { free = Number.NEGATIVE_INFINITY, triedWith, triedLsn } = this
    return (
      free >= triedWith + SHORTEST_STEP ||
      this.log.endLsn >= triedLsn + WORTH_CUTTING ||
      performance.now() >= this.triedAt + RETRY_MS
    )
  }

  private noteAttempt(): void {
    this.triedAt = performance.now()
    this.triedWith = this.free ?? Number.NEGATIVE_INFINITY
    this.triedLsn = this.log.endLsn
  }

  /** A checkpoint, so that the log can be given up, if it has room itself (R1). */
  private makeRoom(): boolean {
    const { log, pool, reserve } = this
    const started = performance.now()
    const fits = this.makeFit()
    const isWorth = this.blocked || log.segments.bytes + pool.images.bytes > WORTH_CUTTING
    if (fits && isWorth && !this.cutLog() && this.lends && reserve.giveUp()) this.cutLog()
    this.noteAttempt()
    log.health.stalled('full-disk', performance.now() - started)
    return fits
  }

  /** The reserve has something to lend for a checkpoint, and that gives back more. */
  private get lends(): boolean {
    return this.reserve.bytes > 0 && this.givesBack
  }

  /** The log, or the end of the file that a compaction has cut off, gives back more than the reserve lends for a checkpoint. */
  private get givesBack(): boolean {
    const { file, blockSize } = this.file
    const cut = file.size() - this.metadata.blocks * blockSize
    return Math.max(this.log.segments.bytes / 2, cut) > Math.max(this.reserve.bytes, SHORTEST_STEP)
  }

  /** True if a checkpoint has room, perhaps that of the reserve. */
  private makeFit(): boolean {
    const { free, reserve } = this
    if (this.checkpointFits(free, SHORTEST_STEP)) return true
    // What it writes besides is little, and much comes back; where all of the reserve is lent already, too.
    if (!this.givesBack || !this.checkpointFits(free! + reserve.bytes, LEAST_SLACK)) return false
    return reserve.bytes === 0 || reserve.giveUp()
  }

  private checkpointFits(free: number | undefined, slack: number): boolean {
    return free === undefined || this.growth + this.imagesLack + slack <= free
  }

  private cutLog(): boolean {
    const { checkpointer, log, pool, metadata } = this
    try {
      checkpointer.run()
    } catch (error) {
      if (!(error instanceof DiskFullError)) throw error
      return false
    }
    this.blocked = false
    if (metadata.redoLsn >= log.endLsn) {
      pool.images.shrink(true)
      log.goOnInFreshSegment()
    }
    log.segments.release(metadata.redoLsn, 0)
    return true
  }

  private refusal(adds: boolean): DiskFullError {
    const { free } = this
    const what = adds ? 'nothing can be added' : 'there is no room for the log of a delete'
    const more =
      free === undefined ? '' : `: ${kib(free)} are free, ${kib(Math.max(0, free - (this.left() ?? 0)))} are needed`
    const advice = adds
      ? 'reads and deletes go on; free some space on it, or delete records and compact'
      : 'reads go on; free some space on it'
    return new DiskFullError(`the disk of ${this.directory} is full, so that ${what}${more}; ${advice}`)
  }
}

const kib = (bytes: number): string => `${Math.ceil(bytes / 1024)} KiB`
