/**
 * Single records of a log that somebody else writes. Its segments may be recycled or cut at any time, but only after a
 * block 0 was synced that needs them no longer (C2), and then the data file holds all that they say. So whoever has read
 * a record looks at the redo LSN in block 0 afterwards: if the record lies behind it, it still stood when it was read. If
 * not, he reads the block again.
 */
import type { Lsn } from '../pager/place.ts'
import { Arena } from '../runtime/bytes.ts'
import { RECORD_HEADER_BYTES, SEGMENT_HEADER_BYTES } from './format.ts'
import type { LogSegments } from './segments.ts'

const WINDOW_BYTES = 8192

export class FollowedLog {
  private readonly segments: LogSegments
  private readonly redoNow: () => Lsn
  private readonly window: Arena = new Arena(WINDOW_BYTES)
  private from: Lsn = 0
  private end: Lsn = 0
  /** The lowest LSN that was read and not confirmed since. */
  private doubtful: Lsn = Number.POSITIVE_INFINITY
  private isMissing = false

  /** `redoNow`: the redo LSN in block 0 as it stands in the file. */
  constructor(segments: LogSegments, redoNow: () => Lsn) {
    this.segments = segments
    this.redoNow = redoNow
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
    const { isMissing, doubtful } = this
    this.isMissing = false
    this.doubtful = Number.POSITIVE_INFINITY
    const isSound = !isMissing && (doubtful === Number.POSITIVE_INFINITY || doubtful >= this.redoNow())
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
    this.doubtful = Math.min(this.doubtful, lsn)
    if (got < RECORD_HEADER_BYTES) {
      this.isMissing = true
      return false
    }
    this.from = lsn
    this.end = lsn + got
    return true
  }
}
