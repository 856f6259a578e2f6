/** Reads records of the log back that were written long ago, for undo, which walks backwards. */
import { CorruptionError } from '../errors.ts'
import type { Lsn } from '../pager/place.ts'
import { Arena } from '../runtime/bytes.ts'
import { SEGMENT_HEADER_BYTES } from './format.ts'
import type { LogSegments } from './segments.ts'

export class WrittenLog {
  private readonly segments: LogSegments
  /** A stretch of the log, from one LSN to another. */
  private readonly window: Arena
  private from: Lsn = 0
  private end: Lsn = 0

  /** `bytes`: of the longest record that there can be. */
  constructor(segments: LogSegments, bytes: number) {
    this.segments = segments
    this.window = new Arena(bytes)
  }

  /** Where the record at an LSN lies, until the next call. */
  locate(lsn: Lsn): { arena: Arena; position: number } {
    const { window } = this
    const length = lsn + 4 <= this.end && lsn >= this.from ? window.u32[(lsn - this.from) >>> 2]! : 0
    if (length === 0 || lsn + length > this.end) this.read(lsn)
    return { arena: window, position: lsn - this.from }
  }

  /** Reads a stretch that ends behind the record at `lsn`. */
  private read(lsn: Lsn): void {
    const { segments, window } = this
    const segment = segments.active.findLast(candidate => candidate.startLsn <= lsn)
    if (segment === undefined) throw new CorruptionError(segments.directory, `no segment holds LSN ${lsn}`)
    const header = new Uint32Array(1)
    segment.file.read(new Uint8Array(header.buffer), 0, 4, SEGMENT_HEADER_BYTES + lsn - segment.startLsn)
    const end = lsn + header[0]!
    this.from = Math.max(segment.startLsn, end - window.buffer.byteLength)
    this.end = end
    segment.file.read(window.u8, 0, end - this.from, SEGMENT_HEADER_BYTES + this.from - segment.startLsn)
  }
}
