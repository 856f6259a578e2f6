/**
 * Checkpoints: bring the data file up to date in small steps, so that recovery is short and the log can be cut.
 *
 * Fuzzy: commits go on between the steps. A checkpoint that the log's growth has caused writes the blocks that have
 * been dirty since before the checkpoint before it, so that a block that changes all the time is written every second
 * time; one that was asked for writes all. Then it syncs the data file, and only then moves the redo LSN in block 0
 * and gives up the segments below it.
 *
 * The log is bounded: a checkpoint begins `checkpointBytes` behind the begin of the one before it and keeps to a
 * schedule, so that the log holds at most two `checkpointBytes`, a quarter more for the checkpoint under way, and what
 * one commit brings or an open transaction needs. Images of blocks lie beside it (buffer/images.ts).
 *
 * Invariants
 *  C1  The redo LSN never passes the oldest change that is not synced in the data file, nor the first record of a
 *      transaction under way.
 *  C2  A segment is given up only after the block 0 that no longer needs it is synced.
 *  C3  Block 0 is written only when its last write has been synced: one of its two copies is always whole.
 *  C4  Block 0 is written only when every log record whose change it holds is synced.
 *  C5  A block that block 0 calls blank (pager/blank.ts) has not been changed before the redo LSN.
 *
 * Where the storage can sync a file aside, a checkpoint's own syncs of the data file, which may take long, do not hold
 * up the commits: the redo LSN is decided before the first of them begins. Where syncs of the log are long
 * (log/sync-pace.ts), so are those of the steps, and they too are made aside, of copies of the blocks. All of it is
 * done at once when the database closes; and also once the log has grown much meanwhile, because a program that commits
 * again and again without a turn of the event loop never lets a sync aside end.
 */
import { MAX_BATCH_BLOCKS } from '../buffer/image-format.ts'
import type { BufferPool } from '../buffer/pool.ts'
import { DiskFullError } from '../errors.ts'
import type { Health } from '../log/health.ts'
import type { LogWriter } from '../log/writer.ts'
import { type BlankBits, blanks } from '../pager/blank.ts'
import type { DataFile } from '../pager/data-file.ts'
import type { Metadata } from '../pager/metadata.ts'
import type { Lsn } from '../pager/place.ts'
import { broken } from '../runtime/invariant.ts'
import { performance } from '../runtime/timers.ts'
import type { TransactionManager } from './manager.ts'

/** Bytes of blocks written in one step after a commit. */
const STEP_BYTES = 262144
/** With a durability that does not sync each commit, or where nobody waits for a commit, fewer and larger steps. */
const LARGE_STEP_BYTES = 4194304
/** The same when the syncs of a step are done aside. */
const ASIDE_STEP_BYTES = 1048576
/** Log written while a checkpoint makes its steps, as a share of checkpointBytes. */
const STEPS_SHARE = 0.125
/** How long a sync aside is waited for, as a share of checkpointBytes of log. */
const ASIDE_SHARE = 0.0625
/** Most log on the disk, segments that wait to be used again included, in units of checkpointBytes. */
const MOST_LOG = 2.25

/** What a checkpoint will have made durable when its sync has ended. */
interface Reached {
  readonly redoLsn: Lsn
  readonly fileBlocks: number
  readonly blank: BlankBits
}

export class Checkpointer {
  count = 0
  /** Of `count`: whose syncs of the data file were all done aside. */
  endedAside = 0
  /** When the last one ended, in milliseconds since 1970, and how long it took. */
  last: { at: number; milliseconds: number } | undefined
  private begunAt = 0
  /** Whether the disk has room for all that a checkpoint writes now. */
  fits: () => boolean = () => true
  /** There is so little room that nothing is to be done aside, where nobody can be told of the lack of it. */
  isTight: () => boolean = () => false
  private readonly pool: BufferPool
  private readonly log: LogWriter
  private readonly file: DataFile
  private readonly metadata: Metadata
  private readonly transactions: TransactionManager
  private readonly health: Health
  private readonly checkpointBytes: number
  private readonly stepBlocks: number
  private readonly largeStepBlocks: number
  private readonly sliceBlocks: number
  private pending: number[] | undefined
  private done = 0
  /** Where the log ended when the last checkpoint began. */
  private beginLsn: Lsn
  /** LSN of the log's end at which there is something to do again. */
  private dueAt: number
  private stride = 0
  /** While the data file is synced aside: does at once what is to follow, the sync included. */
  private aside: (() => void) | undefined
  private goingAside: Promise<void> | undefined
  /** It is the end of a checkpoint that is done aside, not a note. */
  private isEnding = false
  /** LSN of the log's end from which on nobody waits for that any more. */
  private asideUntil = 0
  /** Tells what was done aside from what somebody else has completed since. */
  private generation = 0
  private readonly background: boolean
  /** The step that is being made aside, and the LSN of the log's end from which on nobody waits for it any more. */
  private stepping: Promise<void> | undefined
  private steppingUntil = 0
  /** That was not worth the wait: no step of this checkpoint is made aside any more. */
  private isOverdue = false

  constructor(
    parts: {
      pool: BufferPool
      log: LogWriter
      file: DataFile
      metadata: Metadata
      transactions: TransactionManager
      health: Health
    },
    checkpointBytes: number,
    largeSteps: boolean,
  ) {
    this.pool = parts.pool
    this.log = parts.log
    this.file = parts.file
    this.metadata = parts.metadata
    this.transactions = parts.transactions
    this.health = parts.health
    this.checkpointBytes = checkpointBytes
    this.largeStepBlocks = Math.max(1, Math.min(MAX_BATCH_BLOCKS, Math.floor(LARGE_STEP_BYTES / parts.pool.blockSize)))
    this.stepBlocks = largeSteps ? this.largeStepBlocks : Math.max(1, Math.floor(STEP_BYTES / parts.pool.blockSize))
    this.sliceBlocks = Math.max(1, Math.floor(STEP_BYTES / parts.pool.blockSize))
    this.background = parts.file.storage.syncsAside === true
    this.beginLsn = parts.log.endLsn
    this.dueAt = this.beginLsn + checkpointBytes
    this.log.onSegmentSynced = () => this.noteLog()
  }

  /** Bytes that all of the log may take on the disk, but for what an open transaction needs. */
  get mostLog(): number {
    return MOST_LOG * this.checkpointBytes
  }

  /** The log grows faster than commits call `afterCommit`: many of them share a turn of the event loop. */
  get isBehind(): boolean {
    const dueAt = this.isEnding ? this.asideUntil : this.dueAt + ASIDE_SHARE * this.checkpointBytes
    return this.log.endLsn >= dueAt
  }

  /** There is something to do for `afterCommit`. */
  private get isDue(): boolean {
    return this.log.endLsn >= this.dueAt || this.isWritten
  }

  /**
   * Called after each commit: does the steps that the log's growth asks for, several after a large commit, or ends what
   * waits for a sync aside too long.
   */
  afterCommit(): void {
    if (this.isEnding) this.completeOverdue()
    while (this.isDue) {
      if (this.stepping !== undefined) {
        if (this.log.endLsn < this.steppingUntil) return
        this.stepping = undefined
        this.isOverdue = true
      }
      // The end of a checkpoint waits for what is under way aside.
      if ((this.isEnding || this.isWritten) && !this.completeOverdue()) return
      if (this.pending === undefined && !this.fits()) {
        this.putOff()
        return
      }
      if (this.stepsAside) {
        void this.stepAside().then(() => this.goOn())
        return
      }
      try {
        this.step(this.stepBlocks, this.background)
      } catch (error) {
        // What was committed is in the log: whoever has committed it is told nothing of a full disk.
        if (!(error instanceof DiskFullError)) throw error
        this.putOff()
        return
      }
    }
  }

  /** There is no room to write blocks: they stay dirty, and the log is kept. */
  private putOff(): void {
    this.pending = undefined
    this.dueAt = this.log.endLsn + ASIDE_SHARE * this.checkpointBytes
  }

  /**
   * A whole checkpoint while others go on; `turn` lets them.
   * @throws DiskFullError if there is no room to write all blocks; the log is kept then.
   */
  async runInSlices(
    turn: () => Promise<void>,
    onProgress?: (progress: { done: number; total: number }) => void,
  ): Promise<void> {
    // Somebody may have begun something aside between the end of the last one and this turn.
    while (this.isAside) await this.settled()
    const { count } = this
    this.requireFit()
    this.start(Number.POSITIVE_INFINITY)
    const total = this.pendingTotal
    // The steps are shared with whoever commits meanwhile; so is the end, and somebody may do all of it at once.
    for (let done = 0; this.count === count; ) {
      done = Math.max(done, Math.min(total, this.pending === undefined ? total : this.done))
      onProgress?.({ done, total })
      if (this.stepping !== undefined) await this.stepping
      // Nobody waits for the steps, and what is unsynced may be much.
      else if (this.background && this.pending !== undefined && !this.isWritten && !this.isTight())
        await this.stepAside()
      else if (this.aside !== undefined && (this.pending === undefined || this.isWritten)) await this.goingAside
      else this.stepOrPutOff(Math.min(this.stepBlocks, this.sliceBlocks), this.background)
      await turn()
      this.health.check()
    }
    onProgress?.({ done: total, total })
  }

  private get isAside(): boolean {
    return this.stepping !== undefined || this.aside !== undefined
  }

  /** Resolves when nothing is under way aside. */
  async settled(): Promise<void> {
    while (this.isAside) {
      await (this.stepping ?? this.goingAside)
      this.health.check()
    }
  }

  /**
   * A whole checkpoint, now.
   * @throws DiskFullError if there is no room to write all blocks; the log is kept then.
   */
  run(onProgress?: (progress: { done: number; total: number }) => void): void {
    this.stepping = undefined
    this.completeAside()
    this.pending = undefined
    this.requireFit()
    this.start(Number.POSITIVE_INFINITY)
    while (this.pending) {
      onProgress?.({ done: this.done, total: this.pendingTotal })
      this.stepOrPutOff(this.largeStepBlocks, false)
    }
  }

  private requireFit(): void {
    if (this.fits()) return
    throw new DiskFullError(
      'the disk is full: there is no room for the blocks that a checkpoint would write; the log keeps them; free some space on it',
    )
  }

  private stepOrPutOff(blocks: number, mayBeAside: boolean): void {
    try {
      this.step(blocks, mayBeAside)
    } catch (error) {
      if (error instanceof DiskFullError) this.putOff()
      throw error
    }
  }

  private get pendingTotal(): number {
    return this.pending === undefined ? 0 : (this.pending as number[]).length
  }

  /** All blocks of the checkpoint under way are written. */
  private get isWritten(): boolean {
    return this.pending !== undefined && this.done >= this.pending.length
  }

  /** The next step is one to be made aside. */
  private get stepsAside(): boolean {
    if (!this.background || this.isOverdue || this.isTight() || this.log.isSoonSynced) return false
    return this.pending !== undefined && !this.isWritten
  }

  /** Makes a step while others go on. */
  private stepAside(): Promise<void> {
    const { pool, log, pending = [], health } = this
    const count = Math.max(1, Math.min(Math.floor(ASIDE_STEP_BYTES / pool.blockSize), pool.frames >>> 2))
    const blocks = pending.slice(this.done, this.done + count)
    this.steppingUntil = log.endLsn + ASIDE_SHARE * this.checkpointBytes
    const isCurrent = (): boolean => this.stepping === stepping && health.failure === undefined
    const stepping = pool.writeBackAside(blocks, isCurrent).then(
      () => {
        if (!isCurrent()) return
        this.stepping = undefined
        this.done += count
        this.dueAt += (this.stride * count) / this.stepBlocks
      },
      error => {
        // Or else the handle has failed: whoever comes next is told.
        if (!(error instanceof DiskFullError) || !isCurrent()) return
        this.stepping = undefined
        this.putOff()
      },
    )
    this.stepping = stepping
    return stepping
  }

  /** After a step aside: the next one may be due. */
  private goOn(): void {
    if (this.stepping !== undefined || this.health.failure !== undefined) return
    try {
      this.afterCommit()
    } catch (error) {
      this.health.fail(error)
    }
  }

  private step(blocks: number, mayBeAside: boolean): void {
    const started = performance.now()
    this.makeStep(blocks, mayBeAside)
    this.health.stalled('checkpoint', performance.now() - started)
  }

  private makeStep(blocks: number, mayBeAside: boolean): void {
    if (this.pending === undefined) this.start(this.beginLsn)
    else if (this.done < this.pending.length) {
      this.pool.writeBack(this.pending.slice(this.done, this.done + blocks))
      this.done += blocks
      this.dueAt += (this.stride * blocks) / this.stepBlocks
    }
    if (!this.isWritten) return
    if (!mayBeAside) this.completeAside()
    if (this.completeOverdue()) this.finish(mayBeAside)
  }

  /** Begins a checkpoint of the blocks that were first changed before the LSN. */
  private start(before: number): void {
    this.begunAt = performance.now()
    this.atOnce(() => this.file.requireOwn(this.metadata))
    this.log.write()
    this.beginLsn = this.log.endLsn
    this.pending = this.pool.dirtyBlocks(before)
    this.health.observer?.checkpointBegan(this.pending.length)
    this.done = 0
    this.isOverdue = false
    const steps = Math.ceil(this.pending.length / this.stepBlocks) + 1
    this.stride = (STEPS_SHARE * this.checkpointBytes) / steps
    this.dueAt = this.beginLsn + this.stride
  }

  /**
   * Writes block 0 with how far the log has been synced; everything else in it recovery takes from the log anyway.
   * Called when all of the log is synced (C4); false if block 0 must not be written now (C3).
   */
  private noteLog(): boolean {
    // The end of a checkpoint is a note as well.
    if (this.isWritten || !this.completeOverdue()) return false
    const { log, file, metadata, health } = this
    try {
      metadata.logLsn = log.syncedLsn
      file.writeState(metadata)
      if (!this.background) file.sync()
    } catch (error) {
      throw health.fail(error)
    }
    if (this.background)
      this.goAside(
        () => file.syncAside(),
        () => file.sync(),
      )
    return true
  }

  private finish(mayBeAside: boolean): void {
    const { log, file, health, pool, metadata } = this
    this.pending = undefined
    health.check()
    // The redo LSN is the begin of a group.
    log.write()
    const redoLsn = Math.min(log.endLsn, pool.oldestChange(), this.transactions.oldestLsn())
    // What the next sync makes durable: the file may grow on while it is under way.
    const reached = { redoLsn, fileBlocks: this.blocksInFile(), blank: file.blankNow() }
    // What is overwritten from now on needs a basis behind the new redo LSN.
    pool.basisLsn = redoLsn
    this.dueAt = Math.max(this.beginLsn + this.checkpointBytes, log.endLsn + 1)
    const end = (): void => {
      // Block 0 holds what log records of the meantime have changed in it: they come first.
      log.sync()
      file.sync()
      this.writeDone(reached, metadata)
      file.sync()
      this.giveUpLog(redoLsn)
    }
    if (!mayBeAside) {
      this.atOnce(end)
      return
    }
    this.isEnding = true
    this.goAside(async isCurrent => {
      await file.syncAside()
      if (!isCurrent()) return
      // Block 0 as it is now waits for the log records that have changed it (C4).
      const state = metadata.freeze()
      if (log.isSoonSynced) log.sync()
      else await log.syncAside()
      // That may have found the wait too long, and have done all of this at once.
      if (!isCurrent()) return
      this.writeDone(reached, state)
      await file.syncAside()
      if (!isCurrent()) return
      this.giveUpLog(redoLsn)
      this.endedAside++
    }, end)
  }

  private blocksInFile(): number {
    const { file, health } = this
    try {
      return Math.floor(file.file.size() / file.blockSize)
    } catch (error) {
      throw health.fail(error)
    }
  }

  private writeDone(reached: Reached, state: Metadata): void {
    const { log, file, metadata, pool } = this
    const { redoLsn, fileBlocks, blank } = reached
    const oldest = Math.min(pool.oldestChange(), this.transactions.oldestLsn())
    if (redoLsn > oldest)
      broken('C1', `redo would begin at ${redoLsn}, a change of ${oldest} is not written`, this.health)
    if (state.lsn > log.syncedLsn)
      broken('C4', `block 0 of LSN ${state.lsn}, log synced to ${log.syncedLsn}`, this.health)
    for (const block of blanks(blank))
      if (pool.isOlder(block, redoLsn)) broken('C5', `block ${block}, which was changed, is blank`, this.health)
    for (const said of new Set([state, metadata])) {
      said.redoLsn = redoLsn
      said.logLsn = log.syncedLsn
      said.fileBlocks = Math.min(state.blocks, fileBlocks)
      said.blank = blank
    }
    file.writeState(metadata, state)
  }

  private giveUpLog(redoLsn: Lsn): void {
    if (!this.file.isStateSynced) broken('C2', 'the block 0 that needs the log no more is not synced', this.health)
    const { segments } = this.log
    segments.release(redoLsn, this.mostLog)
    this.count++
    this.last = { at: Date.now(), milliseconds: performance.now() - this.begunAt }
    this.health.observer?.checkpointEnded(redoLsn)
  }

  /**
   * Does work that waits for syncs of the data file, one piece at a time (C3). `atOnce` does the same, or what is left.
   */
  private goAside(work: (isCurrent: () => boolean) => Promise<void>, atOnce: () => void): void {
    const { health, log } = this
    const generation = ++this.generation
    const isCurrent = (): boolean => generation === this.generation && health.failure === undefined
    this.aside = atOnce
    this.asideUntil = log.endLsn + ASIDE_SHARE * this.checkpointBytes
    this.goingAside = work(isCurrent)
      // Whoever has completed the work meanwhile may have been told that all is well.
      .catch((error: unknown) => void health.fail(error))
      .then(() => {
        if (isCurrent()) this.nothingAside()
      })
  }

  private nothingAside(): void {
    this.aside = undefined
    this.isEnding = false
  }

  /** False while something is done aside that is worth waiting for. */
  private completeOverdue(): boolean {
    if (this.aside !== undefined && this.log.endLsn < this.asideUntil) return false
    this.completeAside()
    return true
  }

  /** Does at once what is under way aside. */
  private completeAside(): void {
    const { aside } = this
    if (aside === undefined) return
    // No note gets in between, and whatever goes on aside comes too late.
    this.asideUntil = Number.POSITIVE_INFINITY
    this.generation++
    const started = performance.now()
    try {
      this.atOnce(aside)
      this.health.stalled('log-room', performance.now() - started)
    } finally {
      this.nothingAside()
    }
  }

  private atOnce(work: () => void): void {
    this.health.check()
    try {
      work()
    } catch (error) {
      throw this.health.fail(error)
    }
  }
}
