/** `xenondb/server`: a database over the network, in the Redis protocol. */
import type { Database } from '../database/database.ts'
import { Server } from './server.ts'
import type { ServerOptions } from './service/options.ts'

/**
 * A server for a database that was opened with `keyEncoding: 'binary'` and `valueEncoding: 'binary'`. Call `listen` to
 * begin; the database is the caller's to close, after `close`.
 */
export const createServer = (db: Database<Uint8Array>, options: ServerOptions = {}): Server => new Server(db, options)

export { Server } from './server.ts'
export type { LogLevel } from './service/log.ts'
export type { Address, ServerOptions } from './service/options.ts'
