/** The part of the Origin Private File System that is used here, so that tests can put something else in its place. */

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
  createSyncAccessHandle(): Promise<SyncHandle>
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

const home = async (): Promise<DirectoryHandle | undefined> => {
  const { storage } = ((globalThis as { navigator?: Navigator }).navigator ?? {}) as Navigator
  const root = await storage?.getDirectory?.()
  return await root?.getDirectoryHandle(HOME, { create: true })
}

/** Name of the directory of a database: any text may be the name of one. */
const nameOf = (name: string): string => encodeURIComponent(name).replaceAll('.', '%2E').replaceAll('*', '%2A')

/** The directory of a database, made if there is none; undefined where there is no such file system. */
export const handleDirectory = async (name: string): Promise<HandleDirectory | undefined> => {
  const directory = await (await home())?.getDirectoryHandle(nameOf(name), { create: true })
  if (directory === undefined) return undefined
  return {
    async open(file) {
      const handle = await directory.getFileHandle(file, { create: true })
      return await handle.createSyncAccessHandle()
    },
    async names() {
      const names: string[] = []
      for await (const file of directory.keys()) names.push(file)
      return names
    },
    remove: file => directory.removeEntry(file),
  }
}

/** Removes all files of a database. */
export const removeHandles = async (name: string): Promise<void> => {
  const directory = await home()
  try {
    await directory?.removeEntry(nameOf(name), { recursive: true })
  } catch (error) {
    if ((error as { name?: string }).name !== 'NotFoundError') throw error
  }
}

/** Names of the databases of this origin. */
export const handleNames = async (): Promise<string[]> => {
  const directory = await home()
  const names: string[] = []
  if (directory !== undefined) for await (const name of directory.keys()) names.push(decodeURIComponent(name))
  return names.sort()
}
