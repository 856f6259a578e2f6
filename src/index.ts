/** xenondb: an embedded, transactional key-value store in pure TypeScript. */
import type { Database } from './database/database.ts'
import { type ConvertOptions, convertOn, openOn } from './database/open.ts'
import type { OpenOptions } from './database/options.ts'
import type { RestoreOptions } from './database/restore.ts'
import type { RestoreReport } from './maintenance/restore.ts'
import { setTimeout } from './runtime/timers.ts'
import type { SalvageOptions } from './salvage/salvage.ts'
import type { SalvageReport } from './salvage/shapes.ts'
import { nodeStorage } from './storage/node.ts'
import type { Storage } from './storage/storage.ts'
import type { BuiltInEncoding, Encoded, KeyEncoding, KeyOf, TupleKey, ValueOf } from './types.ts'

interface Texts {
  valueEncoding?: 'utf8' | undefined
  keyEncoding?: 'utf8' | undefined
}

/** The types of values and keys follow from the options; those of values may be named, and of tuple keys, too. */
interface Open {
  (directory: string, options?: OpenOptions & Texts): Database
  <E extends BuiltInEncoding = 'utf8', KE extends KeyEncoding = 'utf8'>(
    directory: string,
    options?: OpenOptions<ValueOf<E>> & { valueEncoding?: E | undefined; keyEncoding?: KE | undefined },
  ): Database<ValueOf<E>, KeyOf<KE>>
  <V>(directory: string, options: OpenOptions<V> & Encoded<V> & { keyEncoding: 'binary' }): Database<V, Uint8Array>
  <V, K extends TupleKey = TupleKey>(
    directory: string,
    options: OpenOptions<V> & Encoded<V> & { keyEncoding: 'tuple' },
  ): Database<V, K>
  <V>(directory: string, options: OpenOptions<V> & Encoded<V> & { keyEncoding?: 'utf8' | undefined }): Database<V>
  <V extends string>(directory: string, options?: OpenOptions<V> & { keyEncoding?: 'utf8' | undefined }): Database<V>
  /** Of options that come from elsewhere nobody knows which they are: what they are for is to be named. */
  (directory: string, options: OpenOptions): Database
  <V, K extends TupleKey>(directory: string, options: OpenOptions<V>): Database<V, K>
}

/**
 * Opens the database in a directory, creating it if it is missing.
 * @throws XenonError `XENON_LOCKED` if another process or handle has it, `XENON_CORRUPT` if its files are damaged,
 *   `XENON_FORMAT_VERSION` if another release wrote them, `XENON_NOT_FOUND` and `XENON_EXISTS` as `createIfMissing` and
 *   `errorIfExists` say.
 * @example const db = open('students', { valueEncoding: 'json' })
 */
export const open: Open = <V, K>(directory: string, options: OpenOptions<V> = {}): Database<V, K> => {
  const db = openOn<V, K>(directory, options, nodeStorage)
  if (db.inspection !== false) inspectSoon(db as unknown as Database<unknown, unknown>)
  return db
}

/** Only here the server is loaded, and only if the program is still there in the next turn of its event loop. */
const inspectSoon = (db: Database<unknown, unknown>): void => {
  const begin = async (): Promise<void> => {
    if (db.closed) return
    const { inspect } = await import('./server/inspect/index.ts')
    if (!db.closed) await inspect(db)
  }
  const failed = (error: Error): void => {
    process.emitWarning(`the database in ${db.directory} cannot be looked into: ${error.message}`, {
      code: 'XENON_INSPECT',
    })
  }
  setTimeout(() => begin().catch(failed), 0).unref()
}

/**
 * The same function under the name of the C API.
 * @example const db = db_open('students')
 */
export const db_open: typeof open = open

// What few programs call is loaded by the call: it is a tenth of the code.

/** Where a path leads now: by the time that the code is loaded, the program may work in another directory. */
const asOfNow = (path: string, options: { storage?: Storage | undefined } | undefined): string =>
  typeof path === 'string' && path !== '' ? ((options?.storage ?? nodeStorage).resolve?.(path) ?? path) : path

/**
 * Builds a new database in `newDirectory` from every record of the damaged one in `directory` whose block and checksum
 * are sound, and reports exactly what could not be read. The damaged files are not changed.
 * @throws XenonError `XENON_LOCKED` if the damaged database is open, `XENON_NOT_FOUND` if there is none, `XENON_EXISTS`
 *   unless `newDirectory` is missing or empty, `XENON_FORMAT_VERSION` if another release wrote the files,
 *   `XENON_CORRUPT` if nothing tells whose blocks these are.
 * @example const { complete, records } = await salvage('students', 'students-rescued')
 */
export const salvage = async (
  directory: string,
  newDirectory: string,
  options: SalvageOptions = {},
): Promise<SalvageReport> => {
  const [from, to] = [asOfNow(directory, options), asOfNow(newDirectory, options)]
  const { salvageOn } = await import('./salvage/salvage.ts')
  return await salvageOn(from, to, options, nodeStorage)
}

/**
 * Restores a database from a backup, or from the newest of the dated ones in a directory: copies it beside `directory`,
 * verifies the copy, and renames it whole.
 * @throws XenonError `XENON_EXISTS` if there is a database (unless `overwrite`) or something else, `XENON_LOCKED` if it
 *   is open, `XENON_NOT_FOUND` if there is no backup, `XENON_CORRUPT` if that is damaged: nothing is replaced then.
 * @example const { from, records } = await restore('backups', 'shop', { overwrite: true })
 */
export const restore = async (
  backup: string,
  directory: string,
  options: RestoreOptions = {},
): Promise<RestoreReport> => {
  const [from, to] = [asOfNow(backup, options), asOfNow(directory, options)]
  const { restoreOn } = await import('./database/restore.ts')
  return await restoreOn(from, to, options, nodeStorage)
}

/**
 * Adds the ordered index to the database in a directory, or takes it away, or builds the database anew with blocks of
 * another size, or with values of another encoding. The database must not be open; a crash meanwhile leaves it as it
 * was, or without the index.
 * @throws EncodeError for a value that would not come back from `valueEncoding` as it is, DecodeError for one that is
 *   not of the encoding that is stored, XenonError `XENON_NOT_FOUND` without a database or `sub`, `XENON_LOCKED` if it is
 *   open: the database is as it was.
 * @example await convert('students', { ordered: true })
 */
export const convert = async (directory: string, options: ConvertOptions): Promise<void> => {
  const { blockSize, valueEncoding, sub, ...others } = options ?? {}
  const storage = options?.storage ?? nodeStorage
  const home = asOfNow(directory, options)
  const isRebuilt = blockSize !== undefined || valueEncoding !== undefined || sub !== undefined
  // First, since a value may refuse it: then nothing has been changed.
  if (isRebuilt) {
    const { rebuildOn } = await import('./salvage/rebuild.ts')
    await rebuildOn(home, options, storage)
  }
  if (!isRebuilt || others.ordered !== undefined) await convertOn(home, others, storage)
}

export { AsyncDatabase } from './database/async-store.ts'
export { AsyncTransaction } from './database/async-transaction.ts'
export { Cursor } from './database/cursor.ts'
export { Database } from './database/database.ts'
export type { FoundIndex } from './database/found-index.ts'
export { IndexReads } from './database/index-reads.ts'
export type { ConvertOptions } from './database/open.ts'
export type { OpenOptions, SubOptions } from './database/options.ts'
export type { RestoreOptions } from './database/restore.ts'
export { Index } from './database/secondary-index.ts'
export { Snapshot } from './database/snapshot.ts'
export { Sub, type SubStats } from './database/sub.ts'
export { type InTransactions, Savepoint, Transaction } from './database/transaction.ts'
export {
  CorruptionError,
  DatabaseLockedError,
  DeadlockError,
  DecodeError,
  DiskFullError,
  EncodeError,
  EncodingMismatchError,
  type ErrorOf,
  FormatVersionError,
  IndexFunctionError,
  InvalidArgumentError,
  LockConflictError,
  MovedError,
  NotLeaderError,
  NotUniqueError,
  OwnerLostError,
  StorageError,
  ViewLostError,
  WriteConflictError,
  XenonError,
  type XenonErrorCode,
} from './errors.ts'
export type { RestoreProgress, RestoreReport } from './maintenance/restore.ts'
export type * from './maintenance/shapes.ts'
export { RangeCursor, RangeIterator } from './records/range-iterator.ts'
export { AsyncItems, Items } from './runtime/items.ts'
export type { SalvageOptions } from './salvage/salvage.ts'
export type * from './salvage/shapes.ts'
export { memoryStorage } from './storage/memory.ts'
export { nodeStorage } from './storage/node.ts'
export type {
  DirectoryLock,
  EntryKind,
  File,
  LockOptions,
  OpenFileOptions,
  Storage,
} from './storage/storage.ts'
export type * from './types.ts'
export type { AsyncIndexReads } from './values/async-index.ts'
export type { AsyncIndex, AsyncReads, AsyncStore, AsyncStoreTransaction } from './values/async-store.ts'
export { jsonCodec } from './values/json-codec.ts'
export type { IndexPage, Page } from './values/page.ts'
export { Watcher } from './values/watcher.ts'
