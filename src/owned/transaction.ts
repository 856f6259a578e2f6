/** Transactions of a shared store. */
import { InvalidArgumentError } from '../errors.ts'
import { AsyncItems } from '../runtime/items.ts'
import type { GivenRange, IsolationLevel, Key, PutOptions, TupleKey } from '../types.ts'
import type { AsyncIndexReads } from '../values/async-index.ts'
import type { AsyncReads, AsyncStore, AsyncStoreTransaction } from '../values/async-store.ts'
import { LateItems } from './late-items.ts'
import type { Member, Place, Target } from './member.ts'
import { SharedReads } from './reads.ts'
import type { IndexSource } from './shared-index.ts'

type Inner<V, K> = AsyncStoreTransaction<V, K>
type AnyInner = Inner<unknown, unknown>

/** A transaction of a shared store. It ends with its owner: then its calls reject with `XENON_OWNER_LOST`. */
export class SharedTransaction<V = string, K = string>
  extends SharedReads<V, K>
  implements AsyncStoreTransaction<V, K>
{
  private readonly member: Member<unknown, unknown>
  private readonly target: Target<unknown, unknown>
  /** The transaction in the store where it was begun. */
  private readonly whole: AnyInner
  /** The same in this store. */
  private readonly inner: Inner<V, K> | Promise<Inner<V, K>>

  /** @internal Use `begin` or `transact`. */
  constructor(
    member: Member<unknown, unknown>,
    target: Target<unknown, unknown>,
    whole: AnyInner | Inner<V, K>,
    inner: Inner<V, K> | Promise<Inner<V, K>> = whole as Inner<V, K>,
  ) {
    super()
    this.member = member
    this.target = target
    this.whole = whole as AnyInner
    this.inner = inner
  }

  get isolation(): IsolationLevel {
    return this.whole.isolation
  }

  get ended(): boolean {
    return this.whole.ended || this.target.isOver
  }

  in<S, T>(store: AsyncStore<S, T>): SharedTransaction<S, T> {
    const { member, target, whole } = this
    const space = store as unknown as Partial<Place<S, T>> & Pick<Place<S, T>, 'of'>
    if (space?.member !== member)
      throw new InvalidArgumentError('in() takes a store of the same shared database, from sub()')
    const found = space.of(target)
    const inner = found instanceof Promise ? found.then(each => whole.in(each)) : whole.in(found)
    // Whoever uses it hears of it.
    if (inner instanceof Promise) inner.catch(() => {})
    return new SharedTransaction<S, T>(member, target, whole, inner)
  }

  /** @internal An index of a store of the same database, as this transaction sees it. */
  indexSource<IK extends TupleKey, S, T>(store: AsyncStore<S, T> & Place<S, T>, name: string): IndexSource<S, T, IK> {
    const { member, target, whole } = this
    if (store.member !== member) throw new InvalidArgumentError('in() takes a transaction of the same shared database')
    const find = async (): Promise<AsyncIndexReads<S, T, IK>> => (await store.of(target)).index<IK>(name).in(whole)
    const explain = async (error: unknown): Promise<unknown> => (await member.lossOf(target, error)) ?? error
    return {
      read: async work => {
        try {
          return await work(await find())
        } catch (error) {
          throw await explain(error)
        }
      },
      items: from => new AsyncItems(new LateItems(async () => from(await find()), explain)),
      kept: value => this.kept(value),
    }
  }

  protected override async read<T>(work: (from: Inner<V, K>) => Promise<T>): Promise<T> {
    const { inner } = this
    try {
      return await work(inner instanceof Promise ? await inner : inner)
    } catch (error) {
      throw (await this.member.lossOf(this.target, error)) ?? error
    }
  }

  protected override items<T>(from: (from: AsyncReads<V, K>) => AsyncItems<T>): AsyncItems<T> {
    const { member, target, inner } = this
    return new AsyncItems(
      new LateItems(
        async () => from(await inner),
        async error => (await member.lossOf(target, error)) ?? error,
      ),
    )
  }

  put(key: K | Key, value: V, options?: PutOptions): Promise<void> {
    return this.read(tx => tx.put(key, value, options))
  }

  delete(key: K | Key): Promise<boolean> {
    return this.read(tx => tx.delete(key))
  }

  expire(key: K | Key, ttl: number): Promise<boolean> {
    return this.read(tx => tx.expire(key, ttl))
  }

  persist(key: K | Key): Promise<boolean> {
    return this.read(tx => tx.persist(key))
  }

  clear(range?: GivenRange<K>): Promise<void> {
    return this.read(tx => tx.clear(range))
  }

  savepoint(): Promise<object> {
    return this.read(tx => tx.savepoint())
  }

  rollbackTo(savepoint: object): Promise<void> {
    return this.read(tx => tx.rollbackTo(savepoint))
  }

  commit(): Promise<void> {
    return this.read(tx => tx.commit())
  }

  rollback(): Promise<void> {
    return this.read(tx => tx.rollback())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.whole[Symbol.asyncDispose]()
  }
}
