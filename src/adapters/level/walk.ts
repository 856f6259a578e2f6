/** Goes through a range of a snapshot, in either direction, and can start again elsewhere in it. */

import type { Snapshot } from '../../database/snapshot.ts'
import type { RangeIterator } from '../../records/range-iterator.ts'
import { nextTurn } from '../../runtime/timers.ts'
import type { Range } from '../../types.ts'
import { guarded, LevelError } from './errors.ts'
import { type Data, fromStored, toText } from './keys.ts'
import { LevelRange, type RangeOptions } from './range.ts'

/** What abstract-level hands to `_iterator`, `_keys` and `_values`. */
export interface IteratorOptions extends RangeOptions {
  keyEncoding: string
  valueEncoding: string
  keys?: boolean
  values?: boolean
  snapshot?: unknown
  signal?: AbortSignal
}

/** A snapshot, and whether who reads it is the one to close it. */
export interface IteratorView {
  readonly snapshot: Snapshot<Uint8Array>
  readonly isOwn: boolean
}

/** Records that `all` reads before it lets other work have a turn. */
const CHUNK = 1000

/** `T`: what the engine gives, with binary keys and values; `R`: what abstract-level is to have. */
export class Walk<T, R> {
  private readonly view: IteratorView
  private readonly range: LevelRange
  private readonly signal: AbortSignal | undefined
  private readonly begin: (snapshot: Snapshot<Uint8Array>, range: Range) => RangeIterator<T, Uint8Array, string>
  private readonly finish: (item: T) => R
  /**
   * The part that is read, undefined if a target outside of the range was sought; and its records, once it has begun.
   */
  private part: LevelRange | undefined
  private items: RangeIterator<T, Uint8Array, string> | undefined

  constructor(
    view: IteratorView,
    options: IteratorOptions,
    begin: (snapshot: Snapshot<Uint8Array>, range: Range) => RangeIterator<T, Uint8Array, string>,
    finish: (item: T) => R,
  ) {
    this.view = view
    this.range = guarded(() => LevelRange.of(options))
    this.part = this.range
    this.signal = options.signal
    this.begin = begin
    this.finish = finish
  }

  async next(): Promise<R | undefined> {
    const result = guarded(() => this.records()?.next())
    const item = result === undefined || result.done === true ? undefined : this.finish(result.value)
    if (this.signal !== undefined) await notAborted(this.signal)
    return item
  }

  /** At most `count` items, fewer only at the end. */
  async take(count: number): Promise<R[]> {
    const items = this.read(count)
    if (this.signal !== undefined) await notAborted(this.signal)
    return items
  }

  /** The same for many items: other work has its turn in between. */
  async takeAll(count: number): Promise<R[]> {
    const items = this.read(Math.min(count, CHUNK))
    for (let size = items.length; size === CHUNK && items.length < count; ) {
      await new Promise<void>(nextTurn)
      if (this.signal !== undefined) await notAborted(this.signal)
      const more = this.read(Math.min(count - items.length, CHUNK))
      size = more.length
      for (const item of more) items.push(item)
    }
    if (this.signal !== undefined) await notAborted(this.signal)
    return items
  }

  seek(target: Data): void {
    this.part = guarded(() => this.range.from(target))
    this.items?.return()
    this.items = undefined
  }

  close(): void {
    this.items?.return()
    if (this.view.isOwn) this.view.snapshot.close()
  }

  private read(count: number): R[] {
    return guarded(() => this.records()?.nextMany(count) ?? []).map(this.finish)
  }

  private records(): RangeIterator<T, Uint8Array, string> | undefined {
    if (this.items === undefined && this.part !== undefined)
      this.items = this.begin(this.view.snapshot, this.part.forEngine)
    return this.items
  }
}

/** Reading does not wait for anything, so a signal counts if it comes before the caller has what was read. */
const notAborted = async (signal: AbortSignal): Promise<void> => {
  await undefined
  if (!signal.aborted) return
  const error = new LevelError('LEVEL_ABORTED', 'the operation was aborted', signal.reason)
  error.name = 'AbortError'
  throw error
}

/** Keys that the engine's types call strings are bytes with `keyEncoding: 'binary'`. */
const keyFinisher = (encoding: string): ((key: string) => Data) =>
  encoding === 'utf8'
    ? key => toText(fromStored(key as unknown as Uint8Array))
    : key => fromStored(key as unknown as Uint8Array)

const valueFinisher = (encoding: string): ((value: Uint8Array) => Data) =>
  encoding === 'utf8' ? toText : value => value

export const walkKeys = (view: IteratorView, options: IteratorOptions): Walk<string, Data> =>
  new Walk(view, options, (snapshot, range) => snapshot.keys(range), keyFinisher(options.keyEncoding))

export const walkValues = (view: IteratorView, options: IteratorOptions): Walk<Uint8Array, Data> =>
  new Walk(view, options, (snapshot, range) => snapshot.values(range), valueFinisher(options.valueEncoding))

export type LevelEntry = [Data | undefined, Data | undefined]

/** Entries; the half that `keys: false` or `values: false` leaves out is undefined, and not read if it is the value. */
export const walkEntries = (
  view: IteratorView,
  options: IteratorOptions,
): Walk<string, LevelEntry> | Walk<Uint8Array, LevelEntry> | Walk<[string, Uint8Array], LevelEntry> => {
  const key = keyFinisher(options.keyEncoding)
  const value = valueFinisher(options.valueEncoding)
  if (options.values === false)
    return new Walk<string, LevelEntry>(
      view,
      options,
      (snapshot, range) => snapshot.keys(range),
      options.keys === false ? () => [undefined, undefined] : item => [key(item), undefined],
    )
  if (options.keys === false)
    return new Walk<Uint8Array, LevelEntry>(
      view,
      options,
      (snapshot, range) => snapshot.values(range),
      item => [undefined, value(item)],
    )
  return new Walk<[string, Uint8Array], LevelEntry>(
    view,
    options,
    (snapshot, range) => snapshot.entries(range),
    item => [key(item[0]), value(item[1])],
  )
}
