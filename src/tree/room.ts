/** Makes room in a full node: it splits, and so do the nodes above it that have no room for one more entry. */
import { CorruptionError } from '../errors.ts'
import {
  buildNode,
  entryBytes,
  formatNode,
  insertNodeEntry,
  NODE_SLOT_BYTES,
  nodeCount,
  nodeKey,
  nodeLevel,
  nodeLiveBytes,
  prefixLength,
  searchNode,
} from '../pager/node.ts'
import type { Position } from '../pager/place.ts'
import type { Pinned } from '../txn/step.ts'
import { keyWork, type NodeChanges } from './node-changes.ts'
import { MAX_TREE_DEPTH, type TreeSearch } from './search.ts'

export class TreeRoom {
  private readonly tree: TreeSearch
  private readonly nodes: NodeChanges
  private readonly path: string

  constructor(tree: TreeSearch, nodes: NodeChanges, path: string) {
    this.tree = tree
    this.nodes = nodes
    this.path = path
  }

  /** One step on the way to room for a key in the leaf of the last search; the caller searches again. */
  make(key: Position, length: number): void {
    this.nodes.step.run(() => this.split(this.tree.depth, key, length))
  }

  /** Splits the node at a depth of the way, or the one above it, if that has no room. */
  private split(depth: number, key: Position, length: number): void {
    const { tree, nodes } = this
    const { step } = nodes
    if (depth === 0) {
      this.deepen()
      return
    }
    const node = step.pin(tree.blockAt(depth))
    const middle = this.middleOf(node, depth, key, length)
    const separator = nodes.separatorBefore(node.base, middle)
    const parent = step.pin(tree.wayBlock[depth - 1]!)
    const prefix = nodes.prefixFor(parent.base, nodes.separator, separator)
    if (!nodes.hasRoom(parent.base, separator, prefix)) this.split(depth - 1, key, length)
    else this.halve(node, middle, parent, tree.wayEntry[depth - 1]!, separator)
  }

  /** Index of the entry where a full node parts: at half of its bytes, or where keys have been coming in order. */
  private middleOf({ block, base }: Pinned, depth: number, key: Position, length: number): number {
    const { tree, nodes } = this
    const { blockSize, lastBlock, lastIndex } = nodes
    const { arena } = nodes.pool
    const count = nodeCount(arena, base)
    if (nodeLevel(arena, base) === 0) {
      const index = searchNode(arena, base, blockSize, key, length) >>> 1
      if (index === count && block === lastBlock && lastIndex === count - 1) return count - 1
    } else if (tree.wayEntry[depth]! === count - 1 && lastBlock === tree.block) return count - 1
    let bytes = 0
    // The prefix stays in both: if it counted, a few short entries behind a long one would part by one at a time.
    const half = (nodeLiveBytes(arena, base) - prefixLength(arena, base)) / 2
    let at = 0
    while (at < count - 1 && bytes < half) {
      bytes += NODE_SLOT_BYTES + this.sizeOf(base, at)
      at++
    }
    return Math.max(1, Math.min(count - 1, at))
  }

  private sizeOf(base: Position, index: number): number {
    const { blockSize, pool } = this.nodes
    const { arena } = pool
    const length = nodeKey(arena, base, blockSize, index, keyWork, 0) - prefixLength(arena, base)
    return entryBytes(length, nodeLevel(arena, base) > 0)
  }

  /** Moves the entries from `middle` on to a fresh node behind it; `separator`: length of the one between both. */
  private halve(node: Pinned, middle: number, parent: Pinned, entry: number, separator: number): void {
    const { nodes } = this
    const { pool, step, blockSize, separator: separatorAt } = nodes
    const { arena } = pool
    const fresh = step.takeOne()
    const upper = step.fresh(fresh)
    step.begin(blockSize + 8192, [node, parent])
    buildNode(arena, upper.base, node.base, blockSize, middle, nodeCount(arena, node.base))
    nodes.logNode(upper)
    nodes.logKeep(node, 0, middle)
    step.part(parent)
    nodes.makeFit(parent.base, separator, nodes.prefixFor(parent.base, separatorAt, separator))
    nodes.placeEntry(parent.base, entry + 1, separatorAt, separator, fresh)
    step.endPart()
    step.end()
    if (nodes.lastBlock === node.block && nodes.lastIndex >= middle) {
      nodes.lastBlock = fresh
      nodes.lastIndex -= middle
    }
  }

  /** The root's entries move into a fresh node, the only child of the root. */
  private deepen(): void {
    const { tree, nodes, path } = this
    const { pool, step, blockSize } = nodes
    const { arena } = pool
    const root = step.pin(tree.root)
    const level = nodeLevel(arena, root.base)
    if (level + 1 >= MAX_TREE_DEPTH) throw new CorruptionError(path, 'the tree is too deep', root.block)
    const child = step.fresh(step.takeOne())
    step.begin(blockSize + 1024, [root])
    buildNode(arena, child.base, root.base, blockSize, 0, nodeCount(arena, root.base))
    nodes.logNode(child)
    formatNode(arena, root.base, blockSize, level + 1, arena.u8, 0, 0)
    insertNodeEntry(arena, root.base, blockSize, 0, arena.u8, 0, 0, child.block)
    nodes.logNode(root)
    step.end()
    if (nodes.lastBlock === root.block) nodes.lastBlock = child.block
  }
}
