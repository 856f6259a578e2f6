/**
 * Free blocks inside the file: a list linked through the blocks' `next` pointers, its head in block 0.
 *
 * Taking and giving back are parts of the log record of the step that wants them (`txn/step.ts`), so that both happen
 * or neither. The step calls `plan` (reads, may fail) before it begins its record, `log…` while it builds it, and
 * `endRecord`, which appends what the list has become to the record and makes it so. Who calls `log…` has kept the
 * earlier state of the blocks (P4), and marks them as changed.
 */

import type { BufferPool } from '../buffer/pool.ts'
import { CorruptionError } from '../errors.ts'
import { LogOp } from '../log/format.ts'
import type { LogWriter } from '../log/writer.ts'
import { AT_KIND, AT_NEXT, BlockKind, kindName } from '../pager/layout.ts'
import { AT_MARK, type Metadata } from '../pager/metadata.ts'
import type { Block, Lsn, Place } from '../pager/place.ts'

const MAX_BLOCKS = 0xfffffff0

/** Who wants to hear of every change of the list. */
export interface FreeListener {
  /** Blocks that were taken from the head of the list, and those that were put into it. */
  changed(taken: readonly Block[], given: readonly Block[]): void
  /** A chain has become free whose blocks nobody has named. */
  spliced(): void
}

/** Words of block 0 beside those of the list, which a step may set. */
export type StateName = 'firstSpace' | 'firstCondemned' | 'spaces'

export class FreeBlocks {
  reused = 0
  /** Chains that have become free. All but the last block of one look as before. */
  splices = 0
  /** Blocks that have become free, but for those of large values. */
  freed = 0
  private readonly pool: BufferPool
  private readonly log: LogWriter
  private readonly metadata: Metadata
  readonly path: string
  /** Is told of every change. */
  listener: FreeListener | undefined
  private taken: readonly Block[] = []
  private given: Block[] = []
  private isSplice = false
  private states: [StateName, Block][] = []
  private mark: Uint8Array | undefined
  private freeHead: Block = 0
  private freeBlocks = 0
  private blocks: Block = 0

  constructor(pool: BufferPool, log: LogWriter, metadata: Metadata, path: string) {
    this.pool = pool
    this.log = log
    this.metadata = metadata
    this.path = path
  }

  /** Chooses `count` blocks: free ones first, then new ones at the end of the file. */
  plan(count: number): Block[] {
    const { metadata } = this
    this.freeHead = metadata.freeHead
    this.freeBlocks = metadata.freeBlocks
    this.blocks = metadata.blocks
    const taken: Block[] = []
    this.taken = taken
    this.given = []
    this.isSplice = false
    this.states = []
    this.mark = undefined
    while (taken.length < count) {
      if (this.freeHead !== 0) {
        taken.push(this.freeHead)
        this.freeHead = this.nextFree(this.freeHead)
        this.freeBlocks--
      } else {
        if (this.blocks >= MAX_BLOCKS)
          throw new CorruptionError(this.path, `the file has reached its limit of ${MAX_BLOCKS} blocks`)
        taken.push(this.blocks++)
      }
    }
    return taken
  }

  private nextFree(block: Block): Block {
    const next = this.nextOf(block)
    if ((next === 0) !== (this.freeBlocks === 1)) throw this.broken(block, next)
    return next
  }

  /** The free block behind a free block; 0 behind the last one. */
  nextOf(block: Block): Block {
    const base = this.pool.get(block)
    const kind = this.pool.arena.u8[base + AT_KIND]!
    if (kind !== BlockKind.free && kind !== BlockKind.large)
      throw new CorruptionError(this.path, `it is on the free-block list, but holds a ${kindName(kind)}`, block)
    const next = this.pool.arena.u32[(base + AT_NEXT) >>> 2]!
    if (next >= this.metadata.blocks) throw this.broken(block, next)
    return next
  }

  private broken(block: Block, next: Block): CorruptionError {
    return new CorruptionError(this.path, `the free-block list breaks off or leads to block ${next}`, block)
  }

  /** Inside a record: adds to the plan that a block becomes free. */
  logFree(place: Place): void {
    this.freed++
    this.logFirst(place)
  }

  private logFirst({ block, base }: Place): void {
    const { arena } = this.pool
    arena.clear(base, base + this.pool.blockSize)
    arena.u32[(base + AT_NEXT) >>> 2] = this.freeHead
    this.log.part(block)
    this.log.format(BlockKind.free, 0)
    if (this.freeHead !== 0) this.log.setWord(AT_NEXT, this.freeHead)
    this.log.endPart()
    this.given.push(block)
    this.freeHead = block
    this.freeBlocks++
  }

  /** The last block of the list; for whoever puts blocks behind it. */
  last(): Block {
    let last = this.metadata.freeHead
    this.freeBlocks = this.metadata.freeBlocks
    for (; this.freeBlocks > 1; this.freeBlocks--) last = this.nextFree(last)
    return last
  }

  /** True if a block still is the last one of the list. */
  isLast(block: Block): boolean {
    if (block === 0) return false
    const { arena } = this.pool
    const base = this.pool.get(block)
    return arena.u8[base + AT_KIND] === BlockKind.free && arena.u32[(base + AT_NEXT) >>> 2] === 0
  }

  /**
   * Inside a record: adds to the plan that a block goes to the end of the list, behind the `last` one, if there is one.
   */
  logAppend({ block, base }: Place, last: Place | undefined): void {
    const { arena, blockSize } = this.pool
    this.freed++
    arena.clear(base, base + blockSize)
    this.log.part(block)
    this.log.format(BlockKind.free, 0)
    this.log.endPart()
    this.given.push(block)
    if (last === undefined) this.freeHead = block
    else {
      arena.u32[(last.base + AT_NEXT) >>> 2] = block
      this.log.part(last.block)
      this.log.setWord(AT_NEXT, block)
      this.log.endPart()
    }
    this.freeBlocks++
  }

  /** Inside a record: adds to the plan that the list is these blocks, and that the file ends before `end`. */
  logCut(places: readonly Place[], end: Block): void {
    const { arena } = this.pool
    places.forEach(({ block, base }, i) => {
      const next = places[i + 1]?.block ?? 0
      arena.u32[(base + AT_NEXT) >>> 2] = next
      this.log.part(block)
      this.log.setWord(AT_NEXT, next)
      this.log.endPart()
    })
    this.freeHead = places[0]?.block ?? 0
    this.freeBlocks = places.length
    this.blocks = end
  }

  /** Inside a record: adds to the plan that a chain of `count` linked blocks with this tail becomes free. */
  logSplice(head: Block, tail: Place, count: number): void {
    this.logFirst(tail)
    this.freeHead = head
    this.freeBlocks += count - 1
    this.splices++
    this.isSplice = true
  }

  /** Adds to the plan that a word of block 0 has another value. */
  setState(name: StateName, value: Block): void {
    this.states.push([name, value])
  }

  /** Adds to the plan that its record commits a mark. */
  setMark(mark: Uint8Array): void {
    this.mark = mark
  }

  /** Ends a record with the outcome of the plan, and with a change of the number of records; returns its LSN. */
  endRecord(records: number): Lsn {
    const { metadata, log } = this
    log.part(0)
    if (records !== 0) log.operation(LogOp.records, records)
    if (this.freeHead !== metadata.freeHead) log.operation(LogOp.freeHead, this.freeHead)
    if (this.freeBlocks !== metadata.freeBlocks) log.operation(LogOp.freeBlocks, this.freeBlocks)
    if (this.blocks !== metadata.blocks) log.operation(LogOp.blocks, this.blocks)
    for (const [name, value] of this.states) log.operation(LogOp[name], value)
    if (this.mark !== undefined) log.setBytes(AT_MARK, this.mark)
    log.endPart()
    const lsn = log.end()
    metadata.addRecords(records)
    for (const [name, value] of this.states) metadata[name] = value
    if (this.mark !== undefined) metadata.mark = this.mark
    this.apply(lsn)
    return lsn
  }

  /** The record of the plan has been appended at `lsn`. */
  private apply(lsn: Lsn): void {
    const { metadata } = this
    this.reused += Math.max(0, metadata.freeBlocks - this.freeBlocks)
    metadata.freeHead = this.freeHead
    metadata.freeBlocks = this.freeBlocks
    metadata.blocks = this.blocks
    metadata.lsn = lsn
    this.listener?.changed(this.taken, this.given)
    if (this.isSplice) this.listener?.spliced()
  }
}
