/**
 * Finds the records of a database whose index may be damaged: first those that the index leads to, then those in
 * sound buckets that it no longer leads to.
 *
 *  S1  A record counts if the index leads to it and its key's hash belongs there.
 *  S2  A record in a bucket that the index does not lead to counts only if the way of its key ends in damage, or
 *      leads through a block that is newer than the readable log: otherwise the index says that it is not there.
 *  S3  Of two records of one key, the first one given counts: those of S1 come first, then by falling block LSN.
 *  S4  A record is one of a key space only if the tag in its slot is that of its key there: each space has a hash of its
 *      own. A bucket that nothing leads to belongs to the space that this is true in for all its records.
 */

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
import { AT_COUNT, AT_KIND, AT_LIVE, BlockKind, kindName } from '../pager/layout.ts'
import { Arena, copyBytes } from '../runtime/bytes.ts'
import type { Blocks } from './blocks.ts'
import type { Cleared } from './cleared.ts'
import type { Domain, Way } from './domain.ts'
import { Notes } from './notes.ts'
import type { SalvageBlock, SalvageGap } from './shapes.ts'
import type { Source } from './source.ts'

const POSITIONS = 4294967296
const REACHED = 1
/** One way leads to a bucket; where damage makes it many, some may be right, and time is bounded all the same. */
const MOST_VISITS = 16
/** Blocks from an index block to a record: chains are short. */
const LONGEST_WAY = 1024
/** Reached, but it holds keys that do not belong there. */
const HAS_STRAYS = 2

/** A bucket with fewer records may have the right tags by accident. */
const ENOUGH_TAGS = 2

export interface FoundRecord {
  domain: Domain
  key: Uint8Array
  flags: number
  field: Uint8Array
  block: number
  /** The block is newer than the readable log. */
  isNewer: boolean
  /** The index did not lead to it. */
  isStray: boolean
}

export class Collector {
  /** Parts of the key space that the index no longer leads through. */
  readonly gaps: Notes<SalvageGap> = new Notes()
  /** Records in places where the index says that they are not: not taken. */
  readonly misplaced: Notes<{ domain: Domain; key: Uint8Array; block: number }> = new Notes()
  /** Buckets whose records nothing leads to, and nothing should lead to: not taken. */
  orphans = 0
  /** Buckets, and their records, of spaces that nothing is known of, or that were cleared: not taken. */
  readonly unknown = { blocks: 0, records: 0 }
  bucketsReached = 0
  /** Blocks newer than the readable log that hold records, and how many. */
  readonly newer: Notes<{ block: number; records: number }> = new Notes()
  private readonly blocks: Blocks
  private readonly end: number
  private readonly arena: Arena
  private readonly wayArena: Arena
  private readonly reached: Uint8Array
  /** How often each bucket was read on a way to it. */
  private readonly visits: Uint8Array
  private readonly capacity: number
  private readonly directories: Set<number> = new Set()
  private readonly domains: readonly Domain[]
  /** There are no other key spaces than the domains; what was cleared is known, block for block. */
  private readonly knowsSpaces: boolean
  private readonly knowsCleared: boolean

  /**
   * `domains`: the root, and the key spaces that are known; `areAll`: there are no others. `end`: LSN behind the
   * readable log.
   */
  constructor(
    source: Source,
    blocks: Blocks,
    end: number,
    domains: readonly Domain[],
    areAll: boolean,
    cleared: Cleared,
  ) {
    this.blocks = blocks
    this.end = end
    this.domains = domains
    this.knowsSpaces = areAll
    this.knowsCleared = cleared.areAll
    this.arena = new Arena(source.data.blockSize)
    this.wayArena = new Arena(source.data.blockSize)
    this.reached = new Uint8Array(blocks.total)
    this.visits = new Uint8Array(blocks.total)
    this.capacity = directoryCapacity(source.data.blockSize)
    for (const block of cleared.blocks) this.reached[block] = REACHED
  }

  /** The records that the index of a space leads to (S1). */
  *reachable(domain: Domain): Generator<FoundRecord> {
    for (const root of domain.roots) yield* this.visit({ domain, root, low: 0, high: POSITIONS }, root, -1, 'index')
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
    if (blockLsn(arena, 0) > this.end) way.domain.doubt(way)
    const level = directoryLevel(arena, 0)
    const entries = Array.from({ length: entryCount(arena, 0) }, (_, entry) => ({
      low: entry === 0 ? way.low : separatorOf(arena, 0, entry),
      child: childOf(arena, 0, capacity, entry),
    }))
    for (const [i, { low, child }] of entries.entries()) {
      const high = entries[i + 1]?.low ?? way.high
      yield* this.visit({ ...way, low, high }, child, level, level === 0 ? 'bucket' : 'directory')
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
      if (isNewer) way.domain.doubt(way)
      if (way.domain.hash !== undefined || this.reached[block] === 0) yield* this.inBucket(block, isNewer, way)
      block = next
    }
  }

  /** The records of the bucket in the arena that belong to the way. */
  private *inBucket(block: number, isNewer: boolean, way: Way): Generator<FoundRecord> {
    const { domain } = way
    if (this.reached[block] === 0) {
      this.reached[block] = REACHED
      this.bucketsReached++
    }
    for (const record of this.recordsOf(block, isNewer, false)) {
      // S1, S4
      if (domain.holds(way, record.key) && (domain.isRoot || domain.hasTag(record))) yield { ...record, domain }
      else this.reached[block] = HAS_STRAYS
    }
  }

  private *recordsOf(block: number, isNewer: boolean, isStray: boolean): Generator<TaggedRecord> {
    const { arena } = this
    const count = arena.u16[AT_COUNT >>> 1]!
    const records: TaggedRecord[] = []
    for (let slot = 0; slot < count; slot++) {
      const word = slotWord(arena, 0, slot)
      if (!slotInUse(word)) continue
      const at = recordAt(arena, 0, slot)
      const keyAt = at + RECORD_HEADER_BYTES
      const fieldAt = keyAt + recordKeyLength(arena, at)
      records.push({
        tag: word >>> 16,
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

  /** After `reachable` of all: the records that count although the index does not lead to them (S2, S3). */
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
      const hasStrays = this.reached[block] === HAS_STRAYS
      const records = [...this.recordsOf(block, blockLsn(this.arena, 0) > this.end, true)]
      // What was cleared in a space has the tags of that space.
      const owner = this.knowsCleared || hasStrays ? this.ownerOf(records) : undefined
      if (owner === undefined && !hasStrays) {
        this.leaveOut(records)
        continue
      }
      const isNewer = this.noteNewer(block)
      let taken = 0
      for (const record of records) {
        // S4
        const domain = owner ?? (hasStrays ? this.domains.find(one => one.hasTag(record)) : undefined)
        if (domain === undefined || (hasStrays && this.belongs(domain, record.key, block))) continue
        // S2
        if (isNewer || domain.isUncertain(record.key)) {
          taken++
          yield { ...record, domain }
        } else if (hasStrays) this.misplaced.add({ domain, key: record.key, block })
      }
      if (taken === 0 && !hasStrays) this.orphans++
    }
  }

  /** Nobody can tell whose these are, if records are missing that they may be. */
  private leaveOut(records: readonly TaggedRecord[]): void {
    const { knowsSpaces, knowsCleared, domains } = this
    if (knowsSpaces && (knowsCleared || domains.every(domain => domain.isCertain))) {
      this.orphans++
      return
    }
    this.unknown.blocks++
    this.unknown.records += records.length
  }

  /** The space that a bucket belongs to which nothing leads to (S4). */
  private ownerOf(records: readonly TaggedRecord[]): Domain | undefined {
    const { domains, knowsSpaces } = this
    if (!knowsSpaces && records.length < ENOUGH_TAGS) return undefined
    return (
      domains.find(domain => domain.hash !== undefined && records.every(record => domain.hasTag(record))) ??
      // Without the key of its hash, whatever belongs to no other space is the root's.
      (knowsSpaces ? domains.find(domain => domain.isRoot && domain.hash === undefined) : undefined)
    )
  }

  /** True if the way of the key leads to the block, so that `reachable` has given its record. */
  private belongs({ hash }: Domain, key: Uint8Array, block: number): boolean {
    const { wayArena: arena } = this
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

  private noteNewer(block: number): boolean {
    if (blockLsn(this.arena, 0) <= this.end) return false
    if (this.reached[block] === 0) this.newer.add({ block, records: this.arena.u16[AT_LIVE >>> 1]! })
    return true
  }

  private gap(way: Way, block: number, use: SalvageBlock['use'], reason: string): void {
    const { domain, root, low, high } = way
    // An index is built anew.
    if (!domain.isIndex) {
      domain.gaps++
      this.gaps.add({ block, reason, indexBlock: root, from: low, to: high - 1, ...domain.inReport })
    }
    this.blocks.noteUse(block, use)
    domain.doubt(way)
  }
}

interface TaggedRecord extends Omit<FoundRecord, 'domain'> {
  /** Of its slot. */
  tag: number
}
