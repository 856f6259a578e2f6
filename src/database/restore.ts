/** Restoring a database from a backup: the options, checked. */
import { InvalidArgumentError } from '../errors.ts'
import { type RestoreProgress, type RestoreReport, restoreFrom } from '../maintenance/restore.ts'
import { requireProgress } from '../runtime/callbacks.ts'
import type { Storage } from '../storage/storage.ts'
import { milliseconds, refuseOptions, requireFlag, requireObject, requireSignal } from '../values/checks.ts'
import { waitForLockAside } from './lock-wait.ts'

/** How `restore` goes about it. */
export interface RestoreOptions {
  /** Of a directory with dated backups: the name of the one to restore. Default: the newest. */
  at?: string | undefined
  /** Replace the database that stands there; it is removed when the restored one has taken its place. Default false. */
  overwrite?: boolean | undefined
  /** Check every block before anything is replaced. Default true. */
  verify?: boolean | undefined
  /** Called now and then while it copies, and while it checks. */
  onProgress?: ((progress: RestoreProgress) => void) | undefined
  /** Ends it, until the moment when the restored database takes its place: then everything is as it was. */
  signal?: AbortSignal | undefined
  /** As for `open`, but waiting does not block the thread. */
  lockWait?: number | undefined
  /** As for `open`, of the database that is replaced. Default false. */
  takeover?: boolean | undefined
  /** Where both live. Default: Node's file system. */
  storage?: Storage | undefined
}

/** `index.ts` adds the default storage. */
export const restoreOn = async (
  backup: string,
  directory: string,
  options: RestoreOptions,
  defaultStorage: Storage,
): Promise<RestoreReport> => {
  for (const path of [backup, directory])
    if (typeof path !== 'string' || path.length === 0 || path.includes('\0'))
      throw new InvalidArgumentError('restore() takes the paths of a backup and of a directory')
  const { at, overwrite, verify, onProgress, signal, lockWait, takeover, storage, ...others } = requireObject(options)
  refuseOptions(others)
  for (const [name, value] of Object.entries({ overwrite, verify, takeover })) requireFlag(name, value)
  if (at !== undefined && typeof at !== 'string')
    throw new InvalidArgumentError('at must be the name of a dated backup, such as 2026-11-30T02-15-52Z')
  requireProgress(onProgress)
  requireSignal(signal)
  const wait = milliseconds('lockWait', lockWait ?? 0)
  const files = storage ?? defaultStorage
  const [from, to] = [backup, directory].map(path => files.resolve?.(path) ?? files.join(path)) as [string, string]
  return await restoreFrom(files, from, to, {
    at,
    overwrite: overwrite ?? false,
    verify: verify ?? true,
    onProgress,
    signal,
    takeover: takeover ?? false,
    waiting: take => waitForLockAside(wait, take, signal),
  })
}
