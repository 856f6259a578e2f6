/**
 * xenondb/shared: one database for several processes, or threads, of one machine. One of them has it open; the others
 * reach it through a socket in its directory; when that one goes, another takes over.
 */
import type { BuiltInEncoding, Encoded, KeyEncoding, KeyOf, TupleKey, ValueOf } from '../types.ts'
import type { SharedOptions } from './options.ts'
import { SharedStore } from './store.ts'

interface Texts {
  valueEncoding?: 'utf8' | undefined
  keyEncoding?: 'utf8' | undefined
}

/** The types of values and keys follow from the options, as those of `open` do. */
interface OpenShared {
  (directory: string, options?: SharedOptions & Texts): Promise<SharedStore>
  <E extends BuiltInEncoding = 'utf8', KE extends KeyEncoding = 'utf8'>(
    directory: string,
    options?: SharedOptions<ValueOf<E>> & { valueEncoding?: E | undefined; keyEncoding?: KE | undefined },
  ): Promise<SharedStore<ValueOf<E>, KeyOf<KE>>>
  <V>(
    directory: string,
    options: SharedOptions<V> & Encoded<V> & { keyEncoding: 'binary' },
  ): Promise<SharedStore<V, Uint8Array>>
  <V, K extends TupleKey = TupleKey>(
    directory: string,
    options: SharedOptions<V> & Encoded<V> & { keyEncoding: 'tuple' },
  ): Promise<SharedStore<V, K>>
  <V>(
    directory: string,
    options: SharedOptions<V> & Encoded<V> & { keyEncoding?: 'utf8' | undefined },
  ): Promise<SharedStore<V>>
  <V extends string>(
    directory: string,
    options?: SharedOptions<V> & { keyEncoding?: 'utf8' | undefined },
  ): Promise<SharedStore<V>>
  /** Of options that come from elsewhere nobody knows which they are: what they are for is to be named. */
  (directory: string, options: SharedOptions): Promise<SharedStore>
  <V, K extends TupleKey>(directory: string, options: SharedOptions<V>): Promise<SharedStore<V, K>>
}

/**
 * Opens a database that other processes may open too, by `openShared`, at the same time.
 * @throws what `open` throws, but for `XENON_LOCKED`; XenonError `XENON_OWNER_LOST` if another process has the database
 *   open for `ownerTimeout` and does not share it.
 * @example const store = await openShared('sessions', { valueEncoding: 'json' })
 */
export const openShared: OpenShared = async <V, K>(
  directory: string,
  options: SharedOptions<V> = {},
): Promise<SharedStore<V, K>> => await new SharedStore<V, K>(directory, options).open()

export type { SharedEvent } from '../owned/listeners.ts'
export type { Role } from '../owned/member.ts'
export { SharedSub } from '../owned/space.ts'
export { SharedTransaction } from '../owned/transaction.ts'
export type { Change, TransactOptions, TupleKey, WaitOptions, WatchOptions } from '../types.ts'
export type { AsyncStore, AsyncStoreTransaction } from '../values/async-store.ts'
export type { SharedOptions } from './options.ts'
export { SharedStore } from './store.ts'
