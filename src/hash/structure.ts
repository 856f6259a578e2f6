/**
 * The shape of the hash index. Every change of it is a step (`txn/step.ts`): one system record, never undone. A step
 * changes where records lie, never what they are, so that it needs nothing of the transaction that caused it: locks are
 * those of keys.
 *
 *   index block full          -> one overflow block                                        room.ts
 *   that full too             -> the index block becomes a directory over fresh buckets    room.ts
 *   bucket full               -> shares with a neighbour that has room, else splits        room.ts
 *   all positions equal       -> overflow chain                                            room.ts
 *   directory full            -> splits; at the index block: one more level                directory-changes.ts
 *   bucket nearly empty       -> merges with a neighbour                                   merge.ts
 *   directory of one entry    -> goes back into its index block                            directory-changes.ts
 *   compaction: few buckets   -> index block and overflow blocks, without a directory      fold.ts
 */
import type { BufferPool } from '../buffer/pool.ts'
import type { FreeBlocks } from '../freelist/blocks.ts'
import type { LogWriter } from '../log/writer.ts'
import { bucketNext, liveBytes } from '../pager/bucket.ts'
import { directoryCapacity } from '../pager/directory.ts'
import { HEADER_BYTES } from '../pager/layout.ts'
import type { Block, Position } from '../pager/place.ts'
import { Step } from '../txn/step.ts'
import { BucketChanges } from './bucket-changes.ts'
import { DirectoryChanges } from './directory-changes.ts'
import { IndexBlockFolding } from './fold.ts'
import type { KeyBuffer } from './key.ts'
import type { KeyHash } from './key-hash.ts'
import { BucketMerge } from './merge.ts'
import { BucketRoom } from './room.ts'
import { MERGE_BELOW, type Shape, Way } from './shape.ts'
import { SortedRecords } from './sorted-records.ts'

export class Structure {
  /** How often each has happened. */
  readonly counts: Shape['counts'] = { splits: 0, redistributions: 0, merges: 0 }
  private readonly pool: BufferPool
  private readonly step: Step
  /** A bucket of fewer bytes looks for a neighbour to merge with. */
  private readonly sparse: number
  private readonly room: BucketRoom
  private readonly merging: BucketMerge
  private readonly folding: IndexBlockFolding

  /** `scratch`: one block's worth of spare bytes. */
  constructor(
    parts: {
      pool: BufferPool
      log: LogWriter
      free: FreeBlocks
      /** One of its own, since the key at hand is needed again behind a change. */
      hash: KeyHash
    },
    scratch: Position,
  ) {
    const { pool, log } = parts
    const capacity = directoryCapacity(pool.blockSize)
    this.pool = pool
    this.step = new Step(parts)
    const shape: Shape = {
      pool,
      log,
      step: this.step,
      way: new Way(pool, capacity),
      records: new SortedRecords(pool, parts.hash),
      capacity,
      usable: pool.blockSize - HEADER_BYTES,
      counts: this.counts,
    }
    this.sparse = MERGE_BELOW * shape.usable
    const buckets = new BucketChanges(shape, scratch)
    const directories = new DirectoryChanges(shape, buckets)
    this.room = new BucketRoom(shape, buckets, directories)
    this.merging = new BucketMerge(shape, buckets, directories)
    this.folding = new IndexBlockFolding(shape, buckets, bucket => this.merging.unlinkEmpty(bucket))
  }

  /** Changes the shape so that the key's bucket has more room; the caller searches again, and asks again if need be. */
  makeRoom(key: KeyBuffer): void {
    this.step.run(() => this.room.make(key))
  }

  /** True when `shrink` may have something to do for the bucket with a block at `base`. */
  isSparse(base: Position, bucket: Block, block: Block): boolean {
    return liveBytes(this.pool.arena, base) < this.sparse || block !== bucket || bucketNext(this.pool.arena, base) !== 0
  }

  /** After a removal: gives back what the key's bucket, and the directories that lead to it, do not need any more. */
  shrink(key: KeyBuffer): void {
    this.merging.shrink(key)
  }

  /**
   * Compaction: fills the buckets of one directory from left to right, from the one that holds `position` of the index
   * block `root` on; returns where to go on, or -1 when that was the last one.
   */
  pack(root: Block, position: number): number {
    return this.merging.pack(root, position)
  }

  /**
   * Compaction: one step that lets the few buckets below an index block, packed before, take as few blocks as they can;
   * false if there is nothing more to do.
   */
  fold(root: Block): boolean {
    return this.folding.fold(root)
  }
}
