/**
 * Reads a tree in order, leaf by leaf: each step copies the next keys to the arena's scan scratch and remembers where to
 * go on, so that the tree may change between two steps.
 */
import type { BufferPool } from '../buffer/pool.ts'
import { type Bound, type Bounds, compareBytes } from '../bytes.ts'
import { copyBytes } from '../encoding.ts'
import { nodeCount, nodeKey, searchNode } from '../pager/node.ts'
import type { KeyTree } from './key-tree.ts'

/** Most keys of one step. */
export const SCAN_KEYS = 512
/** Bytes of scratch for a bound, then for the keys. */
const BOUND_BYTES = 1088

export class TreeScan {
  /** Keys of the last step: positions in the arena, and lengths. */
  count = 0
  readonly at: Int32Array
  readonly length: Int32Array
  done = false
  private readonly pool: BufferPool
  private readonly tree: KeyTree
  private readonly blockSize: number
  private readonly boundAt: number
  private readonly keysAt: number
  private readonly keysEnd: number
  private readonly reverse: boolean
  /** Where to go on, and where to end; in a reverse scan, from the upper to the lower bound. */
  private from: Bound | undefined
  private readonly to: Bound | undefined

  /** `scratch`: `bytes` of the arena, which others may use between two steps. `most`: keys of one step. */
  constructor(
    pool: BufferPool,
    tree: KeyTree,
    scratch: number,
    bytes: number,
    bounds: Bounds,
    reverse: boolean,
    most: number = SCAN_KEYS,
  ) {
    const size = Math.min(most, SCAN_KEYS)
    this.at = new Int32Array(size)
    this.length = new Int32Array(size)
    this.pool = pool
    this.tree = tree
    this.blockSize = pool.blockSize
    this.boundAt = scratch
    this.keysAt = scratch + BOUND_BYTES
    this.keysEnd = scratch + bytes
    this.reverse = reverse
    this.from = reverse ? bounds.upper : bounds.lower
    this.to = reverse ? bounds.lower : bounds.upper
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
    if (this.reverse) this.stepBack(Math.min(most, this.at.length))
    else this.stepAhead(Math.min(most, this.at.length))
  }

  private stepAhead(most: number): void {
    const { tree } = this
    const first = this.enter(false)
    const end = this.to === undefined ? this.leafCount : this.indexOf(this.to, true)
    let index = first
    let at = this.keysAt
    while (index < end && this.count < most) {
      const next = this.take(index, at)
      if (next < 0) break
      at = next
      index++
    }
    if (index < end) this.goOnBehindLast()
    else if (end < this.leafCount) this.done = true
    else this.goOn(tree.fence(true, this.boundAt), true)
  }

  private stepBack(most: number): void {
    const { tree } = this
    const last = this.enter(true)
    const begin = this.to === undefined ? 0 : this.indexOf(this.to, false)
    let index = last
    let at = this.keysAt
    while (index > begin && this.count < most) {
      const next = this.take(index - 1, at)
      if (next < 0) break
      at = next
      index--
    }
    if (index > begin) this.goOnBehindLast()
    else if (begin > 0) this.done = true
    else this.goOn(tree.fence(false, this.boundAt), false)
  }

  private get leafCount(): number {
    return nodeCount(this.pool.arena, this.tree.base)
  }

  /** Descends to where the scan goes on; index of the first entry, or in a reverse scan behind the last one. */
  private enter(reverse: boolean): number {
    const { tree, from } = this
    if (from === undefined) {
      if (reverse) tree.descendLast()
      else tree.descend(this.boundAt, 0)
      return reverse ? this.leafCount : 0
    }
    this.putBound(from)
    tree.descend(this.boundAt, from.key.length, reverse && !from.inclusive)
    return this.indexOf(from, reverse)
  }

  private putBound(bound: Bound): void {
    this.pool.arena.u8.set(bound.key, this.boundAt)
  }

  private indexOf(bound: Bound, isUpper: boolean): number {
    return indexInLeaf(this.pool, this.tree, this.boundAt, bound, isUpper)
  }

  /** Copies a key; returns the position behind it, or -1 if there is no room. */
  private take(index: number, at: number): number {
    const { arena } = this.pool
    if (at + BOUND_BYTES > this.keysEnd) return -1
    const length = nodeKey(arena, this.tree.base, this.blockSize, index, arena.u8, at)
    this.at[this.count] = at
    this.length[this.count++] = length
    return at + length
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
    this.from = { key: copyBytes(this.pool.arena.u8, this.boundAt, this.boundAt + length), inclusive }
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
 * Index in the leaf at hand where a bound parts it: of the first key behind the bound, where an inclusive bound itself
 * counts as before (`isUpper`) or as behind.
 */
const indexInLeaf = (
  pool: BufferPool,
  tree: KeyTree,
  scratch: number,
  bound: Bound,
  isUpper: boolean,
): number => {
  const { arena, blockSize } = pool
  arena.u8.set(bound.key, scratch)
  const found = searchNode(arena, tree.base, blockSize, scratch, bound.key.length)
  return (found >>> 1) + ((found & 1) === 1 && bound.inclusive === isUpper ? 1 : 0)
}

/** Number of keys of a tree between two bounds, leaf by leaf without looking at the keys inside. */
export const countBetween = (pool: BufferPool, tree: KeyTree, scratch: number, bounds: Bounds): number => {
  const { arena } = pool
  let count = 0
  let from = bounds.lower
  for (;;) {
    if (from !== undefined) arena.u8.set(from.key, scratch)
    tree.descend(scratch, from?.key.length ?? 0)
    const inLeaf = nodeCount(arena, tree.base)
    const first = from === undefined ? 0 : indexInLeaf(pool, tree, scratch, from, false)
    const end = bounds.upper === undefined ? inLeaf : indexInLeaf(pool, tree, scratch, bounds.upper, true)
    count += Math.max(0, end - first)
    if (end < inLeaf) return count
    const length = tree.fence(true, scratch)
    if (length < 0) return count
    from = { key: copyBytes(arena.u8, scratch, scratch + length), inclusive: true }
    if (bounds.upper !== undefined && compareBytes(from.key, bounds.upper.key) > 0) return count
  }
}
