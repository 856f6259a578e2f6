/**
 * The part of `verify` that reads the log as a recovery would: the headers of its segments anew from the disk, then
 * group by group from the redo LSN to where the engine has written it.
 */
import type { Engine } from '../../engine/engine.ts'
import { CorruptionError } from '../../errors.ts'
import { LogReader } from '../../log/reader.ts'
import { LogSegments, readSegmentHeader } from '../../log/segments.ts'
import type { Lsn } from '../../pager/place.ts'

/** Log read between two turns of the event loop. */
const SLICE_BYTES = 524288

export class LogCheck {
  problem: string | undefined
  private readonly engine: Engine
  private readonly target: number
  private lsn: Lsn

  constructor(engine: Engine) {
    this.engine = engine
    this.target = engine.log.writtenLsn
    this.lsn = engine.metadata.redoLsn
  }

  /** Checks the headers and the next slice; false when that was the last one. */
  advance(): boolean {
    const { metadata, log, file } = this.engine
    // What a checkpoint has made superfluous in the meantime may be gone.
    this.lsn = Math.max(this.lsn, metadata.redoLsn)
    const { directory, segmentBytes } = log.segments
    const segments = new LogSegments(file.storage, directory, metadata.identity.uuid, segmentBytes)
    try {
      segments.load(true)
      this.problem = this.segmentProblem(segments) ?? this.walk(new LogReader(segments, file.storage))
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error
      this.problem = error.message
    } finally {
      segments.close()
    }
    return this.problem === undefined && this.lsn < this.target
  }

  private walk(reader: LogReader): string | undefined {
    if (this.lsn >= this.target) return undefined
    const until = Math.min(this.target, this.lsn + SLICE_BYTES)
    const { lsn, chain } = reader.walk(this.lsn, until, () => {})
    if (lsn < until)
      return `${chain.at(-1)!.file.path}: the log is damaged at LSN ${lsn}: expected whole groups up to LSN ${this.target}`
    this.lsn = lsn
    return undefined
  }

  /** The segments that the engine writes must be there with the headers that it gave them. */
  private segmentProblem(found: LogSegments): string | undefined {
    const { log, metadata, file: data } = this.engine
    const { active, directory } = log.segments
    for (const { name, startLsn, salt, file } of active) {
      const same = found.active.find(segment => segment.name === name)
      if (same === undefined && found.unreadable.some(segment => segment.name === name))
        return `${file.path}: both copies of the segment's header are damaged; expected one of LSN ${startLsn}`
      if (same === undefined) return `${directory}: the segment ${name} from LSN ${startLsn} on is missing`
      if (same.startLsn !== startLsn || same.salt !== salt)
        return `${file.path}: its header says that it begins at LSN ${same.startLsn}, expected ${startLsn}`
      const copies = readSegmentHeader(same.file, data.storage, metadata.identity.uuid)?.copies
      const bad = copies?.indexOf(false) ?? -1
      if (bad >= 0)
        return `${file.path}: the ${bad === 0 ? 'first' : 'second'} copy of the segment's header is damaged; the other one stands in for it`
    }
    return undefined
  }
}
