/** A database over the network: what `Database` does, with promises. */

import { InvalidArgumentError } from '../errors.ts'
import { isBytes } from '../runtime/bytes.ts'
import type { BatchOperation, IsolationLevel, Key, Range, WatchOptions } from '../types.ts'
import { requireIsolation } from '../values/checks.ts'
import { checkedRetries, runTransaction } from '../values/transact.ts'
import type { Watcher } from '../values/watcher.ts'
import type { Argument } from './encoder.ts'
import { closedError, ServerError } from './errors.ts'
import { Link } from './link.ts'
import { Operations } from './operations.ts'
import type { ResolvedConnectOptions } from './options.ts'
import { Pool } from './pool.ts'
import type { Reply } from './reader.ts'
import { ClientTransaction } from './transaction.ts'
import { keyArgument, listOf, numberOf, Values } from './values.ts'
import { watchOver } from './watch.ts'

export interface ClientTransactionOptions {
  /** Default `'serializable'`. */
  isolation?: IsolationLevel
}

export interface ClientTransactOptions extends ClientTransactionOptions {
  /** How often the function is run again after a deadlock or a write conflict. Default 20. */
  retries?: number
}

/** A reply as `command` gives it: bytes as text. */
export type CommandReply =
  | null
  | boolean
  | number
  | bigint
  | string
  | ServerError
  | CommandReply[]
  | Map<CommandReply, CommandReply>

/** Commands that change nothing: sent again when the connection was lost before the answer. */
const READS: ReadonlySet<string> = new Set(
  'GET MGET EXISTS STRLEN GETRANGE TYPE TTL PTTL EXPIRETIME PEXPIRETIME KEYS SCAN RANGE RANDOMKEY DBSIZE PING ECHO TIME INFO'.split(
    ' ',
  ),
)

export class Client<V = string> extends Operations<V> {
  private readonly options: ResolvedConnectOptions<V>
  private readonly link: Link
  private readonly pool: Pool
  private readonly watches: Set<Link> = new Set()
  private ended = false

  /** @internal Use `connect`. */
  constructor(options: ResolvedConnectOptions<V>) {
    super(new Values(options.valueEncoding, options.keyEncoding))
    this.options = options
    this.link = new Link(options.link)
    this.pool = new Pool(options.link, options.transactionConnections)
  }

  /** @internal */
  async open(): Promise<this> {
    await this.link.open()
    return this
  }

  /** Applies the operations in order, as one transaction. */
  async batch(operations: readonly BatchOperation<V>[]): Promise<void> {
    if (!Array.isArray(operations)) throw new InvalidArgumentError('batch() takes an array of operations')
    const commands = (operations as readonly BatchOperation<V>[]).map(operation => this.commandOf(operation))
    if (commands.length === 0) return
    const replies = await this.link.send([['MULTI'], ...commands, ['EXEC']], false)
    const result = replies[replies.length - 1]!
    // What was refused before EXEC says more than that EXEC was.
    for (const reply of result instanceof ServerError ? replies : listOf(result))
      if (reply instanceof ServerError) throw reply
  }

  /** Number of records, or of those in a range. Records that have expired but are not yet removed may count. */
  override async count(range?: Range | Key): Promise<number> {
    if (range !== undefined) return await super.count(range)
    return numberOf(await this.ask(['DBSIZE'], true))
  }

  /** Removes all records, or those of a range, as one transaction. */
  async clear(range?: Range | Key): Promise<void> {
    if (range === undefined) await this.ask(['FLUSHALL'], false)
    else
      await this.transact(async tx => {
        const keys: string[] = []
        for await (const key of tx.keys(range)) keys.push(key)
        for (const key of keys) await tx.delete(key)
      })
  }

  /** Any command of the server: `command('SET', 'a', '1', 'NX')`. Rejects with the server's error. */
  async command(...command: readonly Argument[]): Promise<CommandReply> {
    if (command.length === 0) throw new InvalidArgumentError('command() takes the name of a command')
    return decoded(await this.ask(command, isRead(command)))
  }

  /** The same with bytes as `Uint8Array`, apart from a status, which is a string; an error is a reply too. */
  async commandBytes(...command: readonly Argument[]): Promise<Reply> {
    const [reply] = await this.link.send([command], isRead(command))
    return reply!
  }

  /** Begins an interactive transaction on a connection of its own; end it with `commit` or `rollback`. */
  async begin(options: ClientTransactionOptions = {}): Promise<ClientTransaction<V>> {
    const { isolation = 'serializable' } = options
    requireIsolation(isolation)
    if (this.ended) throw closedError()
    const link = await this.pool.acquire()
    let begun = false
    try {
      const [reply] = await link.send([['BEGIN', 'ISOLATION', isolation]], false)
      if (reply instanceof ServerError) throw reply
      begun = true
    } finally {
      if (!begun) this.pool.release(link, false)
    }
    return new ClientTransaction(this.codec, link, isolation, reusable => this.pool.release(link, reusable))
  }

  /**
   * Runs `work` in a transaction, commits it and returns its result; rolls back if it throws. Runs it again, after a
   * short random pause, when it was picked to end a deadlock or met a write conflict.
   */
  async transact<T>(
    work: (tx: ClientTransaction<V>) => Promise<T> | T,
    options: ClientTransactOptions = {},
  ): Promise<T> {
    const { retries, ...others } = options
    return await runTransaction({ begin: () => this.begin(others) }, work, checkedRetries(retries))
  }

  /**
   * The changes that are committed from now on, in commit order, once they are durable:
   * `for await (const { type, key, value } of await client.watch('user:'))`. When the connection is lost it ends with an
   * error.
   */
  watch(range?: Range | Key, options: WatchOptions = {}): Promise<Watcher<V>> {
    if (this.ended) return Promise.reject(closedError())
    return watchOver(this.options.link, this.codec, range, options, this.watches)
  }

  get closed(): boolean {
    return this.ended
  }

  /** False while there is no connection. */
  get connected(): boolean {
    return this.link.connected
  }

  /** Lets the commands on their way be answered and closes all connections; open transactions are rolled back. */
  async close(): Promise<void> {
    this.ended = true
    const watches = [...this.watches].map(link => link.close())
    await Promise.all([this.link.close(), this.pool.close(), ...watches])
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  protected async ask(command: readonly Argument[], read: boolean): Promise<Reply> {
    const [reply] = await this.link.send([command], read)
    if (reply instanceof ServerError) throw reply
    return reply!
  }

  private commandOf(operation: BatchOperation<V>): Argument[] {
    if (operation?.type === 'put') return this.putCommand(operation.key, operation.value, operation)
    if (operation?.type === 'delete') return ['DEL', keyArgument(operation.key)]
    throw new InvalidArgumentError("an operation of batch() has the type 'put' or 'delete'")
  }
}

function isRead([name]: readonly Argument[]): boolean {
  return typeof name === 'string' && READS.has(name.toUpperCase())
}

function decoded(reply: Reply): CommandReply {
  if (isBytes(reply)) return (reply as Buffer).toString('utf8')
  if (Array.isArray(reply)) return reply.map(decoded)
  if (reply instanceof Map) return new Map([...reply].map(([key, value]) => [decoded(key), decoded(value)]))
  return reply
}
