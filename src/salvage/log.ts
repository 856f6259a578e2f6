/**
 * The part of the log that salvage relies on: one unbroken chain of groups, as recovery would follow it, to the
 * first place where it breaks. Unlike recovery it also takes the groups before the redo LSN that lead up to it, since
 * they may hold the image that rebuilds a damaged block.
 */

import { CorruptionError } from '../errors.ts'
import {
  GROUP_HEADER_BYTES,
  RECORD_HEADER_BYTES,
  recordLength,
  SECTOR,
  SEGMENT_HEADER_BYTES,
  sectorAfter,
} from '../log/format.ts'
import type { RecordVisitor } from '../log/reader.ts'
import { recordProblem } from '../log/record-check.ts'
import { Arena } from '../runtime/bytes.ts'
import { closeAll } from '../storage/close-all.ts'
import type { Storage } from '../storage/storage.ts'
import { Notes } from './notes.ts'
import { type Group, readGroup, type SalvageSegment } from './segments.ts'

/** What a clean close leaves of a segment: it cuts the rest off. */
const CLOSED_BYTES = 65536

export class SalvageLog {
  readonly segments: readonly SalvageSegment[]
  /** LSN of the first group, and behind the last one. */
  readonly from: number
  readonly end: number
  /** Where recovery was to begin is part of it. */
  readonly holdsRedoLsn: boolean
  /** Groups behind the end that prove that the log went on. */
  readonly groupsBehind: number
  /** Whole groups behind the end that were never known to be synced: the torn tail of a crash, or damage. */
  readonly groupsInDoubt: number
  private readonly chain: readonly Group[]
  private readonly storage: Storage
  private readonly arena: Arena = new Arena(SECTOR)
  private readonly lookup: Arena = new Arena(SECTOR)
  /** The group that lies in `lookup`. */
  private lookedUp: Group | undefined
  /** Records of groups with right checksums that no log writer has made: they are left out. */
  readonly malformed: Notes<{ lsn: number; problem: string }> = new Notes()
  private malformedThrough = 0

  /** `redoLsn`: undefined if block 0 does not tell. `mayBeOld`: block 0 may tell of an earlier checkpoint. */
  constructor(storage: Storage, segments: readonly SalvageSegment[], redoLsn: number | undefined, mayBeOld: boolean) {
    this.storage = storage
    this.segments = segments
    const links = new Links(segments)
    const known = redoLsn === undefined ? undefined : links.chainFrom(redoLsn)
    this.holdsRedoLsn = known !== undefined
    // Without the redo LSN the last unbroken stretch is the one that the last checkpoint still needed.
    const run = known === undefined && (redoLsn === undefined || mayBeOld) ? links.lastRun() : []
    this.chain = known ?? (run[0] !== undefined && run[0].lsn >= (redoLsn ?? 0) ? run : [])
    // A clean close may have cut off what lay before the redo LSN: that is in the blocks.
    this.end = Math.max(this.chain[this.chain.length - 1]?.end ?? 0, redoLsn ?? 0)
    this.from = this.chain[0]?.lsn ?? this.end
    const { end } = this
    const lastSegment = this.chain[this.chain.length - 1]?.segment
    // Another segment may hold remains of a tail that an earlier recovery has dropped.
    this.groupsInDoubt = links.groups.filter(
      ({ lsn, synced, segment }) => lsn >= end && synced <= end && (segment === lastSegment || segment.startLsn >= end),
    ).length
    this.groupsBehind = links.groups.filter(group => group.lsn >= end && group.synced > end).length
  }

  get groups(): number {
    return this.chain.length
  }

  /** A clean close has left the beginning of the last segment alone; what it held is in the blocks. */
  get wasClosed(): boolean {
    return this.segments.length === 1 && this.segments[0]!.size === CLOSED_BYTES
  }

  /** Visits every record of the chain. */
  visit(visitor: RecordVisitor): void {
    for (const group of this.chain) {
      if (!this.read(group, this.arena))
        throw new CorruptionError(group.segment.file.path, `the log changed while it was read, at LSN ${group.lsn}`)
      const bytes = group.end - group.lsn
      for (let at = GROUP_HEADER_BYTES; at + RECORD_HEADER_BYTES <= bytes; ) {
        const problem = recordProblem(this.arena, at, bytes)
        if (problem === undefined) visitor(this.arena, at, group.lsn + at)
        else this.noteMalformed(group.lsn + at, problem)
        const length = recordLength(this.arena, at)
        at += length % 4 === 0 ? Math.max(RECORD_HEADER_BYTES, length) : bytes
      }
    }
  }

  /** The record at an LSN of the chain; undefined if the chain does not hold it. Valid until the next call. */
  recordAt(lsn: number): { arena: Arena; position: number } | undefined {
    let low = 0
    let high = this.chain.length - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (this.chain[middle]!.lsn <= lsn) low = middle
      else high = middle - 1
    }
    const group = this.chain[low]
    if (group === undefined || lsn < group.lsn || lsn >= group.end || lsn % 4 !== 0) return undefined
    if (group !== this.lookedUp) {
      this.lookedUp = undefined
      if (!this.read(group, this.lookup)) return undefined
      this.lookedUp = group
    }
    const position = lsn - group.lsn
    const problem = recordProblem(this.lookup, position, group.end - group.lsn)
    return problem === undefined ? { arena: this.lookup, position } : undefined
  }

  /** The log is visited more than once, in order. */
  private noteMalformed(lsn: number, problem: string): void {
    if (lsn <= this.malformedThrough) return
    this.malformedThrough = lsn
    this.malformed.add({ lsn, problem })
  }

  /** Bytes of the chain. */
  get bytes(): number {
    return this.end - this.from
  }

  private read(group: Group, arena: Arena): boolean {
    const { segment, lsn } = group
    const at = SEGMENT_HEADER_BYTES + lsn - segment.startLsn
    return readGroup(this.storage, segment, at, arena) !== undefined
  }

  close(): void {
    closeAll(this.segments.map(({ file }) => file))
  }
}

/** Which group follows which. */
class Links {
  readonly groups: readonly Group[]
  private readonly segments: readonly SalvageSegment[]
  private readonly at: Map<number, Group[]> = new Map()

  constructor(segments: readonly SalvageSegment[]) {
    this.segments = segments
    this.groups = segments.flatMap(segment => segment.groups).sort((a, b) => a.lsn - b.lsn)
    for (const group of this.groups) {
      const same = this.at.get(group.lsn)
      if (same === undefined) this.at.set(group.lsn, [group])
      else same.push(group)
    }
  }

  /** The chain that goes through an LSN, from as far back as it is whole; undefined if no segment holds the LSN. */
  chainFrom(lsn: number): Group[] | undefined {
    const segment = this.segments.findLast(
      candidate => candidate.startLsn <= lsn && lsn - candidate.startLsn <= candidate.capacity,
    )
    if (segment === undefined) return undefined
    const later = this.follow(lsn, segment)
    return [...(this.leadingTo(lsn, later[0]) ?? []), ...later]
  }

  /** The chain with the highest end, from as far back as it is whole. */
  lastRun(): Group[] {
    const seen = new Set<Group>()
    let best: Group[] = []
    for (const group of this.groups) {
      if (seen.has(group)) continue
      // A run that joins one that was seen ends where that one does.
      const run = [group, ...this.follow(group.end, group.segment, seen)]
      for (const member of run) seen.add(member)
      if (best.length === 0 || run[run.length - 1]!.end > best[best.length - 1]!.end) best = run
    }
    return best
  }

  private leadingTo(lsn: number, next: Group | undefined): Group[] | undefined {
    const seen = new Set<Group>()
    for (const group of this.groups) {
      if (group.lsn >= lsn) return undefined
      if (seen.has(group)) continue
      const run = [group, ...this.follow(group.end, group.segment, seen)]
      const cut = next === undefined ? -1 : run.indexOf(next)
      if (cut > 0) return run.slice(0, cut)
      const last = run[run.length - 1]!
      if (next === undefined && last.end <= lsn && lsn - last.end < SECTOR) return run
      for (const member of run) seen.add(member)
    }
    return undefined
  }

  /** The groups from an LSN of a segment on. */
  private follow(lsn: number, start: SalvageSegment, seen?: ReadonlySet<Group>): Group[] {
    const run: Group[] = []
    let end = lsn
    let segment = start
    for (;;) {
      const group = this.successor(end, segment)
      if (group === undefined || seen?.has(group) === true) return run
      run.push(group)
      end = group.end
      segment = group.segment
    }
  }

  /**
   * The group behind an LSN: right there, or at the next sector if all before it had been synced, to the byte;
   * in the same segment, or the first one of another.
   */
  private successor(end: number, segment: SalvageSegment): Group | undefined {
    const padded = sectorAfter(segment.startLsn, end)
    const candidates = [...(this.at.get(end) ?? []), ...(padded === end ? [] : (this.at.get(padded) ?? []))]
    const follows = (group: Group): boolean => group.lsn === end || group.synced === end
    return (
      candidates.find(group => group.segment === segment && follows(group)) ??
      candidates.find(group => group.lsn === group.segment.startLsn && follows(group))
    )
  }
}
