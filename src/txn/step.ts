/**
 * A step: one log record and the blocks that it changes, which lie still in the pool from the first look at them to the
 * end. Every change of the shape of index, trees and free list is made by one, and is a *system* record: atomic in
 * itself, redone as bytes, never undone. It moves records between blocks and never says what they are, so that whatever
 * a transaction has changed can be taken back by key wherever its records lie by then. A record of a transaction that
 * changes the shape too (the blocks of a large value) names that transaction instead, and carries its undo.
 *
 *   run( take* -> pin* -> fresh* -> begin -> (part … endPart | format … endPart | free)* -> end )
 *
 * Rules
 *  E1  Whatever may fail (reading a block, a lock, a pool without a free frame) comes before `begin`. Between `begin`
 *      and `end` nothing fails, so that record and blocks change together, or neither does: what fails there stops the
 *      handle.
 *  E2  A block that the step has looked at is pinned until `run` returns or throws.
 *  E3  `begin` keeps the earlier state of the blocks that it is given (P4): of all that the step will change, but for
 *      those that `fresh` gave.
 *  E4  A block with a part in the record is marked as changed by it; as formatted if the part begins with `format`.
 */
import type { BufferPool } from '../buffer/pool.ts'
import { XenonError } from '../errors.ts'
import type { FreeBlocks, StateName } from '../freelist/blocks.ts'
import { RecordType } from '../log/format.ts'
import type { LogWriter } from '../log/writer.ts'
import type { Block, Lsn, Place, Position } from '../pager/place.ts'
import { broken } from '../runtime/invariant.ts'
import type { TransactionState } from './transaction-state.ts'

/** What the record does to a block. */
const Fate = { none: 0, changed: 1, formatted: 2 } as const

/** A block that a step works on: it stays at `base` until the step ends. */
export class Pinned implements Place {
  readonly block: Block
  readonly base: Position
  /** Nothing is known of its bytes until it is formatted. */
  readonly isFresh: boolean
  /** Snapshots have what they need of it. */
  isKept: boolean
  fate: number = Fate.none

  constructor(block: Block, base: Position, isFresh: boolean) {
    this.block = block
    this.base = base
    this.isFresh = isFresh
    this.isKept = isFresh
  }
}

export class Step {
  private readonly pool: BufferPool
  private readonly log: LogWriter
  private readonly blocks: FreeBlocks
  private readonly pinned: Pinned[] = []
  /** Blocks are taken from the free list, or given back. */
  private hasPlan = false
  private hasBegun = false
  private hasEnded = false

  constructor(parts: { pool: BufferPool; log: LogWriter; free: FreeBlocks }) {
    this.pool = parts.pool
    this.log = parts.log
    this.blocks = parts.free
  }

  /** Runs a step. However it ends, nothing of it stays pinned. */
  run<T>(work: () => T): T {
    if (this.pinned.length > 0) throw new XenonError('XENON_FAILED', 'a step was begun in the midst of another one')
    this.hasPlan = false
    this.hasBegun = false
    this.hasEnded = false
    try {
      return work()
    } catch (error) {
      // A record that was begun will not be completed: the buffer holds half of it.
      throw this.hasBegun && !this.hasEnded ? this.log.health.fail(error) : error
    } finally {
      this.release()
    }
  }

  /** Chooses so many blocks that become the step's own when its record ends. */
  take(count: number): Block[] {
    this.requireNotBegun()
    this.hasPlan = true
    return this.blocks.plan(count)
  }

  takeOne(): Block {
    return this.take(1)[0]!
  }

  /** A block to be read, or changed. */
  pin(block: Block): Pinned {
    return this.hold(block, this.pool.get(block), false)
  }

  /**
   * A block that is about to be formatted, without a look at what it holds. A step takes it last, when nothing but the
   * lack of a frame for another one can keep it from formatting the block.
   */
  fresh(block: Block): Pinned {
    return this.hold(block, this.pool.fresh(block), true)
  }

  private hold(block: Block, base: Position, isFresh: boolean): Pinned {
    this.requireNotBegun()
    this.pool.pin(base)
    const place = new Pinned(block, base, isFresh)
    this.pinned.push(place)
    return place
  }

  private requireNotBegun(): void {
    if (this.hasBegun) broken('E1', 'a step looks at another block behind the begin of its record', this.log.health)
  }

  /** Begins the step's record, a system record of up to `bytes` that changes the `changing` blocks (E3). */
  begin(bytes: number, changing: readonly Pinned[] = []): void {
    this.prepare(bytes, changing)
    this.log.begin(RecordType.system, 0, 0, 0)
  }

  /** The same for a record of a transaction. */
  beginOf(
    state: TransactionState,
    bytes: number,
    changing: readonly Pinned[] = [],
    type: number = RecordType.update,
  ): void {
    this.prepare(bytes, changing)
    this.log.begin(type, state.recordFlags, state.id, state.previous)
  }

  private prepare(bytes: number, changing: readonly Pinned[]): void {
    for (const place of changing) {
      this.pool.preserve(place.base)
      place.isKept = true
    }
    this.log.reserve(bytes)
    this.hasBegun = true
  }

  /** Begins the part of a block that changes. */
  part(place: Pinned): void {
    this.mark(place, Fate.changed)
    this.log.part(place.block)
  }

  /** Begins the part of a block that is formatted: zeros, but for kind and level. */
  format(place: Pinned, kind: number, level: number): void {
    this.mark(place, Fate.formatted)
    this.log.part(place.block)
    this.log.format(kind, level)
  }

  endPart(): void {
    this.log.endPart()
  }

  /** A block of the step becomes free. */
  free(place: Pinned): void {
    this.planToGive()
    this.mark(place, Fate.formatted)
    this.blocks.logFree(place)
  }

  /** The same for `count` linked blocks with this tail, the only one of them that is touched. */
  freeChain(head: Block, tail: Pinned, count: number): void {
    this.planToGive()
    this.mark(tail, Fate.formatted)
    this.blocks.logSplice(head, tail, count)
  }

  /** A block of the step goes to the end of the free list, behind the `last` one, if there is one. */
  append(place: Pinned, last: Pinned | undefined): void {
    this.planToGive()
    this.mark(place, Fate.formatted)
    if (last !== undefined) this.mark(last, Fate.changed)
    this.blocks.logAppend(place, last)
  }

  /** The free list is these blocks, and the file ends before `end`. */
  cut(places: readonly Pinned[], end: Block): void {
    this.planToGive()
    for (const place of places) this.mark(place, Fate.changed)
    this.blocks.logCut(places, end)
  }

  /** A word of block 0 has another value from this record on. */
  setState(name: StateName, value: Block): void {
    this.planToGive()
    this.blocks.setState(name, value)
  }

  /** The record commits a mark. */
  setMark(mark: Uint8Array): void {
    this.planToGive()
    this.blocks.setMark(mark)
  }

  private mark(place: Pinned, fate: number): void {
    if (!place.isKept) broken('E3', `block ${place.block} changes, and the step has not said so`, this.log.health)
    place.fate = fate
  }

  private planToGive(): void {
    if (this.hasPlan) return
    this.hasPlan = true
    this.blocks.plan(0)
  }

  /**
   * Completes the record, with a change of the number of records in it if it commits one, and marks its blocks (E4).
   */
  end(records: number = 0): Lsn {
    const { pool } = this
    const lsn = this.hasPlan ? this.blocks.endRecord(records) : this.log.end()
    this.hasEnded = true
    // E4
    for (const { base, fate } of this.pinned) {
      if (fate === Fate.formatted) pool.formatted(base, lsn)
      else if (fate === Fate.changed) pool.changed(base, lsn)
    }
    return lsn
  }

  private release(): void {
    const { pool, pinned } = this
    // E2
    for (const { base } of pinned) pool.unpin(base)
    // What was to be formatted, and was not, may hold anything: whoever reads it takes it from the file.
    if (!this.hasEnded)
      for (const { block, isFresh } of pinned) if (isFresh && !pool.isDirty(block)) pool.discard(block)
    while (pinned.length > 0) pinned.pop()
  }
}
