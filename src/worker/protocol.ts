/** What goes over the port between a worker and the owner of the database. */

/** `node:worker_threads` ports and the web's have the part of this that is needed. */
export interface PortLike {
  postMessage(message: unknown): void
  on?(event: 'message' | 'close', listener: (message: unknown) => void): unknown
  addEventListener?(event: 'message', listener: never): void
  start?(): void
  close?(): void
}

/** `tx`: number of a transaction that the worker has begun. */
export interface Request {
  id: number
  method: string
  args: unknown[]
  tx?: number
}

export type Response = { id: number } & ({ value: unknown } | { error: PortError })

export interface PortError {
  name: string
  code: string | undefined
  message: string
}

/** Listens on either kind of port. */
export const listen = (port: PortLike, onMessage: (message: unknown) => void): void => {
  if (port.on !== undefined) port.on('message', onMessage)
  else {
    const listener = (event: { data: unknown }): void => onMessage(event.data)
    port.addEventListener?.('message', listener as never)
    port.start?.()
  }
}
