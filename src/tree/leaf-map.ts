/**
 * Where the leaves of a tree begin, as the nodes above them tell: which leaf a key belongs to, without going there.
 */

import type { BufferPool } from '../buffer/pool.ts'
import { AT_KIND, BlockKind } from '../pager/layout.ts'
import { nodeChild, nodeCount, nodeKey, nodeLevel } from '../pager/node.ts'
import type { Block, Position } from '../pager/place.ts'
import { compareBytes, copyBytes } from '../runtime/bytes.ts'
import type { TreeSearch } from './search.ts'

const LOWEST = -2147483648
const HIGHEST = 2147483647
const NOTHING = new Uint8Array(0)

export class LeafMap {
  /** The blocks of the leaves, in order. */
  readonly leaves: Block[] = []
  /** Where leaf n begins: nothing for the first one of the tree. */
  private readonly begins: Uint8Array[] = []
  private readonly most: number
  /** So many bytes are the same where all leaves but the first begin; `heads` are the four behind them, as a number. */
  private shared = 0
  private heads: Int32Array = new Int32Array(0)

  private constructor(most: number) {
    this.most = most
  }

  /**
   * Of the state that is read at the moment: the leaves that may hold keys from `lower` up to `upper`, undefined if
   * there are more than `most`. `scratch`: room for a key.
   */
  static of(
    pool: BufferPool,
    tree: TreeSearch,
    scratch: Position,
    most: number,
    lower: Uint8Array | undefined,
    upper: Uint8Array | undefined,
  ): LeafMap | undefined {
    const map = new LeafMap(most)
    if (pool.arena.u8[pool.get(tree.root) + AT_KIND] === BlockKind.leaf) map.add(tree.root, NOTHING)
    else map.walk(pool, tree, scratch, tree.root, NOTHING, 256, lower, upper)
    if (map.leaves.length > most) return undefined
    map.readHeads()
    return map
  }

  private readHeads(): void {
    const { begins } = this
    const last = begins.length - 1
    if (last > 0)
      while (begins[1]![this.shared] === begins[last]![this.shared] && this.shared < begins[1]!.length) this.shared++
    this.heads = new Int32Array(begins.length + 1)
    for (let leaf = 1; leaf <= last; leaf++) this.heads[leaf] = headAt(begins[leaf]!, this.shared, begins[leaf]!.length)
    this.heads[0] = LOWEST
    this.heads[last + 1] = HIGHEST
  }

  /** Where a leaf begins; undefined for the first one, and for the end of the last. */
  begin(leaf: number): Uint8Array | undefined {
    return leaf === 0 ? undefined : this.begins[leaf]
  }

  /** The leaf that holds the key at `at`, or would. Mostly four bytes tell it, and it is the one that is guessed. */
  find(u8: Uint8Array, at: Position, length: number, guess: number): number {
    const { heads, shared, begins } = this
    if (shared > 0) {
      const begin = begins[1]!
      for (let i = 0; i < shared; i++) if (i === length || u8[at + i] !== begin[i]) return this.search(u8, at, length)
    }
    const head = headAt(u8, at + shared, at + length)
    if (heads[guess]! < head && head < heads[guess + 1]!) return guess
    let leaf = 0
    for (let high = begins.length; high - leaf > 1; ) {
      const middle = (leaf + high) >>> 1
      if (heads[middle]! <= head) leaf = middle
      else high = middle
    }
    if (heads[leaf]! < head) return leaf
    if (leaf > 0 && heads[leaf - 1]! < head) return isBehind(begins[leaf]!, u8, at, length) ? leaf - 1 : leaf
    return this.search(u8, at, length)
  }

  private search(u8: Uint8Array, at: Position, length: number): number {
    const { begins } = this
    let leaf = 0
    for (let high = begins.length; high - leaf > 1; ) {
      const middle = (leaf + high) >>> 1
      if (isBehind(begins[middle]!, u8, at, length)) high = middle
      else leaf = middle
    }
    return leaf
  }

  private add(leaf: Block, begin: Uint8Array): void {
    this.leaves.push(leaf)
    this.begins.push(begin)
  }

  private walk(
    pool: BufferPool,
    tree: TreeSearch,
    scratch: Position,
    block: Block,
    begin: Uint8Array,
    levelAbove: number,
    lower: Uint8Array | undefined,
    upper: Uint8Array | undefined,
  ): void {
    const { arena, blockSize } = pool
    const base = pool.get(block)
    const level = nodeLevel(arena, base)
    if (level >= levelAbove || arena.u8[base + AT_KIND] !== BlockKind.inner) throw tree.misplaced(block)
    const count = nodeCount(arena, base)
    // Reading another node may move this one.
    const children: Block[] = []
    const begins: Uint8Array[] = []
    for (let entry = 0; entry < count; entry++) {
      let from = begin
      if (entry > 0) {
        const length = nodeKey(arena, base, blockSize, entry, arena.u8, scratch)
        from = copyBytes(arena.u8, scratch, scratch + length)
        if (upper !== undefined && compareBytes(from, upper) >= 0) break
        if (lower !== undefined && compareBytes(from, lower) <= 0) children.length = begins.length = 0
      }
      children.push(nodeChild(arena, base, entry))
      begins.push(from)
    }
    for (let i = 0; i < children.length && this.leaves.length <= this.most; i++)
      if (level === 1) this.add(children[i]!, begins[i]!)
      else this.walk(pool, tree, scratch, children[i]!, begins[i]!, level, lower, upper)
  }
}

/** Four bytes at `at`, zeros behind the `end`, as a signed number of the same order. */
const headAt = (u8: Uint8Array, at: Position, end: number): number => {
  if (at + 4 <= end) return ((u8[at]! << 24) | (u8[at + 1]! << 16) | (u8[at + 2]! << 8) | u8[at + 3]!) ^ LOWEST
  let head = 0
  for (let i = at; i < at + 4; i++) head = (head << 8) | (i < end ? u8[i]! : 0)
  return head ^ LOWEST
}

/** Whether `begin` lies behind the key. */
const isBehind = (begin: Uint8Array, u8: Uint8Array, at: Position, length: number): boolean => {
  const shared = begin.length < length ? begin.length : length
  for (let i = 0; i < shared; i++) {
    const difference = begin[i]! - u8[at + i]!
    if (difference !== 0) return difference > 0
  }
  return begin.length > length
}
