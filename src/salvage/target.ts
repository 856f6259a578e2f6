/**
 * The new database under construction. Records are written as they are, but for values that are to be of another encoding: compressed values stay so, times of expiry stay
 * exact, and a record whose time has passed is taken too (the new database removes it when it is opened), so that the
 * outcome does not depend on the clock. Until it is finished nobody can open it: its data file bears another name, and
 * a note stands in its log directory that `open` refuses to build over. What a failure leaves is cleared away.
 */

import { resolveOptions } from '../database/options.ts'
import { createDatabase, type EncodingNames } from '../engine/create.ts'
import { Engine } from '../engine/engine.ts'
import type { Space } from '../engine/space.ts'
import { CorruptionError, InvalidArgumentError, MovedError, XenonError } from '../errors.ts'
import { SALVAGE_NOTE as NOTE, SALVAGE_PARTIAL as PARTIAL } from '../maintenance/database-files.ts'
import { isVacant, liesInside } from '../maintenance/new-directory.ts'
import { verifyDatabase } from '../maintenance/verify/verify.ts'
import { MARK_VERSION } from '../pager/metadata.ts'
import { RecordWriter } from '../records/record-writer.ts'
import type { Storage } from '../storage/storage.ts'
import type { TransactionState } from '../txn/transaction-state.ts'
import { Compression } from '../values/compression.ts'
import { BINARY_KEYS } from '../values/key-codec.ts'

const BATCH_RECORDS = 1000
const BATCH_BYTES = 1048576

export interface TargetOptions {
  blockSize: number
  ordered: boolean
  /** What can be read of their names. */
  encodings: EncodingNames
  cacheBytes: number | undefined
}

/** A key space of the new database. */
export class TargetSpace {
  records = 0
  bytes = 0
  /** Records whose time had passed already. */
  expired = 0
  readonly space: Space
  readonly writer: RecordWriter<Uint8Array>

  constructor(space: Space) {
    this.space = space
    this.writer = new RecordWriter(space, 'binary', new Compression('none', undefined), BINARY_KEYS)
  }
}

export class Target {
  readonly root: TargetSpace
  readonly ordered: boolean
  private readonly storage: Storage
  private readonly directory: string
  private readonly engine: Engine
  private readonly spaces: TargetSpace[] = []
  private batch: TransactionState | undefined
  private batchRecords = 0
  private batchBytes = 0

  constructor(storage: Storage, directory: string, options: TargetOptions) {
    this.storage = storage
    this.directory = directory
    this.ordered = options.ordered
    const log = storage.join(directory, 'log')
    storage.makeDirectory(log)
    storage.syncDirectory(storage.join(directory, '..'))
    storage.open(storage.join(log, NOTE), { create: true }).close()
    storage.syncDirectory(log)
    try {
      this.engine = createEngine(storage, directory, options)
    } catch (error) {
      this.clear()
      throw error
    }
    this.root = new TargetSpace(this.engine.root)
  }

  /** Makes a key space in another one, as it was: its name and note say what it is. */
  make(outer: TargetSpace, name: string, note: Uint8Array): TargetSpace {
    const { engine } = this
    if (engine.health.attention) engine.attend()
    const space = new TargetSpace(engine.spaces.make(outer.space.number, name, note))
    this.spaces.push(space)
    engine.checkpointer.afterCommit()
    return space
  }

  /** Adds a record unless there is one of this key already; true if it was added. */
  add(to: TargetSpace, key: Uint8Array, flags: number, value: Uint8Array, expiresAt: number): boolean {
    const { engine } = this
    const { index } = to.space
    if (engine.health.attention) engine.attend()
    index.key.set(key)
    if (index.find() !== 0) return false
    this.batch ??= engine.transactions.begin(false)
    to.writer.putRecord(this.batch, key, flags, value, expiresAt)
    to.records++
    to.bytes += key.length + value.length
    if (expiresAt !== 0 && expiresAt <= engine.now()) to.expired++
    this.batchRecords++
    this.batchBytes += key.length + value.length
    if (this.batchRecords >= BATCH_RECORDS || this.batchBytes >= BATCH_BYTES) this.flush()
    return true
  }

  /** The new database holds all of the state that a mark names. */
  mark(mark: Uint8Array): void {
    const { engine } = this
    engine.file.raiseVersion(engine.metadata, MARK_VERSION)
    this.flush()
    engine.transactions.commit(engine.transactions.begin(false), mark)
  }

  private flush(): void {
    const { engine } = this
    if (this.batch !== undefined) engine.transactions.commit(this.batch)
    this.batch = undefined
    this.batchRecords = 0
    this.batchBytes = 0
    engine.checkpointer.afterCommit()
  }

  /** Writes what is left, checks all of it, closes, and gives the database its name. */
  async finish(onVerify: (done: number, total: number) => void): Promise<void> {
    const { storage, directory, engine } = this
    this.flush()
    engine.checkpointer.run()
    const report = await verifyDatabase(engine, { onProgress: ({ done, total }) => onVerify(done, total) })
    const found = report.spaces.reduce((sum, { records }) => sum + records, report.records)
    const expected = this.spaces.reduce((sum, { records }) => sum + records, this.root.records)
    if (!report.ok || found !== expected || report.records !== this.root.records)
      throw new CorruptionError(
        directory,
        `the new database is not sound: ${report.problems[0] ?? `${found} records instead of ${expected}`}`,
      )
    engine.log.sync()
    engine.close()
    storage.rename(storage.join(directory, PARTIAL), storage.join(directory, 'data'))
    storage.syncDirectory(directory)
    const log = storage.join(directory, 'log')
    storage.remove(storage.join(log, NOTE))
    storage.syncDirectory(log)
  }

  /** Gives up: removes every file, the note last. */
  abandon(): void {
    try {
      this.engine.close()
    } catch {
      // What it could not write is removed anyway.
    }
    // What lies there now may be somebody else's.
    if (!(this.engine.health.failure instanceof MovedError)) this.clear()
  }

  private clear(): void {
    const { storage, directory } = this
    const log = storage.join(directory, 'log')
    try {
      for (const name of storage.list(directory)) if (name !== 'log') storage.remove(storage.join(directory, name))
      const names = storage.list(log).filter(name => name !== NOTE)
      for (const name of [...names, NOTE]) storage.remove(storage.join(log, name))
    } catch {
      // The note, or the log without its data file, still keeps the directory from being opened.
    }
  }
}

/** The engine of an empty database that only `Target` sees as one. */
const createEngine = (storage: Storage, directory: string, options: TargetOptions): Engine => {
  const { blockSize, ordered, encodings, cacheBytes } = options
  const files = underOtherName(storage, directory)
  const resolved = resolveOptions({ blockSize, ...(cacheBytes === undefined ? {} : { cacheBytes }) }, storage)
  const lock = storage.lock(directory)
  try {
    createDatabase(files, directory, blockSize, resolved.logSegmentBytes, ordered, encodings)
    return new Engine(
      directory,
      {
        storage: files,
        readOnly: false,
        cacheBytes: resolved.cacheBytes,
        checkpointBytes: resolved.checkpointBytes,
        logSegmentBytes: resolved.logSegmentBytes,
        snapshotBytes: resolved.snapshotBytes,
        syncsCommits: false,
      },
      lock,
    )
  } catch (error) {
    lock.release()
    throw error
  }
}

/** @throws XenonError `XENON_EXISTS` unless there is nothing, or an empty directory, at the path. */
export const requireEmpty = (storage: Storage, directory: string): void => {
  if (!isVacant(storage, directory))
    throw new XenonError(
      'XENON_EXISTS',
      `${directory} exists and is not an empty directory; salvage writes to a new one`,
    )
}

/** @throws InvalidArgumentError if the new database would lie inside the damaged one. */
export const requireApart = (storage: Storage, directory: string, newDirectory: string): void => {
  if (liesInside(storage, newDirectory, directory))
    throw new InvalidArgumentError(`${newDirectory} lies inside the database that is to be salvaged`)
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
    lock: (path, options) => storage.lock(path, options),
    randomBytes: length => storage.randomBytes(length),
    crc32: (bytes, seed) => storage.crc32(bytes, seed),
    deflate: storage.deflate,
    now: storage.now,
    memoryBytes: storage.memoryBytes,
  }
}
