/**
 * Finds the records of many keys at once, in stages that each go over all keys (`staged-search.ts`). Where the records
 * of the leaf's keys were found before, they are looked for there first (`known-places.ts`).
 */
import type { BufferPool } from '../buffer/pool.ts'
import type { FreeBlocks } from '../freelist/blocks.ts'
import { RECORD_HEADER_BYTES, recordKeyLength, slotInUse } from '../pager/bucket.ts'
import { AT_COUNT, AT_KIND, BlockKind, HEADER_BYTES } from '../pager/layout.ts'
import type { Metadata } from '../pager/metadata.ts'
import type { Position } from '../pager/place.ts'
import type { KeyHash } from './key-hash.ts'
import { type KeysOfLeaf, KnownPlaces } from './known-places.ts'
import { LINE_BYTES, StagedSearch } from './staged-search.ts'

/** What the known places may take, as a share of the pool. */
const PLACES_SHARE = 1 / 64

export interface FindManyParts {
  readonly pool: BufferPool
  readonly free: FreeBlocks
  readonly metadata: Metadata
}

export class FindMany {
  /** Positions of the records, 0 where a key has to be looked for alone. */
  readonly records: Int32Array
  /** Keeps the engine from leaving out loads whose result nobody uses. */
  sink = 0
  private readonly pool: BufferPool
  private readonly free: FreeBlocks
  private readonly metadata: Metadata
  private readonly search: StagedSearch
  private readonly known: KnownPlaces
  /** The keys that are searched for by their hashes, by their numbers. */
  private readonly sought: Int32Array

  constructor({ pool, free, metadata }: FindManyParts, most: number) {
    this.pool = pool
    this.free = free
    this.metadata = metadata
    this.search = new StagedSearch(pool, most)
    this.known = new KnownPlaces(PLACES_SHARE * pool.maxFrames * pool.blockSize)
    this.records = new Int32Array(most)
    this.sought = new Int32Array(most)
  }

  /**
   * Fills `records` for the keys that lie in the arena, each at a multiple of 4 and with zeros behind it up to the
   * next; `keys`: where they stand in their leaf, if they are neighbours there; `hash`: that of their key space. False
   * if the blocks are not as they lie in the pool.
   */
  find(count: number, at: Int32Array, length: Int32Array, keys: KeysOfLeaf | undefined, hash: KeyHash): boolean {
    const { pool, records } = this
    if (pool.asOf !== 0) return false
    if (keys === undefined) {
      records.fill(0, 0, count)
      this.findRest(count, at, length, hash)
      return true
    }
    const known = this.known.of(keys, this.metadata.spaces === 0 ? 0 : this.free.freed)
    const positions = known.positionsIn(pool.state)
    if (this.findUnmoved(count, positions, keys)) return true
    this.findKnown(count, known.places, keys)
    this.remember(this.findRest(count, at, length, hash), known.places, keys)
    for (let i = 0, k = keys.firstIndex; i < count; i++, k += keys.direction) positions[k] = records[i]!
    return true
  }

  /** Where nothing has changed since, all lie where they did; false if that is not so. */
  private findUnmoved(count: number, positions: Int32Array, { firstIndex, direction }: KeysOfLeaf): boolean {
    const { records } = this
    const { u8 } = this.pool.arena
    let sum = 0
    for (let i = 0, k = firstIndex; i < count; i++, k += direction) {
      const record = positions[k]!
      if (record === 0) return false
      records[i] = record
      sum = (sum + u8[record]! + u8[record + LINE_BYTES]! + u8[record + 2 * LINE_BYTES]!) | 0
    }
    this.sink = sum
    return true
  }

  /** Goes to the known places: first the headers and slots of all, then the records. */
  private findKnown(count: number, places: Uint32Array, { firstIndex, direction }: KeysOfLeaf): void {
    const { pool, records } = this
    const { u8, u16, u32 } = pool.arena
    let sum = 0
    for (let i = 0, p = 2 * firstIndex; i < count; i++, p += 2 * direction) {
      const base = places[p] === 0 ? 0 : pool.peek(places[p]!)
      records[i] = base
      sum = (sum + u8[base + AT_KIND]! + u32[((base + HEADER_BYTES) >>> 2) + places[p + 1]!]!) | 0
    }
    for (let i = 0, p = 2 * firstIndex; i < count; i++, p += 2 * direction) {
      const base = records[i]!
      if (base === 0) continue
      const slot = places[p + 1]!
      const isSlot = u8[base + AT_KIND] === BlockKind.bucket && slot < u16[(base + AT_COUNT) >>> 1]!
      const word = isSlot ? u32[((base + HEADER_BYTES) >>> 2) + slot]! : 0
      const record = slotInUse(word) ? base + (word & 0xffff) : 0
      records[i] = record
      sum = (sum + u8[record]! + u8[record + LINE_BYTES]! + u8[record + 2 * LINE_BYTES]!) | 0
    }
    this.sink = sum
  }

  /** Puts 0 for each record that is not the key's; returns how many keys have none, whose numbers are in `sought`. */
  private compareKeys(count: number, at: Int32Array, length: Int32Array): number {
    const { records, sought } = this
    let missing = 0
    for (let i = 0; i < count; i++) {
      if (records[i] !== 0 && this.isRecordOf(records[i]!, at[i]!, length[i]!)) continue
      records[i] = 0
      sought[missing++] = i
    }
    return missing
  }

  private isRecordOf(record: Position, key: Position, length: number): boolean {
    const { arena } = this.pool
    return (
      recordKeyLength(arena, record) === length && isKey(arena.u32, record + RECORD_HEADER_BYTES, key >>> 2, length)
    )
  }

  /** Looks for those that were not found yet by their hashes; returns how many these are, as `compareKeys` does. */
  private findRest(count: number, at: Int32Array, length: Int32Array, hash: KeyHash): number {
    const { pool, search, records, sought } = this
    const missing = this.compareKeys(count, at, length)
    if (missing === 0) return 0
    const { u32 } = pool.arena
    for (let i = 0; i < missing; i++) {
      const key = sought[i]!
      hash.ofWords(u32, at[key]! >>> 2, length[key]!)
      search.set(i, hash)
    }
    search.run(missing)
    for (let i = 0; i < missing; i++) {
      const key = sought[i]!
      const record = search.records[i]!
      if (record !== 0 && this.isRecordOf(record, at[key]!, length[key]!)) records[key] = record
    }
    return missing
  }

  /** Where those are that were sought by their hashes is known now. */
  private remember(count: number, places: Uint32Array, { firstIndex, direction }: KeysOfLeaf): void {
    const { search, records, sought } = this
    for (let i = 0; i < count; i++) {
      const key = sought[i]!
      if (records[key] === 0) continue
      const p = 2 * (firstIndex + key * direction)
      places[p] = search.blocks[i]!
      places[p + 1] = search.slots[i]!
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
