/** xenondb/client: a database that another process serves (`xenondb serve`), over the Redis protocol. */
import { Client } from './client.ts'
import { type ConnectOptions, resolveConnectOptions } from './options.ts'

/**
 * Connects to a server: `const db = await connect({ port: 6399 })`.
 * @throws XenonError `XENON_CONNECTION` if there is none, `XENON_TIMEOUT` if it does not answer, `XENON_SERVER` with
 *   the server's own words if it refuses.
 */
export const connect = async <V = string>(options: ConnectOptions<V> = {}): Promise<Client<V>> =>
  await new Client<V>(resolveConnectOptions(options)).open()

export type { Change, TransactOptions, WaitOptions, WatchOptions } from '../types.ts'
export type { AsyncStore, AsyncStoreTransaction } from '../values/async-store.ts'
export { Client, type CommandReply } from './client.ts'
export type { Argument } from './encoder.ts'
export { ConnectionError, ProtocolError, ServerError, TimeoutError } from './errors.ts'
export type { ConnectOptions } from './options.ts'
export type { Reply } from './reader.ts'
export { ClientSavepoint, ClientTransaction } from './transaction.ts'
