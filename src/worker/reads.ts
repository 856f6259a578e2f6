/** What is read of stores, transactions and indexes of a port. */
import type { DecodeError } from '../errors.ts'
import type { AsyncItems } from '../runtime/items.ts'
import type { GivenIndexRange, GivenRange, Key, OnDecodeError, Range, TupleKey } from '../types.ts'
import type { AsyncIndexReads } from '../values/async-index.ts'
import type { AsyncIndex, AsyncReads, AsyncStoreTransaction } from '../values/async-store.ts'
import { type Failed, failedItem, Resumable } from '../values/failed-items.ts'
import type { IndexPage, Page } from '../values/page.ts'
import { requireRange } from '../values/range.ts'
import type { Calls } from './calls.ts'
import { revived } from './errors.ts'
import type { Place, Portion, ToldPage } from './protocol.ts'

/** What stores and transactions have in common. */
export abstract class Reads<V, K = string> implements AsyncReads<V, K> {
  protected readonly calls: Calls
  /** @internal */
  readonly place: Place

  constructor(calls: Calls, place: Place) {
    this.calls = calls
    this.place = place
  }

  protected abstract call<T>(method: string, args: unknown[], place?: Place): Promise<T>

  get(key: K | Key): Promise<V | undefined> {
    return this.call('get', [key])
  }

  getMany(keys: readonly (K | Key)[]): Promise<(V | undefined)[]> {
    return this.call('getMany', [keys])
  }

  has(key: K | Key): Promise<boolean> {
    return this.call('has', [key])
  }

  ttl(key: K | Key): Promise<number | undefined> {
    return this.call('ttl', [key])
  }

  count(range?: GivenRange<K>): Promise<number> {
    return this.call('count', [sentRange(range).sent])
  }

  keys(range?: GivenRange<K>): AsyncItems<K> {
    return iterate(this.calls, this.place, 'keys', range)
  }

  values(range?: GivenRange<K>): AsyncItems<V> {
    return iterate(this.calls, this.place, 'values', range)
  }

  entries(range?: GivenRange<K>): AsyncItems<[K, V]> {
    return iterate(this.calls, this.place, 'entries', range)
  }

  async page(range: GivenRange<K> | undefined, size: number, cursor?: string): Promise<Page<V, K>> {
    requireRange(range)
    return await pageOf((method, args) => this.call(method, args), this.place, range, size, cursor)
  }

  /** @internal An index of it, by its name. */
  indexReads<IK>(name: string): PortIndexReads<V, K, IK> {
    return new PortIndexReads<V, K, IK>(this.calls, (method, args, place) => this.call(method, args, place), {
      ...this.place,
      index: name,
    })
  }
}

type Call = <T>(method: string, args: unknown[], place: Place) => Promise<T>

/** What is read of an index, from the owner of the database. */
export class PortIndexReads<V, K, IK> implements AsyncIndexReads<V, K, IK> {
  protected readonly calls: Calls
  private readonly call: Call
  protected readonly place: Place

  constructor(calls: Calls, call: Call, place: Place) {
    this.calls = calls
    this.call = call
    this.place = place
  }

  get(indexKey: IK): Promise<V | undefined> {
    return this.call('get', [indexKey], this.place)
  }

  entries(range?: GivenIndexRange<IK>): AsyncItems<[indexKey: IK, key: K, value: V]> {
    return iterate(this.calls, this.place, 'entries', range)
  }

  keys(range?: GivenIndexRange<IK>): AsyncItems<[indexKey: IK, key: K]> {
    return iterate(this.calls, this.place, 'keys', range)
  }

  page(range: GivenIndexRange<IK> | undefined, size: number, cursor?: string): Promise<IndexPage<V, K, IK>> {
    return pageOf(this.call, this.place, range, size, cursor)
  }

  count(range?: GivenIndexRange<IK>): Promise<number> {
    return this.call('count', [sentRange(range).sent], this.place)
  }
}

/** An index of a store of a port. */
export class PortIndex<V, K, IK = TupleKey> extends PortIndexReads<V, K, IK> implements AsyncIndex<V, K, IK> {
  readonly name: string
  private readonly inside: <S, T>(tx: AsyncStoreTransaction<S, T>) => Reads<V, K>

  /** `inside`: the transaction in the store that the index belongs to. */
  constructor(calls: Calls, call: Call, place: Place, inside: <S, T>(tx: AsyncStoreTransaction<S, T>) => Reads<V, K>) {
    super(calls, call, place)
    this.name = place.index!
    this.inside = inside
  }

  in<S, T>(tx: AsyncStoreTransaction<S, T>): AsyncIndexReads<V, K, IK> {
    return this.inside(tx).indexReads<IK>(this.name)
  }
}

const pageOf = async <P>(
  call: Call,
  place: Place,
  range: unknown,
  size: number,
  cursor: string | undefined,
): Promise<P> => {
  const { sent, onDecodeError } = sentRange(range)
  if (typeof onDecodeError !== 'function') return await call('page', [sent, size, cursor], place)
  const { page, failed } = await call<ToldPage<P>>('toldPage', [sent, size, cursor], place)
  for (const error of failed) onDecodeError(revived(error) as DecodeError)
  return page
}

/** Page by page, from one iterator of the owner. */
const iterate = <T>(calls: Calls, place: Place, method: string, range: unknown): AsyncItems<T> =>
  new Resumable(items<T>(calls, place, method, range))

async function* items<T>(
  calls: Calls,
  place: Place,
  method: string,
  range: unknown,
): AsyncGenerator<T | Failed, undefined> {
  if (place.index === undefined) requireRange(range)
  const { sent, onDecodeError } = sentRange(range)
  const id = calls.number()
  let page: Portion = { items: [], done: false }
  try {
    page = await calls.call(method, [sent], { ...place, id })
    while (true) {
      yield* page.items as T[]
      const failed = page.failed && failedItem(revived(page.failed), onDecodeError)
      if (failed !== undefined) yield failed
      if (page.done) return undefined
      page = await calls.call('next', [id])
    }
  } finally {
    if (!page.done) calls.tell('return', [id])
  }
}

/** A function cannot be sent: it is called here. */
export const sentRange = <R>(range: R): { sent: R; onDecodeError: OnDecodeError } => {
  const onDecodeError = (range as Range | null | undefined)?.onDecodeError
  if (typeof onDecodeError !== 'function') return { sent: range, onDecodeError: onDecodeError ?? 'throw' }
  return { sent: { ...(range as Range), onDecodeError: 'throw' } as R, onDecodeError }
}
