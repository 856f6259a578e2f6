/**
 * What goes over the port between a worker and the owner of the database.
 *
 *     worker → owner   { id, method, args, tx?, sub?, index?, abortable? }   each is answered once
 *                      { abort: id }                           ends the wait of a call, or a transaction
 *     owner → worker   { id, value } or { id, error }
 *
 * The number of a call that begins something (a transaction, an iterator, a watch) is the number of that, too. The
 * number of a sub-database is what the call `sub` is answered with.
 */

/** `node:worker_threads` ports and the web's have the part of this that is needed. */
export interface PortLike {
  /** Sends a message to the other side. */
  postMessage(message: unknown): void
  /** Of `node:worker_threads`: calls the listener for each message, and at the end. */
  on?(event: 'message' | 'close' | 'exit', listener: (message: unknown) => void): unknown
  /** Of `node:worker_threads`: calls the listener no more. */
  off?(event: 'message', listener: (message: unknown) => void): unknown
  /** Of the web: the same. */
  addEventListener?(event: 'message' | 'close', listener: never): void
  /** Of the web: messages come from now on. */
  start?(): void
  /** No more messages come or go. */
  close?(): void
}

/** Where a call belongs: in a transaction that the worker has begun, or in a sub-database; by their numbers. */
export interface Place {
  tx?: number
  sub?: number
  /** In an index of that, by its name: `get`, `entries`, `keys`, `page` and `count` are then those of the index. */
  index?: string
}

/** `abortable`: of `begin`, an `abort` may follow. */
export interface Request extends Place {
  id: number
  method: string
  args: unknown[]
  abortable?: boolean
}

export interface Abort {
  abort: number
}

export type Response = { id: number } & ({ value: unknown } | { error: PortError })

/** A page, and the errors of the records that were passed over for it. */
export interface ToldPage<P> {
  page: P
  failed: PortError[]
}

/**
 * Some items of an iterator, or changes of a watch. `done`: the last ones. `failed`: the record behind them cannot be
 * decoded; there may be more behind that.
 */
export interface Portion {
  items: unknown[]
  done: boolean
  failed?: PortError
}

export interface PortError {
  name: string
  message: string
  /** Of a `XenonError`. */
  code?: string
  /** What else it tells: a key, a file, a block. */
  fields?: Record<string, unknown>
  cause?: PortError
}

/** Listens on either kind of port, until the returned function is called. `onEnd`: the other side is gone. */
export const listen = (port: PortLike, onMessage: (message: unknown) => void, onEnd: () => void): (() => void) => {
  if (port.on !== undefined) {
    port.on('message', onMessage)
    port.on('close', onEnd)
    // A Worker has no port that closes.
    port.on('exit', onEnd)
    return () => {
      // Deno's `parentPort` cannot be closed: its worker goes on for as long as somebody listens.
      if (port.close === undefined) port.off?.('message', onMessage)
      else port.close()
    }
  }
  const listener = (event: { data: unknown }): void => onMessage(event.data)
  port.addEventListener?.('message', listener as never)
  port.addEventListener?.('close', onEnd as never)
  port.start?.()
  return () => port.close?.()
}
