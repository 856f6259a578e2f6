/** Makes room in a full bucket: it shares with a neighbour, splits, or grows a chain of overflow blocks. */
import { bucketNext, formatBucket, liveBytes } from '../pager/bucket.ts'
import { childOf, entryCount, formatDirectory } from '../pager/directory.ts'
import { AT_NEXT, BlockKind } from '../pager/layout.ts'
import type { Block } from '../pager/place.ts'
import type { Pinned } from '../txn/step.ts'
import { type BucketChanges, MOVE_BYTES } from './bucket-changes.ts'
import type { DirectoryChanges } from './directory-changes.ts'
import type { KeyBuffer } from './key.ts'
import { chainOf, LONGEST_CHAIN, type Shape } from './shape.ts'
import { appendRecords, group, type PlacedRecord, sumBytes } from './sorted-records.ts'

/** A neighbour takes part of a full bucket's load when it is filled to at most this share. */
const SHARE_BELOW = 0.6
/** Fill of the buckets that an index block is spread over. */
const SPREAD_FILL = 0.7

export class BucketRoom {
  private readonly shape: Shape
  private readonly buckets: BucketChanges
  private readonly directories: DirectoryChanges

  constructor(shape: Shape, buckets: BucketChanges, directories: DirectoryChanges) {
    this.shape = shape
    this.buckets = buckets
    this.directories = directories
  }

  /** One step that gives the key's bucket more room, or the directory above it, which is needed first. */
  make(key: KeyBuffer): void {
    const { pool, way } = this.shape
    const bucket = way.descend(key.hash.root, key.hash.position)
    const { last, depth } = way
    const chain = chainOf(pool, bucket)
    if (chain.length > LONGEST_CHAIN || (last === undefined && chain.length === 1)) this.appendOverflow(chain)
    else if (last !== undefined && chain.length === 1) this.relieve(bucket)
    else if (last !== undefined && this.directories.isFull(last.block)) this.directories.split(depth)
    else if (!this.spread(chain)) this.appendOverflow(chain)
  }

  /** A full bucket below a directory: shares, splits, or grows a chain. */
  private relieve(block: Block): void {
    const { step, way, records } = this.shape
    const bucket = step.pin(block)
    if (records.read(bucket.base).areOfOnePosition) this.appendOverflow([block])
    else if (!this.share(bucket)) {
      if (this.directories.isFull(way.last!.block)) this.directories.split(way.depth)
      else this.split(bucket)
    }
  }

  /** Moves the upper half of a bucket's records to a fresh block behind it in the directory. */
  private split(bucket: Pinned): void {
    const { pool, step, way, records, counts } = this.shape
    const { arena, blockSize } = pool
    const at = records.cut(liveBytes(arena, bucket.base) / 2)
    const { block, entry } = way.last!
    const fresh = step.takeOne()
    const parent = step.pin(block)
    const upper = step.fresh(fresh)
    formatBucket(arena, upper.base, blockSize)
    step.begin(2 * blockSize + MOVE_BYTES, [bucket, parent])
    const separator = records.positionAt(at)
    records.moveTo(upper.base, at, records.count)
    this.buckets.logOutgoing(bucket)
    this.buckets.logFresh(upper)
    step.part(parent)
    this.directories.insertEntry(parent, entry + 1, separator, fresh)
    step.endPart()
    step.end()
    counts.splits++
  }

  /** Evens a full bucket out with the emptier of its neighbours that are in the pool; false if none has room. */
  private share(bucket: Pinned): boolean {
    const { pool, step, way, records, capacity, usable, counts } = this.shape
    const { arena } = pool
    const { block, entry } = way.last!
    const directory = pool.get(block)
    let best = -1
    let load = SHARE_BELOW * usable
    for (const side of [entry + 1, entry - 1]) {
      if (side < 0 || side >= entryCount(arena, directory)) continue
      const neighbour = childOf(arena, directory, capacity, side)
      if (!pool.isResident(neighbour)) continue
      const base = pool.get(neighbour)
      const bytes = liveBytes(arena, base)
      if (bucketNext(arena, base) !== 0 || bytes > load) continue
      best = side
      load = bytes
    }
    if (best < 0) return false
    const toRight = best > entry
    const mine = liveBytes(arena, bucket.base)
    const surplus = (mine - load) / 2
    const at = records.cut(toRight ? mine - surplus : surplus)
    const moved = records.bytesOf(toRight ? at : 0, toRight ? records.count : at)
    // The fuller of both must end less full than before, or two buckets could pass a group back and forth for ever.
    if (at === 0 || load + moved > usable || moved >= mine - load) return false
    const neighbour = step.pin(childOf(arena, directory, capacity, best))
    const parent = step.pin(block)
    this.buckets.moveToNeighbour(bucket, neighbour, parent, toRight ? entry + 1 : entry, at, toRight)
    counts.redistributions++
    return true
  }

  /** Appends an empty overflow block to a bucket's chain. */
  private appendOverflow(chain: readonly Block[]): void {
    const { pool, log, step } = this.shape
    const fresh = step.takeOne()
    const last = step.pin(chain[chain.length - 1]!)
    const overflow = step.fresh(fresh)
    formatBucket(pool.arena, overflow.base, pool.blockSize)
    step.begin(256, [last])
    step.part(last)
    pool.arena.u32[(last.base + AT_NEXT) >>> 2] = fresh
    log.setWord(AT_NEXT, fresh)
    step.endPart()
    this.buckets.logFresh(overflow)
    step.end()
  }

  /**
   * Spreads the records of a short chain over fresh buckets: below a directory these take the chain's place, and an
   * index block becomes a directory over them. False if equal positions stand against it.
   */
  private spread(chain: readonly Block[]): boolean {
    const { step, records, usable } = this.shape
    const places = chain.map(block => step.pin(block))
    const sorted = places.flatMap(({ base }) => records.read(base).placed()).sort((a, b) => a.position - b.position)
    const total = sumBytes(sorted)
    const least = Math.max(2, Math.ceil(total / (SPREAD_FILL * usable)))
    for (let parts = least; parts <= least + 2; parts++) {
      const groups = group(sorted, total / parts)
      if (groups.length < 2 || groups.some(records => sumBytes(records) > usable)) continue
      this.spreadOver(places, groups)
      return true
    }
    return false
  }

  /** The blocks of the chain become free, but for an index block, and the groups get buckets of their own. */
  private spreadOver(chain: readonly Pinned[], groups: PlacedRecord[][]): void {
    const { pool, step, way, counts } = this.shape
    const { arena, blockSize } = pool
    const { last } = way
    const fresh = step.take(groups.length)
    const directory = step.pin(last === undefined ? chain[0]!.block : last.block)
    const buckets = fresh.map(block => step.fresh(block))
    step.begin((groups.length + 2) * blockSize, [...chain, directory])
    groups.forEach((records, i) => {
      const { base } = buckets[i]!
      formatBucket(arena, base, blockSize)
      appendRecords(pool, base, records)
      this.buckets.logFresh(buckets[i]!)
    })
    for (const place of last === undefined ? chain.slice(1) : chain) step.free(place)
    if (last === undefined) {
      formatDirectory(arena, directory.base, blockSize, 0)
      step.format(directory, BlockKind.directory, 0)
      this.directories.insertEntry(directory, 0, 0, fresh[0]!)
    } else {
      step.part(directory)
      this.directories.setChild(directory, last.entry, fresh[0]!)
    }
    const first = last === undefined ? 0 : last.entry
    for (let i = 1; i < groups.length; i++)
      this.directories.insertEntry(directory, first + i, groups[i]![0]!.position, fresh[i]!)
    step.endPart()
    step.end()
    counts.splits += groups.length - 1
  }
}
