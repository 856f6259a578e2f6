/**
 * Snapshots of a database: a backup as one file (a tar archive), which is restored to a directory aside to be checked, or to
 * be read record by record.
 */
import type { Change, Root, SpacePath } from '../database/changes.ts'
import type { Database } from '../database/database.ts'
import { openOn } from '../database/open.ts'
import { type Replica, replicaOf } from '../database/replica.ts'
import { restoreOn } from '../database/restore.ts'
import { XenonError } from '../errors.ts'
import { removeUnlocked } from '../maintenance/database-files.ts'
import type { Storage } from '../storage/storage.ts'
import type { StoreSnapshot } from './group-store.ts'

/** Where backups are made and restored, each under a name of its own. */
export interface BackupPlace {
  readonly scratch: string
  readonly storage: Storage
  count: number
}

const PIECE_BYTES = 131_072

/** A backup of the database, and the mark that it has. */
export async function copyOf(db: Database<unknown, unknown>, place: BackupPlace): Promise<StoreSnapshot> {
  const { storage } = place
  const path = newName(place)
  await db.backup(path, { asFile: true })
  try {
    const mark = await withRestored(path, place, copy => copy.mark)
    if (mark === undefined) throw new XenonError('XENON_NOT_READY', 'the database has applied nothing of its log yet')
    return { mark, content: piecesOf(storage, path), release: () => storage.remove(path) }
  } catch (error) {
    storage.remove(path)
    throw error
  }
}

async function* piecesOf(storage: Storage, path: string): AsyncGenerator<Uint8Array> {
  const file = storage.open(path, { readOnly: true })
  try {
    for (let at = 0; ; ) {
      const piece = new Uint8Array(PIECE_BYTES)
      const bytes = file.read(piece, 0, piece.length, at)
      if (bytes === 0) return
      at += bytes
      yield piece.subarray(0, bytes)
    }
  } finally {
    file.close()
  }
}

/**
 * Restores a snapshot aside, every byte checked, and hands it over while it is there.
 * @throws CorruptionError if it is not sound, or has another mark
 */
export async function withCopy(
  content: AsyncIterable<Uint8Array>,
  mark: Uint8Array,
  place: BackupPlace,
  work: (copy: Replica) => void,
): Promise<void> {
  const { storage } = place
  const path = newName(place)
  try {
    const file = storage.open(path, { create: true })
    try {
      let at = 0
      for await (const piece of content) {
        file.write(piece, 0, piece.length, at)
        at += piece.length
      }
    } finally {
      file.close()
    }
    await withRestored(path, place, copy => {
      if (String(copy.mark) !== String(mark))
        throw new XenonError('XENON_CORRUPT', 'the snapshot is of another state than it says')
      work(copy)
    })
  } finally {
    storage.remove(path)
  }
}

/** The backup as a database, which is removed again. */
async function withRestored<T>(path: string, place: BackupPlace, work: (copy: Replica) => T): Promise<T> {
  const { storage } = place
  const directory = newName(place)
  // It leaves nothing behind where it fails.
  await restoreOn(path, directory, {}, storage)
  try {
    const copy = openOn<unknown, unknown>(
      directory,
      { createIfMissing: false, storedEncoding: 'ignore', durability: 'none', storage },
      storage,
    )
    try {
      return work(replicaOf(copy))
    } finally {
      copy.close()
    }
  } finally {
    removeUnlocked(storage, directory)
  }
}

function newName(place: BackupPlace): string {
  const { scratch, storage } = place
  if (storage.kind(scratch) === 'none') storage.makeDirectory(scratch)
  for (;;) {
    const path = storage.join(scratch, `snapshot-${++place.count}`)
    if (storage.kind(path) === 'none') return path
  }
}

/** Removes all records of a database and of those in it. */
export function* clearing(outer: Root, space: SpacePath): Generator<Change> {
  yield { type: 'clearRange', space, lower: undefined, upper: undefined }
  for (const name of outer.subs()) {
    const sub = outer.subAsBytes(name)
    if (sub !== undefined) yield* clearing(sub, [...space, name])
  }
}
