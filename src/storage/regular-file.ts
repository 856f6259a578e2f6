/** Opening regular files and nothing else, and turning the system's errors into ours: shared by node.ts and lock.ts. */
import {
  type BigIntStats,
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  lstatSync,
  openSync,
  unlinkSync,
} from 'node:fs'
import { CorruptionError, StorageError } from '../errors.ts'

/** The system calls that tell us something other than a regular file stands at the path. */
const wrongKind = new Set(['ELOOP', 'EMLINK', 'EISDIR', 'ENXIO', 'EEXIST', 'EOPNOTSUPP', 'EPERM', 'EACCES'])

/**
 * Opens `path` with `flags` (and mode 0600 when they create it) and returns the descriptor.
 * A symbolic link is not followed, a FIFO or device does not block: anything but a regular file is a `CorruptionError`.
 */
export function openRegularFile(path: string, flags: number): number {
  let fd: number
  try {
    // Windows has neither flag.
    fd = openSync(path, flags | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0), 0o600)
  } catch (cause) {
    if (wrongKind.has(codeOf(cause))) {
      const found = look(path)
      if (found !== undefined && !found.isFile()) throw notRegular(path, found)
    }
    throw storageError(flags & constants.O_CREAT ? 'create' : 'open', path, cause)
  }
  let found: BigIntStats
  try {
    found = fstatSync(fd, { bigint: true })
  } catch (cause) {
    closeQuietly(fd)
    throw storageError('look up', path, cause)
  }
  if (found.isFile()) return fd
  closeQuietly(fd)
  throw notRegular(path, found)
}

/**
 * Throws a `StorageError` where files cannot be synced: Node refuses it under its permission model, and offers no other
 * way to make sure that a rename or an earlier write has reached the disk.
 */
export function requireSyncs(path: string): void {
  if (!('permission' in process)) return
  try {
    // No file has this number. Node looks at the permission first.
    fdatasyncSync(-1)
  } catch (cause) {
    if (codeOf(cause) === 'ERR_ACCESS_DENIED')
      throw storageError(
        'write',
        path,
        cause,
        " Without syncs no commit is safe: run Node without --permission, open the database with readOnly, or let a process without that limit have it open and use 'xenondb/client' here (docs/runtimes.md)",
      )
  }
}

/** Removes a file, never a directory, which the `unlinkSync` of Deno would remove if it is empty. */
export function unlinkFile(path: string): void {
  if (process.versions.deno !== undefined && lstatSync(path).isDirectory())
    throw Object.assign(new Error('EISDIR: illegal operation on a directory'), { code: 'EISDIR', syscall: 'unlink' })
  unlinkSync(path)
}

/** Where another error is on its way already. */
export function closeQuietly(fd: number): void {
  try {
    closeSync(fd)
  } catch {
    // The descriptor is gone either way.
  }
}

/** `cannot write /x/data: ENOSPC: no space left on device`, with the system's error as its cause. */
export function storageError(operation: string, path: string, cause: unknown, advice = ''): StorageError {
  const { message, syscall } = cause as NodeJS.ErrnoException
  // Node ends its message with ", write" or ", open '/x/data'", which ours has said already.
  const end = syscall === undefined ? -1 : message.indexOf(`, ${syscall}`)
  const detail = end < 0 ? message : message.slice(0, end)
  return new StorageError(`cannot ${operation} ${path}: ${detail}${advice}`, cause)
}

/** Undefined if there is nothing, or if that cannot be told: the error that led here says more. */
function look(path: string): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true, throwIfNoEntry: false })
  } catch {
    return undefined
  }
}

export function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException | undefined)?.code ?? ''
}

function notRegular(path: string, found: BigIntStats): CorruptionError {
  const what = found.isSymbolicLink()
    ? 'a symbolic link'
    : found.isDirectory()
      ? 'a directory'
      : found.isFIFO()
        ? 'a FIFO'
        : found.isSocket()
          ? 'a socket'
          : 'a device'
  return new CorruptionError(path, `is ${what}, not a regular file`)
}
