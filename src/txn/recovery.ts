/**
 * Recovery, in the manner of ARIES (Mohan et al., 1992): analysis finds the transactions without an end and the last
 * image of each block; redo repeats history on every block that is older than its log records; undo rolls back the
 * losers with compensation records. Redo applies bytes and undo goes through the index, the same way as a live
 * rollback. It may be interrupted at any point and begun again: nothing in block 0 moves before it is done.
 *
 * Before redo, blocks whose last write was torn get back the bytes of their images (buffer/images.ts), in place and
 * synced: from then on the images are not needed, and those that redo makes may take their room. Databases of earlier
 * builds have images in the log instead.
 *
 * A recovery that cannot succeed is refused before it has written anything: `Redo.check` reads every block that redo
 * will change, and `checkUndo` what undo will read on its way to them. What undo may need beyond that is met too late,
 * when redo has written; it does no harm, since the next recovery begins with the same block 0 and the same log.
 */

import type { StoredImages } from '../buffer/image-format.ts'
import type { BufferPool } from '../buffer/pool.ts'
import { CorruptionError } from '../errors.ts'
import {
  eachPart,
  RecordFlag,
  RecordType,
  recordFlags,
  recordPrevious,
  recordTransaction,
  recordType,
  type UndoSection,
  undoSection,
} from '../log/format.ts'
import type { LogEnd, LogReader } from '../log/reader.ts'
import { applyOperations, applyToMetadata, blocksIn, formatsBlock } from '../log/redo.ts'
import type { LogWriter } from '../log/writer.ts'
import { blockLsn } from '../pager/bucket.ts'
import type { DataFile } from '../pager/data-file.ts'
import type { Metadata } from '../pager/metadata.ts'
import type { Block, Lsn, Position } from '../pager/place.ts'
import type { Arena } from '../runtime/bytes.ts'
import type { TransactionManager } from './manager.ts'

/** Log redone between two reports of progress. */
const PROGRESS_BYTES = 1048576

export interface Analysis {
  end: LogEnd
  records: number
  /** Transactions without an end, and the LSN of their last record. */
  losers: Map<number, Lsn>
  /** LSN of the last image of each block that has one. */
  images: Map<number, Lsn>
  /** The blocks that records other than images change, but for block 0, and whether one of the records formats them. */
  changed: Map<number, boolean>
}

/** Reads the log once and changes nothing. */
export const analyse = (reader: LogReader, metadata: Metadata, logPath: string): Analysis => {
  const losers = new Map<number, Lsn>()
  const images = new Map<number, Lsn>()
  const changed = new Map<number, boolean>()
  let records = 0
  let formats = 0
  let mostBlocks = 0
  const end = reader.scan(metadata.redoLsn, (a, position, lsn) => {
    records++
    const type = recordType(a, position)
    const id = recordTransaction(a, position)
    if (type === RecordType.image) {
      eachPart(a, position, block => images.set(block, lsn))
      return
    }
    eachPart(a, position, (block, from, to) => {
      if (block === 0) {
        mostBlocks = Math.max(mostBlocks, blocksIn(a, from, to))
        return
      }
      if (formatsBlock(a, from)) formats++
      const formatted = changed.get(block)
      if (formatted === undefined) changed.set(block, formatsBlock(a, from))
      else if (!formatted && formatsBlock(a, from)) changed.set(block, true)
    })
    if (type === RecordType.commit || type === RecordType.end) losers.delete(id)
    else if (type === RecordType.update && (recordFlags(a, position) & RecordFlag.commits) === 0) losers.set(id, lsn)
  })
  if (end.lsn < metadata.logLsn)
    throw new CorruptionError(
      logPath,
      `the log ends at LSN ${end.lsn}, but it was synced up to LSN ${metadata.logLsn}; a segment is missing or damaged`,
    )
  requireBlocks(metadata, logPath, formats, mostBlocks, [...images.keys(), ...changed.keys()])
  return { end, records, losers, images, changed }
}

/** Blocks more than there were, that a log may speak of for each that it formats: far more than it ever does. */
const BLOCKS_PER_FORMAT = 2
const BLOCKS_TO_SPARE = 65536

/** A database gets no new block that the log does not format: other numbers would make a file of any size. */
const requireBlocks = (
  metadata: Metadata,
  logPath: string,
  formats: number,
  said: number,
  named: readonly number[],
): void => {
  const before = Math.max(metadata.blocks, metadata.fileBlocks)
  const most = before + BLOCKS_PER_FORMAT * formats + BLOCKS_TO_SPARE
  const wrong = said > most ? said : named.find(block => block >= most)
  if (wrong !== undefined)
    throw new CorruptionError(
      logPath,
      `its records speak of block ${wrong}, but there were ${before} blocks and they add ${formats} at most: they are not of this database; salvage leaves them out`,
    )
}

export class Redo {
  redone = 0
  private readonly pool: BufferPool
  private readonly log: LogWriter
  private readonly metadata: Metadata
  private readonly analysis: Analysis
  private readonly stored: StoredImages
  private readonly onProgress: (done: number, total: number) => void
  private readonly dataPath: string
  private readonly scratch: Position
  /** Blocks that cannot be read and have no image, with the reason; a record that formats one settles it. */
  private readonly unreadable: Map<number, string> = new Map()
  /** Blocks that have been marked as changed, to be written to the data file. */
  private readonly rewritten: Set<number> = new Set()

  constructor(
    parts: { pool: BufferPool; log: LogWriter; metadata: Metadata },
    analysis: Analysis,
    stored: StoredImages,
    dataPath: string,
    scratch: Position,
    onProgress: (done: number, total: number) => void,
  ) {
    this.stored = stored
    this.onProgress = onProgress
    this.pool = parts.pool
    this.log = parts.log
    this.metadata = parts.metadata
    this.analysis = analysis
    this.dataPath = dataPath
    this.scratch = scratch
  }

  /**
   * Finds every reason for which `run` would have to give up. Nothing is dirty yet, so that the pool writes nothing
   * however small it is; if it is large enough, `run` finds its blocks there.
   */
  check(): void {
    const { pool, analysis } = this
    const changed = [...analysis.changed].sort((a, b) => a[0] - b[0])
    for (const [block, formatted] of changed) {
      const { base, problem } = pool.tryGet(block)
      if (problem === undefined) {
        this.requireLsn(block, base)
        continue
      }
      const hasImage = this.stored.copy(block, pool.arena, base) || this.copyImage(block, base)
      if (hasImage) this.requireLsn(block, base)
      pool.discard(block)
      if (!hasImage && !formatted) throw this.lost(block, problem)
    }
  }

  /** Writes the images of torn blocks in place; returns whether there were any. */
  restore(file: DataFile): boolean {
    const { pool, stored } = this
    const { end } = this.analysis
    let any = false
    for (const block of stored.blocks()) {
      const { base, problem } = pool.tryGet(block)
      if (problem === undefined) continue
      if (stored.copy(block, pool.arena, base) && blockLsn(pool.arena, base) <= end.lsn) {
        file.writeRun(block, [base], pool.arena)
        any = true
      } else pool.discard(block)
    }
    return any
  }

  /** Repeats history. */
  run(reader: LogReader): void {
    const { redoLsn } = this.metadata
    const end = this.analysis.end.lsn
    let reported = redoLsn
    reader.walk(redoLsn, end, (a, position, lsn) => {
      if (lsn - reported >= PROGRESS_BYTES) {
        reported = lsn
        this.onProgress(lsn - redoLsn, end - redoLsn)
      }
      if (recordType(a, position) === RecordType.image) return
      eachPart(a, position, (block, from, to) => {
        if (block !== 0) this.redoBlock(a, block, from, to, lsn)
        else if (lsn > this.metadata.lsn) {
          applyToMetadata(a, from, to, this.metadata)
          this.metadata.lsn = lsn
        }
      })
    })
    for (const [block, problem] of this.unreadable) throw this.lost(block, problem)
  }

  private redoBlock(a: Arena, block: Block, from: number, to: number, lsn: Lsn): void {
    const formats = formatsBlock(a, from)
    if (this.unreadable.has(block) && !formats) return
    const { pool } = this
    const { base, problem } = pool.tryGet(block)
    if (problem !== undefined && !this.restoreImage(block, base)) {
      if (!formats) {
        pool.discard(block)
        this.unreadable.set(block, problem)
        return
      }
      this.clear(base)
    }
    this.unreadable.delete(block)
    const before = this.requireLsn(block, base)
    if (before >= lsn) {
      // After an fsync that failed, what is read may be in the system's memory alone, and pass for clean: only a block
      // that is written again becomes durable. Once is enough, or a small pool would write it at each of its records.
      if (!this.rewritten.has(block)) this.markRedone(block, base)
      return
    }
    applyOperations(a, from, to, pool.arena, base, pool.blockSize, this.scratch)
    if (formats) pool.formatted(base, lsn)
    else pool.changed(base, lsn)
    this.markRedone(block, base)
    this.redone++
  }

  private markRedone(block: Block, base: Position): void {
    this.pool.redone(base, this.metadata.redoLsn)
    this.rewritten.add(block)
  }

  /** The LSN of a block, which must not be one that the log has not reached. */
  private requireLsn(block: Block, base: Position): number {
    const lsn = blockLsn(this.pool.arena, base)
    const end = this.analysis.end.lsn
    if (lsn <= end) return lsn
    throw new CorruptionError(
      this.dataPath,
      `its LSN ${lsn} lies behind the end of the log (${end}); data and log do not belong together`,
      block,
    )
  }

  private lost(block: Block, problem: string): CorruptionError {
    return new CorruptionError(this.dataPath, `${problem}, and there is no image of it`, block)
  }

  private clear(base: Position): void {
    this.pool.arena.clear(base, base + this.pool.blockSize)
  }

  /** A torn block of an earlier build: its bytes come from the last image in the log. */
  private restoreImage(block: Block, base: Position): boolean {
    if (!this.copyImage(block, base)) return false
    this.markRedone(block, base)
    return true
  }

  private copyImage(block: Block, base: Position): boolean {
    const lsn = this.analysis.images.get(block)
    if (lsn === undefined) return false
    const { arena, position } = this.log.locate(lsn)
    eachPart(arena, position, (_block, from, to) => {
      applyOperations(arena, from, to, this.pool.arena, base, this.pool.blockSize, this.scratch)
    })
    return true
  }
}

/** Shows `visit` what undo will take back, in its order; it throws if that cannot be done. */
export const checkUndo = (log: LogWriter, analysis: Analysis, visit: (log: Arena, undo: UndoSection) => void): void => {
  let steps = 0
  for (const [id, last] of analysis.losers)
    for (let lsn = last; lsn > 0; ) {
      const { arena, position } = log.locate(lsn)
      const previous = recordPrevious(arena, position)
      // Undo follows these LSNs: each must lead back, to a record of the same transaction.
      const isOwn = lsn % 4 === 0 && position >= 0 && recordTransaction(arena, position) === id
      if (!isOwn || previous >= lsn || ++steps > analysis.records)
        throw new CorruptionError(
          log.segments.directory,
          `the records of transaction ${id} do not lead back to its first one at LSN ${lsn}; salvage takes it back as far as it can be read`,
        )
      if ((recordFlags(arena, position) & RecordFlag.undo) !== 0) visit(arena, undoSection(arena, position))
      lsn = previous
    }
}

/** Rolls back every transaction that has no end, the latest first. */
export const undoLosers = (transactions: TransactionManager, analysis: Analysis): void => {
  const losers = [...analysis.losers].sort((a, b) => b[1] - a[1])
  for (const [id, lastLsn] of losers) transactions.rollback(transactions.adopt(id, lastLsn))
}
