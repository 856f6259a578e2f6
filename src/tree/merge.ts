/**
 * Gives nodes back when a tree shrinks: a nearly empty node merges with a neighbour under the same parent, and the only
 * child of the root moves into it. Compaction, which wants leaves as full as they can be, fills them from left to
 * right.
 */
import {
  appendNodeEntries,
  buildNode,
  entryBytes,
  formatNode,
  insertNodeEntry,
  liveBytesWithPrefix,
  MAX_TREE_KEY_BYTES,
  NODE_SLOT_BYTES,
  nodeChild,
  nodeCount,
  nodeKey,
  nodeLevel,
  nodeLiveBytes,
  prefixLength,
} from '../pager/node.ts'
import type { Block, Place, Position } from '../pager/place.ts'
import type { Pinned } from '../txn/step.ts'
import { keyWork, type NodeChanges } from './node-changes.ts'
import type { TreeSearch } from './search.ts'

/** A node filled to less than this share looks for a neighbour to merge with … */
const MERGE_BELOW = 0.2
/** … if both together fill one to at most this share. */
const MERGE_UP_TO = 0.6
/** It looks again not at each removal, but when so many more of its keys have gone, or it has no more than these. */
const LOOK_EVERY = 8

export class TreeMerge {
  private readonly tree: TreeSearch
  private readonly nodes: NodeChanges

  constructor(tree: TreeSearch, nodes: NodeChanges) {
    this.tree = tree
    this.nodes = nodes
  }

  /** True when `shrink` may have something to do for the node at `base`. */
  isSparse(block: Block, base: Position): boolean {
    const { arena } = this.nodes.pool
    if (block === this.tree.root) return false
    // A node that leads to nothing more, or to one child alone, may still have a long prefix.
    const count = nodeCount(arena, base)
    const isInner = nodeLevel(arena, base) > 0
    if (count <= (isInner ? 1 : 0)) return true
    if (nodeLiveBytes(arena, base) >= MERGE_BELOW * this.nodes.usable) return false
    return isInner || count <= LOOK_EVERY || count % LOOK_EVERY === 0
  }

  /**
   * After a removal: merges a nearly empty leaf with a neighbour, and so on upwards. A node without neighbours gets
   * some when the one above it merges, so that what is empty goes in the end.
   */
  shrink(key: Position, length: number): void {
    const { tree } = this
    for (let again = true; again; ) {
      again = false
      tree.descend(key, length)
      for (let depth = tree.depth; depth > 0 && !again; depth--) {
        const block = tree.blockAt(depth)
        if (!this.isSparse(block, this.nodes.pool.get(block))) break
        again = this.merge(block, depth, MERGE_UP_TO)
      }
    }
    this.collapse()
  }

  /** A step that merges a node with a neighbour below the same parent; false if none has room. */
  private merge(block: Block, depth: number, upTo: number): boolean {
    return this.nodes.step.run(() => this.mergePinned(block, depth, upTo))
  }

  private mergePinned(block: Block, depth: number, upTo: number): boolean {
    const { tree, nodes } = this
    const { step, usable } = nodes
    const { arena } = nodes.pool
    const entry = tree.wayEntry[depth - 1]!
    const parent = step.pin(tree.wayBlock[depth - 1]!)
    const node = step.pin(block)
    const count = nodeCount(arena, parent.base)
    for (const side of [entry + 1, entry - 1]) {
      if (side < 0 || side >= count) continue
      const other = step.pin(nodeChild(arena, parent.base, side))
      const [left, right] = side > entry ? [node, other] : [other, node]
      if (!this.isEmpty(node) && !this.isEmpty(other)) {
        // What they take with the prefixes that they have tells in most cases: one that both share is no longer.
        if (this.leastTogether(left, right) > upTo * usable || this.bytesTogether(left, right) > upTo * usable) continue
      }
      this.join(left, right, parent, Math.max(side, entry))
      return true
    }
    return false
  }

  /** At least the bytes of the entries of two nodes in one. */
  private leastTogether({ base: left }: Place, { base: right }: Place): number {
    const { arena } = this.nodes.pool
    return (
      nodeLiveBytes(arena, left) - prefixLength(arena, left) + nodeLiveBytes(arena, right) - prefixLength(arena, right)
    )
  }

  /** At most the bytes that two nodes take as one. */
  private bytesTogether(left: Place, right: Place): number {
    const { arena } = this.nodes.pool
    const prefix = this.prefixTogether(left.base, right.base)
    return (
      liveBytesWithPrefix(arena, left.base, prefix) +
      liveBytesWithPrefix(arena, right.base, prefix) +
      // The separator that an inner node's first entry gets.
      (nodeLevel(arena, left.base) > 0 ? MAX_TREE_KEY_BYTES : 0)
    )
  }

  /** A leaf without keys: whatever its neighbour holds, both fit in one. */
  private isEmpty({ base }: Place): boolean {
    return nodeCount(this.nodes.pool.arena, base) === 0
  }

  /** Length of a prefix that all keys of two neighbours share: 0 for inner nodes, for simplicity. */
  private prefixTogether(left: Position, right: Position): number {
    const { blockSize, separator, pool } = this.nodes
    const { arena } = pool
    const count = nodeCount(arena, right)
    if (nodeLevel(arena, left) > 0) return 0
    if (count === 0) return nodeCount(arena, left) === 0 ? 0 : prefixLength(arena, left)
    if (nodeCount(arena, left) === 0) return prefixLength(arena, right)
    const one = nodeKey(arena, left, blockSize, 0, keyWork, 0)
    const other = nodeKey(arena, right, blockSize, count - 1, arena.u8, separator)
    const most = Math.min(one, other, prefixLength(arena, left), prefixLength(arena, right))
    let shared = 0
    while (shared < most && keyWork[shared] === arena.u8[separator + shared]) shared++
    return shared
  }

  /** The entries of the right node go behind those of the left one; `entry`: of the right node in the parent. */
  private join(left: Pinned, right: Pinned, parent: Pinned, entry: number): void {
    const { nodes } = this
    const { pool, step, blockSize, scratch, separator } = nodes
    const { arena } = pool
    step.begin(2 * blockSize + 2048, [left, right, parent])
    const level = nodeLevel(arena, left.base)
    const leftCount = nodeCount(arena, left.base)
    const rightCount = nodeCount(arena, right.base)
    const prefix = this.prefixTogether(left.base, right.base)
    if (prefix > 0) nodeKey(arena, leftCount > 0 ? left.base : right.base, blockSize, 0, keyWork, 0)
    formatNode(arena, scratch, blockSize, level, keyWork, 0, prefix)
    if (level === 0) {
      appendNodeEntries(arena, scratch, left.base, blockSize, 0, leftCount)
      appendNodeEntries(arena, scratch, right.base, blockSize, 0, rightCount)
    } else {
      // The separator of an inner node's first entry is empty, whatever prefix the others share.
      insertNodeEntry(arena, scratch, blockSize, 0, arena.u8, 0, 0, nodeChild(arena, left.base, 0))
      appendNodeEntries(arena, scratch, left.base, blockSize, 1, leftCount)
      const length = nodeKey(arena, parent.base, blockSize, entry, arena.u8, separator)
      const child = nodeChild(arena, right.base, 0)
      insertNodeEntry(arena, scratch, blockSize, leftCount, arena.u8, separator, length, child)
      appendNodeEntries(arena, scratch, right.base, blockSize, 1, rightCount)
    }
    buildNode(arena, left.base, scratch, blockSize, 0, leftCount + rightCount)
    nodes.logNode(left)
    step.free(right)
    step.part(parent)
    nodes.dropEntry(parent.base, entry)
    step.endPart()
    step.end()
    nodes.lastBlock = 0
  }

  /** While the root is an inner node with one child, that moves into it. */
  private collapse(): void {
    for (let again = true; again; ) again = this.nodes.step.run(() => this.moveIntoRoot())
  }

  private moveIntoRoot(): boolean {
    const { tree, nodes } = this
    const { pool, step, blockSize } = nodes
    const { arena } = pool
    const root = step.pin(tree.root)
    if (nodeLevel(arena, root.base) === 0 || nodeCount(arena, root.base) > 1) return false
    const child = step.pin(nodeChild(arena, root.base, 0))
    step.begin(blockSize + 1024, [root, child])
    buildNode(arena, root.base, child.base, blockSize, 0, nodeCount(arena, child.base))
    nodes.logNode(root)
    step.free(child)
    step.end()
    nodes.lastBlock = 0
    return true
  }

  /**
   * Compaction: fills leaves from left to right, from the leaf of the key at `at` of the arena on. Puts the key to go
   * on from to the same place and returns its length, or -1 behind the last leaf.
   */
  pack(at: Position, length: number): number {
    const { tree, nodes } = this
    tree.descend(at, length)
    if (tree.depth === 0) return -1
    const goOn = nodes.step.run(() => this.fill(at, length))
    if (goOn !== undefined) return goOn
    const next = tree.fence(true, at)
    if (next < 0) this.packInner(at)
    return next
  }

  /**
   * Fills a leaf from the one behind it; length of the key to go on from, or undefined if there is none below the
   * parent.
   */
  private fill(at: Position, length: number): number | undefined {
    const { tree, nodes } = this
    const { step, blockSize } = nodes
    const { arena } = nodes.pool
    const entry = tree.wayEntry[tree.depth - 1]!
    const parent = step.pin(tree.wayBlock[tree.depth - 1]!)
    if (entry + 1 >= nodeCount(arena, parent.base)) return undefined
    const left = step.pin(tree.block)
    const right = step.pin(nodeChild(arena, parent.base, entry + 1))
    if (this.packInto(left, right, parent, entry + 1)) return length
    return nodeKey(arena, parent.base, blockSize, entry + 1, arena.u8, at)
  }

  /** Merges inner nodes, and takes away levels that are not needed any more. */
  private packInner(at: Position): void {
    const { tree } = this
    for (let depth = tree.depth - 1; depth > 0; depth--) {
      for (let again = true; again; ) {
        again = false
        tree.descend(at, 0)
        if (depth >= tree.depth) break
        again = this.mergeAlong(at, depth)
      }
    }
    this.collapse()
  }

  /** Merges the first node of a depth that has a neighbour with room. */
  private mergeAlong(at: Position, depth: number): boolean {
    const { tree } = this
    const { pool, blockSize } = this.nodes
    const { arena } = pool
    let length = 0
    for (;;) {
      tree.descend(at, length)
      if (depth >= tree.depth) return false
      if (this.merge(tree.wayBlock[depth]!, depth, 1)) return true
      const parent = pool.get(tree.wayBlock[depth - 1]!)
      const entry = tree.wayEntry[depth - 1]!
      if (entry + 1 >= nodeCount(arena, parent)) return false
      length = nodeKey(arena, parent, blockSize, entry + 1, arena.u8, at)
    }
  }

  /** Moves what fits from a leaf to the one before it; true if that is all of it, and the leaf is gone. */
  private packInto(left: Pinned, right: Pinned, parent: Pinned, entry: number): boolean {
    const { nodes } = this
    const { pool, step, blockSize, scratch, usable } = nodes
    const { arena } = pool
    if (this.bytesTogether(left, right) <= usable || this.isEmpty(left) || this.isEmpty(right)) {
      this.join(left, right, parent, entry)
      return true
    }
    const prefix = this.prefixTogether(left.base, right.base)
    const count = nodeCount(arena, right.base)
    const moved = this.countThatFits(left.base, right.base, prefix)
    if (moved === 0) return false
    const separator = nodes.separatorBefore(right.base, moved)
    // The separator takes the place of another one, which may have been shorter.
    const parentPrefix = nodes.prefixFor(parent.base, nodes.separator, separator)
    if (!nodes.hasRoom(parent.base, separator, parentPrefix)) return false
    step.begin(blockSize + 8192, [left, right, parent])
    const leftCount = nodeCount(arena, left.base)
    nodeKey(arena, left.base, blockSize, 0, keyWork, 0)
    formatNode(arena, scratch, blockSize, 0, keyWork, 0, prefix)
    appendNodeEntries(arena, scratch, left.base, blockSize, 0, leftCount)
    appendNodeEntries(arena, scratch, right.base, blockSize, 0, moved)
    buildNode(arena, left.base, scratch, blockSize, 0, leftCount + moved)
    nodes.logNode(left)
    nodes.logKeep(right, moved, count)
    step.part(parent)
    nodes.dropEntry(parent.base, entry)
    nodes.makeFit(parent.base, separator, parentPrefix)
    nodes.placeEntry(parent.base, entry, nodes.separator, separator, right.block)
    step.endPart()
    step.end()
    nodes.lastBlock = 0
    return false
  }

  /** How many keys of the right leaf, but not all, fit into the left one with a prefix that both share. */
  private countThatFits(left: Position, right: Position, prefix: number): number {
    const { pool, blockSize, usable } = this.nodes
    const { arena } = pool
    const most = nodeCount(arena, right) - 1
    let bytes = liveBytesWithPrefix(arena, left, prefix)
    for (let count = 0; count < most; count++) {
      const size = nodeKey(arena, right, blockSize, count, keyWork, 0) - prefix
      bytes += NODE_SLOT_BYTES + entryBytes(size, false)
      if (bytes > usable) return count
    }
    return most
  }

  /** Frees the last leaf, with the nodes above that lead to it alone; false when the tree is empty. */
  removeLast(): boolean {
    const { tree, nodes } = this
    tree.descendLast()
    if (tree.depth === 0 && nodeCount(nodes.pool.arena, tree.base) === 0) return false
    nodes.step.run(() => this.dropLast())
    nodes.lastBlock = 0
    return true
  }

  private dropLast(): void {
    const { tree, nodes } = this
    const { pool, step, blockSize } = nodes
    const { arena } = pool
    const { root } = tree
    let keep = tree.depth - 1
    while (keep >= 0 && tree.wayEntry[keep] === 0) keep--
    const kept = step.pin(keep < 0 ? root : tree.wayBlock[keep]!)
    const gone = [...tree.wayBlock.subarray(Math.max(keep, 0) + 1, tree.depth), tree.block]
      .filter(block => block !== root)
      .map(block => step.pin(block))
    step.begin(1024 + 64 * gone.length, [kept, ...gone])
    if (keep < 0) {
      formatNode(arena, kept.base, blockSize, 0, arena.u8, 0, 0)
      nodes.logNode(kept)
    } else {
      step.part(kept)
      nodes.dropEntry(kept.base, tree.wayEntry[keep]!)
      step.endPart()
    }
    for (const place of gone) step.free(place)
    step.end()
  }
}
