/** The items of a store that is known only at the first step. After an error that the source survives they go on. */
export class LateItems<T> implements AsyncGenerator<T, undefined> {
  private readonly begin: () => Promise<AsyncGenerator<T, undefined>>
  private readonly explain: (error: unknown) => Promise<unknown>
  private source: Promise<AsyncGenerator<T, undefined>> | undefined
  private ended = false

  /** @param explain What an error of the source means, for the reader. */
  constructor(begin: () => Promise<AsyncGenerator<T, undefined>>, explain: (error: unknown) => Promise<unknown>) {
    this.begin = begin
    this.explain = explain
  }

  next(): Promise<IteratorResult<T, undefined>> {
    return this.step(source => source.next())
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    if (this.source === undefined) this.ended = true
    return await this.step(source => source.return(undefined))
  }

  async throw(error: unknown): Promise<IteratorResult<T, undefined>> {
    if (this.source === undefined) {
      this.ended = true
      throw error
    }
    return await this.step(source => source.throw(error))
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  private async step(
    work: (source: AsyncGenerator<T, undefined>) => Promise<IteratorResult<T, undefined>>,
  ): Promise<IteratorResult<T, undefined>> {
    if (this.ended) return { done: true, value: undefined }
    try {
      this.source ??= this.begin()
      return await work(await this.source)
    } catch (error) {
      throw await this.explain(error)
    }
  }
}
