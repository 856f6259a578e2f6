/**
 * The part of `verify` that walks the index through the pool: each key in the bucket that its hash leads to, no key
 * twice, large values, the slot freelists, the free-block list, the record count, every block reached exactly once.
 *
 * The walk can pause after every block, and others may change the database meanwhile: it reads as of the snapshot that
 * its caller sets, works on a copy of the block at hand, and compares with what block 0 said when the snapshot began.
 */

import type { Engine } from '../../engine/engine.ts'
import { XenonError } from '../../errors.ts'
import { pointerAt } from '../../hash/hash.ts'
import { KeyHash } from '../../hash/key-hash.ts'
import { LargeValues } from '../../hash/large.ts'
import {
  bucketNext,
  bucketProblem,
  liveBytes,
  RECORD_HEADER_BYTES,
  RecordFlag,
  recordFlags,
  recordKeyLength,
  slotInUse,
} from '../../pager/bucket.ts'
import {
  childOf,
  directoryCapacity,
  directoryLevel,
  directoryProblem,
  entryCount,
  separatorOf,
} from '../../pager/directory.ts'
import {
  AT_COUNT,
  AT_GARBAGE,
  AT_KIND,
  AT_LIVE,
  AT_NEXT,
  BlockKind,
  EXPIRY_ROOT,
  HEADER_BYTES,
  INDEX_BLOCKS,
  kindName,
  ORDERED_ROOT,
} from '../../pager/layout.ts'
import type { Block, Position } from '../../pager/place.ts'
import { Arena } from '../../runtime/bytes.ts'
import { latin1 } from '../../txn/changed-keys.ts'
import type { BlockCounts } from '../../types.ts'
import { TreeCheck, type Walk } from './tree.ts'

const KEPT_PROBLEMS = 100
const POSITIONS = 4294967296

export class ShapeCheck {
  private readonly engine: Engine
  private readonly hash: KeyHash
  private readonly capacity: number
  /** What each block was reached as; 0 = not yet. */
  private readonly reached: Uint8Array
  readonly problems: string[] = []
  problemCount = 0
  records = 0
  freeSlots = 0
  maxDepth = 0
  readonly histogram: number[] = new Array<number>(10).fill(0)
  private readonly counts = { metadata: 1, index: 0, directory: 0, overflow: 0, large: 0, tree: 0, free: 0 }
  /** Records that expire. */
  private expiring = 0
  private fillBytes = 0
  private fillBlocks = 0
  /** Blocks that are known to be damaged already. */
  private readonly damaged: ReadonlySet<number>
  /** Some block could not be read, so what hangs on it was not reached either. */
  private incomplete = false
  /** What block 0 says, with what open transactions have changed. */
  private readonly said: {
    readonly ordered: boolean
    readonly blocks: number
    readonly records: number
    readonly freeHead: number
    readonly freeBlocks: number
    readonly openTransactions: number
  }
  /** The block that is being checked. */
  private readonly copy: Arena

  constructor(engine: Engine, damaged: ReadonlySet<number>) {
    this.engine = engine
    this.damaged = damaged
    this.hash = new KeyHash(engine.metadata.identity.hashKey)
    this.capacity = directoryCapacity(engine.pool.blockSize)
    this.copy = new Arena(engine.pool.blockSize)
    const { metadata, transactions } = engine
    const { ordered, blocks, freeHead, freeBlocks } = metadata
    let { records } = metadata
    for (const state of transactions.open.values()) records += state.records
    this.said = { ordered, blocks, records, freeHead, freeBlocks, openTransactions: transactions.open.size }
    this.reached = new Uint8Array(blocks)
    this.reached[0] = 1
  }

  /** Blocks reached so far. */
  get done(): number {
    const { index, directory, overflow, large, tree, free } = this.counts
    return index + directory + overflow + large + tree + free
  }

  /** The whole check, in steps of about a block. */
  *run(): Walk {
    for (let root = 1; root <= INDEX_BLOCKS; root++) {
      this.counts.index++
      yield* this.walk(root, root, 0, POSITIONS, 1, -1)
    }
    yield* this.checkTrees()
    yield* this.checkFreeList()
    this.finish()
  }

  /** The trees over keys and times of expiry: as many keys as the buckets have records for. */
  private *checkTrees(): Walk {
    const walk = {
      reach: (block: Block, from: number): boolean => {
        const reached = this.reach(block, from)
        if (reached) this.counts.tree++
        return reached
      },
      read: (block: Block): number => this.read(block),
      problem: (block: Block, sentence: string): void => this.problem(block, sentence),
    }
    for (const root of [EXPIRY_ROOT, ORDERED_ROOT]) {
      const isExpiry = root === EXPIRY_ROOT
      const isKept = isExpiry || this.said.ordered
      const tree = new TreeCheck(this.engine, walk, isExpiry, isKept)
      yield* tree.check(root)
      const expected = isExpiry ? this.expiring : this.records
      if (isKept && !this.incomplete && tree.keys !== expected)
        this.problem(
          root,
          `the ${isExpiry ? 'tree over times of expiry' : 'ordered index'} holds ${tree.keys} keys, the buckets ${expected} such records`,
        )
    }
  }

  /** Count of records, blocks that nothing leads to. */
  private finish(): void {
    const { said } = this
    if (this.records !== said.records)
      this.problem(
        0,
        `counts ${said.records} records, the buckets ${this.incomplete ? 'that can be read ' : ''}hold ${this.records}`,
      )
    if (said.openTransactions > 0) return
    let unreached = 0
    let first = 0
    for (let block = 1; block < this.reached.length; block++) {
      if (this.reached[block] !== 0) continue
      if (unreached++ === 0) first = block
    }
    if (unreached === 0) return
    const why = this.incomplete
      ? 'only a damaged block may lead there, or nothing does'
      : 'neither used nor on the free list'
    this.problem(first, `${unreached} blocks from here on are not reached: ${why}`)
  }

  get blocks(): BlockCounts {
    return { total: this.said.blocks, ...this.counts }
  }

  get fill(): number {
    const usable = this.fillBlocks * (this.engine.pool.blockSize - HEADER_BYTES)
    return usable === 0 ? 0 : this.fillBytes / usable
  }

  private problem(block: Block, sentence: string): void {
    this.problemCount++
    if (this.problems.length >= KEPT_PROBLEMS) return
    const where = `${this.engine.file.file.path}, block ${block}: `
    this.problems.push(sentence.startsWith(where) ? sentence : where + sentence)
  }

  /** Marks a block as reached; false if it cannot be followed. */
  private reach(block: Block, from: number): boolean {
    if (block === 0 || block >= this.reached.length) {
      this.incomplete = true
      this.problem(from, `points to block ${block}, but there are ${this.reached.length} blocks`)
      return false
    }
    if (this.reached[block] !== 0) {
      this.problem(block, `reached twice, the second time from block ${from}`)
      return false
    }
    this.reached[block] = 1
    return true
  }

  /** Position of a block in the arena, or -1 after reporting why it cannot be read. */
  private read(block: Block): number {
    try {
      return this.engine.pool.get(block)
    } catch (error) {
      if (!(error instanceof XenonError)) throw error
      this.incomplete = true
      if (!this.damaged.has(block)) this.problem(block, error.message)
      return -1
    }
  }

  private *walk(root: number, block: Block, low: number, high: number, depth: number, level: number): Walk {
    if (!this.reach(block, root)) return
    const base = this.read(block)
    if (base < 0) return
    const { arena } = this.engine.pool
    const kind = arena.u8[base + AT_KIND]!
    if (kind === BlockKind.directory && (level < 0 || level > 0))
      yield* this.walkDirectory(root, block, base, low, high, depth, level)
    else if (kind === BlockKind.bucket && level <= 0) yield* this.walkBucket(root, block, low, high, depth)
    else this.problem(block, `expected a ${level > 0 ? 'directory' : 'bucket'}, found a ${kindName(kind)}`)
  }

  private *walkDirectory(
    root: number,
    block: Block,
    base: Position,
    low: number,
    high: number,
    depth: number,
    expectedLevel: number,
  ): Walk {
    const { arena, blockSize } = this.engine.pool
    if (block > INDEX_BLOCKS) this.counts.directory++
    const problem = directoryProblem(arena, base, blockSize)
    if (problem !== undefined) {
      this.incomplete = true
      this.problem(block, problem)
      return
    }
    const level = directoryLevel(arena, base)
    // D2
    if (expectedLevel > 0 && level !== expectedLevel - 1)
      this.problem(block, `a directory of level ${level} below one of level ${expectedLevel}`)
    // D1
    if (separatorOf(arena, base, 0) !== low)
      this.problem(block, `its first separator is ${separatorOf(arena, base, 0)}, expected ${low}`)
    // Copied, since reading the children may evict this block.
    const entries = Array.from({ length: entryCount(arena, base) }, (_, entry) => ({
      low: separatorOf(arena, base, entry),
      child: childOf(arena, base, this.capacity, entry),
    }))
    for (const [i, entry] of entries.entries())
      yield* this.walk(root, entry.child, entry.low, entries[i + 1]?.low ?? high, depth + 1, level)
  }

  private *walkBucket(root: number, head: number, low: number, high: number, depth: number): Walk {
    const { pool } = this.engine
    const keys = new Set<string>()
    let chainDepth = depth
    for (let block = head; block !== 0; chainDepth++) {
      // The head was reached by whoever led here; a chain that comes back to it is reached twice.
      if (chainDepth > depth && !this.reach(block, head)) break
      const base = this.read(block)
      if (base < 0) break
      const kind = pool.arena.u8[base + AT_KIND]!
      if (kind !== BlockKind.bucket) {
        this.problem(block, `an overflow chain leads to it, but it is a ${kindName(kind)}`)
        break
      }
      if (block > INDEX_BLOCKS) this.counts.overflow++
      const next = bucketNext(pool.arena, base)
      yield* this.checkBucket(root, block, base, low, high, keys)
      block = next
      yield
    }
    this.maxDepth = Math.max(this.maxDepth, chainDepth - 1)
  }

  private *checkBucket(root: number, block: Block, from: number, low: number, high: number, keys: Set<string>): Walk {
    const { pool } = this.engine
    const { blockSize } = pool
    // Copied, since reading large values may evict this block, and others may change it between two steps.
    const arena = this.copy
    const base = 0
    arena.u8.set(pool.arena.window(from, blockSize), base)
    const problem = bucketProblem(arena, base, blockSize)
    if (problem !== undefined) {
      this.problem(block, problem)
      return
    }
    const count = arena.u16[(base + AT_COUNT) >>> 1]!
    const fill = liveBytes(arena, base) / (blockSize - HEADER_BYTES)
    this.fillBytes += liveBytes(arena, base)
    this.fillBlocks++
    const tenth = Math.min(9, Math.floor(fill * 10))
    this.histogram[tenth] = this.histogram[tenth]! + 1
    this.freeSlots += count - arena.u16[(base + AT_LIVE) >>> 1]!
    for (let slot = 0; slot < count; slot++) {
      const word = arena.u32[((base + HEADER_BYTES) >>> 2) + slot]!
      if (!slotInUse(word)) continue
      const record = base + (word & 0xffff)
      this.checkRecord(root, block, record, word >>> 16, low, high, keys)
      const flags = recordFlags(arena, record)
      if ((flags & RecordFlag.large) !== 0) yield* this.checkLarge(block, record, flags)
    }
  }

  private checkRecord(
    root: number,
    block: Block,
    record: number,
    tag: number,
    low: number,
    high: number,
    keys: Set<string>,
  ): void {
    const { hash, copy: arena } = this
    this.records++
    const keyLength = recordKeyLength(arena, record)
    const keyAt = record + RECORD_HEADER_BYTES
    hash.of(arena.u8, keyAt, keyLength)
    const shown = (): string => JSON.stringify(arena.u8.utf8Slice(keyAt, keyAt + Math.min(keyLength, 40)))
    if (hash.root !== root || hash.position < low || hash.position >= high)
      this.problem(block, `holds the key ${shown()}, whose hash belongs elsewhere`)
    if (hash.tag !== tag) this.problem(block, `the slot of the key ${shown()} has the tag ${tag}, expected ${hash.tag}`)
    const key = latin1(arena.u8, keyAt, keyLength)
    if (keys.has(key)) this.problem(block, `holds the key ${shown()} a second time`)
    keys.add(key)
    if ((recordFlags(arena, record) & RecordFlag.expires) !== 0) this.expiring++
  }

  private *checkLarge(block: Block, record: number, flags: number): Walk {
    const { pool, large } = this.engine
    const { copy } = this
    const keyAt = record + RECORD_HEADER_BYTES
    const keyLength = recordKeyLength(copy, record)
    const key = JSON.stringify(copy.u8.utf8Slice(keyAt, keyAt + Math.min(keyLength, 40)))
    const pointer = LargeValues.pointer(copy, pointerAt(keyAt + keyLength, flags))
    let left = pointer.bytes
    let at = pointer.head
    let last = 0
    for (let i = 0; i < pointer.blocks; i++) {
      if (!this.reach(at, block)) return
      this.counts.large++
      const base = this.read(at)
      if (base < 0) return
      const held = pool.arena.u16[(base + AT_GARBAGE) >>> 1]!
      const expected = Math.min(left, large.bytesPerBlock)
      if (pool.arena.u8[base + AT_KIND] !== BlockKind.large || held !== expected) {
        this.problem(
          at,
          `expected a part of ${expected} bytes of the value of ${key}, found ${held} in a ${kindName(pool.arena.u8[base + AT_KIND]!)}`,
        )
        return
      }
      left -= held
      last = at
      at = pool.arena.u32[(base + AT_NEXT) >>> 2]!
      yield
    }
    if (left !== 0 || last !== pointer.tail)
      this.problem(
        block,
        `the value of ${key} should end in block ${pointer.tail} with no bytes left, not in ${last} with ${left}`,
      )
  }

  private *checkFreeList(): Walk {
    const { pool } = this.engine
    const { said } = this
    let from = 0
    for (let block = said.freeHead; block !== 0; this.counts.free++) {
      if (!this.reach(block, from)) break
      const base = this.read(block)
      if (base < 0) break
      const kind = pool.arena.u8[base + AT_KIND]!
      if (kind !== BlockKind.free && kind !== BlockKind.large)
        this.problem(block, `on the free-block list, but it is a ${kindName(kind)}`)
      from = block
      block = pool.arena.u32[(base + AT_NEXT) >>> 2]!
      yield
    }
    if (this.counts.free !== said.freeBlocks)
      this.problem(0, `counts ${said.freeBlocks} free blocks, the list holds ${this.counts.free}`)
  }
}
