/** A whole database as one file, out of a worker and into it. */
import type { Database } from '../database/database.ts'
import { openOn } from '../database/open.ts'
import { CorruptionError, XenonError } from '../errors.ts'
import { clearDatabase, isLogFile, PARTIAL } from '../maintenance/database-files.ts'
import { type Archive, packed, withArchive } from '../maintenance/tar.ts'
import { nextTurn } from '../runtime/timers.ts'
import { memoryStorage } from '../storage/memory.ts'
import type { Storage } from '../storage/storage.ts'
import { scratchDirectory, takenError } from './handles.ts'
import { type OpfsStorage, opfsStorage, storageIn } from './opfs.ts'
import { lockOf } from './tabs.ts'
import { locksHere } from './web.ts'

const COPY = 'copy'
const ARCHIVE = 'the file'
const SLICE_BYTES = 1048576
const TYPE = 'application/x-tar'

/** Reads a blob at once: there is one in workers. */
declare const FileReaderSync: new () => { readAsArrayBuffer(part: Blob): ArrayBuffer }

/** A database as it is committed now. What lies in the blob is the browser's, who keeps much of it on the disk. */
export const exported = async (db: Database<unknown, unknown>): Promise<Blob> => {
  const scratch = await scratchDirectory()
  if (scratch === undefined) return await copyOf(db, memoryStorage())
  const [directory, remove] = scratch
  let storage: OpfsStorage | undefined
  try {
    storage = await storageIn(directory, COPY)
    return await copyOf(db, storage)
  } finally {
    storage?.dispose()
    await remove()
  }
}

const copyOf = async (db: Database<unknown, unknown>, storage: Storage): Promise<Blob> => {
  await db.copyTo(storage, COPY)
  const parts: Blob[] = []
  for (const bytes of packed(storage, COPY)) {
    parts.push(new Blob([bytes as Uint8Array<ArrayBuffer>]))
    await new Promise<void>(nextTurn)
  }
  return new Blob(parts, { type: TYPE })
}

/**
 * Makes a database of a file, and checks it.
 * @throws DatabaseLockedError if somebody has one of this name open; XenonError `XENON_EXISTS` if there is one;
 *   CorruptionError if the file is none, or damaged: then there is none of this name
 */
export const imported = (name: string, file: Blob): Promise<void> =>
  locksHere().request(lockOf(name), { ifAvailable: true }, async lock => {
    if (lock === null) throw takenError(name)
    const storage = await opfsStorage(name)
    try {
      await fill(storage, name, file)
    } finally {
      storage.dispose()
    }
  })

const fill = async (storage: OpfsStorage, name: string, file: Blob): Promise<void> => {
  const data = storage.join(name, 'data')
  if (storage.kind(data) !== 'none')
    throw new XenonError(
      'XENON_EXISTS',
      `there is a database '${name}': import under another name, or deleteDatabase()`,
    )
  // Of an import that was cut off.
  clearDatabase(storage, name)
  const archive = withArchive(storage, ARCHIVE, archiveOf(file))
  const log = storage.join(name, 'log')
  storage.makeDirectory(log)
  try {
    const names = archive.list(storage.join(ARCHIVE, 'log')).filter(isLogFile)
    for (const each of names) await copy(archive, storage.join(ARCHIVE, 'log', each), storage.join(log, each))
    const partial = storage.join(name, PARTIAL)
    await copy(archive, storage.join(ARCHIVE, 'data'), partial)
    storage.rename(partial, data)
    storage.syncDirectory(name)
    await check(storage, name)
  } catch (error) {
    clearDatabase(storage, name)
    storage.syncDirectory(name)
    throw error
  }
}

const archiveOf = (file: Blob): Archive => ({
  size: () => file.size,
  read: (target, offset, length, position) => {
    const part = new FileReaderSync().readAsArrayBuffer(file.slice(position, position + length))
    target.set(new Uint8Array(part), offset)
    return part.byteLength
  },
})

const copy = async (storage: Storage, from: string, to: string): Promise<void> => {
  const source = storage.open(from, { readOnly: true })
  const target = storage.open(to, { create: true })
  const slice = new Uint8Array(SLICE_BYTES)
  for (let at = 0; ; ) {
    const got = source.read(slice, 0, slice.length, at)
    if (got === 0) break
    target.write(slice, 0, got, at)
    at += got
  }
  await target.syncAsync()
  target.close()
}

const check = async (storage: Storage, name: string): Promise<void> => {
  const db = openOn(name, { storage, storedEncoding: 'ignore' }, storage)
  try {
    const { ok, problems } = await db.verify()
    if (!ok) throw new CorruptionError('the file', `is damaged, and was not imported: ${problems[0]}`)
  } finally {
    db.close()
  }
}
