/** xenondb/client: a database that another process serves (`xenondb serve`), over the Redis protocol. */
import type { BuiltInEncoding, Encoded, KeyEncoding, KeyOf, TupleKey, ValueOf } from '../types.ts'
import { Client } from './client.ts'
import { type ConnectOptions, resolveConnectOptions } from './options.ts'

interface Texts {
  valueEncoding?: 'utf8' | undefined
  keyEncoding?: 'utf8' | undefined
}

/** The types of values and keys follow from the options, as those of `open` do. */
interface Connect {
  (options?: ConnectOptions & Texts): Promise<Client>
  <E extends BuiltInEncoding = 'utf8', KE extends KeyEncoding = 'utf8'>(
    options?: ConnectOptions<ValueOf<E>> & { valueEncoding?: E | undefined; keyEncoding?: KE | undefined },
  ): Promise<Client<ValueOf<E>, KeyOf<KE>>>
  <V>(options: ConnectOptions<V> & Encoded<V> & { keyEncoding: 'binary' }): Promise<Client<V, Uint8Array>>
  <V, K extends TupleKey = TupleKey>(
    options: ConnectOptions<V> & Encoded<V> & { keyEncoding: 'tuple' },
  ): Promise<Client<V, K>>
  <V>(options: ConnectOptions<V> & Encoded<V> & { keyEncoding?: 'utf8' | undefined }): Promise<Client<V>>
  <V extends string>(options?: ConnectOptions<V> & { keyEncoding?: 'utf8' | undefined }): Promise<Client<V>>
  /** Of options that come from elsewhere nobody knows which they are: what they are for is to be named. */
  (options: ConnectOptions): Promise<Client>
  <V, K extends TupleKey>(options: ConnectOptions<V>): Promise<Client<V, K>>
}

/**
 * Connects to a server: `const db = await connect({ port: 6399 })`.
 * @throws XenonError `XENON_CONNECTION` if there is none, `XENON_TIMEOUT` if it does not answer, `XENON_SERVER` with
 *   the server's own words if it refuses.
 * @example const client = await connect({ port: 6399, valueEncoding: 'json' })
 */
export const connect: Connect = async <V, K>(options: ConnectOptions<V> = {}): Promise<Client<V, K>> =>
  await new Client<V, K>(resolveConnectOptions(options)).open()

export type { Change, TransactOptions, TupleKey, WaitOptions, WatchOptions } from '../types.ts'
export type { AsyncStore, AsyncStoreTransaction } from '../values/async-store.ts'
export { Client, type CommandReply } from './client.ts'
export type { Argument } from './encoder.ts'
export { ConnectionError, ProtocolError, ServerError, TimeoutError } from './errors.ts'
export type { ConnectOptions } from './options.ts'
export type { Reply } from './reader.ts'
export { ClientSub } from './store.ts'
export { ClientSavepoint, ClientTransaction } from './transaction.ts'
