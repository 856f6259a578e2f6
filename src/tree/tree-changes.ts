/**
 * What the change of one record means for the trees: the ordered index gains or loses the key, the tree over times of
 * expiry gains or loses the time with the key. `prepare` finds the leaves and pins them before the log record is
 * begun; `log` adds their parts to it; `finish` marks the leaves as changed; `shrink` gives back what got empty.
 */
import type { BufferPool } from '../buffer/pool.ts'
import { CorruptionError } from '../errors.ts'
import type { LogWriter } from '../log/writer.ts'
import { EXPIRY_BYTES, RecordFlag } from '../pager/bucket.ts'
import type { Metadata } from '../pager/metadata.ts'
import type { Block, Lsn, Position } from '../pager/place.ts'
import type { KeyTree } from './key-tree.ts'
import type { LeafPlace } from './search.ts'

/** The key of the record that changes, as the trees see it. */
export interface ChangedKey {
  /** Where its bytes lie in the arena. */
  readonly at: Position
  readonly length: number
  /** Where it is in the ordered index, or would go, if somebody has looked ahead. */
  readonly place: LeafPlace | undefined
}

/** One leaf to be changed. */
class LeafChange {
  block: Block = 0
  base: Position = 0
  length = 0
  readonly tree: KeyTree
  readonly isInsert: boolean

  constructor(tree: KeyTree, isInsert: boolean) {
    this.tree = tree
    this.isInsert = isInsert
  }
}

/** Log bytes of one leaf's part beside the key. */
const PART_BYTES = 64

export class TreeChanges {
  private readonly pool: BufferPool
  private readonly writer: LogWriter
  private readonly metadata: Metadata
  private readonly key: ChangedKey
  /** Places in the arena of the new and of the old key in the tree over times of expiry. */
  private readonly newExpiry: Position
  private readonly oldExpiry: Position
  private readonly insertKey: LeafChange
  private readonly removeKey: LeafChange
  private readonly insertExpiry: LeafChange
  private readonly removeExpiry: LeafChange
  private readonly planned: LeafChange[] = []
  /** Until the record is there, the leaves of what is planned are pinned. */
  private isPinned = false

  constructor(
    parts: {
      pool: BufferPool
      log: LogWriter
      metadata: Metadata
      key: ChangedKey
      ordered: KeyTree
      expiry: KeyTree
    },
    newExpiry: Position,
    oldExpiry: Position,
  ) {
    this.pool = parts.pool
    this.writer = parts.log
    this.metadata = parts.metadata
    this.key = parts.key
    this.newExpiry = newExpiry
    this.oldExpiry = oldExpiry
    this.insertKey = new LeafChange(parts.ordered, true)
    this.removeKey = new LeafChange(parts.ordered, false)
    this.insertExpiry = new LeafChange(parts.expiry, true)
    this.removeExpiry = new LeafChange(parts.expiry, false)
  }

  /**
   * For the key in the key buffer. `oldFlags`, `oldField`: of its record, -1 if there is none; `flags`, `field`: of the
   * record that takes its place, -1 if none does. The bucket at `base` of the pool stays where it is.
   */
  prepare(base: Position, oldFlags: number, oldField: Position, flags: number, field: Position): void {
    this.giveUp()
    const isNew = oldFlags < 0
    const goes = flags < 0
    let oldExpires = !isNew && (oldFlags & RecordFlag.expires) !== 0
    let expires = !goes && (flags & RecordFlag.expires) !== 0
    if (oldExpires && expires && this.sameTime(oldField, field)) {
      oldExpires = false
      expires = false
    }
    const inOrder = this.metadata.ordered && isNew !== goes
    if (!inOrder && !oldExpires && !expires) return
    const { pool, key } = this
    if (expires) this.putTime(this.newExpiry, field)
    if (oldExpires) this.putTime(this.oldExpiry, oldField)
    this.isPinned = true
    pool.pin(base)
    try {
      if (inOrder && isNew) this.plan(this.insertKey, key.at, key.length)
      if (inOrder && goes) this.plan(this.removeKey, key.at, key.length)
      if (expires) this.plan(this.insertExpiry, this.newExpiry, EXPIRY_BYTES + key.length)
      if (oldExpires) this.plan(this.removeExpiry, this.oldExpiry, EXPIRY_BYTES + key.length)
    } catch (error) {
      this.giveUp()
      throw error
    } finally {
      pool.unpin(base)
    }
  }

  private plan(change: LeafChange, at: Position, length: number): void {
    const { tree } = change
    const place = change === this.insertKey || change === this.removeKey ? this.key.place : undefined
    if (change.isInsert) {
      if (place === undefined || !tree.prepareInsertAt(place, at, length)) tree.prepareInsert(at, length)
    } else if (place === undefined || !tree.prepareRemoveAt(place)) tree.prepareRemove(at, length)
    change.block = tree.block
    change.base = tree.base
    this.pool.pin(change.base)
    change.length = length
    this.planned.push(change)
  }

  private placeOf(change: LeafChange): Position {
    if (change === this.insertExpiry) return this.newExpiry
    return change === this.removeExpiry ? this.oldExpiry : this.key.at
  }

  private sameTime(one: Position, other: Position): boolean {
    const { u8 } = this.pool.arena
    for (let i = 0; i < EXPIRY_BYTES; i++) if (u8[one + i] !== u8[other + i]) return false
    return true
  }

  private putTime(at: Position, field: Position): void {
    const { u8 } = this.pool.arena
    u8.copyWithin(at, field, field + EXPIRY_BYTES)
    u8.copyWithin(at + EXPIRY_BYTES, this.key.at, this.key.at + this.key.length)
  }

  /** Bytes of log to reserve for what is planned. */
  get logBytes(): number {
    const { planned } = this
    return planned.length === 0 ? 0 : planned.length * (PART_BYTES + EXPIRY_BYTES + this.key.length)
  }

  /** Inside a record: one part for each leaf. The old and the new time of a key may stand in the same one. */
  log(): void {
    const { planned, writer } = this
    for (let i = 0; i < planned.length; i++) {
      const change = planned[i]!
      this.pool.preserve(change.base)
      writer.part(change.block)
      this.logChange(change)
      const next = planned[i + 1]
      if (next !== undefined && next.block === change.block) {
        this.logChange(next)
        i++
      }
      writer.endPart()
    }
  }

  private logChange(change: LeafChange): void {
    if (change.isInsert) change.tree.logInsert(change.block, change.base, this.placeOf(change), change.length)
    else change.tree.logRemove(change.base)
  }

  /** The record was appended at `lsn`. */
  finish(lsn: Lsn): void {
    this.unpin()
    for (const change of this.planned) this.pool.changed(change.base, lsn)
  }

  /** After the record: nearly empty leaves merge. A damaged neighbour must not make a removal, or a rollback, fail. */
  shrink(): void {
    const { planned } = this
    if (planned.length === 0) return
    if (!planned.some(isSparse)) {
      planned.length = 0
      return
    }
    const sparse = planned.filter(isSparse)
    planned.length = 0
    for (const change of sparse) {
      try {
        change.tree.shrink(this.placeOf(change), change.length)
      } catch (error) {
        if (!(error instanceof CorruptionError)) throw error
      }
    }
  }

  /** Gives up what was prepared, if the change has not come about. */
  giveUp(): void {
    if (this.planned.length === 0) return
    this.unpin()
    this.planned.length = 0
  }

  private unpin(): void {
    if (!this.isPinned) return
    for (const change of this.planned) this.pool.unpin(change.base)
    this.isPinned = false
  }
}

const isSparse = ({ tree, isInsert, block, base }: LeafChange): boolean => !isInsert && tree.isSparse(block, base)
