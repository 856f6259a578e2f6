/**
 * Writes changed blocks of the pool to the data file, in line or aside.
 *
 * Invariants
 *  P1  Write-ahead rule: a block goes to the data file only when the log is synced through its LSN.
 *  P2  Torn writes: a block is overwritten in place only when recovery would find a basis of it, synced: its image
 *      (images.ts), or the record that formatted it in the log behind the point where recovery would begin.
 */
import { DiskFullError, isFull } from '../errors.ts'
import type { Health } from '../log/health.ts'
import type { LogWriter } from '../log/writer.ts'
import { blockLsn } from '../pager/bucket.ts'
import type { DataFile } from '../pager/data-file.ts'
import type { Block, Lsn, Position } from '../pager/place.ts'
import { Arena } from '../runtime/bytes.ts'
import { broken } from '../runtime/invariant.ts'
import type { BlockImages } from './images.ts'

/** Blocks that are being written while others go on. */
interface BlockCopies {
  readonly arena: Arena
  readonly blocks: CopiedBlock[]
  /** Where the log ended when they were copied, and the next group began. */
  lsn: Lsn
}

interface CopiedBlock {
  readonly block: Block
  readonly frame: number
  /** Position in the arena of the copies. */
  readonly at: number
  /** LSN of its last change, and of its basis in the log. */
  readonly changedAt: Lsn
  readonly basis: Lsn
}

/** The pool, as far as writing goes. A frame holds a block; its position is where that lies in the arena. */
export interface Frames {
  readonly arena: Arena
  readonly blockSize: number
  /** Recovery begins at or behind this LSN: what P2 measures against. */
  readonly basisLsn: Lsn
  readonly isRepeating: boolean
  /** Blocks could not be written, since the disk is full; true if there is some room now, for another attempt. */
  onFull: () => boolean
  isDirty(block: Block): boolean
  frameOf(block: Block): number
  position(frame: number): Position
  basisOf(frame: number): number
  isPinned(frame: number): boolean
  pin(base: Position): void
  unpin(base: Position): void
  wrote(frame: number): void
  wroteCopy(frame: number, changedAt: Lsn, lsn: Lsn): void
}

export class WriteBack {
  private readonly frames: Frames
  private readonly file: DataFile
  private readonly log: LogWriter
  private readonly images: BlockImages
  private readonly health: Health

  constructor(frames: Frames, file: DataFile, log: LogWriter, images: BlockImages, health: Health) {
    this.frames = frames
    this.file = file
    this.log = log
    this.images = images
    this.health = health
  }

  /** Writes those of the blocks (in file order) that are in the pool and dirty. */
  write(blocks: readonly Block[]): void {
    const due = blocks.filter(block => this.frames.isDirty(block))
    if (due.length === 0) return
    this.health.check()
    this.syncLog(due)
    try {
      for (let from = 0; from < due.length; ) from += this.writePart(due, from)
    } catch (error) {
      if (!isFull(error) || this.health.failure !== undefined) throw this.health.fail(error)
      if (this.frames.onFull()) {
        this.write(due)
        return
      }
      // Nothing is lost: what has not been written stays dirty, and the log has it.
      throw new DiskFullError(
        `there is no room to write changed blocks: ${(error as Error).message}; reads go on; free some space on the disk`,
        { cause: error },
      )
    }
  }

  /** Writes as many blocks from `from` on as there is room for images of; returns how many (P2). */
  private writePart(blocks: readonly Block[], from: number): number {
    const { images, file, frames } = this
    const { arena } = frames
    const room = images.room(blocks.length - from)
    if (room === 0) throw new DiskFullError('for images of blocks that are to be written in place')
    const part: Block[] = []
    const bases: Position[] = []
    const exposed: Block[] = []
    const exposedBases: Position[] = []
    for (let i = from; i < blocks.length; i++) {
      const block = blocks[i]!
      const frame = frames.frameOf(block)
      const base = frames.position(frame)
      if (!this.isBasis(frames.basisOf(frame)) && !images.guards(block, frames.basisLsn)) {
        if (exposed.length === room) break
        exposed.push(block)
        exposedBases.push(base)
      }
      this.requireSynced(block, blockLsn(arena, base))
      file.seal(block, arena, base)
      part.push(block)
      bases.push(base)
    }
    const madeAt = frames.isRepeating ? frames.basisLsn : this.log.syncedLsn
    if (exposed.length > 0 && !images.write(exposed, exposedBases, arena, madeAt)) return 0
    if (madeAt < frames.basisLsn)
      broken('P2', `images of LSN ${madeAt}, recovery would begin at ${frames.basisLsn}`, this.health)
    try {
      this.writeRuns(part, bases, arena)
    } finally {
      images.written()
    }
    for (const block of part) frames.wrote(frames.frameOf(block))
    return part.length
  }

  /**
   * Syncs the log if one of the blocks needs it (P1), or the images of them, whose batch names an LSN at or behind the
   * one where recovery would begin. Blocks that leave the pool have not been changed for long: most of their batches
   * need none.
   */
  private syncLog(blocks: readonly Block[]): void {
    const { frames, log } = this
    const isSynced = (block: Block): boolean =>
      blockLsn(frames.arena, frames.position(frames.frameOf(block))) <= log.syncedLsn
    if (log.syncedLsn < frames.basisLsn || !blocks.every(isSynced)) log.sync()
  }

  /** Of a block that is about to be written. */
  private requireSynced(block: Block, lsn: Lsn): void {
    const { syncedLsn } = this.log
    if (lsn > syncedLsn) broken('P1', `block ${block} of LSN ${lsn}, log synced to ${syncedLsn}`, this.health)
  }

  private isBasis(lsn: Lsn): boolean {
    return lsn !== 0 && lsn >= this.frames.basisLsn
  }

  /**
   * Writes those of the blocks (in file order) that are in the pool and dirty, as they are now, while others go on.
   * What is changed meanwhile stays dirty, since now. At most a quarter of the frames: they are pinned. Nothing more is
   * written once `isCurrent` says no.
   */
  async writeAside(blocks: readonly Block[], isCurrent: () => boolean): Promise<void> {
    const { log, health, frames } = this
    const { arena, blockSize } = frames
    const due = blocks.filter(block => this.frames.isDirty(block))
    if (due.length === 0) return
    health.check()
    const copies: BlockCopies = { arena: new Arena(due.length * blockSize), blocks: [], lsn: 0 }
    try {
      log.write()
      // All of this is synced before anything is written (P1).
      copies.lsn = log.endLsn
      for (const [i, block] of due.entries()) {
        const frame = frames.frameOf(block)
        const base = frames.position(frame)
        const at = i * blockSize
        copies.arena.u8.set(arena.window(base, blockSize), at)
        this.file.seal(block, copies.arena, at)
        const changedAt = blockLsn(arena, base)
        copies.blocks.push({ block, frame, at, changedAt, basis: frames.basisOf(frame) })
        frames.pin(base)
      }
      await log.syncAside()
      if (copies.lsn > log.syncedLsn)
        broken('I3', `copies of LSN ${copies.lsn}, log synced to ${log.syncedLsn}`, this.health)
      for (let from = 0; from < due.length && isCurrent(); ) from += await this.writeCopies(copies, from, isCurrent)
    } catch (error) {
      if (!isFull(error) || health.failure !== undefined) throw health.fail(error)
      // What has not been written stays dirty; nothing more is done aside while there is so little room.
      frames.onFull()
      throw new DiskFullError(`there is no room to write changed blocks: ${(error as Error).message}`, {
        cause: error,
      })
    } finally {
      for (const { block, frame } of copies.blocks)
        if (frames.frameOf(block) === frame && frames.isPinned(frame)) frames.unpin(frames.position(frame))
    }
  }

  /** Writes as many copies from `from` on as there is room for images of; returns how many (P2). */
  private async writeCopies(copies: BlockCopies, from: number, isCurrent: () => boolean): Promise<number> {
    const { images, frames } = this
    const { basisLsn } = frames
    const wanted = copies.blocks.length - from
    await images.prepareRoom(wanted)
    if (!isCurrent()) return 0
    // Not before: whoever has been at work since may have taken of it.
    const room = images.room(wanted)
    if (room === 0) throw new DiskFullError('for images of blocks that are to be written in place')
    const part: CopiedBlock[] = []
    const exposed: CopiedBlock[] = []
    for (const copy of copies.blocks.slice(from)) {
      if (!this.isBasis(copy.basis) && !images.guards(copy.block, basisLsn)) {
        if (exposed.length === room) break
        exposed.push(copy)
      }
      part.push(copy)
    }
    if (exposed.length > 0)
      await images.writeAside(
        exposed.map(({ block }) => block),
        exposed.map(({ at }) => at),
        copies.arena,
        copies.lsn,
      )
    if (!isCurrent()) return 0
    // A block that has left its frame since needs nothing; one whose image was given up is written as others are.
    const there = part.filter(({ block, frame }) => frames.frameOf(block) === frame && frames.isDirty(block))
    const guarded = there.filter(({ block, basis }) => this.isBasis(basis) || images.guards(block, frames.basisLsn))
    try {
      this.writeRuns(
        guarded.map(({ block }) => block),
        guarded.map(({ at }) => at),
        copies.arena,
      )
    } finally {
      images.written()
    }
    for (const { frame, changedAt } of guarded) frames.wroteCopy(frame, changedAt, copies.lsn)
    if (guarded.length < there.length) this.write(there.map(({ block }) => block))
    return part.length
  }

  private writeRuns(blocks: readonly Block[], bases: readonly Position[], arena: Arena): void {
    for (let from = 0; from < blocks.length; ) {
      let to = from + 1
      while (to < blocks.length && blocks[to] === blocks[to - 1]! + 1 && to - from < 256) to++
      this.file.writeSealed(blocks[from]!, bases.slice(from, to), arena)
      from = to
    }
  }
}
