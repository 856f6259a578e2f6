/**
 * Looks for the records of many keys in stages that each go over all keys: directories, slots, records. A search alone
 * waits for memory at every step; a stage asks for the lines of many keys before it needs the first of them. Looks at
 * blocks in the pool alone; others are read ahead, if that takes long.
 */
import type { BufferPool } from '../buffer/pool.ts'
import { blockLsn, bucketNext } from '../pager/bucket.ts'
import { childOf, directoryCapacity, findEntry } from '../pager/directory.ts'
import { AT_COUNT, AT_KIND, AT_LEVEL, AT_RECORD_BYTES, BlockKind, HEADER_BYTES } from '../pager/layout.ts'
import type { Block } from '../pager/place.ts'
import type { Arena } from '../runtime/bytes.ts'
import type { KeyHash } from './key-hash.ts'
import { LONGEST_CHAIN } from './shape.ts'

/** Bytes of a cache line. */
export const LINE_BYTES = 64

export class StagedSearch {
  /** Positions of the first record with the tag of each key, 0 where there is none in its bucket. */
  readonly records: Int32Array
  readonly roots: Int32Array
  readonly positions: Uint32Array
  readonly tags: Int32Array
  /** Where these records lie; where there is none, the last block of the bucket. */
  readonly blocks: Uint32Array
  readonly slots: Int32Array
  /** LSN of the bucket's last change, if it has one block alone, else -1. */
  readonly lsns: Float64Array
  /** Positions of the head blocks of the buckets, 0 where one is not in the pool. */
  private readonly bases: Int32Array
  private readonly pool: BufferPool
  private readonly arena: Arena
  private readonly capacity: number
  /** Keeps the engine from leaving out loads whose result nobody uses. */
  sink = 0

  constructor(pool: BufferPool, most: number) {
    this.pool = pool
    this.arena = pool.arena
    this.capacity = directoryCapacity(pool.blockSize)
    this.records = new Int32Array(most)
    this.roots = new Int32Array(most)
    this.positions = new Uint32Array(most)
    this.tags = new Int32Array(most)
    this.blocks = new Uint32Array(most)
    this.slots = new Int32Array(most)
    this.lsns = new Float64Array(most)
    this.bases = new Int32Array(most)
  }

  /** Key `i` is the one that was hashed last. */
  set(i: number, hash: KeyHash): void {
    this.roots[i] = hash.root
    this.positions[i] = hash.position
    this.tags[i] = hash.tag
  }

  /** Fills `records` for the first `count` keys, and asks for their lines, or for those where one would be put. */
  run(count: number): void {
    this.findBuckets(count)
    this.touchSlots(count)
    this.findSlots(count)
    this.touchRecords(count)
  }

  /** The bucket of key `i` is in the pool. */
  isKnown(i: number): boolean {
    return this.bases[i] !== 0
  }

  private findBuckets(count: number): void {
    const { pool, arena, capacity, positions, roots, blocks, bases } = this
    const { u8 } = arena
    for (let i = 0; i < count; i++) {
      let block: Block = roots[i]!
      let base = pool.peek(block)
      if (base !== 0 && u8[base + AT_KIND] === BlockKind.directory) {
        // Below a directory of level 0 lies a bucket: looking whether that is so would wait for its memory.
        for (let level = u8[base + AT_LEVEL]!; level >= 0 && base !== 0; level--) {
          block = childOf(arena, base, capacity, findEntry(arena, base, positions[i]!))
          base = pool.peek(block)
          if (base === 0) pool.readAhead(block)
        }
      }
      blocks[i] = block
      bases[i] = base
    }
  }

  private touchSlots(count: number): void {
    const { bases } = this
    const { u32 } = this.arena
    let sum = 0
    for (let i = 0; i < count; i++) {
      const word = (bases[i]! + HEADER_BYTES) >>> 2
      sum = (sum + u32[word - 1]! + u32[word + 15]! + u32[word + 31]!) | 0
    }
    this.sink = sum
  }

  private findSlots(count: number): void {
    for (let i = 0; i < count; i++) this.findSlot(i)
  }

  /** In the head block of the bucket, or behind it in its chain. */
  private findSlot(i: number): void {
    const { pool, arena, blocks } = this
    const { u8, u16, u32 } = arena
    const tag = this.tags[i]!
    let base = this.bases[i]!
    this.records[i] = 0
    const isLone = base !== 0 && u8[base + AT_KIND] === BlockKind.bucket && bucketNext(arena, base) === 0
    this.lsns[i] = isLone ? blockLsn(arena, base) : -1
    for (let hops = 0; hops < LONGEST_CHAIN && base !== 0 && u8[base + AT_KIND] === BlockKind.bucket; hops++) {
      const first = (base + HEADER_BYTES) >>> 2
      const end = first + u16[(base + AT_COUNT) >>> 1]!
      for (let w = first; w < end; w++) {
        const word = u32[w]!
        if (word >>> 16 === tag) {
          this.records[i] = base + (word & 0xffff)
          this.slots[i] = w - first
          return
        }
      }
      const next = bucketNext(arena, base)
      if (next === 0) return
      blocks[i] = next
      base = pool.peek(next)
    }
  }

  /** A record of the usual size lies in three lines; a new one goes in front of the others. */
  private touchRecords(count: number): void {
    const { records, bases, arena, pool } = this
    const { u8, u16 } = arena
    let sum = 0
    for (let i = 0; i < count; i++) {
      let at = records[i]!
      if (at === 0) {
        const base = bases[i]!
        if (base === 0) continue
        at = base + pool.blockSize - u16[(base + AT_RECORD_BYTES) >>> 1]! - 2 * LINE_BYTES
      }
      sum = (sum + u8[at]! + u8[at + LINE_BYTES]! + u8[at + 2 * LINE_BYTES]!) | 0
    }
    this.sink = sum
  }
}
