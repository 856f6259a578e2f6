/** A backup that is one file: built beside its place as a directory, packed there, and renamed when it is whole. */
import type { Engine } from '../engine/engine.ts'
import { noRoomFor, XenonError } from '../errors.ts'
import type { Store } from '../records/store.ts'
import type { Storage } from '../storage/storage.ts'
import { type BackupSettings, backup } from './backup.ts'
import { removeUnlocked } from './database-files.ts'
import { isVacant } from './new-directory.ts'
import type { BackupReport } from './shapes.ts'
import { packed } from './tar.ts'

/** Bytes of the archive between two turns of the event loop. */
const SLICE_BYTES = 4194304

/** @throws XenonError `XENON_EXISTS` unless there is nothing at the path. */
export const backupToFile = async <V>(
  engine: Engine,
  store: Store<V>,
  storage: Storage,
  source: string,
  given: string,
  options: BackupSettings,
): Promise<BackupReport> => {
  const path = storage.resolve?.(given) ?? given
  requireNothingAt(storage, path)
  const parts = `${path}.parts`
  if (!isVacant(storage, parts))
    throw new XenonError(
      'XENON_EXISTS',
      `${parts} exists: another backup to ${path} is under way, or one was interrupted; remove it if none is`,
    )
  const report = await backup(engine, store, storage, source, parts, options)
  try {
    const bytes = await writeFile(engine, storage, parts, path)
    return { ...report, directory: path, bytes }
  } catch (error) {
    throw noRoomFor('the backup', error)
  } finally {
    removeUnlocked(storage, parts)
  }
}

const requireNothingAt = (storage: Storage, path: string): void => {
  if (storage.kind(path) !== 'none')
    throw new XenonError('XENON_EXISTS', `${path} exists; a backup as one file goes to a new one`)
}

/** Until it is whole, the file lies in the directory of its parts, where nobody else has one. */
const writeFile = async (engine: Engine, storage: Storage, parts: string, path: string): Promise<number> => {
  const partial = storage.join(parts, 'archive')
  const file = storage.open(partial, { create: true })
  try {
    let at = 0
    let turnAt = SLICE_BYTES
    for (const bytes of packed(storage, parts)) {
      file.write(bytes, 0, bytes.length, at)
      at += bytes.length
      if (at < turnAt) continue
      turnAt = at + SLICE_BYTES
      await file.syncAsync()
      await engine.turn()
    }
    await file.syncAsync()
    file.close()
    requireNothingAt(storage, path)
    storage.rename(partial, path)
    storage.syncDirectory(storage.join(path, '..'))
    return at
  } catch (error) {
    file.close()
    storage.remove(partial)
    throw error
  }
}
