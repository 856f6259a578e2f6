/** An interactive transaction: BEGIN, operations, COMMIT on a connection that nobody else uses meanwhile. */
import { XenonError } from '../errors.ts'
import type { IsolationLevel } from '../types.ts'
import { type Attempt, isRetryable } from '../values/transact.ts'
import type { Argument } from './encoder.ts'
import { ServerError } from './errors.ts'
import type { Link } from './link.ts'
import { Operations } from './operations.ts'
import type { Reply } from './reader.ts'
import type { Values } from './values.ts'

export class ClientTransaction<V = string> extends Operations<V> implements Attempt {
  readonly isolation: IsolationLevel
  /** Why the server has rolled it back. */
  private conflict: XenonError | undefined
  private readonly link: Link
  /** Gives the connection back; with false it is not to be used again. */
  private readonly leave: (reusable: boolean) => void
  private over = false

  /** @internal Use `Client.begin` or `Client.transact`. */
  constructor(codec: Values<V>, link: Link, isolation: IsolationLevel, leave: (reusable: boolean) => void) {
    super(codec)
    this.link = link
    this.isolation = isolation
    this.leave = leave
  }

  /** True once it was committed or rolled back; a deadlock rolls it back too. */
  get ended(): boolean {
    return this.over
  }

  /** Any command, in the transaction. Gives what `Client.command` gives. */
  async command(...command: readonly Argument[]): Promise<Reply> {
    return await this.ask(command, false)
  }

  /** Makes all changes permanent; resolves when they are as durable as the server's database makes them. */
  async commit(): Promise<void> {
    await this.finish('COMMIT')
  }

  /** Takes back everything. */
  async rollback(): Promise<void> {
    await this.finish('ROLLBACK')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.abandon()
  }

  /** @internal Rolls back if it is still open, whatever the server says. */
  async abandon(): Promise<void> {
    if (!this.over) await this.rollback().catch(() => {})
  }

  /** @internal Whoever has caught the error of an operation has not caught what it meant. */
  requireStanding(): void {
    if (this.conflict !== undefined) throw this.conflict
  }

  protected async ask(command: readonly Argument[], _read: boolean): Promise<Reply> {
    if (this.over) throw endedError()
    const [reply] = await this.link.send([command], false)
    if (!(reply instanceof ServerError)) return reply!
    if (isRetryable(reply)) await this.conflicted(reply)
    throw reply
  }

  private async conflicted(error: ServerError): Promise<void> {
    this.conflict = error
    // The server has rolled back already; whether it wants to hear so makes no difference.
    await this.abandon()
  }

  private async finish(command: 'COMMIT' | 'ROLLBACK'): Promise<void> {
    if (this.over) throw endedError()
    this.over = true
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
}

const endedError = (): XenonError =>
  new XenonError('XENON_TRANSACTION_ENDED', 'the transaction was committed or rolled back; begin another one')
