/**
 * A directory of a database takes the place of another one, whole: `restore`, and `convert` with another block size,
 * build theirs beside it.
 *
 * | path | |
 * | --- | --- |
 * | `X.restoring` | the new one, under a lock; its data file is `data.new` until it is whole |
 * | `X.replaced` | the one that stood at `X`, from one rename until the new one stands there and this one is removed |
 *
 *  M1  `X` is renamed to `X.replaced` only when `X.restoring` is whole, verified and synced.
 *  M2  While `X.replaced` is there and `X` is not, `open` makes no database at `X` (`requireNoReplacement`): a crash
 *      between the two renames never shows as an empty database.
 *  M3  `X` is missing only while `X.restoring` is whole: whoever meets that state and goes on puts `X.replaced` back first.
 *  M4  Nothing is removed but files that a database makes.
 */
import { InvalidArgumentError, XenonError } from '../errors.ts'
import type { DirectoryLock, Storage } from '../storage/storage.ts'
import { clearDatabase, holdsNothingElse, makeDurably, releaseMoved, removeDatabase } from './database-files.ts'
import { requireOurs } from './dated-backups.ts'

export const asideOf = (directory: string): string => `${directory}.replaced`

const newOf = (directory: string): string => `${directory}.restoring`

const hasData = (storage: Storage, directory: string): boolean =>
  storage.kind(directory) === 'directory' && storage.kind(storage.join(directory, 'data')) !== 'none'

const isLeftover = (storage: Storage, directory: string): boolean =>
  storage.kind(directory) === 'directory' && holdsNothingElse(storage, directory)

/**
 * Before a database is made, or missed, where there is none (M2).
 * @throws XenonError `XENON_NOT_FOUND` if a restore was cut off between its renames.
 */
export const requireNoReplacement = (storage: Storage, directory: string): void => {
  const aside = asideOf(directory)
  // M2
  if (!hasData(storage, aside)) return
  throw new XenonError(
    'XENON_NOT_FOUND',
    `there is no database in ${directory}: a restore of it was cut off. The one that stood there is ${aside}, the one that was to take its place ${newOf(directory)}, whole: rename the one that you want to ${directory}, and move the other away; or restore once more with overwrite`,
  )
}

export class Replacement {
  /** Where the new one is to be built. */
  readonly partial: string
  private readonly storage: Storage
  private readonly directory: string
  /** Of the database that is to be replaced, if there is one. */
  private readonly old: DirectoryLock | undefined
  private lock: DirectoryLock
  private isLent = false

  /**
   * Takes the locks of both, and clears what an earlier one has left.
   * @throws XenonError `XENON_EXISTS` if something stands there that may not be replaced, `XENON_LOCKED` if somebody has
   *   it open.
   */
  constructor(storage: Storage, directory: string, overwrite: boolean, takeover: boolean = false) {
    this.storage = storage
    this.directory = directory
    this.partial = newOf(directory)
    if (storage.join(directory, '..') === directory)
      throw new InvalidArgumentError(`${directory} cannot be a database; name a directory below it`)
    requireReplaceable(storage, directory, overwrite)
    if (storage.kind(directory) === 'none' && hasData(storage, asideOf(directory))) this.putBack()
    this.old = hasData(storage, directory) ? storage.lock(directory, { takeover }) : undefined
    try {
      this.lock = this.makeNew()
    } catch (error) {
      this.old?.release()
      throw error
    }
  }

  /** One that was cut off between its renames: what it had moved aside stands in its place again (M3). */
  private putBack(): void {
    const { storage, directory } = this
    const aside = asideOf(directory)
    const lock = storage.lock(aside)
    storage.rename(aside, directory)
    storage.syncDirectory(storage.join(directory, '..'))
    releaseMoved(storage, lock, directory)
  }

  private makeNew(): DirectoryLock {
    const { storage, partial } = this
    const kind = storage.kind(partial)
    // M4
    if (kind !== 'none' && !isLeftover(storage, partial))
      throw new XenonError(
        'XENON_EXISTS',
        `${partial} stands where the new database is to be built, and holds other things; move it away`,
      )
    makeDurably(storage, partial)
    const lock = storage.lock(partial)
    try {
      // What a killed one has left.
      clearDatabase(storage, partial)
    } catch (error) {
      lock.release()
      throw error
    }
    return lock
  }

  /** The new one is whole and synced, `data` has its name: it takes its place. Returns what is left of the old one. */
  complete(): string | undefined {
    const { storage, directory, partial, lock, old } = this
    const parent = storage.join(directory, '..')
    const aside = asideOf(directory)
    requireOurs(lock, partial)
    if (old !== undefined) {
      requireOurs(old, directory)
      // Of an earlier replacement that was cut off when all was done but this.
      if (storage.kind(aside) === 'directory') removeDatabase(storage, aside, storage.lock(aside))
      // M1
      storage.rename(directory, aside)
    } else if (storage.kind(directory) === 'directory') storage.removeDirectory?.(directory)
    try {
      storage.syncDirectory(parent)
      storage.rename(partial, directory)
    } catch (error) {
      // Nothing stands at its name now: the old one goes back.
      if (old !== undefined) storage.rename(aside, directory)
      throw error
    }
    storage.syncDirectory(parent)
    releaseMoved(storage, lock, directory)
    if (storage.kind(aside) !== 'directory') return undefined
    try {
      return removeDatabase(storage, aside, old ?? storage.lock(aside)) ? undefined : aside
    } catch {
      old?.release()
      return aside
    }
  }

  /** Somebody else builds it, who takes its lock meanwhile; `takeBack` when that is done. */
  lend(): void {
    this.lock.release()
    this.isLent = true
  }

  takeBack(): void {
    if (!this.isLent) return
    this.lock = this.storage.lock(this.partial)
    this.isLent = false
  }

  /** Gives up: what was built goes, and what was to be replaced stays. */
  abandon(): void {
    const { storage, partial, lock, old } = this
    try {
      // If another directory has taken its place, nothing in there is ours.
      if (lock.inPlace?.() !== false) removeDatabase(storage, partial, lock)
    } catch {
      // The next one clears it.
    }
    for (const held of [lock, old]) {
      try {
        held?.release()
      } catch {
        // The end of the process gives it back.
      }
    }
  }
}

const requireReplaceable = (storage: Storage, directory: string, overwrite: boolean): void => {
  const kind = storage.kind(directory)
  if (kind === 'file' || kind === 'other')
    throw new InvalidArgumentError(`${directory} is not a directory; a database is a directory of its own`)
  if (hasData(storage, directory)) {
    const aside = asideOf(directory)
    // Of an earlier replacement, whole or partly removed, or somebody else's.
    if (overwrite && storage.kind(aside) !== 'none' && !isLeftover(storage, aside))
      throw new XenonError(
        'XENON_EXISTS',
        `${aside} stands where the present database is to be moved to, and holds other things; move it away`,
      )
    if (overwrite) return
    throw new XenonError(
      'XENON_EXISTS',
      `there is a database in ${directory}; restore to another directory, or say overwrite (--overwrite)`,
    )
  }
  if (kind === 'directory' && storage.list(directory).length > 0)
    throw new XenonError('XENON_EXISTS', `${directory} holds other things and no database; restore to a new directory`)
  if (!overwrite) requireNoReplacement(storage, directory)
}
