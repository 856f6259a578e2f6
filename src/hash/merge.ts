/**
 * Gives blocks back when buckets shrink: an empty overflow block leaves its chain, a nearly empty bucket merges with a
 * neighbour. Compaction, which wants buckets as full as they can be, fills them from left to right.
 */
import { bucketNext, liveBytes } from '../pager/bucket.ts'
import { childOf, entryCount, separatorOf } from '../pager/directory.ts'
import { AT_LIVE, AT_NEXT } from '../pager/layout.ts'
import type { Block, Position } from '../pager/place.ts'
import type { Pinned } from '../txn/step.ts'
import { type BucketChanges, MOVE_BYTES } from './bucket-changes.ts'
import type { DirectoryChanges } from './directory-changes.ts'
import type { KeyBuffer } from './key.ts'
import { chainOf, MERGE_BELOW, MERGE_UP_TO, type Shape } from './shape.ts'

export class BucketMerge {
  private readonly shape: Shape
  private readonly buckets: BucketChanges
  private readonly directories: DirectoryChanges

  constructor(shape: Shape, buckets: BucketChanges, directories: DirectoryChanges) {
    this.shape = shape
    this.buckets = buckets
    this.directories = directories
  }

  private isSparse(base: Position): boolean {
    const { pool, usable } = this.shape
    return liveBytes(pool.arena, base) < MERGE_BELOW * usable
  }

  /** After a removal: steps that give back what the key's bucket does not need any more. */
  shrink(key: KeyBuffer): void {
    const { pool, step, way } = this.shape
    const bucket = way.descend(key.hash.root, key.hash.position)
    const base = pool.get(bucket)
    if (bucketNext(pool.arena, base) !== 0) step.run(() => this.unlinkEmpty(bucket))
    else if (way.depth >= 0 && this.isSparse(base)) {
      step.run(() => this.merge(bucket))
      this.directories.shrink(way.depth)
    }
  }

  /** Inside a step: takes the first empty overflow block out of a bucket's chain. */
  unlinkEmpty(bucket: Block): void {
    const { pool, log, step, counts } = this.shape
    const { arena } = pool
    const chain = chainOf(pool, bucket)
    const at = chain.findIndex((block, i) => i > 0 && arena.u16[(pool.get(block) + AT_LIVE) >>> 1] === 0)
    if (at < 0) return
    const before = step.pin(chain[at - 1]!)
    const empty = step.pin(chain[at]!)
    const next = bucketNext(arena, empty.base)
    step.begin(256, [before, empty])
    step.part(before)
    arena.u32[(before.base + AT_NEXT) >>> 2] = next
    log.setWord(AT_NEXT, next)
    step.endPart()
    step.free(empty)
    step.end()
    counts.merges++
  }

  /** Merges a bucket with a neighbour, if both fit well in one block. */
  private merge(block: Block): void {
    const { pool, step, way, capacity, usable } = this.shape
    const { arena } = pool
    const { block: directory, entry } = way.last!
    const parent = step.pin(directory)
    const bucket = step.pin(block)
    const count = entryCount(arena, parent.base)
    for (const side of [entry + 1, entry - 1]) {
      if (side < 0 || side >= count) continue
      const neighbour = childOf(arena, parent.base, capacity, side)
      const other = step.pin(neighbour)
      const together = liveBytes(arena, other.base) + liveBytes(arena, bucket.base)
      if (bucketNext(arena, other.base) !== 0 || together > MERGE_UP_TO * usable) continue
      if (side > entry) this.join(bucket, other, parent, side)
      else this.join(other, bucket, parent, entry)
      return
    }
  }

  /** The records of the right bucket go to the left one; `entry`: of the right one. */
  private join(left: Pinned, right: Pinned, parent: Pinned, entry: number): void {
    const { pool, step, records, counts } = this.shape
    const { count } = records.read(right.base)
    step.begin(2 * pool.blockSize + MOVE_BYTES, [left, right, parent])
    if (count > 0) this.buckets.logIncoming(left, 0, count)
    step.free(right)
    step.part(parent)
    this.directories.removeEntry(parent, entry)
    step.endPart()
    step.end()
    counts.merges++
  }

  /**
   * Compaction: one step that fills the bucket of a position below the index block `root` from the one behind it in the
   * same directory; returns where to go on, or -1 when that was the last one.
   */
  pack(root: Block, position: number): number {
    const { step, way } = this.shape
    const bucket = way.descend(root, position)
    if (way.depth < 0) return -1
    const next = step.run(() => this.fill(bucket, position))
    if (next !== undefined) return next
    // The last bucket of its directory: on to the next directory, before this one perhaps goes.
    const end = way.end()
    this.directories.shrink(way.depth)
    return end
  }

  /** Where to go on, or undefined for the last bucket of a directory. */
  private fill(block: Block, position: number): number | undefined {
    const { pool, step, way, capacity } = this.shape
    const { arena } = pool
    const { block: directory, entry } = way.last!
    const parent = step.pin(directory)
    const left = step.pin(block)
    if (entry + 1 >= entryCount(arena, parent.base)) return undefined
    const right = step.pin(childOf(arena, parent.base, capacity, entry + 1))
    const isMerged = this.packInto(left, right, parent, entry + 1)
    return isMerged ? position : separatorOf(arena, parent.base, entry + 1)
  }

  /** Moves what fits from a bucket to the one before it; true if that is all of it, and the bucket is gone. */
  private packInto(left: Pinned, right: Pinned, parent: Pinned, entry: number): boolean {
    const { pool, records, usable } = this.shape
    const { arena } = pool
    if (bucketNext(arena, left.base) !== 0 || bucketNext(arena, right.base) !== 0) return false
    const mine = liveBytes(arena, left.base)
    const isAll = mine + liveBytes(arena, right.base) <= usable
    const at = isAll ? 0 : records.read(right.base).cutWithin(usable - mine)
    if (!isAll && at === 0) return false
    if (isAll) this.join(left, right, parent, entry)
    else this.buckets.moveToNeighbour(right, left, parent, entry, at, false)
    return isAll
  }
}
