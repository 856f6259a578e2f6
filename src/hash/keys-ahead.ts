/**
 * The keys of operations that come next: hashed once for all, their places in the ordered index found where they are
 * added or removed, and the memory that each will need asked for while the others before it are served. Nothing depends
 * on it but time.
 */
import type { BufferPool } from '../buffer/pool.ts'
import type { Metadata } from '../pager/metadata.ts'
import type { Position } from '../pager/place.ts'
import { isBytes } from '../runtime/bytes.ts'
import { LeafPlace, type TreeSearch } from '../tree/search.ts'
import type { KeyUse } from '../values/key.ts'
import type { Ahead } from './key.ts'
import type { KeyHash } from './key-hash.ts'
import { LINE_BYTES, StagedSearch } from './staged-search.ts'

/** How many keys are looked at at a time. */
export const KEYS_AHEAD = 32
/** Fewer keys are not worth it. */
export const LOOK_AHEAD_FROM = 4
/** Room for one key; longer ones are not looked at. The hash writes whole words. */
const KEY_ROOM = 64
export const KEYS_AHEAD_BYTES: number = KEYS_AHEAD * KEY_ROOM
/** A smaller database lies in the processor's own memory. */
const LEAST_BYTES = 4194304
/** From the start of a leaf: its header, and the slots of some 200 keys, anywhere in which a search may look. */
const SLOTS_BYTES = 832

/** Keys, and what else there may be, that lie in one piece of memory. */
export interface Parts {
  readonly source: Uint8Array
  readonly starts: readonly number[]
  readonly ends: readonly number[]
  readonly count: number
}

/** The key space that keys belong to: the hash of its key buffer, which is free between two operations, and its tree. */
export interface KeysOf {
  readonly index: { readonly key: { readonly hash: KeyHash } }
  readonly ordered: TreeSearch
}

export class KeysAhead implements Ahead {
  /** The keys that are ready, and which of them comes next. */
  private count = 0
  private next = 0
  /** Of the keys that are ready: whose place in the ordered index was asked for, since they change it. */
  private changedTree = 0
  /** Most of the keys before these did so. */
  private changesTree = false
  /** Keeps the engine from leaving out loads whose result nobody uses. */
  sink = 0
  /** Where each key is in the ordered index, or would go. */
  private readonly places: LeafPlace[] = Array.from({ length: KEYS_AHEAD }, () => new LeafPlace())
  private readonly texts: string[] = []
  private readonly lengths: Int32Array = new Int32Array(KEYS_AHEAD)
  private readonly uses: KeyUse[] = Array.from({ length: KEYS_AHEAD }, () => 'read')
  private readonly pool: BufferPool
  private readonly metadata: Metadata
  /** Of the key space whose keys these are. */
  private ordered: TreeSearch | undefined
  private hash: KeyHash | undefined
  private readonly search: StagedSearch
  private readonly at: Position

  /** `at`: KEYS_AHEAD_BYTES of the arena. */
  constructor(parts: { pool: BufferPool; metadata: Metadata }, at: Position) {
    this.pool = parts.pool
    this.metadata = parts.metadata
    this.search = new StagedSearch(parts.pool, KEYS_AHEAD)
    this.at = at
  }

  /**
   * Looks at the keys from `from` on (KEYS_AHEAD at most), in the order in which they will be used: for reading, or as
   * `changes` says of each. Whatever is neither ordinary text nor bytes is left out.
   */
  load(space: KeysOf, keys: readonly unknown[], from: number, changes?: readonly { readonly isPut: boolean }[]): void {
    this.begin(space)
    const to = Math.min(keys.length, from + KEYS_AHEAD)
    for (let i = from; i < to; i++) {
      const key = keys[i]
      const use = changes === undefined ? 'read' : changes[i]!.isPut ? 'put' : 'remove'
      if (typeof key === 'string') this.addText(key, use)
      else if (isBytes(key)) this.addPart(key, 0, key.length, use)
    }
    this.lookUp(changes !== undefined)
  }

  /** The same for keys that lie among other bytes: each `step` places behind the one before it. */
  loadParts(space: KeysOf, { source, starts, ends, count }: Parts, from: number, step: number, use: KeyUse): void {
    this.begin(space)
    const to = Math.min(count, from + step * KEYS_AHEAD)
    for (let i = from; i < to; i += step) this.addPart(source, starts[i]!, ends[i]!, use)
    this.lookUp(use !== 'read')
  }

  private begin({ index, ordered }: KeysOf): void {
    this.clear()
    this.hash = index.key.hash
    this.ordered = ordered
  }

  private addText(key: string, use: KeyUse): void {
    const { count } = this
    const hash = this.hash!
    if (key.length === 0 || key.length >= KEY_ROOM) return
    if (!hash.ofText(key, this.pool.arena.u32, this.at + count * KEY_ROOM)) return
    this.texts[count] = key
    this.add(key.length, use)
  }

  private addPart(source: Uint8Array, start: number, end: number, use: KeyUse): void {
    const { count } = this
    const hash = this.hash!
    const length = end - start
    if (length === 0 || length >= KEY_ROOM) return
    const { u8 } = this.pool.arena
    const at = this.at + count * KEY_ROOM
    for (let i = 0; i < length; i++) u8[at + i] = source[start + i]!
    hash.of(u8, at, length)
    this.texts[count] = ''
    this.add(length, use)
  }

  /** The key that was hashed last is the next one. */
  private add(length: number, use: KeyUse): void {
    this.lengths[this.count] = length
    this.uses[this.count] = use
    this.search.set(this.count++, this.hash!)
  }

  private lookUp(forChange: boolean): void {
    const { search, count } = this
    // They are of other keys, and nothing in them would tell.
    for (const place of this.places) place.block = 0
    search.lsns.fill(-1)
    if (this.pool.framesUsed * this.pool.blockSize < LEAST_BYTES) return
    search.run(count)
    if (!forChange || !this.metadata.ordered) return
    this.findLeaves()
    this.touchLeaves()
    this.findPlaces()
  }

  /** Nothing more comes of what was loaded. */
  clear(): void {
    if (this.count > 0) this.changesTree = this.changedTree > this.count >>> 1
    this.changedTree = 0
    this.count = 0
    this.next = 0
    this.texts.length = 0
  }

  placeOf(position: Position): LeafPlace | undefined {
    const i = this.indexOf(position)
    this.changedTree++
    return i < 0 ? undefined : this.places[i]
  }

  /** Index of the key at a position, -1 if it is none of these. */
  indexOf(position: Position): number {
    const offset = position - this.at
    return offset >= 0 && offset < KEYS_AHEAD_BYTES ? (offset / KEY_ROOM) | 0 : -1
  }

  get seen(): StagedSearch {
    return this.search
  }

  take(key: string, hash: KeyHash): Position {
    const { next } = this
    return next >= this.count || this.texts[next] !== key || hash !== this.hash ? -1 : this.taken(next, hash)
  }

  takePart(source: Uint8Array, start: number, length: number, hash: KeyHash): Position {
    const { next } = this
    if (next >= this.count || this.lengths[next] !== length || hash !== this.hash) return -1
    const { u8 } = this.pool.arena
    const at = this.at + next * KEY_ROOM
    for (let i = 0; i < length; i++) if (u8[at + i] !== source[start + i]) return -1
    return this.taken(next, hash)
  }

  private taken(next: number, hash: KeyHash): Position {
    this.next = next + 1
    const { roots, positions, tags } = this.search
    hash.set(roots[next]!, positions[next]!, tags[next]!)
    return this.at + next * KEY_ROOM
  }

  /** The leaves of keys that seem to be new and are put, or to be there and are removed. */
  private findLeaves(): void {
    const { search, lengths, uses, places, at, count } = this
    const ordered = this.ordered!
    for (let i = 0; i < count; i++) {
      const changesTree = uses[i] === (search.records[i] === 0 ? 'put' : 'remove')
      places[i]!.block = changesTree ? ordered.peekLeaf(at + i * KEY_ROOM, lengths[i]!) : 0
    }
  }

  /**
   * Asks for their headers and slots, and for the prefix at the end; of leaves that are not in the pool, for those that
   * will be needed: it is not known of a key whether it is new while its bucket is not in the pool either.
   */
  private touchLeaves(): void {
    const { places, count, pool, search, changesTree } = this
    const { u8 } = pool.arena
    const end = pool.blockSize - 1
    let sum = 0
    for (let i = 0; i < count; i++) {
      const place = places[i]!
      const { block } = place
      if (block === 0) continue
      const leaf = pool.peek(block)
      if (leaf === 0) {
        place.block = 0
        if (changesTree || search.isKnown(i)) pool.readAhead(block)
        continue
      }
      for (let at = 0; at <= SLOTS_BYTES; at += LINE_BYTES) sum = (sum + u8[leaf + at]!) | 0
      sum = (sum + u8[leaf + end]!) | 0
    }
    this.sink = sum
  }

  private findPlaces(): void {
    const { lengths, places, at, count } = this
    const ordered = this.ordered!
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
