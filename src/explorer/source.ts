/**
 * Where the explorer reads blocks from: an open database, as its pool has them, or files that lie on a disk, as they are.
 * Neither changes anything, not even a counter of `stats` or the order of the pool.
 */
import type { BufferPool } from '../buffer/pool.ts'
import type { Engine } from '../engine/engine.ts'
import { FollowedFile } from '../engine/followed-file.ts'
import { XenonError } from '../errors.ts'
import { formatBlank } from '../pager/blank.ts'
import { blockLsn } from '../pager/bucket.ts'
import { blockProblem, DataFile } from '../pager/data-file.ts'
import { METADATA_BYTES, Metadata } from '../pager/metadata.ts'
import type { Block, Position } from '../pager/place.ts'
import type { Arena } from '../runtime/bytes.ts'
import { requireInPlace } from '../storage/home.ts'
import type { Storage } from '../storage/storage.ts'

/** Where the bytes of a block come from. */
export type BlockOrigin = 'pool' | 'file' | 'blank'

/** A block as it was. */
export interface EarlierBlock {
  readonly bytes: Uint8Array
  readonly dirty: boolean
}

/** What was found of a block. */
export interface BlockFound {
  readonly origin: BlockOrigin
  /** It is in the pool, and newer there than in the file. */
  readonly dirty: boolean
  /** What is wrong with its checksum, or with its length in the file. */
  readonly checksumProblem: string | undefined
  /** What is wrong with its contents: then no offset in it is to be followed. */
  readonly problem: string | undefined
}

export class BlockSource {
  readonly directory: string
  readonly storage: Storage
  readonly blockSize: number
  data: DataFile
  readonly pool: BufferPool | undefined
  private state: Metadata
  private earlier: ReadonlyMap<Block, EarlierBlock> | undefined

  private constructor(directory: string, data: DataFile, metadata: Metadata, pool: BufferPool | undefined) {
    this.directory = directory
    this.storage = data.storage
    this.data = data
    this.state = metadata
    this.pool = pool
    this.blockSize = data.blockSize
  }

  /** The blocks of an open database, as it has them now. */
  static ofEngine(directory: string, { file, metadata, pool }: Engine): BlockSource {
    return new BlockSource(directory, file, metadata, pool)
  }

  /**
   * The blocks as they lie in the file, whoever has it open. Close it.
   * @throws XenonError `XENON_NOT_FOUND`; `XENON_CORRUPT` or `XENON_FORMAT_VERSION` if block 0 cannot be read
   */
  static ofFiles(directory: string, storage: Storage): BlockSource {
    const path = storage.join(directory, 'data')
    if (storage.kind(path) === 'none')
      throw new XenonError('XENON_NOT_FOUND', `there is no database in ${directory}; check the path`)
    const file = storage.open(path, { readOnly: true })
    try {
      const metadata = Metadata.decode(headOf(file), path, storage)
      return new BlockSource(directory, new DataFile(file, metadata, storage), metadata, undefined)
    } catch (error) {
      file.close()
      throw error
    }
  }

  /** The same, but with some blocks as they were. It is not to be closed. */
  with(earlier: ReadonlyMap<Block, EarlierBlock>): BlockSource {
    const source = new BlockSource(this.directory, this.data, this.state, this.pool)
    source.earlier = earlier
    return source
  }

  /** What block 0 says: of an open database now, of files when they were opened. */
  get metadata(): Metadata {
    return this.state
  }

  /** Blocks that there are. Behind the end of a file they may not have been written yet. */
  get blocks(): number {
    return this.state.blocks
  }

  /** @throws MovedError if another file, or none, stands where this one was opened: then none of its names is to be read */
  requireInPlace(): void {
    requireInPlace(this.data.file)
  }

  /** Of files: reads block 0 again, which others may have written. One that is just being written stays as it was. */
  refresh(): void {
    if (this.pool !== undefined) return
    try {
      const { file } = this.data
      this.state = Metadata.decode(headOf(file), file.path, this.storage)
      // It knows which blocks were blank when it was made.
      this.data = new DataFile(file, this.state, this.storage)
    } catch (error) {
      if (!(error instanceof XenonError)) throw error
    }
  }

  /** The first bytes of the file as they are. */
  head(): Uint8Array {
    return headOf(this.data.file, this.blockSize)
  }

  /** Copies a block to `at` of an arena; that of a block which cannot be read is zeros there. Not for block 0. */
  read(block: Block, a: Arena, at: Position): BlockFound {
    const { data, pool, blockSize } = this
    const earlier = this.earlier?.get(block)
    if (earlier !== undefined) {
      a.u8.set(earlier.bytes, at)
      return {
        origin: 'pool',
        dirty: earlier.dirty,
        checksumProblem: undefined,
        problem: blockProblem(a, at, blockSize),
      }
    }
    if (pool?.isResident(block)) {
      pool.copyTo(block, a, at)
      return { origin: 'pool', dirty: pool.isDirty(block), checksumProblem: undefined, problem: undefined }
    }
    if (data instanceof FollowedFile) return readFollowed(data, block, a, at)
    if (data.isBlank(block)) {
      formatBlank(block, a, at, blockSize)
      return { origin: 'blank', dirty: false, checksumProblem: undefined, problem: undefined }
    }
    a.clear(at, at + blockSize)
    let checksumProblem: string | undefined
    try {
      checksumProblem = data.readAt(data.file, block * blockSize, block, a, at)
    } catch (error) {
      if (!(error instanceof XenonError)) throw error
      checksumProblem = error.message
    }
    return { origin: 'file', dirty: false, checksumProblem, problem: blockProblem(a, at, blockSize) }
  }

  /** It is that of a database which is open for reading alone, and which others may write. */
  get isFollowed(): boolean {
    return this.data instanceof FollowedFile
  }

  /** Closes files that it has opened itself. */
  close(): void {
    if (this.pool === undefined) this.data.file.close()
  }
}

/** Of a file that others may write: the block as of the moment that is shown, or, where that is gone, as it lies there. */
const readFollowed = (data: FollowedFile, block: Block, a: Arena, at: Position): BlockFound => {
  const { blockReads, blockSize } = data
  let checksumProblem: string | undefined
  try {
    checksumProblem = data.read(block, a, at)
  } catch (error) {
    if (!(error instanceof XenonError)) throw error
    a.clear(at, at + blockSize)
    checksumProblem = data.readAt(data.file, block * blockSize, block, a, at)
  }
  // Nobody has asked the database for it.
  data.blockReads = blockReads
  const problem = checksumProblem === undefined ? blockProblem(a, at, blockSize) : checksumProblem
  const origin = data.isBlank(block) && blockLsn(a, at) === 0 ? 'blank' : 'file'
  return { origin, dirty: false, checksumProblem, problem }
}

const headOf = (file: DataFile['file'], bytes: number = METADATA_BYTES): Uint8Array => {
  const head = new Uint8Array(bytes)
  return head.subarray(0, file.read(head, 0, head.length, 0))
}
