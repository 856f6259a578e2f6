/** The records of one key space over the network: what `AsyncStore` promises, each call one command or a few. */

import { EncodingMismatchError, InvalidArgumentError, shown } from '../errors.ts'
import { showAs } from '../runtime/inspecting.ts'
import type { AsyncItems } from '../runtime/items.ts'
import type {
  AsyncTransactionOptions,
  BatchOperation,
  BuiltInEncoding,
  GivenRange,
  KeyEncoding,
  KeyOf,
  SubEncodings,
  TransactOptions,
  TupleKey,
  ValueOf,
  WaitOptions,
  WatchOptions,
} from '../types.ts'
import type { AsyncStore } from '../values/async-store.ts'
import { readBatch } from '../values/batch.ts'
import { BINARY_KEYS } from '../values/key-codec.ts'
import { requireSubName } from '../values/sub-name.ts'
import { runTransaction } from '../values/transact.ts'
import { checkedTtl } from '../values/ttl.ts'
import { checkedBeginning, checkedRuns, checkedWaiting, type Waiting } from '../values/wait-options.ts'
import type { Watcher } from '../values/watcher.ts'
import type { Connections } from './connections.ts'
import { Conversation } from './conversation.ts'
import type { Argument } from './encoder.ts'
import { closedError, ServerError } from './errors.ts'
import { ClientIndex } from './index-reads.ts'
import { Operations } from './operations.ts'
import { checkedEncodings } from './options.ts'
import { type Paged, pageOf, pagesOf } from './pages.ts'
import type { Reply } from './reader.ts'
import { ClientTransaction, type Place, type StoreParts } from './transaction.ts'
import { bytesOf, listOf, numberOf, Values } from './values.ts'
import { watchOver } from './watch.ts'

export abstract class ClientStore<V = string, K = string> extends Operations<V, K> implements AsyncStore<V, K> {
  protected readonly connections: Connections
  protected readonly place: Place

  /** @internal */
  constructor(connections: Connections, codec: Values<V>, place: Place) {
    super(codec)
    this.connections = connections
    this.place = place
  }

  /** @internal What a transaction takes of it. */
  get parts(): StoreParts<V> {
    const { connections, codec, place } = this
    return { connections, codec, place }
  }

  /** Applies the operations in order, as one transaction. */
  async batch(operations: readonly BatchOperation<V, K>[], options?: WaitOptions): Promise<void> {
    const changes = readBatch(operations, ttl => (ttl === Number.POSITIVE_INFINITY ? 0 : checkedTtl(ttl)))
    const waiting = options === undefined ? undefined : checkedWaiting(options)
    const commands = changes.map(({ isPut, key, value, ttl }) =>
      this.placed(
        isPut ? this.putCommand(key, value as V, ttl === 0 ? undefined : ttl) : ['DEL', this.codec.keyArgument(key)],
      ),
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
    if (range === undefined) await this.change(['FLUSHDB'], waiting)
    else await this.transact(tx => tx.clear(range), { ...options, retries: Number.POSITIVE_INFINITY })
  }

  /** When it resolves, everything committed so far survives power loss, whatever the `durability` of the server. */
  async flush(): Promise<void> {
    await this.connections.ask(['WAITAOF', 1, 0, 0], false)
  }

  [Symbol.asyncIterator](): AsyncItems<[K, V]> {
    return this.entries()
  }

  /** Begins an interactive transaction on a connection of its own; end it with `commit` or `rollback`. */
  async begin(options: AsyncTransactionOptions = {}): Promise<ClientTransaction<V, K>> {
    const { connections } = this
    const { pool } = connections
    const beginning = checkedBeginning(options)
    const { signal, isolation, readOnly, lockTimeout } = beginning
    if (connections.closed) throw closedError()
    connections.requireOnline()
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
    return new ClientTransaction<V, K>(this.parts, new Conversation(connections, link, beginning))
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
  async watch(range?: GivenRange<K>, options: WatchOptions = {}): Promise<Watcher<V, K>> {
    const { connections, codec, place } = this
    if (connections.closed) throw closedError()
    connections.requireOnline()
    return await watchOver(connections, codec, place, range, options)
  }

  /**
   * The sub-database with a name, which is made if there is none. It sends over the same connections.
   * @throws XenonError `XENON_ENCODING` if it exists with other encodings.
   */
  sub<E extends BuiltInEncoding = 'utf8', KE extends KeyEncoding = 'utf8'>(
    name: string,
    options?: SubEncodings<ValueOf<E>> & { valueEncoding?: E | undefined; keyEncoding?: KE | undefined },
  ): Promise<ClientSub<ValueOf<E>, KeyOf<KE>>>
  sub<S>(name: string, options: SubEncodings<S> & { keyEncoding: 'binary' }): Promise<ClientSub<S, Uint8Array>>
  sub<S, T extends TupleKey = TupleKey>(
    name: string,
    options: SubEncodings<S> & { keyEncoding: 'tuple' },
  ): Promise<ClientSub<S, T>>
  sub<S, T = string>(name: string, options?: SubEncodings<S>): Promise<ClientSub<S, T>>
  async sub<S, T>(name: string, options: SubEncodings<S> = {}): Promise<ClientSub<S, T>> {
    requireSubName(name)
    const given = checkedEncodings(options)
    const { keyEncoding, valueEncoding } = options
    const command = ['SUB', 'OPEN', name]
    if (keyEncoding !== undefined) command.push('KEYS', keyEncoding)
    if (valueEncoding !== undefined)
      command.push('VALUES', typeof valueEncoding === 'string' ? valueEncoding : valueEncoding.name)
    const [keys, values] = listOf(await this.ask(command, false)).map(each => String(bytesOf(each)))
    const encodings = checkedEncodings<S>({ keyEncoding: keys as 'utf8', valueEncoding: given.valueEncoding })
    if (valueEncoding === undefined) {
      if (!isBuiltIn(values))
        throw new EncodingMismatchError(`the sub-database '${shown(name)}'`, 'valueEncoding', String(values), 'utf8')
      encodings.valueEncoding = values
    }
    return new ClientSub<S, T>(this.connections, new Values(encodings.valueEncoding, encodings.keys), [
      ...this.place,
      'IN',
      name,
    ])
  }

  /** @internal Its records as bytes, however they are encoded. Whether it is there is not asked. */
  subAsBytes(name: string): ClientSub<Uint8Array, Uint8Array> {
    const bytes = new Values<Uint8Array>('binary', BINARY_KEYS)
    return new ClientSub<Uint8Array, Uint8Array>(this.connections, bytes, [...this.place, 'IN', name])
  }

  /** A secondary index, by its name, to be read: the program that has the database open has declared it. */
  index<IK extends TupleKey = TupleKey>(name: string): ClientIndex<V, K, IK> {
    const source = {
      ask: (command: readonly Argument[]) => this.ask(command, true),
      pages: (range: Paged) => this.pages(range),
    }
    return new ClientIndex<V, K, IK>(name, this.codec, source, tx => {
      if (!(tx instanceof ClientTransaction))
        throw new InvalidArgumentError('in() takes a transaction of the same client')
      return tx.in<V, K>(this).indexReads<IK>(name)
    })
  }

  /** The names of the sub-databases that lie in this one. */
  async subs(): Promise<string[]> {
    return listOf(await this.ask(['SUB', 'LIST'], true)).map(each => String(bytesOf(each)))
  }

  /** Drops a sub-database, with those that lie in it; false if there is none. */
  async drop(name: string): Promise<boolean> {
    requireSubName(name)
    return numberOf(await this.ask(['SUB', 'DROP', name], false)) === 1
  }

  /** True once `close` of the client was called. */
  get closed(): boolean {
    return this.connections.closed
  }

  abstract close(): Promise<void>

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  protected ask(command: readonly Argument[], read: boolean): Promise<Reply> {
    return this.connections.ask(this.placed(command), read)
  }

  private placed(command: readonly Argument[]): readonly Argument[] {
    return this.place.length === 0 ? command : [...this.place, ...command]
  }

  protected change(command: readonly Argument[], waiting: Waiting | undefined): Promise<Reply> {
    if (waiting?.lockTimeout === undefined) return this.connections.ask(this.placed(command), false, waiting)
    return this.changeWithin(command, waiting)
  }

  private async changeWithin(command: readonly Argument[], waiting: Waiting): Promise<Reply> {
    const replies = await this.sendAll([], this.placed(command), waiting)
    const reply = replies[replies.length - 1]!
    if (reply instanceof ServerError) throw reply
    return reply
  }

  /** A range that is longer than a page is read from a snapshot, on a connection of its own. */
  protected override async *pages(range: Paged): AsyncGenerator<Reply[], undefined> {
    if (range.isEmpty) return undefined
    const first = await pageOf(command => this.ask(command, true), range)
    if (first.rest === undefined) {
      yield first.items
      return undefined
    }
    const { readers } = this.connections
    const link = await readers.acquire()
    const ask = async (command: readonly Argument[]): Promise<Reply> => {
      const [reply] = await link.send([command], false)
      if (reply instanceof ServerError) throw reply
      return reply!
    }
    try {
      await ask(['BEGIN', 'ISOLATION', 'snapshot', 'READONLY'])
      yield* pagesOf(command => ask(this.placed(command)), range)
    } finally {
      const over = await ask(['ROLLBACK']).then(
        () => true,
        () => false,
      )
      readers.release(link, over)
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
    if (lockTimeout === undefined) return await this.connections.link.send([...before, last], false, waiting)
    const limit: Argument[] = ['LOCKTIMEOUT', wireTimeout(lockTimeout)]
    return await this.connections.link.send([...before, limit, last], false, waiting)
  }
}

/** A sub-database, from `sub` of a client or of another sub-database. */
export class ClientSub<V = string, K = string> extends ClientStore<V, K> {
  static {
    showAs('ClientSub', ClientSub, ({ connections, place }) => ({ name: place.at(-1), server: connections.link.place }))
  }

  /** Does nothing: the client has the connections. */
  async close(): Promise<void> {}
}

const isBuiltIn = (encoding: unknown): encoding is 'utf8' | 'json' | 'binary' =>
  encoding === 'utf8' || encoding === 'json' || encoding === 'binary'

/** Whole milliseconds, as many as a timer takes. */
const wireTimeout = (lockTimeout: number): number => Math.min(2 ** 31 - 1, Math.ceil(lockTimeout))
