/**
 * Who looks on while an engine works: the explorer. Nobody does by default, which costs one look at a field in places
 * that read or write a file anyway, and nothing elsewhere. What it is told must not change anything, nor throw.
 */
export interface Observer {
  /** A block was read into the pool. */
  read(block: number): void
  /** A block has left the pool. */
  left(block: number): void
  /** A group was written to the log: it begins at an LSN, and so many bytes are its own. */
  group(lsn: number, bytes: number): void
  /** The log survives a loss of power up to an LSN. */
  synced(lsn: number): void
}
