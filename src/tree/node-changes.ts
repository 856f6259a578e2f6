/**
 * What every change of a tree node has in common: whether a key fits, and the parts of nodes in the log record. And
 * what the changes of one tree share.
 */
import type { BufferPool } from '../buffer/pool.ts'
import type { FreeBlocks } from '../freelist/blocks.ts'
import { LogOp } from '../log/format.ts'
import type { LogWriter } from '../log/writer.ts'
import { AT_COUNT, AT_GARBAGE, AT_KIND, AT_RECORD_BYTES, HEADER_BYTES } from '../pager/layout.ts'
import {
  compactNode,
  entryBytes,
  insertNodeEntry,
  keepNodeEntries,
  liveBytesWithPrefix,
  MAX_TREE_KEY_BYTES,
  NODE_SLOT_BYTES,
  nodeCount,
  nodeFits,
  nodeGap,
  nodeKey,
  nodeLevel,
  prefixLength,
  prefixShared,
  removeNodeEntry,
  shortenNodePrefix,
} from '../pager/node.ts'
import type { Block, Position } from '../pager/place.ts'
import { type Pinned, Step } from '../txn/step.ts'

/** A key on its way from one node to another. */
export const keyWork: Uint8Array = new Uint8Array(MAX_TREE_KEY_BYTES)

export class NodeChanges {
  readonly pool: BufferPool
  readonly log: LogWriter
  readonly step: Step
  readonly blockSize: number
  /** Bytes of a block behind its header. */
  readonly usable: number
  /** Where the last key went: keys that come in order leave full leaves behind. */
  lastBlock: Block = 0
  lastIndex = 0
  /** One spare block, and room for a separator. */
  readonly scratch: Position
  readonly separator: Position

  constructor(parts: { pool: BufferPool; log: LogWriter; free: FreeBlocks }, scratch: Position, separator: Position) {
    this.pool = parts.pool
    this.log = parts.log
    this.step = new Step(parts)
    this.blockSize = parts.pool.blockSize
    this.usable = this.blockSize - HEADER_BYTES
    this.scratch = scratch
    this.separator = separator
  }

  /** True when a key of this length fits into a node with this prefix, perhaps after compaction. */
  hasRoom(base: Position, length: number, prefix: number): boolean {
    const { arena } = this.pool
    const isInner = nodeLevel(arena, base) > 0
    const size = entryBytes(length - prefix, isInner)
    if (prefix === prefixLength(arena, base)) return nodeFits(arena, base, this.blockSize, size)
    return HEADER_BYTES + liveBytesWithPrefix(arena, base, prefix) + NODE_SLOT_BYTES + size <= this.blockSize
  }

  /** Length of the longest prefix that the node may have with the key in it. */
  prefixFor(base: Position, key: Position, length: number): number {
    const { arena } = this.pool
    const shared = prefixShared(arena, base, this.blockSize, key, length)
    return nodeLevel(arena, base) > 0 && shared === length ? length - 1 : shared
  }

  /** Inside a part: makes the prefix shorter and brings the free space together, as far as a key needs it. */
  makeFit(base: Position, length: number, prefix: number): void {
    const { log, blockSize, scratch } = this
    const { arena } = this.pool
    if (prefix < prefixLength(arena, base)) {
      shortenNodePrefix(arena, base, blockSize, prefix, scratch)
      log.operation(LogOp.shortenPrefix, prefix)
    }
    const size = entryBytes(length - prefixLength(arena, base), nodeLevel(arena, base) > 0)
    if (nodeGap(arena, base, blockSize) < NODE_SLOT_BYTES + size) {
      compactNode(arena, base, blockSize, scratch)
      log.compact()
    }
  }

  /** Inside a part: inserts an entry that fits. */
  placeEntry(base: Position, index: number, key: Position, length: number, child: Block): void {
    const { arena } = this.pool
    const prefix = prefixLength(arena, base)
    insertNodeEntry(arena, base, this.blockSize, index, arena.u8, key + prefix, length - prefix, child)
    this.log.insertEntry(index, child, key + prefix, length - prefix)
  }

  /** Inside a part: removes an entry. */
  dropEntry(base: Position, index: number): void {
    removeNodeEntry(this.pool.arena, base, index)
    this.log.operation(LogOp.removeEntry, index)
  }

  /** The part of a node that keeps the entries [from, to). */
  logKeep(place: Pinned, from: number, to: number): void {
    const { step, log, pool, blockSize, scratch } = this
    keepNodeEntries(pool.arena, place.base, blockSize, from, to, scratch)
    step.part(place)
    log.operation(LogOp.keepEntries, from | (to << 16))
    step.endPart()
  }

  /** The part of a node that has been formatted: all of it. */
  logNode(place: Pinned): void {
    const { log, step, blockSize } = this
    const { arena } = this.pool
    const { base } = place
    const used = arena.u16[(base + AT_RECORD_BYTES) >>> 1]!
    const count = nodeCount(arena, base)
    step.format(place, arena.u8[base + AT_KIND]!, nodeLevel(arena, base))
    log.set(AT_COUNT, AT_GARBAGE + 2 - AT_COUNT, base + AT_COUNT)
    if (count > 0) log.set(HEADER_BYTES, NODE_SLOT_BYTES * count, base + HEADER_BYTES)
    if (used > 0) log.set(blockSize - used, used, base + blockSize - used)
    step.endPart()
  }

  /**
   * Puts the separator between entries `at - 1` and `at` into its place in the arena, and returns its length: of a
   * leaf the shortest one that parts both.
   */
  separatorBefore(base: Position, at: number): number {
    const { arena } = this.pool
    const length = nodeKey(arena, base, this.blockSize, at, arena.u8, this.separator)
    if (nodeLevel(arena, base) > 0) return length
    const before = nodeKey(arena, base, this.blockSize, at - 1, keyWork, 0)
    let shared = 0
    while (shared < before && arena.u8[this.separator + shared] === keyWork[shared]) shared++
    return shared + 1
  }
}
