/**
 * The keys that have expired in one state of the database and are not removed yet, so that a scan of keys alone tells
 * them without their records. Filled from the tree over times, and on from where it had come to as the clock goes on.
 */
import type { Engine } from './engine.ts'
import { passed } from './expiry.ts'
import { SCAN_KEYS, TreeScan } from './index/tree-scan.ts'
import { EXPIRY_BYTES } from './pager/bucket.ts'
import { MAX_KEY_BYTES } from './pager/layout.ts'

/** More are not kept in memory (about 12 MiB): then scans look at the records. */
export const MOST_EXPIRED_KEYS = 131072
const MOST_BYTES = 8388608
const FIRST_SLOTS = 1024

/** Longer chains of keys with hashes alike are not followed: somebody may have prepared them. */
const LONGEST_CHAIN = 256

export class ExpiredKeys {
  /** The log's end in the state that it speaks of. */
  readonly lsn: number
  private readonly seed: number
  /** Open addressing, half empty at least: number of a key (0 = free), its hash. */
  private table: Int32Array = new Int32Array(2 * FIRST_SLOTS)
  /** Key n lies at [starts[n], starts[n + 1]) of the bytes. */
  private starts: Uint32Array = new Uint32Array(FIRST_SLOTS / 2 + 2)
  private bytes: Uint8Array = new Uint8Array(16384)
  private count = 0
  private used = 0
  /** All whose time is not after this one are in it. */
  private through = Number.NEGATIVE_INFINITY
  private tooMany = false

  private constructor(lsn: number, seed: number) {
    this.lsn = lsn
    this.seed = seed
  }

  /** Those of the state that is read at the moment, whose log ended at `lsn`; undefined if there are too many. */
  static of(engine: Engine, lsn: number): ExpiredKeys | undefined {
    const now = engine.now()
    let keys = engine.expiredKeys?.deref()
    if (keys?.lsn !== lsn || now < keys.through) {
      keys = new ExpiredKeys(lsn, engine.metadata.identity.hashKey[0])
      engine.expiredKeys = new WeakRef(keys)
    }
    keys.extend(engine, now)
    return keys.tooMany ? undefined : keys
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

  private extend(engine: Engine, now: number): void {
    if (this.tooMany || now === this.through) return
    const { pool, expiry, scanRoom, arena } = engine
    // What ends the times that were read before begins those that follow.
    const lower =
      this.through === Number.NEGATIVE_INFINITY
        ? undefined
        : { key: passed(this.through).key, inclusive: true }
    const scan = new TreeScan(pool, expiry, scanRoom, { lower, upper: passed(now) }, false)
    while (!scan.done && !this.tooMany) {
      scan.step(SCAN_KEYS)
      this.makeRoom(scan.count)
      if (!this.tooMany) this.addAll(arena.u8, scan)
    }
    this.through = now
    if (!this.tooMany) return
    this.table = new Int32Array(0)
    this.starts = new Uint32Array(0)
    this.bytes = new Uint8Array(0)
  }

  /** One small loop of its own, which the engine compiles soon and once. */
  private addAll(u8: Uint8Array, scan: TreeScan): void {
    const { bytes, starts, table, seed } = this
    const mask = table.length - 2
    let { count: key, used } = this
    for (let i = 0; i < scan.count; i++) {
      const end = scan.at[i]! + scan.length[i]!
      let at = scan.at[i]! + EXPIRY_BYTES
      let hash = seed ^ (end - at)
      starts[++key] = used
      for (; at < end; at++) {
        const byte = u8[at]!
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
