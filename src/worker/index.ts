/** `xenondb/worker`: one database for several worker threads. */
export { PortDatabase, PortTransaction } from './client.ts'
export { servePort } from './owner.ts'
export type { PortLike } from './protocol.ts'
