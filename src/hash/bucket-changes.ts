/** What the steps that move records between buckets have in common: the parts of buckets in their log record. */
import { bucketNext, compact, contiguousBytes, SLOT_BYTES } from '../pager/bucket.ts'
import { separatorOffset } from '../pager/directory.ts'
import {
  AT_COUNT,
  AT_NEXT,
  AT_RECORD_BYTES,
  BlockKind,
  BUCKET_STATE_BYTES,
  BUCKET_STATE_OFFSET,
  HEADER_BYTES,
} from '../pager/layout.ts'
import type { Position } from '../pager/place.ts'
import type { Pinned } from '../txn/step.ts'
import type { Shape } from './shape.ts'

/** Bytes of a record of the log that moves records from one bucket to another, beside their own. */
export const MOVE_BYTES = 512

export class BucketChanges {
  private readonly shape: Shape
  /** One block's worth of spare bytes. */
  private readonly scratch: Position

  constructor(shape: Shape, scratch: Position) {
    this.shape = shape
    this.scratch = scratch
  }

  /**
   * Moves records between neighbours, and the separator between both with them: to the one on the right those from `at`
   * on, to the one on the left those before it. `records` holds those of `from`; `entry`: of the right one of both.
   */
  moveToNeighbour(from: Pinned, to: Pinned, parent: Pinned, entry: number, at: number, toRight: boolean): void {
    const { pool, log, step, records } = this.shape
    step.begin(2 * pool.blockSize + MOVE_BYTES, [from, to, parent])
    const separator = records.positionAt(at)
    this.logIncoming(to, toRight ? at : 0, toRight ? records.count : at)
    this.logOutgoing(from)
    step.part(parent)
    pool.arena.u32[(parent.base + separatorOffset(entry)) >>> 2] = separator
    log.setWord(separatorOffset(entry), separator)
    step.endPart()
    step.end()
  }

  /** The part of a bucket that the `records` [from, to) go to, which moves them. */
  logIncoming(target: Pinned, from: number, to: number): void {
    const { pool, log, step, records } = this.shape
    const { arena, blockSize } = pool
    const { base } = target
    step.part(target)
    if (contiguousBytes(arena, base, blockSize) < records.bytesOf(from, to)) {
      compact(arena, base, blockSize, this.scratch)
      log.compact()
    }
    const end = blockSize - arena.u16[(base + AT_RECORD_BYTES) >>> 1]!
    const slots = arena.u16[(base + AT_COUNT) >>> 1]!
    records.moveTo(base, from, to)
    this.logState(base)
    const first = HEADER_BYTES + SLOT_BYTES * slots
    log.set(first, SLOT_BYTES * (to - from), base + first)
    const start = blockSize - arena.u16[(base + AT_RECORD_BYTES) >>> 1]!
    log.set(start, end - start, base + start)
    step.endPart()
  }

  /** The part of a bucket that records have left: its state and slots. */
  logOutgoing(place: Pinned): void {
    const { pool, log, step } = this.shape
    const { base } = place
    const count = pool.arena.u16[(base + AT_COUNT) >>> 1]!
    step.part(place)
    this.logState(base)
    if (count > 0) log.set(HEADER_BYTES, SLOT_BYTES * count, base + HEADER_BYTES)
    step.endPart()
  }

  /** The part of a bucket that has been formatted: all of it. */
  logFresh(place: Pinned): void {
    const { pool, log, step } = this.shape
    const { base } = place
    step.format(place, BlockKind.bucket, 0)
    const count = pool.arena.u16[(base + AT_COUNT) >>> 1]!
    const bytes = pool.arena.u16[(base + AT_RECORD_BYTES) >>> 1]!
    if (count > 0) {
      this.logState(base)
      log.set(HEADER_BYTES, SLOT_BYTES * count, base + HEADER_BYTES)
      log.set(pool.blockSize - bytes, bytes, base + pool.blockSize - bytes)
    }
    const next = bucketNext(pool.arena, base)
    if (next !== 0) log.setWord(AT_NEXT, next)
    step.endPart()
  }

  private logState(base: Position): void {
    this.shape.log.set(BUCKET_STATE_OFFSET, BUCKET_STATE_BYTES, base + BUCKET_STATE_OFFSET)
  }
}
