/** A log on its own: a writer whose buffer lies in a small arena, and readers of what it wrote. */

import type { Storage } from '../../src/index.ts'
import { memoryStorage } from '../../src/index.ts'
import { eachPart, RecordType, recordTransaction } from '../../src/log/format.ts'
import { Health } from '../../src/log/health.ts'
import { type LogEnd, LogReader } from '../../src/log/reader.ts'
import { LogSegments } from '../../src/log/segments.ts'
import { LogWriter } from '../../src/log/writer.ts'
import { Arena } from '../../src/runtime/bytes.ts'

export const SEGMENT_BYTES = 16384
export const BUFFER_BYTES = 4096
export const FIRST_LSN = 4096
const DIRECTORY = 'log'
const UUID: Uint8Array = new Uint8Array(16).fill(7)
/** In the arena: bytes of a record to be written, then the buffer. */
const PAYLOAD_AT = 0
const BUFFER_AT = 4096

/** A record as it was written or read. */
export interface LogRecord {
  lsn: number
  transaction: number
  payload: string
}

export class TestLog {
  readonly storage: Storage
  readonly segments: LogSegments
  readonly writer: LogWriter
  readonly health: Health = new Health()
  readonly arena: Arena = new Arena(BUFFER_AT + BUFFER_BYTES)
  readonly written: LogRecord[] = []

  /** A new log; or, on a storage that holds one, that log with the writer at `endLsn`. */
  constructor(storage: Storage = memoryStorage(), endLsn: number = FIRST_LSN, ahead: boolean = false) {
    this.storage = storage
    const isNew = storage.kind(DIRECTORY) === 'none'
    storage.makeDirectory(DIRECTORY)
    this.segments = new LogSegments(storage, DIRECTORY, UUID, SEGMENT_BYTES)
    if (isNew) this.segments.startSegment(endLsn)
    else this.segments.load(false)
    this.segments.sync()
    this.writer = new LogWriter(this.arena, BUFFER_AT, BUFFER_BYTES, this.segments, storage, this.health, endLsn, ahead)
  }

  /** Appends a record whose one part sets `payload` (of one byte per character) at offset 32 of block 5. */
  append(payload: string, transaction: number = this.written.length + 1): LogRecord {
    const { writer, arena } = this
    writer.reserve(64 + payload.length)
    writer.begin(RecordType.system, 0, transaction, 0)
    writer.part(5)
    arena.u8.set(Buffer.from(payload, 'latin1'), PAYLOAD_AT)
    if (payload.length > 0) writer.set(32, payload.length, PAYLOAD_AT)
    writer.endPart()
    const record = { lsn: writer.end(), transaction, payload }
    this.written.push(record)
    return record
  }

  /** Appends a record and writes it as a group of its own. */
  appendGroup(payload: string): LogRecord {
    const record = this.append(payload)
    this.writer.write()
    return record
  }

  /** Reads the files anew, as recovery would. */
  read(from: number = FIRST_LSN): { records: LogRecord[]; end: LogEnd } {
    return this.readAs(UUID, from)
  }

  /** The same for the database with this UUID. */
  readAs(uuid: Uint8Array, from: number = FIRST_LSN): { records: LogRecord[]; end: LogEnd } {
    const segments = new LogSegments(readingAtMost(100_000, this.storage), DIRECTORY, uuid, SEGMENT_BYTES)
    segments.load(true)
    try {
      const records: LogRecord[] = []
      const end = new LogReader(segments, this.storage).scan(from, (a, position, lsn) => {
        records.push(recordIn(a, position, lsn))
      })
      return { records, end }
    } finally {
      segments.close()
    }
  }

  /** The same files in a storage of their own. */
  copy(): TestLog {
    const storage = memoryStorage()
    storage.makeDirectory(DIRECTORY)
    for (const name of this.storage.list(DIRECTORY)) {
      const source = this.storage.open(this.storage.join(DIRECTORY, name), { readOnly: true })
      const bytes = new Uint8Array(source.size())
      source.read(bytes, 0, bytes.length, 0)
      const target = storage.open(storage.join(DIRECTORY, name), { create: true })
      target.write(bytes, 0, bytes.length, 0)
    }
    return new TestLog(storage, this.writer.writtenLsn)
  }

  /** Goes on behind the end that was read, in a segment of its own, as recovery does. */
  resume(end: LogEnd): TestLog {
    const log = new TestLog(this.storage, end.lsn)
    const names = end.chain.map(({ name }) => name)
    log.writer.continueInFreshSegment(() => {
      const used = log.segments.active.filter(s => names.includes(s.name) && s.startLsn < end.lsn)
      log.segments.keepOnly([...used, log.segments.current!])
    })
    return log
  }

  /** Changes the bytes of the segment file that begins at `startLsn`. */
  damage(startLsn: number, change: (bytes: Uint8Array) => Uint8Array | undefined): void {
    const segment = this.segments.active.findLast(candidate => candidate.startLsn === startLsn)!
    const bytes = new Uint8Array(segment.file.size())
    segment.file.read(bytes, 0, bytes.length, 0)
    const changed = change(bytes) ?? bytes
    segment.file.truncate(changed.length)
    segment.file.write(changed, 0, changed.length, 0)
  }
}

/** The record at `position`: its payload is the first operation of its only part. */
export function recordIn(a: Arena, position: number, lsn: number): LogRecord {
  let payload = ''
  eachPart(a, position, (_block, from, to) => {
    if (to > from) payload = Buffer.from(a.window(from + 4, a.u16[from >>> 1]!)).toString('latin1')
  })
  return { lsn, transaction: recordTransaction(a, position), payload }
}

/** A storage whose files can be read so often in all: for a reader that never comes to an end. */
function readingAtMost(reads: number, storage: Storage): Storage {
  let left = reads
  return {
    ...storage,
    open: (path, options) => {
      const file = storage.open(path, options)
      const read = file.read.bind(file)
      file.read = (...place) => {
        if (left-- === 0) throw new Error(`the log was read ${reads} times, and still no end`)
        return read(...place)
      }
      return file
    },
  }
}
