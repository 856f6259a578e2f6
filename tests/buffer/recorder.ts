/**
 * A storage that watches the order of writes and syncs: what the pool (P1, P2) and the checkpoints (C1, C2) promise
 * is checked at each write of a block, of block 0's state, and of a segment that is given up.
 */
import { expect } from 'vitest'
import { memoryStorage, type Storage } from '../../src/index.ts'
import { eachPart, GROUP_HEADER_BYTES, GROUP_MAGIC, recordLength, SEGMENT_HEADER_BYTES } from '../../src/log/format.ts'
import { formatsBlock } from '../../src/log/redo.ts'
import { blockLsn } from '../../src/pager/bucket.ts'
import { METADATA_BYTES, Metadata } from '../../src/pager/metadata.ts'
import { Arena } from '../../src/runtime/bytes.ts'
import type { File } from '../../src/storage/storage.ts'

interface Image {
  path: string
  /** The log had been synced to here. */
  lsn: number
  synced: boolean
}

interface Group {
  path: string
  lsn: number
  end: number
  synced: boolean
}

export class Recorder {
  readonly storage: Storage
  /** What went wrong. */
  readonly problems: string[] = []
  blocksWritten = 0
  /** Writes of blocks whose basis is an image, and a record that formats them. */
  images = 0
  formats = 0
  redoMoved = 0
  segmentsGivenUp = 0
  readonly #inner: Storage
  /** Where the log began when the recorder first saw it written. */
  #firstLsn = Number.POSITIVE_INFINITY
  #groups: Group[] = []
  readonly #images: Map<number, Image> = new Map()
  /** Blocks written since the last sync of the data file, and the images that they rely on. */
  readonly #relied: Map<number, Image> = new Map()
  /** Times that a file of images was begun anew. */
  imagesBegun = 0
  /** Block, and LSN of the last record that formats it. */
  readonly #formats: Map<number, number> = new Map()
  /** Of the state of block 0: what was written last, and synced last. */
  #redoLsn = 0
  #syncedRedoLsn = 0
  #unsyncedBlocks = 0
  #data: File | undefined

  constructor(inner: Storage = memoryStorage()) {
    this.#inner = inner
    this.storage = {
      ...inner,
      open: (path, options) => {
        const file = inner.open(path, options)
        if (path.endsWith('.log')) this.#found(path, file)
        if (options?.readOnly) return file
        if (path.endsWith('.log')) this.#watchSegment(path, file)
        else if (path.endsWith('data')) this.#watchData(file)
        else if (path.includes('images-')) this.#watchImages(path, file)
        return file
      },
      remove: path => {
        if (path.endsWith('.log') && inner.kind(path) === 'file') this.#givenUp(path)
        inner.remove(path)
      },
    }
  }

  #watchSegment(path: string, file: File): void {
    const write = file.write.bind(file)
    file.write = (source, offset, length, position) => {
      if (position === 0) this.#givenUp(path)
      else this.#group(path, source.slice(offset, offset + length))
      write(source, offset, length, position)
    }
    const sync = file.sync.bind(file)
    file.sync = () => {
      sync()
      for (const group of this.#groups) if (group.path === path) group.synced = true
    }
  }

  /** The groups that are there already: recovery relies on what they format. Others than those of the log may be there. */
  #found(path: string, file: File): void {
    const bytes = new Uint8Array(file.size())
    file.read(bytes, 0, bytes.length, 0)
    const words = new Uint32Array(bytes.buffer)
    const salt = words[3]
    const isGroup = (at: number): boolean => words[at >>> 2] === GROUP_MAGIC && words[(at >>> 2) + 3] === salt
    for (let at = SEGMENT_HEADER_BYTES; ; ) {
      if (!isGroup(at)) at = Math.ceil(at / SEGMENT_HEADER_BYTES) * SEGMENT_HEADER_BYTES
      const length = isGroup(at) ? words[(at >>> 2) + 2]! : 0
      // Neither what a clean close has cut, nor what is left of groups that others were written over.
      if (length < GROUP_HEADER_BYTES || at + length > bytes.length) return
      if (this.#inner.crc32(bytes.subarray(at + 8, at + length), 0) !== words[(at >>> 2) + 1]) return
      if (this.#groups.every(group => group.lsn !== words[(at >>> 2) + 4]! + words[(at >>> 2) + 5]! * 2 ** 32))
        this.#group(path, bytes.slice(at, at + length), true)
      at += length
    }
  }

  #watchImages(path: string, file: File): void {
    const writeMany = file.writeMany.bind(file)
    file.writeMany = (parts, position) => {
      if (position === 0) this.#imagesGivenUp(path)
      const header = new Uint32Array(parts[0]!.slice().buffer)
      const image = { path, lsn: header[4]! + header[5]! * 2 ** 32, synced: false }
      const blocks = header.slice(8, 8 + header[3]!)
      expect(blocks.length).toBe(parts.length - 1)
      blocks.forEach((block, i) => {
        const a = new Arena(parts[i + 1]!.length)
        a.u8.set(parts[i + 1]!)
        if (this.#groups.some(group => group.lsn <= blockLsn(a, 0) && !group.synced))
          this.#problem(`I3: an image of block ${block} was written before the log was synced through it`)
        this.#images.set(block, image)
      })
      writeMany(parts, position)
    }
    const sync = file.sync.bind(file)
    file.sync = () => {
      sync()
      for (const image of this.#images.values()) if (image.path === path) image.synced = true
    }
  }

  #imagesGivenUp(path: string): void {
    this.imagesBegun++
    for (const [block, image] of this.#relied)
      if (image.path === path)
        this.#problem(`I2: ${path} is begun anew before block ${block} was synced, which relies on it`)
    for (const [block, image] of this.#images) if (image.path === path) this.#images.delete(block)
  }

  #group(path: string, bytes: Uint8Array, synced = false): void {
    const a = new Arena(bytes.length)
    a.u8.set(bytes)
    // Zeros ahead of the log's end are none.
    if (a.u32[0] !== GROUP_MAGIC) return
    const lsn = a.u32[4]! + a.u32[5]! * 2 ** 32
    this.#firstLsn = Math.min(this.#firstLsn, lsn)
    this.#groups.push({ path, lsn, end: lsn + bytes.length, synced })
    for (let at = GROUP_HEADER_BYTES; at < bytes.length; at += recordLength(a, at)) {
      eachPart(a, at, (block, from) => {
        if (block !== 0 && formatsBlock(a, from))
          this.#formats.set(block, Math.max(lsn + at, this.#formats.get(block) ?? 0))
      })
    }
  }

  #watchData(file: File): void {
    this.#data = file
    this.#redoLsn = this.#readRedoLsn()
    this.#syncedRedoLsn = this.#redoLsn
    const write = file.write.bind(file)
    file.write = (source, offset, length, position) => {
      if (position >= METADATA_BYTES) this.#block(source.slice(offset, offset + length), position / length)
      write(source, offset, length, position)
      if (position < METADATA_BYTES) this.#state(this.#readRedoLsn())
    }
    const writeMany = file.writeMany.bind(file)
    file.writeMany = (parts, position) => {
      parts.forEach((part, i) => {
        this.#block(part.slice(), position / part.length + i)
      })
      writeMany(parts, position)
    }
    const sync = file.sync.bind(file)
    file.sync = () => {
      sync()
      this.#unsyncedBlocks = 0
      this.#relied.clear()
      this.#syncedRedoLsn = this.#redoLsn
    }
  }

  #block(bytes: Uint8Array, block: number): void {
    const a = new Arena(bytes.length)
    a.u8.set(bytes)
    const lsn = blockLsn(a, 0)
    this.#unsyncedBlocks++
    // The creation writes blocks that no log record has touched yet.
    if (lsn === 0) return
    this.blocksWritten++
    if (this.#groups.some(group => group.lsn <= lsn && !group.synced))
      this.#problem(`P1: block ${block} of LSN ${lsn} was written before the log was synced through it`)
    if (
      lsn >= this.#firstLsn &&
      !this.#groups.some(group => group.lsn < lsn && lsn < group.end) &&
      lsn >= this.#redoLsn
    )
      this.#problem(`P1: block ${block} of LSN ${lsn} was written before its log record`)
    const image = this.#images.get(block)
    const format = this.#formats.get(block) ?? 0
    if (format !== 0 && format >= this.#redoLsn) {
      if (this.#groups.some(group => group.lsn <= format && format < group.end && !group.synced))
        this.#problem(`P2: block ${block} was written before its basis at ${format} was synced`)
      this.formats++
      return
    }
    if (image === undefined || image.lsn < this.#redoLsn)
      this.#problem(`P2: block ${block} was written with its image at ${image?.lsn}, redo begins at ${this.#redoLsn}`)
    else if (!image.synced) this.#problem(`I1: block ${block} was written before its image was synced`)
    else this.#relied.set(block, image)
    this.images++
  }

  #state(redoLsn: number): void {
    if (redoLsn === this.#redoLsn) return
    this.redoMoved++
    if (redoLsn < this.#redoLsn) this.#problem(`C1: the redo LSN went back to ${redoLsn}`)
    if (this.#unsyncedBlocks > 0)
      this.#problem(`C1: the redo LSN moved while ${this.#unsyncedBlocks} blocks were not synced`)
    this.#redoLsn = redoLsn
  }

  /** A segment is removed, or gets a new header. */
  #givenUp(path: string): void {
    const last = this.#groups.filter(group => group.path === path).at(-1)
    if (last === undefined) return
    this.segmentsGivenUp++
    if (last.end > this.#syncedRedoLsn)
      this.#problem(
        `C2: ${path} was given up, which holds the log up to ${last.end}; redo begins at ${this.#syncedRedoLsn}`,
      )
    this.#groups = this.#groups.filter(group => group.path !== path)
  }

  #readRedoLsn(): number {
    const bytes = new Uint8Array(METADATA_BYTES)
    this.#data!.read(bytes, 0, bytes.length, 0)
    try {
      return Metadata.decode(bytes, 'data', this.#inner).redoLsn
    } catch {
      // The creation has not come that far.
      return 0
    }
  }

  #problem(sentence: string): void {
    if (this.problems.length < 20) this.problems.push(sentence)
  }
}
