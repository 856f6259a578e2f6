/** The three iterators of abstract-level. Their underscored methods are what it calls. */
import {
  AbstractIterator,
  type AbstractIteratorOptions,
  AbstractKeyIterator,
  AbstractValueIterator,
} from 'abstract-level'
import type { Data } from './keys.ts'
import { type IteratorOptions, type IteratorView, type LevelEntry, walkEntries, walkKeys, walkValues } from './walk.ts'

/** What an iterator needs of a walk, whatever the engine gives it. */
interface Steps<R> {
  next(): Promise<R | undefined>
  take(count: number): Promise<R[]>
  takeAll(count: number): Promise<R[]>
  seek(target: Data): void
  close(): void
}

/** Goes through entries: what `db.iterator()` gives. */
export class LevelIterator<TDatabase, K, V> extends AbstractIterator<TDatabase, K, V> {
  private readonly steps: Steps<LevelEntry>

  constructor(db: TDatabase, view: IteratorView, options: IteratorOptions) {
    super(db, options as AbstractIteratorOptions<K, V>)
    this.steps = walkEntries(view, options)
  }

  _next(): Promise<LevelEntry | undefined> {
    return this.steps.next()
  }

  _nextv(size: number): Promise<LevelEntry[]> {
    return this.steps.take(size)
  }

  _all(): Promise<LevelEntry[]> {
    return this.steps.takeAll(this.limit - this.count)
  }

  _seek(target: Data): void {
    this.steps.seek(target)
  }

  async _close(): Promise<void> {
    this.steps.close()
  }
}

/** Goes through keys: what `db.keys()` gives. */
export class LevelKeyIterator<TDatabase, K, V> extends AbstractKeyIterator<TDatabase, K> {
  private readonly steps: Steps<Data>

  constructor(db: TDatabase, view: IteratorView, options: IteratorOptions) {
    super(db, options as AbstractIteratorOptions<K, V>)
    this.steps = walkKeys(view, options)
  }

  _next(): Promise<Data | undefined> {
    return this.steps.next()
  }

  _nextv(size: number): Promise<Data[]> {
    return this.steps.take(size)
  }

  _all(): Promise<Data[]> {
    return this.steps.takeAll(this.limit - this.count)
  }

  _seek(target: Data): void {
    this.steps.seek(target)
  }

  async _close(): Promise<void> {
    this.steps.close()
  }
}

/** Goes through values: what `db.values()` gives. */
export class LevelValueIterator<TDatabase, K, V> extends AbstractValueIterator<TDatabase, K, V> {
  private readonly steps: Steps<Data>

  constructor(db: TDatabase, view: IteratorView, options: IteratorOptions) {
    super(db, options as AbstractIteratorOptions<K, V>)
    this.steps = walkValues(view, options)
  }

  _next(): Promise<Data | undefined> {
    return this.steps.next()
  }

  _nextv(size: number): Promise<Data[]> {
    return this.steps.take(size)
  }

  _all(): Promise<Data[]> {
    return this.steps.takeAll(this.limit - this.count)
  }

  _seek(target: Data): void {
    this.steps.seek(target)
  }

  async _close(): Promise<void> {
    this.steps.close()
  }
}
