/** Secondary indexes over the network: INDEX, whose parts are an index key, a key and, unless KEYS is said, a value. */
import type { AsyncItems } from '../runtime/items.ts'
import type { GivenIndexRange, TupleKey } from '../types.ts'
import type { AsyncIndexReads } from '../values/async-index.ts'
import type { AsyncIndex, AsyncStoreTransaction } from '../values/async-store.ts'
import { madeOf, Resumable } from '../values/failed-items.ts'
import { requireIndexName, resolveIndexRange } from '../values/index-range.ts'
import { type IndexPage, pageOfBytes } from '../values/page.ts'
import type { ResolvedRange } from '../values/range.ts'
import { decodeTuple, encodeTuple, joinTuples, TupleReader } from '../values/tuple.ts'
import type { Argument } from './encoder.ts'
import { itemsOf, type Paged } from './pages.ts'
import { lowerBound, upperBound } from './range.ts'
import type { Reply } from './reader.ts'
import { bytesOf, numberOf, type Values } from './values.ts'

/** Where the commands go. */
interface IndexSource {
  ask(command: readonly Argument[]): Promise<Reply>
  pages(range: Paged): AsyncGenerator<Reply[], undefined>
}

type Last = readonly [indexKey: Uint8Array, key: Uint8Array]

/** Entries of an index, or their keys. */
class PagedIndex implements Paged {
  readonly width: number
  readonly limit: number
  private readonly name: string
  private readonly range: ResolvedRange
  private readonly last: Last | undefined

  constructor(name: string, range: ResolvedRange, limit: number, keysOnly: boolean, last?: Last) {
    this.name = name
    this.range = range
    this.limit = limit
    this.width = keysOnly ? 2 : 3
    this.last = last
  }

  get isEmpty(): boolean {
    return this.range.isEmpty
  }

  /** What is passed over does not count, and the server knows nothing of it. */
  unlimited(): PagedIndex {
    return new PagedIndex(this.name, this.range, Number.POSITIVE_INFINITY, this.width === 2, this.last)
  }

  command(limit: number, bytes: number): readonly Argument[] {
    const { name, range, last, width } = this
    const command: Argument[] = ['INDEX', name, lowerBound(range.lower), upperBound(range.upper)]
    command.push('LIMIT', limit, 'BYTES', bytes)
    if (last !== undefined) command.push('BEHIND', ...last)
    if (range.reverse) command.push('REV')
    if (width === 2) command.push('KEYS')
    return command
  }

  behind([indexKey, key]: readonly Reply[], limit: number): Paged {
    return new PagedIndex(this.name, this.range, limit, this.width === 2, [bytesOf(indexKey!), bytesOf(key!)])
  }
}

/** What is read of an index of a store, or of a transaction. */
export class ClientIndexReads<V, K, IK> implements AsyncIndexReads<V, K, IK> {
  readonly name: string
  private readonly codec: Values<V>
  private readonly source: IndexSource

  constructor(name: string, codec: Values<V>, source: IndexSource) {
    this.name = requireIndexName(name)
    this.codec = codec
    this.source = source
  }

  async get(indexKey: IK): Promise<V | undefined> {
    const range = resolveIndexRange({ gte: indexKey, lte: indexKey, limit: 1 }, false)
    for await (const [, , value] of new Resumable(this.read(range))) return value
    return undefined
  }

  entries(range?: GivenIndexRange<IK>): AsyncItems<[indexKey: IK, key: K, value: V]> {
    return new Resumable(this.entriesOf(range))
  }

  private async *entriesOf(range: unknown): AsyncGenerator<[IK, K, V], undefined> {
    yield* this.read(resolveIndexRange(range, false))
    return undefined
  }

  keys(range?: GivenIndexRange<IK>): AsyncItems<[indexKey: IK, key: K]> {
    return new Resumable(this.keysOf(range))
  }

  private async *keysOf(range: unknown): AsyncGenerator<[IK, K], undefined> {
    const resolved = resolveIndexRange(range, false)
    yield* this.items(new PagedIndex(this.name, resolved, resolved.limit, true), resolved, parts => this.keysIn(parts))
    return undefined
  }

  async page(range: GivenIndexRange<IK> | undefined, size: number, cursor?: string): Promise<IndexPage<V, K, IK>> {
    // A cursor says where an entry lies, as the index key with the key behind it.
    const joined = resolveIndexRange(range, true)
    const page = pageOfBytes<{ entry: [IK, K, V]; bytes: Uint8Array }>(joined, size, cursor)
    const at = cursor === undefined ? undefined : joined.reverse ? page.range.upper : page.range.lower
    const entries: { entry: [IK, K, V]; bytes: Uint8Array }[] = []
    const paged = new PagedIndex(this.name, resolveIndexRange(range, false), size + 1, false, at && lastIn(at.key))
    const made = (parts: readonly Reply[]): { entry: [IK, K, V]; bytes: Uint8Array } => ({
      entry: this.entryIn(parts),
      bytes: joinTuples(bytesOf(parts[0]!), bytesOf(parts[1]!)),
    })
    for await (const each of new Resumable(this.items(paged, page.range, made))) entries.push(each)
    const { items, cursor: next } = page.finish(entries, ({ bytes }) => bytes)
    return { entries: items.map(({ entry }) => entry), cursor: next }
  }

  async count(range?: GivenIndexRange<IK>): Promise<number> {
    const { lower, upper, limit, isEmpty } = resolveIndexRange(range, false)
    if (isEmpty) return 0
    const command: Argument[] = ['INDEX', this.name, lowerBound(lower), upperBound(upper), 'COUNT']
    if (limit !== Number.POSITIVE_INFINITY) command.push('LIMIT', limit)
    return numberOf(await this.source.ask(command))
  }

  private read(range: ResolvedRange): AsyncGenerator<[IK, K, V], undefined> {
    return this.items(new PagedIndex(this.name, range, range.limit, false), range, parts => this.entryIn(parts))
  }

  private items<T>(
    paged: PagedIndex,
    { onDecodeError }: ResolvedRange,
    made: (parts: readonly Reply[]) => T,
  ): AsyncGenerator<T, undefined> {
    const asked = onDecodeError === 'throw' ? paged : paged.unlimited()
    // `Resumable` turns a failed item into a rejection.
    return itemsOf(this.source.pages(asked), paged.width, paged.limit, parts =>
      madeOf(() => made(parts), onDecodeError),
    ) as AsyncGenerator<T, undefined>
  }

  private keysIn([indexKey, key]: readonly Reply[]): [IK, K] {
    return [decodeTuple(bytesOf(indexKey!)) as IK, this.codec.decodeKey<K>(key!)]
  }

  private entryIn(parts: readonly Reply[]): [IK, K, V] {
    const [indexKey, key] = this.keysIn(parts)
    return [indexKey, key, this.codec.decode(parts[2]!, bytesOf(parts[1]!)) as V]
  }
}

/** An index of a store over the network. */
export class ClientIndex<V, K, IK = TupleKey> extends ClientIndexReads<V, K, IK> implements AsyncIndex<V, K, IK> {
  private readonly inside: <S, T>(tx: AsyncStoreTransaction<S, T>) => ClientIndexReads<V, K, IK>

  /** `inside`: the index as a transaction sees it. */
  constructor(
    name: string,
    codec: Values<V>,
    source: IndexSource,
    inside: <S, T>(tx: AsyncStoreTransaction<S, T>) => ClientIndexReads<V, K, IK>,
  ) {
    super(name, codec, source)
    this.inside = inside
  }

  in<S, T>(tx: AsyncStoreTransaction<S, T>): AsyncIndexReads<V, K, IK> {
    return this.inside(tx)
  }
}

/** The entry that a cursor leads behind. */
const lastIn = (entry: Uint8Array): Last => {
  const reader = new TupleReader(entry, 0, entry.length)
  const indexKey = encodeTuple(reader.value())
  return [indexKey, entry.slice(reader.at)]
}
