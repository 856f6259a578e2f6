/** The records of all shards of a cluster as one store: calls go to whoever has the keys. */
import type { Argument } from '../../client/encoder.ts'
import { ServerError } from '../../client/errors.ts'
import type { LinkOptions } from '../../client/link-options.ts'
import { Operations } from '../../client/operations.ts'
import { PagedRange, pagesOf } from '../../client/pages.ts'
import { countCommand } from '../../client/range.ts'
import type { Reply } from '../../client/reader.ts'
import { bytesOf, listOf, numberOf, Values } from '../../client/values.ts'
import { InvalidArgumentError, XenonError } from '../../errors.ts'
import { compareBytes, isBytes, isWellFormed } from '../../runtime/bytes.ts'
import { showAs } from '../../runtime/inspecting.ts'
import type { AsyncItems } from '../../runtime/items.ts'
import type {
  AsyncTransactionOptions,
  BatchOperation,
  GivenRange,
  Key,
  TransactOptions,
  WaitOptions,
  WatchOptions,
} from '../../types.ts'
import type { AsyncStore } from '../../values/async-store.ts'
import { readBatch } from '../../values/batch.ts'
import type { LoadedEncoding } from '../../values/encoding.ts'
import { resolveRange } from '../../values/range.ts'
import { checkedTtl } from '../../values/ttl.ts'
import { checkedWaiting, type Waiting } from '../../values/wait-options.ts'
import { checkedWatch, type Watcher } from '../../values/watcher.ts'
import { slotOf } from '../slots.ts'
import type { Router } from './router.ts'
import { noFeed, noIndexes, noSubs, SlotStore } from './slot-store.ts'
import { TaggedKeys } from './tagged-keys.ts'

export interface ClusterParts<V> {
  readonly router: Router
  readonly link: LinkOptions
  readonly valueEncoding: LoadedEncoding<V>
  readonly codec: Values<V>
}

/** The records of all shards of a cluster, from `connectCluster`. */
export class ClusterClient<V = string, K = string> extends Operations<V, K> implements AsyncStore<V, K> {
  static {
    showAs('ClusterClient', ClusterClient, ({ closed, shards }) => ({
      shards: shards.join(' '),
      ...(closed && { closed }),
    }))
  }

  private readonly router: Router
  private readonly link: LinkOptions
  private readonly valueEncoding: LoadedEncoding<V>

  /** @internal Use `connectCluster`. */
  constructor({ router, link, valueEncoding, codec }: ClusterParts<V>) {
    super(codec)
    this.router = router
    this.link = link
    this.valueEncoding = valueEncoding
  }

  /** Where the leaders of the shards are, as far as this client knows. */
  get shards(): readonly string[] {
    return this.router.topology.shards.map(({ leader }) => leader)
  }

  /**
   * The records whose keys stand behind the hash tag `{tag}`, which callers do not see, as a store: they lie in one slot,
   * so batches, ranges of one moment and transactions work there.
   * @example await cluster.slot('cart:42').batch([{ type: 'put', key: 'item', value: 'book' }])
   */
  slot(tag: string): SlotStore<V, K> {
    if (typeof tag !== 'string' || tag === '' || tag.includes('}') || !isWellFormed(tag))
      throw new InvalidArgumentError('a hash tag is text that is not empty, without a }')
    const bytes = Buffer.from(`{${tag}}`)
    const codec = new Values<V>(this.valueEncoding, new TaggedKeys(this.codec.keys.encoding, bytes))
    return new SlotStore<V, K>(this.router, slotOf(bytes), tag, this.link, codec)
  }

  /**
   * Any command, by the shard of the word with this number, which is its key. Rejects with the server's error.
   * @example const visits = await cluster.command(1, 'INCR', 'visits')
   */
  async command(key: number, ...command: readonly Argument[]): Promise<Reply> {
    const word = command[key]
    if (word === undefined) throw new InvalidArgumentError(`the command has no word ${key} that could be its key`)
    return only(await this.router.write(this.slotFor(word), [command]))
  }

  private slotFor(key: Argument): number {
    return slotOf(isBytes(key) ? key : Buffer.from(String(key)))
  }

  protected async ask(command: readonly Argument[], read: boolean): Promise<Reply> {
    const slot = this.slotFor(command[1]!)
    const reply = read ? await this.router.read(slot, command) : only(await this.router.write(slot, [command]))
    if (reply instanceof ServerError) throw reply
    return reply
  }

  protected async change(command: readonly Argument[], waiting: Waiting = {}): Promise<Reply> {
    return only(await this.router.write(this.slotFor(command[1]!), [command], waiting))
  }

  /** The values of several keys, in their order; of one moment those of each slot. */
  override async getMany(keys: readonly (K | Key)[]): Promise<(V | undefined)[]> {
    if (!Array.isArray(keys)) throw new InvalidArgumentError('getMany() takes an array of keys')
    const wanted = keys.map(key => this.codec.keyArgument(key))
    const found: (V | undefined)[] = new Array(wanted.length).fill(undefined)
    const bySlot = groupBy(wanted.keys(), i => this.slotFor(wanted[i]!))
    await Promise.all(
      [...bySlot].map(async ([slot, places]) => {
        const reply = await this.router.read(slot, ['MGET', ...places.map(i => wanted[i]!)])
        if (reply instanceof ServerError) throw reply
        for (const [at, each] of listOf(reply).entries())
          found[places[at]!] = this.codec.decode(each, wanted[places[at]!]!)
      }),
    )
    return found
  }

  /**
   * Applies the operations in order, as one transaction.
   * @throws XenonError `XENON_NOT_SUPPORTED` if their keys lie in several slots
   */
  async batch(operations: readonly BatchOperation<V, K>[], options?: WaitOptions): Promise<void> {
    const changes = readBatch(operations, ttl => (ttl === Number.POSITIVE_INFINITY ? 0 : checkedTtl(ttl)))
    const waiting = options === undefined ? undefined : checkedWaiting(options)
    const commands = changes.map(({ isPut, key, value, ttl }) =>
      isPut ? this.putCommand(key, value as V, ttl === 0 ? undefined : ttl) : ['DEL', this.codec.keyArgument(key)],
    )
    const slots = new Set(commands.map(command => this.slotFor(command[1]!)))
    if (slots.size > 1)
      throw new XenonError(
        'XENON_NOT_SUPPORTED',
        `a batch is one transaction, and its keys lie in ${slots.size} slots: give them a hash tag in common, or use slot(tag)`,
      )
    for (const slot of slots) {
      const replies = await this.router.write(slot, [['MULTI'], ...commands, ['EXEC']], waiting)
      const result = replies[replies.length - 1]!
      // What was refused before EXEC says more than that EXEC was.
      for (const reply of result instanceof ServerError ? replies : listOf(result))
        if (reply instanceof ServerError) throw reply
    }
  }

  /** Number of records, or of those in a range: the sum over the shards, each of its own moment. */
  override async count(range?: GivenRange<K>): Promise<number> {
    const resolved = range === undefined ? undefined : resolveRange(range, this.codec.keys)
    if (resolved?.isEmpty === true) return 0
    const command = resolved === undefined ? ['DBSIZE'] : countCommand(resolved)
    const counts = await this.eachShard(async slot => numberOf(await this.askLeader(slot, command)))
    const sum = counts.reduce((total, each) => total + each, 0)
    return Math.min(sum, resolved?.limit ?? Number.POSITIVE_INFINITY)
  }

  /** Removes all records, or those of a range: shard by shard, and of a range key by key, not as one transaction. */
  async clear(range?: GivenRange<K>, options: WaitOptions = {}): Promise<void> {
    const waiting = checkedWaiting(options)
    if (range === undefined) {
      await this.eachShard(async slot => only(await this.router.write(slot, [['FLUSHALL']], waiting)))
      return
    }
    for await (const page of this.pages(new PagedRange(resolveRange(range, this.codec.keys), true))) {
      const bySlot = groupBy(page as Uint8Array[], key => slotOf(key))
      await Promise.all(
        [...bySlot].map(async ([slot, keys]) => only(await this.router.write(slot, [['DEL', ...keys]], waiting))),
      )
    }
  }

  /** A slot of each shard. */
  private async eachShard<T>(work: (slot: number) => Promise<T>): Promise<T[]> {
    const { topology } = this.router
    await topology.refresh()
    return Promise.all(topology.slotOfEach().map(work))
  }

  /** What has no key is answered by any node, so that the leader has to be asked whether it is that. */
  private async askLeader(slot: number, command: readonly Argument[]): Promise<Reply> {
    const replies = await this.router.toLeader(slot, [['XLEADER'], command], true)
    return only(replies.slice(1))
  }

  /** The records of all shards in order: each shard's as they are when its page is read. */
  protected override async *pages(range: PagedRange): AsyncGenerator<Reply[], undefined> {
    if (range.isEmpty) return undefined
    const sources = await this.eachShard(async slot => {
      const ask = (command: readonly Argument[]): Promise<Reply> => this.askLeader(slot, command)
      return new Source(pagesOf(ask, range), range.width)
    })
    await Promise.all(sources.map(source => source.load()))
    let left = range.limit
    while (left > 0) {
      const first = sources
        .filter(({ key }) => key !== undefined)
        .sort((a, b) => {
          const order = compareBytes(a.key!, b.key!)
          return range.reverse ? -order : order
        })
      if (first.length === 0) return undefined
      // All of a page that come before the next key of the other shards.
      const page = first[0]!.takeUntil(first[1]?.key, range.reverse, left)
      left -= page.length / range.width
      yield page
      await first[0]!.load()
    }
    return undefined
  }

  [Symbol.asyncIterator](): AsyncItems<[K, V]> {
    return this.entries()
  }

  begin(_options?: AsyncTransactionOptions): Promise<never> {
    return Promise.reject(notHere('a transaction'))
  }

  transact<T>(_work: unknown, _options?: TransactOptions): Promise<T> {
    return Promise.reject(notHere('a transaction'))
  }

  /** @throws XenonError `XENON_NOT_SUPPORTED`: the changes of a cluster are those of its logs (`changes`) */
  async watch(range?: GivenRange<K>, options: WatchOptions = {}): Promise<Watcher<V, K>> {
    checkedWatch(range, options, this.codec.keys).signal?.throwIfAborted()
    throw noFeed()
  }

  sub(_name: string): Promise<never> {
    return Promise.reject(noSubs())
  }

  subs(): Promise<never> {
    return Promise.reject(noSubs())
  }

  drop(_name: string): Promise<never> {
    return Promise.reject(noSubs())
  }

  /** @throws XenonError `XENON_NOT_SUPPORTED`: a cluster keeps no indexes */
  index(_name: string): never {
    throw noIndexes()
  }

  /** What was answered is in the log already: there is nothing to wait for. */
  async flush(): Promise<void> {}

  get closed(): boolean {
    return this.router.topology.closed
  }

  /** Lets the commands on their way be answered and closes all connections. */
  async close(): Promise<void> {
    await this.router.topology.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** The records of one shard, page by page. */
class Source {
  private readonly pages: AsyncGenerator<Reply[], undefined>
  private readonly width: number
  private page: Reply[] = []
  private at = 0

  constructor(pages: AsyncGenerator<Reply[], undefined>, width: number) {
    this.pages = pages
    this.width = width
  }

  /** The next key; undefined: there is none. */
  get key(): Uint8Array | undefined {
    const key = this.page[this.at]
    return key === undefined ? undefined : bytesOf(key)
  }

  /** Reads on if there is nothing left. */
  async load(): Promise<void> {
    while (this.at >= this.page.length) {
      const { value, done } = await this.pages.next()
      if (done === true || value === undefined) return
      this.page = value
      this.at = 0
    }
  }

  takeUntil(key: Uint8Array | undefined, reverse: boolean, most: number): Reply[] {
    const { page, width, at } = this
    let end = at
    while (end < page.length && (end - at) / width < most) {
      const order = key === undefined ? -1 : compareBytes(bytesOf(page[end]!), key)
      if (key !== undefined && (reverse ? order <= 0 : order >= 0)) break
      end += width
    }
    this.at = end
    return page.slice(at, end)
  }
}

const only = ([reply]: readonly Reply[]): Reply => {
  if (reply instanceof ServerError) throw reply
  return reply!
}

const groupBy = <T>(items: Iterable<T>, slotFor: (item: T) => number): Map<number, T[]> => {
  const groups = new Map<number, T[]>()
  for (const item of items) {
    const slot = slotFor(item)
    const group = groups.get(slot)
    if (group === undefined) groups.set(slot, [item])
    else group.push(item)
  }
  return groups
}

const notHere = (what: string): XenonError =>
  new XenonError('XENON_NOT_SUPPORTED', `${what} lies in one slot: slot(tag) of the client is a store that has them`)
