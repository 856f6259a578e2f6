/**
 * The data file: fixed-size blocks. Reads and writes blocks between the file and an arena and guards each with its
 * checksum. The checksum covers the block's number and the database's UUID (as its seed), so that a block of
 * another place or of another database is noticed too.
 */

import { CorruptionError, MovedError } from '../errors.ts'
import type { Arena } from '../runtime/bytes.ts'
import { broken } from '../runtime/invariant.ts'
import type { File, Storage } from '../storage/storage.ts'
import { type BlankBits, blanks, formatBlank, isBlank, noteWritten } from './blank.ts'
import { bucketProblem } from './bucket.ts'
import { directoryProblem } from './directory.ts'
import { AT_CHECKSUM, AT_KIND, BlockKind, kindName } from './layout.ts'
import { METADATA_BYTES, type Metadata, SPARE_IDENTITY_AT, uuidSeed } from './metadata.ts'
import { nodeProblem } from './node-check.ts'
import type { Block, Position } from './place.ts'
import { condemnedProblem, spaceProblem } from './space-block.ts'

export class DataFile {
  readonly file: File
  readonly blockSize: number
  readonly storage: Storage
  blockReads = 0
  blockWrites = 0
  fsyncs = 0
  /** Blocks that nobody has written yet. */
  private blank: BlankBits
  /** Writes of blocks so far, and how many of them are synced. */
  writes = 0
  syncedWrites = 0
  /** The same for the state in block 0. */
  private stateWrites = 0
  private syncedStateWrites = 0
  private readonly seed: number
  private readonly number: Uint8Array = new Uint8Array(4)

  constructor(file: File, metadata: Metadata, storage: Storage) {
    this.file = file
    this.storage = storage
    this.blockSize = metadata.identity.blockSize
    this.blank = metadata.blank.slice()
    this.seed = uuidSeed(storage, metadata.identity.uuid)
  }

  /** @throws CorruptionError if the file is shorter than block 0 says. */
  requireLength(metadata: Metadata): void {
    const expected = metadata.fileBlocks * this.blockSize
    const size = this.file.size()
    if (size < expected)
      throw new CorruptionError(
        this.file.path,
        `is ${size} bytes long, but held ${expected} at the last checkpoint: it was cut off; restore a backup`,
      )
  }

  /** Reads a block to `base` of the arena; says what is wrong with it, or returns undefined. */
  read(block: Block, a: Arena, base: Position): string | undefined {
    this.blockReads++
    if (!isBlank(this.blank, block)) return this.readAt(this.file, block * this.blockSize, block, a, base)
    formatBlank(block, a, base, this.blockSize)
    return undefined
  }

  /** The same for a file whose log may be lost: what has been written to a blank block counts if it is whole. */
  readWritten(block: Block, a: Arena, base: Position): string | undefined {
    const isThere = this.readAt(this.file, block * this.blockSize, block, a, base) === undefined
    return isThere ? undefined : this.read(block, a, base)
  }

  isBlank(block: Block): boolean {
    return isBlank(this.blank, block)
  }

  /** Which blocks are blank now. */
  blankNow(): BlankBits {
    return this.blank.slice()
  }

  /** Somebody else has written some since. */
  protected setBlank(bits: BlankBits): void {
    this.blank = bits.slice()
  }

  get blanks(): readonly Block[] {
    return blanks(this.blank)
  }

  /** The block will be read soon. */
  readAhead(block: Block): void {
    this.file.readAhead?.(this.blockSize, block * this.blockSize)
  }

  /** The same as `read` for a block that lies in another file. */
  readAt(file: File, position: number, block: Block, a: Arena, base: Position): string | undefined {
    const size = this.blockSize
    const got = file.read(a.u8, base, size, position)
    if (got < size) return `the file ends ${got === 0 ? 'before' : 'inside'} this block`
    return this.problemOf(block, a, base)
  }

  /** What is wrong with the checksum of the block at `base`, or undefined. */
  problemOf(block: Block, a: Arena, base: Position): string | undefined {
    const size = this.blockSize
    const stored = a.u32[(base + AT_CHECKSUM) >>> 2]!
    const expected = this.checksum(block, a, base)
    if (stored === expected) return undefined
    return `wrong checksum ${hex(stored)}, expected ${hex(expected)} (${what(a, base, size)})`
  }

  /** Reads a block that must be sound. */
  readSound(block: Block, a: Arena, base: Position): void {
    const problem = this.read(block, a, base) ?? blockProblem(a, base, this.blockSize)
    if (problem !== undefined) throw new CorruptionError(this.file.path, problem, block)
  }

  /** Writes the checksum of a block in the arena into its header. */
  seal(block: Block, a: Arena, base: Position): void {
    a.u32[(base + AT_CHECKSUM) >>> 2] = this.checksum(block, a, base)
  }

  /** Seals blocks that are neighbours in the file, and writes them in order from the arena positions `bases`. */
  writeRun(firstBlock: number, bases: readonly Position[], a: Arena): void {
    for (let i = 0; i < bases.length; i++) this.seal(firstBlock + i, a, bases[i]!)
    this.writeSealed(firstBlock, bases, a)
  }

  /** The same for blocks that are sealed already. */
  writeSealed(firstBlock: number, bases: readonly Position[], a: Arena): void {
    const size = this.blockSize
    this.writes++
    if (bases.length === 1) this.file.write(a.u8, bases[0]!, size, firstBlock * size)
    else
      this.file.writeMany(
        bases.map(base => a.window(base, size)),
        firstBlock * size,
      )
    noteWritten(this.blank, firstBlock, bases.length)
    this.blockWrites += bases.length
  }

  /** @throws MovedError if block 0 is not the one that was read and written here. */
  requireOwn(metadata: Metadata): void {
    const found = new Uint8Array(METADATA_BYTES)
    const got = this.file.read(found, 0, found.length, 0)
    if (!metadata.isOwn(found.subarray(0, got), this.storage)) throw overwritten(this.file.path)
  }

  /** Writes the state of block 0: as it is, or as it was when it was frozen. */
  writeState(metadata: Metadata, state: Metadata = metadata): void {
    this.requireOwn(metadata)
    if (!this.isStateSynced) broken('C3', 'block 0 was written and is not synced yet')
    this.putState(metadata, state)
  }

  /** Before something is written that only builds of a format version know, and later ones. */
  raiseVersion(metadata: Metadata, to: number): void {
    const { identity } = metadata
    const { version } = identity
    if (version >= to) return
    this.requireOwn(metadata)
    identity.version = to
    try {
      this.writeIdentity(metadata, SPARE_IDENTITY_AT)
      this.writeIdentity(metadata, 0)
    } catch (error) {
      // It is not raised: who comes next tries again.
      identity.version = version
      throw error
    }
  }

  /** After a torn write of the identity. */
  mendIdentity(metadata: Metadata): void {
    this.writeIdentity(metadata, 0)
    metadata.isTorn = false
  }

  private writeIdentity(metadata: Metadata, position: number): void {
    const sector = metadata.encodeIdentity(this.storage)
    this.file.write(sector, 0, sector.length, position)
    this.file.sync()
    this.fsyncs++
  }

  /**
   * Writes block 0 of a file that is not in use yet: both copies of the state, so that a flipped bit in one is never the
   * end of the database.
   */
  writeFirst(metadata: Metadata): void {
    const block = new Uint8Array(this.blockSize)
    block.set(metadata.encodeIdentity(this.storage))
    this.file.write(block, 0, block.length, 0)
    this.putState(metadata, metadata)
    this.putState(metadata, metadata)
  }

  private putState(metadata: Metadata, state: Metadata): void {
    this.stateWrites++
    const { sector, position } = metadata.encodeState(this.storage, state)
    this.file.write(sector, 0, sector.length, position)
  }

  /** What was last written to block 0 survives power loss. */
  get isStateSynced(): boolean {
    return this.syncedStateWrites === this.stateWrites
  }

  sync(): void {
    this.file.sync()
    this.fsyncs++
    this.syncedWrites = this.writes
    this.syncedStateWrites = this.stateWrites
  }

  /** The same while others go on: what is written meanwhile may or may not be part of it. */
  async syncAside(): Promise<void> {
    const { writes, stateWrites } = this
    await this.file.syncAsync()
    this.fsyncs++
    this.syncedWrites = Math.max(this.syncedWrites, writes)
    this.syncedStateWrites = Math.max(this.syncedStateWrites, stateWrites)
  }

  private checksum(block: Block, a: Arena, base: Position): number {
    const number = this.number
    number[0] = block
    number[1] = block >>> 8
    number[2] = block >>> 16
    number[3] = block >>> 24
    const seed = this.storage.crc32(number, this.seed)
    return this.storage.crc32(a.window(base + 4, this.blockSize - 4), seed)
  }
}

const overwritten = (path: string): MovedError =>
  new MovedError(
    path,
    'no longer holds what this handle has written to it: another file was copied over it, such as a backup (or the disk has lost a write). Nothing more is written; close this handle, and restore the whole directory while nobody has it open',
  )

/** What is wrong with the contents of a block whose checksum is right, or undefined. */
export const blockProblem = (a: Arena, base: Position, blockSize: number): string | undefined => {
  const kind = a.u8[base + AT_KIND]!
  if (kind === BlockKind.bucket) return bucketProblem(a, base, blockSize)
  if (kind === BlockKind.directory) return directoryProblem(a, base, blockSize)
  if (kind === BlockKind.leaf || kind === BlockKind.inner) return nodeProblem(a, base, blockSize)
  if (kind === BlockKind.free || kind === BlockKind.large) return undefined
  if (kind === BlockKind.space) return spaceProblem(a, base, blockSize)
  if (kind === BlockKind.condemned) return condemnedProblem(a, base, blockSize)
  return kindName(kind)
}

/** What a block with a wrong checksum looks like. A free block has a header, so zeros were never written as one. */
const what = (a: Arena, base: Position, size: number): string =>
  a.window(base, size).every(byte => byte === 0) ? 'nothing but zeros' : kindName(a.u8[base + AT_KIND]!)

const hex = (value: number): string => `0x${value.toString(16).padStart(8, '0')}`
