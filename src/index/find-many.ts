/**
 * Finds the records of many keys at once, in stages that each go over all keys: directories, slots, records. A search
 * alone waits for memory at every step; a stage asks for the lines of many keys before it needs the first of them.
 */
import type { BufferPool } from '../buffer/pool.ts'
import type { Arena } from '../bytes.ts'
import { RECORD_HEADER_BYTES } from '../pager/bucket.ts'
import { childOf, directoryCapacity, findEntry } from '../pager/directory.ts'
import { AT_COUNT, AT_KIND, AT_LEVEL, BlockKind, HEADER_BYTES } from '../pager/layout.ts'
import { KeyHash } from './key.ts'

export class FindMany {
  /** Positions of the records, 0 where a key has to be looked for alone. */
  readonly records: Int32Array
  private readonly pool: BufferPool
  private readonly arena: Arena
  private readonly hash: KeyHash
  private readonly capacity: number
  private readonly positions: Uint32Array
  private readonly tags: Int32Array
  private readonly bases: Int32Array
  /** Keeps the engine from leaving out loads whose result nobody uses. */
  sink = 0

  constructor(pool: BufferPool, hashKey: [number, number], most: number) {
    this.pool = pool
    this.arena = pool.arena
    this.hash = new KeyHash(hashKey)
    this.capacity = directoryCapacity(pool.blockSize)
    this.records = new Int32Array(most)
    this.positions = new Uint32Array(most)
    this.tags = new Int32Array(most)
    this.bases = new Int32Array(most)
  }

  /**
   * Fills `records` for the keys that lie in the arena. False if blocks had to leave the pool meanwhile, or if they are
   * not as they lie in it: then nothing is known.
   */
  find(count: number, at: Int32Array, length: Int32Array): boolean {
    const { pool } = this
    if (pool.asOf !== 0) return false
    const evictions = pool.evictions
    this.findBuckets(count, at, length)
    if (pool.evictions !== evictions) return false
    this.touchSlots(count)
    this.findSlots(count)
    this.touchRecords(count)
    this.compareKeys(count, at, length)
    return true
  }

  private findBuckets(count: number, at: Int32Array, length: Int32Array): void {
    const { pool, arena, hash, capacity, positions, tags, bases } = this
    const { u8 } = arena
    for (let i = 0; i < count; i++) {
      hash.of(u8, at[i]!, length[i]!)
      positions[i] = hash.position
      tags[i] = hash.tag
      bases[i] = hash.root
    }
    for (let i = 0; i < count; i++) {
      let base = pool.get(bases[i]!)
      if (u8[base + AT_KIND] === BlockKind.directory) {
        // Below a directory of level 0 lies a bucket: looking whether that is so would wait for its memory.
        for (let level = u8[base + AT_LEVEL]!; level >= 0; level--)
          base = pool.get(childOf(arena, base, capacity, findEntry(arena, base, positions[i]!)))
      }
      bases[i] = base
    }
  }

  private touchSlots(count: number): void {
    const { bases } = this
    const { u32 } = this.arena
    let sum = 0
    for (let i = 0; i < count; i++) {
      const word = (bases[i]! + HEADER_BYTES) >>> 2
      sum = (sum + u32[word - 1]! + u32[word + 15]!) | 0
    }
    this.sink = sum
  }

  /** The first slot with the right tag; 0 where there is none in the head block of the bucket. */
  private findSlots(count: number): void {
    const { bases, tags, records, arena } = this
    const { u8, u16, u32 } = arena
    for (let i = 0; i < count; i++) {
      const base = bases[i]!
      const tag = tags[i]!
      const first = (base + HEADER_BYTES) >>> 2
      const end = u8[base + AT_KIND] === BlockKind.bucket ? first + u16[(base + AT_COUNT) >>> 1]! : first
      let record = 0
      for (let w = first; w < end; w++) {
        const word = u32[w]!
        if (word >>> 16 === tag) {
          record = base + (word & 0xffff)
          break
        }
      }
      records[i] = record
    }
  }

  private touchRecords(count: number): void {
    const { records } = this
    const { u8 } = this.arena
    let sum = 0
    // A record of the usual size lies in three lines.
    for (let i = 0; i < count; i++) {
      const record = records[i]!
      sum = (sum + u8[record]! + u8[record + 64]! + u8[record + 128]!) | 0
    }
    this.sink = sum
  }

  private compareKeys(count: number, at: Int32Array, length: Int32Array): void {
    const { records } = this
    const { u8 } = this.arena
    for (let i = 0; i < count; i++) {
      const record = records[i]!
      if (record === 0) continue
      const size = length[i]!
      const key = at[i]!
      let same = ((u8[record]! >>> 5) << 8) + u8[record + 1]! === size
      const start = record + RECORD_HEADER_BYTES
      for (let j = 0; same && j < size; j++) same = u8[start + j] === u8[key + j]
      if (!same) records[i] = 0
    }
  }
}
