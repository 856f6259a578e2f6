/**
 * Block 0. Its identity is written once, at creation; its state is written at each checkpoint, in turn into two
 * copies that lie in sectors of their own, so that a torn write leaves the other one (the higher sequence that
 * has a right checksum wins).
 *
 *   sector 0, identity                         sectors 1 and 2, state
 *   offset size                                offset size
 *        0    8  magic "XENONDB\n"                  0    4  checksum of bytes 4 to 511, seeded with the UUID
 *        8    4  format version                     4    4  sequence
 *       12    4  block size                         8    8  LSN: the state holds every log record up to here
 *       16   16  UUID                              16    8  redo LSN: where recovery begins to read the log
 *       32    8  key of the hash                   24    8  records
 *       40    4  feature flags                     32    4  blocks: end of the allocated file, in blocks
 *       44    4  reserved                          36    4  head of the free-block list, 0 = none
 *       48    8  creation time, ms since 1970      40    4  blocks on the free-block list
 *      508    4  checksum of bytes 0 to 507        44    4  blocks that the file must hold at least
 *                                                  48    8  most records there ever were
 *                                                  56    8  log LSN: the log was synced at least up to here
 *                                                  64    4  1 = keeps the ordered index
 *                                                  68    4  first key space of its own, 0 = none
 *                                                  72    4  first list of what was cleared, 0 = none
 *                                                  76    4  key spaces that there ever were
 *                                                  80   16  which blocks are blank (blank.ts)
 *                                                 128    1  bytes of the name that follows, 0 = not said
 *                                                 129   62  name of the root's value encoding, UTF-8
 *                                                 192   63  the same of its key encoding
 *                                                 256    1  bytes of the mark that follows, 0 = none
 *                                                 257   64  the mark
 *
 * The free-block list, the key spaces and the lists of what was cleared are linked through AT_NEXT of their blocks.
 * Format version 3 adds what stands from byte 68 on. A database of version 2 has none of that, and gets its new number
 * before it gets key spaces (`DataFile.raiseVersion`): sector 3 holds the identity with the new number by the time that
 * sector 0 is written over, and counts where a torn write has left sector 0 without a right checksum. Version 4 adds the
 * mark; a database gets this number before its first one.
 *
 * The names of encodings are those that the state is opened with next; older builds leave them out when they write it.
 */

import { CorruptionError, FormatVersionError } from '../errors.ts'
import { compareBytes, readU64, writeU64 } from '../runtime/bytes.ts'
import type { Storage } from '../storage/storage.ts'
import { BLANK_WORDS, type BlankBits, noneBlank } from './blank.ts'
import { FIRST_OVERFLOW_BLOCK, MAX_BLOCK_SIZE, MIN_BLOCK_SIZE } from './layout.ts'
import type { Block, Lsn } from './place.ts'

export const SECTOR = 512
const VALUE_ENCODING_AT = 128
const KEY_ENCODING_AT = 192
export const MAX_ENCODING_NAME_BYTES = 62
/** The newest that is read. */
export const FORMAT_VERSION = 4
/** That of a new database, and the first with key spaces. */
export const SPACES_VERSION = 3
/** The first with a mark. */
export const MARK_VERSION = 4
/** Read and written as it is, and raised when a key space is made. */
export const OLDEST_FORMAT_VERSION = 2
/** Where the mark stands in a state, behind its length; log records name it by this offset too. */
export const AT_MARK = 257
export const MAX_MARK_BYTES = 64
export const METADATA_BYTES: number = 3 * SECTOR
/** Where the identity stands once more while its sector is written over. */
export const SPARE_IDENTITY_AT: number = 3 * SECTOR
/** Word of a state sector where the blank blocks stand. */
const AT_BLANK = 20
const utf8 = new TextEncoder()
const text = new TextDecoder()
const MAGIC = new Uint8Array([0x58, 0x45, 0x4e, 0x4f, 0x4e, 0x44, 0x42, 0x0a])

export interface Identity {
  version: number
  blockSize: number
  uuid: Uint8Array
  hashKey: [number, number]
  createdAt: number
}

/** The mutable part of block 0, kept in memory; log records change it through `MetadataField`s. */
export class Metadata {
  readonly identity: Identity
  /** LSN of the last log record that changed the state. */
  lsn: Lsn = 0
  redoLsn: Lsn = 0
  records = 0
  blocks: Block = FIRST_OVERFLOW_BLOCK
  freeHead: Block = 0
  freeBlocks = 0
  /** Blocks that stood in the file when the state was last written. */
  fileBlocks: Block = FIRST_OVERFLOW_BLOCK
  peakRecords = 0
  logLsn: Lsn = 0
  /** The tree over the keys is kept. */
  ordered = false
  firstSpace: Block = 0
  firstCondemned: Block = 0
  /** The number of the key space that was made last. */
  spaces = 0
  /** Blocks that are blank, as of the redo LSN. */
  blank: BlankBits = noneBlank()
  /** Names of the root's encodings, '' if they were never said. */
  valueEncoding = ''
  keyEncoding = ''
  /** What the last commit with a mark says of the state; the bytes are never changed. */
  mark: Uint8Array | undefined
  /** The identity in sector 0 was torn when block 0 was read. */
  isTorn = false
  /** Copies of the state, of two, that had a right checksum when block 0 was read. */
  soundCopies = 2
  private sequence = 0

  constructor(identity: Identity) {
    this.identity = identity
  }

  /** Whether block 0 was written later than it was here. */
  isOlderThan(other: Metadata): boolean {
    return this.sequence < other.sequence || this.identity.version < other.identity.version
  }

  /** Becomes what was read of block 0. */
  become(other: Metadata): void {
    const { identity, ...state } = other
    Object.assign(this, state)
    this.identity.version = identity.version
  }

  /** Takes over what block 0 says and the log does not: where a recovery would begin now. */
  moveOn(other: Metadata): void {
    const { redoLsn, logLsn, fileBlocks, blank, valueEncoding, keyEncoding, sequence } = other
    Object.assign(this, { redoLsn, logLsn, fileBlocks, blank, valueEncoding, keyEncoding, sequence })
    this.identity.version = other.identity.version
  }

  /** Nothing but the creation has written the state so far; the process that did may have been killed at its end. */
  get isNew(): boolean {
    return this.sequence <= 2
  }

  addRecords(delta: number): void {
    this.records += delta
    if (this.records > this.peakRecords) this.peakRecords = this.records
  }

  /** The identity sector. */
  encodeIdentity(storage: Storage): Uint8Array {
    const sector = new Uint8Array(SECTOR)
    const view = new DataView(sector.buffer)
    const { version, blockSize, uuid, hashKey, createdAt } = this.identity
    sector.set(MAGIC, 0)
    view.setUint32(8, version, true)
    view.setUint32(12, blockSize, true)
    sector.set(uuid, 16)
    view.setUint32(32, hashKey[0], true)
    view.setUint32(36, hashKey[1], true)
    view.setFloat64(48, createdAt, true)
    view.setUint32(508, storage.crc32(sector.subarray(0, 508), 0), true)
    return sector
  }

  /** The state as it is now, for a write that comes later. */
  freeze(): Metadata {
    const { lsn, redoLsn, records, blocks, freeHead, freeBlocks, fileBlocks, peakRecords, logLsn } = this
    const state = { lsn, redoLsn, records, blocks, freeHead, freeBlocks, fileBlocks, peakRecords, logLsn }
    const { ordered, firstSpace, firstCondemned, spaces, blank, valueEncoding, keyEncoding, mark } = this
    const rest = { ordered, firstSpace, firstCondemned, spaces, blank, valueEncoding, keyEncoding, mark }
    return Object.assign(new Metadata(this.identity), state, rest)
  }

  /** The next state sector, which says what `state` does, and the file offset where it belongs. */
  encodeState(storage: Storage, state: Metadata = this): { sector: Uint8Array; position: number } {
    this.sequence++
    const sector = new Uint8Array(SECTOR)
    const u32 = new Uint32Array(sector.buffer)
    u32[1] = this.sequence
    writeU64(u32, 2, state.lsn)
    writeU64(u32, 4, state.redoLsn)
    writeU64(u32, 6, state.records)
    u32[8] = state.blocks
    u32[9] = state.freeHead
    u32[10] = state.freeBlocks
    u32[11] = state.fileBlocks
    writeU64(u32, 12, state.peakRecords)
    writeU64(u32, 14, state.logLsn)
    u32[16] = state.ordered ? 1 : 0
    u32[17] = state.firstSpace
    u32[18] = state.firstCondemned
    u32[19] = state.spaces
    u32.set(state.blank, AT_BLANK)
    writeName(sector, VALUE_ENCODING_AT, state.valueEncoding)
    writeName(sector, KEY_ENCODING_AT, state.keyEncoding)
    if (state.mark !== undefined) {
      sector[AT_MARK - 1] = state.mark.length
      sector.set(state.mark, AT_MARK)
    }
    u32[0] = storage.crc32(sector.subarray(4), uuidSeed(storage, this.identity.uuid))
    return { sector, position: SECTOR * (1 + (this.sequence & 1)) }
  }

  /** What is wrong with block 0 as it stands on the disk, a sentence each; `bytes`: what could be read of it. */
  problems(bytes: Uint8Array, storage: Storage): string[] {
    if (bytes.length < METADATA_BYTES)
      return [`the file ends inside block 0, after ${bytes.length} of ${METADATA_BYTES} bytes`]
    const problems: string[] = []
    const identity = this.encodeIdentity(storage)
    const differing = identity.findIndex((byte, i) => byte !== bytes[i])
    if (differing >= 0)
      problems.push(
        `the identity differs from byte ${differing} on from what it was at the open; the database would be refused, restore a backup`,
      )
    let newest = -1
    for (const copy of [1, 2]) {
      const state = stateCopy(bytes, copy, storage, this.identity.uuid)
      newest = Math.max(newest, state?.[1] ?? -1)
      const next = copy === 1 + ((this.sequence + 1) & 1)
      if (!state)
        problems.push(
          `the ${copy === 1 ? 'first' : 'second'} copy of the state has a wrong checksum; it will be rewritten by ${next ? 'the next checkpoint' : 'the checkpoint after the next one'}`,
        )
    }
    if (newest >= 0 && newest !== this.sequence && problems.length === 0)
      problems.push(`holds state number ${newest}, but number ${this.sequence} was written; a write was lost`)
    return problems
  }

  /**
   * Whether block 0, as it stands on the disk, is the one that was read and written here, and not that of a file that
   * was copied over it. Damage does not speak against it.
   */
  isOwn(bytes: Uint8Array, storage: Storage): boolean {
    if (bytes.length < METADATA_BYTES) return true
    const identity = this.encodeIdentity(storage)
    if (identity.some((byte, i) => byte !== bytes[i])) return !isSoundIdentity(bytes, storage)
    const sequences = [1, 2]
      .map(copy => stateCopy(bytes, copy, storage, this.identity.uuid)?.[1])
      .filter(sequence => sequence !== undefined)
    const newest = Math.max(...sequences)
    if (sequences.length === 0 || newest === this.sequence) return true
    // The newer copy may be the damaged one.
    return sequences.length === 1 && newest === this.sequence - 1
  }

  /** Reads block 0, or says what is wrong with it. */
  static decode(bytes: Uint8Array, file: string, storage: Storage): Metadata {
    const metadata = new Metadata(decodeIdentity(bytes, file, storage))
    metadata.isTorn = !isWholeIdentity(bytes, 0, storage)
    metadata.soundCopies = metadata.readStates(bytes, storage)
    if (metadata.soundCopies === 0)
      throw new CorruptionError(file, 'both copies of the database state have a wrong checksum; restore a backup', 0)
    return metadata
  }

  /** Takes the newer of the copies of the state that have a right checksum; returns how many have. */
  readStates(bytes: Uint8Array, storage: Storage): number {
    const { uuid } = this.identity
    const a = stateCopy(bytes, 1, storage, uuid)
    const b = stateCopy(bytes, 2, storage, uuid)
    const best = a && b ? (a[1]! > b[1]! ? a : b) : (a ?? b)
    if (best !== undefined) this.takeState(best)
    return (a ? 1 : 0) + (b ? 1 : 0)
  }

  private takeState(best: Uint32Array): void {
    this.sequence = best[1]!
    this.lsn = readU64(best, 2)
    this.redoLsn = readU64(best, 4)
    this.records = readU64(best, 6)
    this.blocks = best[8]!
    this.freeHead = best[9]!
    this.freeBlocks = best[10]!
    this.fileBlocks = best[11]!
    this.peakRecords = readU64(best, 12)
    this.logLsn = readU64(best, 14)
    this.ordered = best[16] === 1
    this.firstSpace = best[17]!
    this.firstCondemned = best[18]!
    this.spaces = best[19]!
    this.blank = best.slice(AT_BLANK, AT_BLANK + BLANK_WORDS)
    this.valueEncoding = readName(best, VALUE_ENCODING_AT)
    this.keyEncoding = readName(best, KEY_ENCODING_AT)
    this.mark = readMark(best)
  }
}

/** Whoever gives a name has seen to it that it is not too long. */
const writeName = (sector: Uint8Array, at: number, name: string): void => {
  const bytes = utf8.encode(name).subarray(0, MAX_ENCODING_NAME_BYTES)
  sector[at] = bytes.length
  sector.set(bytes, at + 1)
}

const readName = (sector: Uint32Array, at: number): string => {
  const bytes = new Uint8Array(sector.buffer, at, MAX_ENCODING_NAME_BYTES + 1)
  return text.decode(bytes.subarray(1, 1 + Math.min(bytes[0]!, MAX_ENCODING_NAME_BYTES)))
}

const readMark = (sector: Uint32Array): Uint8Array | undefined => {
  const bytes = new Uint8Array(sector.buffer)
  const length = Math.min(bytes[AT_MARK - 1]!, MAX_MARK_BYTES)
  return length === 0 ? undefined : bytes.slice(AT_MARK, AT_MARK + length)
}

export const uuidSeed = (storage: Storage, uuid: Uint8Array): number => storage.crc32(uuid, 0)

/**
 * Reads the identity sector, or says what is wrong with it.
 * @throws FormatVersionError if it is sound, but of another format version.
 */
export const decodeIdentity = (given: Uint8Array, file: string, storage: Storage): Identity => {
  if (given.length < METADATA_BYTES)
    throw new CorruptionError(file, `is ${given.length} bytes long, too short for a xenondb data file`)
  const isSpare = !isWholeIdentity(given, 0, storage) && isWholeIdentity(given, SPARE_IDENTITY_AT, storage)
  const bytes = isSpare ? given.subarray(SPARE_IDENTITY_AT) : given
  if (compareBytes(bytes.subarray(0, MAGIC.length), MAGIC) !== 0)
    throw new CorruptionError(file, 'is not a xenondb data file (expected the magic "XENONDB")', 0)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const version = view.getUint32(8, true)
  if (view.getUint32(508, true) !== storage.crc32(bytes.subarray(0, 508), 0))
    throw new CorruptionError(file, `the identity in block 0 has a wrong checksum (format version ${version})`, 0)
  if (version < OLDEST_FORMAT_VERSION || version > FORMAT_VERSION)
    throw new FormatVersionError(file, version, FORMAT_VERSION, OLDEST_FORMAT_VERSION)
  const blockSize = view.getUint32(12, true)
  if (blockSize < MIN_BLOCK_SIZE || blockSize > MAX_BLOCK_SIZE || (blockSize & (blockSize - 1)) !== 0)
    throw new CorruptionError(file, `has the impossible block size ${blockSize}`, 0)
  return {
    version,
    blockSize,
    uuid: bytes.slice(16, 32),
    hashKey: [view.getUint32(32, true), view.getUint32(36, true)],
    createdAt: view.getFloat64(48, true),
  }
}

/** Whether an identity with a right checksum stands at an offset. */
const isWholeIdentity = (bytes: Uint8Array, at: number, storage: Storage): boolean => {
  if (bytes.length < at + SECTOR) return false
  const sector = bytes.subarray(at, at + SECTOR)
  const view = new DataView(sector.buffer, sector.byteOffset, SECTOR)
  if (compareBytes(sector.subarray(0, MAGIC.length), MAGIC) !== 0) return false
  return view.getUint32(SECTOR - 4, true) === storage.crc32(sector.subarray(0, SECTOR - 4), 0)
}

const isSoundIdentity = (bytes: Uint8Array, storage: Storage): boolean => {
  try {
    decodeIdentity(bytes, '', storage)
    return true
  } catch (error) {
    return error instanceof FormatVersionError
  }
}

const stateCopy = (bytes: Uint8Array, copy: number, storage: Storage, uuid: Uint8Array): Uint32Array | undefined => {
  const sector = bytes.slice(SECTOR * copy, SECTOR * (copy + 1))
  const u32 = new Uint32Array(sector.buffer)
  return u32[0] === storage.crc32(sector.subarray(4), uuidSeed(storage, uuid)) ? u32 : undefined
}
