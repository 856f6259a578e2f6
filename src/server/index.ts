/** `xenondb/server`: a database over the network, in the Redis protocol. */
import type { Database } from '../database/database.ts'
import { Server } from './server.ts'
import type { ServerOptions } from './service/options.ts'

/**
 * A server for a database, whatever its encodings: clients send and get the bytes of keys and values, which are what the
 * encodings of the database make of them (JSON of `'json'`, text of `'utf8'`). Call `listen` to begin; the database is
 * the caller's to close, after `close`.
 * @example
 * const server = createServer(db, { port: 0 })
 * const address = await server.listen()
 */
export const createServer = <V, K>(db: Database<V, K>, options: ServerOptions = {}): Server =>
  new Server(db as unknown as Database<unknown, unknown>, options)

export { Server } from './server.ts'
export type { LogLevel } from './service/log.ts'
export type { Address, ServerOptions } from './service/options.ts'
