/**
 * The new database under construction. Until it is finished nobody can open it: its data file bears another name, and
 * a note stands in its log directory that `open` refuses to build over. What a failure leaves is cleared away.
 */
import { type Database, openOn } from '../database.ts'
import { CorruptionError, InvalidArgumentError, XenonError } from '../errors.ts'
import type { Storage } from '../storage/storage.ts'
import type { BatchOperation, SalvageOptions } from '../types.ts'

const BATCH_RECORDS = 1000
const BATCH_BYTES = 1048576
const NOTE = 'unfinished-salvage'
const PARTIAL = 'data.salvage'

export class Target {
  records = 0
  bytes = 0
  private readonly storage: Storage
  private readonly directory: string
  private readonly db: Database<Uint8Array>
  private batch: BatchOperation<Uint8Array>[] = []
  private batchBytes = 0
  private readonly batchKeys: Set<string> = new Set()

  constructor(storage: Storage, directory: string, blockSize: number, options: SalvageOptions) {
    this.storage = storage
    this.directory = directory
    const log = storage.join(directory, 'log')
    storage.makeDirectory(log)
    storage.syncDirectory(storage.join(directory, '..'))
    storage.open(storage.join(log, NOTE), { create: true }).close()
    storage.syncDirectory(log)
    try {
      this.db = openOn<Uint8Array>(
        directory,
        {
          storage: underOtherName(storage, directory),
          durability: 'none',
          valueEncoding: 'binary',
          keyEncoding: 'binary',
          errorIfExists: true,
          blockSize,
          ...(options.cacheBytes === undefined ? {} : { cacheBytes: options.cacheBytes }),
        },
        storage,
      )
    } catch (error) {
      this.clear()
      throw error
    }
  }

  /** Adds a record unless there is one of this key already; true if it was added. */
  add(key: Uint8Array, value: Uint8Array): boolean {
    const name = String.fromCharCode(...key)
    if (this.batchKeys.has(name) || this.db.has(key)) return false
    this.batchKeys.add(name)
    this.batch.push({ type: 'put', key, value })
    this.batchBytes += key.length + value.length
    this.records++
    this.bytes += key.length + value.length
    if (this.batch.length >= BATCH_RECORDS || this.batchBytes >= BATCH_BYTES) this.flush()
    return true
  }

  private flush(): void {
    if (this.batch.length > 0) this.db.batch(this.batch)
    this.batch = []
    this.batchBytes = 0
    this.batchKeys.clear()
  }

  /** Writes what is left, checks all of it, closes, and gives the database its name. */
  async finish(onVerify: (done: number, total: number) => void): Promise<void> {
    const { storage, directory, db } = this
    this.flush()
    await db.checkpoint()
    const report = await db.verify({ onProgress: ({ done, total }) => onVerify(done, total) })
    if (!report.ok || report.records !== this.records)
      throw new CorruptionError(
        directory,
        `the new database is not sound: ${report.problems[0] ?? `${report.records} records instead of ${this.records}`}`,
      )
    db.close()
    storage.rename(storage.join(directory, PARTIAL), storage.join(directory, 'data'))
    storage.syncDirectory(directory)
    const log = storage.join(directory, 'log')
    storage.remove(storage.join(log, NOTE))
    storage.syncDirectory(log)
  }

  /** Gives up: removes every file, the note last. */
  abandon(): void {
    try {
      this.db.close()
    } catch {
      // What it could not write is removed anyway.
    }
    this.clear()
  }

  private clear(): void {
    const { storage, directory } = this
    const log = storage.join(directory, 'log')
    try {
      for (const name of storage.list(directory))
        if (name !== 'log') storage.remove(storage.join(directory, name))
      const names = storage.list(log).filter(name => name !== NOTE)
      for (const name of [...names, NOTE]) storage.remove(storage.join(log, name))
    } catch {
      // The note, or the log without its data file, still keeps the directory from being opened.
    }
  }
}

/** @throws XenonError `XENON_EXISTS` unless there is nothing, or an empty directory, at the path. */
export const requireEmpty = (storage: Storage, directory: string): void => {
  const kind = storage.kind(directory)
  if (kind === 'none') return
  const log = storage.join(directory, 'log')
  const isEmpty =
    kind === 'directory' &&
    storage.list(directory).every(name => name === 'log') &&
    (storage.kind(log) === 'none' || (storage.kind(log) === 'directory' && storage.list(log).length === 0))
  if (!isEmpty)
    throw new XenonError(
      'XENON_EXISTS',
      `${directory} exists and is not an empty directory; salvage writes to a new one`,
    )
}

/** @throws InvalidArgumentError if the new database would lie inside the damaged one. */
export const requireApart = (storage: Storage, directory: string, newDirectory: string): void => {
  const parent = storage.join(directory, '.')
  for (let path = storage.join(newDirectory, '.'); ; path = storage.join(path, '..')) {
    if (path === parent)
      throw new InvalidArgumentError(`${newDirectory} lies inside the database that is to be salvaged`)
    if (path === storage.join(path, '..') || path.endsWith('..')) return
  }
}

/** The storage as the database sees it: `data` is another file, and the note is not there. */
const underOtherName = (storage: Storage, directory: string): Storage => {
  const data = storage.join(directory, 'data')
  const partial = storage.join(directory, PARTIAL)
  const log = storage.join(directory, 'log')
  const real = (path: string): string => (storage.join(path) === data ? partial : path)
  return {
    name: storage.name,
    join: (...segments) => storage.join(...segments),
    kind: path => storage.kind(real(path)),
    list: path => {
      const names = storage.list(path)
      return storage.join(path) === log ? names.filter(name => name !== NOTE) : names
    },
    makeDirectory: path => storage.makeDirectory(path),
    open: (path, options) => storage.open(real(path), options),
    rename: (from, to) => storage.rename(real(from), real(to)),
    remove: path => storage.remove(real(path)),
    syncDirectory: path => storage.syncDirectory(path),
    allocatedBytes: path => storage.allocatedBytes(real(path)),
    lock: path => storage.lock(path),
    randomBytes: length => storage.randomBytes(length),
    crc32: (bytes, seed) => storage.crc32(bytes, seed),
    deflate: storage.deflate,
    now: storage.now,
    memoryBytes: storage.memoryBytes,
  }
}
