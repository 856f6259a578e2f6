/**
 * Storage in the Origin Private File System of a browser, in a worker. A file can only be opened asynchronously there:
 * so a pool of handles is opened ahead, and everything after that is synchronous. Which path lies in which handle says
 * the catalogue.
 *
 * A handle whose path was removed, or replaced, is emptied and used again only when the catalogue that says so is
 * flushed: until then a crash brings the path back, with what it held.
 */
import {
  CorruptionError,
  DatabaseLockedError,
  DiskFullError,
  InvalidArgumentError,
  openHereAlready,
  StorageError,
  shown,
  XenonError,
} from '../errors.ts'
import { memoryStorage } from '../storage/memory.ts'
import type { DirectoryLock, EntryKind, File, OpenFileOptions, Storage } from '../storage/storage.ts'
import { Catalogue } from './catalogue.ts'
import { type HandleDirectory, handleDirectory, isTaken, type SyncHandle, takenError } from './handles.ts'
import { Quota } from './quota.ts'

/** How `opfsStorage` keeps files. */
export interface OpfsOptions {
  /** Handles that are open at a time: the catalogue, and one for each file. Default 8. */
  handles?: number | undefined
}

/** The storage of one database, and what holds for it alone. */
export interface OpfsStorage extends Storage {
  /**
   * Gives all handles back, so that another worker or tab may open it. A database in it must be closed before: else this
   * throws `DatabaseLockedError`. Doing it twice is fine.
   * @example
   * const storage = await opfsStorage('notes')
   * storage.dispose()
   */
  dispose(): void
}

const MiB = 1048576
const CATALOGUE = '0'
/** Of `Quota`: no file of the pool. */
const ROOM = 'room'
const DEFAULT_HANDLES = 8
const LEAST_HANDLES = 5

/**
 * The files of a database of this origin, made if there are none: `open(name, { storage: await opfsStorage(name) })`. Only
 * in a worker, and by one at a time.
 * @throws DatabaseLockedError if another worker or tab has it; XenonError `XENON_NOT_SUPPORTED` where there is no such
 *   file system.
 * @example const db = open('notes', { storage: await opfsStorage('notes') })
 */
export const opfsStorage = async (name: string, options: OpfsOptions = {}): Promise<OpfsStorage> => {
  const directory = await handleDirectory(name)
  if (directory === undefined)
    throw new XenonError(
      'XENON_NOT_SUPPORTED',
      'there is no Origin Private File System here (navigator.storage.getDirectory): use memoryStorage(), which keeps nothing',
    )
  return await storageIn(directory, name, options)
}

/** The same in a directory that is given. */
export const storageIn = async (
  directory: HandleDirectory,
  name: string,
  { handles = DEFAULT_HANDLES }: OpfsOptions = {},
): Promise<OpfsStorage> => {
  if (!Number.isSafeInteger(handles) || handles < 1)
    throw new InvalidArgumentError(`handles must be a whole number above 0, not ${shown(handles)}`)
  const count = Math.max(LEAST_HANDLES, handles)
  const names = new Set([CATALOGUE, ...(await directory.names()).filter(each => /^\d+$/.test(each))])
  for (let i = 1; names.size < count; i++) names.add(String(i))
  const opened = new Map<number, SyncHandle>()
  try {
    for (const each of names) opened.set(Number(each), await directory.open(each))
    const quota = await Quota.begin(() => directory.open(ROOM))
    try {
      return new Pool(name, opened, quota)
    } catch (error) {
      quota.close()
      throw error
    }
  } catch (error) {
    for (const handle of opened.values()) handle.close()
    throw isTaken(error) ? takenError(name) : asFailure('open', name, error)
  }
}

class Pool implements OpfsStorage {
  readonly name = 'opfs'
  readonly reserve: Quota
  readonly memoryBytes = undefined
  /** With these the log has no more than four files at a time, unless a transaction stays open for long. */
  readonly logDefaults = { checkpointBytes: 16 * MiB, segmentBytes: 16 * MiB }
  readonly crc32: Storage['crc32']
  readonly randomBytes: Storage['randomBytes']
  readonly join: Storage['join']
  private readonly handles: Map<number, SyncHandle>
  private readonly catalogue: Catalogue
  private readonly free: number[] = []
  /** Freed by the catalogue that is not flushed yet. */
  private freed: number[] = []
  /** How many have each handle open as a file: a file that was removed lives on in them. */
  private readonly users: Map<number, number> = new Map()
  /** Freed by a catalogue that is flushed, but still open as a file. */
  private readonly lingering: Set<number> = new Set()
  private readonly locks: Set<string> = new Set()
  private isDisposed = false

  constructor(name: string, handles: Map<number, SyncHandle>, quota: Quota) {
    this.reserve = quota
    const memory = memoryStorage()
    this.crc32 = memory.crc32
    this.randomBytes = memory.randomBytes
    this.join = memory.join
    this.handles = handles
    this.catalogue = new Catalogue(handles.get(Number(CATALOGUE))!, `${name}/${CATALOGUE}`)
    const used = new Set(this.catalogue.files.values())
    for (const number of used)
      if (!handles.has(number))
        throw new CorruptionError(`${name}/${CATALOGUE}`, `it names the file ${number}, which is not there`)
    for (const [number, handle] of handles)
      if (number !== Number(CATALOGUE) && !used.has(number)) {
        handle.truncate(0)
        this.free.push(number)
      }
  }

  kind(path: string): EntryKind {
    this.requireUsable()
    const at = this.join(path)
    if (this.catalogue.files.has(at)) return 'file'
    return isRoot(at) || this.catalogue.directories.has(at) ? 'directory' : 'none'
  }

  list(directory: string): string[] {
    const at = this.join(directory)
    this.requireDirectory('list', at)
    const { files, directories } = this.catalogue
    return [...files.keys(), ...directories].filter(path => parentOf(path) === at && path !== at).map(lastOf)
  }

  makeDirectory(path: string): void {
    this.change('create directory', path, ({ files, directories }) => {
      for (let at = this.join(path); !isRoot(at); at = parentOf(at)) {
        if (files.has(at)) throw failure('create directory', path, coded('EEXIST'))
        directories.add(at)
      }
    })
  }

  open(path: string, { create = false, readOnly = false }: OpenFileOptions = {}): File {
    this.requireUsable()
    const at = this.join(path)
    const operation = create ? 'create' : 'open'
    if (this.catalogue.directories.has(at)) throw new CorruptionError(path, 'is a directory, not a regular file')
    if (create) this.create(at)
    const number = this.catalogue.files.get(at)
    if (number === undefined) throw failure(operation, path, coded('ENOENT'))
    const isThere = (): boolean => this.catalogue.files.get(at) === number
    this.users.set(number, (this.users.get(number) ?? 0) + 1)
    return new HandleFile(path, this.handles.get(number)!, this.reserve, {
      readOnly: readOnly && !create,
      isThere,
      onClose: () => this.left(number),
    })
  }

  private left(number: number): void {
    this.users.set(number, this.users.get(number)! - 1)
    if (this.lingering.delete(number)) this.empty(number)
  }

  private create(at: string): void {
    if (this.catalogue.files.has(at)) throw failure('create', at, coded('EEXIST'))
    this.requireDirectory('create', parentOf(at))
    if (this.free.length === 0) this.flush()
    const number = this.free.at(-1)
    if (number === undefined)
      throw new DiskFullError(
        `cannot create ${at}: all ${this.handles.size - 1} handles of the pool are in use; give opfsStorage more of them (handles)`,
      )
    this.change('create', at, ({ files }) => files.set(at, number))
    this.free.pop()
  }

  rename(from: string, to: string): void {
    const [source, target] = [this.join(from), this.join(to)]
    const { files, directories } = this.catalogue
    const number = files.get(source)
    if (number === undefined) throw failure('rename', from, coded(directories.has(source) ? 'EINVAL' : 'ENOENT'))
    this.requireDirectory('rename', parentOf(target))
    if (directories.has(target)) throw failure('rename', to, coded('EISDIR'))
    if (source === target) return
    const replaced = files.get(target)
    this.change('rename', from, () => {
      files.delete(source)
      files.set(target, number)
    })
    if (replaced !== undefined) this.freed.push(replaced)
  }

  remove(path: string): void {
    const at = this.join(path)
    const { files, directories } = this.catalogue
    if (directories.has(at)) throw failure('remove', path, coded('EISDIR'))
    const number = files.get(at)
    if (number === undefined) return
    this.change('remove', path, () => files.delete(at))
    this.freed.push(number)
  }

  removeDirectory(path: string): void {
    const at = this.join(path)
    if (this.list(path).length > 0) throw failure('remove directory', path, coded('ENOTEMPTY'))
    this.change('remove directory', path, ({ directories }) => directories.delete(at))
  }

  syncDirectory(path: string): void {
    this.requireDirectory('sync directory', this.join(path))
    this.flush()
  }

  private change(operation: string, path: string, work: (catalogue: Catalogue) => void): void {
    this.requireUsable()
    try {
      this.catalogue.change(() => work(this.catalogue))
    } catch (error) {
      throw asFailure(operation, path, error)
    }
  }

  private flush(): void {
    try {
      this.catalogue.flush()
    } catch (error) {
      throw asFailure('sync directory', this.name, error)
    }
    for (const number of this.freed.splice(0)) this.empty(number)
  }

  /** Makes a handle free, once nobody has it open. */
  private empty(number: number): void {
    if (this.users.get(number)) {
      this.lingering.add(number)
      return
    }
    this.handles.get(number)!.truncate(0)
    this.free.push(number)
  }

  freeBytes(): number | undefined {
    return this.reserve.free
  }

  allocatedBytes(path: string): number {
    const at = this.join(path)
    const number = this.catalogue.files.get(at)
    if (number !== undefined) return this.handles.get(number)!.getSize()
    this.requireDirectory('look up', at)
    return 0
  }

  lock(directory: string): DirectoryLock {
    const at = this.join(directory)
    this.requireDirectory('lock', at)
    if (this.locks.has(at)) throw openHereAlready(directory, globalThis.process?.pid)
    this.locks.add(at)
    let held = true
    return {
      inPlace: () => this.kind(at) === 'directory',
      release: () => {
        if (held) this.locks.delete(at)
        held = false
      },
    }
  }

  dispose(): void {
    if (this.isDisposed) return
    const [open] = this.locks
    if (open !== undefined)
      throw new DatabaseLockedError(`the database '${open}' is open: close it before dispose()`, undefined, true)
    this.isDisposed = true
    try {
      this.flush()
    } finally {
      for (const handle of this.handles.values()) handle.close()
      this.reserve.close()
    }
  }

  private requireUsable(): void {
    if (this.isDisposed)
      throw new XenonError('XENON_CLOSED', 'the storage was disposed of: await opfsStorage() for another one')
  }

  private requireDirectory(operation: string, at: string): void {
    const kind = this.kind(at)
    if (kind !== 'directory') throw failure(operation, at, coded(kind === 'none' ? 'ENOENT' : 'ENOTDIR'))
  }
}

interface HowOpened {
  readonly readOnly: boolean
  readonly isThere: () => boolean
  readonly onClose: () => void
}

class HandleFile implements File {
  readonly path: string
  private readonly quota: Quota
  /** As far as it was written by this one. */
  private end: number
  private readonly readOnly: boolean
  private readonly isThere: () => boolean
  private readonly onClose: () => void
  /** Undefined once closed. The handle itself stays open. */
  private handle: SyncHandle | undefined

  constructor(path: string, handle: SyncHandle, quota: Quota, how: HowOpened) {
    this.path = path
    this.handle = handle
    this.quota = quota
    this.readOnly = how.readOnly
    this.isThere = how.isThere
    this.onClose = how.onClose
    this.end = handle.getSize()
  }

  size(): number {
    const handle = this.opened('look up')
    return this.try('look up', () => handle.getSize())
  }

  read(target: Uint8Array, targetOffset: number, length: number, position: number): number {
    const handle = this.opened('read')
    this.check('read', target, targetOffset, length, position)
    if (length === 0) return 0
    return this.try('read', () => handle.read(target.subarray(targetOffset, targetOffset + length), { at: position }))
  }

  write(source: Uint8Array, sourceOffset: number, length: number, position: number): void {
    const handle = this.toWrite('write')
    this.check('write', source, sourceOffset, length, position)
    for (let done = 0; done < length; ) {
      const rest = source.subarray(sourceOffset + done, sourceOffset + length)
      const written = this.try('write', () => handle.write(rest, { at: position + done }))
      if (written === 0) throw failure('write', this.path, coded('ENOSPC'))
      done += written
    }
    this.reach(position + length)
  }

  writeMany(parts: readonly Uint8Array[], position: number): void {
    let at = position
    for (const part of parts) {
      this.write(part, 0, part.length, at)
      at += part.length
    }
  }

  truncate(size: number): void {
    const handle = this.toWrite('truncate')
    if (!isCount(size)) throw failure('truncate', this.path, coded('EINVAL'))
    this.try('truncate', () => handle.truncate(size))
    this.reach(size)
  }

  private reach(end: number): void {
    if (end <= this.end) return
    this.quota.grown(end - this.end)
    this.end = end
  }

  sync(): void {
    const handle = this.opened('sync')
    this.try('sync', () => handle.flush())
  }

  async syncAsync(): Promise<void> {
    this.sync()
  }

  inPlace(): boolean {
    this.opened('look up')
    return this.isThere()
  }

  close(): void {
    if (this.handle === undefined) return
    this.handle = undefined
    this.onClose()
  }

  private opened(operation: string): SyncHandle {
    if (this.handle !== undefined) return this.handle
    throw new XenonError('XENON_CLOSED', `cannot ${operation} ${this.path}: the file is closed`)
  }

  private toWrite(operation: string): SyncHandle {
    const handle = this.opened(operation)
    if (this.readOnly) throw failure(operation, this.path, coded('EBADF'))
    return handle
  }

  private check(operation: string, buffer: Uint8Array, offset: number, length: number, position: number): void {
    if (isCount(offset) && isCount(length) && isCount(position) && offset + length <= buffer.length) return
    const problem = `${length} bytes from ${offset} of a buffer of ${buffer.length} at position ${position} are out of range`
    throw failure(operation, this.path, new RangeError(problem))
  }

  private try<T>(operation: string, work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw asFailure(operation, this.path, error)
    }
  }
}

const reasons = {
  ENOENT: 'no such file or directory',
  ENOTDIR: 'not a directory',
  EEXIST: 'file already exists',
  EISDIR: 'illegal operation on a directory',
  EINVAL: 'invalid argument',
  EBADF: 'opened for reading only',
  ENOTEMPTY: 'directory not empty',
  ENOSPC: 'no space left: the quota of this origin is used up',
} as const

const coded = (code: keyof typeof reasons, cause?: unknown): Error =>
  Object.assign(new Error(`${code}: ${reasons[code]}`, { cause }), { code })

const failure = (operation: string, path: string, cause: unknown): StorageError =>
  new StorageError(`cannot ${operation} ${path}: ${(cause as Error).message}`, cause)

/** What the browser says, as an error of ours. */
const asFailure = (operation: string, path: string, error: unknown): XenonError => {
  if (error instanceof XenonError) return error
  const isFull = (error as { name?: string }).name === 'QuotaExceededError'
  return failure(operation, path, isFull ? coded('ENOSPC', error) : error)
}

const isCount = (value: number): boolean => value >= 0 && Number.isSafeInteger(value)

const isRoot = (at: string): boolean => at === '.' || at === '/'

const lastOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1)

const parentOf = (path: string): string => {
  const at = path.lastIndexOf('/')
  return at > 0 ? path.slice(0, at) : path.startsWith('/') ? '/' : '.'
}
