/** Opening a database: its directory, its lock, its creation where there is none. */

import { createDatabase } from '../engine/create.ts'
import { Engine } from '../engine/engine.ts'
import { DiskFullError, InvalidArgumentError, isFull, StorageError, shown, XenonError } from '../errors.ts'
import { Reserve } from '../log/reserve.ts'
import { requireNoReplacement } from '../maintenance/replace.ts'
import { requireProgress } from '../runtime/callbacks.ts'
import { Home } from '../storage/home.ts'
import type { DirectoryLock, Storage } from '../storage/storage.ts'
import type { BuiltInEncoding, ProgressOptions } from '../types.ts'
import { milliseconds } from '../values/checks.ts'
import { Database } from './database.ts'
import { waitForLock, waitForLockAside } from './lock-wait.ts'
import { type OpenOptions, type ResolvedOptions, resolveOptions } from './options.ts'
import { namesToStore, settleEncodings } from './stored-encodings.ts'

/** What the reserve gives for a lock. */
const LOCK_BYTES = 65536

/** What `convert` is to change: `ordered`, `blockSize`, `valueEncoding` or several of them. */
export interface ConvertOptions extends ProgressOptions {
  /** The database is to keep the ordered index, or not. Default: as it is. */
  ordered?: boolean | undefined
  /** Bytes of a block; all is built anew beside the database, which takes as much room once more. Default: as it is. */
  blockSize?: number | undefined
  /**
   * Rewrites every value of the root, or of `sub`, from the encoding that is stored to this one; all is built anew beside
   * the database. A value that would not come back from it as it is ends the conversion. Default: as it is.
   */
  valueEncoding?: BuiltInEncoding | undefined
  /**
   * With `valueEncoding`: the name of the sub-database whose values are rewritten; of one that lies in others the names
   * from the outermost on. Default: the root.
   */
  sub?: string | readonly string[] | undefined
  /** Bytes of the buffer pool meanwhile. Default: as for `open`. */
  cacheBytes?: number | undefined
  /** As for `open`, but waiting does not block the thread. */
  lockWait?: number | undefined
  /** As for `open`. Default false. */
  takeover?: boolean | undefined
  /** Where the files live. Default: Node's file system. */
  storage?: Storage | undefined
}

/** Opens a database, adds the ordered index to it or takes it away, and closes it; `index.ts` adds the storage. */
export const convertOn = async (
  directory: string,
  options: Omit<ConvertOptions, 'blockSize' | 'valueEncoding' | 'sub'>,
  defaultStorage: Storage,
): Promise<void> => {
  if (typeof options?.ordered !== 'boolean')
    throw new InvalidArgumentError(
      'convert() takes { ordered: true }, { ordered: false }, { blockSize } or { valueEncoding }',
    )
  const { ordered, onProgress, lockWait, ...others } = options
  requireProgress(onProgress)
  const db = await waitForLockAside(milliseconds('lockWait', lockWait ?? 0), () =>
    openOn(
      directory,
      { ...others, createIfMissing: false, durability: 'none', storedEncoding: 'ignore' },
      defaultStorage,
    ),
  )
  try {
    await db.convert(ordered, onProgress === undefined ? {} : { onProgress })
  } finally {
    db.close()
  }
}

/** Opens a database on a given storage; `index.ts` adds the default one. */
export const openOn = <V = string, K = string>(
  directory: string,
  given: OpenOptions<V>,
  defaultStorage: Storage,
): Database<V, K> => {
  if (typeof directory !== 'string' || directory.length === 0 || directory.includes('\0'))
    throw new InvalidArgumentError('open() takes the path of a directory')
  const options = resolveOptions(given, defaultStorage)
  const { storage } = options
  const home = storage.resolve?.(directory) ?? directory
  let lock: DirectoryLock | undefined
  try {
    prepareDirectory(storage, home, options)
    if (!options.readOnly) lock = waitForLock(options.lockWait, () => takeLock(storage, home, options))
    const exists = dataExists(storage, home)
    if (exists && options.errorIfExists) throw existing(directory)
    if (!exists) {
      if (!options.createIfMissing || options.readOnly) throw missing(directory, options.readOnly)
      createDatabase(
        storage,
        home,
        options.blockSize,
        options.logSegmentBytes,
        options.ordered ?? true,
        namesToStore(options),
        new Home(storage, home, lock),
      )
    }
    const engine = new Engine(
      home,
      {
        storage,
        readOnly: options.readOnly,
        cacheBytes: options.cacheBytes,
        checkpointBytes: options.checkpointBytes,
        logSegmentBytes: options.logSegmentBytes,
        snapshotBytes: options.snapshotBytes,
        syncsCommits: options.durability === 'power',
        onRecovery: options.onRecovery,
      },
      lock,
    )
    requireBlockSize(engine, options)
    requireOrder(engine, options, directory)
    requireEncodings(engine, options, directory)
    return new Database(directory, engine, options)
  } catch (error) {
    lock?.release()
    throw roomless(error, directory)
  }
}

/** What `open` throws on a full disk. */
const roomless = (error: unknown, directory: string): unknown =>
  error instanceof StorageError && isFull(error)
    ? new DiskFullError(
        `${directory} cannot be opened for writing, since its disk is full (${error.message}); free 1 MiB on it, or open it with readOnly`,
        { cause: error },
      )
    : error

const requireBlockSize = <V>(engine: Engine, options: ResolvedOptions<V>): void => {
  const { blockSize } = engine.metadata.identity
  if (!options.blockSizeGiven || options.blockSize === blockSize) return
  engine.close()
  throw new InvalidArgumentError(
    `the database has a block size of ${blockSize}, fixed at its creation; open it without blockSize: ${options.blockSize}`,
  )
}

const requireOrder = <V>(engine: Engine, options: ResolvedOptions<V>, directory: string): void => {
  const { ordered } = engine.metadata
  if (options.ordered === undefined || options.ordered === ordered) return
  engine.close()
  throw new InvalidArgumentError(
    `the database was created with ordered: ${ordered}; open it without the option, or change it with 'xenondb convert ${directory} ${ordered ? '--unordered' : '--ordered'}'`,
  )
}

const requireEncodings = <V>(engine: Engine, options: ResolvedOptions<V>, directory: string): void => {
  try {
    settleEncodings(engine, options, directory)
  } catch (error) {
    engine.close()
    throw error
  }
}

const prepareDirectory = <V>(storage: Storage, directory: string, options: ResolvedOptions<V>): void => {
  const kind = storage.kind(directory)
  if (kind !== 'none' && kind !== 'directory')
    throw new InvalidArgumentError(`${directory} is not a directory; a database is a directory of its own`)
  const exists = kind === 'directory' && dataExists(storage, directory)
  if (exists && options.errorIfExists) throw existing(directory)
  if (exists) return
  requireNoReplacement(storage, directory)
  if (!options.createIfMissing || options.readOnly) throw missing(directory, options.readOnly)
  if (kind === 'directory' && !options.force) requireOwnDirectory(storage, directory)
  const created: string[] = []
  for (let path = directory; storage.kind(path) === 'none'; path = storage.join(path, '..')) created.push(path)
  storage.makeDirectory(directory)
  for (const path of created) storage.syncDirectory(storage.join(path, '..'))
  if (created.length === 0) syncParent(storage, directory)
}

/**
 * Of a database, also of one whose creation was cut off, and what systems and tools leave in any directory: hidden files
 * (`.gitkeep`, `.DS_Store`), the root of a file system.
 */
const NO_OTHER_FILE =
  /^(data|data\.(new|salvage)|log|lock(\..*)?|inspect\..*|\..*|lost\+found|Thumbs\.db|desktop\.ini)$/

/** A database among other files is seldom meant: `open('.')`, or the directory of the program in place of its data. */
const requireOwnDirectory = (storage: Storage, directory: string): void => {
  const others = storage.list(directory).filter(name => !NO_OTHER_FILE.test(name))
  if (others.length === 0) return
  const some = others.sort().slice(0, 3).map(shown).join(', ')
  throw new XenonError(
    'XENON_EXISTS',
    `${directory} holds other files (${some}${others.length > 3 ? ', …' : ''}) and no database; a database has a directory of its own, such as ${storage.join(directory, 'db')}; the option force (--force) makes one there all the same`,
  )
}

/** A process that was killed may have made the directory and not have come to sync its name. */
const syncParent = (storage: Storage, directory: string): void => {
  try {
    storage.syncDirectory(storage.join(directory, '..'))
  } catch (error) {
    // A parent that may be passed through but not read: whoever made the directory there has seen to its name.
    const code = (error as { cause?: { code?: unknown } }).cause?.code
    if (code !== 'EACCES' && code !== 'EPERM') throw error
  }
}

const dataExists = (storage: Storage, directory: string): boolean =>
  storage.kind(storage.join(directory, 'data')) !== 'none'

const takeLock = <V>(storage: Storage, directory: string, { takeover }: ResolvedOptions<V>): DirectoryLock => {
  try {
    return storage.lock(directory, { takeover })
  } catch (error) {
    // The lock takes a block, which the reserve gives.
    if (isFull(error) && reserveOf(storage, directory)?.giveUp(LOCK_BYTES)) return storage.lock(directory, { takeover })
    throw error
  }
}

const reserveOf = (storage: Storage, directory: string): Reserve | undefined => {
  const log = storage.join(directory, 'log')
  return storage.kind(log) === 'directory' ? new Reserve(storage, log) : undefined
}

/** Who only reads cannot have one made. */
const missing = (directory: string, readOnly: boolean): XenonError =>
  new XenonError(
    'XENON_NOT_FOUND',
    `there is no database in ${directory}; check the path${readOnly ? '' : ', or open it with createIfMissing'}`,
  )

const existing = (directory: string): XenonError =>
  new XenonError('XENON_EXISTS', `there is a database in ${directory} already, and errorIfExists was asked for`)
