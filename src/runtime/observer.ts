import type { Arena } from './bytes.ts'

/**
 * Who looks on while an engine works: the explorer. Nobody does by default, which costs one look at a field in places
 * that read or write a file anyway, or that move a frame of the pool to the front, and nothing elsewhere. What it is told
 * must not change anything, nor throw.
 */
export interface Observer {
  /** A block that is in the pool is used for the first time since an eviction, or since `BufferPool.noteUses`. */
  used(block: number): void
  /** A block was read into the pool. */
  read(block: number): void
  /** A block has left the pool. */
  left(block: number): void
  /** A block was written to the data file as it is. */
  wrote(block: number): void
  /** A group was written to the log: it begins at an LSN, and so many bytes are its own, which lie at `at` for now. */
  group(lsn: number, bytes: number, a: Arena, at: number): void
  /** The log survives a loss of power up to an LSN. */
  synced(lsn: number): void
  /** A checkpoint has begun, which will write so many blocks. */
  checkpointBegan(blocks: number): void
  /** It has ended: a recovery would begin at this LSN. */
  checkpointEnded(redoLsn: number): void
  /** Each of these transactions waited for the next one, the last for the first; one of them is ended for it. */
  deadlock(circle: readonly number[], ended: number): void
}
