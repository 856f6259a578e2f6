/**
 * Directories: entries come and go, a full one splits, nearly empty ones merge. The directory of an index block grows
 * by a level when it is full, and goes back into the index block when one entry is left.
 */
import { bucketNext, formatBucket, liveBytes } from '../pager/bucket.ts'
import {
  childOf,
  childOffset,
  directoryLevel,
  entryCount,
  formatDirectory,
  separatorOf,
  separatorOffset,
} from '../pager/directory.ts'
import { AT_COUNT, AT_KIND, BlockKind } from '../pager/layout.ts'
import type { Block, Place } from '../pager/place.ts'
import type { Pinned } from '../txn/step.ts'
import type { BucketChanges } from './bucket-changes.ts'
import { MERGE_BELOW, MERGE_UP_TO, type Shape, type Turn } from './shape.ts'

/** A directory counts as full when it has no room for the entries that one step may add. */
const ENTRY_RESERVE = 8

export class DirectoryChanges {
  private readonly shape: Shape
  private readonly buckets: BucketChanges

  constructor(shape: Shape, buckets: BucketChanges) {
    this.shape = shape
    this.buckets = buckets
  }

  isFull(directory: Block): boolean {
    const { pool, capacity } = this.shape
    return entryCount(pool.arena, pool.get(directory)) + ENTRY_RESERVE > capacity
  }

  /** Inside a part: inserts an entry. */
  insertEntry({ base }: Place, entry: number, separator: number, child: Block): void {
    const { log, capacity, pool } = this.shape
    const { u8, u16, u32 } = pool.arena
    const count = u16[(base + AT_COUNT) >>> 1]!
    const bytes = 4 * (count - entry)
    for (const at of [separatorOffset(entry), childOffset(capacity, entry)]) {
      u8.copyWithin(base + at + 4, base + at, base + at + bytes)
      log.move(at + 4, at, bytes)
    }
    u32[(base + separatorOffset(entry)) >>> 2] = separator
    u32[(base + childOffset(capacity, entry)) >>> 2] = child
    u16[(base + AT_COUNT) >>> 1] = count + 1
    log.setWord(separatorOffset(entry), separator)
    log.setWord(childOffset(capacity, entry), child)
    log.set(AT_COUNT, 2, base + AT_COUNT)
  }

  /** Inside a part: removes an entry (never entry 0, whose separator is the low end). */
  removeEntry({ base }: Place, entry: number): void {
    const { log, capacity, pool } = this.shape
    const { u8, u16 } = pool.arena
    const count = u16[(base + AT_COUNT) >>> 1]!
    const bytes = 4 * (count - entry - 1)
    for (const at of [separatorOffset(entry), childOffset(capacity, entry)]) {
      u8.copyWithin(base + at, base + at + 4, base + at + 4 + bytes)
      log.move(at, at + 4, bytes)
    }
    u16[(base + AT_COUNT) >>> 1] = count - 1
    log.set(AT_COUNT, 2, base + AT_COUNT)
  }

  /** Inside a part: another child takes the place of an entry's. */
  setChild({ base }: Place, entry: number, child: Block): void {
    const { log, capacity, pool } = this.shape
    const offset = childOffset(capacity, entry)
    pool.arena.u32[(base + offset) >>> 2] = child
    log.setWord(offset, child)
  }

  /** Inside a part: appends the entries [from, to) of another directory. */
  private appendEntries({ base }: Place, source: Place, from: number, to: number): void {
    const { pool, log, capacity } = this.shape
    const { arena } = pool
    const count = entryCount(arena, base)
    const bytes = 4 * (to - from)
    for (const [target, origin] of [
      [separatorOffset(count), separatorOffset(from)],
      [childOffset(capacity, count), childOffset(capacity, from)],
    ] as const) {
      arena.u8.copyWithin(base + target, source.base + origin, source.base + origin + bytes)
      log.set(target, bytes, base + target)
    }
    arena.u16[(base + AT_COUNT) >>> 1] = count + to - from
    log.set(AT_COUNT, 2, base + AT_COUNT)
  }

  /** Formats a directory with the entries [from, to) of another one. */
  private fill(place: Pinned, source: Place, from: number, to: number): void {
    const { pool, step } = this.shape
    const level = directoryLevel(pool.arena, source.base)
    formatDirectory(pool.arena, place.base, pool.blockSize, level)
    step.format(place, BlockKind.directory, level)
    this.appendEntries(place, source, from, to)
    step.endPart()
  }

  /** The step that splits the directory at a depth of the way, or the one above it, if that is full as well. */
  split(depth: number): void {
    const { turns } = this.shape.way
    const { block } = turns[depth]!
    const above = turns[depth - 1]
    if (above === undefined) this.deepen(block)
    else if (this.isFull(above.block)) this.split(depth - 1)
    else this.halve(block, above)
  }

  /** The directory of an index block moves into two fresh ones below it. */
  private deepen(block: Block): void {
    const { pool, step } = this.shape
    const { arena } = pool
    const [lowBlock, highBlock] = step.take(2)
    const root = step.pin(block)
    const count = entryCount(arena, root.base)
    const level = directoryLevel(arena, root.base)
    const middle = count >>> 1
    const low = step.fresh(lowBlock!)
    const high = step.fresh(highBlock!)
    step.begin(3 * pool.blockSize, [root])
    this.fill(low, root, 0, middle)
    this.fill(high, root, middle, count)
    const separator = separatorOf(arena, root.base, middle)
    formatDirectory(arena, root.base, pool.blockSize, level + 1)
    step.format(root, BlockKind.directory, level + 1)
    this.insertEntry(root, 0, 0, low.block)
    this.insertEntry(root, 1, separator, high.block)
    step.endPart()
    step.end()
  }

  /** Moves the upper half of a directory to a fresh one beside it. */
  private halve(block: Block, above: Turn): void {
    const { pool, log, step } = this.shape
    const { arena } = pool
    const fresh = step.takeOne()
    const low = step.pin(block)
    const parent = step.pin(above.block)
    const count = entryCount(arena, low.base)
    const middle = count >>> 1
    const high = step.fresh(fresh)
    step.begin(2 * pool.blockSize, [low, parent])
    this.fill(high, low, middle, count)
    step.part(low)
    arena.u16[(low.base + AT_COUNT) >>> 1] = middle
    log.set(AT_COUNT, 2, low.base + AT_COUNT)
    step.endPart()
    step.part(parent)
    this.insertEntry(parent, above.entry + 1, separatorOf(arena, high.base, 0), fresh)
    step.endPart()
    step.end()
  }

  /**
   * Steps that take away what the directories at and above a depth of the way need no more: one of few entries merges
   * with its neighbour, and one entry alone goes back into the index block.
   */
  shrink(depth: number): void {
    const { pool, way, capacity, step } = this.shape
    const { block } = way.turns[depth]!
    const count = entryCount(pool.arena, pool.get(block))
    if (depth === 0) {
      if (count === 1) step.run(() => this.flatten(block))
    } else if (count < capacity * MERGE_BELOW) {
      step.run(() => this.merge(way.turns[depth - 1]!))
      this.shrink(depth - 1)
    }
  }

  /** Merges the directory that a turn leads to with a neighbour, if both fit well in one. */
  private merge({ block, entry }: Turn): void {
    const { pool, step, capacity } = this.shape
    const { arena } = pool
    const parent = step.pin(block)
    const at = entry + 1 < entryCount(arena, parent.base) ? entry : entry - 1
    if (at < 0) return
    const leftBlock = childOf(arena, parent.base, capacity, at)
    const rightBlock = childOf(arena, parent.base, capacity, at + 1)
    const left = step.pin(leftBlock)
    const right = step.pin(rightBlock)
    const moved = entryCount(arena, right.base)
    if (entryCount(arena, left.base) + moved > capacity * MERGE_UP_TO) return
    step.begin(2 * pool.blockSize, [left, right, parent])
    step.part(left)
    this.appendEntries(left, right, 0, moved)
    step.endPart()
    step.free(right)
    step.part(parent)
    this.removeEntry(parent, at + 1)
    step.endPart()
    step.end()
  }

  /** The only child of an index block moves into it: a directory one level down, or a bucket that leaves room. */
  private flatten(block: Block): void {
    const { pool, step, records, capacity, usable, counts } = this.shape
    const { arena } = pool
    const root = step.pin(block)
    const child = step.pin(childOf(arena, root.base, capacity, 0))
    const isBucket = arena.u8[child.base + AT_KIND] === BlockKind.bucket
    if (isBucket) {
      const fits = bucketNext(arena, child.base) === 0 && liveBytes(arena, child.base) <= MERGE_UP_TO * usable
      if (!fits) return
    }
    step.begin(2 * pool.blockSize, [root, child])
    if (isBucket) {
      formatBucket(arena, root.base, pool.blockSize)
      records.read(child.base).moveTo(root.base, 0, records.count)
      this.buckets.logFresh(root)
    } else this.fill(root, child, 0, entryCount(arena, child.base))
    step.free(child)
    step.end()
    counts.merges++
  }
}
