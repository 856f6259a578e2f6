/** Opening the database that a command names, as bytes: what they mean is the command's business. */

import { waitForLockAside } from '../database/lock-wait.ts'
import { DatabaseLockedError, DiskFullError, StorageError } from '../errors.ts'
import { type Database, nodeStorage, open, type Snapshot, type Sub } from '../index.ts'
import { CommandError, printable } from './errors.ts'
import { opening } from './opening.ts'
import { recoveryReporter } from './recovery.ts'

export type ByteDatabase = Database<Uint8Array, Uint8Array>
/** The root, or a sub-database. */
export type ByteStore = ByteDatabase | Sub<Uint8Array, Uint8Array>
export type ByteSnapshot = Snapshot<Uint8Array, Uint8Array>

/** Of whatever encodings: the bytes as they are. */
export const BYTES = { valueEncoding: 'binary', keyEncoding: 'binary', storedEncoding: 'ignore' } as const

export interface Access {
  /** Only commands that bring records may create a database. */
  createIfMissing: boolean
  /** One may be made among other files. */
  force?: boolean
  /** The command writes nothing. */
  onlyReads?: boolean
  /** It writes, and every record stays as it is: it may work on a node of a cluster. */
  keepsRecords?: boolean
  /** Ends the wait for a lock. */
  signal?: AbortSignal
}

/** Opens, runs `work`, and closes whatever happens. */
export async function withDatabase<R>(
  directory: string,
  access: Access,
  work: (db: ByteDatabase) => R | Promise<R>,
): Promise<R> {
  const db = await openOrBeside(directory, access)
  try {
    return await work(db)
  } finally {
    db.close()
  }
}

/**
 * @throws CommandError if the records come from the log of a cluster, so that the other nodes would not have what is
 *   changed; the database is closed then
 */
export function requireOwnRecords(
  db: ByteDatabase,
  instead = 'serve it with --cluster, or look at it with xenondb keys and the like',
): void {
  if (db.mark === undefined) return
  db.close()
  throw new CommandError(`${db.directory} is a node of a cluster, which alone may change it: ${instead}`)
}

/**
 * The same for a command that does not open the database itself. One that is not there, or so damaged that it cannot
 * be opened, is taken for nobody's.
 * @throws CommandError
 */
export function requireNoNode(directory: string, instead: string): void {
  let db: ByteDatabase
  try {
    db = open<Uint8Array>(directory, { ...BYTES, createIfMissing: false, readOnly: true })
  } catch {
    return
  }
  requireOwnRecords(db, instead)
  db.close()
}

async function openOrBeside(directory: string, access: Access): Promise<ByteDatabase> {
  if (access.onlyReads !== true)
    return await waitForLockAside(opening().lockWait, () => openBytes(directory, access), access.signal)
  try {
    return openBytes(directory, access)
  } catch (error) {
    if (!(error instanceof DatabaseLockedError)) throw error
    return openBeside(directory, error.pid)
  }
}

/** Opens what a process has open, as it is committed now, for reading, and says so on stderr. */
export function openBeside(directory: string, owner: number | undefined): ByteDatabase {
  const db = open<Uint8Array>(directory, { ...BYTES, readOnly: true })
  process.stderr.write(`xenondb: ${printable(directory)} is open in process ${owner ?? '?'}: reading beside it
`)
  return db
}

/** What a lock takes on any file system, and more. */
const LOCK_BYTES = 65536

/**
 * Where nothing can be written (a full disk, a read-only one), a database can still be read, whether it was closed or
 * not.
 */
export function openBytes(
  directory: string,
  { createIfMissing, onlyReads = false, keepsRecords = onlyReads, force = false }: Access,
): ByteDatabase {
  const { takeover } = opening()
  const options = { ...BYTES, createIfMissing, force, takeover, onRecovery: recoveryReporter(directory) } as const
  // A command that only reads takes nothing of the reserve.
  if (onlyReads && (nodeStorage.freeBytes?.(directory) ?? LOCK_BYTES) < LOCK_BYTES)
    return open<Uint8Array>(directory, { ...options, readOnly: true })
  try {
    const db = open<Uint8Array>(directory, options)
    if (!keepsRecords) requireOwnRecords(db)
    return db
  } catch (error) {
    if (!onlyReads || !(error instanceof StorageError || error instanceof DiskFullError)) throw error
    try {
      return open<Uint8Array>(directory, { ...options, readOnly: true })
    } catch {
      throw error
    }
  }
}

export interface ByteRecord {
  key: Uint8Array
  value: Uint8Array
}

/** All records in the order of the cursor. The bytes are the caller's to keep. */
export function* records(db: ByteStore): Generator<ByteRecord> {
  const cursor = db.cursor()
  try {
    while (cursor.next()) {
      const { key, value } = cursor.readCurrent()
      yield { key: key, value }
    }
  } finally {
    cursor.close()
  }
}

/**
 * The time when a record expires, in milliseconds since 1970; `undefined` if it does not, 0 if there is none any more.
 * Exact: a remainder counts from a moment, so the clock must not have moved on while it was asked for.
 */
export function expiryOf(db: ByteStore, key: Uint8Array): number | undefined {
  for (;;) {
    const now = Date.now()
    const left = db.ttl(key)
    if (left === undefined) return 0
    if (left === Number.POSITIVE_INFINITY) return undefined
    if (Date.now() === now) return now + left
  }
}
