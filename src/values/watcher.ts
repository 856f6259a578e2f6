/** The reader's end of a watch: changes that wait to be read, up to a number of them. */
import { InvalidArgumentError, XenonError } from '../errors.ts'
import type { Change, WatchOptions } from '../types.ts'
import { checkedBuffer, refuseOptions, requireSignal } from './checks.ts'
import type { KeyCodec } from './key-codec.ts'
import { type ResolvedRange, resolveRange } from './range.ts'

/** @throws InvalidArgumentError, or the reason of a signal that is aborted already. */
export const checkedWatch = (
  range: unknown,
  options: WatchOptions,
  keys: KeyCodec,
): { readonly range: ResolvedRange; readonly buffer: number; readonly signal: AbortSignal | undefined } => {
  const checked = checkedWatchOptions(options)
  const resolved = resolveRange(range, keys)
  if (resolved.reverse || resolved.limit !== Number.POSITIVE_INFINITY)
    throw new InvalidArgumentError('changes are watched in the order of their commits: no reverse, no limit')
  return { range: resolved, ...checked }
}

/** The same without the range. */
export const checkedWatchOptions = (
  options: WatchOptions,
): { readonly buffer: number; readonly signal: AbortSignal | undefined } => {
  if (options === null || typeof options !== 'object')
    throw new InvalidArgumentError('the options of a watch must be an object')
  const { buffer = 10_000, signal, ...others } = options
  refuseOptions(others)
  requireSignal(signal)
  signal?.throwIfAborted()
  return { buffer: checkedBuffer(buffer), signal }
}

/** An async iterator of changes; leaving a `for await`, `return()` or the signal ends it. */
export class Watcher<V, K = string> implements AsyncIterableIterator<Change<V, K>> {
  private readonly most: number
  private readonly signal: AbortSignal | undefined
  private readonly leave: () => void
  private changes: Change<V, K>[] = []
  private at = 0
  private failure: unknown
  private ended = false
  private waiting: {
    resolve: (result: IteratorResult<Change<V, K>, undefined>) => void
    reject: (error: unknown) => void
  }[] = []

  private readonly onAbort = (): void => this.fail(this.signal!.reason)

  /** @internal Use `watch` of a database. */
  constructor(most: number, signal: AbortSignal | undefined, leave: () => void) {
    this.most = most
    this.signal = signal
    this.leave = leave
    signal?.addEventListener('abort', this.onAbort, { once: true })
  }

  /**
   * The next change, as soon as there is one.
   * @example const { value: change } = await watcher.next()
   */
  next(): Promise<IteratorResult<Change<V, K>, undefined>> {
    if (this.at < this.changes.length) {
      const value = this.changes[this.at++]!
      if (this.at === this.changes.length) {
        this.changes = []
        this.at = 0
      }
      return Promise.resolve({ done: false, value })
    }
    if (this.failure !== undefined) {
      const error = this.failure
      this.failure = undefined
      return Promise.reject(error)
    }
    if (this.ended) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }))
  }

  /**
   * Ends the watch; leaving a `for await` does that.
   * @example await watcher.return()
   */
  return(): Promise<IteratorResult<Change<V, K>, undefined>> {
    this.changes = []
    this.at = 0
    this.end()
    return Promise.resolve({ done: true, value: undefined })
  }

  /** @internal Up to `most` of the changes that wait to be read. */
  take(most: number): Change<V, K>[] {
    const taken = this.changes.slice(this.at, this.at + most)
    this.at += taken.length
    if (this.at === this.changes.length) {
      this.changes = []
      this.at = 0
    }
    return taken
  }

  /** @internal No change is taken any more. */
  get isOver(): boolean {
    return this.ended
  }

  /** @internal */
  add(change: Change<V, K>): void {
    if (this.ended) return
    const waiting = this.waiting.shift()
    if (waiting !== undefined) waiting.resolve({ done: false, value: change })
    else if (this.changes.length - this.at < this.most) this.changes.push(change)
    else
      this.fail(
        new XenonError(
          'XENON_WATCH_OVERFLOW',
          `more than ${this.most} changes wait to be read, so that the watch has ended; read faster, or raise its buffer`,
        ),
      )
  }

  /** @internal */
  end(): void {
    if (this.ended) return
    this.ended = true
    this.signal?.removeEventListener('abort', this.onAbort)
    this.leave()
    for (const { resolve } of this.waiting.splice(0)) resolve({ done: true, value: undefined })
  }

  /** @internal */
  fail(error: unknown): void {
    if (this.ended) return
    const waiting = this.waiting.shift()
    if (waiting !== undefined) waiting.reject(error)
    else this.failure = error
    this.end()
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
