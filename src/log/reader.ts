/**
 * Reads the log for recovery: group by group from a given LSN to its end. A group that is not whole ends the log if
 * it can only be the torn tail of writes that were never synced; if a later group says that this place had been
 * synced, it is damage and is reported, never skipped.
 */

import { CorruptionError, reasonOf } from '../errors.ts'
import type { Lsn, Position } from '../pager/place.ts'
import { Arena, readU64 } from '../runtime/bytes.ts'
import type { Storage } from '../storage/storage.ts'
import { GROUP_HEADER_BYTES, GROUP_MAGIC, recordLength, SECTOR, SEGMENT_HEADER_BYTES, sectorAfter } from './format.ts'
import { recordProblem } from './record-check.ts'
import type { LogSegments, Segment } from './segments.ts'

/** Behind the end, so many times the bytes of a segment are read in groups that turn out not to be whole. */
const WASTED = 16

export type RecordVisitor = (a: Arena, position: Position, lsn: Lsn) => void

interface Group {
  lsn: Lsn
  end: number
  bytes: number
  /** LSN up to which the log had been synced when the group was written. */
  synced: Lsn
}

export interface LogEnd {
  /** LSN behind the last whole group. */
  lsn: Lsn
  /** The segments that were read, in order. */
  chain: Segment[]
  /** Bytes behind the end that look like a torn write. */
  tornBytes: number
}

export class LogReader {
  private readonly segments: LogSegments
  private readonly storage: Storage
  private readonly arena: Arena = new Arena(SECTOR)
  /** The records of groups that begin below it are well formed. */
  private checkedLsn: Lsn = 0

  constructor(segments: LogSegments, storage: Storage) {
    this.segments = segments
    this.storage = storage
  }

  /** Visits every record from the group at `from` on, to the end of the log. */
  scan(from: Lsn, visit: RecordVisitor): LogEnd {
    const { active, count } = this.segments
    if (count === 1 && active.length === 1 && endsBefore(active[0]!, from))
      return { lsn: from, chain: [active[0]!], tornBytes: 0 }
    const { lsn, chain } = this.walk(from, Number.POSITIVE_INFINITY, visit)
    return { lsn, chain, tornBytes: this.tornBytes(chain[chain.length - 1]!, lsn, chain) }
  }

  /** Visits every record from the group at `from` on, up to `until` at least (if the log does): whole groups. */
  walk(from: Lsn, until: Lsn, visit: RecordVisitor): { lsn: Lsn; chain: Segment[] } {
    let segment = this.segmentOf(from)
    const chain = [segment]
    // `end` lies behind the last whole group, `lsn` is where the next one is looked for.
    let end = from
    let lsn = from
    while (end < until) {
      const group = this.readGroup(segment, lsn) ?? this.readGroup(segment, sectorAfter(segment.startLsn, lsn))
      // Space in front of a group is padding if everything before it had been synced, to the byte.
      if (group && group.lsn > end && group.synced > end) throw damaged(segment, end, group.synced)
      // If less had been synced, the group is part of a torn tail, and the log went on in another segment.
      if (group && (group.lsn === end || group.synced === end)) {
        this.visitGroup(group, segment, visit)
        end = group.end
        lsn = end
        continue
      }
      const next = this.successor(segment, lsn, chain)
      if (!next) break
      segment = next
      lsn = next.startLsn
      chain.push(next)
    }
    return { lsn: end, chain }
  }

  private segmentOf(lsn: Lsn): Segment {
    const { active, directory } = this.segments
    const last = active.findLast(candidate => candidate.startLsn <= lsn)
    if (!last || lsn - last.startLsn > last.capacity)
      throw new CorruptionError(
        directory,
        `the log from LSN ${lsn} on is missing; data and log must stay together (restore both from a backup)`,
      )
    const candidates = active.filter(candidate => candidate.startLsn === last.startLsn)
    return candidates.length === 1 ? last : (this.used(candidates, lsn) ?? last)
  }

  private successor(segment: Segment, lsn: Lsn, chain: readonly Segment[]): Segment | undefined {
    const rounded = sectorAfter(segment.startLsn, lsn)
    const candidates = this.segments.active.filter(
      next => !chain.includes(next) && (next.startLsn === lsn || next.startLsn === rounded),
    )
    return this.used(candidates) ?? candidates[0]
  }

  /**
   * A recovery that was cut short may have begun a segment where another one begins: the one that holds a group counts.
   */
  private used(candidates: readonly Segment[], lsn?: number): Segment | undefined {
    return candidates.find(segment => {
      const at = lsn ?? segment.startLsn
      return (this.readGroup(segment, at) ?? this.readGroup(segment, sectorAfter(segment.startLsn, at))) !== undefined
    })
  }

  /** Reads the group at `lsn` into the arena; undefined when there is none that is whole. */
  private readGroup(segment: Segment, lsn: Lsn): Group | undefined {
    const { arena } = this
    const at = SEGMENT_HEADER_BYTES + lsn - segment.startLsn
    if (at + GROUP_HEADER_BYTES > Math.min(segment.capacity, segment.allocated)) return undefined
    if (segment.file.read(arena.u8, 0, GROUP_HEADER_BYTES, at) < GROUP_HEADER_BYTES) return undefined
    const bytes = arena.u32[2]!
    if (!this.belongs(segment, lsn)) return undefined
    if (bytes < GROUP_HEADER_BYTES || bytes > segment.capacity - at || bytes % 4 !== 0) return undefined
    if (!Number.isSafeInteger(lsn + bytes)) return undefined
    const rest = bytes - GROUP_HEADER_BYTES
    if (bytes > arena.buffer.byteLength && bytes > segment.file.size() - at) return undefined
    if (bytes > arena.buffer.byteLength) arena.grow(Math.max(bytes, 65536))
    if (segment.file.read(arena.u8, GROUP_HEADER_BYTES, rest, at + GROUP_HEADER_BYTES) < rest) return undefined
    if (!this.isWhole(bytes)) return undefined
    return { end: lsn + bytes, bytes, lsn, synced: readU64(arena.u32, 6) }
  }

  /** The header in the arena is that of the group at `lsn`, from this use of the segment. */
  private belongs(segment: Segment, lsn: Lsn): boolean {
    const { u32 } = this.arena
    return u32[0] === GROUP_MAGIC && u32[3] === segment.salt && readU64(u32, 4) === lsn
  }

  /** The checksum of the group in the arena is right. */
  private isWhole(bytes: number): boolean {
    return this.arena.u32[1] === this.storage.crc32(this.arena.window(8, bytes - 8), 0)
  }

  private visitGroup(group: { bytes: number; lsn: Lsn }, segment: Segment, visit: RecordVisitor): void {
    // Whoever reads the log a second time has seen that its records are well formed.
    const isKnown = group.lsn < this.checkedLsn
    for (let at = GROUP_HEADER_BYTES; at < group.bytes; at += recordLength(this.arena, at)) {
      const problem = isKnown ? undefined : recordProblem(this.arena, at, group.bytes)
      if (problem !== undefined) throw malformed(segment, group.lsn + at, problem)
      try {
        visit(this.arena, at, group.lsn + at)
      } catch (error) {
        // A block that the record was not made for.
        if (!(error instanceof RangeError || error instanceof TypeError)) throw error
        throw malformed(segment, group.lsn + at, reasonOf(error))
      }
    }
    this.checkedLsn = Math.max(this.checkedLsn, group.lsn + 1)
  }

  /**
   * Looks behind the end of the log. A whole group of this log there that was written when the end had been synced
   * already proves that the end is damage. Returns how many bytes look like remains of a torn tail.
   */
  private tornBytes(last: Segment, end: number, chain: readonly Segment[]): number {
    let torn = 0
    const later = this.segments.active.filter(segment => !chain.includes(segment) && segment.startLsn > end)
    for (const segment of [last, ...later, ...this.segments.unreadable]) {
      const start = segment === last ? SEGMENT_HEADER_BYTES + end - segment.startLsn : SEGMENT_HEADER_BYTES
      if (segment.allocated > start) torn += this.searchGroups(segment, start, end, segment === last)
    }
    return torn
  }

  private searchGroups(segment: Segment, start: number, end: number, isLast: boolean): number {
    const size = segment.allocated
    const rest = new Uint8Array(Math.ceil((size - start) / 4) * 4)
    segment.file.read(rest, 0, size - start, start)
    const u32 = new Uint32Array(rest.buffer)
    const known = this.segments.active.includes(segment)
    let torn = 0
    let wasted = 0
    for (let word = u32.indexOf(GROUP_MAGIC); word >= 0; word = u32.indexOf(GROUP_MAGIC, word + 1)) {
      if (word + GROUP_HEADER_BYTES / 4 > u32.length) break
      if (known && u32[word + 3] !== segment.salt) continue
      const bytes = u32[word + 2]!
      const lsn = readU64(u32, word + 4)
      if (lsn < end || (isLast && lsn !== segment.startLsn + start + word * 4 - SEGMENT_HEADER_BYTES)) continue
      const whole = word * 4 + bytes <= rest.length && bytes >= GROUP_HEADER_BYTES && bytes % 4 === 0
      if (whole && u32[word + 1] === this.storage.crc32(rest.subarray(word * 4 + 8, word * 4 + bytes), 0)) {
        const synced = readU64(u32, word + 6)
        if (synced > end) throw damaged(segment, end, synced)
      } else if (whole) {
        wasted += bytes
        if (wasted > WASTED * rest.length)
          throw new CorruptionError(
            segment.file.path,
            `what lies behind the end of the log, LSN ${end}, looks like more beginnings of groups than a log can have left`,
          )
      }
      torn += whole ? bytes : SECTOR
    }
    return torn
  }
}

/** So a clean close leaves a log that was longer than the file is now: there is nothing to read. */
const endsBefore = ({ startLsn, capacity, allocated }: Segment, lsn: Lsn): boolean =>
  lsn >= startLsn && lsn - startLsn <= capacity && SEGMENT_HEADER_BYTES + lsn - startLsn >= allocated

const malformed = (segment: Segment, lsn: Lsn, problem: string): CorruptionError =>
  new CorruptionError(
    segment.file.path,
    `${problem} at LSN ${lsn}: its checksum is right, so that it was written by something else than a log; salvage leaves it out`,
  )

const damaged = (segment: Segment, lsn: Lsn, synced: Lsn): CorruptionError =>
  new CorruptionError(
    segment.file.path,
    `the log is damaged at LSN ${lsn}: a later group shows that it had been synced up to LSN ${synced}`,
  )
