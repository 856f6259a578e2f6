/**
 * Backups in folders that bear their time, side by side in a directory that may hold other things too.
 *
 * | name | |
 * | --- | --- |
 * | `2026-11-30T02-15-52Z` | a whole backup; `…Z-2` is the second one of that second |
 * | `2026-11-30T02-15-52Z.partial` | one that is being written or removed, under a lock; with a dead owner, a leftover |
 *
 *  F1  A folder gets a whole backup's name by one rename, when all in it is synced. So a name without `.partial` is a
 *      backup, and is counted.
 *  F2  Only folders are counted and removed that hold the files of a database, of this very one (its UUID), and nothing
 *      else.
 *  F3  A folder is renamed to `.partial` before anything in it is removed, so that no half of one is ever counted.
 */
import { DatabaseLockedError, InvalidArgumentError, MovedError, shown, XenonError } from '../errors.ts'
import type { DirectoryLock, Storage } from '../storage/storage.ts'
import { holdsNothingElse, makeDurably, mayBeOf, releaseMoved, removeDatabase, uuidOf } from './database-files.ts'
import { liesInside } from './new-directory.ts'

const NAME = /^(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ)(?:-(\d{1,6}))?$/
const PARTIAL_FOLDER = '.partial'
const MOST_KEPT = 10_000

/** @throws InvalidArgumentError */
export const requireKeep = (keep: unknown): void => {
  if (keep === undefined || (Number.isInteger(keep) && (keep as number) >= 1 && (keep as number) <= MOST_KEPT)) return
  throw new InvalidArgumentError(`keep must be a whole number of backups from 1 to ${MOST_KEPT}, not ${shown(keep)}`)
}

/** Names of dated folders with a data file, the newest first, whoever's they are. */
export const datedFolders = (storage: Storage, directory: string): string[] =>
  storage
    .list(directory)
    .filter(name => NAME.test(name) && storage.kind(storage.join(directory, name)) === 'directory')
    .filter(name => storage.kind(storage.join(directory, name, 'data')) === 'file')
    .sort(newestFirst)

const newestFirst = (a: string, b: string): number => {
  const [first, second] = [partsOf(a), partsOf(b)]
  return first.time === second.time ? second.number - first.number : first.time < second.time ? 1 : -1
}

const partsOf = (name: string): { time: string; number: number } => {
  const [, time = '', number = '1'] = NAME.exec(name) ?? []
  return { time, number: Number(number) }
}

/** A folder for a backup under way, with its lock held. */
export interface Begun {
  /** Where to write. */
  readonly partial: string
  /** Gives it its name, now that it is whole and synced; returns where it is. */
  complete(): string
  abandon(): void
}

export class DatedBackups {
  private readonly storage: Storage
  /** Absolute, where the storage can tell. */
  private readonly directory: string
  private readonly uuid: string

  /**
   * `source`: the directory of the database.
   * @throws XenonError `XENON_EXISTS` if a file or a database stands there, InvalidArgumentError inside the database.
   */
  constructor(storage: Storage, directory: string, source: string, uuid: string) {
    this.storage = storage
    this.directory = directory
    this.uuid = uuid
    const kind = storage.kind(directory)
    if (liesInside(storage, directory, source))
      throw new InvalidArgumentError('a backup cannot lie inside the database itself; choose another directory')
    if (kind === 'file' || kind === 'other')
      throw new XenonError('XENON_EXISTS', `${directory} is no directory; with keep, backups go into folders in one`)
    if (kind === 'directory' && storage.kind(storage.join(directory, 'data')) !== 'none')
      throw new XenonError(
        'XENON_EXISTS',
        `${directory} is a database, or a single backup; with keep, backups go into folders of a directory of their own`,
      )
  }

  /** Clears what killed backups have left, and makes the folder for a new one. `now`: milliseconds since 1970. */
  begin(now: number): Begun {
    const { storage, directory } = this
    makeDurably(storage, directory)
    this.clearLeftovers()
    const [newest] = datedFolders(storage, directory)
    const time = `${new Date(now).toISOString().slice(0, 19).replaceAll(':', '-')}Z`
    // After the clock was set back, what is newer goes on to sort as newer.
    const after = newest === undefined ? undefined : partsOf(newest)
    const base = after !== undefined && after.time > time ? after.time : time
    for (let number = after?.time === base ? after.number + 1 : 1; ; number++) {
      const begun = this.tryBegin(number === 1 ? base : `${base}-${number}`)
      if (begun !== undefined) return begun
    }
  }

  /** Undefined if the name is taken. */
  private tryBegin(name: string): Begun | undefined {
    const { storage, directory } = this
    const final = storage.join(directory, name)
    const partial = `${final}${PARTIAL_FOLDER}`
    if (storage.kind(final) !== 'none' || storage.kind(partial) !== 'none') return undefined
    storage.makeDirectory(partial)
    let lock: DirectoryLock
    try {
      lock = storage.lock(partial)
    } catch (error) {
      // Another backup was as fast.
      if (error instanceof DatabaseLockedError || storage.kind(partial) === 'none') return undefined
      throw error
    }
    const isOurs = storage.list(partial).every(entry => entry.startsWith('lock')) && storage.kind(final) === 'none'
    if (!isOurs) {
      lock.release()
      return undefined
    }
    storage.syncDirectory(directory)
    return {
      partial,
      complete: () => {
        requireOurs(lock, partial)
        // F1
        storage.rename(partial, final)
        storage.syncDirectory(directory)
        releaseMoved(storage, lock, final)
        return final
      },
      abandon: () => {
        // If another directory has taken its place, nothing in there is ours.
        const isInPlace = quietly(() => lock.inPlace?.() !== false) ?? false
        if (isInPlace) quietly(() => removeDatabase(storage, partial, lock))
        quietly(() => lock.release())
      },
    }
  }

  /** What killed backups and removals have left (F2). */
  private clearLeftovers(): void {
    const { storage, directory } = this
    for (const name of storage.list(directory)) {
      if (!name.endsWith(PARTIAL_FOLDER) || !NAME.test(name.slice(0, -PARTIAL_FOLDER.length))) continue
      const path = storage.join(directory, name)
      if (!this.isOurs(path, mayBeOf)) continue
      const lock = this.lockIfFree(path)
      if (lock !== undefined) quietly(() => removeDatabase(storage, path, lock))
    }
  }

  /** Whoever backs up another database to the same place may complete or remove it meanwhile: then it is not. */
  private isOurs(path: string, isOf: (storage: Storage, path: string, uuid: string) => boolean): boolean {
    const { storage, uuid } = this
    return (
      quietly(
        () => storage.kind(path) === 'directory' && holdsNothingElse(storage, path) && isOf(storage, path, uuid),
      ) ?? false
    )
  }

  private lockIfFree(path: string): DirectoryLock | undefined {
    return quietly(() => this.storage.lock(path))
  }

  /**
   * Removes the oldest backups of this database until so many are left. One that somebody has open, or that cannot be
   * removed, stays until the next time. Returns the names of those that are left, and of those removed.
   */
  rotate(keep: number): { kept: string[]; removed: string[] } {
    const { storage, directory } = this
    const ours = datedFolders(storage, directory).filter(name => this.isOurs(storage.join(directory, name), isOf))
    const removed = ours.slice(keep).filter(name => quietly(() => this.remove(name)) ?? false)
    return { kept: ours.filter(name => !removed.includes(name)), removed }
  }

  private remove(name: string): boolean {
    const { storage, directory } = this
    const path = storage.join(directory, name)
    const partial = `${path}${PARTIAL_FOLDER}`
    if (storage.kind(partial) !== 'none') return false
    const lock = this.lockIfFree(path)
    if (lock === undefined) return false
    try {
      requireOurs(lock, path)
      // F3
      storage.rename(path, partial)
    } catch (error) {
      lock.release()
      throw error
    }
    storage.syncDirectory(directory)
    removeDatabase(storage, partial, lock)
    return true
  }
}

const isOf = (storage: Storage, path: string, uuid: string): boolean => uuidOf(storage, path) === uuid

/** @throws MovedError */
export const requireOurs = (lock: DirectoryLock, path: string): void => {
  if (lock.inPlace?.() === false)
    throw new MovedError(
      path,
      'is another directory by now: the one there was has been moved or removed. What stands there was left alone',
    )
}

const quietly = <T>(work: () => T): T | undefined => {
  try {
    return work()
  } catch {
    return undefined
  }
}
