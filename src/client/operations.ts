/** What a client and a transaction have in common: reads and writes of records, each one command. */

import { InvalidArgumentError } from '../errors.ts'
import type { AsyncItems } from '../runtime/items.ts'
import type { AsyncPutOptions, GivenRange, Key, PutOptions, WaitOptions } from '../types.ts'
import type { AsyncReads } from '../values/async-store.ts'
import { type Failed, madeOf, Resumable } from '../values/failed-items.ts'
import { asyncPage, type Page, pageRequest } from '../values/page.ts'
import { resolveRange } from '../values/range.ts'
import { checkedTtl } from '../values/ttl.ts'
import { checkedPut, checkedWaiting, type Waiting } from '../values/wait-options.ts'
import type { Argument } from './encoder.ts'
import { ClientIndexReads } from './index-reads.ts'
import { type Ask, itemsOf, type Paged, PagedRange, pagesOf } from './pages.ts'
import { countCommand } from './range.ts'
import type { Reply } from './reader.ts'
import { bytesOf, listOf, numberOf, type Values } from './values.ts'

/** A database's last time is of 48 bits; this is some 4,000 years. */
const LONGEST_TTL = 2 ** 47
/** Keys of one DEL. */
const DELETED_TOGETHER = 1000

export abstract class Operations<V, K = string> implements AsyncReads<V, K> {
  protected readonly codec: Values<V>

  constructor(codec: Values<V>) {
    this.codec = codec
  }

  /** Sends a command; rejects with the server's error. `read`: it may be sent again when the connection was lost. */
  protected abstract ask(command: readonly Argument[], read: boolean): Promise<Reply>

  /** Sends a command that may wait for a lock, as the caller says. */
  protected abstract change(command: readonly Argument[], waiting: Waiting | undefined): Promise<Reply>

  /** The value of a key, or `undefined`. */
  async get(key: K | Key): Promise<V | undefined> {
    const argument = this.codec.keyArgument(key)
    return this.codec.decode(await this.ask(['GET', argument], true), argument)
  }

  /** The values of several keys, in their order, of one moment. */
  async getMany(keys: readonly (K | Key)[]): Promise<(V | undefined)[]> {
    if (!Array.isArray(keys)) throw new InvalidArgumentError('getMany() takes an array of keys')
    if (keys.length === 0) return []
    const wanted = keys.map(key => this.codec.keyArgument(key))
    return listOf(await this.ask(['MGET', ...wanted], true)).map((each, i) => this.codec.decode(each, wanted[i]!))
  }

  async has(key: K | Key): Promise<boolean> {
    return numberOf(await this.ask(['EXISTS', this.codec.keyArgument(key)], true)) === 1
  }

  /** Stores a record; resolves when it is as durable as the server's database makes it. */
  async put(key: K | Key, value: V, options?: AsyncPutOptions): Promise<void> {
    const checked = options === undefined ? undefined : checkedPut(options)
    await this.change(this.putCommand(key, value, checked?.ttl), checked)
  }

  /** Removes a record; true if it was there. */
  async delete(key: K | Key, options?: WaitOptions): Promise<boolean> {
    return numberOf(await this.change(['DEL', this.codec.keyArgument(key)], waitingOf(options))) === 1
  }

  /** Milliseconds until a record expires: `Infinity` if it never does, `undefined` if there is none. */
  async ttl(key: K | Key): Promise<number | undefined> {
    const left = numberOf(await this.ask(['PTTL', this.codec.keyArgument(key)], true))
    return left === -2 ? undefined : left === -1 ? Number.POSITIVE_INFINITY : left
  }

  /** Lets a record expire after `ttl` milliseconds from now; false if there is none. */
  async expire(key: K | Key, ttl: number, options?: WaitOptions): Promise<boolean> {
    if (ttl === Number.POSITIVE_INFINITY) return await this.persist(key, options)
    const command = ['PEXPIRE', this.codec.keyArgument(key), wireTtl(checkedTtl(ttl))]
    return numberOf(await this.change(command, waitingOf(options))) === 1
  }

  /** Lets a record stay that was to expire; false if there is none that was. */
  async persist(key: K | Key, options?: WaitOptions): Promise<boolean> {
    return numberOf(await this.change(['PERSIST', this.codec.keyArgument(key)], waitingOf(options))) === 1
  }

  /** The keys of a range, in bytewise order. With `keyEncoding: 'binary'` they are `Uint8Array`s. */
  keys(range?: GivenRange<K>): AsyncItems<K> {
    return new Resumable(this.items(range, true, page => this.codec.decodeKey<K>(page[0]!)))
  }

  values(range?: GivenRange<K>): AsyncItems<V> {
    return new Resumable(this.items(range, false, ([key, value]) => this.codec.decode(value!, bytesOf(key!)) as V))
  }

  entries(range?: GivenRange<K>): AsyncItems<[K, V]> {
    return new Resumable(
      this.items(range, false, ([key, value]): [K, V] => [
        this.codec.decodeKey<K>(key!),
        this.codec.decode(value!, bytesOf(key!)) as V,
      ]),
    )
  }

  /** `item`: of a key, or of a key and a value. */
  private async *items<T>(
    range: GivenRange<K> | undefined,
    keysOnly: boolean,
    item: (record: readonly Reply[]) => T,
  ): AsyncGenerator<T | Failed, undefined> {
    const resolved = resolveRange(range, this.codec.keys)
    const { onDecodeError, limit } = resolved
    // What is passed over does not count, and the server knows nothing of it.
    const asked = onDecodeError === 'throw' ? resolved : { ...resolved, limit: Number.POSITIVE_INFINITY }
    const paged = new PagedRange(asked, keysOnly)
    yield* itemsOf(this.pages(paged), paged.width, limit, parts => madeOf(() => item(parts), onDecodeError))
    return undefined
  }

  async page(range: GivenRange<K> | undefined, size: number, cursor?: string): Promise<Page<V, K>> {
    const request = pageRequest<V, K>(range, size, cursor, this.codec.keys)
    return await asyncPage(
      request,
      given => this.entries(given),
      key => this.has(key),
    )
  }

  /** Number of records, or of those in a range. */
  async count(range?: GivenRange<K>): Promise<number> {
    const resolved = resolveRange(range, this.codec.keys)
    return resolved.isEmpty ? 0 : numberOf(await this.ask(countCommand(resolved), true))
  }

  /** What lies in a range, in pages, all of one moment or under the locks of one transaction. */
  protected pages(range: Paged): AsyncGenerator<Reply[], undefined> {
    const ask: Ask = command => this.ask(command, true)
    return pagesOf(ask, range)
  }

  /** @internal A secondary index of these records, by its name. */
  indexReads<IK>(name: string): ClientIndexReads<V, K, IK> {
    return new ClientIndexReads<V, K, IK>(name, this.codec, {
      ask: command => this.ask(command, true),
      pages: range => this.pages(range),
    })
  }

  /** Removes the records of a range, inside a transaction. */
  protected async clearRange(range: GivenRange<K> | undefined): Promise<void> {
    const found: Argument[] = []
    for await (const page of this.pages(new PagedRange(resolveRange(range, this.codec.keys), true)))
      for (const key of page) found.push(key as Uint8Array)
    for (let at = 0; at < found.length; at += DELETED_TOGETHER)
      await this.ask(['DEL', ...found.slice(at, at + DELETED_TOGETHER)], false)
  }

  protected putCommand(key: K | Key, value: V, ttl: PutOptions['ttl']): Argument[] {
    const command: Argument[] = ['SET', this.codec.encodeKey(key), this.codec.encode(value, key)]
    if (ttl !== undefined) command.push('PX', wireTtl(ttl))
    return command
  }
}

const waitingOf = (options: WaitOptions | undefined): Waiting | undefined =>
  options === undefined ? undefined : checkedWaiting(options)

/** Whole milliseconds, as the server takes them. */
const wireTtl = (ttl: number): number => Math.min(LONGEST_TTL, Math.ceil(ttl))
