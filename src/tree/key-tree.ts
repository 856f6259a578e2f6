/**
 * A B+tree over byte strings: the ordered index over the keys, and the tree over times of expiry. Its root is a fixed
 * block; leaves hold keys alone, the records stay in their buckets.
 *
 * A change of a record finds its leaf first (`prepareInsert` makes room by system records, atomic in themselves and
 * never undone, as in the hash index; `prepareRemove`), then logs the leaf's change as a part of its own log record, so
 * that record and trees change together or not at all. Undo goes through the same functions.
 *
 * Leaves carry no links to their neighbours: a scan goes on from the separator where a leaf ends.
 */
import { Pins } from '../buffer/pins.ts'
import type { BufferPool } from '../buffer/pool.ts'
import { CorruptionError } from '../errors.ts'
import type { FreeBlocks } from '../freelist/blocks.ts'
import { LogOp, RecordType } from '../log/format.ts'
import type { LogWriter } from '../log/writer.ts'
import { blockLsn } from '../pager/bucket.ts'
import {
  AT_COUNT,
  AT_GARBAGE,
  AT_KIND,
  AT_RECORD_BYTES,
  BlockKind,
  HEADER_BYTES,
  kindName,
} from '../pager/layout.ts'
import {
  appendNodeEntries,
  buildNode,
  compactNode,
  entryBytes,
  formatNode,
  insertNodeEntry,
  keepNodeEntries,
  liveBytesWithPrefix,
  MAX_TREE_KEY_BYTES,
  NODE_SLOT_BYTES,
  nodeChild,
  nodeCount,
  nodeFits,
  nodeGap,
  nodeKey,
  nodeLevel,
  nodeLiveBytes,
  prefixLength,
  prefixShared,
  removeNodeEntry,
  searchNode,
  shortenNodePrefix,
} from '../pager/node.ts'

export const MAX_TREE_DEPTH = 16
/** A node filled to less than this share looks for a neighbour to merge with … */
const MERGE_BELOW = 0.2
/** … if both together fill one to at most this share. */
const MERGE_UP_TO = 0.6
const MAX_ROUNDS = 64

/** Where a new key would go, as it was found ahead of time. */
export class LeafPlace {
  /** 0: nobody knows. */
  block = 0
  index = 0
  /** LSN of the leaf's last change. */
  lsn = 0
}

export class KeyTree {
  splits = 0
  merges = 0
  readonly root: number
  /** The leaf of the last search, or of the place last prepared, and its position; of a search, the index of the key. */
  block = 0
  base = 0
  index = 0
  /** The way from the root to the leaf: inner nodes, and the entry taken in each. */
  readonly wayBlock: Int32Array = new Int32Array(MAX_TREE_DEPTH)
  readonly wayEntry: Int32Array = new Int32Array(MAX_TREE_DEPTH)
  depth = 0
  private readonly pool: BufferPool
  /** What the step under way works on. */
  private readonly pins: Pins
  private readonly log: LogWriter
  private readonly free: FreeBlocks
  private readonly path: string
  private readonly blockSize: number
  private readonly usable: number
  /** One spare block, and room for a separator behind it. */
  private readonly scratch: number
  private readonly separator: number
  /** Of the last insertion that was prepared: where the key goes in its leaf, and the prefix that the leaf will have. */
  private insertIndex = 0
  private insertPrefix = 0
  /** Where the last key went: keys that come in order leave full leaves behind. */
  private lastBlock = 0
  private lastIndex = 0

  constructor(
    parts: { pool: BufferPool; log: LogWriter; free: FreeBlocks; path: string },
    root: number,
    scratch: number,
    separator: number,
  ) {
    this.pool = parts.pool
    this.pins = new Pins(parts.pool)
    this.log = parts.log
    this.free = parts.free
    this.path = parts.path
    this.blockSize = parts.pool.blockSize
    this.usable = this.blockSize - HEADER_BYTES
    this.root = root
    this.scratch = scratch
    this.separator = separator
  }

  /** Finds a key, which lies in the arena; true if it is there. */
  find(key: number, length: number): boolean {
    this.descend(key, length)
    const found = searchNode(this.pool.arena, this.base, this.blockSize, key, length)
    this.index = found >>> 1
    return (found & 1) === 1
  }

  /** Goes to the leaf of a key; `before`: to the leaf of the keys just below it. */
  descend(key: number, length: number, before: boolean = false): void {
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

  /** The leaf of a key, if its way lies in the pool, else 0. Does not read the leaf. */
  peekLeaf(key: number, length: number): number {
    const { pool, blockSize } = this
    const { arena } = pool
    let block = this.root
    let base = pool.peek(block)
    if (base === 0) return 0
    // Below a node of level 1 lies a leaf: looking whether that is so would wait for its memory.
    for (let level = nodeLevel(arena, base); level > 0; level--) {
      const found = searchNode(arena, base, blockSize, key, length)
      block = nodeChild(arena, base, entryTo(found, false))
      base = pool.peek(block)
      if (base === 0) return 0
    }
    return block
  }

  /** Where a new key would go in its leaf, as long as that does not change. */
  peekPlace(leaf: number, key: number, length: number, place: LeafPlace): void {
    const { pool, blockSize } = this
    const { arena } = pool
    const base = pool.peek(leaf)
    const found = searchNode(arena, base, blockSize, key, length)
    place.block = (found & 1) === 0 && arena.u8[base + AT_KIND] === BlockKind.leaf ? leaf : 0
    place.index = found >>> 1
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
  fence(ahead: boolean, to: number): number {
    const { pool } = this
    const { arena } = pool
    for (let depth = this.depth - 1; depth >= 0; depth--) {
      const entry = this.wayEntry[depth]! + (ahead ? 1 : 0)
      const base = pool.get(this.wayBlock[depth]!)
      if (entry > 0 && entry < nodeCount(arena, base))
        return nodeKey(arena, base, this.blockSize, entry, arena.u8, to)
    }
    return -1
  }

  private arrive(block: number, base: number, depth: number): void {
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
  misplaced(block: number): CorruptionError {
    return new CorruptionError(this.path, 'the tree node does not fit where it stands in the tree', block)
  }

  /**
   * Goes to the leaf with room for a new key and pins it; `logInsert` puts the key there, before anything else changes
   * that leaf.
   * @throws CorruptionError if the key is there already.
   */
  prepareInsert(key: number, length: number): void {
    const { pool } = this
    for (let round = 0; ; round++) {
      if (this.find(key, length))
        throw new CorruptionError(this.path, 'the tree holds a key that has no record', this.block)
      const prefix = this.prefixFor(this.base, key, length)
      if (this.hasRoom(this.base, length, prefix)) {
        this.insertIndex = this.index
        this.insertPrefix = prefix
        break
      }
      if (round > MAX_ROUNDS)
        throw new CorruptionError(this.path, 'no room can be made in the tree leaf', this.block)
      try {
        this.splitNode(this.depth, key, length)
      } finally {
        this.pins.release()
      }
    }
    pool.pin(this.base)
  }

  /**
   * The same for a key whose place was found ahead of time. It is still the right one if the leaf has not changed: what a
   * leaf covers gets less only by a split, which takes keys out of it. False if it has changed, or has no room.
   */
  prepareInsertAt(place: LeafPlace, key: number, length: number): boolean {
    const { pool } = this
    const base = place.block === 0 ? 0 : pool.peek(place.block)
    if (base === 0 || blockLsn(pool.arena, base) !== place.lsn) return false
    const prefix = this.prefixFor(base, key, length)
    if (!this.hasRoom(base, length, prefix)) return false
    this.block = place.block
    this.base = base
    this.insertIndex = place.index
    this.insertPrefix = prefix
    pool.pin(base)
    return true
  }

  /** Goes to the leaf of a key that must be there and pins it; `logRemove` takes the key out. */
  prepareRemove(key: number, length: number): void {
    if (!this.find(key, length))
      throw new CorruptionError(this.path, 'the tree lacks the key of a record', this.block)
    this.pool.pin(this.base)
  }

  /** Inside the leaf's part of a record: a key goes to the leaf that was prepared for it. */
  logInsert(block: number, base: number, key: number, length: number): void {
    this.pool.preserve(base)
    this.makeFit(base, length, this.insertPrefix)
    const index = this.insertIndex
    this.placeEntry(base, index, key, length, 0)
    this.lastBlock = block
    this.lastIndex = index
  }

  logRemove(base: number, key: number, length: number): void {
    this.pool.preserve(base)
    const index = searchNode(this.pool.arena, base, this.blockSize, key, length) >>> 1
    this.dropEntry(base, index)
  }

  /** Adds a key by a record of its own; its bytes are put to `at` of the arena. */
  add(key: Uint8Array, at: number): void {
    const { pool, log } = this
    pool.arena.u8.set(key, at)
    this.prepareInsert(at, key.length)
    const { block, base } = this
    try {
      log.reserve(256 + key.length)
      log.begin(RecordType.system, 0, 0, 0)
      log.part(block)
      this.logInsert(block, base, at, key.length)
      log.endPart()
      pool.changed(base, log.end())
    } finally {
      pool.unpin(base)
    }
  }

  /** Frees the last leaf, with the nodes above that lead to it alone; false when the tree is empty. */
  removeLast(): boolean {
    const { pool, log, free, blockSize, root } = this
    const { arena } = pool
    this.descendLast()
    if (this.depth === 0 && nodeCount(arena, this.base) === 0) return false
    let keep = this.depth - 1
    while (keep >= 0 && this.wayEntry[keep] === 0) keep--
    const kept = keep < 0 ? root : this.wayBlock[keep]!
    const gone = [...this.wayBlock.subarray(Math.max(keep, 0) + 1, this.depth), this.block].filter(
      block => block !== root,
    )
    try {
      const keptBase = this.pins.get(kept)
      const bases = gone.map(block => this.pins.get(block))
      free.plan(0)
      pool.preserve(keptBase)
      log.reserve(1024 + 64 * gone.length)
      log.begin(RecordType.system, 0, 0, 0)
      if (keep < 0) {
        formatNode(arena, keptBase, blockSize, 0, arena.u8, 0, 0)
        this.logNode(root, keptBase)
      } else {
        log.part(kept)
        this.dropEntry(keptBase, this.wayEntry[keep]!)
        log.endPart()
      }
      gone.forEach((block, i) => {
        free.logFree(block, bases[i]!)
      })
      const lsn = free.endRecord()
      if (keep < 0) pool.formatted(keptBase, lsn)
      else pool.changed(keptBase, lsn)
      for (const base of bases) pool.formatted(base, lsn)
      this.lastBlock = 0
      return true
    } finally {
      this.pins.release()
    }
  }

  /** True when `shrink` may have something to do for the leaf at `base`. */
  isSparse(block: number, base: number): boolean {
    const { arena } = this.pool
    if (block === this.root) return false
    // A node that leads to nothing more, or to one child alone, may still have a long prefix.
    if (nodeCount(arena, base) <= (nodeLevel(arena, base) > 0 ? 1 : 0)) return true
    return nodeLiveBytes(arena, base) < MERGE_BELOW * this.usable
  }

  /** True when a key of this length fits into a node with this prefix, perhaps after compaction. */
  private hasRoom(base: number, length: number, prefix: number): boolean {
    const { arena } = this.pool
    const isInner = nodeLevel(arena, base) > 0
    const size = entryBytes(length - prefix, isInner)
    if (prefix === prefixLength(arena, base)) return nodeFits(arena, base, this.blockSize, size)
    return HEADER_BYTES + liveBytesWithPrefix(arena, base, prefix) + NODE_SLOT_BYTES + size <= this.blockSize
  }

  /** Length of the longest prefix that the node may have with the key in it. */
  private prefixFor(base: number, key: number, length: number): number {
    const { arena } = this.pool
    const shared = prefixShared(arena, base, this.blockSize, key, length)
    return nodeLevel(arena, base) > 0 && shared === length ? length - 1 : shared
  }

  /** Inside a part: makes the prefix shorter and brings the free space together, as far as a key needs it. */
  private makeFit(base: number, length: number, prefix: number): void {
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
  private placeEntry(base: number, index: number, key: number, length: number, child: number): void {
    const { arena } = this.pool
    const prefix = prefixLength(arena, base)
    insertNodeEntry(arena, base, this.blockSize, index, arena.u8, key + prefix, length - prefix, child)
    this.log.insertEntry(index, child, key + prefix, length - prefix)
  }

  private dropEntry(base: number, index: number): void {
    removeNodeEntry(this.pool.arena, base, index)
    this.log.operation(LogOp.removeEntry, index)
  }

  /** Splits the node at a depth of the way (or the one above, if that has no room); the caller searches again. */
  private splitNode(depth: number, key: number, length: number): void {
    if (depth === 0) {
      this.deepen()
      return
    }
    const block = depth === this.depth ? this.block : this.wayBlock[depth]!
    const base = this.pins.get(block)
    const middle = this.middleOf(block, base, key, length)
    const separator = this.separatorBefore(base, middle)
    const parent = this.wayBlock[depth - 1]!
    const parentBase = this.pins.get(parent)
    const prefix = this.prefixFor(parentBase, this.separator, separator)
    if (!this.hasRoom(parentBase, separator, prefix)) this.splitNode(depth - 1, key, length)
    else this.halve(block, base, middle, parent, parentBase, this.wayEntry[depth - 1]!, separator)
  }

  /** Index of the entry where a full node parts: at half of its bytes, or where keys have been coming in order. */
  private middleOf(block: number, base: number, key: number, length: number): number {
    const { arena } = this.pool
    const count = nodeCount(arena, base)
    if (nodeLevel(arena, base) === 0) {
      const index = searchNode(arena, base, this.blockSize, key, length) >>> 1
      if (index === count && block === this.lastBlock && this.lastIndex === count - 1) return count - 1
    } else if (this.wayEntry[this.wayIndexOf(block)]! === count - 1 && this.lastBlock === this.block)
      return count - 1
    let bytes = 0
    const half = nodeLiveBytes(arena, base) / 2
    let at = 0
    while (at < count - 1 && bytes < half) {
      bytes += NODE_SLOT_BYTES + this.sizeOf(base, at)
      at++
    }
    return Math.max(1, Math.min(count - 1, at))
  }

  private wayIndexOf(block: number): number {
    let depth = 0
    while (depth < this.depth && this.wayBlock[depth] !== block) depth++
    return depth
  }

  private sizeOf(base: number, index: number): number {
    const { arena } = this.pool
    const length = nodeKey(arena, base, this.blockSize, index, keyWork, 0) - prefixLength(arena, base)
    return entryBytes(length, nodeLevel(arena, base) > 0)
  }

  /**
   * Puts the separator between entries `at - 1` and `at` into its place in the arena, and returns its length: of a
   * leaf the shortest one that parts both.
   */
  private separatorBefore(base: number, at: number): number {
    const { arena } = this.pool
    const length = nodeKey(arena, base, this.blockSize, at, arena.u8, this.separator)
    if (nodeLevel(arena, base) > 0) return length
    const before = nodeKey(arena, base, this.blockSize, at - 1, keyWork, 0)
    let shared = 0
    while (shared < before && arena.u8[this.separator + shared] === keyWork[shared]) shared++
    return shared + 1
  }

  /** Moves the entries from `middle` on to a fresh node behind it. */
  private halve(
    block: number,
    base: number,
    middle: number,
    parent: number,
    parentBase: number,
    entry: number,
    separator: number,
  ): void {
    const { pool, log, free, blockSize, scratch } = this
    const { arena } = pool
    const [fresh] = free.plan(1)
    const freshBase = pool.fresh(fresh!)
    pool.preserve(base)
    pool.preserve(parentBase)
    log.reserve(blockSize + 8192)
    log.begin(RecordType.system, 0, 0, 0)
    const count = nodeCount(arena, base)
    buildNode(arena, freshBase, base, blockSize, middle, count)
    this.logNode(fresh!, freshBase)
    keepNodeEntries(arena, base, blockSize, 0, middle, scratch)
    log.part(block)
    log.operation(LogOp.keepEntries, middle << 16)
    log.endPart()
    log.part(parent)
    this.makeFit(parentBase, separator, this.prefixFor(parentBase, this.separator, separator))
    this.placeEntry(parentBase, entry + 1, this.separator, separator, fresh!)
    log.endPart()
    const lsn = free.endRecord()
    pool.changed(base, lsn)
    pool.formatted(freshBase, lsn)
    pool.changed(parentBase, lsn)
    if (this.lastBlock === block && this.lastIndex >= middle) {
      this.lastBlock = fresh!
      this.lastIndex -= middle
    }
    this.splits++
  }

  /** The root's entries move into a fresh node, the only child of the root. */
  private deepen(): void {
    const { pool, log, free, blockSize, root } = this
    const { arena } = pool
    const base = this.pins.get(root)
    const level = nodeLevel(arena, base)
    if (level + 1 >= MAX_TREE_DEPTH) throw new CorruptionError(this.path, 'the tree is too deep', root)
    const [fresh] = free.plan(1)
    const freshBase = pool.fresh(fresh!)
    pool.preserve(base)
    log.reserve(blockSize + 1024)
    log.begin(RecordType.system, 0, 0, 0)
    buildNode(arena, freshBase, base, blockSize, 0, nodeCount(arena, base))
    this.logNode(fresh!, freshBase)
    formatNode(arena, base, blockSize, level + 1, arena.u8, 0, 0)
    insertNodeEntry(arena, base, blockSize, 0, arena.u8, 0, 0, fresh!)
    this.logNode(root, base)
    const lsn = free.endRecord()
    pool.formatted(freshBase, lsn)
    pool.formatted(base, lsn)
    if (this.lastBlock === root) this.lastBlock = fresh!
  }

  /** The part of a freshly formatted node: all of it. */
  private logNode(block: number, base: number): void {
    const { log, blockSize } = this
    const { arena } = this.pool
    const kind = arena.u8[base + AT_KIND]!
    const used = arena.u16[(base + AT_RECORD_BYTES) >>> 1]!
    const count = nodeCount(arena, base)
    log.part(block)
    log.format(kind, nodeLevel(arena, base))
    log.set(AT_COUNT, AT_GARBAGE + 2 - AT_COUNT, base + AT_COUNT)
    if (count > 0) log.set(HEADER_BYTES, NODE_SLOT_BYTES * count, base + HEADER_BYTES)
    if (used > 0) log.set(blockSize - used, used, base + blockSize - used)
    log.endPart()
  }

  /**
   * After a removal: merges a nearly empty leaf with a neighbour, and so on upwards. A node without neighbours gets some
   * when the one above it merges, so that what is empty goes in the end.
   */
  shrink(key: number, length: number): void {
    for (let again = true; again; ) {
      again = false
      this.descend(key, length)
      for (let depth = this.depth; depth > 0 && !again; depth--) {
        const block = depth === this.depth ? this.block : this.wayBlock[depth]!
        if (!this.isSparse(block, this.pool.get(block))) break
        again = this.merge(block, depth, MERGE_UP_TO)
      }
    }
    this.collapse()
  }

  /** Merges a node with a neighbour below the same parent; false if none has room. */
  private merge(block: number, depth: number, upTo: number): boolean {
    const { pins } = this
    const { arena } = this.pool
    const parent = this.wayBlock[depth - 1]!
    const entry = this.wayEntry[depth - 1]!
    try {
      const parentBase = pins.get(parent)
      const base = pins.get(block)
      const count = nodeCount(arena, parentBase)
      for (const side of [entry + 1, entry - 1]) {
        if (side < 0 || side >= count) continue
        const other = nodeChild(arena, parentBase, side)
        const otherBase = pins.get(other)
        const together =
          side > entry ? this.bytesTogether(base, otherBase) : this.bytesTogether(otherBase, base)
        if (together > upTo * this.usable && !this.isEmpty(base) && !this.isEmpty(otherBase)) continue
        if (side > entry) this.join(block, base, other, otherBase, parent, parentBase, side)
        else this.join(other, otherBase, block, base, parent, parentBase, entry)
        return true
      }
      return false
    } finally {
      pins.release()
    }
  }

  /** At most the bytes that two nodes take as one. */
  private bytesTogether(left: number, right: number): number {
    const { arena } = this.pool
    const prefix = this.prefixTogether(left, right)
    return (
      liveBytesWithPrefix(arena, left, prefix) +
      liveBytesWithPrefix(arena, right, prefix) +
      // The separator that an inner node's first entry gets.
      (nodeLevel(arena, left) > 0 ? MAX_TREE_KEY_BYTES : 0)
    )
  }

  /** A leaf without keys: whatever its neighbour holds, both fit in one. */
  private isEmpty(base: number): boolean {
    return nodeCount(this.pool.arena, base) === 0
  }

  /** Length of a prefix that all keys of two neighbours share: 0 for inner nodes, for simplicity. */
  private prefixTogether(left: number, right: number): number {
    const { arena } = this.pool
    const count = nodeCount(arena, right)
    if (nodeLevel(arena, left) > 0) return 0
    if (count === 0) return nodeCount(arena, left) === 0 ? 0 : prefixLength(arena, left)
    if (nodeCount(arena, left) === 0) return prefixLength(arena, right)
    const one = nodeKey(arena, left, this.blockSize, 0, keyWork, 0)
    const other = nodeKey(arena, right, this.blockSize, count - 1, arena.u8, this.separator)
    const most = Math.min(one, other, prefixLength(arena, left), prefixLength(arena, right))
    let shared = 0
    while (shared < most && keyWork[shared] === arena.u8[this.separator + shared]) shared++
    return shared
  }

  /**
   * Compaction: fills leaves from left to right, from the leaf of the key at `at` of the arena on. Puts the key to go on
   * from to the same place and returns its length, or -1 behind the last leaf.
   */
  pack(at: number, length: number): number {
    const { blockSize } = this
    const { arena } = this.pool
    this.descend(at, length)
    if (this.depth === 0) return -1
    const { block, depth } = this
    const parent = this.wayBlock[depth - 1]!
    const entry = this.wayEntry[depth - 1]!
    try {
      const parentBase = this.pins.get(parent)
      if (entry + 1 < nodeCount(arena, parentBase)) {
        const base = this.pins.get(block)
        const right = nodeChild(arena, parentBase, entry + 1)
        const rightBase = this.pins.get(right)
        if (this.packInto(block, base, right, rightBase, parent, parentBase, entry + 1)) return length
        return nodeKey(arena, parentBase, blockSize, entry + 1, arena.u8, at)
      }
    } finally {
      this.pins.release()
    }
    const next = this.fence(true, at)
    if (next < 0) this.packInner(at, 0)
    return next
  }

  /** Merges inner nodes, and takes away levels that are not needed any more. */
  private packInner(at: number, length: number): void {
    for (let depth = this.depth - 1; depth > 0; depth--) {
      for (let again = true; again; ) {
        again = false
        this.descend(at, length)
        if (depth >= this.depth) break
        again = this.mergeAlong(at, depth)
      }
    }
    this.collapse()
  }

  /** Merges the first node of a depth that has a neighbour with room. */
  private mergeAlong(at: number, depth: number): boolean {
    let length = 0
    for (;;) {
      this.descend(at, length)
      if (depth >= this.depth) return false
      if (this.merge(this.wayBlock[depth]!, depth, 1)) return true
      const parent = this.pool.get(this.wayBlock[depth - 1]!)
      const entry = this.wayEntry[depth - 1]!
      if (entry + 1 >= nodeCount(this.pool.arena, parent)) return false
      length = nodeKey(this.pool.arena, parent, this.blockSize, entry + 1, this.pool.arena.u8, at)
    }
  }

  /** Moves what fits from a leaf to the one before it; true if that is all of it, and the leaf is gone. */
  private packInto(
    left: number,
    leftBase: number,
    right: number,
    rightBase: number,
    parent: number,
    parentBase: number,
    entry: number,
  ): boolean {
    const { pool, log, blockSize, scratch } = this
    const { arena } = pool
    const { usable } = this
    const fits = this.bytesTogether(leftBase, rightBase) <= usable
    if (fits || this.isEmpty(leftBase) || this.isEmpty(rightBase)) {
      this.join(left, leftBase, right, rightBase, parent, parentBase, entry)
      return true
    }
    const prefix = this.prefixTogether(leftBase, rightBase)
    const count = nodeCount(arena, rightBase)
    let bytes = liveBytesWithPrefix(arena, leftBase, prefix)
    let moved = 0
    while (moved < count - 1) {
      const size = nodeKey(arena, rightBase, blockSize, moved, keyWork, 0) - prefix
      bytes += NODE_SLOT_BYTES + entryBytes(size, false)
      if (bytes > usable) break
      moved++
    }
    if (moved === 0) return false
    const separator = this.separatorBefore(rightBase, moved)
    // The separator takes the place of another one, which may have been shorter.
    const parentPrefix = this.prefixFor(parentBase, this.separator, separator)
    if (!this.hasRoom(parentBase, separator, parentPrefix)) return false
    pool.preserve(leftBase)
    pool.preserve(rightBase)
    pool.preserve(parentBase)
    log.reserve(blockSize + 8192)
    log.begin(RecordType.system, 0, 0, 0)
    const leftCount = nodeCount(arena, leftBase)
    nodeKey(arena, leftBase, blockSize, 0, keyWork, 0)
    formatNode(arena, scratch, blockSize, 0, keyWork, 0, prefix)
    appendNodeEntries(arena, scratch, leftBase, blockSize, 0, leftCount)
    appendNodeEntries(arena, scratch, rightBase, blockSize, 0, moved)
    buildNode(arena, leftBase, scratch, blockSize, 0, leftCount + moved)
    this.logNode(left, leftBase)
    keepNodeEntries(arena, rightBase, blockSize, moved, count, scratch)
    log.part(right)
    log.operation(LogOp.keepEntries, moved | (count << 16))
    log.endPart()
    log.part(parent)
    this.dropEntry(parentBase, entry)
    this.makeFit(parentBase, separator, parentPrefix)
    this.placeEntry(parentBase, entry, this.separator, separator, right)
    log.endPart()
    const lsn = log.end()
    pool.formatted(leftBase, lsn)
    pool.changed(rightBase, lsn)
    pool.changed(parentBase, lsn)
    this.lastBlock = 0
    return false
  }

  /** The entries of the right node go behind those of the left one; `entry`: of the right node in the parent. */
  private join(
    left: number,
    leftBase: number,
    right: number,
    rightBase: number,
    parent: number,
    parentBase: number,
    entry: number,
  ): void {
    const { pool, log, free, blockSize, scratch, separator } = this
    const { arena } = pool
    free.plan(0)
    pool.preserve(leftBase)
    pool.preserve(rightBase)
    pool.preserve(parentBase)
    log.reserve(2 * blockSize + 2048)
    log.begin(RecordType.system, 0, 0, 0)
    const level = nodeLevel(arena, leftBase)
    const leftCount = nodeCount(arena, leftBase)
    const rightCount = nodeCount(arena, rightBase)
    const prefix = this.prefixTogether(leftBase, rightBase)
    if (prefix > 0) nodeKey(arena, leftCount > 0 ? leftBase : rightBase, blockSize, 0, keyWork, 0)
    formatNode(arena, scratch, blockSize, level, keyWork, 0, prefix)
    // The separator of an inner node's first entry is empty, whatever prefix the others share.
    if (level > 0)
      insertNodeEntry(arena, scratch, blockSize, 0, arena.u8, 0, 0, nodeChild(arena, leftBase, 0))
    const from = level > 0 ? 1 : 0
    appendNodeEntries(arena, scratch, leftBase, blockSize, from, leftCount)
    if (level > 0) {
      const length = nodeKey(arena, parentBase, blockSize, entry, arena.u8, separator)
      insertNodeEntry(
        arena,
        scratch,
        blockSize,
        leftCount,
        arena.u8,
        separator,
        length,
        nodeChild(arena, rightBase, 0),
      )
    }
    appendNodeEntries(arena, scratch, rightBase, blockSize, from, rightCount)
    buildNode(arena, leftBase, scratch, blockSize, 0, leftCount + rightCount)
    this.logNode(left, leftBase)
    free.logFree(right, rightBase)
    log.part(parent)
    this.dropEntry(parentBase, entry)
    log.endPart()
    const lsn = free.endRecord()
    pool.formatted(leftBase, lsn)
    pool.formatted(rightBase, lsn)
    pool.changed(parentBase, lsn)
    this.lastBlock = 0
    this.merges++
  }

  /** While the root is an inner node with one child, that moves into it. */
  private collapse(): void {
    const { pool, pins, log, free, blockSize, root } = this
    const { arena } = pool
    for (;;) {
      try {
        const base = pins.get(root)
        if (nodeLevel(arena, base) === 0 || nodeCount(arena, base) > 1) return
        const child = nodeChild(arena, base, 0)
        const childBase = pins.get(child)
        free.plan(0)
        pool.preserve(base)
        pool.preserve(childBase)
        log.reserve(blockSize + 1024)
        log.begin(RecordType.system, 0, 0, 0)
        buildNode(arena, base, childBase, blockSize, 0, nodeCount(arena, childBase))
        this.logNode(root, base)
        free.logFree(child, childBase)
        const lsn = free.endRecord()
        pool.formatted(base, lsn)
        pool.formatted(childBase, lsn)
        this.lastBlock = 0
        this.merges++
      } finally {
        pins.release()
      }
    }
  }
}

const keyWork = new Uint8Array(MAX_TREE_KEY_BYTES)

/** The entry of an inner node that leads on, by what `searchNode` found; `before`: to the keys just below that one. */
const entryTo = (found: number, before: boolean): number =>
  (found & 1) === 0 || before ? Math.max(0, (found >>> 1) - 1) : found >>> 1
