/**
 * Finds the way through a tree: from its root, a fixed block, to the leaf of a key. A leaf has no links to its
 * neighbours; where it ends, the separator in a node above tells (`fence`), from which a scan goes on.
 */
import type { BufferPool } from '../buffer/pool.ts'
import { CorruptionError } from '../errors.ts'
import { blockLsn } from '../pager/bucket.ts'
import { AT_KIND, BlockKind, kindName } from '../pager/layout.ts'
import { nodeChild, nodeCount, nodeKey, nodeLevel, searchNode } from '../pager/node.ts'
import type { Block, Lsn, Position } from '../pager/place.ts'

export const MAX_TREE_DEPTH = 16

/** Where a key is, or would go, as it was found ahead of time. */
export class LeafPlace {
  /** 0: nobody knows. */
  block: Block = 0
  index = 0
  /** The key is there. */
  isThere = false
  /** LSN of the leaf's last change. */
  lsn: Lsn = 0
}

export class TreeSearch {
  root: Block
  /**
   * The leaf of the last search, or of the place last prepared, and its position; of a search, the index of the key.
   */
  block: Block = 0
  base: Position = 0
  index = 0
  /** The way from the root to the leaf: inner nodes, and the entry taken in each. */
  readonly wayBlock: Int32Array = new Int32Array(MAX_TREE_DEPTH)
  readonly wayEntry: Int32Array = new Int32Array(MAX_TREE_DEPTH)
  depth = 0
  protected readonly pool: BufferPool
  protected readonly path: string
  protected readonly blockSize: number

  constructor(pool: BufferPool, path: string, root: Block) {
    this.pool = pool
    this.path = path
    this.blockSize = pool.blockSize
    this.root = root
  }

  /** Finds a key, which lies in the arena; true if it is there. */
  find(key: Position, length: number): boolean {
    this.descend(key, length)
    const found = searchNode(this.pool.arena, this.base, this.blockSize, key, length)
    this.index = found >>> 1
    return (found & 1) === 1
  }

  /** Goes to the leaf of a key; `before`: to the leaf of the keys just below it. */
  descend(key: Position, length: number, before: boolean = false): void {
    const { pool, blockSize, path } = this
    const { arena } = pool
    let block = this.root
    let base = pool.get(block)
    let depth = 0
    while (arena.u8[base + AT_KIND] === BlockKind.inner) {
      if (depth === MAX_TREE_DEPTH)
        throw new CorruptionError(path, 'the tree nodes are nested too deeply, or cyclic', block)
      const found = searchNode(arena, base, blockSize, key, length)
      const entry = entryTo(found, before)
      this.wayBlock[depth] = block
      this.wayEntry[depth++] = entry
      block = nodeChild(arena, base, entry)
      base = pool.get(block)
    }
    this.arrive(block, base, depth)
  }

  /** The leaf of a key, which may not be in the pool; 0 if a node of the way to it is not. */
  peekLeaf(key: Position, length: number): Block {
    const { pool, blockSize } = this
    const { arena } = pool
    let block = this.root
    let base = pool.peek(block)
    if (base === 0) return 0
    // Below a node of level 1 lies a leaf: looking whether that is so would wait for its memory.
    for (let level = nodeLevel(arena, base); level > 0; level--) {
      const found = searchNode(arena, base, blockSize, key, length)
      block = nodeChild(arena, base, entryTo(found, false))
      if (level === 1) break
      base = pool.peek(block)
      if (base === 0) return 0
    }
    return block
  }

  /** Where a key is in its leaf, or would go, as long as that does not change. */
  peekPlace(leaf: Block, key: Position, length: number, place: LeafPlace): void {
    const { pool, blockSize } = this
    const { arena } = pool
    const base = pool.peek(leaf)
    const found = searchNode(arena, base, blockSize, key, length)
    place.block = arena.u8[base + AT_KIND] === BlockKind.leaf ? leaf : 0
    place.index = found >>> 1
    place.isThere = (found & 1) === 1
    place.lsn = blockLsn(arena, base)
  }

  /** Goes to the last leaf. */
  descendLast(): void {
    const { pool } = this
    let block = this.root
    let base = pool.get(block)
    let depth = 0
    while (pool.arena.u8[base + AT_KIND] === BlockKind.inner) {
      if (depth === MAX_TREE_DEPTH)
        throw new CorruptionError(this.path, 'the tree nodes are nested too deeply, or cyclic', block)
      const entry = nodeCount(pool.arena, base) - 1
      this.wayBlock[depth] = block
      this.wayEntry[depth++] = entry
      block = nodeChild(pool.arena, base, entry)
      base = pool.get(block)
    }
    this.arrive(block, base, depth)
  }

  /**
   * After a descent: puts the separator that ends the leaf (`ahead`) or begins it at `to` of the arena and returns its
   * length, or -1 where there is none. The position of the leaf is no longer valid then.
   */
  fence(ahead: boolean, to: Position): number {
    const { pool } = this
    const { arena } = pool
    for (let depth = this.depth - 1; depth >= 0; depth--) {
      const entry = this.wayEntry[depth]! + (ahead ? 1 : 0)
      const base = pool.get(this.wayBlock[depth]!)
      if (entry > 0 && entry < nodeCount(arena, base)) return nodeKey(arena, base, this.blockSize, entry, arena.u8, to)
    }
    return -1
  }

  private arrive(block: Block, base: Position, depth: number): void {
    if (this.pool.arena.u8[base + AT_KIND] !== BlockKind.leaf)
      throw new CorruptionError(
        this.path,
        `expected a tree leaf, found a ${kindName(this.pool.arena.u8[base + AT_KIND]!)}`,
        block,
      )
    this.block = block
    this.base = base
    this.depth = depth
  }

  /** The error for a node that is not what the nodes above it promise. */
  misplaced(block: Block): CorruptionError {
    return new CorruptionError(this.path, 'the tree node does not fit where it stands in the tree', block)
  }

  /** The node at a depth of the way; behind the inner nodes lies the leaf. */
  blockAt(depth: number): Block {
    return depth === this.depth ? this.block : this.wayBlock[depth]!
  }
}

/** The entry of an inner node that leads on, by what `searchNode` found; `before`: to the keys just below that one. */
const entryTo = (found: number, before: boolean): number =>
  (found & 1) === 0 || before ? Math.max(0, (found >>> 1) - 1) : found >>> 1
