/**
 * Brings blocks up to date with the readable log, each on its own: physical redo of history on every block that is
 * sound, or that there is a basis of (its image, or the record in the log that formats it). A block for which neither
 * is true stays as it is. What is changed goes to the overlay, never to the source.
 */

import {
  eachPart,
  LogOp,
  pad4,
  RecordFlag,
  RecordType,
  recordFlags,
  recordTransaction,
  recordType,
} from '../log/format.ts'
import { applyOperations, applyToMetadata, formatsBlock } from '../log/redo.ts'
import { blockLsn } from '../pager/bucket.ts'
import { blockProblem } from '../pager/data-file.ts'
import { AT_KIND, AT_LSN, BlockKind, FIRST_OVERFLOW_BLOCK } from '../pager/layout.ts'
import { formatNode } from '../pager/node.ts'
import { nodeProblem } from '../pager/node-check.ts'
import { Arena } from '../runtime/bytes.ts'
import type { Source } from './source.ts'

const CACHE_BYTES = 4194304
/** Blocks behind the end of the file that the log may have formatted: a few, and one for so many bytes of it. */
const LEAST_ADDED = 1024
const LOG_PER_BLOCK = 512
/** A file may have been cut to a sixteenth; smaller ones are believed to have had a million blocks. */
const TIMES_CUT = 16
const LEAST_MOST = 1048576

export interface RedoOutcome {
  /** Transactions without an end, and the LSN of their last record. */
  losers: Map<number, number>
  /** Damaged blocks that the log has rebuilt. */
  rebuilt: number
}

/** No block of the database has this number or a higher one, whatever the log and block 0 say. */
export const mostBlocks = ({ data }: Source): number =>
  Math.max(LEAST_MOST, TIMES_CUT * Math.floor(data.file.size() / data.blockSize))

export const redo = (source: Source): RedoOutcome => {
  const { log, metadata } = source
  const losers = new Map<number, number>()
  const images = new Map<number, number>()
  log.visit((a, position, lsn) => {
    const type = recordType(a, position)
    const id = recordTransaction(a, position)
    if (type === RecordType.image) eachPart(a, position, block => images.set(block, lsn))
    else if (type === RecordType.commit || type === RecordType.end) losers.delete(id)
    else if (type === RecordType.update && (recordFlags(a, position) & RecordFlag.commits) === 0) losers.set(id, lsn)
  })
  const blocks = new BlockCache(source, images)
  log.visit((a, position, lsn) => {
    if (recordType(a, position) === RecordType.image) return
    eachPart(a, position, (block, from, to) => {
      if (block !== 0) {
        if (blocks.takes(block, a, from)) blocks.redo(block, a, from, to, lsn)
      } else if (lsn > metadata.lsn) {
        try {
          applyToMetadata(a, from, to, metadata)
        } catch (error) {
          if (!(error instanceof RangeError)) throw error
        }
        metadata.lsn = lsn
      }
    })
  })
  for (const list of [images.keys(), source.images.blocks()])
    for (const block of list) if (block < blocks.most) blocks.restore(block)
  blocks.flush()
  return { losers, rebuilt: blocks.rebuilt.size }
}

/** Blocks under way; block b lies in frame b mod frames. */
class BlockCache {
  readonly rebuilt: Set<number> = new Set()
  private readonly source: Source
  private readonly images: ReadonlyMap<number, number>
  private readonly arena: Arena
  /** A tree node under way, and the scratch behind it. */
  private readonly node: Arena
  private readonly frames: number
  private readonly blockSize: number
  private readonly blockIn: Uint32Array
  private readonly dirty: Uint8Array
  private readonly sound: Uint8Array

  /** Blocks with higher numbers are not believed. */
  readonly most: number
  /** Blocks of the file as it is, and blank ones; others that the log has formatted, and how many of those are believed. */
  private readonly laidOut: number
  private readonly added: Set<number> = new Set()
  private readonly mostAdded: number

  constructor(source: Source, images: ReadonlyMap<number, number>) {
    this.source = source
    this.most = mostBlocks(source)
    this.laidOut = Math.max(FIRST_OVERFLOW_BLOCK, Math.floor(source.data.file.size() / source.data.blockSize))
    this.mostAdded = LEAST_ADDED + source.log.bytes / LOG_PER_BLOCK
    this.images = images
    this.blockSize = source.data.blockSize
    this.frames = Math.max(16, Math.floor(CACHE_BYTES / this.blockSize))
    // One more block is the scratch of a compaction.
    this.arena = new Arena((this.frames + 1) * this.blockSize)
    this.node = new Arena(2 * this.blockSize)
    this.blockIn = new Uint32Array(this.frames)
    this.dirty = new Uint8Array(this.frames)
    this.sound = new Uint8Array(this.frames)
  }

  /**
   * A block behind the end of the file counts if the log formats it, and has enough bytes to have filled it and all
   * before it: whatever numbers the records name, memory and time are bounded by the size of the files.
   */
  takes(block: number, log: Arena, from: number): boolean {
    if (block < this.laidOut || this.added.has(block)) return true
    if (block >= this.most || this.added.size >= this.mostAdded || !formatsBlock(log, from)) return false
    this.added.add(block)
    return true
  }

  redo(block: number, log: Arena, from: number, to: number, lsn: number): void {
    const frame = this.load(block)
    const { arena, blockSize } = this
    const base = frame * blockSize
    if (this.sound[frame] === 0) {
      if (!formatsBlock(log, from)) return
      this.noteRebuilt(block, base)
      arena.clear(base, base + blockSize)
      this.sound[frame] = 1
    }
    if (blockLsn(arena, base) >= lsn) return
    const isForTree = changesTree(log, from, to)
    if (isForTree || isTree(arena.u8[base + AT_KIND]!)) this.redoNode(base, log, from, to, isForTree)
    else this.redoOther(base, log, from, to)
    arena.u32[(base + AT_LSN) >>> 2] = lsn % 4294967296
    arena.u32[(base + AT_LSN + 4) >>> 2] = Math.floor(lsn / 4294967296)
    this.dirty[frame] = 1
  }

  /** A record that the block cannot have been made for leaves it as it is. */
  private redoOther(base: number, log: Arena, from: number, to: number): void {
    const { arena, node, blockSize } = this
    node.u8.set(arena.window(base, blockSize), 0)
    try {
      applyOperations(log, from, to, node, 0, blockSize, blockSize)
    } catch {
      return
    }
    arena.u8.set(node.window(0, blockSize), base)
  }

  /**
   * A change of a tree node says what to do rather than which bytes to set, so it needs the very state that it was made
   * on. Where the log does not lead up to it, that may be missing: then the change may only ruin its own block. No
   * record lies in a node, so an empty one does for a node that does not come out whole.
   */
  private redoNode(base: number, log: Arena, from: number, to: number, isForTree: boolean): void {
    const { arena, node, blockSize } = this
    node.u8.set(arena.window(base, blockSize), 0)
    try {
      applyOperations(log, from, to, node, 0, blockSize, blockSize)
    } catch {
      node.clear(0, blockSize)
    }
    const isNode = isTree(node.u8[AT_KIND]!)
    if (isNode ? nodeProblem(node, 0, blockSize) !== undefined : isForTree)
      formatNode(node, 0, blockSize, 0, node.u8, 0, 0)
    arena.u8.set(node.window(0, blockSize), base)
  }

  /** A block that nothing but its image speaks of. */
  restore(block: number): void {
    this.load(block)
  }

  flush(): void {
    for (let frame = 0; frame < this.frames; frame++) this.writeBack(frame)
  }

  private load(block: number): number {
    const frame = block % this.frames
    if (this.blockIn[frame] === block) return frame
    this.writeBack(frame)
    const { source, arena, blockSize } = this
    const base = frame * blockSize
    this.blockIn[frame] = block
    arena.clear(base, base + blockSize)
    const problem = source.data.readWritten(block, arena, base) ?? blockProblem(arena, base, blockSize)
    this.sound[frame] = problem === undefined || this.restoreImage(block, frame) ? 1 : 0
    return frame
  }

  /** The last image; the records behind it bring it up to date. Databases of earlier builds have it in the log. */
  private restoreImage(block: number, frame: number): boolean {
    return this.restoreStored(block, frame) || this.restoreLogged(block, frame)
  }

  private restoreStored(block: number, frame: number): boolean {
    const { source, node, arena, blockSize } = this
    if (!source.images.copy(block, node, 0) || blockProblem(node, 0, blockSize) !== undefined) return false
    const base = frame * blockSize
    this.noteRebuilt(block, base)
    arena.u8.set(node.window(0, blockSize), base)
    this.dirty[frame] = 1
    return true
  }

  private restoreLogged(block: number, frame: number): boolean {
    const lsn = this.images.get(block)
    const image = lsn === undefined ? undefined : this.source.log.recordAt(lsn)
    if (image === undefined) return false
    const base = frame * this.blockSize
    this.noteRebuilt(block, base)
    eachPart(image.arena, image.position, (_block, from, to) => {
      this.redoOther(base, image.arena, from, to)
    })
    if (blockProblem(this.arena, base, this.blockSize) !== undefined) return false
    this.dirty[frame] = 1
    return true
  }

  /** A block that had not been written yet, and may be a hole in the file, is not a damaged one. */
  private noteRebuilt(block: number, base: number): void {
    const { soundStates, metadata } = this.source
    const wasWritten = soundStates > 0 && block < metadata.fileBlocks
    if (wasWritten || this.arena.window(base, this.blockSize).some(byte => byte !== 0)) this.rebuilt.add(block)
  }

  private writeBack(frame: number): void {
    if (this.dirty[frame] === 0) return
    this.source.data.writeRun(this.blockIn[frame]!, [frame * this.blockSize], this.arena)
    this.dirty[frame] = 0
  }
}

const isTree = (kind: number): boolean => kind === BlockKind.leaf || kind === BlockKind.inner

/** True if some of the operations can only be meant for a tree node. */
const changesTree = (log: Arena, from: number, to: number): boolean => {
  for (let at = from; at < to; ) {
    const length = log.u16[at >>> 1]!
    const code = log.u16[(at + 2) >>> 1]!
    if (length === 0 && code >= LogOp.insertEntry && code <= LogOp.shortenPrefix) return true
    if (length === 0 && code === LogOp.format) return isTree(log.u32[(at + 4) >>> 2]! & 0xff)
    if (length > 0) at += 4 + pad4(length)
    else at += code === LogOp.move ? 12 : code === LogOp.format ? 8 : 4
  }
  return false
}
