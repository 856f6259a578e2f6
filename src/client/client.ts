/** A database over the network: what `Database` does, with promises. */

import { InvalidArgumentError } from '../errors.ts'
import { isBytes } from '../runtime/bytes.ts'
import type {
  AsyncTransactionOptions,
  BatchOperation,
  GivenRange,
  TransactOptions,
  WaitOptions,
  WatchOptions,
} from '../types.ts'
import type { AsyncStore } from '../values/async-store.ts'
import { readBatch } from '../values/batch.ts'
import type { ResolvedRange } from '../values/range.ts'
import { runTransaction } from '../values/transact.ts'
import { checkedTtl } from '../values/ttl.ts'
import { checkedBeginning, checkedRuns, checkedWaiting, type Waiting } from '../values/wait-options.ts'
import type { Watcher } from '../values/watcher.ts'
import type { Argument } from './encoder.ts'
import { closedError, ServerError } from './errors.ts'
import { Link } from './link.ts'
import { Operations } from './operations.ts'
import type { ResolvedConnectOptions } from './options.ts'
import { pageOf, pagesOf } from './pages.ts'
import { Pool } from './pool.ts'
import type { Reply } from './reader.ts'
import { ClientTransaction } from './transaction.ts'
import { listOf, numberOf, Values } from './values.ts'
import { watchOver } from './watch.ts'

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

export class Client<V = string, K = string> extends Operations<V, K> implements AsyncStore<V, K> {
  private readonly options: ResolvedConnectOptions<V>
  private readonly link: Link
  /** Connections of transactions. */
  private readonly pool: Pool
  /** Connections of long iterators: without a limit, so that they cannot wait for a transaction that waits for them. */
  private readonly readers: Pool
  private readonly watches: Set<Link> = new Set()
  private ended = false

  /** @internal Use `connect`. */
  constructor(options: ResolvedConnectOptions<V>) {
    super(new Values(options.valueEncoding, options.keys))
    this.options = options
    this.link = new Link(options.link)
    this.pool = new Pool(options.link, options.transactionConnections)
    this.readers = new Pool(options.link, Number.POSITIVE_INFINITY)
  }

  /** @internal */
  async open(): Promise<this> {
    await this.link.open()
    return this
  }

  /** Applies the operations in order, as one transaction. */
  async batch(operations: readonly BatchOperation<V, K>[], options?: WaitOptions): Promise<void> {
    const changes = readBatch(operations, ttl => (ttl === Number.POSITIVE_INFINITY ? 0 : checkedTtl(ttl)))
    const waiting = options === undefined ? undefined : checkedWaiting(options)
    const commands = changes.map(({ isPut, key, value, ttl }) =>
      isPut ? this.putCommand(key, value as V, ttl === 0 ? undefined : ttl) : ['DEL', this.codec.keyArgument(key)],
    )
    if (commands.length === 0) return
    const replies = await this.sendAll([['MULTI'], ...commands], ['EXEC'], waiting)
    const result = replies[replies.length - 1]!
    // What was refused before EXEC says more than that EXEC was.
    for (const reply of result instanceof ServerError ? replies : listOf(result))
      if (reply instanceof ServerError) throw reply
  }

  /** Number of records, or of those in a range. Records that have expired but are not yet removed may count. */
  override async count(range?: GivenRange<K>): Promise<number> {
    if (range !== undefined) return await super.count(range)
    return numberOf(await this.ask(['DBSIZE'], true))
  }

  /** Removes all records, or those of a range, as one transaction. */
  async clear(range?: GivenRange<K>, options: WaitOptions = {}): Promise<void> {
    const waiting = checkedWaiting(options)
    if (range === undefined) await this.change(['FLUSHALL'], waiting)
    else await this.transact(tx => tx.clear(range), { ...options, retries: Number.POSITIVE_INFINITY })
  }

  /** When it resolves, everything committed so far survives power loss, whatever the `durability` of the server. */
  async flush(): Promise<void> {
    await this.ask(['WAITAOF', 1, 0, 0], false)
  }

  [Symbol.asyncIterator](): AsyncGenerator<[K, V], undefined> {
    return this.entries()
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
  async begin(options: AsyncTransactionOptions = {}): Promise<ClientTransaction<V, K>> {
    const { pool } = this
    const beginning = checkedBeginning(options)
    const { signal, isolation, readOnly, lockTimeout } = beginning
    if (this.ended) throw closedError()
    const link = await pool.acquire(signal)
    let begun = false
    try {
      const command: Argument[] = ['BEGIN', 'ISOLATION', isolation]
      if (readOnly) command.push('READONLY')
      if (lockTimeout !== undefined) command.push('LOCKTIMEOUT', wireTimeout(lockTimeout))
      const [reply] = await link.send([command], false)
      if (reply instanceof ServerError) throw reply
      signal?.throwIfAborted()
      begun = true
    } finally {
      if (!begun) pool.release(link, false)
    }
    return new ClientTransaction(this.codec, link, beginning, reusable => pool.release(link, reusable))
  }

  /**
   * Runs `work` in a transaction, commits it and returns its result; rolls back if it throws. Runs it again, after a
   * short random pause, when it was picked to end a deadlock or met a write conflict.
   */
  async transact<T>(work: (tx: ClientTransaction<V, K>) => Promise<T> | T, options: TransactOptions = {}): Promise<T> {
    const { retries, others } = checkedRuns(options)
    return await runTransaction({ begin: () => this.begin(others) }, work, retries)
  }

  /**
   * The changes that are committed from now on, in commit order, once they are durable: `for await (const { type, key,
   * value } of await client.watch('user:'))`. When the connection is lost it ends with an error.
   */
  watch(range?: GivenRange<K>, options: WatchOptions = {}): Promise<Watcher<V, K>> {
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
    await Promise.all([this.link.close(), this.pool.close(), this.readers.close(), ...watches])
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  protected async ask(command: readonly Argument[], read: boolean): Promise<Reply> {
    const [reply] = await this.link.send([command], read)
    if (reply instanceof ServerError) throw reply
    return reply!
  }

  protected async change(command: readonly Argument[], waiting: Waiting | undefined): Promise<Reply> {
    const replies = await this.sendAll([], command, waiting)
    const reply = replies[replies.length - 1]!
    if (reply instanceof ServerError) throw reply
    return reply
  }

  /** A range that is longer than a page is read from a snapshot, on a connection of its own. */
  protected override async *pages(range: ResolvedRange, keysOnly: boolean): AsyncGenerator<Reply[], undefined> {
    if (range.isEmpty) return undefined
    const first = await pageOf(command => this.ask(command, true), range, keysOnly)
    if (first.rest === undefined) {
      yield first.items
      return undefined
    }
    const link = await this.readers.acquire()
    const ask = async (command: readonly Argument[]): Promise<Reply> => {
      const [reply] = await link.send([command], false)
      if (reply instanceof ServerError) throw reply
      return reply!
    }
    try {
      await ask(['BEGIN', 'ISOLATION', 'snapshot', 'READONLY'])
      yield* pagesOf(ask, range, keysOnly)
    } finally {
      const over = await ask(['ROLLBACK']).then(
        () => true,
        () => false,
      )
      this.readers.release(link, over)
    }
    return undefined
  }

  /** Sends commands, of which the last may wait for a lock. */
  private async sendAll(
    before: readonly (readonly Argument[])[],
    last: readonly Argument[],
    waiting: Waiting = {},
  ): Promise<Reply[]> {
    const { lockTimeout } = waiting
    if (lockTimeout === undefined) return await this.link.send([...before, last], false, waiting)
    const limit: Argument[] = ['LOCKTIMEOUT', wireTimeout(lockTimeout)]
    return await this.link.send([...before, limit, last], false, waiting)
  }
}

/** Whole milliseconds, as many as a timer takes. */
const wireTimeout = (lockTimeout: number): number => Math.min(2 ** 31 - 1, Math.ceil(lockTimeout))

function isRead([name]: readonly Argument[]): boolean {
  return typeof name === 'string' && READS.has(name.toUpperCase())
}

function decoded(reply: Reply): CommandReply {
  if (isBytes(reply)) return (reply as Buffer).toString('utf8')
  if (Array.isArray(reply)) return reply.map(decoded)
  if (reply instanceof Map) return new Map([...reply].map(([key, value]) => [decoded(key), decoded(value)]))
  return reply
}
