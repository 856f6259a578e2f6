/** Storage in memory: for tests, caches, and places without a file system. Lives as long as the object does. */
import table from 'crc-32'
import { CorruptionError, openHereAlready, StorageError, XenonError } from '../errors.ts'
import { randomBytes } from './random.ts'
import type { DirectoryLock, EntryKind, File, OpenFileOptions, Storage } from './storage.ts'

/** What a file holds. Handles share it, and keep it alive after the name is removed. */
interface Content {
  /** Zero from `size` on. */
  bytes: Uint8Array
  size: number
}

type Directory = Map<string, Directory | Content>

/**
 * A new, empty file system. Two databases on the same one see each other's files, on two they do not.
 * @example const db = open('db', { storage: memoryStorage() })
 */
export function memoryStorage(): Storage {
  const root: Directory = new Map()
  const locks = new Set<Directory>()

  const find = (path: string): Directory | Content | undefined => {
    let entry: Directory | Content | undefined = root
    for (const name of split(path)) entry = entry instanceof Map ? entry.get(name) : undefined
    return entry
  }
  const directoryAt = (operation: string, path: string): Directory => {
    const entry = find(path)
    if (entry === undefined) throw failure(operation, path, 'ENOENT')
    if (!(entry instanceof Map)) throw failure(operation, path, 'ENOTDIR')
    return entry
  }
  /** The directory that holds the last name of `path`, and that name. */
  const place = (operation: string, path: string): [Directory, string] => {
    const names = split(path)
    const name = names.pop()
    if (name === undefined) throw failure(operation, path, 'EISDIR')
    const parent = find(names.join('/'))
    if (parent === undefined) throw failure(operation, path, 'ENOENT')
    if (!(parent instanceof Map)) throw failure(operation, path, 'ENOTDIR')
    return [parent, name]
  }

  return {
    name: 'memory',

    join(...segments: string[]): string {
      const joined = split(segments.join('/')).join('/')
      return segments[0]?.startsWith('/') ? `/${joined}` : joined || '.'
    },

    kind(path: string): EntryKind {
      const entry = find(path)
      return entry === undefined ? 'none' : entry instanceof Map ? 'directory' : 'file'
    },

    list(directory: string): string[] {
      return [...directoryAt('list', directory).keys()]
    },

    makeDirectory(path: string): void {
      let directory = root
      for (const name of split(path)) {
        const next = directory.get(name) ?? new Map()
        if (!(next instanceof Map)) throw failure('create directory', path, 'EEXIST')
        directory.set(name, next)
        directory = next
      }
    },

    open(path: string, options: OpenFileOptions = {}): File {
      const operation = options.create ? 'create' : 'open'
      const [parent, name] = place(operation, path)
      let content = parent.get(name)
      if (content instanceof Map) throw new CorruptionError(path, 'is a directory, not a regular file')
      if (options.create) {
        if (content !== undefined) throw failure(operation, path, 'EEXIST')
        content = { bytes: new Uint8Array(0), size: 0 }
        parent.set(name, content)
      }
      if (content === undefined) throw failure(operation, path, 'ENOENT')
      const isReadOnly = options.readOnly === true && !options.create
      return new MemoryFile(path, content, isReadOnly, opened => find(path) === opened)
    },

    rename(from: string, to: string): void {
      const [source, sourceName] = place('rename', from)
      const [target, targetName] = place('rename', to)
      const entry = source.get(sourceName)
      if (entry === undefined) throw failure('rename', from, 'ENOENT')
      const replaced = target.get(targetName)
      if (replaced === entry) return
      if (entry instanceof Map || replaced instanceof Map) {
        // Directories may move to a free name; nothing here needs more.
        if (replaced !== undefined || `${split(to).join('/')}/`.startsWith(`${split(from).join('/')}/`)) {
          throw failure('rename', from, 'EINVAL')
        }
      }
      source.delete(sourceName)
      target.set(targetName, entry)
    },

    remove(path: string): void {
      if (find(path) === undefined) return
      const [parent, name] = place('remove', path)
      if (parent.get(name) instanceof Map) throw failure('remove', path, 'EISDIR')
      parent.delete(name)
    },

    removeDirectory(path: string): void {
      const directory = directoryAt('remove directory', path)
      const [parent, name] = place('remove directory', path)
      if (directory.size > 0) throw failure('remove directory', path, 'ENOTEMPTY')
      parent.delete(name)
    },

    syncDirectory(path: string): void {
      directoryAt('sync directory', path)
    },

    allocatedBytes(path: string): number {
      const entry = find(path)
      if (entry === undefined) throw failure('look up', path, 'ENOENT')
      return entry instanceof Map ? 0 : entry.bytes.length
    },

    lock(directory: string): DirectoryLock {
      const entry = directoryAt('lock', directory)
      if (locks.has(entry)) {
        throw openHereAlready(directory, globalThis.process?.pid)
      }
      locks.add(entry)
      let held = true
      return {
        inPlace: () => find(directory) === entry,
        release(): void {
          if (held) locks.delete(entry)
          held = false
        },
      }
    },

    randomBytes,

    crc32: (bytes: Uint8Array, seed: number): number => table.buf(bytes, seed) >>> 0,

    memoryBytes: undefined,
  }
}

class MemoryFile implements File {
  readonly path: string
  readonly #readOnly: boolean
  readonly #isThere: (content: Content) => boolean
  /** Undefined once closed. */
  #content: Content | undefined

  constructor(path: string, content: Content, readOnly: boolean, isThere: (content: Content) => boolean) {
    this.path = path
    this.#content = content
    this.#readOnly = readOnly
    this.#isThere = isThere
  }

  size(): number {
    return this.#open('look up').size
  }

  read(target: Uint8Array, targetOffset: number, length: number, position: number): number {
    const content = this.#open('read')
    this.#check('read', target, targetOffset, length, position)
    const count = Math.max(0, Math.min(length, content.size - position))
    target.set(content.bytes.subarray(position, position + count), targetOffset)
    return count
  }

  write(source: Uint8Array, sourceOffset: number, length: number, position: number): void {
    const content = this.#openToWrite('write')
    this.#check('write', source, sourceOffset, length, position)
    if (length === 0) return
    reserve(content, position + length)
    content.bytes.set(source.subarray(sourceOffset, sourceOffset + length), position)
    content.size = Math.max(content.size, position + length)
  }

  writeMany(parts: readonly Uint8Array[], position: number): void {
    let at = position
    for (const part of parts) {
      this.write(part, 0, part.length, at)
      at += part.length
    }
  }

  truncate(size: number): void {
    const content = this.#openToWrite('truncate')
    if (!isCount(size)) throw failure('truncate', this.path, 'EINVAL')
    if (size < content.bytes.length / 4) content.bytes = content.bytes.slice(0, Math.min(size, content.size))
    else if (size < content.size) content.bytes.fill(0, size, content.size)
    reserve(content, size)
    content.size = size
  }

  sync(): void {
    this.#open('sync')
  }

  async syncAsync(): Promise<void> {
    this.#open('sync')
  }

  inPlace(): boolean {
    return this.#isThere(this.#open('look up'))
  }

  close(): void {
    this.#content = undefined
  }

  #open(operation: string): Content {
    if (this.#content !== undefined) return this.#content
    throw new XenonError('XENON_CLOSED', `cannot ${operation} ${this.path}: the file is closed`)
  }

  #openToWrite(operation: string): Content {
    const content = this.#open(operation)
    if (this.#readOnly) throw failure(operation, this.path, 'EBADF')
    return content
  }

  /** `subarray` would clamp a window that does not fit, and lose bytes in silence. */
  #check(operation: string, buffer: Uint8Array, offset: number, length: number, position: number): void {
    if (isCount(offset) && isCount(length) && isCount(position) && offset + length <= buffer.length) return
    const cause = new RangeError(
      `${length} bytes from ${offset} of a buffer of ${buffer.length} at position ${position} are out of range`,
    )
    throw new StorageError(`cannot ${operation} ${this.path}: ${cause.message}`, cause)
  }
}

/** Grows by half at least, so that appending stays linear. */
function reserve(content: Content, size: number): void {
  if (size <= content.bytes.length) return
  const grown = new Uint8Array(Math.max(size, Math.ceil(content.bytes.length * 1.5), 4096))
  grown.set(content.bytes.subarray(0, content.size))
  content.bytes = grown
}

function isCount(value: number): boolean {
  return value >= 0 && Number.isSafeInteger(value)
}

function split(path: string): string[] {
  const names: string[] = []
  for (const name of path.split('/')) {
    if (name === '..') names.pop()
    else if (name !== '' && name !== '.') names.push(name)
  }
  return names
}

const reasons = {
  ENOENT: 'no such file or directory',
  ENOTDIR: 'not a directory',
  EEXIST: 'file already exists',
  EISDIR: 'illegal operation on a directory',
  EINVAL: 'invalid argument',
  EBADF: 'opened for reading only',
  ENOTEMPTY: 'directory not empty',
} as const

function failure(operation: string, path: string, code: keyof typeof reasons): StorageError {
  const cause = Object.assign(new Error(`${code}: ${reasons[code]}`), { code })
  return new StorageError(`cannot ${operation} ${path}: ${cause.message}`, cause)
}
