/** BEGIN, operations, COMMIT on a connection that nobody else uses meanwhile. */
import { XenonError } from '../errors.ts'
import { isRetryable } from '../values/transact.ts'
import type { Beginning } from '../values/wait-options.ts'
import type { Connections } from './connections.ts'
import type { Argument } from './encoder.ts'
import { ServerError } from './errors.ts'
import type { Link } from './link.ts'
import type { Reply } from './reader.ts'

export class Conversation {
  readonly connections: Connections
  readonly options: Beginning
  /** It was committed or rolled back. */
  over = false
  /** Why the server has rolled it back. */
  private conflict: XenonError | undefined
  private readonly link: Link
  /** It was ended by its signal. */
  private aborted = false

  /** `link`: a connection that has said BEGIN. */
  constructor(connections: Connections, link: Link, options: Beginning) {
    this.connections = connections
    this.link = link
    this.options = options
    options.signal?.addEventListener('abort', this.onAbort, { once: true })
  }

  /** Whether the server goes on with it. */
  get stands(): boolean {
    return !this.over && this.conflict === undefined
  }

  requireStanding(): void {
    if (this.aborted) this.options.signal?.throwIfAborted()
    if (this.conflict !== undefined) throw this.conflict
  }

  async say(command: readonly Argument[]): Promise<Reply> {
    this.requireOpen()
    const [reply] = await this.link.send([command], false, { lockTimeout: this.options.lockTimeout })
    if (!(reply instanceof ServerError)) return reply!
    if (isRetryable(reply)) this.conflict = reply
    // The server has rolled back already; whether it wants to hear so makes no difference.
    if (reply.code === 'XENON_DEADLOCK') await this.abandon()
    throw reply
  }

  async commit(): Promise<void> {
    if (!this.over) this.requireStanding()
    await this.finish('COMMIT')
  }

  async rollback(): Promise<void> {
    await this.finish('ROLLBACK')
  }

  /** Rolls back if it is still open, whatever the server says. */
  async abandon(): Promise<void> {
    if (!this.over) await this.rollback().catch(() => {})
  }

  private async finish(command: 'COMMIT' | 'ROLLBACK'): Promise<void> {
    this.requireOpen()
    this.over = true
    this.options.signal?.removeEventListener('abort', this.onAbort)
    let reusable = false
    try {
      const [reply] = await this.link.send([[command]], false)
      if (!(reply instanceof ServerError)) reusable = true
      else throw reply
    } finally {
      // After an error nobody knows in what state the connection is. Another one is cheap.
      this.leave(reusable)
    }
  }

  private leave(reusable: boolean): void {
    this.connections.pool.release(this.link, reusable)
  }

  private requireOpen(): void {
    if (this.aborted) this.options.signal?.throwIfAborted()
    if (this.over)
      throw new XenonError('XENON_TRANSACTION_ENDED', 'the transaction was committed or rolled back; begin another one')
  }

  /** The server rolls back the transaction of a client that is gone, and gives up what that one waits for. */
  private readonly onAbort = (): void => {
    this.aborted = true
    this.over = true
    this.link.destroy(this.options.signal!.reason)
    this.leave(false)
  }
}
