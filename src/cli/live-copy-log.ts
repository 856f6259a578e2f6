/**
 * Follows the log of a database that another process is writing, and copies its whole groups.
 *
 * The headers of all segments are read first, the groups behind the last copied one after that. So whatever stood
 * before the newest segment was complete when the groups were read: if the groups end in front of it, segments that
 * were still needed have been recycled, and the copy must begin anew (`Overtaken`).
 */
import { CorruptionError, type File, type Storage, StorageError } from '../index.ts'
import { SEGMENT_HEADER_BYTES } from '../log/format.ts'
import { LogReader } from '../log/reader.ts'
import { LogSegments, readSegmentHeader, type Segment } from '../log/segments.ts'

const SECTOR = 512
const PIECE_BYTES = 1048576
/** Times that the end of the log must look damaged, with nothing new behind it, to be called so. */
const DOUBTS = 5

/** The owner recycled what had not been copied yet. */
export class Overtaken extends Error {
  override name = 'Overtaken'
}

export class LogFollower {
  /** Behind the last group that was copied. */
  lsn: number
  private readonly storage: Storage
  private readonly source: string
  private readonly target: string
  private readonly uuid: Uint8Array
  /** The copies, by begin and salt of what they are copies of: the owner uses a name again. */
  private readonly copies: Map<string, File> = new Map()

  /** `source` and `target` are directories of segments; the copy begins at the group at `from`. */
  constructor(storage: Storage, source: string, target: string, uuid: Uint8Array, from: number) {
    this.storage = storage
    this.source = source
    this.target = target
    this.uuid = uuid
    this.lsn = from
  }

  /** Copies all groups that have been written since the last call. */
  follow(): void {
    this.withSegments((segments, reader) => {
      const { lsn, chain } = reader.walk(this.lsn, Number.POSITIVE_INFINITY, () => {})
      const last = chain.at(-1)!
      const end = last.startLsn + Math.ceil((lsn - last.startLsn) / SECTOR) * SECTOR
      if (segments.current!.startLsn > Math.max(end, last.startLsn))
        throw new Overtaken(`the log from LSN ${lsn} on was recycled before it could be copied`)
      chain.forEach((segment, i) => {
        const from = Math.max(this.lsn, segment.startLsn)
        const to = Math.min(lsn, chain[i + 1]?.startLsn ?? lsn)
        if (to > from || this.copies.size === 0) this.copy(segment, from, to)
      })
      this.lsn = lsn
    })
  }

  /** Follows the log once more, and makes sure that it ends where it seems to end. */
  finish(): void {
    let doubts = 0
    for (;;) {
      const before = this.lsn
      this.follow()
      try {
        this.withSegments((_, reader) => reader.scan(this.lsn, () => {}))
        return
      } catch (error) {
        // A group that was written between two looks proves nothing.
        doubts = this.lsn === before ? doubts + 1 : 0
        if (doubts === DOUBTS) throw error
      }
    }
  }

  close(): void {
    for (const file of this.copies.values()) file.close()
  }

  private withSegments(work: (segments: LogSegments, reader: LogReader) => void): void {
    const segments = new LogSegments(this.storage, this.source, this.uuid, 0)
    try {
      segments.load(true)
      work(segments, new LogReader(segments, this.storage))
    } catch (error) {
      // A segment that goes away, or is begun anew, while it is looked at.
      if (error instanceof CorruptionError || isGone(error)) throw new Overtaken((error as Error).message)
      throw error
    } finally {
      segments.close()
    }
  }

  private copy(segment: Segment, from: number, to: number): void {
    const target = this.copyOf(segment)
    const base = SEGMENT_HEADER_BYTES - segment.startLsn
    const piece = new Uint8Array(Math.min(PIECE_BYTES, Math.max(0, to - from)))
    for (let at = from; at < to; at += piece.length) {
      const length = Math.min(piece.length, to - at)
      if (segment.file.read(piece, 0, length, base + at) < length)
        throw new Overtaken(`${segment.file.path} was cut while it was copied`)
      target.write(piece, 0, length, base + at)
    }
    // Whoever recycles a segment writes its header first: if that still stands, so did the groups.
    if (readSegmentHeader(segment.file, this.storage, this.uuid)?.salt !== segment.salt)
      throw new Overtaken(`${segment.file.path} was recycled while it was copied`)
  }

  private copyOf(segment: Segment): File {
    const key = `${segment.startLsn} ${segment.salt}`
    let target = this.copies.get(key)
    if (target === undefined) {
      const name = `${String(this.copies.size).padStart(8, '0')}.log`
      target = this.storage.open(this.storage.join(this.target, name), { create: true })
      this.copies.set(key, target)
      const header = new Uint8Array(SEGMENT_HEADER_BYTES)
      segment.file.read(header, 0, header.length, 0)
      target.write(header, 0, header.length, 0)
    }
    return target
  }
}

/** What was listed is not there any more. */
export const isGone = (error: unknown): boolean =>
  error instanceof StorageError && (error.cause as { code?: string } | undefined)?.code === 'ENOENT'
