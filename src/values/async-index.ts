/**
 * Secondary indexes of an `AsyncStore`, wherever it is: of this process (`db.async`), of another thread, behind a
 * network. What an index is made of, its function, is known to the program that has the database open, which declares it
 * by `index` of the synchronous face. All others find it by its name, and read it.
 */
import type { AsyncItems } from '../runtime/items.ts'
import type { GivenIndexRange, TupleKey } from '../types.ts'
import type { IndexPage } from './page.ts'

/** What is read of an index, with promises. */
export interface AsyncIndexReads<V = string, K = string, IK = TupleKey> {
  /**
   * The value of the first record with this index key, in the order of the records' keys.
   * @throws XenonError `XENON_NOT_READY` while the index is built; `XENON_NOT_FOUND` if there is none of this name.
   * @example const first = await byCity.get('Oslo')
   */
  get(indexKey: IK): Promise<V | undefined>

  /**
   * `[indexKey, key, value]` of the records of a range of index keys, in the order of index keys, then of keys, as of the
   * first step. A key in place of a range stands for itself, an array for all that begin with its items.
   * @example for await (const [city, key, value] of byCity.entries('Oslo')) console.log(city, key, value)
   */
  entries(range?: GivenIndexRange<IK>): AsyncItems<[indexKey: IK, key: K, value: V]>

  /**
   * `[indexKey, key]`, as `entries`.
   * @example for await (const [city, key] of byCity.keys({ prefix: 'O', reverse: true })) console.log(city, key)
   */
  keys(range?: GivenIndexRange<IK>): AsyncItems<[indexKey: IK, key: K]>

  /**
   * Some entries of a range, `size` at most, and a cursor for those behind them, as `page` of the store does.
   * @example
   * const first = await byCity.page('Oslo', 20)
   * const second = await byCity.page('Oslo', 20, first.cursor)
   */
  page(range: GivenIndexRange<IK> | undefined, size: number, cursor?: string): Promise<IndexPage<V, K, IK>>

  /**
   * Number of entries in a range.
   * @example const inOslo = await byCity.count('Oslo')
   */
  count(range?: GivenIndexRange<IK>): Promise<number>
}
