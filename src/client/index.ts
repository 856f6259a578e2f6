/** xenondb/client: a database that another process serves (`xenondb serve`), over the Redis protocol. */
import type { TupleKey } from '../types.ts'
import { Client } from './client.ts'
import { type ConnectOptions, resolveConnectOptions } from './options.ts'

interface Connect {
  <V = string, K extends TupleKey = TupleKey>(
    options: ConnectOptions<V> & { keyEncoding: 'tuple' },
  ): Promise<Client<V, K>>
  <V = string>(options?: ConnectOptions<V>): Promise<Client<V>>
}

/**
 * Connects to a server: `const db = await connect({ port: 6399 })`.
 * @throws XenonError `XENON_CONNECTION` if there is none, `XENON_TIMEOUT` if it does not answer, `XENON_SERVER` with
 *   the server's own words if it refuses.
 */
export const connect: Connect = async <V = string, K = string>(
  options: ConnectOptions<V> = {},
): Promise<Client<V, K>> => await new Client<V, K>(resolveConnectOptions(options)).open()

export type { Change, TransactOptions, TupleKey, WaitOptions, WatchOptions } from '../types.ts'
export type { AsyncStore, AsyncStoreTransaction } from '../values/async-store.ts'
export { Client, type CommandReply } from './client.ts'
export type { Argument } from './encoder.ts'
export { ConnectionError, ProtocolError, ServerError, TimeoutError } from './errors.ts'
export type { ConnectOptions } from './options.ts'
export type { Reply } from './reader.ts'
export { ClientSub } from './store.ts'
export { ClientSavepoint, ClientTransaction } from './transaction.ts'
