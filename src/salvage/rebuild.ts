/**
 * A database with blocks of another size, or with values of another encoding: all records are written to a new one
 * beside it, in the way of `salvage`, which is verified and then takes its place.
 */
import type { Database } from '../database/database.ts'
import { waitForLockAside } from '../database/lock-wait.ts'
import { type ConvertOptions, openOn } from '../database/open.ts'
import { resolveOptions } from '../database/options.ts'
import type { Outer } from '../database/sub.ts'
import { CorruptionError, InvalidArgumentError, noRoomFor } from '../errors.ts'
import { Replacement } from '../maintenance/replace.ts'
import { requireProgress } from '../runtime/callbacks.ts'
import type { Storage } from '../storage/storage.ts'
import { milliseconds, refuseOptions, requireFlag } from '../values/checks.ts'
import { requireSubName } from '../values/sub-name.ts'
import { missingSub, type Recode, requireBuiltIn, requireReadable } from './recode.ts'
import { rescueFrom } from './salvage.ts'

export const rebuildOn = async (given: string, options: ConvertOptions, storage: Storage): Promise<void> => {
  const { ordered, blockSize, valueEncoding, sub, cacheBytes, lockWait = 0, takeover = false, ...rest } = options
  const { onProgress, storage: _, ...others } = rest
  refuseOptions(others)
  requireProgress(onProgress)
  requireFlag('ordered', ordered)
  const recode = checkedRecode(valueEncoding, sub)
  const sized = {
    ...(blockSize === undefined ? {} : { blockSize }),
    ...(cacheBytes === undefined ? {} : { cacheBytes }),
  }
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
      const isSized = blockSize === undefined || db.stats().blockSize === blockSize
      return (recode === undefined || isEncoded(db, recode)) && isSized
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
      recode,
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
    throw noRoomFor('the new files', error)
  }
  replacement.complete()
}

const checkedRecode = (to: ConvertOptions['valueEncoding'], sub: ConvertOptions['sub']): Recode | undefined => {
  const path = sub === undefined ? [] : (Array.isArray(sub) ? sub : [sub]).map(requireSubName)
  if (to !== undefined) {
    requireBuiltIn(to)
    return { path, to }
  }
  if (sub === undefined) return undefined
  throw new InvalidArgumentError('sub says whose values are rewritten; say as what, with valueEncoding')
}

/** @throws XenonError `XENON_NOT_FOUND`, or InvalidArgumentError for values that cannot be read. */
const isEncoded = (db: Database, { path, to }: Recode): boolean => {
  let names = db.storedEncodings
  let outer: Outer<unknown, unknown> = db as Outer<unknown, unknown>
  for (const name of path) {
    const sub = outer.subAsBytes(name)
    if (sub === undefined) throw missingSub(path)
    names = outer.encodingsOf(sub)
    outer = sub as Outer<unknown, unknown>
  }
  requireReadable(names)
  return names.valueEncoding === to
}
