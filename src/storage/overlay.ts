/**
 * A storage above another one that is only ever read: what is written, renamed or removed here stays in memory, in
 * pages of 4 KiB that lie over the files below. For working on a damaged database without changing a byte of it, and
 * for reading one that was not closed cleanly where nothing can be written. A file that is not written is read as if
 * nothing lay above it.
 */
import { CorruptionError, openHereAlready, StorageError, XenonError } from '../errors.ts'
import type { DirectoryLock, EntryKind, File, OpenFileOptions, Storage } from './storage.ts'

const PAGE = 4096

/** A file as this storage sees it. Handles share it. */
interface Content {
  /** The file below, if there is one, and how many of its bytes show through. */
  readonly below: string | undefined
  belowBytes: number
  size: number
  readonly pages: Map<number, Uint8Array>
}

/** `base` is never written, not even for a lock, and must not be written by others meanwhile. */
export function overlayStorage(base: Storage): Storage {
  const contents = new Map<string, Content>()
  const directories = new Set<string>()
  const removed = new Set<string>()
  const locked = new Set<string>()

  const kind = (path: string): EntryKind => {
    if (contents.has(path)) return 'file'
    if (directories.has(path)) return 'directory'
    return removed.has(path) ? 'none' : base.kind(path)
  }
  const parentOf = (path: string): string => base.join(path, '..')
  const contentAt = (operation: string, path: string): Content => {
    const known = contents.get(path)
    if (known !== undefined) return known
    if (kind(path) === 'none') throw failure(operation, path, 'ENOENT')
    if (kind(path) === 'directory') throw new CorruptionError(path, 'is a directory, not a regular file')
    const file = base.open(path, { readOnly: true })
    const size = file.size()
    file.close()
    const content = { below: path, belowBytes: size, size, pages: new Map() }
    contents.set(path, content)
    return content
  }
  const requireDirectory = (operation: string, path: string): void => {
    if (kind(path) === 'none') throw failure(operation, path, 'ENOENT')
    if (kind(path) !== 'directory') throw failure(operation, path, 'ENOTDIR')
  }

  return {
    name: 'overlay',
    join: (...segments: string[]): string => base.join(...segments),
    kind: (path: string): EntryKind => kind(base.join(path)),

    list(directory: string): string[] {
      const parent = base.join(directory)
      requireDirectory('list', parent)
      const below = base.kind(parent) === 'directory' ? base.list(parent) : []
      const names = new Set(below.filter(name => kind(base.join(parent, name)) !== 'none'))
      for (const path of [...contents.keys(), ...directories])
        if (parentOf(path) === parent && path !== parent) names.add(path.split(/[\\/]/).pop()!)
      return [...names]
    },

    makeDirectory(path: string): void {
      const missing: string[] = []
      let at = base.join(path)
      for (; kind(at) === 'none'; at = parentOf(at)) missing.push(at)
      if (kind(at) !== 'directory') throw failure('create directory', path, 'EEXIST')
      for (const directory of missing) {
        directories.add(directory)
        removed.delete(directory)
      }
    },

    open(path: string, options: OpenFileOptions = {}): File {
      const at = base.join(path)
      if (options.create) {
        if (kind(at) === 'file' || kind(at) === 'other') throw failure('create', path, 'EEXIST')
        if (kind(at) === 'none') {
          requireDirectory('create', parentOf(at))
          removed.delete(at)
          contents.set(at, { below: undefined, belowBytes: 0, size: 0, pages: new Map() })
        }
      }
      const isReadOnly = options.readOnly === true && options.create !== true
      return new OverlayFile(at, contentAt('open', at), base, isReadOnly)
    },

    rename(from: string, to: string): void {
      const [source, target] = [base.join(from), base.join(to)]
      const content = contentAt('rename', source)
      requireDirectory('rename', parentOf(target))
      if (kind(target) === 'directory') throw failure('rename', to, 'EISDIR')
      contents.delete(source)
      removed.add(source)
      contents.set(target, content)
      removed.delete(target)
    },

    remove(path: string): void {
      const at = base.join(path)
      if (kind(at) === 'directory') throw failure('remove', path, 'EISDIR')
      contents.delete(at)
      removed.add(at)
    },

    syncDirectory: (path: string): void => requireDirectory('sync directory', base.join(path)),
    allocatedBytes: (path: string): number => contentAt('look up', base.join(path)).size,

    lock(directory: string): DirectoryLock {
      const name = base.join(directory, '.')
      requireDirectory('lock', name)
      if (locked.has(name)) throw openHereAlready(directory, globalThis.process?.pid)
      locked.add(name)
      let held = true
      return {
        release(): void {
          if (held) locked.delete(name)
          held = false
        },
      }
    },

    randomBytes: (length: number): Uint8Array => base.randomBytes(length),
    crc32: (bytes: Uint8Array, seed: number): number => base.crc32(bytes, seed),
    deflate: base.deflate,
    now: base.now,
    get memoryBytes(): number | undefined {
      return base.memoryBytes
    },
  }
}

class OverlayFile implements File {
  readonly path: string
  readonly #content: Content
  readonly #below: File | undefined
  readonly #readOnly: boolean
  #closed = false

  constructor(path: string, content: Content, base: Storage, readOnly: boolean) {
    this.path = path
    this.#content = content
    this.#below = content.below === undefined ? undefined : base.open(content.below, { readOnly: true })
    this.#readOnly = readOnly
  }

  size(): number {
    this.#check('look up')
    return this.#content.size
  }

  read(target: Uint8Array, targetOffset: number, length: number, position: number): number {
    this.#check('read', target, targetOffset, length, position)
    const { size, pages } = this.#content
    const end = Math.min(position + length, size)
    if (pages.size === 0 && end > position) {
      this.#readBelow(target, targetOffset, end - position, position)
      return end - position
    }
    for (let at = position; at < end; ) {
      const stop = Math.min(end, pageEnd(at))
      const page = pages.get(Math.floor(at / PAGE))
      if (page === undefined) {
        // Neighbours that lie below too are read together.
        let far = stop
        while (far < end && !pages.has(far / PAGE)) far = Math.min(end, far + PAGE)
        this.#readBelow(target, targetOffset + at - position, far - at, at)
        at = far
      } else {
        target.set(page.subarray(at % PAGE, (at % PAGE) + stop - at), targetOffset + at - position)
        at = stop
      }
    }
    return Math.max(0, end - position)
  }

  write(source: Uint8Array, sourceOffset: number, length: number, position: number): void {
    this.#check('write', source, sourceOffset, length, position)
    const content = this.#content
    for (let at = position; at < position + length; ) {
      const stop = Math.min(position + length, pageEnd(at))
      const from = sourceOffset + at - position
      this.#page(Math.floor(at / PAGE)).set(source.subarray(from, from + stop - at), at % PAGE)
      at = stop
    }
    if (length > 0) content.size = Math.max(content.size, position + length)
  }

  writeMany(parts: readonly Uint8Array[], position: number): void {
    let at = position
    for (const part of parts) {
      this.write(part, 0, part.length, at)
      at += part.length
    }
  }

  truncate(size: number): void {
    this.#check('truncate', new Uint8Array(0), 0, 0, size)
    const content = this.#content
    for (const [number, page] of content.pages) {
      if (number * PAGE >= size) content.pages.delete(number)
      else if ((number + 1) * PAGE > size) page.fill(0, size - number * PAGE)
    }
    content.belowBytes = Math.min(content.belowBytes, size)
    content.size = size
  }

  sync(): void {
    this.#check('sync')
  }

  async syncAsync(): Promise<void> {
    this.#check('sync')
  }

  close(): void {
    this.#closed = true
    this.#below?.close()
  }

  /** The page to be written, with what shows through so far. */
  #page(number: number): Uint8Array {
    const { pages } = this.#content
    let page = pages.get(number)
    if (page === undefined) {
      page = new Uint8Array(PAGE)
      this.#readBelow(page, 0, PAGE, number * PAGE)
      pages.set(number, page)
    }
    return page
  }

  /** Bytes of the file below; zeros where it has none. */
  #readBelow(target: Uint8Array, offset: number, length: number, position: number): void {
    const there = Math.max(0, Math.min(length, this.#content.belowBytes - position))
    const got = there === 0 ? 0 : this.#below!.read(target, offset, there, position)
    target.fill(0, offset + got, offset + length)
  }

  #check(operation: string, buffer?: Uint8Array, offset = 0, length = 0, position = 0): void {
    if (this.#closed) throw new XenonError('XENON_CLOSED', `cannot ${operation} ${this.path}: the file is closed`)
    if (this.#readOnly && (operation === 'write' || operation === 'truncate'))
      throw failure(operation, this.path, 'EBADF')
    if (buffer === undefined || (isCount(offset) && isCount(length) && isCount(position))) {
      if (buffer === undefined || offset + length <= buffer.length) return
    }
    const cause = new RangeError(`${length} bytes from ${offset} at position ${position} are out of range`)
    throw new StorageError(`cannot ${operation} ${this.path}: ${cause.message}`, cause)
  }
}

const pageEnd = (position: number): number => (Math.floor(position / PAGE) + 1) * PAGE

const isCount = (value: number): boolean => value >= 0 && Number.isSafeInteger(value)

const reasons = {
  ENOENT: 'no such file or directory',
  ENOTDIR: 'not a directory',
  EEXIST: 'file already exists',
  EISDIR: 'illegal operation on a directory',
  EBADF: 'opened for reading only',
} as const

const failure = (operation: string, path: string, code: keyof typeof reasons): StorageError => {
  const cause = Object.assign(new Error(`${code}: ${reasons[code]}`), { code })
  return new StorageError(`cannot ${operation} ${path}: ${cause.message}`, cause)
}
