/** The part of the Origin Private File System that is used here, so that tests can put something else in its place. */
import { DatabaseLockedError, InvalidArgumentError, shown, XenonError } from '../errors.ts'

/** A file that this thread alone has open: `FileSystemSyncAccessHandle`. */
export interface SyncHandle {
  read(target: Uint8Array, options: { at: number }): number
  write(source: Uint8Array, options: { at: number }): number
  truncate(size: number): void
  flush(): void
  getSize(): number
  close(): void
}

/** A directory of the system, with its files by name. */
export interface HandleDirectory {
  /** Opens a file for this thread alone, made if there is none. */
  open(name: string): Promise<SyncHandle>
  names(): Promise<string[]>
  remove(name: string): Promise<void>
}

interface FileHandle {
  /** In dedicated workers alone. */
  createSyncAccessHandle?(): Promise<SyncHandle>
}

interface DirectoryHandle {
  getDirectoryHandle(name: string, options: { create: boolean }): Promise<DirectoryHandle>
  getFileHandle(name: string, options: { create: boolean }): Promise<FileHandle>
  removeEntry(name: string, options?: { recursive: boolean }): Promise<void>
  keys(): AsyncIterable<string>
}

interface Navigator {
  storage?: { getDirectory?(): Promise<DirectoryHandle> }
}

/** Directories of this origin lie in it, one for each database. */
const HOME = 'xenondb'
/** Beside it: what is thrown away when it has been used, or found again. */
const SCRATCH = 'xenondb.scratch'
/** Bytes of a name that file systems take. */
const LONGEST_NAME = 255

const home = async (name: string = HOME): Promise<DirectoryHandle | undefined> => {
  const { storage } = ((globalThis as { navigator?: Navigator }).navigator ?? {}) as Navigator
  const root = await storage?.getDirectory?.().catch(error => {
    // Some private windows have the interface, and nothing behind it.
    if (nameOfError(error) !== 'SecurityError') throw error
    return undefined
  })
  return await root?.getDirectoryHandle(name, { create: true })
}

const escaped = (name: string): string => {
  try {
    return encodeURIComponent(name)
  } catch {
    throw new InvalidArgumentError(`the name of a database has half of a surrogate pair alone: ${shown(name)}`)
  }
}

/** Name of the directory of a database: any text may be the name of one. */
export const nameOf = (name: string): string => {
  if (typeof name !== 'string' || name === '')
    throw new InvalidArgumentError(`the name of a database must be a text with something in it, not ${shown(name)}`)
  const encoded = escaped(name).replaceAll('.', '%2E').replaceAll('*', '%2A')
  if (encoded.length > LONGEST_NAME)
    throw new InvalidArgumentError(`the name of a database has ${encoded.length} bytes here, more than ${LONGEST_NAME}`)
  return encoded
}

const nameOfError = (error: unknown): string | undefined => (error as { name?: string } | null)?.name

/** The handles of a database are another's. */
export const isTaken = (error: unknown): boolean => nameOfError(error) === 'NoModificationAllowedError'

export const takenError = (name: string): DatabaseLockedError =>
  new DatabaseLockedError(`another tab or worker of this origin has '${name}' open, or this one has`)

/** The directory of a database, made if there is none; undefined where there is no such file system. */
export const handleDirectory = async (name: string): Promise<HandleDirectory | undefined> => {
  const encoded = nameOf(name)
  const directory = await (await home())?.getDirectoryHandle(encoded, { create: true })
  return directory === undefined ? undefined : handlesIn(directory)
}

const handlesIn = (directory: DirectoryHandle): HandleDirectory => ({
  async open(file) {
    const handle = await directory.getFileHandle(file, { create: true })
    if (handle.createSyncAccessHandle === undefined)
      throw new XenonError(
        'XENON_NOT_SUPPORTED',
        'only a dedicated worker has synchronous files: call opfsStorage() in one (new Worker(...)), not on a page',
      )
    return await handle.createSyncAccessHandle()
  },
  async names() {
    const names: string[] = []
    for await (const file of directory.keys()) names.push(file)
    return names
  },
  remove: file => directory.removeEntry(file),
})

/** A directory for a while, and how to remove it; undefined where there is no such file system. */
export const scratchDirectory = async (): Promise<[HandleDirectory, () => Promise<void>] | undefined> => {
  const all = await home(SCRATCH)
  if (all === undefined) return undefined
  // What workers have left that were ended; what is in use stays.
  for await (const name of all.keys()) await all.removeEntry(name, { recursive: true }).catch(() => {})
  const name = globalThis.crypto.randomUUID()
  const directory = await all.getDirectoryHandle(name, { create: true })
  return [handlesIn(directory), () => all.removeEntry(name, { recursive: true })]
}

/** Removes all files of a database. */
export const removeHandles = async (name: string): Promise<void> => {
  const encoded = nameOf(name)
  const directory = await home()
  try {
    await directory?.removeEntry(encoded, { recursive: true })
  } catch (error) {
    if (isTaken(error)) throw takenError(name)
    if (nameOfError(error) !== 'NotFoundError') throw error
  }
}

/** Names of the databases of this origin. */
export const handleNames = async (): Promise<string[]> => {
  const directory = await home()
  const names: string[] = []
  if (directory !== undefined) for await (const name of directory.keys()) names.push(decodeURIComponent(name))
  return names.sort()
}
