/** What `verify`, `backup` and `compact` take and tell. */
import type { ProgressOptions } from '../types.ts'

/** Blocks of the data file by what they hold. They add up to `total`. */
export interface BlockCounts {
  /** All blocks of the data file, block 0 included. */
  total: number
  /** Block 0. */
  metadata: number
  /** The 101 index blocks, and one for each sub-database, whether they hold records or a directory. */
  index: number
  /** Directory blocks below an index block. */
  directory: number
  /** Overflow blocks that hold records (leaves of a bucket, and chains behind them). */
  overflow: number
  /** Overflow blocks that hold parts of large values. */
  large: number
  /** Nodes of the trees over keys and times of expiry. */
  tree: number
  /** Blocks on the free-block list. */
  free: number
  /** Blocks that say what a sub-database is: one for each. */
  space: number
  /** Blocks of what was cleared or dropped and is not free yet. */
  condemned: number
}

/** How `verify` tells of its progress. */
export interface VerifyOptions {
  /** Called now and then with the blocks checked so far and in all. */
  onProgress?: ((progress: { done: number; total: number }) => void) | undefined
}

/** A key space beside the root. */
export interface SpaceCount {
  /** A sub-database, or a secondary index. */
  kind: 'sub' | 'index'
  /** The names of the sub-databases that it lies in, from the outermost on, and its own at the end. */
  path: string[]
  /** Records of the sub-database, or entries of the index. */
  records: number
}

/** What `verify` found. `ok` is true when `problems` is empty. */
export interface VerifyReport {
  /** Nothing was found to be wrong. */
  ok: boolean
  /** One sentence each: file, block, what was expected and what was found. At most 100 are kept. */
  problems: string[]
  /** How many there were in all. */
  problemCount: number
  /** Blocks of the data file whose bytes on the disk are damaged; at most 100 are kept. */
  damagedBlocks: number[]
  /** Those of the root, as `stats().records` counts them. */
  records: number
  /** The sub-databases, and indexes, with what they hold; the newest first. */
  spaces: SpaceCount[]
  /** Blocks of the data file by what they hold. */
  blocks: BlockCounts
  /** Share of the bytes of record-holding blocks that live records take, 0 to 1. */
  fill: number
  /** Record-holding blocks in ten classes of fill: 0 to 10 %, … 90 to 100 %. */
  fillHistogram: number[]
  /** Free slots inside record-holding blocks, waiting for a later put. */
  freeSlots: number
  /** Longest way from an index block to a record: blocks touched by a lookup. */
  maxDepth: number
}

/** How `backup` makes its copy. */
export interface BackupOptions extends ProgressOptions {
  /**
   * Keeps so many backups of this database in the directory: each in a folder of its own that bears the time, the oldest
   * are removed once the new one is whole. Default: the directory itself becomes the backup.
   */
  keep?: number | undefined
  /**
   * The copy is one file, a tar archive: for `restore`, or `importDatabase` of `xenondb/browser`. Meanwhile a directory lies
   * beside it, `….parts`, that takes the same room. Default false.
   */
  asFile?: boolean | undefined
  /** Checks every block of the copy before it counts. Default false. */
  verify?: boolean | undefined
}

/** What `backup` has made. */
export interface BackupReport {
  /** Where the backup is. */
  directory: string
  /** Bytes of the copy's data file; with `asFile`, of the file. */
  bytes: number
  /** Those of the root, as `stats().records` counts them; the copy holds those of all sub-databases, too. */
  records: number
  /**
   * With `keep`: names of the folders with backups of this database that are there now, the newest first, and of those
   * that were removed.
   */
  kept?: string[]
  /** With `keep`: names of the folders that were removed. */
  removed?: string[]
}

/** What `compact` has done to the data file. */
export interface CompactReport {
  /** Blocks before. */
  blocksBefore: number
  /** Blocks after. */
  blocksAfter: number
  /** Bytes before. */
  bytesBefore: number
  /** Bytes after. */
  bytesAfter: number
}
