/**
 * The log's segment files: of fixed size, filled in turn, recycled in place when a checkpoint has made them
 * superfluous. A recycled segment gets a new header with a new salt, so that nothing of its earlier use can pass
 * for a group of the new one; its bytes stay allocated, which makes the fdatasync of a commit cheap.
 */

import { CorruptionError, isFull } from '../errors.ts'
import type { Lsn } from '../pager/place.ts'
import { alignUp, compareBytes, readU64, toHex, writeU64 } from '../runtime/bytes.ts'
import { closeAll } from '../storage/close-all.ts'
import { type Home, requireInPlace } from '../storage/home.ts'
import type { File, Storage } from '../storage/storage.ts'
import { SEGMENT_HEADER_BYTES, SEGMENT_MAGIC } from './format.ts'

/** The header stands twice in its sector, so that a flipped bit cannot make a used segment look unused. */
const HEADER_COPY_OFFSETS = [0, 256] as const
const HEADER_COPY_BYTES = 64
/** Zeros are written ahead of the log's end in pieces of this size. */
const PREALLOCATE_BYTES = 262144
/** What a clean close leaves of the log. */
const CLOSED_BYTES = 65536
export const SEGMENT_NAME: RegExp = /^[0-9]{8}\.log$/

export interface Segment {
  file: File
  name: string
  startLsn: Lsn
  salt: number
  /** Size that it may grow to, as its header says: the option may have been another one then. */
  capacity: number
  /** One copy of its header is damaged. Both lie in one sector, so it is never mended in place, only replaced. */
  isHalf: boolean
  /** Bytes that the file has, zeros ahead of the log included. */
  allocated: number
  /** It is being synced aside. */
  isBusy: boolean
}

export class LogSegments {
  readonly directory: string
  readonly segmentBytes: number
  /** In order of their LSNs; the last one is being written. */
  readonly active: Segment[] = []
  fsyncs = 0
  private readonly spare: Segment[] = []
  /** Segments with writes that no sync covers, and those whose writes are being synced aside. */
  private readonly unsynced: Set<Segment> = new Set()
  private syncing: readonly Segment[] = []
  private readonly storage: Storage
  private readonly uuid: Uint8Array
  private readonly home: Home | undefined
  /** Segments were deleted, and the directory was not synced since. */
  private hasRemoved = false
  /** Segments that were created, and of how many the names survive a loss of power. */
  private created = 0
  private named = 0
  private zeros: Uint8Array | undefined
  private nextName = 0

  /** `home`: where the log belongs, of an open database. */
  constructor(storage: Storage, directory: string, uuid: Uint8Array, segmentBytes: number, home?: Home) {
    this.storage = storage
    this.home = home
    this.directory = directory
    this.uuid = uuid
    this.segmentBytes = segmentBytes
  }

  get current(): Segment | undefined {
    return this.active[this.active.length - 1]
  }

  get bytes(): number {
    return [...this.active, ...this.spare].reduce((sum, segment) => sum + segment.allocated, 0)
  }

  get count(): number {
    return this.active.length + this.spare.length
  }

  /** Bytes of segments that the log can be written to without taking anything from the disk. */
  bytesAhead(lsn: Lsn): number {
    const { current } = this
    const inCurrent = current === undefined ? 0 : current.allocated - SEGMENT_HEADER_BYTES - (lsn - current.startLsn)
    return this.spare.reduce((sum, segment) => sum + segment.allocated, Math.max(0, inCurrent))
  }

  /** Opens every segment that belongs to this database and orders them by LSN. */
  load(readOnly: boolean): void {
    for (const name of this.storage.list(this.directory)) {
      if (!SEGMENT_NAME.test(name)) continue
      this.nextName = Math.max(this.nextName, Number.parseInt(name, 10) + 1)
      const file = this.storage.open(this.storage.join(this.directory, name), { readOnly })
      let header: SegmentHeader | undefined
      try {
        header = readSegmentHeader(file, this.storage, this.uuid)
      } catch (error) {
        file.close()
        throw error
      }
      const allocated = file.size()
      const segment = {
        file,
        name,
        startLsn: header?.startLsn ?? 0,
        salt: header?.salt ?? 0,
        capacity: header?.capacity ?? allocated,
        isHalf: header?.copies.includes(false) ?? false,
        allocated,
        isBusy: false,
      }
      if (header) this.active.push(segment)
      else this.spare.push(segment)
    }
    this.active.sort((a, b) => a.startLsn - b.startLsn)
    let before: Segment | undefined
    for (const segment of this.active) {
      if (before?.startLsn === segment.startLsn && before.salt === segment.salt)
        throw new CorruptionError(
          segment.file.path,
          `is a copy of ${before.name}: both begin at LSN ${segment.startLsn}; the segment that belongs here is missing`,
        )
      before = segment
    }
  }

  /** The same once more, for whoever reads what somebody else writes. */
  reload(): void {
    this.close()
    this.active.length = 0
    this.spare.length = 0
    this.load(true)
  }

  /** Starts the next segment at `lsn`: a spare one, or a new file. */
  startSegment(lsn: Lsn): Segment {
    // It stays a spare one until its header is written, so that a failure leaves no file open that nobody knows of.
    if (this.spare.length === 0) this.createSegment()
    const segment = this.spare[this.spare.length - 1]!
    segment.startLsn = lsn
    segment.capacity = this.segmentBytes
    segment.isHalf = false
    segment.salt = new Uint32Array(this.storage.randomBytes(4).slice().buffer)[0]!
    const header = this.encodeHeader(segment)
    segment.file.write(header, 0, header.length, 0)
    if (segment.allocated < header.length) segment.allocated = header.length
    this.unsynced.add(segment)
    this.spare.pop()
    this.active.push(segment)
    return segment
  }

  /** Writes a group at its LSN in the current segment; with `ahead`, keeps zeros allocated behind it. */
  write(bytes: Uint8Array, offset: number, length: number, lsn: Lsn, ahead: boolean): void {
    const segment = this.current!
    const position = SEGMENT_HEADER_BYTES + lsn - segment.startLsn
    segment.file.write(bytes, offset, length, position)
    const end = position + length
    if (end > segment.allocated) {
      segment.allocated = end
      if (ahead) {
        const target = Math.min(alignUp(end + 1, PREALLOCATE_BYTES), segment.capacity)
        if (target > end) {
          this.zeros ??= new Uint8Array(PREALLOCATE_BYTES)
          try {
            segment.file.write(this.zeros, 0, target - end, end)
            segment.allocated = target
          } catch (error) {
            // The group itself is written; on a disk this full, those that follow take what the zeros did get.
            if (!isFull(error)) throw error
            segment.allocated = Math.max(end, segment.file.size())
          }
        }
      }
    }
    this.unsynced.add(segment)
  }

  /** True when a group of `length` bytes at `lsn` fits in the current segment. */
  hasRoom(lsn: Lsn, length: number): boolean {
    const segment = this.current
    return segment !== undefined && SEGMENT_HEADER_BYTES + lsn - segment.startLsn + length <= segment.capacity
  }

  /** Syncs every write so far, those included that are being synced aside. */
  sync(): void {
    const { created } = this
    if (this.named < created) {
      // It is synced by its name, which may lead to the directory of another database by now.
      this.requirePlace()
      this.storage.syncDirectory(this.directory)
      this.named = created
    }
    for (const segment of new Set([...this.syncing, ...this.unsynced])) {
      segment.file.sync()
      this.fsyncs++
    }
    this.unsynced.clear()
    this.syncing = []
  }

  /**
   * The same in the background; one at a time. What is written meanwhile makes its segment an unsynced one again. A
   * segment may be started anew meanwhile, which a sync that covers its header follows, but its file is not closed.
   */
  async syncAside(): Promise<void> {
    const due = [...this.unsynced]
    this.unsynced.clear()
    this.syncing = due
    for (const segment of due) segment.isBusy = true
    try {
      await Promise.all([this.syncNames(), ...due.map(({ file }) => file.syncAsync())])
      this.fsyncs += due.length
    } finally {
      for (const segment of due) segment.isBusy = false
      this.syncing = []
    }
  }

  private async syncNames(): Promise<void> {
    const { storage, directory, created } = this
    if (this.named === created) return
    this.requirePlace()
    if (storage.syncDirectoryAside === undefined) storage.syncDirectory(directory)
    else await storage.syncDirectoryAside(directory)
    this.named = Math.max(this.named, created)
  }

  /** After analysis: only the chain is the log; what else there is waits to be used again, or deleted. */
  setAside(chain: readonly Segment[]): void {
    for (const segment of this.active.splice(0)) (chain.includes(segment) ? this.active : this.spare).push(segment)
  }

  /** Deletes every segment that is not part of the chain, so that no later log can run into it. */
  keepOnly(chain: readonly Segment[]): void {
    this.setAside(chain)
    this.dropSpares()
  }

  /** After recovery, when nothing was appended: only the chain stays, up to the end of the log. */
  cut(chain: readonly Segment[], end: number): void {
    this.keepOnly(chain)
    const last = this.current!
    // A last segment without a group may begin a sector behind the end.
    const bytes = SEGMENT_HEADER_BYTES + Math.max(0, end - last.startLsn)
    if (last.allocated <= bytes) return
    last.file.truncate(bytes)
    last.file.sync()
    last.allocated = bytes
  }

  /** Deletes the segments that wait to be used again. */
  dropSpares(): void {
    this.trimSpares(0)
    // Those that were deleted before, too: what a recovery leaves is not to reappear.
    if (this.hasRemoved) this.storage.syncDirectory(this.directory)
    this.hasRemoved = false
  }

  /** Segments whose header could not be read. */
  get unreadable(): readonly Segment[] {
    return this.spare
  }

  /** @throws MovedError if what this log is to be found under leads elsewhere by now. */
  requirePlace(): void {
    this.home?.check()
    if (this.current !== undefined) requireInPlace(this.current.file)
  }

  /**
   * Gives up the segments that end at or below `lsn`; keeps some for later use, as long as all take at most `bytes`.
   */
  release(lsn: Lsn, bytes: number): void {
    this.requirePlace()
    while (this.active.length > 1 && this.active[1]!.startLsn <= lsn) this.spare.push(this.active.shift()!)
    this.trimSpares(Math.max(0, Math.floor(bytes / this.segmentBytes) - this.active.length))
  }

  /** Deletes every segment but the current one, which is synced first. */
  leaveCurrent(): void {
    this.sync()
    while (this.active.length > 1) this.spare.push(this.active.shift()!)
    this.dropSpares()
  }

  /**
   * Deletes every segment but the current one, and leaves that one with a small file. Those too that are being synced
   * aside: the data file has all that they say.
   */
  shrink(): void {
    while (this.active.length > 1) this.spare.push(this.active.shift()!)
    for (const segment of this.spare) segment.isBusy = false
    this.trimSpares(0)
    const last = this.current
    if (last && last.allocated > CLOSED_BYTES) {
      last.file.truncate(CLOSED_BYTES)
      last.allocated = CLOSED_BYTES
    }
  }

  close(): void {
    closeAll([...this.active, ...this.spare].map(({ file }) => file))
  }

  private trimSpares(keep: number): void {
    while (this.spare.length > keep) {
      // One that is being synced aside waits for the next time.
      const at = this.spare.findLastIndex(({ isBusy }) => !isBusy)
      if (at < 0) return
      const segment = this.spare[at]!
      requireInPlace(segment.file)
      this.spare.splice(at, 1)
      this.unsynced.delete(segment)
      try {
        this.storage.remove(segment.file.path)
        this.hasRemoved = true
      } finally {
        segment.file.close()
      }
    }
  }

  /** Adds a spare segment. */
  private createSegment(): void {
    this.requirePlace()
    const name = `${String(this.nextName++).padStart(8, '0')}.log`
    const file = this.storage.open(this.storage.join(this.directory, name), { create: true })
    const capacity = this.segmentBytes
    this.spare.push({
      file,
      name,
      startLsn: 0,
      salt: 0,
      capacity,
      isHalf: false,
      allocated: 0,
      isBusy: false,
    })
    // Its name survives power loss from the next sync on, as what is written to it does.
    this.created++
    // Nothing is written to it unless the name was that of this log's directory before and after.
    this.requirePlace()
  }

  private encodeHeader(segment: Segment): Uint8Array {
    const copy = new Uint8Array(HEADER_COPY_BYTES)
    const u32 = new Uint32Array(copy.buffer)
    copy.set(SEGMENT_MAGIC, 0)
    copy.set(this.uuid, 16)
    u32[3] = segment.salt
    writeU64(u32, 8, segment.startLsn)
    u32[10] = this.segmentBytes
    u32[2] = this.storage.crc32(copy.subarray(12), 0)
    const header = new Uint8Array(SEGMENT_HEADER_BYTES)
    for (const offset of HEADER_COPY_OFFSETS) header.set(copy, offset)
    return header
  }
}

export interface SegmentHeader {
  startLsn: Lsn
  salt: number
  capacity: number
  /** Whether each of the two copies is whole, and says the same. */
  copies: [boolean, boolean]
}

/** The header of a segment; undefined when it was torn or never written. A header of another database is an error. */
export const readSegmentHeader = (file: File, storage: Storage, uuid: Uint8Array): SegmentHeader | undefined => {
  const bytes = new Uint8Array(SEGMENT_HEADER_BYTES)
  if (file.read(bytes, 0, bytes.length, 0) < bytes.length) return undefined
  let header: SegmentHeader | undefined
  let chosen: Uint8Array | undefined
  for (const [i, offset] of HEADER_COPY_OFFSETS.entries()) {
    const copy = bytes.slice(offset, offset + HEADER_COPY_BYTES)
    const u32 = new Uint32Array(copy.buffer)
    if (compareBytes(copy.subarray(0, SEGMENT_MAGIC.length), SEGMENT_MAGIC) !== 0) continue
    if (u32[2] !== storage.crc32(copy.subarray(12), 0)) continue
    const found = copy.subarray(16, 32)
    if (compareBytes(found, uuid) !== 0)
      throw new CorruptionError(
        file.path,
        `belongs to another database (${toHex(found)}, expected ${toHex(uuid)}); keep data and log together`,
      )
    header ??= { startLsn: readU64(u32, 8), salt: u32[3]!, capacity: u32[10]!, copies: [false, false] }
    chosen ??= copy
    // A write that was torn between them leaves the second one as the use before wrote it: whole, but of no help.
    header.copies[i] = compareBytes(chosen, copy) === 0
  }
  return header
}
