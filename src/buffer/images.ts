/**
 * Guards blocks against torn writes: before blocks are overwritten in place, their images are written to one of two
 * files and synced. The files are filled in turn and are small, whatever the log and the pool do.
 *
 * Invariants
 *  I1  Images are synced before any of their blocks is written in place.
 *  I2  A file is filled anew only when every block that was written in place under its guard is synced in the data
 *      file.
 *  I3  The log is synced through the LSNs of the blocks before their images are written; the batch says how far that
 *      was, so that recovery knows which images the log goes on from.
 *  I4  A file that may not grow any more, since the disk is full, is filled again and again as far as it goes.
 */

import { isFull } from '../errors.ts'
import type { Health } from '../log/health.ts'
import type { DataFile } from '../pager/data-file.ts'
import type { Block, Lsn, Position } from '../pager/place.ts'
import type { Arena } from '../runtime/bytes.ts'
import { broken } from '../runtime/invariant.ts'
import { closeAll } from '../storage/close-all.ts'
import type { Home } from '../storage/home.ts'
import type { File } from '../storage/storage.ts'
import { batchHeaderBytes, encodeBatchHeader, IMAGE_FILES, MAX_BATCH_BLOCKS } from './image-format.ts'

/** Fewest blocks that a file has room for. */
const LEAST_BLOCKS = 16
const MOST_BYTES = 16777216
/** What a file may take on a disk that is nearly full. */
const LEAST_GROWN = 65536
/** What a clean close leaves of each file. */
const CLOSED_BYTES = 65536
const PAGE = 8192

interface Half {
  file: File | undefined
  /** Counts the times that a file was begun; 0: not yet. */
  generation: number
  /** The lowest LSN that one of its batches names; Infinity while it has none. */
  beginLsn: Lsn
  /** Bytes that it may take now. */
  limit: number
  /** `DataFile.writes` after the last write in place under its guard (I2). */
  usedAt: number
  /** Blocks that are about to be written in place rely on it. */
  isRelied: boolean
  /** Bytes of it that are synced (I1). */
  syncedTo: number
}

/** A batch of images that was written and not synced yet, and where it ends in its file. */
interface Appended {
  readonly half: Half
  readonly file: File
  readonly generation: number
  readonly end: number
}

export class BlockImages {
  /** Images written. */
  count = 0
  fsyncs = 0
  private readonly home: Home
  private readonly directory: string
  private readonly data: DataFile
  private readonly uuid: Uint8Array
  private readonly health: Health
  /** Bytes that a file may take. */
  private readonly capacity: number
  private readonly halves: [Half, Half] = [newHalf(), newHalf()]
  private current = 0
  private position = 0
  private generation = 0
  private isBegun = false
  /** By block: the generation of its last image. */
  private readonly made: (Uint32Array | undefined)[] = []

  /** The files lie in `directory`, below `home`; both together may take so many `bytes`. */
  constructor(home: Home, directory: string, data: DataFile, uuid: Uint8Array, health: Health, bytes: number) {
    this.home = home
    this.directory = directory
    this.data = data
    this.uuid = uuid
    this.health = health
    const least = batchHeaderBytes(LEAST_BLOCKS) + LEAST_BLOCKS * data.blockSize
    this.capacity = Math.max(least, Math.min(MOST_BYTES, Math.floor(bytes / 2)))
  }

  /** How many bytes more each file may take now: the disk may have no room for all that they want (I4). */
  mayGrow(bytes: number): void {
    for (const half of this.halves)
      half.limit = Math.min(this.capacity, Math.max((half.file?.size() ?? 0) + bytes, this.leastBytes))
  }

  /** Bytes with which a file can do. */
  get leastBytes(): number {
    return Math.max(LEAST_GROWN, batchHeaderBytes(1) + this.data.blockSize)
  }

  /** The disk is full: true if that was not known. */
  private confine(): boolean {
    let isNew = false
    for (const half of this.halves) {
      const size = half.file?.size() ?? 0
      if (half.limit > size) isNew = true
      half.limit = Math.min(half.limit, size)
    }
    return isNew
  }

  /** Bytes that the files take. */
  get bytes(): number {
    return this.halves.reduce((sum, { file }) => sum + (file?.size() ?? 0), 0)
  }

  /**
   * Makes room for images, of `wanted` blocks if there can be as much; returns for how many. May sync the data file.
   */
  room(wanted: number): number {
    if (this.isUsedUp(wanted)) this.begin()
    // Where there was no room for the other file, this one has to do, once it is free.
    if (this.rest() === 0) this.begin()
    return this.rest()
  }

  /** While others go on: does what would keep `room` waiting, which has to be asked in the turn that uses the room. */
  async prepareRoom(wanted: number): Promise<void> {
    const { data } = this
    if (this.isUsedUp(wanted))
      while (this.halves[1 - this.current]!.usedAt > data.syncedWrites)
        await data.syncAside().catch(error => this.unsynced(error))
  }

  /** What is left of the current file is not worth a batch of its own. */
  private isUsedUp(wanted: number): boolean {
    const rest = this.rest()
    return !this.isBegun || (rest < wanted && rest < this.blocksWhenEmpty >>> 2)
  }

  /**
   * True if a file holds an image of the block that recovery will see if it begins to read the log at `basisLsn`; the
   * block is then written in place under its guard.
   */
  guards(block: Block, basisLsn: Lsn): boolean {
    const generation = this.made[block >>> 13]?.[block & 0x1fff] ?? 0
    if (generation === 0) return false
    for (const half of this.halves)
      if (half.generation === generation && half.beginLsn >= basisLsn) {
        half.isRelied = true
        return true
      }
    return false
  }

  /**
   * Writes and syncs the images of blocks that lie sealed at `bases`; there is room for them. False if the disk was
   * full: from now on there is room for what the files hold already (I4).
   */
  write(blocks: readonly Block[], bases: readonly Position[], arena: Arena, syncedLsn: Lsn): boolean {
    let appended: Appended
    try {
      appended = this.append(blocks, bases, arena, syncedLsn)
    } catch (error) {
      if (this.health.failure !== undefined || !isFull(error) || !this.confine()) throw error
      return false
    }
    const { half, file } = appended
    this.synced(() => file.sync())
    this.fsyncs++
    half.syncedTo = appended.end
    half.isRelied = true
    this.noteAll(blocks, appended)
    return true
  }

  /** The same while others go on. The blocks are as they were when the log ended at `syncedLsn`. */
  async writeAside(blocks: readonly number[], bases: readonly number[], arena: Arena, syncedLsn: Lsn): Promise<void> {
    const appended = this.append(blocks, bases, arena, syncedLsn)
    const { half, file, generation, end } = appended
    await file.syncAsync().catch(error => this.unsynced(error))
    this.fsyncs++
    // Nobody relies on them before; if the file was begun anew meanwhile, nobody will.
    if (half.generation === generation) half.syncedTo = Math.max(half.syncedTo, end)
    this.noteAll(blocks, appended)
  }

  private append(blocks: readonly number[], bases: readonly number[], arena: Arena, syncedLsn: Lsn): Appended {
    const { data, uuid, position } = this
    const half = this.halves[this.current]!
    const file = this.fileOf(half)
    // A batch that was copied earlier may come after one that was copied later.
    half.beginLsn = Math.min(half.beginLsn, syncedLsn)
    const header = encodeBatchHeader(data.storage, uuid, data.blockSize, blocks, syncedLsn)
    const end = position + header.length + blocks.length * data.blockSize
    if (end > Math.min(this.capacity, half.limit))
      broken('I4', `a file of images would grow to ${end} bytes`, this.health)
    file.writeMany([header, ...bases.map(base => arena.window(base, data.blockSize))], position)
    this.position = end
    this.count += blocks.length
    return { half, file, generation: half.generation, end }
  }

  /** The blocks have been written in place. */
  written(): void {
    for (const half of this.halves) {
      if (half.isRelied) half.usedAt = this.data.writes
      half.isRelied = false
    }
  }

  /**
   * Leaves little of the files, once the data file is synced and nothing relies on them; `keeps` what they can do with.
   */
  shrink(keeps: boolean = false): void {
    const bytes = keeps ? this.leastBytes : 0
    for (const half of this.halves) {
      if (half.file !== undefined && half.file.size() > Math.max(CLOSED_BYTES, bytes)) half.file.truncate(bytes)
      half.generation = 0
    }
    this.isBegun = false
  }

  close(): void {
    const files = this.halves.map(({ file }) => file)
    for (const half of this.halves) half.file = undefined
    closeAll(files)
  }

  private get blocksWhenEmpty(): number {
    return Math.floor((this.capacity - batchHeaderBytes(MAX_BATCH_BLOCKS)) / this.data.blockSize)
  }

  /** Blocks that one more batch in the current file can hold. */
  private rest(): number {
    const { blockSize } = this.data
    const bytes = Math.min(this.capacity, this.halves[this.current]!.limit) - this.position
    let blocks = Math.min(MAX_BATCH_BLOCKS, Math.floor(bytes / blockSize))
    while (blocks > 0 && batchHeaderBytes(blocks) + blocks * blockSize > bytes) blocks--
    return blocks
  }

  /** Goes on in the other file (I2). */
  private begin(): void {
    const { data } = this
    const next = 1 - this.current
    const half = this.halves[next]!
    if (half.usedAt > data.syncedWrites) this.synced(() => data.sync())
    if (half.usedAt > data.syncedWrites) broken('I2', 'blocks that rely on the file are not synced', this.health)
    this.current = next
    this.position = 0
    this.isBegun = true
    half.generation = ++this.generation
    half.beginLsn = Number.POSITIVE_INFINITY
    half.syncedTo = 0
    this.syncAhead()
  }

  /** By the time that this file is full, the other one should be free. */
  private syncAhead(): void {
    const { data, health } = this
    if (data.storage.syncsAside !== true || data.writes === data.syncedWrites) return
    data.syncAside().catch((error: unknown) => health.fail(error))
  }

  private fileOf(half: Half): File {
    if (half.file !== undefined) return half.file
    this.home.check()
    const { storage } = this.data
    const path = storage.join(this.directory, IMAGE_FILES[this.current]!)
    const isNew = storage.kind(path) === 'none'
    half.file = storage.open(path, isNew ? { create: true } : {})
    if (isNew) this.synced(() => storage.syncDirectory(this.directory))
    return half.file
  }

  /** No sync is tried again, not even one that says that the disk is full: what it was to cover may be lost. */
  private synced(sync: () => void): void {
    try {
      sync()
    } catch (error) {
      this.unsynced(error)
    }
  }

  private unsynced(error: unknown): never {
    throw this.health.fail(error)
  }

  private noteAll(blocks: readonly number[], { half, generation, end }: Appended): void {
    if (half.generation === generation && half.syncedTo < end) broken('I1', 'images are not synced', this.health)
    for (const block of blocks) this.note(block, generation)
  }

  private note(block: Block, generation: number): void {
    const index = block >>> 13
    let page = this.made[index]
    if (page === undefined) {
      while (this.made.length < index) this.made.push(undefined)
      page = new Uint32Array(PAGE)
      this.made[index] = page
    }
    page[block & 0x1fff] = generation
  }
}

const newHalf = (): Half => ({
  file: undefined,
  generation: 0,
  beginLsn: 0,
  usedAt: 0,
  isRelied: false,
  syncedTo: 0,
  limit: Number.POSITIVE_INFINITY,
})
