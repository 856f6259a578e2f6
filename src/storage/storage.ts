/**
 * All input and output of the engine goes through these two interfaces, so that the same engine runs on
 * Node's files (node.ts), in memory (memory.ts) and on the simulated disk of the crash campaigns.
 *
 * Every method throws a `StorageError` (`XENON_IO`) with the system's error as its `cause`, unless it says otherwise.
 */
import type { Deflate } from '../runtime/deflate.ts'

/** An open file, as the engine uses it. */
export interface File {
  /** The path it was opened under, for messages. */
  readonly path: string
  /** Size in bytes. */
  size(): number
  /**
   * Reads up to `length` bytes at `position` into `target` from `targetOffset`.
   * Returns how many bytes there were; fewer than `length` only at the end of the file.
   */
  read(target: Uint8Array, targetOffset: number, length: number, position: number): number
  /**
   * These bytes will be read soon: brings them nearer meanwhile, if the storage can. Nothing depends on it but time, and
   * it tells of no error.
   */
  readAhead?(length: number, position: number): void
  /** Writes all `length` bytes of `source` from `sourceOffset` at `position`, growing the file if needed. */
  write(source: Uint8Array, sourceOffset: number, length: number, position: number): void
  /** Writes the parts one behind the other from `position` on. */
  writeMany(parts: readonly Uint8Array[], position: number): void
  /** Cuts or grows (with zeros) the file to `size` bytes. */
  truncate(size: number): void
  /** fdatasync: when it returns, every write so far survives power loss. A failed one is never retried. */
  sync(): void
  /** The same in the background: covers every write that was made before the call. */
  syncAsync(): Promise<void>
  /**
   * Whether the path it was opened under still leads to this very file, not to another one or to nothing. A storage
   * without it promises that nobody moves or replaces its files.
   */
  inPlace?(): boolean
  /** Gives the file back to the system. Closing twice is fine. */
  close(): void
}

/** How a file is opened. */
export interface OpenFileOptions {
  /** Create the file, which must not exist yet. */
  create?: boolean | undefined
  /** Nothing is written to it. Default false. */
  readOnly?: boolean | undefined
}

/** What stands at a path; a symbolic link counts as `'other'`, it is never followed. */
export type EntryKind = 'file' | 'directory' | 'other' | 'none'

/** How the lock of a directory is taken. */
export interface LockOptions {
  /** Takes a lock whose owner cannot be seen from here, too; never that of an owner that is seen alive. */
  takeover?: boolean | undefined
}

/** A held lock of a database directory. */
export interface DirectoryLock {
  /** Tells this holding of the lock from every other one, as the lock's file does; left out if nobody else can ask. */
  readonly nonce?: string
  /** Whether the directory is still the one that was locked, and the lock still ours. */
  inPlace?(): boolean
  /** Gives it back; touches no lock but its own. Releasing twice is fine. */
  release(): void
}

/** Who has something to do when the thread ends. */
export interface Leaver {
  atExit(): void
}

/** Where databases live: directories, files and locks, the clock and what else comes from the system. */
export interface Storage {
  /** Where the files live, for messages and `stats`: `'node'`, `'memory'`, … */
  readonly name: string
  /** Joins path segments in the manner of this storage. */
  join(...segments: string[]): string
  /**
   * The path that leads to the same place whatever becomes of the working directory and of symbolic links on the way.
   * What does not exist yet is appended to what does. Default: the path as it is.
   */
  resolve?(path: string): string
  /** What tells a directory from every other one, under whatever path it is reached; undefined if there is none. */
  identity?(path: string): string | undefined
  /** What lies at a path; a symbolic link is followed. */
  kind(path: string): EntryKind
  /** Names of the entries of a directory, in no particular order. */
  list(directory: string): string[]
  /** Creates a directory (mode 0700) and its missing parents. */
  makeDirectory(path: string): void
  /** Opens a regular file (mode 0600 when created); anything else at the path is refused. */
  open(path: string, options?: OpenFileOptions): File
  /** Gives a file another name, in one step; what had that name is replaced. */
  rename(from: string, to: string): void
  /** Removes a file; an absent one is fine. */
  remove(path: string): void
  /** Removes an empty directory. Left out: directories stay. */
  removeDirectory?(path: string): void
  /** Makes the directory's entries (created, renamed, removed names) survive power loss. */
  syncDirectory(path: string): void
  /** The same in the background. */
  syncDirectoryAside?(path: string): Promise<void>
  /** Bytes that the file really takes on the disk (allocated, not apparent). */
  allocatedBytes(path: string): number
  /**
   * Bytes that this process may still write on the file system of a directory, where that can be told; a quota may
   * allow less. Undefined, or left out: nobody knows.
   */
  freeBytes?(directory: string): number | undefined
  /**
   * Room that the storage keeps itself for the day when there is none, in the place of a file beside the log: gives it to
   * whoever writes next, and takes it again, false if there is none. While it is given `freeBytes` tells what is left of it.
   */
  readonly reserve?: { give(): boolean; take(): boolean } | undefined
  /**
   * Takes the lock of a database directory, or throws `DatabaseLockedError` naming the owner's pid.
   * Covers other processes and other handles of this one. Never waits.
   */
  lock(directory: string, options?: LockOptions): DirectoryLock
  /** Cryptographically random bytes. */
  randomBytes(length: number): Uint8Array
  /** CRC-32 (polynomial 0xEDB88320) of `bytes` continuing from `seed`, as an unsigned 32-bit number. */
  readonly crc32: (bytes: Uint8Array, seed: number) => number
  /**
   * Calls `atExit` when the thread ends by itself, unless somebody forgets the leaver before; the function that it
   * returns takes that back. Left out: nobody can tell.
   */
  onExit?(leaver: Leaver): () => void
  /** Raw deflate, where there is one that works at once; `decompress` gives at most `limit` bytes, or throws. */
  readonly deflate?: Deflate | undefined
  /** `syncAsync` of a file leaves the thread free meanwhile, so that a long one is worth doing aside. */
  readonly syncsAside?: boolean | undefined
  /** Of `checkpointBytes` and `logSegmentBytes`, for a storage that can have but few files. Default: those of `open`. */
  readonly logDefaults?: { readonly checkpointBytes: number; readonly segmentBytes: number } | undefined
  /** Milliseconds of a clock that never goes back, to measure how long a sync takes. Default: `performance.now`. */
  readonly monotonic?: (() => number) | undefined
  /** Milliseconds since 1970. Default: `Date.now`. */
  readonly now?: (() => number) | undefined
  /** Memory of the machine in bytes, if known: sets the default size of the buffer pool. */
  readonly memoryBytes: number | undefined
}
