/** Storage on Node's file system. */
import {
  type BigIntStats,
  closeSync,
  constants,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  fsync,
  fsyncSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmdirSync,
  statfsSync,
  statSync,
  writeSync,
  writevSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import * as zlib from 'node:zlib'
import table from 'crc-32'
import { type StorageError, XenonError } from '../errors.ts'
import { onExit } from './exit.ts'
import { identityOf, identityOfEntry, identityOfOpen, realPath } from './identity.ts'
import { lockDirectory } from './lock.ts'
import { randomBytes } from './random.ts'
import { ReadAhead } from './read-ahead.ts'
import { closeQuietly, codeOf, openRegularFile, requireSyncs, storageError, unlinkFile } from './regular-file.ts'
import type { DirectoryLock, EntryKind, File, LockOptions, OpenFileOptions, Storage } from './storage.ts'
import { memoryBytes } from './system.ts'

/** Most parts that one writev takes (IOV_MAX). */
const maxParts = 1024
/** Most bytes asked of one read or write; Linux moves at most 2 GiB − 4 KiB. */
const maxBytes = 1 << 30

/** Node's file system: the storage that everything uses unless it is given another one. */
export const nodeStorage: Storage = {
  name: 'node',

  join,

  resolve: realPath,

  identity: identityOf,

  onExit,

  kind(path: string): EntryKind {
    let found: BigIntStats | undefined
    try {
      found = lstatSync(path, { bigint: true, throwIfNoEntry: false })
    } catch (cause) {
      if (codeOf(cause) === 'ENOTDIR') return 'none'
      throw storageError('look up', path, cause)
    }
    if (found === undefined) return 'none'
    return found.isFile() ? 'file' : found.isDirectory() ? 'directory' : 'other'
  },

  list(directory: string): string[] {
    return attempt('list', directory, () => readdirSync(directory))
  },

  makeDirectory(path: string): void {
    requireSyncs(path)
    attempt('create directory', path, () => makeDirectories(path))
  },

  open(path: string, options: OpenFileOptions = {}): File {
    if (!options.readOnly) requireSyncs(path)
    const flags = options.create
      ? constants.O_RDWR | constants.O_CREAT | constants.O_EXCL
      : options.readOnly
        ? constants.O_RDONLY
        : constants.O_RDWR
    return new NodeFile(path, openRegularFile(path, flags))
  },

  rename(from: string, to: string): void {
    attempt('rename', `${from} to ${to}`, () => renameSync(from, to))
  },

  remove(path: string): void {
    try {
      unlinkFile(path)
    } catch (cause) {
      if (codeOf(cause) !== 'ENOENT') throw storageError('remove', path, cause)
    }
  },

  removeDirectory(path: string): void {
    attempt('remove directory', path, () => rmdirSync(path))
  },

  syncDirectory(path: string): void {
    // Windows cannot open a directory; NTFS journals its entries.
    if (process.platform === 'win32') return
    const fd = attempt('open directory', path, () => openSync(path, constants.O_RDONLY | constants.O_DIRECTORY))
    try {
      fsyncSync(fd)
    } catch (cause) {
      if (!keepsNoEntries(cause)) {
        closeQuietly(fd)
        throw storageError('sync directory', path, cause)
      }
    }
    attempt('close directory', path, () => closeSync(fd))
  },

  async syncDirectoryAside(path: string): Promise<void> {
    if (process.platform === 'win32') return
    const fd = attempt('open directory', path, () => openSync(path, constants.O_RDONLY | constants.O_DIRECTORY))
    const failure = await new Promise<unknown>(resolve => fsync(fd, cause => resolve(cause ?? undefined)))
    closeQuietly(fd)
    if (failure !== undefined && !keepsNoEntries(failure)) throw storageError('sync directory', path, failure)
  },

  allocatedBytes(path: string): number {
    return attempt('look up', path, () => Number(lstatSync(path, { bigint: true }).blocks) * 512)
  },

  freeBytes(directory: string): number | undefined {
    try {
      const { bavail, bsize } = statfsSync(directory)
      return bavail * bsize
    } catch {
      return undefined
    }
  },

  lock(directory: string, options?: LockOptions): DirectoryLock {
    return lockDirectory(directory, options)
  },

  randomBytes,

  crc32:
    typeof zlib.crc32 === 'function'
      ? (bytes: Uint8Array, seed: number): number => zlib.crc32(bytes, seed)
      : (bytes: Uint8Array, seed: number): number => table.buf(bytes, seed) >>> 0,

  syncsAside: true,

  deflate: {
    compress: (bytes: Uint8Array): Uint8Array => zlib.deflateRawSync(bytes),
    decompress: (bytes: Uint8Array, limit: number): Uint8Array =>
      zlib.inflateRawSync(bytes, { maxOutputLength: limit }),
  },

  get memoryBytes(): number | undefined {
    return memoryBytes()
  },
}

/** File systems that keep no directory entries of their own (some network and FUSE ones) say so at a sync. */
const keepsNoEntries = (cause: unknown): boolean => ['EINVAL', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP'].includes(codeOf(cause))

/** Node's own recursive mkdir reports a read-only file system as ENOENT. */
function makeDirectories(path: string, tries: number = 3): void {
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (cause) {
    // Another process may have been faster, with the directory or, since the attempt, with the one above it.
    if (isDirectory(path)) return
    if (codeOf(cause) !== 'ENOENT' || tries === 0) throw cause
    const parent = dirname(path)
    if (parent === path) throw cause
    if (!isDirectory(parent)) makeDirectories(parent)
    makeDirectories(path, tries - 1)
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}

class NodeFile implements File {
  readonly path: string
  /** −1 once closed, which Node refuses: the hot path needs no check of its own. */
  #fd: number
  /**
   * For syncs in the background, -1 before the first: the system tells each descriptor once that it could not write
   * something, so that one that fails unseen does not make the next `sync` succeed.
   */
  #asideFd = -1
  /** Undefined before the first read ahead, null where there is no way to have one. */
  #ahead: ReadAhead | null | undefined
  /** Background syncs under way. */
  #syncing = 0
  /** Device and inode, once somebody has asked. */
  #identity: string | undefined

  constructor(path: string, fd: number) {
    this.path = path
    this.#fd = fd
  }

  size(): number {
    try {
      return Number(fstatSync(this.#fd, { bigint: true }).size)
    } catch (cause) {
      throw this.#failure('look up', cause)
    }
  }

  read(target: Uint8Array, targetOffset: number, length: number, position: number): number {
    if (!isPosition(position)) throw this.#failure('read', badPosition(position))
    try {
      let done = readSync(this.#fd, target, targetOffset, Math.min(length, maxBytes), position)
      while (done < length) {
        const got = readSync(this.#fd, target, targetOffset + done, Math.min(length - done, maxBytes), position + done)
        if (got === 0) break
        done += got
      }
      return done
    } catch (cause) {
      throw this.#failure('read', cause)
    }
  }

  readAhead(length: number, position: number): void {
    if (this.#fd < 0 || this.#ahead === null) return
    if (this.#ahead === undefined) this.#ahead = this.#openAhead(length)
    this.#ahead?.ask(length, position)
  }

  #openAhead(bytes: number): ReadAhead | null {
    try {
      const fd = openAgain(this.#fd, this.path, 'r')
      return fd === this.#fd ? null : new ReadAhead(fd, bytes)
    } catch {
      return null
    }
  }

  write(source: Uint8Array, sourceOffset: number, length: number, position: number): void {
    // Node would take NaN or −1 for "at the current position", which is the start of the file.
    if (!isPosition(position)) throw this.#failure('write', badPosition(position))
    try {
      let done = writeSync(this.#fd, source, sourceOffset, Math.min(length, maxBytes), position)
      while (done < length) {
        done += progress(
          writeSync(this.#fd, source, sourceOffset + done, Math.min(length - done, maxBytes), position + done),
        )
      }
    } catch (cause) {
      throw this.#failure('write', cause)
    }
  }

  writeMany(parts: readonly Uint8Array[], position: number): void {
    if (!isPosition(position)) throw this.#failure('write', badPosition(position))
    let at = position
    for (let first = 0; first < parts.length; first += maxParts) {
      const group = parts.length <= maxParts ? parts : parts.slice(first, first + maxParts)
      let length = 0
      for (const part of group) length += part.length
      let written: number
      try {
        written = length === 0 ? 0 : writevSync(this.#fd, group, at)
      } catch (cause) {
        throw this.#failure('write', cause)
      }
      // A short write is rare: the rest goes part by part.
      for (const part of group) {
        if (written < part.length) this.write(part, written, part.length - written, at + written)
        written = Math.max(0, written - part.length)
        at += part.length
      }
    }
  }

  truncate(size: number): void {
    try {
      ftruncateSync(this.#fd, size)
    } catch (cause) {
      throw this.#failure('truncate', cause)
    }
  }

  sync(): void {
    try {
      fdatasyncSync(this.#fd)
    } catch (cause) {
      throw this.#failure('sync', cause)
    }
  }

  syncAsync(): Promise<void> {
    if (this.#fd < 0) return Promise.reject(this.#failure('sync', undefined))
    try {
      if (this.#asideFd < 0) this.#asideFd = openAgain(this.#fd, this.path, 'r+')
    } catch (error) {
      return Promise.reject(error)
    }
    this.#syncing++
    return new Promise((resolve, reject) => {
      fdatasync(this.#asideFd, cause => {
        this.#syncing--
        // A close meanwhile has done it, and left nothing open: this call met nothing, or synced for nothing whatever
        // file has the number by then.
        if (cause && this.#fd >= 0) reject(storageError('sync', this.path, cause))
        else resolve()
      })
    })
  }

  inPlace(): boolean {
    if (this.#fd < 0) throw this.#failure('look up', undefined)
    this.#identity ??= identityOfOpen(this.#fd, this.path)
    return identityOfEntry(this.path) === this.#identity
  }

  close(): void {
    const fd = this.#fd
    const asideFd = this.#asideFd
    if (fd < 0) return
    this.#fd = -1
    this.#asideFd = -1
    this.#ahead?.close()
    try {
      if (this.#syncing > 0) attempt('sync', this.path, () => fdatasyncSync(fd))
    } finally {
      try {
        if (asideFd >= 0 && asideFd !== fd) attempt('close', this.path, () => closeSync(asideFd))
      } finally {
        attempt('close', this.path, () => closeSync(fd))
      }
    }
  }

  #failure(operation: string, cause: unknown): XenonError | StorageError {
    if (this.#fd < 0) return new XenonError('XENON_CLOSED', `cannot ${operation} ${this.path}: the file is closed`)
    return storageError(operation, this.path, cause)
  }
}

/** Another descriptor of an open file, wherever that has gone since; the same one where there is no way to get it. */
function openAgain(fd: number, path: string, flags: 'r' | 'r+'): number {
  const identity = identityOfOpen(fd, path)
  for (const way of [`/proc/self/fd/${fd}`, path]) {
    let again: number
    try {
      again = openSync(way, flags)
    } catch {
      continue
    }
    try {
      if (identityOfOpen(again, path) === identity) return again
    } catch {
      // Then the next way.
    }
    closeQuietly(again)
  }
  return fd
}

function isPosition(position: number): boolean {
  return position >= 0 && Number.isSafeInteger(position)
}

function badPosition(position: number): RangeError {
  return new RangeError(`position ${position} is not a whole number of bytes`)
}

/** A write that moves nothing and reports no error would be repeated for ever. */
function progress(written: number): number {
  if (written === 0) throw new Error('the system wrote nothing and gave no reason')
  return written
}

function attempt<T>(operation: string, path: string, action: () => T): T {
  try {
    return action()
  } catch (cause) {
    throw storageError(operation, path, cause)
  }
}
