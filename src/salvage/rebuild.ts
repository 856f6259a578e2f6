/**
 * A database with blocks of another size: all records are written to a new one beside it, in the way of `salvage`, which
 * is verified and then takes its place.
 */
import { waitForLockAside } from '../database/lock-wait.ts'
import { type ConvertOptions, openOn } from '../database/open.ts'
import { resolveOptions } from '../database/options.ts'
import { CorruptionError } from '../errors.ts'
import { Replacement } from '../maintenance/replace.ts'
import { requireProgress } from '../runtime/callbacks.ts'
import type { Storage } from '../storage/storage.ts'
import { milliseconds } from '../values/checks.ts'
import { rescueFrom } from './salvage.ts'

export const rebuildOn = async (
  given: string,
  { blockSize, cacheBytes, lockWait = 0, takeover = false, onProgress }: ConvertOptions & { blockSize: number },
  storage: Storage,
): Promise<void> => {
  requireProgress(onProgress)
  const sized = { blockSize, ...(cacheBytes === undefined ? {} : { cacheBytes }) }
  resolveOptions(sized, storage)
  const directory = storage.resolve?.(given) ?? given
  const waiting = <T>(take: () => T): Promise<T> => waitForLockAside(milliseconds('lockWait', lockWait), take)
  // It is recovered, if need be, and closed: what follows meets a sound database, or an error that names the damage.
  const isDone = await waiting(() => {
    const db = openOn(
      given,
      { createIfMissing: false, durability: 'none', storedEncoding: 'ignore', takeover, storage },
      storage,
    )
    try {
      return db.stats().blockSize === blockSize
    } finally {
      db.close()
    }
  })
  if (isDone) return
  const replacement = await waiting(() => new Replacement(storage, directory, true, takeover))
  try {
    replacement.lend()
    const report = await rescueFrom(storage, directory, replacement.partial, {
      ...sized,
      ...(onProgress && { onProgress: ({ done, total }) => onProgress({ done, total }) }),
    })
    replacement.takeBack()
    if (!report.complete)
      throw new CorruptionError(
        directory,
        "is damaged, and was left as it is: not all of its records can be read; 'xenondb verify' names the damage",
      )
  } catch (error) {
    replacement.takeBack()
    replacement.abandon()
    throw error
  }
  replacement.complete()
}
