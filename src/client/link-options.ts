/** What a connection is told: where the server is, who asks, and how long to wait. */
import type { ConnectionOptions } from 'node:tls'
import type { Argument } from './encoder.ts'

export interface LinkOptions {
  host: string
  port: number
  /** Path of a Unix socket, in place of host and port. */
  socket: string | undefined
  tls: boolean | ConnectionOptions
  username: string
  password: string | undefined
  name: string | undefined
  /** Milliseconds for a reply; `Infinity`: any. */
  requestTimeout: number
  /** Milliseconds for a connection, the greeting included, and that requests wait for one; `Infinity`: any. */
  connectTimeout: number
  reconnect: boolean
  /** Requests wait for a connection. */
  offlineQueue: boolean
  /** Calls that wait for a lock do not keep those behind them waiting. */
  pushesLockWaits: boolean
  /** Said to each connection before anything else. */
  greeting?: readonly (readonly Argument[])[]
}

/** How a request waits for a lock at the server. */
export interface LockWait {
  readonly signal?: AbortSignal | undefined
  /** Milliseconds, on top of the usual time for an answer. */
  readonly lockTimeout?: number | undefined
}
