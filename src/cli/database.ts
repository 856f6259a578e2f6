/** Opening the database that a command names, as bytes: what they mean is the command's business. */
import { StorageError } from '../errors.ts'
import { type Database, open } from '../index.ts'

export type ByteDatabase = Database<Uint8Array>

export interface Access {
  /** Only commands that bring records may create a database. */
  createIfMissing: boolean
  /** The command writes nothing. */
  onlyReads?: boolean
}

/** Opens, runs `work`, and closes whatever happens. */
export async function withDatabase<R>(
  directory: string,
  access: Access,
  work: (db: ByteDatabase) => R | Promise<R>,
): Promise<R> {
  const db = openBytes(directory, access)
  try {
    return await work(db)
  } finally {
    db.close()
  }
}

/** Where no lock can be written (a full disk, a read-only one), a database that was closed cleanly can still be read. */
function openBytes(directory: string, { createIfMissing, onlyReads = false }: Access): ByteDatabase {
  const options = { valueEncoding: 'binary', keyEncoding: 'binary', createIfMissing } as const
  try {
    return open<Uint8Array>(directory, options)
  } catch (error) {
    if (!onlyReads || !(error instanceof StorageError)) throw error
    try {
      return open<Uint8Array>(directory, { ...options, readOnly: true })
    } catch {
      throw error
    }
  }
}

/** All records in the order of the cursor. The bytes are the caller's to keep. */
export function* records(db: ByteDatabase): Generator<{ key: Uint8Array; value: Uint8Array }> {
  const cursor = db.cursor()
  try {
    while (cursor.next()) {
      const { key, value } = cursor.readCurrent()
      // `keyEncoding: 'binary'` gives keys as bytes, whatever the type of an entry says.
      yield { key: key as unknown as Uint8Array, value }
    }
  } finally {
    cursor.close()
  }
}
