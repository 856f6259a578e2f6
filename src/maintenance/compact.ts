/**
 * Gives the space that deletions have left back to the file system, while the database is in use: fills buckets and
 * tree leaves from left to right, moves blocks from the end of the file into free ones, cuts the file.
 *
 * Each step is one system record, atomic in itself, so that a crash at any point leaves a sound database. Between two
 * slices others may change anything; so what leads to a block is looked up when the block is moved, and a block that
 * something else leads to by then stays where it is.
 */

import type { Engine } from '../engine/engine.ts'
import { Reclaimer } from '../engine/reclaim.ts'
import type { Space } from '../engine/space.ts'
import { LockConflictError } from '../errors.ts'
import { KnownFree } from '../freelist/known.ts'
import { AT_COUNT, AT_KIND, AT_LEVEL, AT_LSN, AT_NEXT, HEADER_BYTES } from '../pager/layout.ts'
import type { Block } from '../pager/place.ts'
import { copyBytes } from '../runtime/bytes.ts'
import { nextTurn, performance, setTimeout } from '../runtime/timers.ts'
import { Step } from '../txn/step.ts'
import type { ProgressOptions } from '../types.ts'
import { BlockLinks, type Links } from './links.ts'
import type { CompactReport } from './shapes.ts'

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
  private readonly step: Step
  private readonly onProgress: ProgressOptions['onProgress']
  /** What leads to each block. */
  private readonly links: BlockLinks
  private readonly reclaimer: Reclaimer
  private sliceStart = 0
  private known: KnownFree
  private last: Block = 0
  private done = 0

  constructor(engine: Engine, options: ProgressOptions) {
    this.engine = engine
    this.step = new Step(engine)
    this.onProgress = options.onProgress
    this.links = new BlockLinks(engine)
    this.reclaimer = new Reclaimer(engine)
    this.known = new KnownFree(engine.free, engine.metadata)
  }

  async run(): Promise<CompactReport> {
    const { metadata, file } = this.engine
    this.sliceStart = performance.now()
    const blocksBefore = metadata.blocks
    const bytesBefore = Math.max(file.file.size(), blocksBefore * file.blockSize)
    await this.pause()
    await this.reclaim()
    await this.packBuckets()
    await this.packTrees()
    try {
      for (let round = 0; round < ROUNDS && metadata.freeBlocks > 0; round++) {
        await this.reclaim()
        const blocks = metadata.blocks
        await this.links.find(
          () => this.turn(),
          share => this.report(3, share / 2),
        )
        await this.knowFree()
        await this.moveDown()
        await this.prepareCut()
        this.cut()
        if (metadata.blocks === blocks && !this.links.areStale) break
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
    transactions.quiet.want()
    try {
      await this.untilQuiet()
    } finally {
      transactions.quiet.take()
    }
    this.sliceStart = performance.now()
  }

  private async untilQuiet(): Promise<void> {
    const { engine } = this
    const { transactions } = engine
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
  }

  /** Frees what was cleared or dropped, which compaction knows nothing of. How much that is, nobody knows. */
  private async reclaim(): Promise<void> {
    const { spaces } = this.engine
    spaces.dropOrphans()
    while (this.reclaimer.slice(SLICE_MS)) {
      this.report(1, 0)
      await this.turn()
    }
  }

  private async packBuckets(): Promise<void> {
    const { root, spaces } = this.engine
    const all = [root, ...spaces.open()].flatMap(space => space.indexBlocks.map((_, i) => ({ space, i })))
    for (const [done, { space, i }] of all.entries()) {
      // Between two steps a space may be dropped, or cleared: then it begins at other blocks.
      const block = (): Block => space.indexBlocks[i]!
      for (let position = 0; position >= 0 && !space.isDropped; await this.turn())
        position = space.structure.pack(block(), position)
      while (!space.isDropped && space.structure.fold(block())) await this.turn()
      this.report(1, (done + 1) / all.length)
    }
  }

  private async packTrees(): Promise<void> {
    const { engine } = this
    for (const space of [engine.root, ...engine.spaces.open()]) await this.packTreesOf(space)
    this.report(2, 1)
  }

  private async packTreesOf(space: Space): Promise<void> {
    const { engine } = this
    for (const tree of [space.expiry, space.ordered]) {
      // The key to go on from is kept outside the arena, whose scratch others use between two slices.
      let key: Uint8Array = new Uint8Array(0)
      const at = engine.scanRoom.boundAt
      while (!space.isDropped) {
        const { u8 } = engine.arena
        u8.set(key, at)
        const length = tree.pack(at, key.length)
        if (length < 0) break
        key = copyBytes(u8, at, at + length)
        await this.turn()
      }
    }
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
    const from = Math.min(this.links.blocks, metadata.blocks) - 1
    const goal = metadata.blocks - metadata.freeBlocks
    for (let block = from; block >= goal && metadata.freeBlocks > 0; block--) {
      if (this.links.to(block) !== undefined) {
        if (!(await this.bringBefore(block))) return
        this.move(block)
      }
      if (block % 64 === 0) this.report(3, 0.5 + 0.5 * ((from - block) / Math.max(1, from - goal)))
      await this.turn()
    }
  }

  /** Turns the list of free blocks until one is at its head that lies before `block`; false if there is none. */
  private async bringBefore(block: Block): Promise<boolean> {
    const { metadata } = this.engine
    for (let tries = metadata.freeBlocks; metadata.freeHead >= block; tries--) {
      if (tries <= 0 || (!this.known.isStale && !this.known.hasBefore(block))) return false
      this.rotate()
      await this.turn()
    }
    return metadata.freeHead !== 0
  }

  /** Moves a block to the first free one, unless something else has happened to either meanwhile. */
  private move(block: Block): void {
    const { metadata, free } = this.engine
    if (block >= metadata.blocks || metadata.freeHead === 0 || metadata.freeHead >= block) return
    const links = this.links.to(block)
    if (links === undefined) return
    if (!free.isLast(this.last)) this.last = free.last()
    this.copy(block, links)
  }

  /** The first free block goes to the end of the list. */
  private rotate(): void {
    const { step } = this
    const { free, metadata } = this.engine
    if (!free.isLast(this.last)) this.last = free.last()
    if (metadata.freeHead === this.last) return
    step.run(() => {
      const block = step.takeOne()
      const last = step.pin(this.last)
      const first = step.fresh(block)
      step.begin(512, [last])
      step.append(first, last)
      step.end()
      this.last = block
    })
  }

  /** One step: the block's bytes to their new place, what leads to it, and the old place free. */
  private copy(block: Block, links: Links): void {
    const { step } = this
    const target = step.run(() => this.copyPinned(block, links))
    this.last = block
    this.links.moved(block, target)
    if (links.isKnownToSpaces) this.engine.spaces.moved(block, target)
  }

  private copyPinned(block: Block, { words: links, isFirstSpace }: Links): Block {
    const { step } = this
    const { pool, log, metadata } = this.engine
    const { arena, blockSize } = pool
    const target = step.takeOne()
    const from = step.pin(block)
    const last = metadata.freeBlocks === 1 ? undefined : step.pin(this.last)
    const owners = links.map(link => step.pin(link.block))
    const to = step.fresh(target)
    arena.u8.copyWithin(to.base, from.base, from.base + blockSize)
    arena.u32.fill(0, (to.base + AT_LSN) >>> 2, (to.base + AT_LSN + 8) >>> 2)
    step.begin(blockSize + 1024, last === undefined ? [from, ...owners] : [from, last, ...owners])
    step.format(to, arena.u8[from.base + AT_KIND]!, arena.u8[from.base + AT_LEVEL]!)
    log.set(AT_COUNT, AT_NEXT + 4 - AT_COUNT, to.base + AT_COUNT)
    log.set(HEADER_BYTES, blockSize - HEADER_BYTES, to.base + HEADER_BYTES)
    step.endPart()
    links.forEach((link, i) => {
      const at = owners[i]!.base + link.offset
      for (let byte = 0; byte < 4; byte++) arena.u8[at + byte] = target >>> (8 * byte)
      // Head and tail of a value of one part stand in the same block, which has one part of the record.
      if (link.block !== links[i - 1]?.block) step.part(owners[i]!)
      log.set(link.offset, 4, at)
      if (link.block !== links[i + 1]?.block) step.endPart()
    })
    step.append(from, last)
    if (isFirstSpace) step.setState('firstSpace', target)
    step.end()
    return target
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
    const { step } = this
    const { free, metadata } = this.engine
    // Large values are deleted again and again: their blocks are found at once, then.
    if (this.known.isStale) this.known = new KnownFree(free, metadata).listen()
    while (!this.known.isWhole) this.known.step()
    const { end, before: kept } = this.known.split()
    if (end === metadata.blocks || kept.length > this.mostRelinked) return
    this.keepForSnapshots(end)
    step.run(() => {
      const places = kept.map(block => step.pin(block))
      step.begin(256 + 20 * kept.length, places)
      step.cut(places, end)
      step.end()
    })
  }

  /** A free block still holds its part of a large value that was deleted since a snapshot began. */
  private keepForSnapshots(end: Block): void {
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
