/**
 * Restores a database from a backup: copies its files beside the place where they are to stand, opens and verifies the
 * copy there, and then lets it take that place whole (replace.ts). The backup is only read.
 */
import { Engine } from '../engine/engine.ts'
import {
  CorruptionError,
  DatabaseLockedError,
  InvalidArgumentError,
  noRoomFor,
  StorageError,
  XenonError,
} from '../errors.ts'
import { nextTurn } from '../runtime/timers.ts'
import { closeAllQuietly } from '../storage/close-all.ts'
import { requireInPlace } from '../storage/home.ts'
import type { DirectoryLock, File, Storage } from '../storage/storage.ts'
import { isLogFile, PARTIAL, underName, uuidOf } from './database-files.ts'
import { datedFolders } from './dated-backups.ts'
import { liesInside } from './new-directory.ts'
import { Replacement } from './replace.ts'
import { withArchive } from './tar.ts'
import { verifyDatabase } from './verify/verify.ts'

const SLICE_BYTES = 1048576
const SYNC_BYTES = 33554432
/** As `open` has it. */
const SEGMENT_BYTES = 4194304

/** `done` and `total` in bytes copied, then in blocks checked. */
export interface RestoreProgress {
  /** What it does now: first it copies, then it checks. */
  phase: 'copy' | 'verify'
  /** So much of it is done. */
  done: number
  /** So much there is in this phase. */
  total: number
}

export interface RestoreSettings {
  at: string | undefined
  overwrite: boolean
  verify: boolean
  onProgress: ((progress: RestoreProgress) => void) | undefined
  signal: AbortSignal | undefined
  takeover: boolean
  /** Waits for a lock. */
  waiting: <T>(take: () => T) => Promise<T>
}

/** What `restore` has restored. */
export interface RestoreReport {
  /** The backup that it was restored from, and where it is now. */
  from: string
  /** Where the restored database is. */
  directory: string
  /** Bytes of the data file. */
  bytes: number
  /** Those of the root, as `stats().records` counts them. */
  records: number
  /** Where the replaced directory is, if other files than those of a database lie in it; these were not removed. */
  left: string | undefined
}

export const restoreFrom = async (
  storage: Storage,
  given: string,
  directory: string,
  settings: RestoreSettings,
): Promise<RestoreReport> => {
  if (storage.kind(given) !== 'file') return await restoreWith(storage, given, directory, settings)
  const archive = storage.open(given, { readOnly: true })
  try {
    return await restoreWith(withArchive(storage, given, archive), given, directory, settings)
  } finally {
    archive.close()
  }
}

const restoreWith = async (
  storage: Storage,
  given: string,
  directory: string,
  settings: RestoreSettings,
): Promise<RestoreReport> => {
  const { signal } = settings
  signal?.throwIfAborted()
  const from = pick(storage, given, settings.at)
  if (liesInside(storage, from, directory) || liesInside(storage, directory, from))
    throw new InvalidArgumentError(`${from} and ${directory} lie in one another; restore to another directory`)
  const { overwrite, takeover, waiting } = settings
  const lock = await waiting(() => lockToRead(storage, from))
  try {
    const replacement = await waiting(() => new Replacement(storage, directory, overwrite, takeover))
    const files: File[] = []
    try {
      const { partial } = replacement
      const data = await new Copying(storage, from, partial, settings, files).run()
      const { records } = await check(storage, from, partial, settings)
      signal?.throwIfAborted()
      requireInPlace(data)
      storage.rename(storage.join(partial, PARTIAL), storage.join(partial, 'data'))
      storage.syncDirectory(partial)
      const bytes = data.size()
      closeAllQuietly(files)
      return { from, directory, bytes, records, left: replacement.complete() }
    } catch (error) {
      closeAllQuietly(files)
      replacement.abandon()
      throw noRoomFor('what is restored', error)
    }
  } finally {
    lock?.release()
  }
}

/** The backup in a directory: itself, or of the dated folders in it the one that is asked for, or the newest. */
const pick = (storage: Storage, given: string, at: string | undefined): string => {
  if (storage.kind(given) !== 'directory')
    throw new XenonError('XENON_NOT_FOUND', `there is no backup in ${given}; check the path`)
  if (storage.kind(storage.join(given, 'data')) === 'file') {
    if (at === undefined) return given
    throw new InvalidArgumentError(`${given} is a single backup; at names one of several in a directory`)
  }
  const names = datedFolders(storage, given)
  if (names.length === 0) throw new XenonError('XENON_NOT_FOUND', `there is no backup in ${given}; check the path`)
  if (at !== undefined) {
    if (names.includes(at)) return storage.join(given, at)
    throw new XenonError('XENON_NOT_FOUND', `there is no backup ${at} in ${given}; there are ${names.join(', ')}`)
  }
  const [newest] = names as [string]
  const paths = names.map(name => storage.join(given, name))
  if (new Set(paths.map(path => uuidOf(storage, path))).size > 1)
    throw new InvalidArgumentError(
      `${given} holds backups of several databases; say which one with at (--at): ${names.join(', ')}`,
    )
  return storage.join(given, newest)
}

/** Nobody may write to it meanwhile; where no lock can be written, nobody can. */
const lockToRead = (storage: Storage, directory: string): DirectoryLock | undefined => {
  try {
    return storage.lock(directory)
  } catch (error) {
    if (error instanceof StorageError && !(error instanceof DatabaseLockedError)) return undefined
    throw error
  }
}

class Copying {
  private readonly storage: Storage
  private readonly from: string
  private readonly to: string
  private readonly settings: RestoreSettings
  /** Those that are open. */
  private readonly files: File[]
  private readonly bytes: Uint8Array = new Uint8Array(SLICE_BYTES)
  private done = 0
  private total = 0

  constructor(storage: Storage, from: string, to: string, settings: RestoreSettings, files: File[]) {
    this.storage = storage
    this.from = from
    this.to = to
    this.settings = settings
    this.files = files
  }

  /** Returns the new data file, which stays open, to tell that its directory is still the same one. */
  async run(): Promise<File> {
    const { storage, from, to } = this
    const log = storage.join(from, 'log')
    if (storage.kind(log) !== 'directory')
      throw new CorruptionError(log, 'is missing: data and log of a backup belong together')
    const names = storage.list(log).filter(isLogFile)
    const sources = [...names.map(name => storage.join('log', name)), 'data']
    const opened = sources.map(name => storage.open(storage.join(from, name), { readOnly: true }))
    this.files.push(...opened)
    this.total = opened.reduce((sum, file) => sum + file.size(), 0)
    storage.makeDirectory(storage.join(to, 'log'))
    let copy: File | undefined
    for (const [i, name] of sources.entries())
      copy = await this.copy(opened[i]!, storage.join(to, name === 'data' ? PARTIAL : name))
    storage.syncDirectory(storage.join(to, 'log'))
    storage.syncDirectory(to)
    return copy!
  }

  private async copy(from: File, path: string): Promise<File> {
    const { bytes, settings } = this
    const to = this.storage.open(path, { create: true })
    this.files.push(to)
    let unsynced = 0
    for (let at = 0; ; ) {
      const got = from.read(bytes, 0, bytes.length, at)
      if (got === 0) break
      to.write(bytes, 0, got, at)
      at += got
      this.done += got
      unsynced += got
      if (unsynced >= SYNC_BYTES) {
        await to.syncAsync()
        unsynced = 0
      }
      settings.signal?.throwIfAborted()
      settings.onProgress?.({ phase: 'copy', done: this.done, total: this.total })
      await new Promise<void>(resolve => nextTurn(resolve))
    }
    await to.syncAsync()
    return to
  }
}

/** Opens the copy, which recovers it if need be, and verifies it. */
const check = async (
  storage: Storage,
  from: string,
  directory: string,
  { verify, signal, onProgress }: RestoreSettings,
): Promise<{ records: number }> => {
  let engine: Engine | undefined
  try {
    engine = new Engine(
      directory,
      {
        storage: underName(storage, directory),
        readOnly: false,
        cacheBytes: 33554432,
        checkpointBytes: 67108864,
        logSegmentBytes: SEGMENT_BYTES,
        snapshotBytes: 67108864,
        syncsCommits: false,
      },
      undefined,
    )
    if (verify) {
      const report = await verifyDatabase(engine, {
        onProgress: ({ done, total }) => {
          signal?.throwIfAborted()
          onProgress?.({ phase: 'verify', done, total })
        },
      })
      if (!report.ok) throw new CorruptionError(directory, report.problems[0]!)
    }
    const { records } = engine.metadata
    engine.close()
    return { records }
  } catch (error) {
    try {
      engine?.close()
    } catch {
      // The copy is given up anyway.
    }
    if (!(error instanceof CorruptionError)) throw error
    throw new CorruptionError(
      from,
      `is damaged, and was not restored: ${error.message}; restore an earlier backup, or take what is sound of it with salvage`,
    )
  }
}
