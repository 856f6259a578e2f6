/**
 * A B+tree over byte strings: the ordered index over the keys, and the tree over times of expiry. Leaves hold keys
 * alone, the records stay in their buckets.
 *
 * A change of a record finds its leaf first: `prepareInsert` makes room by steps of their own (`txn/step.ts`),
 * `prepareRemove` needs none. Then it logs the leaf's change as a part of its own log record, so that record and trees
 * change together or not at all. Undo goes through the same functions.
 */
import type { BufferPool } from '../buffer/pool.ts'
import { CorruptionError } from '../errors.ts'
import type { FreeBlocks } from '../freelist/blocks.ts'
import type { LogWriter } from '../log/writer.ts'
import { blockLsn } from '../pager/bucket.ts'
import type { Block, Position } from '../pager/place.ts'
import { TreeMerge } from './merge.ts'
import { NodeChanges } from './node-changes.ts'
import { TreeRoom } from './room.ts'
import { type LeafPlace, TreeSearch } from './search.ts'

/** Each round of making room leaves more of it; more rounds than this mean that the tree is not what it should be. */
const MAX_ROUNDS = 256

export class KeyTree extends TreeSearch {
  private readonly nodes: NodeChanges
  private readonly room: TreeRoom
  private readonly merging: TreeMerge
  /**
   * Of the last insertion that was prepared: where the key goes in its leaf, and the prefix that the leaf will have.
   */
  private insertIndex = 0
  private insertPrefix = 0
  /** Of the last removal that was prepared: where the key is. */
  private removeBlock: Block = 0
  private removeIndex = 0

  /** `scratch`: one spare block; `separator`: room for one. */
  constructor(
    parts: { pool: BufferPool; log: LogWriter; free: FreeBlocks; path: string },
    root: Block,
    scratch: Position,
    separator: Position,
  ) {
    super(parts.pool, parts.path, root)
    this.nodes = new NodeChanges(parts, scratch, separator)
    this.room = new TreeRoom(this, this.nodes, parts.path)
    this.merging = new TreeMerge(this, this.nodes)
  }

  /**
   * Goes to the leaf with room for a new key, at `block` and `base`; `logInsert` puts the key there, before anything
   * else changes that leaf.
   * @throws CorruptionError if the key is there already.
   */
  prepareInsert(key: Position, length: number): void {
    const { nodes } = this
    for (let round = 0; ; round++) {
      if (this.find(key, length))
        throw new CorruptionError(this.path, 'the tree holds a key that has no record', this.block)
      const prefix = nodes.prefixFor(this.base, key, length)
      if (nodes.hasRoom(this.base, length, prefix)) {
        this.insertIndex = this.index
        this.insertPrefix = prefix
        return
      }
      if (round > MAX_ROUNDS) throw new CorruptionError(this.path, 'no room can be made in the tree leaf', this.block)
      this.room.make(key, length)
    }
  }

  /**
   * The same for a key whose place was found ahead of time. It is still the right one if the leaf has not changed: what
   * a leaf covers gets less only by a split, which takes keys out of it. False if it has changed, or has no room.
   */
  prepareInsertAt(place: LeafPlace, key: Position, length: number): boolean {
    const { nodes } = this
    const base = this.goTo(place, false)
    if (base === 0) return false
    const prefix = nodes.prefixFor(base, key, length)
    if (!nodes.hasRoom(base, length, prefix)) return false
    this.insertIndex = place.index
    this.insertPrefix = prefix
    return true
  }

  /** Goes to the leaf of a place if that still is the right one, and of a key that is there, or is not; else 0. */
  private goTo(place: LeafPlace, isThere: boolean): Position {
    const { pool } = this
    const base = place.block === 0 || place.isThere !== isThere ? 0 : pool.peek(place.block)
    if (base === 0 || blockLsn(pool.arena, base) !== place.lsn) return 0
    this.block = place.block
    this.base = base
    return base
  }

  /** Goes to the leaf of a key that must be there; `logRemove` takes the key out. */
  prepareRemove(key: Position, length: number): void {
    if (!this.find(key, length)) throw new CorruptionError(this.path, 'the tree lacks the key of a record', this.block)
    this.removeBlock = this.block
    this.removeIndex = this.index
  }

  /** The same for a key whose place was found ahead of time; false if its leaf has changed since. */
  prepareRemoveAt(place: LeafPlace): boolean {
    if (this.goTo(place, true) === 0) return false
    this.removeBlock = place.block
    this.removeIndex = place.index
    return true
  }

  /** Inside the leaf's part of a record: a key goes to the leaf that was prepared for it. */
  logInsert(block: Block, base: Position, key: Position, length: number): void {
    const { nodes, insertIndex } = this
    nodes.makeFit(base, length, this.insertPrefix)
    nodes.placeEntry(base, insertIndex, key, length, 0)
    // The old and the new time of a record may stand in the same leaf.
    if (block === this.removeBlock && insertIndex <= this.removeIndex) this.removeIndex++
    nodes.lastBlock = block
    nodes.lastIndex = insertIndex
  }

  /** Inside the leaf's part of a record: the key goes whose removal was prepared. */
  logRemove(base: Position): void {
    this.nodes.dropEntry(base, this.removeIndex)
    this.removeBlock = 0
  }

  /** Adds a key by a step of its own; its bytes are put to `at` of the arena. */
  add(key: Uint8Array, at: Position): void {
    const { step } = this.nodes
    this.pool.arena.u8.set(key, at)
    this.prepareInsert(at, key.length)
    step.run(() => {
      const leaf = step.pin(this.block)
      step.begin(256 + key.length, [leaf])
      step.part(leaf)
      this.logInsert(leaf.block, leaf.base, at, key.length)
      step.endPart()
      step.end()
    })
  }

  /** True when `shrink` may have something to do for the leaf at `base`. */
  isSparse(block: Block, base: Position): boolean {
    return this.merging.isSparse(block, base)
  }

  /** After the removal of a key: merges its leaf, if that is nearly empty, and what leads to it. */
  shrink(key: Position, length: number): void {
    this.merging.shrink(key, length)
  }

  /**
   * Compaction: fills leaves from left to right, from the leaf of the key at `at` of the arena on. Puts the key to go
   * on from to the same place and returns its length, or -1 behind the last leaf.
   */
  pack(at: Position, length: number): number {
    return this.merging.pack(at, length)
  }

  /** Frees the last leaf, with the nodes above that lead to it alone; false when the tree is empty. */
  removeLast(): boolean {
    return this.merging.removeLast()
  }
}
