/** Finds the records of many keys at once. */
import type { BufferPool } from '../buffer/pool.ts'
import { RECORD_HEADER_BYTES } from '../pager/bucket.ts'
import { KeyHash } from './key.ts'
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

  /** Fills `records` for the keys that lie in the arena. False if the blocks are not as they lie in the pool. */
  find(count: number, at: Int32Array, length: Int32Array): boolean {
    const { pool, hash, search } = this
    if (pool.asOf !== 0) return false
    const { u8 } = pool.arena
    for (let i = 0; i < count; i++) {
      hash.of(u8, at[i]!, length[i]!)
      search.set(i, hash)
    }
    search.run(count)
    this.compareKeys(count, at, length)
    return true
  }

  private compareKeys(count: number, at: Int32Array, length: Int32Array): void {
    const { records } = this
    const { u8 } = this.pool.arena
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
