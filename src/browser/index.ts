/**
 * xenondb/browser: a database in a browser. `openBrowser` is for pages, which may be several. In a worker `open` is
 * synchronous, over files of the Origin Private File System. It loads no module of Node.
 */
import type { Database } from '../database/database.ts'
import { openOn } from '../database/open.ts'
import type { OpenOptions } from '../database/options.ts'
import { InvalidArgumentError } from '../errors.ts'
import { memoryStorage } from '../storage/memory.ts'
import type { BuiltInEncoding, Encoded, KeyEncoding, KeyOf, TupleKey, ValueOf } from '../types.ts'
import { handleNames, removeHandles } from './handles.ts'

interface Texts {
  valueEncoding?: 'utf8' | undefined
  keyEncoding?: 'utf8' | undefined
}

/** The types of values and keys follow from the options, as those of `open` of `xenondb` do. */
interface OpenInBrowser {
  (name: string, options: OpenOptions & Texts): Database
  <E extends BuiltInEncoding = 'utf8', KE extends KeyEncoding = 'utf8'>(
    name: string,
    options: OpenOptions<ValueOf<E>> & { valueEncoding?: E | undefined; keyEncoding?: KE | undefined },
  ): Database<ValueOf<E>, KeyOf<KE>>
  <V>(name: string, options: OpenOptions<V> & Encoded<V> & { keyEncoding: 'binary' }): Database<V, Uint8Array>
  <V, K extends TupleKey = TupleKey>(
    name: string,
    options: OpenOptions<V> & Encoded<V> & { keyEncoding: 'tuple' },
  ): Database<V, K>
  <V>(name: string, options: OpenOptions<V> & Encoded<V> & { keyEncoding?: 'utf8' | undefined }): Database<V>
  (name: string, options: OpenOptions): Database
  <V, K extends TupleKey>(name: string, options: OpenOptions<V>): Database<V, K>
}

/**
 * Opens a database, creating it if it is missing, as `open` of `xenondb` does; `storage` says where it lies:
 * `await opfsStorage(name)` in a worker, or `memoryStorage()`, which keeps nothing.
 * @throws what `open` of `xenondb` throws
 * @example const db = open('notes', { storage: memoryStorage() })
 */
export const open: OpenInBrowser = <V, K>(name: string, options: OpenOptions<V>): Database<V, K> => {
  if (options?.storage === undefined)
    throw new InvalidArgumentError(
      'in a browser open() takes a storage: await opfsStorage(name) in a worker, or memoryStorage(), which keeps nothing',
    )
  return openOn<V, K>(name, options, memoryStorage())
}

/**
 * Removes a database of this origin with all that it holds; none is fine. Nobody may have it open.
 * @example await deleteDatabase('notes')
 */
export const deleteDatabase = (name: string): Promise<void> => removeHandles(name)

/**
 * Names of the databases of this origin.
 * @example for (const name of await databaseNames()) console.log(name)
 */
export const databaseNames = (): Promise<string[]> => handleNames()

export type { Database } from '../database/database.ts'
export type { OpenOptions } from '../database/options.ts'
export { XenonError, type XenonErrorCode } from '../errors.ts'
export type { SharedEvent } from '../owned/listeners.ts'
export type { Role } from '../owned/member.ts'
export { SharedSub } from '../owned/space.ts'
export { SharedTransaction } from '../owned/transaction.ts'
export { memoryStorage } from '../storage/memory.ts'
export type { Storage } from '../storage/storage.ts'
export { type ImportOptions, importDatabase } from './import.ts'
export { type OpfsOptions, type OpfsStorage, opfsStorage } from './opfs.ts'
export type { BrowserOptions } from './options.ts'
export { openBrowser } from './page.ts'
export { type ServeOptions, serveBrowser } from './serve.ts'
export { BrowserStore, type Verified } from './store.ts'
