/** The records of a database as a member sees them: each call is one of the store that the owner gives. */

import { InvalidArgumentError, shown, XenonError } from '../errors.ts'
import { showAs } from '../runtime/inspecting.ts'
import { AsyncItems } from '../runtime/items.ts'
import type {
  AsyncPutOptions,
  AsyncTransactionOptions,
  BatchOperation,
  BuiltInEncoding,
  GivenRange,
  Key,
  KeyEncoding,
  KeyOf,
  SubEncodings,
  TransactOptions,
  TupleKey,
  ValueOf,
  WaitOptions,
  WatchOptions,
} from '../types.ts'
import type { AsyncReads, AsyncStore, AsyncStoreTransaction } from '../values/async-store.ts'
import { checkedPut, checkedWaiting, type Waiting } from '../values/wait-options.ts'
import { checkedWatchOptions, Watcher } from '../values/watcher.ts'
import { copyOf } from './copies.ts'
import { LateItems } from './late-items.ts'
import type { ChangeWork } from './marks.ts'
import type { Member, Place, Target } from './member.ts'
import { SharedReads } from './reads.ts'
import { SharedIndex } from './shared-index.ts'
import { SharedRun } from './transact.ts'
import { SharedTransaction } from './transaction.ts'

/** The records of a shared database, or of a sub-database of it. */
export abstract class SharedSpace<V = string, K = string>
  extends SharedReads<V, K>
  implements AsyncStore<V, K>, Place<V, K>
{
  /** @internal */
  abstract readonly member: Member<unknown, unknown>

  /** A copy of a value: it is the caller's to change while a call waits. */
  protected abstract readonly copied: (value: V) => V

  /** @internal The same records as an owner gives them. */
  abstract of(target: Target<unknown, unknown>): AsyncStore<V, K> | Promise<AsyncStore<V, K>>

  protected override read<T>(work: (from: AsyncReads<V, K>) => Promise<T>): Promise<T> {
    return this.run(work, true)
  }

  /** `check`: of the options, where `work` does not get these. */
  private change<T, O extends WaitOptions>(
    work: ChangeWork<V, K, O, T>,
    options: O | undefined,
    check: (options: O) => Waiting & { readonly ttl?: number | undefined } = checkedWaiting,
  ): Promise<T> {
    const { marks } = this.member
    if (marks !== undefined && this.isMarked) return marks.change(this, work, check, options)
    return this.run(store => work(store, options), false)
  }

  private get isMarked(): boolean {
    const { marks, current } = this.member
    return marks !== undefined && current?.isLocal !== true
  }

  private run<T>(work: (store: AsyncStore<V, K>) => Promise<T>, repeatable: boolean): Promise<T> {
    const { member } = this
    const { current } = member
    if (current?.isLocal) {
      const store = this.of(current)
      // Nothing of one's own gets lost on the way.
      if (!(store instanceof Promise)) return work(store)
    }
    return member.run(target => {
      const store = this.of(target)
      return store instanceof Promise ? store.then(work) : work(store)
    }, repeatable)
  }

  /** Bytes stay the caller's, who may change them while the call still waits, or is to be sent again. */
  protected override kept<T>(value: T): T {
    const { current } = this.member
    const isUsedAtOnce = current?.isLocal === true && !(this.of(current) instanceof Promise)
    return isUsedAtOnce ? value : copyOf(value)
  }

  /** The same of a value. Whoever is connected encodes it before the call returns. */
  private keptValue(value: V): V {
    const { current } = this.member
    const isWaiting = current === undefined || this.isMarked || this.of(current) instanceof Promise
    return isWaiting ? this.copied(value) : this.kept(value)
  }

  private keptOperation(operation: BatchOperation<V, K>): BatchOperation<V, K> {
    if (operation?.type !== 'put') return this.keptFields(operation)
    return { ...operation, key: this.kept(operation.key), value: this.keptValue(operation.value) }
  }

  protected override items<T>(from: (from: AsyncReads<V, K>) => AsyncItems<T>): AsyncItems<T> {
    const { member } = this
    let target: Target<unknown, unknown> | undefined
    const begin = async (): Promise<AsyncItems<T>> => {
      target = await member.target()
      return from(await this.of(target))
    }
    const explain = async (error: unknown): Promise<unknown> =>
      (target && (await member.lossOf(target, error))) ?? error
    return new AsyncItems(new LateItems(begin, explain))
  }

  put(key: K | Key, value: V, options?: AsyncPutOptions): Promise<void> {
    const [k, v] = [this.kept(key), this.keptValue(value)]
    return this.change((to, given) => to.put(k, v, given), options, checkedPut)
  }

  delete(key: K | Key, options?: WaitOptions): Promise<boolean> {
    const k = this.kept(key)
    return this.change((to, given) => to.delete(k, given), options)
  }

  batch(operations: readonly BatchOperation<V, K>[], options?: WaitOptions): Promise<void> {
    const kept = Array.isArray(operations) ? operations.map(each => this.keptOperation(each)) : operations
    return this.change((to, given) => to.batch(kept, given), options)
  }

  expire(key: K | Key, ttl: number, options?: WaitOptions): Promise<boolean> {
    const k = this.kept(key)
    return this.change((to, given) => to.expire(k, ttl, given), options)
  }

  persist(key: K | Key, options?: WaitOptions): Promise<boolean> {
    const k = this.kept(key)
    return this.change((to, given) => to.persist(k, given), options)
  }

  clear(range?: GivenRange<K>, options?: WaitOptions): Promise<void> {
    const kept = this.keptFields(range)
    return this.change((to, given) => to.clear(kept, given), options)
  }

  flush(): Promise<void> {
    return this.read(store => (store as AsyncStore<V, K>).flush())
  }

  [Symbol.asyncIterator](): AsyncItems<[K, V]> {
    return this.entries()
  }

  async begin(options?: AsyncTransactionOptions): Promise<SharedTransaction<V, K>> {
    return await this.member.run(async target => {
      const begun = (await this.of(target)).begin(options)
      return new SharedTransaction<V, K>(this.member, target, await begun)
    }, true)
  }

  /**
   * Runs `work` in a transaction, as any store does. If the owner goes meanwhile it runs again, with the next one. If the
   * commit was on its way this rejects with `XENON_OWNER_LOST`, and `sent` is true; with marks the next owner knows.
   */
  async transact<T>(
    work: (tx: AsyncStoreTransaction<V, K>) => Promise<T> | T,
    options: TransactOptions = {},
  ): Promise<T> {
    return await new SharedRun<V, K, T>(this, work, options).run()
  }

  /**
   * The changes from now on. When the owner goes, the iterator ends with `XENON_OWNER_LOST`: changes may have been missed.
   */
  async watch(range?: GivenRange<K>, options: WatchOptions = {}): Promise<Watcher<V, K>> {
    const { buffer, signal } = checkedWatchOptions(options)
    return await this.member.run(async target => {
      const source = await (await this.of(target)).watch(range, { buffer })
      const watcher = new Watcher<V, K>(buffer, signal, () => source.end())
      signal?.throwIfAborted()
      void this.forward(target, source, watcher)
      return watcher
    }, true)
  }

  private async forward(
    target: Target<unknown, unknown>,
    source: Watcher<V, K>,
    watcher: Watcher<V, K>,
  ): Promise<void> {
    let failure: unknown
    try {
      for await (const change of source) watcher.add(change)
    } catch (error) {
      failure = error
    }
    const end = watcher.isOver ? undefined : await this.member.endOfWatch(target, failure)
    if (end === undefined) watcher.end()
    else watcher.fail(end)
  }

  sub<E extends BuiltInEncoding = 'utf8', KE extends KeyEncoding = 'utf8'>(
    name: string,
    options?: SubEncodings<ValueOf<E>> & { valueEncoding?: E | undefined; keyEncoding?: KE | undefined },
  ): Promise<SharedSub<ValueOf<E>, KeyOf<KE>>>
  sub<S>(name: string, options: SubEncodings<S> & { keyEncoding: 'binary' }): Promise<SharedSub<S, Uint8Array>>
  sub<S, T extends TupleKey = TupleKey>(
    name: string,
    options: SubEncodings<S> & { keyEncoding: 'tuple' },
  ): Promise<SharedSub<S, T>>
  sub<S, T = string>(name: string, options?: SubEncodings<S>): Promise<SharedSub<S, T>>
  async sub<S, T>(name: string, options?: SubEncodings<S>): Promise<SharedSub<S, T>> {
    const sub = new SharedSub<S, T>(this as SharedSpace<unknown, unknown>, name, options)
    await this.member.run(async target => await sub.of(target), true)
    return sub
  }

  /** A secondary index, by its name: whoever has the database open has declared it (`onOpen`). */
  index<IK extends TupleKey = TupleKey>(name: string): SharedIndex<V, K, IK> {
    return new SharedIndex<V, K, IK>(name, {
      read: work => this.run(store => work(store.index<IK>(name)), true),
      items: from => this.items(store => from((store as AsyncStore<V, K>).index<IK>(name))),
      kept: value => this.kept(value),
      inside: tx => inside(tx).indexSource<IK, V, K>(this, name),
    })
  }

  subs(): Promise<string[]> {
    return this.read(store => (store as AsyncStore<V, K>).subs())
  }

  drop(name: string): Promise<boolean> {
    return this.run(store => store.drop(name), false)
  }

  get closed(): boolean {
    return this.member.closed
  }

  abstract close(): Promise<void>

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

const inside = (tx: unknown): SharedTransaction => {
  if (tx instanceof SharedTransaction) return tx
  throw new InvalidArgumentError('in() takes a transaction of the same shared database')
}

/** A sub-database of a shared database. */
export class SharedSub<V = string, K = string> extends SharedSpace<V, K> {
  static {
    showAs('SharedSub', SharedSub, ({ name }) => ({ name }))
  }

  /** Its name in the store that it lies in. */
  readonly name: string
  protected override readonly copied: (value: V) => V
  private readonly outer: SharedSpace<unknown, unknown>
  private readonly options: SubEncodings<V> | undefined
  /** An owner has given it before. */
  private isKnown = false
  /** What an owner has given: at once when it has been asked for before. */
  private found: { target: Target<unknown, unknown>; store: AsyncStore<V, K> | Promise<AsyncStore<V, K>> } | undefined

  /** @internal Use `sub`. */
  constructor(outer: SharedSpace<unknown, unknown>, name: string, options: SubEncodings<V> | undefined) {
    super()
    this.outer = outer
    this.name = name
    this.options = options
    this.copied = outer.member.copierOf<V>(options?.valueEncoding)
  }

  /** @internal */
  override get member(): Member<unknown, unknown> {
    return this.outer.member
  }

  /** @internal */
  override of(target: Target<unknown, unknown>): AsyncStore<V, K> | Promise<AsyncStore<V, K>> {
    if (this.found?.target === target) return this.found.store
    const store = this.findIn(target)
    const found = { target, store: store as AsyncStore<V, K> | Promise<AsyncStore<V, K>> }
    this.found = found
    // This comes before whatever waits for the store: a call that finds it at once is later than all of these.
    store.then(
      known => {
        found.store = known
      },
      () => {
        if (this.found === found) this.found = undefined
      },
    )
    return store
  }

  private async findIn(target: Target<unknown, unknown>): Promise<AsyncStore<V, K>> {
    const { name } = this
    const outer = await this.outer.of(target)
    // Only `sub` makes one. Another owner may have dropped what an earlier one has given.
    if (this.isKnown && !(await outer.subs()).includes(name))
      throw new XenonError('XENON_NOT_FOUND', `the sub-database '${shown(name)}' was dropped; sub() makes it anew`)
    const store = (await outer.sub<V, K>(name, this.options)) as AsyncStore<V, K>
    this.isKnown = true
    return store
  }

  /** Does nothing: the store that it lies in is what is closed. */
  override async close(): Promise<void> {}
}
