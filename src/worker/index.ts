/** `xenondb/worker`: one database for several worker threads. */
export type { AsyncStore, AsyncStoreTransaction } from '../values/async-store.ts'
export { PortDatabase, PortSavepoint, PortSub, PortTransaction } from './client.ts'
export { servePort } from './owner.ts'
export type { PortLike } from './protocol.ts'
