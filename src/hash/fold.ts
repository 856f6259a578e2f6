/**
 * Compaction of what lies below an index block: a directory over a few buckets takes a block for itself, and the last
 * bucket is half empty on average. So the records of the first bucket go into the index block, and the other buckets
 * become its overflow blocks, which are filled whatever the positions of their records. The next record that has no room
 * there makes a directory of it again (`BucketRoom.make`).
 */
import { bucketNext, formatBucket, liveBytes } from '../pager/bucket.ts'
import { childOf, directoryLevel, entryCount } from '../pager/directory.ts'
import { AT_KIND, AT_LIVE, AT_NEXT, BlockKind } from '../pager/layout.ts'
import type { Block } from '../pager/place.ts'
import { type BucketChanges, MOVE_BYTES } from './bucket-changes.ts'
import { chainOf, LONGEST_CHAIN, type Shape } from './shape.ts'

/** A search looks at the slots of a whole chain: more records keep their directory. */
const MOST_RECORDS = 512

export class IndexBlockFolding {
  private readonly shape: Shape
  private readonly buckets: BucketChanges
  private readonly unlinkEmpty: (bucket: Block) => void

  /** `unlinkEmpty`: the step that takes an empty overflow block out of a chain. */
  constructor(shape: Shape, buckets: BucketChanges, unlinkEmpty: (bucket: Block) => void) {
    this.shape = shape
    this.buckets = buckets
    this.unlinkEmpty = unlinkEmpty
  }

  /** One step; false if there is nothing more to do. */
  fold(root: Block): boolean {
    const { pool, step } = this.shape
    const isDirectory = pool.arena.u8[pool.get(root) + AT_KIND] === BlockKind.directory
    return step.run(() => (isDirectory ? this.foldDirectory(root) : this.fillChain(root)))
  }

  /** The first bucket moves into the index block, the others hang on to it. */
  private foldDirectory(block: Block): boolean {
    const { pool, log, step, records, capacity, counts } = this.shape
    const { arena, blockSize } = pool
    const root = step.pin(block)
    const count = entryCount(arena, root.base)
    if (directoryLevel(arena, root.base) > 0 || count > LONGEST_CHAIN) return false
    const children = Array.from({ length: count }, (_, entry) => step.pin(childOf(arena, root.base, capacity, entry)))
    if (children.some(({ base }) => bucketNext(arena, base) !== 0)) return false
    const live = children.reduce((sum, { base }) => sum + arena.u16[(base + AT_LIVE) >>> 1]!, 0)
    if (count > 1 && live > MOST_RECORDS) return false
    const [first, ...others] = children
    step.begin(2 * blockSize + MOVE_BYTES, [root, ...children])
    formatBucket(arena, root.base, blockSize)
    records.read(first!.base).moveTo(root.base, 0, records.count)
    arena.u32[(root.base + AT_NEXT) >>> 2] = others[0]?.block ?? 0
    this.buckets.logFresh(root)
    others.forEach((place, i) => {
      const next = others[i + 1]
      if (next === undefined) return
      step.part(place)
      arena.u32[(place.base + AT_NEXT) >>> 2] = next.block
      log.setWord(AT_NEXT, next.block)
      step.endPart()
    })
    step.free(first!)
    step.end()
    counts.merges++
    return true
  }

  /** Moves records of a chain to the block before theirs that has room, or gives back a block that is empty. */
  private fillChain(bucket: Block): boolean {
    const { pool, step, records, usable } = this.shape
    const { arena, blockSize } = pool
    const chain = chainOf(pool, bucket)
    for (let i = 1; i < chain.length; i++) {
      const room = usable - liveBytes(arena, pool.get(chain[i - 1]!))
      const base = pool.get(chain[i]!)
      if (liveBytes(arena, base) === 0) {
        this.unlinkEmpty(bucket)
        return true
      }
      const moved = records.read(base).countWithin(room)
      if (moved === 0) continue
      const left = step.pin(chain[i - 1]!)
      const right = step.pin(chain[i]!)
      records.read(right.base)
      step.begin(2 * blockSize + MOVE_BYTES, [left, right])
      this.buckets.logIncoming(left, 0, moved)
      this.buckets.logOutgoing(right)
      step.end()
      return true
    }
    return false
  }
}
