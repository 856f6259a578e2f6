/**
 * The groups of a log that grows while somebody looks at it: each is read once, and the next look goes on behind the last
 * one that was whole: there, or at the next sector, where a group begins whose predecessor was synced. What lies further
 * on is not looked for, unlike in a log that nobody writes (`viewLog`).
 */
import { SEGMENT_HEADER_BYTES } from '../log/format.ts'
import { Arena } from '../runtime/bytes.ts'
import { performance } from '../runtime/timers.ts'
import { type Group, openSegments, readGroup, type SalvageSegment } from '../salvage/segments.ts'
import { closeAllQuietly } from '../storage/close-all.ts'
import type { Storage } from '../storage/storage.ts'

const ROOM = 65536
/** Time that is worked between two turns of the event loop. */
const SLICE_MS = 4
const SECTOR = 512

/** A use of a segment, known by its salt, and where its groups begin and end. */
interface Known {
  readonly salt: number
  readonly startLsn: number
  readonly lsns: number[]
  readonly ends: number[]
  end: number
  synced: number
}

/** A segment, and what is known of its groups. */
export interface KnownSegment {
  readonly segment: SalvageSegment
  readonly groups: number
  readonly endLsn: number
  readonly syncedLsn: number
  /** The last groups that end at or before an LSN, at most so many, in their order; and whether there are others before. */
  last(until: number, most: number): { groups: Group[]; isAll: boolean }
}

export class KnownLog {
  private known: Map<string, Known> = new Map()
  private readonly a: Arena = new Arena(ROOM)
  private readonly turn: () => Promise<void>
  /** The look before this one. */
  private before: Promise<unknown> = Promise.resolve()

  /** `turn`: lets others have their turn, since after a while there may be much to read. */
  constructor(turn: () => Promise<void>) {
    this.turn = turn
  }

  /** The segments in the order of their LSNs. Whoever asks closes their files. */
  async look(
    storage: Storage,
    directory: string,
    uuid: Uint8Array,
    warn: (sentence: string) => void,
  ): Promise<KnownSegment[]> {
    const looked = this.before.then(() => this.lookNow(storage, directory, uuid, warn))
    this.before = looked.catch(() => {})
    return await looked
  }

  private async lookNow(
    storage: Storage,
    directory: string,
    uuid: Uint8Array,
    warn: (sentence: string) => void,
  ): Promise<KnownSegment[]> {
    const segments = openSegments(storage, directory, uuid, warn)
    try {
      return await this.knownOf(storage, segments)
    } catch (error) {
      closeAllQuietly(segments.map(({ file }) => file))
      throw error
    }
  }

  private async knownOf(storage: Storage, segments: readonly SalvageSegment[]): Promise<KnownSegment[]> {
    const known = new Map<string, Known>()
    for (const segment of segments) {
      const { name, salt, startLsn } = segment
      const before = this.known.get(name)
      const isSame = before?.salt === salt && before.startLsn === startLsn
      const now = isSame ? before : { salt, startLsn, lsns: [], ends: [], end: startLsn, synced: 0 }
      await this.readOn(storage, segment, now)
      known.set(name, now)
    }
    this.known = known
    return segments
      .map(segment => viewOf(segment, known.get(segment.name)!))
      .sort((a, b) => a.segment.startLsn - b.segment.startLsn || a.groups - b.groups)
  }

  private async readOn(storage: Storage, segment: SalvageSegment, known: Known): Promise<void> {
    let until = performance.now() + SLICE_MS
    for (;;) {
      if (performance.now() >= until) {
        await this.turn()
        until = performance.now() + SLICE_MS
      }
      const at = SEGMENT_HEADER_BYTES + known.end - segment.startLsn
      const group =
        readGroup(storage, segment, at, this.a) ?? readGroup(storage, segment, Math.ceil(at / SECTOR) * SECTOR, this.a)
      if (group === undefined) return
      known.lsns.push(group.lsn)
      known.ends.push(group.end)
      known.end = group.end
      known.synced = group.synced
    }
  }
}

const viewOf = (segment: SalvageSegment, { lsns, ends, end, synced }: Known): KnownSegment => ({
  segment,
  groups: lsns.length,
  endLsn: end,
  syncedLsn: synced,
  last: (until, most) => {
    let behind = lsns.length
    while (behind > 0 && ends[behind - 1]! > until) behind--
    const first = Math.max(0, behind - most)
    const groups = lsns
      .slice(first, behind)
      .map((lsn, i): Group => ({ segment, lsn, end: ends[first + i]!, synced: 0 }))
    return { groups, isAll: first === 0 }
  },
})
