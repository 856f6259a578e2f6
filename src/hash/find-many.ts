/** Finds the records of many keys at once. */
import type { BufferPool } from '../buffer/pool.ts'
import { RECORD_HEADER_BYTES, recordKeyLength } from '../pager/bucket.ts'
import { KeyHash } from './key-hash.ts'
import { StagedSearch } from './staged-search.ts'

export class FindMany {
  private readonly pool: BufferPool
  private readonly hash: KeyHash
  private readonly search: StagedSearch

  constructor(pool: BufferPool, hashKey: [number, number], most: number) {
    this.pool = pool
    this.hash = new KeyHash(hashKey)
    this.search = new StagedSearch(pool, most)
  }

  /** Positions of the records, 0 where a key has to be looked for alone. */
  get records(): Int32Array {
    return this.search.records
  }

  /**
   * Fills `records` for the keys that lie in the arena, each at a multiple of 4 and with zeros behind it up to the
   * next. False if the blocks are not as they lie in the pool.
   */
  find(count: number, at: Int32Array, length: Int32Array): boolean {
    const { pool, hash, search } = this
    if (pool.asOf !== 0) return false
    const { u32 } = pool.arena
    for (let i = 0; i < count; i++) {
      hash.ofWords(u32, at[i]! >>> 2, length[i]!)
      search.set(i, hash)
    }
    search.run(count)
    this.compareKeys(count, at, length)
    return true
  }

  private compareKeys(count: number, at: Int32Array, length: Int32Array): void {
    const { records } = this
    const { arena } = this.pool
    for (let i = 0; i < count; i++) {
      const record = records[i]!
      if (record === 0) continue
      const size = length[i]!
      if (
        recordKeyLength(arena, record) !== size ||
        !isKey(arena.u32, record + RECORD_HEADER_BYTES, at[i]! >>> 2, size)
      )
        records[i] = 0
    }
  }
}

/** Whether the bytes at a position, which may be odd, are those from index `word` of the view on. */
const isKey = (u32: Uint32Array, position: number, word: number, length: number): boolean => {
  const shift = (position & 3) << 3
  const last = word + (length >>> 2)
  let from = position >>> 2
  let low = u32[from]!
  let at = word
  for (; at < last; at++) {
    const high = u32[++from]!
    if (((low >>> shift) | ((high << 1) << (31 - shift))) !== (u32[at]! | 0)) return false
    low = high
  }
  const rest = length & 3
  if (rest === 0) return true
  const bytes = (low >>> shift) | ((u32[from + 1]! << 1) << (31 - shift))
  return (bytes ^ u32[at]!) << (32 - 8 * rest) === 0
}
