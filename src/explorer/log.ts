/**
 * The log, taken apart: segments, groups, records, and what each record changes. Reads the files of the segments as they
 * are; what an open database has not written yet is not there.
 */
import {
  eachPart,
  GROUP_HEADER_BYTES,
  LogOp,
  pad4,
  RecordFlag,
  RecordType,
  recordFlags,
  recordLength,
  recordPrevious,
  recordTransaction,
  recordType,
  SEGMENT_HEADER_BYTES,
  UndoKind,
  undoSection,
} from '../log/format.ts'
import { recordProblem } from '../log/record-check.ts'
import { kindName } from '../pager/layout.ts'
import { Arena, copyBytes } from '../runtime/bytes.ts'
import { type Group, readGroup, readSegments, type SalvageSegment } from '../salvage/segments.ts'
import { closeAll } from '../storage/close-all.ts'
import type { KnownLog } from './known-log.ts'
import { type ShownBytes, shownBytes } from './shown.ts'
import type { BlockSource } from './source.ts'

/** What an operation does to its block, in words, with the bytes that it writes. */
export interface OperationView {
  readonly op: string
  readonly at: number | undefined
  readonly bytes: number | undefined
  /** In one line: `format as tree leaf, level 0`. */
  readonly text: string
  readonly data: ShownBytes | undefined
}

export interface PartView {
  readonly block: number
  readonly operations: readonly OperationView[]
}

export interface UndoView {
  readonly kind: 'insert' | 'restore' | 'allocate'
  /** Number of the key space, 0: the root. */
  readonly space: number
  readonly key: ShownBytes | undefined
  /** What undo puts back, or the blocks that it frees. */
  readonly field: ShownBytes | undefined
  readonly blocks: readonly number[]
}

export interface LogRecordView {
  readonly lsn: number
  readonly bytes: number
  readonly type: 'update' | 'commit' | 'end' | 'system' | 'image' | 'unknown'
  /** 0: the system, or a change that is a transaction in itself. */
  readonly transaction: number
  readonly commits: boolean
  readonly compensation: boolean
  /** LSN of the record before it of its transaction; of a compensation record, of the one to undo next. 0: none. */
  readonly previous: number
  readonly undo: UndoView | undefined
  readonly parts: readonly PartView[]
  readonly problem: string | undefined
}

export interface GroupView {
  readonly lsn: number
  readonly end: number
  /** When it was written, the log had been synced up to here. */
  readonly synced: number
  readonly segment: string
  /** Of its first byte in the segment's file. */
  readonly offset: number
  readonly records: readonly LogRecordView[]
}

export interface SegmentView {
  readonly name: string
  readonly startLsn: number
  /** Bytes of the file, and how many it may have. */
  readonly bytes: number
  readonly capacity: number
  readonly salt: number
  readonly groups: number
  /** LSN behind its last group. */
  readonly endLsn: number
  /** Recovery would read it. */
  readonly needed: boolean
}

export interface LogView {
  /** Recovery begins to read here: what lies before it is in the data file. */
  readonly redoLsn: number
  /** Block 0 knows that the log was synced up to here, at the last checkpoint. */
  readonly logLsn: number
  /** Behind the last whole group. */
  readonly endLsn: number
  /** The last group says that the log was synced up to here when it was written. */
  readonly syncedLsn: number
  readonly segments: readonly SegmentView[]
  readonly groups: readonly GroupView[]
  readonly groupCount: number
  /** LSN to ask for to see what comes before the groups here; undefined: nothing does. */
  readonly before: number | undefined
  readonly warnings: readonly string[]
}

export interface LogPart {
  /** The groups that end at or before this LSN. Default: the last ones. */
  readonly before?: number | undefined
  /** Most groups. Default 100. */
  readonly limit?: number | undefined
}

/** The same of a log that its owner writes meanwhile, of which much is known already (`known-log.ts`). */
export const viewGrowingLog = async (source: BlockSource, known: KnownLog, part: LogPart = {}): Promise<LogView> => {
  const { storage, metadata } = source
  const { redoLsn, logLsn } = metadata
  const warnings: string[] = []
  const directory = storage.join(source.directory, 'log')
  const segments = await known.look(storage, directory, metadata.identity.uuid, warning => warnings.push(warning))
  try {
    const until = part.before ?? Number.POSITIVE_INFINITY
    const most = part.limit ?? 100
    const shown: Group[] = []
    let isAll = true
    for (const segment of segments.toReversed()) {
      const found = segment.last(until, most - shown.length)
      shown.unshift(...found.groups)
      isAll &&= found.isAll
    }
    const used = segments.filter(({ groups }) => groups > 0).at(-1)
    return {
      redoLsn,
      logLsn,
      endLsn: Math.max(used?.endLsn ?? 0, redoLsn),
      syncedLsn: Math.max(used?.syncedLsn ?? 0, logLsn),
      segments: segments.map(({ segment, groups, endLsn }) => segmentView(segment, groups, endLsn, redoLsn)),
      groups: shown.map(group => viewGroup(source, group)),
      groupCount: segments.reduce((sum, { groups }) => sum + groups, 0),
      before: isAll ? undefined : shown[0]?.lsn,
      warnings,
    }
  } finally {
    closeAll(segments.map(({ segment }) => segment.file))
  }
}

/** Segments and groups of the log, and the records of the last groups, or of those before an LSN. */
export const viewLog = (source: BlockSource, part: LogPart = {}): LogView => {
  const { storage, metadata } = source
  const { redoLsn, logLsn } = metadata
  const warnings: string[] = []
  const directory = storage.join(source.directory, 'log')
  const segments = readSegments(storage, directory, metadata.identity.uuid, warning => warnings.push(warning))
  try {
    const groups = segments.flatMap(segment => segment.groups).sort((a, b) => a.lsn - b.lsn)
    const last = groups.at(-1)
    const until = part.before ?? Number.POSITIVE_INFINITY
    const earlier = groups.filter(({ end }) => end <= until)
    const shown = earlier.slice(-(part.limit ?? 100))
    return {
      redoLsn,
      logLsn,
      endLsn: Math.max(last?.end ?? 0, redoLsn),
      syncedLsn: Math.max(last?.synced ?? 0, logLsn),
      segments: segments.map(segment => viewSegment(segment, redoLsn)),
      groups: shown.map(group => viewGroup(source, group)),
      groupCount: groups.length,
      before: shown.length < earlier.length ? shown[0]?.lsn : undefined,
      warnings,
    }
  } finally {
    closeAll(segments.map(({ file }) => file))
  }
}

const viewSegment = (segment: SalvageSegment, redoLsn: number): SegmentView =>
  segmentView(segment, segment.groups.length, segment.groups.at(-1)?.end ?? segment.startLsn, redoLsn)

const segmentView = (
  { name, startLsn, size, capacity, salt }: SalvageSegment,
  groups: number,
  endLsn: number,
  redoLsn: number,
): SegmentView => ({ name, startLsn, bytes: size, capacity, salt, groups, endLsn, needed: endLsn > redoLsn })

const viewGroup = (source: BlockSource, { segment, lsn, end, synced: said }: Group): GroupView => {
  const offset = SEGMENT_HEADER_BYTES + lsn - segment.startLsn
  const a = new Arena(Math.max(GROUP_HEADER_BYTES, end - lsn))
  const records: LogRecordView[] = []
  // Whoever writes the log may have begun the segment anew meanwhile: then nothing of it is left to show.
  const read = readGroup(source.storage, segment, offset, a)
  const synced = read?.synced ?? said
  if (read !== undefined) records.push(...eachRecord(a, GROUP_HEADER_BYTES, end - lsn, lsn + GROUP_HEADER_BYTES))
  return { lsn, end, synced, segment: segment.name, offset, records }
}

/** The records that lie from `at` to `end`, as far as they are well formed; the first has this LSN. */
export function* eachRecord(a: Arena, from: number, end: number, lsn: number): Generator<LogRecordView, void, void> {
  for (let at = from; at < end; ) {
    const problem = recordProblem(a, at, end)
    yield problem === undefined ? viewRecord(a, at, lsn + at - from) : malformed(lsn + at - from, problem)
    if (problem !== undefined) return
    at += recordLength(a, at)
  }
}

/** What a change writes, in a few words: its longest text, if that is one to read; else what its first operation does. */
export const textOfChange = (operations: readonly OperationView[]): string => {
  const texts = operations.flatMap(({ data }) => (data?.text === undefined ? [] : [data.text.replace(/^\P{L}+/u, '')]))
  const longest = texts.filter(text => !/\p{Cc}/u.test(text)).sort((a, b) => b.length - a.length)[0]
  return longest === undefined || longest.length < 2 ? (operations[0]?.text ?? '') : longest.slice(0, 120)
}

const malformed = (lsn: number, problem: string): LogRecordView => ({
  lsn,
  bytes: 0,
  type: 'unknown',
  transaction: 0,
  commits: false,
  compensation: false,
  previous: 0,
  undo: undefined,
  parts: [],
  problem,
})

const TYPES: Readonly<Record<number, LogRecordView['type']>> = {
  [RecordType.update]: 'update',
  [RecordType.commit]: 'commit',
  [RecordType.end]: 'end',
  [RecordType.system]: 'system',
  [RecordType.image]: 'image',
}

/** The record at a position, which is well formed. */
export const viewRecord = (a: Arena, position: number, lsn: number): LogRecordView => {
  const flags = recordFlags(a, position)
  const parts: PartView[] = []
  eachPart(a, position, (block, from, to) => parts.push({ block, operations: operationsOf(a, block, from, to) }))
  return {
    lsn,
    bytes: recordLength(a, position),
    type: TYPES[recordType(a, position)] ?? 'unknown',
    transaction: recordTransaction(a, position),
    commits: (flags & RecordFlag.commits) !== 0,
    compensation: (flags & RecordFlag.compensation) !== 0,
    previous: recordPrevious(a, position),
    undo: (flags & RecordFlag.undo) === 0 ? undefined : undoOf(a, position),
    parts,
    problem: undefined,
  }
}

const undoOf = (a: Arena, position: number): UndoView => {
  const { kind, space, key, keyLength, field, fieldLength } = undoSection(a, position)
  const bytes = copyBytes(a.u8, field, field + fieldLength)
  const allocates = kind === UndoKind.allocate
  return {
    kind: kind === UndoKind.insert ? 'insert' : allocates ? 'allocate' : 'restore',
    space,
    key: allocates ? undefined : shownBytes(a.u8.subarray(key, key + keyLength)),
    field: kind === UndoKind.restore ? shownBytes(bytes) : undefined,
    blocks: allocates ? [...new Uint32Array(bytes.buffer, 0, bytes.length >>> 2)] : [],
  }
}

const METADATA_OPS: Readonly<Record<number, string>> = {
  [LogOp.records]: 'records',
  [LogOp.blocks]: 'blocks',
  [LogOp.freeHead]: 'freeHead',
  [LogOp.freeBlocks]: 'freeBlocks',
  [LogOp.ordered]: 'ordered',
  [LogOp.firstSpace]: 'firstSpace',
  [LogOp.firstCondemned]: 'firstCondemned',
  [LogOp.spaces]: 'spaces',
}

const operationsOf = (a: Arena, block: number, from: number, to: number): OperationView[] => {
  const operations: OperationView[] = []
  for (let at = from; at < to; ) {
    const length = a.u16[at >>> 1]!
    const code = a.u16[(at + 2) >>> 1]!
    const [view, bytes] =
      length > 0
        ? written(a, at, length, code, block)
        : block === 0
          ? ofMetadata(code, a.u32[(at + 4) >>> 2]!)
          : withCode(a, at, code)
    operations.push(view)
    at += bytes
  }
  return operations
}

type Counted = [view: OperationView, bytes: number]

/** Of block 0 only the mark is written as bytes. */
const written = (a: Arena, at: number, bytes: number, offset: number, block: number): Counted => [
  {
    op: 'set',
    at: offset,
    bytes,
    text: block === 0 ? `mark of ${bytes} bytes` : `write ${bytes} bytes at ${offset}`,
    data: shownBytes(a.u8.subarray(at + 4, at + 4 + bytes)),
  },
  4 + pad4(bytes),
]

const ofMetadata = (code: number, value: number): Counted => {
  const op = METADATA_OPS[code] ?? `operation ${code}`
  const text = code === LogOp.records ? `records ${(value | 0) < 0 ? '' : '+'}${value | 0}` : `${op} = ${value}`
  return [{ op, at: undefined, bytes: undefined, text, data: undefined }, 8]
}

const withCode = (a: Arena, at: number, code: number): Counted => {
  const word = a.u32[(at + 4) >>> 2]!
  const second = a.u32[(at + 8) >>> 2]!
  const low = word & 0xffff
  const high = word >>> 16
  const view = (op: string, text: string, data?: ShownBytes): OperationView => ({
    op,
    at: undefined,
    bytes: undefined,
    text,
    data,
  })
  if (code === LogOp.format) {
    const level = (word >>> 8) & 0xff
    return [view('format', `format as ${kindName(word & 0xff)}${level > 0 ? `, level ${level}` : ''}`), 8]
  }
  if (code === LogOp.move) return [view('move', `move ${second} bytes from ${low} to ${high}`), 12]
  if (code === LogOp.compact) return [view('compact', 'compact: free bytes become one piece'), 4]
  if (code === LogOp.insertEntry) {
    const suffix = shownBytes(a.u8.subarray(at + 12, at + 12 + high))
    return [
      view('insertEntry', `insert entry ${low}${second === 0 ? '' : `, child ${second}`}`, suffix),
      12 + pad4(high),
    ]
  }
  if (code === LogOp.removeEntry) return [view('removeEntry', `remove entry ${word}`), 8]
  if (code === LogOp.keepEntries) return [view('keepEntries', `keep entries ${low} to ${high}, without the last`), 8]
  return [view('shortenPrefix', `shorten the shared prefix to ${word} bytes`), 8]
}
