/**
 * What an iterator can do besides stepping: `map`, `filter`, `take`, `drop`, `flatMap`, `reduce`, `toArray`, `forEach`,
 * `some`, `every`, `find`, as the iterator helpers of ES2025 do it. They are here because Node 20 has none, and no
 * version has those of asynchronous iterators.
 *
 * All are lazy but those that give no iterator. Whoever stops early closes what lies beneath: a range its snapshot.
 */
import { InvalidArgumentError } from '../errors.ts'
import { describe } from './bytes.ts'

/** An iterator over records, with the helpers that those of newer engines have. */
export abstract class Items<T> implements IterableIterator<T> {
  /**
   * The next item.
   * @example const { done, value } = iterator.next()
   */
  abstract next(): IteratorResult<T, undefined>

  /**
   * Ends it early.
   * @example iterator.return()
   */
  abstract return(): IteratorResult<T, undefined>

  /**
   * What the function makes of each item.
   * @example for (const name of db.values('user:').map(user => user.name)) console.log(name)
   */
  map<U>(to: (item: T, index: number) => U): Items<U> {
    requireFunction('map', to)
    return derived(this, function* (items) {
      let index = 0
      for (const item of items) yield to(item, index++)
    })
  }

  /**
   * The items for which the function says something true.
   * @example const adults = db.values().filter(({ age }) => age >= 18).toArray()
   */
  filter<U extends T>(is: (item: T, index: number) => item is U): Items<U>
  filter(is: (item: T, index: number) => unknown): Items<T>
  filter(is: (item: T, index: number) => unknown): Items<T> {
    requireFunction('filter', is)
    return derived(this, function* (items) {
      let index = 0
      for (const item of items) if (is(item, index++)) yield item
    })
  }

  /**
   * The first ones, at most so many; then what lies beneath is closed.
   * @example const firstTen = db.keys().take(10).toArray()
   */
  take(limit: number): Items<T> {
    requireCount('take', limit)
    return derived(this, function* (items) {
      let left = limit
      if (left <= 0) items.return()
      else
        for (const item of items) {
          yield item
          if (--left <= 0) break
        }
    })
  }

  /**
   * The items behind the first ones.
   * @example const allButTheFirst = db.keys().drop(1).toArray()
   */
  drop(limit: number): Items<T> {
    requireCount('drop', limit)
    return this.filter((_, index) => index >= limit)
  }

  /**
   * The items of what the function makes of each item.
   * @example const words = db.values().flatMap(text => text.split(' ')).toArray()
   */
  flatMap<U>(to: (item: T, index: number) => Iterable<U>): Items<U> {
    requireFunction('flatMap', to)
    return derived(this, function* (items) {
      let index = 0
      for (const item of items) yield* to(item, index++)
    })
  }

  /**
   * What the function makes of all items, one after the other.
   * @example const total = db.values('price:').reduce((sum, price) => sum + Number(price), 0)
   */
  reduce<U>(step: (before: U, item: T, index: number) => U, initial: U): U {
    requireFunction('reduce', step)
    let value = initial
    let index = 0
    for (const item of this) value = step(value, item, index++)
    return value
  }

  /**
   * All items that are left.
   * @example const keys = db.keys('user:').toArray()
   */
  toArray(): T[] {
    return [...this]
  }

  /**
   * Calls the function with each item.
   * @example db.entries().forEach(([key, value]) => console.log(key, value))
   */
  forEach(visit: (item: T, index: number) => void): void {
    requireFunction('forEach', visit)
    let index = 0
    for (const item of this) visit(item, index++)
  }

  /**
   * True as soon as the function says something true of an item.
   * @example const hasAdmin = db.values('user:').some(({ role }) => role === 'admin')
   */
  some(is: (item: T, index: number) => unknown): boolean {
    requireFunction('some', is)
    let index = 0
    for (const item of this) if (is(item, index++)) return true
    return false
  }

  /**
   * True unless the function says something false of an item.
   * @example const areSigned = db.values('contract:').every(({ signed }) => signed)
   */
  every(is: (item: T, index: number) => unknown): boolean {
    requireFunction('every', is)
    return !this.some((item, index) => !is(item, index))
  }

  /**
   * The first item of which the function says something true.
   * @example const ada = db.values('user:').find(({ name }) => name === 'Ada')
   */
  find(is: (item: T, index: number) => unknown): T | undefined {
    requireFunction('find', is)
    let index = 0
    for (const item of this) if (is(item, index++)) return item
    return undefined
  }

  [Symbol.iterator](): this {
    return this
  }

  [Symbol.dispose](): void {
    this.return()
  }
}

/** Items that come from others by a generator over them. */
const derived = <T, U>(source: Items<T>, generator: (items: Items<T>) => Generator<U, void>): Items<U> =>
  new Derived(source, generator(source))

class Derived<T, U> extends Items<U> {
  private readonly source: Items<T>
  private readonly generator: Generator<U, void>

  constructor(source: Items<T>, generator: Generator<U, void>) {
    super()
    this.source = source
    this.generator = generator
  }

  next(): IteratorResult<U, undefined> {
    try {
      return this.generator.next() as IteratorResult<U, undefined>
    } catch (error) {
      // It has ended, also where what lies beneath could go on: nobody asks that again.
      this.source.return()
      throw error
    }
  }

  return(): IteratorResult<U, undefined> {
    this.generator.return()
    // A generator that has not begun closes nothing.
    this.source.return()
    return { done: true, value: undefined }
  }
}

type Awaitable<T> = T | PromiseLike<T>

/** The same of an asynchronous iterator. The functions may be asynchronous; one is called after the other. */
export class AsyncItems<T> implements AsyncGenerator<T, undefined> {
  private readonly source: AsyncGenerator<T, undefined>

  constructor(source: AsyncGenerator<T, undefined>) {
    this.source = source
  }

  /**
   * The next item.
   * @example const { done, value } = await store.keys().next()
   */
  next(): Promise<IteratorResult<T, undefined>> {
    return this.source.next()
  }

  /**
   * Ends it early.
   * @example await store.keys().return()
   */
  return(_value?: undefined | PromiseLike<undefined>): Promise<IteratorResult<T, undefined>> {
    return this.source.return(undefined)
  }

  /**
   * Ends it with an error, as a generator does.
   * @example await store.keys().throw(new Error('enough')).catch(() => {})
   */
  throw(error: unknown): Promise<IteratorResult<T, undefined>> {
    return this.source.throw(error)
  }

  /**
   * What the function makes of each item.
   * @example for await (const name of store.values('user:').map(user => user.name)) console.log(name)
   */
  map<U>(to: (item: T, index: number) => Awaitable<U>): AsyncItems<U> {
    requireFunction('map', to)
    return this.derived(async function* (items) {
      let index = 0
      for await (const item of items) yield await to(item, index++)
      return undefined
    })
  }

  /**
   * The items for which the function says something true.
   * @example const adults = await store.values().filter(({ age }) => age >= 18).toArray()
   */
  filter<U extends T>(is: (item: T, index: number) => item is U): AsyncItems<U>
  filter(is: (item: T, index: number) => unknown): AsyncItems<T>
  filter(is: (item: T, index: number) => unknown): AsyncItems<T> {
    requireFunction('filter', is)
    return this.derived(async function* (items) {
      let index = 0
      for await (const item of items) if (await is(item, index++)) yield item
      return undefined
    })
  }

  /**
   * The first ones, at most so many; then what lies beneath is closed.
   * @example const firstTen = await store.keys().take(10).toArray()
   */
  take(limit: number): AsyncItems<T> {
    requireCount('take', limit)
    return this.derived(async function* (items) {
      let left = limit
      if (left <= 0) await items.return()
      else
        for await (const item of items) {
          yield item
          if (--left <= 0) break
        }
      return undefined
    })
  }

  /**
   * The items behind the first ones.
   * @example const allButTheFirst = await store.keys().drop(1).toArray()
   */
  drop(limit: number): AsyncItems<T> {
    requireCount('drop', limit)
    return this.filter((_, index) => index >= limit)
  }

  /**
   * The items of what the function makes of each item.
   * @example const words = await store.values().flatMap(text => text.split(' ')).toArray()
   */
  flatMap<U>(to: (item: T, index: number) => Awaitable<Iterable<U> | AsyncIterable<U>>): AsyncItems<U> {
    requireFunction('flatMap', to)
    return this.derived(async function* (items) {
      let index = 0
      for await (const item of items) yield* await to(item, index++)
      return undefined
    })
  }

  /**
   * What the function makes of all items, one after the other.
   * @example const total = await store.values('price:').reduce((sum, price) => sum + Number(price), 0)
   */
  async reduce<U>(step: (before: U, item: T, index: number) => Awaitable<U>, initial: U): Promise<U> {
    requireFunction('reduce', step)
    let value = initial
    let index = 0
    for await (const item of this) value = await step(value, item, index++)
    return value
  }

  /**
   * All items that are left.
   * @example const keys = await store.keys('user:').toArray()
   */
  async toArray(): Promise<T[]> {
    const items: T[] = []
    for await (const item of this) items.push(item)
    return items
  }

  /**
   * Calls the function with each item.
   * @example await store.entries().forEach(([key, value]) => console.log(key, value))
   */
  async forEach(visit: (item: T, index: number) => unknown): Promise<void> {
    requireFunction('forEach', visit)
    let index = 0
    for await (const item of this) await visit(item, index++)
  }

  /**
   * True as soon as the function says something true of an item.
   * @example const hasAdmin = await store.values('user:').some(({ role }) => role === 'admin')
   */
  async some(is: (item: T, index: number) => unknown): Promise<boolean> {
    requireFunction('some', is)
    let index = 0
    for await (const item of this) if (await is(item, index++)) return true
    return false
  }

  /**
   * True unless the function says something false of an item.
   * @example const areSigned = await store.values('contract:').every(({ signed }) => signed)
   */
  async every(is: (item: T, index: number) => unknown): Promise<boolean> {
    requireFunction('every', is)
    return !(await this.some(async (item, index) => !(await is(item, index))))
  }

  /**
   * The first item of which the function says something true.
   * @example const ada = await store.values('user:').find(({ name }) => name === 'Ada')
   */
  async find(is: (item: T, index: number) => unknown): Promise<T | undefined> {
    requireFunction('find', is)
    let index = 0
    for await (const item of this) if (await is(item, index++)) return item
    return undefined
  }

  private derived<U>(generator: (items: AsyncItems<T>) => AsyncGenerator<U, undefined>): AsyncItems<U> {
    return new DerivedAsync(this, generator(this))
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }
}

class DerivedAsync<T, U> extends AsyncItems<U> {
  private readonly beneath: AsyncItems<T>

  constructor(beneath: AsyncItems<T>, generator: AsyncGenerator<U, undefined>) {
    super(generator)
    this.beneath = beneath
  }

  override async next(): Promise<IteratorResult<U, undefined>> {
    try {
      return await super.next()
    } catch (error) {
      await this.beneath.return()
      throw error
    }
  }

  override async return(): Promise<IteratorResult<U, undefined>> {
    const result = await super.return()
    // A generator that has not begun closes nothing.
    await this.beneath.return()
    return result
  }
}

const requireFunction = (name: string, given: unknown): void => {
  if (typeof given !== 'function') throw new InvalidArgumentError(`${name}() takes a function, not ${describe(given)}`)
}

const requireCount = (name: string, given: unknown): void => {
  if (typeof given !== 'number' || !(given >= 0) || (given !== Number.POSITIVE_INFINITY && !Number.isInteger(given)))
    throw new InvalidArgumentError(`${name}() takes a whole number, not ${describe(given)}`)
}
