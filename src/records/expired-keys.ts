/**
 * Which keys have expired in one state of the database and are not removed yet, so that a scan tells them without their
 * records. Filled from the tree over times, and on from where it had come to as the clock goes on.
 *
 * Of each leaf of the ordered index it is known how many keys have expired: where all have, the scan passes over the
 * leaf without reading it. Only keys of leaves that hold others too are kept by name.
 */

import type { Space } from '../engine/space.ts'
import { EXPIRY_BYTES, readTime, writeTime } from '../pager/bucket.ts'
import { copyLeafKeys, nodeCount, nodeKey, prefixLength, searchNode, suffixLengthAt } from '../pager/node.ts'
import { compareBytes } from '../runtime/bytes.ts'
import { LeafMap } from '../tree/leaf-map.ts'
import { SCAN_KEYS, type TreeScan } from '../tree/tree-scan.ts'
import { MAX_KEY_BYTES } from '../values/limits.ts'
import { passed } from './expiry.ts'

/** More are not kept in memory (about 12 MiB): then scans look at the records. */
export const MOST_EXPIRED_KEYS = 131072
const MOST_BYTES = 8388608
const FIRST_SLOTS = 1024

/** Longer chains of keys with hashes alike are not followed: somebody may have prepared them. */
const LONGEST_CHAIN = 256

/** Trees with more leaves than this are not gone through leaf by leaf. */
const MOST_LEAVES = 65536
/**
 * Of the ordered index, so many for each leaf of expired times: with more of them, hardly one is likely to have gone.
 */
const LEAVES_PER_LEAF = 64
/** With fewer expired keys in a leaf, finding out how many it holds costs more than it saves. */
const MANY_IN_LEAF = 64

const MOST_UNSEARCHED = 63

/** Keys of a leaf of the tree over times, and the first and the last leaf of the ordered index that they belong to. */
interface Stretch {
  readonly block: number
  readonly from: number
  readonly end: number
  readonly first: number
  readonly last: number
}

/** Of each database, what the last scan of keys needed. */
export const known: WeakMap<Space, WeakRef<ExpiredKeys>> = new WeakMap()

export class ExpiredKeys {
  /** The log's end in the state that it speaks of. */
  readonly lsn: number
  private readonly seed: number
  /** Undefined if all of the ordered index counts as one leaf, which holds other keys too. */
  private map: LeafMap | undefined
  /** Of each leaf, how many keys have expired, and how many there are: 0 if nobody has asked yet. */
  private expired: Uint32Array = new Uint32Array(1)
  private sizes: Uint32Array = new Uint32Array(1)
  /** Open addressing, half empty at least: number of a key (0 = free), its hash. */
  private table: Int32Array = new Int32Array(2 * FIRST_SLOTS)
  /** Key n lies at [starts[n], starts[n + 1]) of the bytes. */
  private starts: Uint32Array = new Uint32Array(FIRST_SLOTS / 2 + 2)
  private bytes: Uint8Array = new Uint8Array(16384)
  /** The leaf of the ordered index that `endOfRun` has met. */
  private leaf = 0
  /** So many keys are taken alone before the end of a run is looked for again; the last time, and still. */
  private pause = 0
  private unsearched = 0
  private count = 0
  private used = 0
  /** All whose time is not after this one are in it. */
  private through = Number.NEGATIVE_INFINITY
  /** Then it knows of whole leaves alone. */
  tooMany = false

  private constructor(lsn: number, seed: number) {
    this.lsn = lsn
    this.seed = seed
  }

  /** Those of the state that is read at the moment, whose log ended at `lsn`. */
  static of(space: Space, lsn: number): ExpiredKeys {
    const now = space.now()
    let keys = known.get(space)?.deref()
    if (keys?.lsn !== lsn || now < keys.through) {
      keys = new ExpiredKeys(lsn, space.metadata.identity.hashKey[0])
      known.delete(space)
    }
    try {
      keys.extend(space, now)
    } catch (error) {
      // A damaged block has left it with a part of them.
      known.delete(space)
      throw error
    }
    if (!known.has(space)) known.set(space, new WeakRef(keys))
    return keys
  }

  /** Whether the key at `at` has expired. */
  has(u8: Uint8Array, at: number, length: number): boolean {
    const { table, bytes, starts } = this
    const hash = hashOf(this.seed, u8, at, length)
    const mask = table.length - 2
    for (let slot = (hash << 1) & mask; ; slot = (slot + 2) & mask) {
      const key = table[slot]!
      if (key === 0) return false
      if (table[slot + 1] !== hash) continue
      const start = starts[key]!
      if (starts[key + 1]! - start !== length) continue
      let i = 0
      while (i < length && bytes[start + i] === u8[at + i]) i++
      if (i === length) return true
    }
  }

  /** A scan of the ordered index passes over the leaves before it in which all keys have expired. */
  skip({ arena, scanRoom }: Space, scan: TreeScan, reverse: boolean): void {
    const { map } = this
    if (map === undefined || scan.done) return
    const { place } = scan
    const step = reverse ? -1 : 1
    let leaf = reverse ? map.leaves.length - 1 : 0
    if (place !== undefined) {
      arena.u8.set(place.key, scanRoom.boundAt)
      leaf = map.find(arena.u8, scanRoom.boundAt, place.key.length, 0)
    }
    // What lies before its first key lies in the leaf before.
    if (reverse && place?.inclusive === false && isBegin(map.begin(leaf), place.key)) leaf--
    const first = leaf
    while (this.isGone(leaf)) leaf += step
    if (leaf === first) return
    const key = map.begin(reverse ? leaf + 1 : leaf)
    scan.skipTo(key === undefined ? undefined : { key, inclusive: !reverse })
  }

  /** All keys of the leaf have expired. */
  private isGone(leaf: number): boolean {
    const expired = this.expired[leaf]
    return expired !== undefined && expired !== 0 && expired === this.sizes[leaf]
  }

  private extend(space: Space, now: number): void {
    if (now === this.through) return
    const { pool, expiry, scanRoom } = space
    // What ends the times that were read before begins those that follow.
    const isFirst = this.through === Number.NEGATIVE_INFINITY
    const lower = isFirst ? undefined : passed(this.through).key
    const upper = passed(now).key
    const times = LeafMap.of(pool, expiry, scanRoom.boundAt, MOST_LEAVES, lower, upper)
    if (isFirst && times !== undefined) this.mapLeaves(space, times.leaves.length)
    this.through = now
    if (times === undefined) this.giveUp()
    else this.add(space, times.leaves, lower, upper)
  }

  private mapLeaves(space: Space, times: number): void {
    const { pool, ordered, scanRoom } = space
    const most = Math.min(MOST_LEAVES, LEAVES_PER_LEAF * times)
    this.map = LeafMap.of(pool, ordered, scanRoom.boundAt, most, undefined, undefined)
    if (this.map === undefined) return
    this.expired = new Uint32Array(this.map.leaves.length)
    this.sizes = new Uint32Array(this.map.leaves.length)
  }

  /** Adds the keys of leaves of the tree over times that lie between two bounds. */
  private add(space: Space, leaves: readonly number[], lower: Uint8Array | undefined, upper: Uint8Array): void {
    const { map, expired, sizes } = this
    const last = leaves.length - 1
    const stretches = leaves.map((block, i) =>
      this.countLeaf(space, block, i === 0 ? lower : undefined, i === last ? upper : undefined),
    )
    if (map !== undefined)
      for (let leaf = 0; leaf < expired.length; leaf++)
        if (expired[leaf]! >= MANY_IN_LEAF && sizes[leaf] === 0) sizes[leaf] = space.pool.keysIn(map.leaves[leaf]!)
    for (const stretch of stretches) {
      if (this.tooMany) return
      if (!this.areGone(stretch)) this.keepLeaf(space, stretch)
    }
  }

  /** Adds the keys of a leaf of the tree over times to what has expired in each leaf of the ordered index. */
  private countLeaf(
    space: Space,
    block: number,
    lower: Uint8Array | undefined,
    upper: Uint8Array | undefined,
  ): Stretch {
    const { expired } = this
    const base = space.pool.beside(block)
    const from = lower === undefined ? 0 : indexIn(space, base, lower)
    const end = upper === undefined ? nodeCount(space.arena, base) : indexIn(space, base, upper)
    let first = expired.length
    let last = 0
    for (let at = from; at < end; ) {
      const next = this.endOfRun(space, block, base, at, end)
      const { leaf } = this
      expired[leaf] = expired[leaf]! + next - at
      if (leaf < first) first = leaf
      if (leaf > last) last = leaf
      at = next
    }
    return { block, from, end, first, last }
  }

  /**
   * Keys of one time are in order: where those that belong to the same leaf as the key at index `from` end, or before
   * that. Sets `leaf`.
   */
  private endOfRun(space: Space, block: number, base: number, from: number, end: number): number {
    const { map } = this
    if (map === undefined) return end
    const { arena, scanRoom, pool } = space
    const { u8 } = arena
    const { blockSize } = pool
    // The block may hold anything: its checksum alone is known to be right.
    if (prefixLength(arena, base) + suffixLengthAt(arena, base, from) > EXPIRY_BYTES + MAX_KEY_BYTES)
      throw space.expiry.misplaced(block)
    const at = scanRoom.start
    const length = nodeKey(arena, base, blockSize, from, u8, at)
    const leaf = map.find(u8, at + EXPIRY_BYTES, length - EXPIRY_BYTES, this.leaf)
    this.leaf = leaf
    // Where times are in no order beside keys, looking for neighbours is in vain.
    if (this.unsearched > 0) {
      this.unsearched--
      return from + 1
    }
    // The end of the leaf at this time, or for the last leaf, the end of the time.
    const begin = map.begin(leaf + 1)
    if (begin === undefined) writeTime(u8, at, readTime(u8, at) + 1)
    else u8.set(begin, at + EXPIRY_BYTES)
    const found = searchNode(arena, base, blockSize, at, EXPIRY_BYTES + (begin?.length ?? 0)) >>> 1
    this.pause = found > from + 1 ? 0 : Math.min(MOST_UNSEARCHED, 2 * this.pause + 1)
    this.unsearched = this.pause
    return Math.min(end, Math.max(found, from + 1))
  }

  private areGone({ first, last }: Stretch): boolean {
    for (let leaf = first; leaf <= last; leaf++) if (this.expired[leaf] !== 0 && !this.isGone(leaf)) return false
    return true
  }

  /** Keeps those keys of a leaf of the tree over times that belong to leaves which have not gone. */
  private keepLeaf(space: Space, { block, from, end }: Stretch): void {
    const { pool, arena, scanRoom } = space
    const base = pool.beside(block)
    for (let at = from; at < end && !this.tooMany; ) {
      const next = this.endOfRun(space, block, base, at, end)
      if (this.isGone(this.leaf)) at = next
      while (at < next && !this.tooMany) {
        const most = Math.min(SCAN_KEYS, next - at)
        const count = copyLeafKeys(arena, base, pool.blockSize, at, 1, most, scanRoom)
        this.makeRoom(count)
        if (!this.tooMany) this.addAll(arena.u8, scanRoom.at, scanRoom.length, count)
        at += count
      }
    }
    if (this.tooMany) this.giveUp()
  }

  private giveUp(): void {
    this.tooMany = true
    this.table = new Int32Array(0)
    this.starts = new Uint32Array(0)
    this.bytes = new Uint8Array(0)
  }

  /** One small loop of its own, which the engine compiles soon and once. */
  private addAll(u8: Uint8Array, at: Int32Array, length: Int32Array, count: number): void {
    const { bytes, starts, table, seed } = this
    const mask = table.length - 2
    let { count: key, used } = this
    for (let i = 0; i < count; i++) {
      const end = at[i]! + length[i]!
      let from = at[i]! + EXPIRY_BYTES
      let hash = seed ^ (end - from)
      starts[++key] = used
      for (; from < end; from++) {
        const byte = u8[from]!
        hash = Math.imul(hash ^ byte, FACTOR)
        bytes[used++] = byte
      }
      hash = Math.imul(hash ^ (hash >>> 15), LAST_FACTOR)
      let slot = (hash << 1) & mask
      let steps = 0
      while (table[slot] !== 0 && steps++ < LONGEST_CHAIN) slot = (slot + 2) & mask
      if (steps >= LONGEST_CHAIN) this.tooMany = true
      table[slot] = key
      table[slot + 1] = hash
    }
    starts[key + 1] = used
    this.count = key
    this.used = used
  }

  /** Room for so many keys, however long they are. */
  private makeRoom(keys: number): void {
    if (this.count + keys > MOST_EXPIRED_KEYS || this.used > MOST_BYTES) {
      this.tooMany = true
      return
    }
    if (this.used + keys * MAX_KEY_BYTES > this.bytes.length) {
      const bytes = new Uint8Array(2 * this.bytes.length + keys * MAX_KEY_BYTES)
      bytes.set(this.bytes)
      this.bytes = bytes
    }
    if (4 * (this.count + keys) > this.table.length) this.enlarge(this.count + keys)
  }

  private enlarge(keys: number): void {
    let size = 4 * this.table.length
    while (size < 4 * keys) size *= 2
    const starts = new Uint32Array(size / 4 + 2)
    starts.set(this.starts)
    this.starts = starts
    const old = this.table
    this.table = new Int32Array(size)
    for (let slot = 0; slot < old.length; slot += 2)
      if (old[slot] !== 0 && !enter(this.table, old[slot]!, old[slot + 1]!)) this.tooMany = true
  }
}

/** Index of the first entry that is not below a key. */
const indexIn = ({ arena, pool, scanRoom }: Space, base: number, key: Uint8Array): number => {
  arena.u8.set(key, scanRoom.boundAt)
  return searchNode(arena, base, pool.blockSize, scanRoom.boundAt, key.length) >>> 1
}

const isBegin = (begin: Uint8Array | undefined, key: Uint8Array): boolean =>
  begin !== undefined && compareBytes(begin, key) === 0

const FACTOR = 0x01000193
const LAST_FACTOR = 0x2c1b3c6d

/** Quick, not strong: `addAll` does the same. */
const hashOf = (seed: number, u8: Uint8Array, at: number, length: number): number => {
  let hash = seed ^ length
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ u8[at + i]!, FACTOR)
  return Math.imul(hash ^ (hash >>> 15), LAST_FACTOR)
}

/** False if too many lie side by side. */
const enter = (table: Int32Array, key: number, hash: number): boolean => {
  const mask = table.length - 2
  let slot = (hash << 1) & mask
  for (let i = 0; table[slot] !== 0; i++) {
    if (i === LONGEST_CHAIN) return false
    slot = (slot + 2) & mask
  }
  table[slot] = key
  table[slot + 1] = hash
  return true
}
