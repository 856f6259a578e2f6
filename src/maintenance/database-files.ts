/**
 * The files of a database that nobody has open, as names in directories: whose they are, and taking them away. Nothing
 * is removed that no database makes.
 */
import { IMAGE_FILES } from '../buffer/image-format.ts'
import { RESERVE_NAME } from '../log/reserve.ts'
import { SEGMENT_NAME } from '../log/segments.ts'
import { toHex } from '../runtime/bytes.ts'
import type { DirectoryLock, Storage } from '../storage/storage.ts'

/** A data file that is not whole yet: of a copy, and of a salvage, which leaves a note beside its log too. */
export const PARTIAL = 'data.new'
export const SALVAGE_PARTIAL = 'data.salvage'
export const SALVAGE_NOTE = 'unfinished-salvage'
const DATA_NAMES = ['data', PARTIAL, SALVAGE_PARTIAL]
/** What a killed process with `inspect` has left: the socket, and where it is if its path was too long. */
const INSPECT_NAMES = ['inspect.sock', 'inspect.json']
const LOCK_NAME = /^lock(\.\d+\.[0-9a-f]+(\.writing)?|\.after\.[0-9a-f]+)?$/
/** Where block 0 names its database. */
const MAGIC = 'XENONDB\n'
const UUID_AT = 16
/** Where a segment of the log names its database, in the first copy of its header. */
const SEGMENT_UUID_AT = 16
const UUID_BYTES = 16

export const isLogFile = (name: string): boolean =>
  SEGMENT_NAME.test(name) || (IMAGE_FILES as readonly string[]).includes(name)

const isLogEntry = (name: string): boolean => isLogFile(name) || name === RESERVE_NAME || name === SALVAGE_NOTE

const isEntry = (name: string): boolean => DATA_NAMES.includes(name) || LOCK_NAME.test(name)

/** True if nothing lies in the directory but files of a database, whole or not. */
export const holdsNothingElse = (storage: Storage, directory: string): boolean =>
  storage.list(directory).every(name => {
    const path = storage.join(directory, name)
    if (INSPECT_NAMES.includes(name)) return storage.kind(path) !== 'directory'
    if (name !== 'log') return isEntry(name) && storage.kind(path) === 'file'
    return (
      storage.kind(path) === 'directory' &&
      storage.list(path).every(inner => isLogEntry(inner) && storage.kind(storage.join(path, inner)) === 'file')
    )
  })

/** The UUID of the database whose data file, whole or not, lies in a directory; undefined if that does not tell. */
export const uuidOf = (storage: Storage, directory: string): string | undefined => {
  for (const name of ['data', PARTIAL]) {
    const path = storage.join(directory, name)
    if (storage.kind(path) !== 'file') continue
    const head = firstBytes(storage, path, UUID_AT + UUID_BYTES)
    const isWhole = head.length === UUID_AT + UUID_BYTES
    if (isWhole && String.fromCharCode(...head.subarray(0, MAGIC.length)) === MAGIC)
      return toHex(head.subarray(UUID_AT))
  }
  return undefined
}

/** True if a directory with the beginnings of a copy says nothing of another database. */
export const mayBeOf = (storage: Storage, directory: string, uuid: string): boolean => {
  const found = uuidOf(storage, directory)
  if (found !== undefined) return found === uuid
  // It was cut off before the data file had a head, or after it was removed: then each segment of the log says whose it
  // is, or nothing yet. The other files there, which whoever opened a backup has made, say nothing.
  const log = storage.join(directory, 'log')
  const partial = storage.join(directory, PARTIAL)
  if (storage.kind(partial) === 'file' && !isBlank(firstBytes(storage, partial, UUID_AT + UUID_BYTES))) return false
  if (storage.kind(storage.join(directory, 'data')) !== 'none') return false
  if (storage.kind(log) !== 'directory') return true
  const segments = storage.list(log).filter(name => SEGMENT_NAME.test(name))
  return segments.every(name => {
    const head = firstBytes(storage, storage.join(log, name), SEGMENT_UUID_AT + UUID_BYTES)
    return isBlank(head) || toHex(head.subarray(SEGMENT_UUID_AT)) === uuid
  })
}

/** After a loss of power a file may be as long as it was, and hold nothing. */
const isBlank = (head: Uint8Array): boolean => head.every(byte => byte === 0)

export const firstBytes = (storage: Storage, path: string, most: number): Uint8Array => {
  const file = storage.open(path, { readOnly: true })
  try {
    const bytes = new Uint8Array(most)
    return bytes.subarray(0, file.read(bytes, 0, most, 0))
  } finally {
    file.close()
  }
}

const sizeOf = (storage: Storage, path: string): number => {
  const file = storage.open(path, { readOnly: true })
  try {
    return file.size()
  } finally {
    file.close()
  }
}

/**
 * Removes the files of a database whose lock the caller holds, gives that back, and removes the directory if nothing else
 * lies in it; true if it is gone.
 */
export const removeDatabase = (storage: Storage, directory: string, lock: DirectoryLock): boolean => {
  clearDatabase(storage, directory)
  const log = storage.join(directory, 'log')
  if (storage.kind(log) === 'directory') removeEmpty(storage, log)
  lock.release()
  // One that had moved with its directory was emptied; any other is somebody's by now.
  const left = storage.join(directory, 'lock')
  if (storage.kind(left) === 'file' && sizeOf(storage, left) === 0) storage.remove(left)
  return removeEmpty(storage, directory)
}

/** Removes the files of a copy that nobody else knows of, and its directories. */
export const removeUnlocked = (storage: Storage, directory: string): void => {
  clearDatabase(storage, directory)
  removeEmpty(storage, storage.join(directory, 'log'))
  removeEmpty(storage, directory)
}

/** Removes the files of a database, but not its directories and its lock. */
export const clearDatabase = (storage: Storage, directory: string): void => {
  // The data file first: what is left without it is no database.
  for (const name of [...DATA_NAMES, ...INSPECT_NAMES]) storage.remove(storage.join(directory, name))
  const log = storage.join(directory, 'log')
  if (storage.kind(log) !== 'directory') return
  for (const name of storage.list(log)) if (isLogEntry(name)) storage.remove(storage.join(log, name))
}

const removeEmpty = (storage: Storage, directory: string): boolean => {
  if (storage.removeDirectory === undefined || storage.list(directory).length > 0) return false
  storage.removeDirectory(directory)
  return true
}

/** Makes a directory, and its name durable, and those of the directories above it that were missing. */
export const makeDurably = (storage: Storage, directory: string): void => {
  const created: string[] = []
  for (let path = directory; storage.kind(path) === 'none'; path = storage.join(path, '..')) created.push(path)
  storage.makeDirectory(directory)
  for (const path of created) storage.syncDirectory(storage.join(path, '..'))
}

/**
 * After a directory was renamed with its lock held: gives that back. The lock file, which was found at another place,
 * was emptied and names nobody; the next owner takes it away.
 */
export const releaseMoved = (storage: Storage, lock: DirectoryLock, directory: string): void => {
  lock.release()
  try {
    storage.lock(directory).release()
  } catch {
    // Somebody has it already, or it cannot be written: then it stays as it is.
  }
}

/** The storage as an engine sees it while the data file of its directory is not whole and has another name. */
export const underName = (storage: Storage, directory: string): Storage => {
  const data = storage.join(directory, 'data')
  const partial = storage.join(directory, PARTIAL)
  const real = (path: string): string => (path === data ? partial : path)
  return Object.assign(Object.create(storage) as Storage, {
    kind: (path: string) => storage.kind(real(path)),
    open: (path: string, options: Parameters<Storage['open']>[1]) => storage.open(real(path), options),
  })
}
