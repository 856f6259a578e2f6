/** What a client and a transaction have in common: reads and writes of records, each one command. */

import { InvalidArgumentError } from '../errors.ts'
import type { Key, PutOptions, Range } from '../types.ts'
import { type ResolvedRange, resolveRange } from '../values/range.ts'
import { checkedTtl } from '../values/ttl.ts'
import type { Argument } from './encoder.ts'
import { ConnectionError } from './errors.ts'
import { rangeCommand } from './range.ts'
import type { Reply } from './reader.ts'
import { bytesOf, keyArgument, listOf, numberOf, type Values } from './values.ts'

/** Records that one RANGE asks for: few at first, since many ranges are short, and values may be large. */
const FIRST_PAGE = 10
const LARGEST_PAGE = 1000
/** What a page should not be much larger than, as far as the one before it tells: servers refuse large replies. */
const PAGE_BYTES = 1048576
/** A database's last time is of 48 bits; this is some 4,000 years. */
const LONGEST_TTL = 2 ** 47

export abstract class Operations<V> {
  protected readonly codec: Values<V>

  constructor(codec: Values<V>) {
    this.codec = codec
  }

  /** Sends a command; rejects with the server's error. `read`: it may be sent again when the connection was lost. */
  protected abstract ask(command: readonly Argument[], read: boolean): Promise<Reply>

  /** The value of a key, or `undefined`. */
  async get(key: Key): Promise<V | undefined> {
    return this.codec.decode(await this.ask(['GET', keyArgument(key)], true))
  }

  /** The values of several keys, in their order, of one moment. */
  async getMany(keys: readonly Key[]): Promise<(V | undefined)[]> {
    if (!Array.isArray(keys)) throw new InvalidArgumentError('getMany() takes an array of keys')
    if (keys.length === 0) return []
    const reply = await this.ask(['MGET', ...keys.map(keyArgument)], true)
    return listOf(reply).map(each => this.codec.decode(each))
  }

  async has(key: Key): Promise<boolean> {
    return numberOf(await this.ask(['EXISTS', keyArgument(key)], true)) === 1
  }

  /** Stores a record; resolves when it is as durable as the server's database makes it. */
  async put(key: Key, value: V, options?: PutOptions): Promise<void> {
    await this.ask(this.putCommand(key, value, options), false)
  }

  /** Removes a record; true if it was there. */
  async delete(key: Key): Promise<boolean> {
    return numberOf(await this.ask(['DEL', keyArgument(key)], false)) === 1
  }

  /** Milliseconds until a record expires: `Infinity` if it never does, `undefined` if there is none. */
  async ttl(key: Key): Promise<number | undefined> {
    const left = numberOf(await this.ask(['PTTL', keyArgument(key)], true))
    return left === -2 ? undefined : left === -1 ? Number.POSITIVE_INFINITY : left
  }

  /** Lets a record expire after `ttl` milliseconds from now; false if there is none. */
  async expire(key: Key, ttl: number): Promise<boolean> {
    return numberOf(await this.ask(['PEXPIRE', keyArgument(key), wireTtl(ttl)], false)) === 1
  }

  /** Lets a record stay that was to expire; false if there is none that was. */
  async persist(key: Key): Promise<boolean> {
    return numberOf(await this.ask(['PERSIST', keyArgument(key)], false)) === 1
  }

  /**
   * The keys of a range, in bytewise order, asked for in pages: outside a transaction, what changes meanwhile may show.
   * With `keyEncoding: 'binary'` they are `Uint8Array`s.
   */
  async *keys(range?: Range | Key): AsyncGenerator<string, undefined> {
    for await (const page of this.pages(resolveRange(range), true))
      for (const key of page) yield this.codec.decodeKey(key)
    return undefined
  }

  async *values(range?: Range | Key): AsyncGenerator<V, undefined> {
    for await (const [, value] of this.entries(range)) yield value
    return undefined
  }

  async *entries(range?: Range | Key): AsyncGenerator<[string, V], undefined> {
    for await (const page of this.pages(resolveRange(range), false))
      for (let i = 0; i + 1 < page.length; i += 2)
        yield [this.codec.decodeKey(page[i]!), this.codec.decode(page[i + 1]!) as V]
    return undefined
  }

  /** Number of records, or of those in a range. */
  async count(range?: Range | Key): Promise<number> {
    let count = 0
    for await (const page of this.pages(resolveRange(range), true)) count += page.length
    return count
  }

  protected putCommand(key: Key, value: V, options: PutOptions | undefined): Argument[] {
    const command: Argument[] = ['SET', this.codec.encodeKey(key), this.codec.encode(value)]
    if (options?.ttl !== undefined) command.push('PX', wireTtl(options.ttl))
    return command
  }

  private async *pages(range: ResolvedRange, keysOnly: boolean): AsyncGenerator<Reply[]> {
    if (range.isEmpty) return
    let { lower, upper } = range
    let left = range.limit
    let size = keysOnly ? LARGEST_PAGE : FIRST_PAGE
    while (left > 0) {
      const most = Math.min(size, left)
      let page: Reply[]
      try {
        page = listOf(await this.ask(rangeCommand(lower, upper, range.reverse, most, keysOnly), true))
      } catch (error) {
        // A server closes the connection rather than send a reply beyond its limit.
        if (most === 1 || !(error instanceof ConnectionError)) throw error
        size = 1
        continue
      }
      const records = keysOnly ? page.length : page.length / 2
      yield page
      if (records < most) return
      left -= records
      const bytes = page.reduce<number>((sum, item) => sum + bytesOf(item).length, 0)
      size = Math.max(1, Math.min(LARGEST_PAGE, size * 4, Math.floor((PAGE_BYTES * records) / bytes)))
      const key = bytesOf(page[keysOnly ? page.length - 1 : page.length - 2]!)
      if (range.reverse) upper = { key, inclusive: false }
      else lower = { key, inclusive: false }
    }
  }
}

/** Whole milliseconds, as the server takes them. */
function wireTtl(ttl: unknown): number {
  return Math.min(LONGEST_TTL, Math.ceil(checkedTtl(ttl)))
}
