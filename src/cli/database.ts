/** Opening the database that a command names, as bytes: what they mean is the command's business. */
import { type Database, open } from '../index.ts'

export type ByteDatabase = Database<Uint8Array>

export interface Access {
  /** Only commands that bring records may create a database. */
  createIfMissing: boolean
}

/** Opens, runs `work`, and closes whatever happens. */
export async function withDatabase<R>(
  directory: string,
  { createIfMissing }: Access,
  work: (db: ByteDatabase) => R | Promise<R>,
): Promise<R> {
  const db = open<Uint8Array>(directory, { valueEncoding: 'binary', keyEncoding: 'binary', createIfMissing })
  try {
    return await work(db)
  } finally {
    db.close()
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
