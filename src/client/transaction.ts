/** An interactive transaction, as it is seen in one of the stores of a client. */

import { InvalidArgumentError } from '../errors.ts'
import { showAs } from '../runtime/inspecting.ts'
import type { GivenRange, IsolationLevel } from '../types.ts'
import type { AsyncStore, AsyncStoreTransaction } from '../values/async-store.ts'
import type { Attempt } from '../values/transact.ts'
import type { Waiting } from '../values/wait-options.ts'
import type { Connections } from './connections.ts'
import type { Conversation } from './conversation.ts'
import type { Argument } from './encoder.ts'
import { Operations } from './operations.ts'
import type { Reply } from './reader.ts'
import { numberOf, type Values } from './values.ts'

/** What stands before each command of a store: nothing for the root, `IN name` for each sub-database on the way. */
export type Place = readonly string[]

/** What a transaction takes of a store. */
export interface StoreParts<V> {
  readonly connections: Connections
  readonly codec: Values<V>
  readonly place: Place
}

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

/** A transaction over the network. It has a connection of its own until it ends. */
export class ClientTransaction<V = string, K = string>
  extends Operations<V, K>
  implements AsyncStoreTransaction<V, K>, Attempt
{
  static {
    showAs('ClientTransaction', ClientTransaction, ({ isolation, ended }) => ({ isolation, ended }))
  }

  private readonly place: Place
  private readonly conversation: Conversation

  /** @internal Use `Client.begin` or `Client.transact`. */
  constructor({ codec, place }: Pick<StoreParts<V>, 'codec' | 'place'>, conversation: Conversation) {
    super(codec)
    this.place = place
    this.conversation = conversation
  }

  /** That which it was begun with. */
  get isolation(): IsolationLevel {
    return this.conversation.options.isolation
  }

  /** True once it was committed or rolled back; a deadlock and its signal roll it back, too. */
  get ended(): boolean {
    return this.conversation.over
  }

  /**
   * The same transaction in another store of the same client.
   * @throws InvalidArgumentError for a store of another client.
   */
  in<S, T>(store: AsyncStore<S, T>): ClientTransaction<S, T> {
    const parts = (store as { readonly parts?: StoreParts<S> } | null | undefined)?.parts
    if (parts?.connections !== this.conversation.connections)
      throw new InvalidArgumentError('in() takes a sub-database of the same client, or the client itself')
    return new ClientTransaction<S, T>(parts, this.conversation)
  }

  /**
   * Any command, in the transaction. Gives what `Client.commandBytes` gives; an error of the server rejects.
   * @example await transaction.command('INCR', 'visits')
   */
  async command(...command: readonly Argument[]): Promise<Reply> {
    return await this.ask(command, false)
  }

  /** Removes the records of a range. If it fails, none is. */
  async clear(range?: GivenRange<K>): Promise<void> {
    const before = await this.savepoint()
    try {
      await this.clearRange(range)
    } catch (error) {
      if (this.conversation.stands) await this.rollbackTo(before)
      throw error
    }
  }

  async savepoint(): Promise<ClientSavepoint> {
    return new ClientSavepoint(this.conversation, numberOf(await this.conversation.say(['SAVEPOINT'])))
  }

  async rollbackTo(savepoint: ClientSavepoint): Promise<void> {
    if (!(savepoint instanceof ClientSavepoint) || savepoint.owner !== this.conversation)
      throw new InvalidArgumentError('this savepoint does not belong to this transaction')
    await this.conversation.say(['ROLLBACK', 'TO', savepoint.number])
  }

  /** Makes all changes permanent; resolves when they are as durable as the server's database makes them. */
  commit(): Promise<void> {
    return this.conversation.commit()
  }

  /** Takes back everything. */
  rollback(): Promise<void> {
    return this.conversation.rollback()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.conversation.abandon()
  }

  /** @internal Rolls back if it is still open, whatever the server says. */
  abandon(): Promise<void> {
    return this.conversation.abandon()
  }

  /** @internal Whoever has caught the error of an operation has not caught what it meant. */
  requireStanding(): void {
    this.conversation.requireStanding()
  }

  protected ask(command: readonly Argument[], _read: boolean): Promise<Reply> {
    return this.conversation.say(this.place.length === 0 ? command : [...this.place, ...command])
  }

  protected async change(command: readonly Argument[], waiting: Waiting | undefined): Promise<Reply> {
    if (waiting?.signal !== undefined || waiting?.lockTimeout !== undefined)
      throw new InvalidArgumentError('signal and lockTimeout are options of the transaction, not of its operations')
    return await this.ask(command, false)
  }
}
