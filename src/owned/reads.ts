/** What a shared store and its transactions read alike. */
import type { AsyncItems } from '../runtime/items.ts'
import type { GivenRange, Key } from '../types.ts'
import type { AsyncReads } from '../values/async-store.ts'
import type { Page } from '../values/page.ts'

export abstract class SharedReads<V, K> implements AsyncReads<V, K> {
  /** Reads from what there is now, again if that goes meanwhile. */
  protected abstract read<T>(work: (from: AsyncReads<V, K>) => Promise<T>): Promise<T>
  /** The items of what there is at the first step; they end with an error if that goes. */
  protected abstract items<T>(from: (from: AsyncReads<V, K>) => AsyncItems<T>): AsyncItems<T>

  /** What may still be read when the call has returned. */
  protected kept<T>(value: T): T {
    return value
  }

  /** The same of an object and of what lies in it, such as the bounds of a range. */
  protected keptFields<T>(value: T): T {
    if (value === null || typeof value !== 'object' || Object.getPrototypeOf(value) !== Object.prototype)
      return this.kept(value)
    return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, this.kept(field)])) as T
  }

  get(key: K | Key): Promise<V | undefined> {
    const k = this.kept(key)
    return this.read(from => from.get(k))
  }

  getMany(keys: readonly (K | Key)[]): Promise<(V | undefined)[]> {
    const kept = Array.isArray(keys) ? keys.map(key => this.kept(key)) : keys
    return this.read(from => from.getMany(kept))
  }

  has(key: K | Key): Promise<boolean> {
    const k = this.kept(key)
    return this.read(from => from.has(k))
  }

  ttl(key: K | Key): Promise<number | undefined> {
    const k = this.kept(key)
    return this.read(from => from.ttl(k))
  }

  keys(range?: GivenRange<K>): AsyncItems<K> {
    const kept = this.keptFields(range)
    return this.items(from => from.keys(kept))
  }

  values(range?: GivenRange<K>): AsyncItems<V> {
    const kept = this.keptFields(range)
    return this.items(from => from.values(kept))
  }

  entries(range?: GivenRange<K>): AsyncItems<[K, V]> {
    const kept = this.keptFields(range)
    return this.items(from => from.entries(kept))
  }

  page(range: GivenRange<K> | undefined, size: number, cursor?: string): Promise<Page<V, K>> {
    const kept = this.keptFields(range)
    return this.read(from => from.page(kept, size, cursor))
  }

  count(range?: GivenRange<K>): Promise<number> {
    const kept = this.keptFields(range)
    return this.read(from => from.count(kept))
  }
}
