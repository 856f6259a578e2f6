/** An interactive transaction: BEGIN, operations, COMMIT on a connection that nobody else uses meanwhile. */
import { InvalidArgumentError, XenonError } from '../errors.ts'
import type { GivenRange, IsolationLevel } from '../types.ts'
import type { AsyncStoreTransaction } from '../values/async-store.ts'
import { type Attempt, isRetryable } from '../values/transact.ts'
import type { Beginning, Waiting } from '../values/wait-options.ts'
import type { Argument } from './encoder.ts'
import { ServerError } from './errors.ts'
import type { Link } from './link.ts'
import { Operations } from './operations.ts'
import type { Reply } from './reader.ts'
import { numberOf, type Values } from './values.ts'

/** A point inside a transaction, from `savepoint()`. */
export class ClientSavepoint {
  /** @internal */
  readonly owner: object
  /** @internal */
  readonly number: number

  /** @internal */
  constructor(owner: object, number: number) {
    this.owner = owner
    this.number = number
  }
}

export class ClientTransaction<V = string, K = string>
  extends Operations<V, K>
  implements AsyncStoreTransaction<V, K>, Attempt
{
  readonly isolation: IsolationLevel
  /** Why the server has rolled it back. */
  private conflict: XenonError | undefined
  private readonly link: Link
  private readonly signal: AbortSignal | undefined
  private readonly lockTimeout: number
  /** Gives the connection back; with false it is not to be used again. */
  private readonly leave: (reusable: boolean) => void
  private over = false
  /** It was ended by its signal. */
  private aborted = false

  /** @internal Use `Client.begin` or `Client.transact`. */
  constructor(codec: Values<V>, link: Link, options: Beginning, leave: (reusable: boolean) => void) {
    super(codec)
    this.link = link
    this.isolation = options.isolation
    this.signal = options.signal
    this.lockTimeout = options.lockTimeout ?? 0
    this.leave = leave
    this.signal?.addEventListener('abort', this.onAbort, { once: true })
  }

  /** True once it was committed or rolled back; a deadlock and its signal roll it back, too. */
  get ended(): boolean {
    return this.over
  }

  /** Any command, in the transaction. Gives what `Client.commandBytes` gives; an error of the server rejects. */
  async command(...command: readonly Argument[]): Promise<Reply> {
    return await this.ask(command, false)
  }

  /** Removes the records of a range. If it fails, none is. */
  async clear(range?: GivenRange<K>): Promise<void> {
    const before = await this.savepoint()
    try {
      await this.clearRange(range)
    } catch (error) {
      if (!this.over && this.conflict === undefined) await this.rollbackTo(before)
      throw error
    }
  }

  async savepoint(): Promise<ClientSavepoint> {
    return new ClientSavepoint(this, numberOf(await this.ask(['SAVEPOINT'], false)))
  }

  async rollbackTo(savepoint: ClientSavepoint): Promise<void> {
    if (!(savepoint instanceof ClientSavepoint) || savepoint.owner !== this)
      throw new InvalidArgumentError('this savepoint does not belong to this transaction')
    await this.ask(['ROLLBACK', 'TO', savepoint.number], false)
  }

  /** Makes all changes permanent; resolves when they are as durable as the server's database makes them. */
  async commit(): Promise<void> {
    if (!this.over) this.requireStanding()
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
    if (this.aborted) this.signal?.throwIfAborted()
    if (this.conflict !== undefined) throw this.conflict
  }

  protected async ask(command: readonly Argument[], _read: boolean): Promise<Reply> {
    this.requireOpen()
    const [reply] = await this.link.send([command], false, { lockTimeout: this.lockTimeout })
    if (!(reply instanceof ServerError)) return reply!
    if (isRetryable(reply)) this.conflict = reply
    // The server has rolled back already; whether it wants to hear so makes no difference.
    if (reply.code === 'XENON_DEADLOCK') await this.abandon()
    throw reply
  }

  protected async change(command: readonly Argument[], waiting: Waiting | undefined): Promise<Reply> {
    if (waiting?.signal !== undefined || waiting?.lockTimeout !== undefined)
      throw new InvalidArgumentError('signal and lockTimeout are options of the transaction, not of its operations')
    return await this.ask(command, false)
  }

  private async finish(command: 'COMMIT' | 'ROLLBACK'): Promise<void> {
    this.requireOpen()
    this.over = true
    this.signal?.removeEventListener('abort', this.onAbort)
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

  private requireOpen(): void {
    if (this.aborted) this.signal?.throwIfAborted()
    if (this.over)
      throw new XenonError('XENON_TRANSACTION_ENDED', 'the transaction was committed or rolled back; begin another one')
  }

  /** The server rolls back the transaction of a client that is gone, and gives up what that one waits for. */
  private readonly onAbort = (): void => {
    this.aborted = true
    this.over = true
    this.link.destroy(this.signal!.reason)
    this.leave(false)
  }
}
