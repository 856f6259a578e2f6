/**
 * Gives the space that deletions have left back to the file system, while the database is in use: fills buckets and tree
 * leaves from left to right, moves blocks from the end of the file into free ones, cuts the file.
 *
 * Each step is one system record, atomic in itself, so that a crash at any point leaves a sound database. Between two
 * slices others may change anything; so what leads to a block is looked up when the block is moved, and a block that
 * something else leads to by then stays where it is.
 */

import { Pins } from '../buffer/pins.ts'
import type { Engine } from '../engine/engine.ts'
import { LockConflictError } from '../errors.ts'
import { KnownFree } from '../freelist/known.ts'
import { pointerAt } from '../hash/hash.ts'
import { LargeValues } from '../hash/large.ts'
import { RecordType } from '../log/format.ts'
import {
  bucketNext,
  RECORD_HEADER_BYTES,
  RecordFlag,
  recordFlags,
  recordKeyLength,
  slotInUse,
} from '../pager/bucket.ts'
import { childOf, childOffset, directoryCapacity, entryCount } from '../pager/directory.ts'
import {
  AT_COUNT,
  AT_KIND,
  AT_LEVEL,
  AT_LSN,
  AT_NEXT,
  BlockKind,
  EXPIRY_ROOT,
  FIRST_OVERFLOW_BLOCK,
  HEADER_BYTES,
  INDEX_BLOCKS,
  ORDERED_ROOT,
} from '../pager/layout.ts'
import { nodeChild, nodeChildOffset, nodeCount, nodeLevel } from '../pager/node.ts'
import { copyBytes } from '../runtime/bytes.ts'
import { nextTurn, performance, setTimeout } from '../runtime/timers.ts'
import type { CompactReport, ProgressOptions } from '../types.ts'

/** Milliseconds of work between two turns of the event loop. */
const SLICE_MS = 4
/** How often the list of free blocks is walked anew when whole chains become free meanwhile. */
const TRIES = 5
/** Bytes that are cut off the file at a time. */
const PIECE_BYTES = 16777216
/** Rounds of moving, since others may take the free blocks meanwhile. */
const ROUNDS = 4
/** How long to wait for open transactions to end. */
const PATIENCE_MS = 30000
/** Free blocks that stay inside the file are linked anew in one record; with more of them the file is not cut. */
const MOST_RELINKED = 8192

type LargePointer = ReturnType<typeof LargeValues.pointer>

/** The compaction under way of each engine: the next one begins when it has ended. */
const running: WeakMap<Engine, Promise<unknown>> = new WeakMap()

export const compact = async (engine: Engine, options: ProgressOptions): Promise<CompactReport> => {
  const before = running.get(engine)
  const own = (async () => {
    await before?.catch(() => {})
    return await new Compactor(engine, options).run()
  })()
  running.set(engine, own)
  return await own
}

/** @internal One compaction. */
export class Compactor {
  private readonly engine: Engine
  /** What the step under way works on. */
  private readonly pins: Pins
  private readonly onProgress: ProgressOptions['onProgress']
  private readonly capacity: number
  /** By block: what leads to it. Of the tail of a large value also the bucket with its pointer. */
  private parents: Uint32Array = new Uint32Array(0)
  private owners: Map<number, number> = new Map()
  /** `free.splices` when the walk began: parts of a value that was freed since still lead to each other. */
  private splices = 0
  private sliceStart = 0
  private known: KnownFree
  private last = 0
  private done = 0

  constructor(engine: Engine, options: ProgressOptions) {
    this.engine = engine
    this.pins = new Pins(engine.pool)
    this.onProgress = options.onProgress
    this.capacity = directoryCapacity(engine.pool.blockSize)
    this.known = new KnownFree(engine.free, engine.metadata)
  }

  async run(): Promise<CompactReport> {
    const { metadata, file } = this.engine
    this.sliceStart = performance.now()
    const blocksBefore = metadata.blocks
    const bytesBefore = Math.max(file.file.size(), blocksBefore * file.blockSize)
    await this.pause()
    await this.packBuckets()
    await this.packTrees()
    try {
      for (let round = 0; round < ROUNDS && metadata.freeBlocks > 0; round++) {
        const blocks = metadata.blocks
        await this.findParents()
        await this.knowFree()
        await this.moveDown()
        await this.prepareCut()
        this.cut()
        if (metadata.blocks === blocks && this.splices === this.engine.free.splices) break
      }
    } finally {
      this.engine.free.listener = undefined
    }
    await this.shorten()
    this.report(4, 1)
    return {
      blocksBefore,
      blocksAfter: metadata.blocks,
      bytesBefore,
      bytesAfter: file.file.size(),
    }
  }

  /** Each of the four stages counts for a quarter. */
  private report(stage: number, share: number): void {
    const { onProgress } = this
    if (onProgress === undefined) return
    const total = 1000
    // Later rounds move less than the first one.
    this.done = Math.max(this.done, Math.min(total, Math.floor(((stage - 1 + share) / 4) * total)))
    onProgress({ done: this.done, total })
  }

  /** Lets others go first now and then. Goes on when no transaction is open, whose undo knows block numbers. */
  private async turn(): Promise<void> {
    const { room } = this.engine
    if (performance.now() - this.sliceStart >= SLICE_MS) await this.pause()
    if (room.tight) room.admit(false)
  }

  private async pause(): Promise<void> {
    const { engine } = this
    const { log, checkpointer, transactions } = engine
    log.write()
    checkpointer.afterCommit()
    const until = performance.now() + PATIENCE_MS
    do {
      await new Promise<void>(resolve => nextTurn(resolve))
      engine.attend()
      if (transactions.open.size > 0) await new Promise<void>(resolve => setTimeout(resolve, 2))
      if (engine.health.attention) engine.attend()
      if (transactions.open.size > 0 && performance.now() > until)
        throw new LockConflictError(
          'a transaction has been open for 30 seconds, so that compaction cannot go on; end it and compact again',
        )
    } while (transactions.open.size > 0)
    this.sliceStart = performance.now()
  }

  private async packBuckets(): Promise<void> {
    const { structure, transactions } = this.engine
    for (let root = 1; root <= INDEX_BLOCKS; root++) {
      for (let position = 0; position >= 0; ) {
        position = structure.pack(transactions.autocommit, root, position)
        await this.turn()
      }
      this.report(1, root / INDEX_BLOCKS)
    }
  }

  private async packTrees(): Promise<void> {
    const { engine } = this
    for (const tree of [engine.expiry, engine.ordered]) {
      // The key to go on from is kept outside the arena, whose scratch others use between two slices.
      let key: Uint8Array = new Uint8Array(0)
      const at = engine.scanRoom.boundAt
      for (;;) {
        const { u8 } = engine.arena
        u8.set(key, at)
        const length = tree.pack(at, key.length)
        if (length < 0) break
        key = copyBytes(u8, at, at + length)
        await this.turn()
      }
    }
    this.report(2, 1)
  }

  /** Walks everything that leads to blocks. */
  private async findParents(): Promise<void> {
    const { engine } = this
    this.parents = new Uint32Array(engine.metadata.blocks)
    this.owners = new Map()
    this.splices = engine.free.splices
    for (let root = 1; root <= INDEX_BLOCKS; root++) {
      await this.walk(root)
      this.report(3, root / (2 * INDEX_BLOCKS))
    }
    await this.walk(EXPIRY_ROOT)
    await this.walk(ORDERED_ROOT)
  }

  private async walk(root: number): Promise<void> {
    const due = [root]
    while (due.length > 0) {
      const block = due.pop()!
      const { children, values } = this.childrenOf(block)
      for (const child of children) {
        // Each block once: what others have changed meanwhile must not lead in a circle.
        if (child < FIRST_OVERFLOW_BLOCK || child >= this.parents.length || this.parents[child] !== 0)
          continue
        this.parents[child] = block
        due.push(child)
      }
      for (const pointer of values) await this.followValue(block, pointer)
      await this.turn()
    }
  }

  /** The blocks that a block leads to, and the large values. */
  private childrenOf(block: number): { children: number[]; values: readonly LargePointer[] } {
    const { pool } = this.engine
    const { arena } = pool
    const base = pool.get(block)
    const kind = arena.u8[base + AT_KIND]!
    if (kind === BlockKind.directory)
      return {
        children: Array.from({ length: entryCount(arena, base) }, (_, i) =>
          childOf(arena, base, this.capacity, i),
        ),
        values: [],
      }
    if (kind === BlockKind.inner)
      return {
        children: Array.from({ length: nodeCount(arena, base) }, (_, i) => nodeChild(arena, base, i)),
        values: [],
      }
    if (kind !== BlockKind.bucket) return { children: [], values: [] }
    const next = bucketNext(arena, base)
    const values = this.largeValues(base).map(({ pointer }) => pointer)
    return { children: next === 0 ? [] : [next], values }
  }

  private largeValues(base: number): { at: number; pointer: LargePointer }[] {
    const { arena } = this.engine
    const count = arena.u16[(base + AT_COUNT) >>> 1]!
    const values: { at: number; pointer: LargePointer }[] = []
    for (let slot = 0; slot < count; slot++) {
      const word = arena.u32[((base + HEADER_BYTES) >>> 2) + slot]!
      if (!slotInUse(word)) continue
      const record = base + (word & 0xffff)
      const flags = recordFlags(arena, record)
      if ((flags & RecordFlag.large) === 0) continue
      const at = pointerAt(record + RECORD_HEADER_BYTES + recordKeyLength(arena, record), flags)
      values.push({ at, pointer: LargeValues.pointer(arena, at) })
    }
    return values
  }

  /** The parts of a large value lead to each other. */
  private async followValue(bucket: number, { head, tail, blocks }: LargePointer): Promise<void> {
    const { pool } = this.engine
    let from = bucket
    let block = head
    for (let i = 0; i < blocks; i++) {
      if (block < FIRST_OVERFLOW_BLOCK || block >= this.parents.length || this.parents[block] !== 0) return
      this.parents[block] = from
      from = block
      const base = pool.get(block)
      if (pool.arena.u8[base + AT_KIND] !== BlockKind.large) return
      block = pool.arena.u32[(base + AT_NEXT) >>> 2]!
      await this.turn()
    }
    if (from === tail) this.owners.set(tail, bucket)
  }

  /** Finds all free blocks, and the last one of their list. */
  private async knowFree(): Promise<void> {
    const { free, metadata } = this.engine
    for (let tries = 0; tries < TRIES; tries++) {
      this.known = new KnownFree(free, metadata).listen()
      const { known } = this
      while (!known.isWhole && !known.isStale) {
        known.step()
        await this.turn()
      }
      if (!known.isStale) break
    }
    this.last = this.known.at
  }

  /** Moves used blocks from the end of the file into the free ones before them. */
  private async moveDown(): Promise<void> {
    const { metadata } = this.engine
    const from = Math.min(this.parents.length, metadata.blocks) - 1
    const goal = metadata.blocks - metadata.freeBlocks
    for (let block = from; block >= goal && metadata.freeBlocks > 0; block--) {
      if (this.parents[block] !== 0 && this.linksTo(block) !== undefined) {
        if (!(await this.bringBefore(block))) return
        this.move(block)
      }
      if (block % 64 === 0) this.report(3, 0.5 + 0.5 * ((from - block) / Math.max(1, from - goal)))
      await this.turn()
    }
  }

  /** Turns the list of free blocks until one is at its head that lies before `block`; false if there is none. */
  private async bringBefore(block: number): Promise<boolean> {
    const { metadata } = this.engine
    for (let tries = metadata.freeBlocks; metadata.freeHead >= block; tries--) {
      if (tries <= 0 || (!this.known.isStale && !this.known.hasBefore(block))) return false
      this.rotate()
      await this.turn()
    }
    return metadata.freeHead !== 0
  }

  /** Moves a block to the first free one, unless something else has happened to either meanwhile. */
  private move(block: number): void {
    const { metadata, free } = this.engine
    if (block >= metadata.blocks || metadata.freeHead === 0 || metadata.freeHead >= block) return
    const links = this.linksTo(block)
    if (links === undefined) return
    if (!free.isLast(this.last)) this.last = free.last()
    this.copy(block, links)
  }

  /** The first free block goes to the end of the list. */
  private rotate(): void {
    const { pins } = this
    const { pool, log, free, metadata } = this.engine
    if (!free.isLast(this.last)) this.last = free.last()
    if (metadata.freeHead === this.last) return
    const [block] = free.plan(1)
    try {
      const lastBase = pins.get(this.last)
      const base = pins.fresh(block!)
      log.reserve(512)
      log.begin(RecordType.system, 0, 0, 0)
      free.logAppend(block!, base, this.last, lastBase)
      const lsn = free.endRecord()
      pool.formatted(base, lsn)
      pool.changed(lastBase, lsn)
      this.last = block!
    } finally {
      pins.release()
    }
  }

  /**
   * Where the number of a block stands: block and offset of each word. Undefined if nothing leads to it, or not what
   * the walk has seen.
   */
  private linksTo(block: number): { block: number; offset: number }[] | undefined {
    const { pool, transactions, metadata } = this.engine
    const { arena } = pool
    const parent = this.parents[block]!
    if (parent === 0 || parent >= metadata.blocks) return undefined
    if (!transactions.locks.isFreeFor(block, 0)) return undefined
    const kind = arena.u8[pool.get(block) + AT_KIND]!
    const base = pool.get(parent)
    const parentKind = arena.u8[base + AT_KIND]!
    if (parentKind === BlockKind.directory && (kind === BlockKind.bucket || kind === BlockKind.directory)) {
      for (let entry = 0; entry < entryCount(arena, base); entry++)
        if (childOf(arena, base, this.capacity, entry) === block)
          return [{ block: parent, offset: childOffset(this.capacity, entry) }]
      return undefined
    }
    if (parentKind === BlockKind.inner && (kind === BlockKind.leaf || kind === BlockKind.inner)) {
      for (let entry = 0; entry < nodeCount(arena, base); entry++)
        if (nodeChild(arena, base, entry) === block)
          return [{ block: parent, offset: nodeChildOffset(arena, base, entry) }]
      return undefined
    }
    if (parentKind === BlockKind.bucket && kind === BlockKind.bucket)
      return bucketNext(arena, base) === block ? [{ block: parent, offset: AT_NEXT }] : undefined
    return kind === BlockKind.large ? this.linksToPart(block, parent, base, parentKind) : undefined
  }

  /** A part of a large value: the record's pointer names its head and its tail, each part the next one. */
  private linksToPart(
    block: number,
    parent: number,
    base: number,
    parentKind: number,
  ): { block: number; offset: number }[] | undefined {
    const { pool, free } = this.engine
    if (free.splices !== this.splices) return undefined
    const links: { block: number; offset: number }[] = []
    if (parentKind === BlockKind.large) {
      if (pool.arena.u32[(base + AT_NEXT) >>> 2] !== block) return undefined
      links.push({ block: parent, offset: AT_NEXT })
    } else if (parentKind === BlockKind.bucket) {
      const value = this.largeValues(base).find(({ pointer }) => pointer.head === block)
      if (value === undefined) return undefined
      links.push({ block: parent, offset: value.at - base })
    } else return undefined
    const owner = this.owners.get(block)
    if (owner === undefined) return links
    const ownerBase = pool.get(owner)
    if (pool.arena.u8[ownerBase + AT_KIND] !== BlockKind.bucket) return undefined
    const value = this.largeValues(ownerBase).find(({ pointer }) => pointer.tail === block)
    if (value === undefined) return undefined
    links.push({ block: owner, offset: value.at - ownerBase + 4 })
    return links
  }

  /** One record: the block's bytes at their new place, what leads to it, and the old place free. */
  private copy(block: number, links: readonly { block: number; offset: number }[]): void {
    const { pins } = this
    const { pool, log, free, metadata } = this.engine
    const { arena, blockSize } = pool
    const [target] = free.plan(1)
    const isAlone = metadata.freeBlocks === 1
    const lastBlock = isAlone ? 0 : this.last
    try {
      const base = pins.get(block)
      const lastBase = lastBlock === 0 ? 0 : pins.get(lastBlock)
      const linkBases = links.map(link => pins.get(link.block))
      const targetBase = pins.fresh(target!)
      arena.u8.copyWithin(targetBase, base, base + blockSize)
      arena.u32.fill(0, (targetBase + AT_LSN) >>> 2, (targetBase + AT_LSN + 8) >>> 2)
      log.reserve(blockSize + 1024)
      log.begin(RecordType.system, 0, 0, 0)
      log.part(target!)
      log.format(arena.u8[base + AT_KIND]!, arena.u8[base + AT_LEVEL]!)
      log.set(AT_COUNT, AT_NEXT + 4 - AT_COUNT, targetBase + AT_COUNT)
      log.set(HEADER_BYTES, blockSize - HEADER_BYTES, targetBase + HEADER_BYTES)
      log.endPart()
      links.forEach((link, i) => {
        const at = linkBases[i]! + link.offset
        pool.preserve(linkBases[i]!)
        for (let byte = 0; byte < 4; byte++) arena.u8[at + byte] = target! >>> (8 * byte)
        // Head and tail of a value of one part stand in the same block, which has one part of the record.
        if (link.block !== links[i - 1]?.block) log.part(link.block)
        log.set(link.offset, 4, at)
        if (link.block !== links[i + 1]?.block) log.endPart()
      })
      free.logAppend(block, base, lastBlock, lastBase)
      const lsn = free.endRecord()
      pool.formatted(targetBase, lsn)
      pool.formatted(base, lsn)
      if (lastBlock !== 0) pool.changed(lastBase, lsn)
      for (const linkBase of linkBases) pool.changed(linkBase, lsn)
      this.last = block
    } finally {
      pins.release()
    }
    this.moved(block, target!)
  }

  /** What the block led to is led to from another place now. */
  private moved(block: number, target: number): void {
    const { parents, owners } = this
    parents[target] = parents[block]!
    parents[block] = 0
    const owner = owners.get(block)
    if (owner !== undefined) {
      owners.delete(block)
      owners.set(target, owner)
    }
    const { pool } = this.engine
    const { arena } = pool
    const base = pool.get(target)
    const kind = arena.u8[base + AT_KIND]!
    const follow = (child: number): void => {
      if (child < parents.length && parents[child] === block) parents[child] = target
    }
    if (kind === BlockKind.large) follow(arena.u32[(base + AT_NEXT) >>> 2]!)
    else if (kind === BlockKind.bucket) {
      follow(bucketNext(arena, base))
      for (const { pointer } of this.largeValues(base)) {
        follow(pointer.head)
        if (owners.get(pointer.tail) === block) owners.set(pointer.tail, target)
      }
    } else if (kind === BlockKind.inner && nodeLevel(arena, base) > 0)
      for (let i = 0; i < nodeCount(arena, base); i++) follow(nodeChild(arena, base, i))
    else if (kind === BlockKind.directory)
      for (let i = 0; i < entryCount(arena, base); i++) follow(childOf(arena, base, this.capacity, i))
  }

  /** Brings into memory what `cut` will look at, and keeps what snapshots need of the end of the file. */
  private async prepareCut(): Promise<void> {
    const { pool, metadata } = this.engine
    if (this.known.isStale) await this.knowFree()
    const { end, before } = this.known.split()
    if (end === metadata.blocks || before.length > this.mostRelinked) return
    for (const block of before) {
      pool.get(block)
      await this.turn()
    }
    for (let block = end; block < metadata.blocks && pool.versions.newest !== 0; block++) {
      pool.preserve(pool.get(block))
      await this.turn()
    }
  }

  /** All of them are pinned at once, and linked in one record. */
  private get mostRelinked(): number {
    const { pool, log } = this.engine
    return Math.min(MOST_RELINKED, Math.floor(pool.frames / 4), Math.floor(log.capacity / 32))
  }

  /** Ends the file before the free blocks at its end. */
  private cut(): void {
    const { pins } = this
    const { pool, log, free, metadata } = this.engine
    // Large values are deleted again and again: their blocks are found at once, then.
    if (this.known.isStale) this.known = new KnownFree(free, metadata).listen()
    while (!this.known.isWhole) this.known.step()
    const { end, before: kept } = this.known.split()
    if (end === metadata.blocks || kept.length > this.mostRelinked) return
    this.keepForSnapshots(end)
    try {
      const bases = kept.map(block => pins.get(block))
      free.plan(0)
      log.reserve(256 + 20 * kept.length)
      log.begin(RecordType.system, 0, 0, 0)
      free.logCut(kept, bases, end)
      const lsn = free.endRecord()
      for (const base of bases) pool.changed(base, lsn)
    } finally {
      pins.release()
    }
  }

  /** A free block still holds its part of a large value that was deleted since a snapshot began. */
  private keepForSnapshots(end: number): void {
    const { pool, metadata } = this.engine
    const { versions } = pool
    for (let block = end; block < metadata.blocks && versions.newest !== 0; block++)
      if (!versions.isKept(block)) pool.preserve(pool.get(block))
  }

  /** Brings the data file up to date, and only then gives its end back. */
  private async shorten(): Promise<void> {
    await this.pause()
    const { engine } = this
    const { pool, metadata, checkpointer } = engine
    await checkpointer.settled()
    pool.discardFrom(metadata.blocks)
    // Both copies of the state know the new length before the file has it; each checkpoint writes one of them.
    for (let copy = 0; copy < 2; copy++) await checkpointer.runInSlices(() => engine.turn())
    await this.truncate()
  }

  /** Cuts the file piece by piece, since the system frees what is cut off before it returns; others may let it grow. */
  private async truncate(): Promise<void> {
    const { engine } = this
    const { pool, file, metadata, health } = engine
    for (;;) {
      const needed = metadata.blocks * pool.blockSize
      try {
        const size = file.file.size()
        if (size <= needed) return
        file.file.truncate(Math.max(needed, size - PIECE_BYTES))
        if (size - PIECE_BYTES <= needed) {
          await file.syncAside()
          return
        }
      } catch (error) {
        throw health.fail(error)
      }
      await engine.turn()
    }
  }
}
