/**
 * Reads a tree in order, leaf by leaf: each step copies the next keys to the arena's scan scratch (`copyLeafKeys`) and
 * remembers where to go on, so that the tree may change between two steps.
 */

import type { BufferPool } from '../buffer/pool.ts'
import { blockLsn } from '../pager/bucket.ts'
import { copyLeafKeys, type KeyRoom, nodeChild, nodeCount, nodeKey, searchNode } from '../pager/node.ts'
import type { Block, Lsn, Position } from '../pager/place.ts'
import { type Bound, type Bounds, compareBytes, copyBytes } from '../runtime/bytes.ts'
import type { TreeSearch } from './search.ts'

/** Most keys of one step. */
export const SCAN_KEYS = 512
/** Bytes of scratch for a bound, then for the keys. */
const BOUND_BYTES = 1088

/**
 * Where a step puts what it reads: one room for all scans of a database, each of which is done with it before another
 * steps.
 */
export class ScanRoom implements KeyRoom {
  readonly boundAt: Position
  readonly start: number
  readonly end: number
  readonly at: Int32Array = new Int32Array(SCAN_KEYS)
  readonly length: Int32Array = new Int32Array(SCAN_KEYS)

  /** `scratch`: `bytes` of the arena. */
  constructor(scratch: Position, bytes: number) {
    this.boundAt = scratch
    this.start = scratch + BOUND_BYTES
    this.end = scratch + bytes
  }
}

export class TreeScan {
  /** Keys of the last step: positions in the arena, and lengths. */
  count = 0
  readonly at: Int32Array
  readonly length: Int32Array
  done = false
  /** The leaf of the last step, as it was then: its LSN, how many keys it has, where in it the keys stand. */
  leaf: Block = 0
  leafLsn: Lsn = 0
  leafKeys = 0
  firstIndex = 0
  readonly direction: 1 | -1
  private readonly pool: BufferPool
  private readonly tree: TreeSearch
  private readonly room: ScanRoom
  private readonly reverse: boolean
  /** Where to go on, and where to end; in a reverse scan, from the upper to the lower bound. */
  private from: Bound | undefined
  private readonly to: Bound | undefined

  constructor(pool: BufferPool, tree: TreeSearch, room: ScanRoom, bounds: Bounds, reverse: boolean) {
    this.pool = pool
    this.tree = tree
    this.room = room
    this.at = room.at
    this.length = room.length
    this.reverse = reverse
    this.direction = reverse ? -1 : 1
    this.from = reverse ? bounds.upper : bounds.lower
    this.to = reverse ? bounds.lower : bounds.upper
  }

  /** Where the next step begins; undefined: at the end that the scan comes from. */
  get place(): Bound | undefined {
    return this.from
  }

  /** Goes on from another place that lies ahead, or ends if that lies behind the end of the scan. */
  skipTo(from: Bound | undefined): void {
    this.from = from
    if (from === undefined || (this.to !== undefined && this.isBehindEnd(from))) this.done = true
  }

  /** Goes on from another place. */
  restart(from: Bound | undefined): void {
    this.from = from
    this.done = false
  }

  /** Reads at most `most` keys of the next leaf: perhaps none, with `done` telling whether that was all. */
  step(most: number): void {
    this.count = 0
    if (this.done) return
    if (this.reverse) this.stepBack(Math.min(most, SCAN_KEYS))
    else this.stepAhead(Math.min(most, SCAN_KEYS))
  }

  private stepAhead(most: number): void {
    const { tree } = this
    const first = this.enter(false)
    const end = this.to === undefined ? this.leafCount : this.indexOf(this.to, true)
    this.take(first, Math.min(most, end - first))
    if (first + this.count < end) this.goOnBehindLast()
    else if (end < this.leafCount) this.done = true
    else this.goOn(tree.fence(true, this.room.boundAt), true)
  }

  private stepBack(most: number): void {
    const { tree } = this
    const last = this.enter(true)
    const begin = this.to === undefined ? 0 : this.indexOf(this.to, false)
    this.take(last - 1, Math.min(most, last - begin))
    if (last - this.count > begin) this.goOnBehindLast()
    else if (begin > 0) this.done = true
    else this.goOn(tree.fence(false, this.room.boundAt), false)
  }

  private get leafCount(): number {
    return nodeCount(this.pool.arena, this.tree.base)
  }

  /** Descends to where the scan goes on; index of the first entry, or in a reverse scan behind the last one. */
  private enter(reverse: boolean): number {
    const { pool, tree, from, room } = this
    if (from === undefined) {
      if (reverse) tree.descendLast()
      else tree.descend(room.boundAt, 0)
      return reverse ? this.leafCount : 0
    }
    pool.arena.u8.set(from.key, room.boundAt)
    tree.descend(room.boundAt, from.key.length, reverse && !from.inclusive)
    return indexInLeaf(pool, tree, room.boundAt, from, reverse)
  }

  private indexOf(bound: Bound, isUpper: boolean): number {
    const { pool, tree, room } = this
    pool.arena.u8.set(bound.key, room.boundAt)
    return indexInLeaf(pool, tree, room.boundAt, bound, isUpper)
  }

  private take(first: number, most: number): void {
    const { pool, tree, room } = this
    this.leaf = tree.block
    this.leafLsn = blockLsn(pool.arena, tree.base)
    this.leafKeys = this.leafCount
    this.firstIndex = first
    this.count = copyLeafKeys(pool.arena, tree.base, pool.blockSize, first, this.direction, most, room)
  }

  private goOnBehindLast(): void {
    const last = this.count - 1
    const at = this.at[last]!
    this.from = { key: copyBytes(this.pool.arena.u8, at, at + this.length[last]!), inclusive: false }
  }

  private goOn(length: number, inclusive: boolean): void {
    if (length < 0) {
      this.done = true
      return
    }
    this.from = {
      key: copyBytes(this.pool.arena.u8, this.room.boundAt, this.room.boundAt + length),
      inclusive,
    }
    if (this.to !== undefined && this.isBehindEnd(this.from)) this.done = true
  }

  /** The separator where the scan would go on lies at or behind its end. */
  private isBehindEnd(from: Bound): boolean {
    const order = compareBytes(from.key, this.to!.key)
    if (this.reverse) return order < 0 || (order === 0 && !from.inclusive)
    return order > 0 || (order === 0 && !this.to!.inclusive)
  }
}

/**
 * Index in the leaf at hand where a bound, whose key lies at `at`, parts it: of the first key behind the bound, where
 * an inclusive bound itself counts as before (`isUpper`) or as behind.
 */
const indexInLeaf = (pool: BufferPool, tree: TreeSearch, at: Position, bound: Bound, isUpper: boolean): number => {
  const found = searchNode(pool.arena, tree.base, pool.blockSize, at, bound.key.length)
  return (found >>> 1) + ((found & 1) === 1 && bound.inclusive === isUpper ? 1 : 0)
}

/**
 * Number of keys of a tree between two bounds, leaf by leaf without looking at the keys inside. Does not go on once it
 * has counted `enough` of them.
 */
export const countBetween = (
  pool: BufferPool,
  tree: TreeSearch,
  scratch: Position,
  bounds: Bounds,
  enough: number = Number.POSITIVE_INFINITY,
): number => {
  const { arena } = pool
  let count = 0
  let from = bounds.lower
  for (;;) {
    if (from !== undefined) arena.u8.set(from.key, scratch)
    tree.descend(scratch, from?.key.length ?? 0)
    const inLeaf = nodeCount(arena, tree.base)
    const first = from === undefined ? 0 : indexInLeaf(pool, tree, scratch, from, false)
    if (bounds.upper !== undefined) arena.u8.set(bounds.upper.key, scratch)
    const end = bounds.upper === undefined ? inLeaf : indexInLeaf(pool, tree, scratch, bounds.upper, true)
    count += Math.max(0, end - first)
    if (end < inLeaf || count >= enough) return count
    const behind = neighboursBetween(pool, tree, scratch, bounds.upper)
    if (behind !== undefined) {
      for (const leaf of behind.leaves) count += pool.keysIn(leaf)
      from = { key: behind.end, inclusive: true }
      continue
    }
    const length = tree.fence(true, scratch)
    if (length < 0) return count
    from = { key: copyBytes(arena.u8, scratch, scratch + length), inclusive: true }
    if (bounds.upper !== undefined && compareBytes(from.key, bounds.upper.key) > 0) return count
  }
}

/**
 * The leaves behind the one at hand that have the same parent and end before the upper bound, whose key lies at `at`,
 * and where they end; undefined if there are none. The last child of a parent is never among them.
 */
const neighboursBetween = (
  pool: BufferPool,
  tree: TreeSearch,
  at: Position,
  upper: Bound | undefined,
): { leaves: number[]; end: Uint8Array } | undefined => {
  if (tree.depth === 0) return undefined
  const { arena, blockSize } = pool
  const base = pool.get(tree.wayBlock[tree.depth - 1]!)
  const first = tree.wayEntry[tree.depth - 1]! + 1
  let last = nodeCount(arena, base) - 1
  if (upper !== undefined) {
    const found = searchNode(arena, base, blockSize, at, upper.key.length)
    last = Math.min(last, (found & 1) === 1 ? found >>> 1 : (found >>> 1) - 1)
  }
  if (last <= first) return undefined
  const leaves: number[] = []
  for (let entry = first; entry < last; entry++) leaves.push(nodeChild(arena, base, entry))
  const length = nodeKey(arena, base, blockSize, last, arena.u8, at)
  return { leaves, end: copyBytes(arena.u8, at, at + length) }
}
