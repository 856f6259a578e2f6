/** The connections of a client, which it and its sub-databases share. */
import { setTimeout } from '../runtime/timers.ts'
import type { Argument } from './encoder.ts'
import { ConnectionError, ServerError } from './errors.ts'
import { Link } from './link.ts'
import type { LinkOptions, LockWait } from './link-options.ts'
import { Pool } from './pool.ts'
import type { Reply } from './reader.ts'

/** What commands go over: one connection, or in a cluster that of whoever has the keys. */
export interface Sender {
  readonly connected: boolean
  readonly place: string
  open(): Promise<void>
  send(commands: readonly (readonly Argument[])[], repeatable: boolean, wait?: LockWait): Promise<Reply[]>
  /** @throws ConnectionError if there is no connection now, and nothing is to wait for one. */
  requireOnline(): void
  close(): Promise<void>
  destroy(error?: Error): void
}

/** Connections for one user at a time. */
export type Links = Pick<Pool, 'acquire' | 'release' | 'retire' | 'close'>

/** Time that a server which has ended the first connection has for the answers on the others. */
const LAST_ANSWERS_MS = 200

/** In place of connections to the server of the options. */
export interface Ways {
  readonly link: Sender
  readonly pool: Links
  readonly readers: Links
}

export class Connections {
  readonly options: LinkOptions
  readonly link: Sender
  /** Of transactions. */
  readonly pool: Links
  /** Of long iterators: without a limit, so that they cannot wait for a transaction that waits for them. */
  readonly readers: Links
  readonly watches: Set<Pick<Link, 'close' | 'destroy'>> = new Set()
  closed = false

  /** @param onEnd Hears that the first connection has ended for good. */
  constructor(options: LinkOptions, transactions: number, onEnd: () => void = () => {}, ways?: Ways) {
    this.options = options
    this.link = ways?.link ?? new Link(options, undefined, onEnd)
    this.pool = ways?.pool ?? new Pool(options, transactions)
    this.readers = ways?.readers ?? new Pool(options, Number.POSITIVE_INFINITY)
  }

  /** One command; rejects with the server's error. `read`: it may be sent again when the connection was lost. */
  ask(command: readonly Argument[], read: boolean, wait?: LockWait): Promise<Reply> {
    return this.link.send([command], read, wait).then(only)
  }

  /** @throws ConnectionError if there is no connection now, and nothing is to wait for one. */
  requireOnline(): void {
    this.link.requireOnline()
  }

  /** Nothing begins any more; what is on its way has some time left for its answer. */
  abandon(): void {
    this.closed = true
    const error = new ConnectionError('the connection was given up: the command may have been executed, or not', true)
    const end = (): void => {
      for (const link of [this.link, ...this.pool.retire(), ...this.readers.retire(), ...this.watches])
        link.destroy(error)
    }
    this.pool.retire()
    this.readers.retire()
    setTimeout(end, LAST_ANSWERS_MS).unref()
  }

  /** Lets the commands on their way be answered. */
  async close(): Promise<void> {
    this.closed = true
    const watches = [...this.watches].map(link => link.close())
    await Promise.all([this.link.close(), this.pool.close(), this.readers.close(), ...watches])
  }
}

const only = ([reply]: readonly Reply[]): Reply => {
  if (reply instanceof ServerError) throw reply
  return reply!
}
