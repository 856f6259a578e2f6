/**
 * Recovery: brings a database back to what was committed, whatever its last owner was doing when it ended.
 *
 * The order of the steps is what the crash campaigns prove; docs/design.md, "Recovery", gives the reasons:
 * check everything that recovery will read, make that durable, put whole blocks back where one may be torn, redo, undo,
 * checkpoint, and only then cut the log.
 */
import { StoredImages } from '../buffer/image-format.ts'
import type { BufferPool } from '../buffer/pool.ts'
import { DiskFullError } from '../errors.ts'
import { probeWay } from '../hash/probe.ts'
import { UndoKind } from '../log/format.ts'
import type { LogReader } from '../log/reader.ts'
import type { Segment } from '../log/segments.ts'
import type { LogWriter } from '../log/writer.ts'
import type { DataFile } from '../pager/data-file.ts'
import type { Metadata } from '../pager/metadata.ts'
import type { Home } from '../storage/home.ts'
import type { Checkpointer } from '../txn/checkpoint.ts'
import type { TransactionManager } from '../txn/manager.ts'
import { type Analysis, checkUndo, Redo, undoLosers } from '../txn/recovery.ts'
import type { RecoveryProgress, RecoveryReport } from '../types.ts'
import type { Room } from './room.ts'
import type { Space } from './space.ts'

/** What taking back one change takes of the log besides the record itself, about. */
const UNDO_RECORD_BYTES = 256

type Report = (progress: RecoveryProgress) => void

/** The layers that recovery works with, and what it is to tell of itself. */
export interface RecoveryParts {
  readonly home: Home
  readonly file: DataFile
  readonly metadata: Metadata
  readonly log: LogWriter
  readonly pool: BufferPool
  readonly transactions: TransactionManager
  readonly root: Space
  readonly checkpointer: Checkpointer
  readonly room: Room
  readonly recovery: RecoveryReport
}

/**
 * Recovers the database whose layers have just been built; `scratch` is the position of a block's scratch.
 * What `onRecovery` throws comes out as it is: reading the log would take it for the log's own fault.
 */
export const recover = (
  parts: RecoveryParts,
  reader: LogReader,
  analysis: Analysis,
  scratch: number,
  onRecovery: Report | undefined,
): void => {
  let thrown: { error: unknown } | undefined
  const report: Report = progress => {
    try {
      onRecovery?.(progress)
    } catch (error) {
      thrown = { error }
      throw error
    }
  }
  try {
    new Recovery(parts, reader, analysis, scratch, report).run()
  } catch (error) {
    throw thrown === undefined ? error : thrown.error
  }
}

class Recovery {
  private readonly parts: RecoveryParts
  private readonly reader: LogReader
  private readonly analysis: Analysis
  private readonly scratch: number
  private readonly report: Report

  constructor(parts: RecoveryParts, reader: LogReader, analysis: Analysis, scratch: number, report: Report) {
    this.parts = parts
    this.reader = reader
    this.analysis = analysis
    this.scratch = scratch
    this.report = report
  }

  run(): void {
    const { analysis } = this
    const { log, metadata, recovery, file } = this.parts
    const { chain, tornBytes } = analysis.end
    // A damaged copy of the state in block 0 is written anew by the checkpoint that ends a recovery, and a segment with
    // a damaged copy of its header is needed no longer after it.
    const isHalf = chain.some(segment => segment.isHalf)
    const needed = recovery.needed || tornBytes > 0 || metadata.soundCopies < 2 || isHalf
    if (!needed) {
      this.keepChain(chain)
      return
    }
    log.segments.setAside(chain)
    const { directory } = log.segments
    const { uuid } = metadata.identity
    const stored = new StoredImages(directory, file, uuid, metadata.redoLsn, analysis.end.lsn)
    try {
      this.bringUpToDate(stored)
    } finally {
      stored.close()
    }
    // Not if there was no room for that checkpoint: then all of the log is needed.
    const isDone = metadata.redoLsn >= log.endLsn
    if (isHalf && isDone && log.startFreshSegment()) log.segments.leaveCurrent()
    // Nothing that looks like a torn tail stays for the next recovery to wonder about.
    else if (log.records === 0) log.segments.cut(chain, analysis.end.lsn)
    else log.segments.dropSpares()
  }

  /** Nothing is to be recovered: only segments that the log does not need go. */
  private keepChain(chain: readonly Segment[]): void {
    const { log, metadata, file } = this.parts
    const isSettled = log.segments.count > chain.length || metadata.isNew
    // A segment that nothing was written to yet may have been made by a process that was killed before it synced its
    // name.
    const isBare = this.analysis.end.lsn <= chain[chain.length - 1]!.startLsn
    if (isSettled) this.makeDurable(chain)
    else if (isBare) file.storage.syncDirectory(log.segments.directory)
    if (log.segments.count > chain.length) log.segments.keepOnly(chain)
  }

  private bringUpToDate(stored: StoredImages): void {
    const { analysis, report } = this
    const { log, pool, metadata, file, recovery, transactions } = this.parts
    const { chain, lsn } = analysis.end
    const total = lsn - metadata.redoLsn
    const redo = new Redo({ pool, log, metadata }, analysis, stored, file.file.path, this.scratch, (done, all) =>
      report({ phase: 'redo', done, total: all }),
    )
    report({ phase: 'redo', done: 0, total })
    // The whole pool, at once: with less of it, blocks would be written and read again and again.
    pool.grow(analysis.changed.size)
    this.check(redo)
    this.makeDurable(chain)
    if (redo.restore(file)) file.sync()
    log.continueInFreshSegment(() => {
      // Segments behind the end, and an empty one at the end, would be in the way of the new one.
      const used = chain.filter(segment => segment.startLsn < lsn)
      log.segments.keepOnly([...used, log.segments.current!])
    })
    pool.limit = () => Number.POSITIVE_INFINITY
    pool.isRepeating = true
    redo.run(this.reader)
    pool.isRepeating = false
    recovery.redone = redo.redone
    pool.limit = () => metadata.blocks
    report({ phase: 'undo', done: 0, total: analysis.losers.size })
    undoLosers(transactions, analysis)
    this.lastCheckpoint()
  }

  private lastCheckpoint(): void {
    const { checkpointer, room } = this.parts
    room.begin()
    try {
      checkpointer.run(({ done, total }) => this.report({ phase: 'write', done, total }))
    } catch (error) {
      // The blocks stay in the pool, and the log is kept: it can be read, and records can be deleted.
      if (!(error instanceof DiskFullError)) throw error
    }
  }

  /** A file that is refused is left as it was: what recovery would stumble over is looked for before it writes. */
  private check(redo: Redo): void {
    const { analysis } = this
    const { pool, room } = this.parts
    redo.check()
    const { key } = this.parts.root.index
    let undoBytes = 0
    checkUndo(this.parts.log, analysis, (log, undo) => {
      if (undo.kind === UndoKind.allocate) return
      // Where another key space begins, redo may have to tell first.
      if (undo.space === 0) {
        key.copy(log, undo.key, undo.keyLength)
        probeWay(pool, key, block => analysis.changed.has(block))
      }
      undoBytes += UNDO_RECORD_BYTES + undo.keyLength + undo.fieldLength
    })
    room.requireToRecover(undoBytes)
  }

  /**
   * Recovery builds on what it reads, and a process that was killed may have left that in the system's memory: it is
   * made durable first, or a loss of power during or after the recovery would take away what it stood on.
   */
  private makeDurable(chain: readonly Segment[]): void {
    const { file, metadata, home } = this.parts
    const { directory } = this.parts.log.segments
    for (const segment of chain) segment.file.sync()
    file.storage.syncDirectory(directory)
    file.storage.syncDirectory(home.directory)
    // After an fsync that failed, the system may hold for clean what it has lost: block 0 is written again, because
    // segments are deleted in the belief that no older one will come back. Last, since it makes the database look used.
    // Before that the data file is synced: whoever was killed may have written the one copy of the state and not have
    // come to sync it, and a loss of power could tear both.
    file.sync()
    file.writeState(metadata)
    file.sync()
  }
}
