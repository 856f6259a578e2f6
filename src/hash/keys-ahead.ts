/**
 * The keys of operations that come next: hashed once for all, the places of new ones in the ordered index found, and
 * the memory that each will need asked for while the others before it are served. Nothing depends on it but time.
 */
import type { BufferPool } from '../buffer/pool.ts'
import type { Metadata } from '../pager/metadata.ts'
import type { Position } from '../pager/place.ts'
import { LeafPlace, type TreeSearch } from '../tree/search.ts'
import type { Ahead } from './key.ts'
import { KeyHash } from './key-hash.ts'
import { LINE_BYTES, StagedSearch } from './staged-search.ts'

/** How many keys are looked at at a time. */
export const KEYS_AHEAD = 32
/** Room for one key; longer ones are not looked at. The hash writes whole words. */
const KEY_ROOM = 64
export const KEYS_AHEAD_BYTES: number = KEYS_AHEAD * KEY_ROOM
/** A smaller database lies in the processor's own memory. */
const LEAST_BYTES = 4194304
/** From the start of a leaf: its header, and the slots of some 200 keys, anywhere in which a search may look. */
const SLOTS_BYTES = 832

export class KeysAhead implements Ahead {
  /** The keys that are ready, and which of them comes next. */
  private count = 0
  private next = 0
  /** Keeps the engine from leaving out loads whose result nobody uses. */
  sink = 0
  /** Where each key would go in the ordered index. */
  private readonly places: LeafPlace[] = Array.from({ length: KEYS_AHEAD }, () => new LeafPlace())
  private readonly texts: string[] = []
  private readonly lengths: Int32Array = new Int32Array(KEYS_AHEAD)
  private readonly pool: BufferPool
  private readonly metadata: Metadata
  private readonly ordered: TreeSearch
  private readonly hash: KeyHash
  private readonly search: StagedSearch
  private readonly at: Position

  /** `at`: KEYS_AHEAD_BYTES of the arena. */
  constructor(
    parts: { pool: BufferPool; metadata: Metadata; ordered: TreeSearch; hashKey: [number, number] },
    at: Position,
  ) {
    this.pool = parts.pool
    this.metadata = parts.metadata
    this.ordered = parts.ordered
    this.hash = new KeyHash(parts.hashKey)
    this.search = new StagedSearch(parts.pool, KEYS_AHEAD)
    this.at = at
  }

  /**
   * Looks at the keys from `from` on (KEYS_AHEAD at most), in the order in which they will be used, for reading or for
   * change. Whatever is no ordinary text is left out.
   */
  load(keys: readonly unknown[], from: number, forChange: boolean): void {
    const { hash, search, texts, lengths, at } = this
    const { u32 } = this.pool.arena
    let count = 0
    const to = Math.min(keys.length, from + KEYS_AHEAD)
    for (let i = from; i < to; i++) {
      const key = keys[i]
      if (typeof key !== 'string' || key.length === 0 || key.length >= KEY_ROOM) continue
      if (!hash.ofText(key, u32, at + count * KEY_ROOM)) continue
      texts[count] = key
      lengths[count] = key.length
      search.set(count++, hash)
    }
    this.count = count
    this.next = 0
    // They are of other keys, and nothing in them would tell.
    for (const place of this.places) place.block = 0
    if (this.pool.framesUsed * this.pool.blockSize < LEAST_BYTES) return
    search.run(count)
    if (!forChange || !this.metadata.ordered) return
    this.findLeaves()
    this.touchLeaves()
    this.findPlaces()
  }

  /** Nothing more comes of what was loaded. */
  clear(): void {
    this.count = 0
    this.next = 0
    this.texts.length = 0
  }

  placeOf(position: Position): LeafPlace | undefined {
    const i = (position - this.at) / KEY_ROOM
    return i >= 0 && i < KEYS_AHEAD ? this.places[i] : undefined
  }

  take(key: string, hash: KeyHash): Position {
    const { next } = this
    if (next >= this.count || this.texts[next] !== key) return -1
    this.next = next + 1
    const { roots, positions, tags } = this.search
    hash.set(roots[next]!, positions[next]!, tags[next]!)
    return this.at + next * KEY_ROOM
  }

  /** The leaves of keys that seem to be new. */
  private findLeaves(): void {
    const { ordered, search, lengths, places, at, count } = this
    for (let i = 0; i < count; i++)
      places[i]!.block = search.records[i] === 0 ? ordered.peekLeaf(at + i * KEY_ROOM, lengths[i]!) : 0
  }

  /** Asks for their headers and slots, and for the prefix at the end. */
  private touchLeaves(): void {
    const { places, count, pool } = this
    const { u8 } = pool.arena
    const end = pool.blockSize - 1
    let sum = 0
    for (let i = 0; i < count; i++) {
      const { block } = places[i]!
      if (block === 0) continue
      const leaf = pool.peek(block)
      for (let at = 0; at <= SLOTS_BYTES; at += LINE_BYTES) sum = (sum + u8[leaf + at]!) | 0
      sum = (sum + u8[leaf + end]!) | 0
    }
    this.sink = sum
  }

  private findPlaces(): void {
    const { ordered, lengths, places, at, count } = this
    let before = 0
    for (let i = 0; i < count; i++) {
      const place = places[i]!
      const leaf = place.block
      // When the key before goes to the same leaf, that will have changed.
      if (leaf === before) place.block = 0
      if (place.block !== 0) ordered.peekPlace(leaf, at + i * KEY_ROOM, lengths[i]!, place)
      before = leaf
    }
  }
}
