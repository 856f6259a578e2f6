/** What the iterators of `db.async` are: those of the database, in turns of the event loop. */
import { DecodeError } from '../errors.ts'
import type { Items } from '../runtime/items.ts'
import { nextTurn } from '../runtime/timers.ts'

/** Items after which the event loop gets a turn. */
const A_TURN = 1000

/** Begins with its first step. Behind an item that cannot be decoded it goes on, as that of the database does. */
export class TurningItems<T> implements AsyncGenerator<T, undefined> {
  private readonly begin: () => Items<T>
  private items: Items<T> | undefined
  private given = 0
  private ended = false

  constructor(begin: () => Items<T>) {
    this.begin = begin
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    if (this.ended) return { done: true, value: undefined }
    let step: IteratorResult<T, undefined>
    try {
      this.items ??= this.begin()
      step = this.items.next()
    } catch (error) {
      if (!(error instanceof DecodeError)) this.end()
      throw error
    }
    if (++this.given % A_TURN === 0) await new Promise<void>(nextTurn)
    return step
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.end()
    return { done: true, value: undefined }
  }

  async throw(error: unknown): Promise<IteratorResult<T, undefined>> {
    this.end()
    throw error
  }

  private end(): void {
    this.ended = true
    this.items?.return()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.end()
  }
}
