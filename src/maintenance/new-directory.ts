/** Where a copy of a database may be written: both `backup` and `salvage` build theirs in a new directory. */
import { StorageError } from '../errors.ts'
import type { Storage } from '../storage/storage.ts'

/** True if there is nothing at the path, an empty directory, or the empty log of a copy that was given up. */
export const isVacant = (storage: Storage, directory: string): boolean => {
  const kind = storage.kind(directory)
  if (kind === 'none') return true
  const log = storage.join(directory, 'log')
  return (
    kind === 'directory' &&
    storage.list(directory).every(name => name === 'log') &&
    (storage.kind(log) === 'none' || (storage.kind(log) === 'directory' && storage.list(log).length === 0))
  )
}

/**
 * True if a path is the directory of a database, or lies below it, whatever leads there: links, bind mounts, another
 * spelling. Both are resolved, so that `..` leads to the parent.
 */
export const liesInside = (storage: Storage, inner: string, directory: string): boolean => {
  const outer = storage.join(directory, '.')
  const identities = [outer, storage.join(outer, 'log')].map(path => storage.identity?.(path))
  for (let path = storage.join(inner, '.'); ; path = storage.join(path, '..')) {
    const identity = identityIfTold(storage, path)
    if (path === outer || (identity !== undefined && identities.includes(identity))) return true
    if (path === storage.join(path, '..') || path.endsWith('..')) return false
  }
}

/** A sandbox may refuse to tell of the directories above those that a program may use: the database is none of them. */
const identityIfTold = (storage: Storage, path: string): string | undefined => {
  try {
    return storage.identity?.(path)
  } catch (error) {
    if (error instanceof StorageError) return undefined
    throw error
  }
}
