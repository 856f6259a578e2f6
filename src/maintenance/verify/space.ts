/**
 * The part of `verify` that walks a key space through the pool: each key in the bucket that its hash leads to, no key
 * twice, large values, and its trees.
 */

import type { Engine } from '../../engine/engine.ts'
import type { SpaceRoots } from '../../engine/space.ts'
import { pointerAt } from '../../hash/hash.ts'
import { KeyBuffer } from '../../hash/key.ts'
import { FIXED, KeyHash } from '../../hash/key-hash.ts'
import { LargeValues } from '../../hash/large.ts'
import { HashSearch } from '../../hash/search.ts'
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
  HEADER_BYTES,
  INDEX_BLOCKS,
  kindName,
} from '../../pager/layout.ts'
import type { Block, Position } from '../../pager/place.ts'
import { Arena } from '../../runtime/bytes.ts'
import { latin1 } from '../../txn/changed-keys.ts'
import type { Findings, Walk } from './findings.ts'
import { TreeCheck } from './tree.ts'

const POSITIONS = 4294967296

/** Of the buckets of all key spaces: how full they are, how far an index block is from a record. */
export class BucketFigures {
  freeSlots = 0
  maxDepth = 0
  readonly histogram: number[] = new Array<number>(10).fill(0)
  private bytes = 0
  private blocks = 0

  /** A bucket of `usable` bytes, of which live records take so many. */
  add(live: number, usable: number, freeSlots: number): void {
    this.bytes += live / usable
    this.blocks++
    const tenth = Math.min(9, Math.floor((live / usable) * 10))
    this.histogram[tenth] = this.histogram[tenth]! + 1
    this.freeSlots += freeSlots
  }

  get fill(): number {
    return this.blocks === 0 ? 0 : this.bytes / this.blocks
  }
}

export class SpaceCheck {
  records = 0
  private readonly engine: Engine
  private readonly findings: Findings
  private readonly figures: BucketFigures
  private readonly roots: SpaceRoots
  private readonly hash: KeyHash
  private readonly capacity: number
  /** The block that is being checked. */
  private readonly copy: Arena
  /** Records that expire. */
  private expiring = 0

  constructor(engine: Engine, findings: Findings, figures: BucketFigures, roots: SpaceRoots) {
    this.engine = engine
    this.findings = findings
    this.figures = figures
    this.roots = roots
    this.hash = this.newHash()
    this.capacity = directoryCapacity(engine.pool.blockSize)
    this.copy = new Arena(engine.pool.blockSize)
  }

  private newHash(): KeyHash {
    const { hashKey, index } = this.roots
    return new KeyHash(hashKey, index === 0 ? FIXED : { lone: index })
  }

  /** The index, then the trees; `isOrdered`: the tree over the keys is kept. */
  *run(isOrdered: boolean): Walk {
    const { findings, roots } = this
    const before = findings.missed
    const first = roots.index === 0 ? 1 : roots.index
    const last = roots.index === 0 ? INDEX_BLOCKS : roots.index
    for (let root = first; root <= last; root++) {
      findings.counts.index++
      yield* this.walk(root, root, 0, POSITIONS, 1, -1)
    }
    yield* this.checkTree(roots.expiry, true, true, this.expiring, before)
    yield* this.checkTree(roots.ordered, false, isOrdered, this.records, before)
  }

  /** A tree holds as many keys as the buckets have records for. */
  private *checkTree(root: Block, isExpiry: boolean, isKept: boolean, expected: number, missedBefore: number): Walk {
    const { engine, findings } = this
    const { pool, arena, scanRoom, keysAhead, file } = engine
    // Reads as of the moment that is checked, when the space may have begun elsewhere.
    const key = new KeyBuffer(arena, scanRoom.boundAt, this.newHash(), engine.root.locks, keysAhead)
    const search = new HashSearch(pool, key, file.file.path)
    const tree = new TreeCheck(engine, findings, isExpiry, isKept ? search : undefined)
    yield* tree.check(root)
    if (isKept && findings.missed === missedBefore && tree.keys !== expected)
      findings.problem(
        root,
        `the ${isExpiry ? 'tree over times of expiry' : 'ordered index'} holds ${tree.keys} keys, the buckets ${expected} such records`,
      )
  }

  private *walk(root: number, block: Block, low: number, high: number, depth: number, level: number): Walk {
    if (!this.findings.reach(block, root)) return
    const base = this.findings.read(block)
    if (base < 0) return
    const { arena } = this.engine.pool
    const kind = arena.u8[base + AT_KIND]!
    if (kind === BlockKind.directory && (level < 0 || level > 0))
      yield* this.walkDirectory(root, block, base, low, high, depth, level)
    else if (kind === BlockKind.bucket && level <= 0) yield* this.walkBucket(root, block, low, high, depth)
    else this.findings.problem(block, `expected a ${level > 0 ? 'directory' : 'bucket'}, found a ${kindName(kind)}`)
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
    if (block !== root) this.findings.counts.directory++
    const problem = directoryProblem(arena, base, blockSize)
    if (problem !== undefined) {
      this.findings.missed++
      this.findings.problem(block, problem)
      return
    }
    const level = directoryLevel(arena, base)
    // D2
    if (expectedLevel > 0 && level !== expectedLevel - 1)
      this.findings.problem(block, `a directory of level ${level} below one of level ${expectedLevel}`)
    // D1
    if (separatorOf(arena, base, 0) !== low)
      this.findings.problem(block, `its first separator is ${separatorOf(arena, base, 0)}, expected ${low}`)
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
      if (chainDepth > depth && !this.findings.reach(block, head)) break
      const base = this.findings.read(block)
      if (base < 0) break
      const kind = pool.arena.u8[base + AT_KIND]!
      if (kind !== BlockKind.bucket) {
        this.findings.problem(block, `an overflow chain leads to it, but it is a ${kindName(kind)}`)
        break
      }
      if (block !== root) this.findings.counts.overflow++
      const next = bucketNext(pool.arena, base)
      yield* this.checkBucket(root, block, base, low, high, keys)
      block = next
      yield
    }
    this.figures.maxDepth = Math.max(this.figures.maxDepth, chainDepth - 1)
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
      this.findings.problem(block, problem)
      return
    }
    const count = arena.u16[(base + AT_COUNT) >>> 1]!
    const freeSlots = count - arena.u16[(base + AT_LIVE) >>> 1]!
    this.figures.add(liveBytes(arena, base), blockSize - HEADER_BYTES, freeSlots)
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
      this.findings.problem(block, `holds the key ${shown()}, whose hash belongs elsewhere`)
    if (hash.tag !== tag)
      this.findings.problem(block, `the slot of the key ${shown()} has the tag ${tag}, expected ${hash.tag}`)
    const key = latin1(arena.u8, keyAt, keyLength)
    if (keys.has(key)) this.findings.problem(block, `holds the key ${shown()} a second time`)
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
      if (!this.findings.reach(at, block)) return
      this.findings.counts.large++
      const base = this.findings.read(at)
      if (base < 0) return
      const held = pool.arena.u16[(base + AT_GARBAGE) >>> 1]!
      const expected = Math.min(left, large.bytesPerBlock)
      if (pool.arena.u8[base + AT_KIND] !== BlockKind.large || held !== expected) {
        this.findings.problem(
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
      this.findings.problem(
        block,
        `the value of ${key} should end in block ${pointer.tail} with no bytes left, not in ${last} with ${left}`,
      )
  }
}
