/**
 * Single records of a log that somebody else writes. Its segments may be recycled at any time, but only once the data
 * file holds all that they say: whoever finds them gone reads the block again.
 *
 * Whoever recycles a segment writes its header first: if that still stands after a read, so did the records.
 */
import type { Lsn } from '../pager/place.ts'
import { Arena } from '../runtime/bytes.ts'
import type { Storage } from '../storage/storage.ts'
import { RECORD_HEADER_BYTES, SEGMENT_HEADER_BYTES } from './format.ts'
import { type LogSegments, readSegmentHeader, type Segment } from './segments.ts'

const WINDOW_BYTES = 8192

export class FollowedLog {
  private readonly segments: LogSegments
  private readonly storage: Storage
  private readonly uuid: Uint8Array
  private readonly window: Arena = new Arena(WINDOW_BYTES)
  private from: Lsn = 0
  private end: Lsn = 0
  /** Segments that were read from, and not looked at since. */
  private readonly doubtful: Set<Segment> = new Set()
  private isMissing = false

  constructor(segments: LogSegments, storage: Storage, uuid: Uint8Array) {
    this.segments = segments
    this.storage = storage
    this.uuid = uuid
  }

  /** Where the record at an LSN lies, until the next call; undefined if it is gone. What it says has to be confirmed. */
  read(lsn: Lsn): { arena: Arena; position: number } | undefined {
    const { window } = this
    const known = lsn >= this.from && lsn + 4 <= this.end ? window.u32[(lsn - this.from) >>> 2]! : 0
    if (known === 0 || lsn + known > this.end) {
      if (!this.fill(lsn, WINDOW_BYTES)) return undefined
      const length = window.u32[0]!
      if (length > this.end - lsn && !this.fill(lsn, length)) return undefined
      if (length < RECORD_HEADER_BYTES || length > this.end - lsn) return undefined
    }
    return { arena: window, position: lsn - this.from }
  }

  /** Whether all that was read since the last call was what the log held. */
  confirm(): boolean {
    let isSound = !this.isMissing
    for (const { file, salt } of this.doubtful)
      if (readSegmentHeader(file, this.storage, this.uuid)?.salt !== salt) isSound = false
    this.doubtful.clear()
    this.isMissing = false
    if (!isSound) this.forget()
    return isSound
  }

  /** The segments were loaded anew. */
  forget(): void {
    this.from = 0
    this.end = 0
  }

  private fill(lsn: Lsn, bytes: number): boolean {
    const { window } = this
    this.forget()
    const segment = this.segments.active.findLast(({ startLsn }) => startLsn <= lsn)
    const most = segment === undefined ? 0 : segment.capacity - SEGMENT_HEADER_BYTES - (lsn - segment.startLsn)
    const wanted = Math.min(bytes, most)
    if (segment === undefined || wanted < RECORD_HEADER_BYTES) {
      this.isMissing = true
      return false
    }
    if (wanted > window.buffer.byteLength) window.grow(Math.ceil(wanted / 4) * 4)
    const got = segment.file.read(window.u8, 0, wanted, SEGMENT_HEADER_BYTES + lsn - segment.startLsn)
    this.doubtful.add(segment)
    if (got < RECORD_HEADER_BYTES) {
      this.isMissing = true
      return false
    }
    this.from = lsn
    this.end = lsn + got
    return true
  }
}
