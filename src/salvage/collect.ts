/**
 * Finds the records of a database whose index may be damaged: first those that the index leads to, then those in
 * sound buckets that it no longer leads to.
 *
 *  S1  A record counts if the index leads to it and its key's hash belongs there.
 *  S2  A record in a bucket that the index does not lead to counts only if the way of its key ends in damage, or
 *      leads through a block that is newer than the readable log: otherwise the index says that it is not there.
 *  S3  Of two records of one key, the first one given counts: those of S1 come first, then by falling block LSN.
 */

import { KeyHash } from '../hash/key-hash.ts'
import {
  blockLsn,
  bucketNext,
  RECORD_HEADER_BYTES,
  recordAt,
  recordFieldLength,
  recordFlags,
  recordKeyLength,
  slotInUse,
  slotWord,
} from '../pager/bucket.ts'
import { childOf, directoryCapacity, directoryLevel, entryCount, findEntry, separatorOf } from '../pager/directory.ts'
import { AT_COUNT, AT_KIND, AT_LIVE, BlockKind, INDEX_BLOCKS, kindName } from '../pager/layout.ts'
import { Arena, copyBytes } from '../runtime/bytes.ts'
import type { SalvageBlock, SalvageGap } from '../types.ts'
import type { Blocks } from './blocks.ts'
import { Notes } from './notes.ts'
import type { Source } from './source.ts'

const POSITIONS = 4294967296
const REACHED = 1
/** One way leads to a bucket; where damage makes it many, some may be right, and time is bounded all the same. */
const MOST_VISITS = 16
/** Blocks from an index block to a record: chains are short. */
const LONGEST_WAY = 1024
/** Reached, but it holds keys that do not belong there. */
const HAS_STRAYS = 2

export interface FoundRecord {
  key: Uint8Array
  flags: number
  field: Uint8Array
  block: number
  /** The block is newer than the readable log. */
  isNewer: boolean
  /** The index did not lead to it. */
  isStray: boolean
}

interface Way {
  root: number
  low: number
  high: number
}

export class Collector {
  /** Parts of the key space that the index no longer leads through. */
  readonly gaps: Notes<SalvageGap> = new Notes()
  /** Records in places where the index says that they are not: not taken. */
  readonly misplaced: Notes<{ key: Uint8Array; block: number }> = new Notes()
  /** Buckets whose records nothing leads to, and nothing should lead to: not taken. */
  orphans = 0
  bucketsReached = 0
  /** Blocks newer than the readable log that hold records, and how many. */
  readonly newer: Notes<{ block: number; records: number }> = new Notes()
  private readonly blocks: Blocks
  private readonly end: number
  private readonly hash: KeyHash | undefined
  private readonly arena: Arena
  private readonly wayArena: Arena
  private readonly reached: Uint8Array
  /** How often each bucket was read on a way to it. */
  private readonly visits: Uint8Array
  private readonly capacity: number
  /** By root: where a record may be missing from the index though it was there. */
  private readonly uncertain: Map<number, Way[]> = new Map()
  private readonly directories: Set<number> = new Set()

  /** `end`: LSN behind the readable log. */
  constructor(source: Source, blocks: Blocks, end: number) {
    this.blocks = blocks
    this.end = end
    this.hash = source.knowsHashKey ? new KeyHash(source.metadata.identity.hashKey) : undefined
    this.arena = new Arena(source.data.blockSize)
    this.wayArena = new Arena(source.data.blockSize)
    this.reached = new Uint8Array(blocks.total)
    this.visits = new Uint8Array(blocks.total)
    this.capacity = directoryCapacity(source.data.blockSize)
  }

  /** The records that the index leads to (S1). */
  *reachable(): Generator<FoundRecord> {
    for (let root = 1; root <= INDEX_BLOCKS; root++)
      yield* this.visit({ root, low: 0, high: POSITIONS }, root, -1, 'index')
  }

  private *visit(way: Way, block: number, level: number, use: SalvageBlock['use']): Generator<FoundRecord> {
    const { arena } = this
    const problem = this.blocks.read(block, arena)
    if (problem !== undefined) {
      this.gap(way, block, use, problem)
      return
    }
    const kind = arena.u8[AT_KIND]!
    if (kind === BlockKind.directory && (level < 0 || level === directoryLevel(arena, 0) + 1))
      yield* this.visitDirectory(way, block)
    else if (kind === BlockKind.bucket && level <= 0) yield* this.visitBucket(way, block, use)
    else this.gap(way, block, use, `the index leads to it, but it is a ${kindName(kind)}`)
  }

  private *visitDirectory(way: Way, block: number): Generator<FoundRecord> {
    const { arena, capacity } = this
    if (this.directories.has(block)) {
      this.gap(way, block, 'directory', 'the index leads to this directory a second time')
      return
    }
    this.directories.add(block)
    this.reached[block] = REACHED
    if (blockLsn(arena, 0) > this.end) this.doubt(way)
    const level = directoryLevel(arena, 0)
    const entries = Array.from({ length: entryCount(arena, 0) }, (_, entry) => ({
      low: entry === 0 ? way.low : separatorOf(arena, 0, entry),
      child: childOf(arena, 0, capacity, entry),
    }))
    for (const [i, { low, child }] of entries.entries()) {
      const high = entries[i + 1]?.low ?? way.high
      yield* this.visit({ root: way.root, low, high }, child, level, level === 0 ? 'bucket' : 'directory')
    }
  }

  /** A bucket with its overflow chain. */
  private *visitBucket(way: Way, head: number, use: SalvageBlock['use']): Generator<FoundRecord> {
    const seen = new Set<number>()
    for (let block = head; block !== 0; ) {
      const what = block === head ? use : 'overflow'
      const problem = this.blocks.read(block, this.arena)
      if (problem !== undefined) return this.gap(way, block, what, problem)
      const kind = this.arena.u8[AT_KIND]!
      if (kind !== BlockKind.bucket)
        return this.gap(way, block, what, `an overflow chain leads to it, but it is a ${kindName(kind)}`)
      if (seen.has(block)) return this.gap(way, block, what, 'its overflow chain is cyclic')
      if (this.visits[block]! >= MOST_VISITS)
        return this.gap(way, block, what, 'more ways lead to this bucket than one')
      this.visits[block]!++
      seen.add(block)
      const next = bucketNext(this.arena, 0)
      const isNewer = this.noteNewer(block)
      if (isNewer) this.doubt(way)
      if (this.hash !== undefined || this.reached[block] === 0) yield* this.inBucket(block, isNewer, way)
      block = next
    }
  }

  /** The records of the bucket in the arena that belong to the way. */
  private *inBucket(block: number, isNewer: boolean, way: Way): Generator<FoundRecord> {
    const { hash } = this
    if (this.reached[block] === 0) {
      this.reached[block] = REACHED
      this.bucketsReached++
    }
    for (const record of this.recordsOf(block, isNewer, false)) {
      if (hash !== undefined) {
        hash.of(record.key, 0, record.key.length)
        // S1
        if (hash.root !== way.root || hash.position < way.low || hash.position >= way.high) {
          this.reached[block] = HAS_STRAYS
          continue
        }
      }
      yield record
    }
  }

  private *recordsOf(block: number, isNewer: boolean, isStray: boolean): Generator<FoundRecord> {
    const { arena } = this
    const count = arena.u16[AT_COUNT >>> 1]!
    const records: FoundRecord[] = []
    for (let slot = 0; slot < count; slot++) {
      if (!slotInUse(slotWord(arena, 0, slot))) continue
      const at = recordAt(arena, 0, slot)
      const keyAt = at + RECORD_HEADER_BYTES
      const fieldAt = keyAt + recordKeyLength(arena, at)
      records.push({
        key: copyBytes(arena.u8, keyAt, fieldAt),
        flags: recordFlags(arena, at),
        field: copyBytes(arena.u8, fieldAt, fieldAt + recordFieldLength(arena, at)),
        block,
        isNewer,
        isStray,
      })
    }
    yield* records
  }

  /** After `reachable`: the records that count although the index does not lead to them (S2, S3). */
  *strays(): Generator<FoundRecord> {
    const candidates: { block: number; lsn: number }[] = []
    for (let block = 1; block < this.blocks.total; block++) {
      if (!this.blocks.isBucket(block) || this.reached[block] === REACHED) continue
      if (this.blocks.read(block, this.arena) !== undefined || this.arena.u16[AT_LIVE >>> 1] === 0) continue
      candidates.push({ block, lsn: blockLsn(this.arena, 0) })
    }
    // S3
    for (const { block } of candidates.sort((a, b) => b.lsn - a.lsn)) {
      this.blocks.read(block, this.arena)
      const isNewer = this.noteNewer(block)
      const hasStrays = this.reached[block] === HAS_STRAYS
      let taken = 0
      for (const record of this.recordsOf(block, isNewer, true)) {
        if (hasStrays && this.belongs(record.key, block)) continue
        // S2
        if (isNewer || this.isUncertain(record.key)) {
          taken++
          yield record
        } else if (hasStrays) this.misplaced.add({ key: record.key, block })
      }
      if (taken === 0 && !hasStrays) this.orphans++
    }
  }

  /** True if the way of the key leads to the block, so that `reachable` has given its record. */
  private belongs(key: Uint8Array, block: number): boolean {
    const { hash, wayArena: arena } = this
    if (hash === undefined) return true
    hash.of(key, 0, key.length)
    const { root, position } = hash
    let at = root
    for (let steps = 0; at !== block; steps++) {
      if (steps > LONGEST_WAY || this.blocks.read(at, arena) !== undefined) return false
      if (arena.u8[AT_KIND] === BlockKind.bucket) at = bucketNext(arena, 0)
      else if (arena.u8[AT_KIND] === BlockKind.directory)
        at = childOf(arena, 0, this.capacity, findEntry(arena, 0, position))
      else return false
    }
    return true
  }

  private isUncertain(key: Uint8Array): boolean {
    const { hash, uncertain } = this
    if (hash === undefined) return uncertain.size > 0
    hash.of(key, 0, key.length)
    const { position } = hash
    return (uncertain.get(hash.root) ?? []).some(way => position >= way.low && position < way.high)
  }

  private noteNewer(block: number): boolean {
    if (blockLsn(this.arena, 0) <= this.end) return false
    if (this.reached[block] === 0) this.newer.add({ block, records: this.arena.u16[AT_LIVE >>> 1]! })
    return true
  }

  private gap(way: Way, block: number, use: SalvageBlock['use'], reason: string): void {
    this.gaps.add({ block, reason, indexBlock: way.root, from: way.low, to: way.high - 1 })
    this.blocks.noteUse(block, use)
    this.doubt(way)
  }

  private doubt(way: Way): void {
    const known = this.uncertain.get(way.root)
    if (known === undefined) this.uncertain.set(way.root, [way])
    else known.push(way)
  }
}
