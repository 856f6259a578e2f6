/** What lies in a range, one command after the other: each begins behind what the one before gave last. */
import type { ResolvedRange } from '../values/range.ts'
import type { Argument } from './encoder.ts'
import { rangeCommand } from './range.ts'
import type { Reply } from './reader.ts'
import { bytesOf, listOf } from './values.ts'

export type Ask = (command: readonly Argument[]) => Promise<Reply>

/** A range of something, and how to ask for it. */
export interface Paged {
  /** No more than so many are wanted. */
  readonly limit: number
  /** Parts of each: of a record its key, or its key and its value. */
  readonly width: number
  readonly isEmpty: boolean
  /** Asks for at most `limit` of them, and no more once those before have so many bytes. */
  command(limit: number, bytes: number): readonly Argument[]
  /** What lies behind these parts. */
  behind(last: readonly Reply[], limit: number): Paged
}

/** Records, or keys, of a range. */
export class PagedRange implements Paged {
  readonly width: number
  private readonly range: ResolvedRange

  constructor(range: ResolvedRange, keysOnly: boolean) {
    this.range = range
    this.width = keysOnly ? 1 : 2
  }

  get limit(): number {
    return this.range.limit
  }

  get isEmpty(): boolean {
    return this.range.isEmpty
  }

  get reverse(): boolean {
    return this.range.reverse
  }

  command(limit: number, bytes: number): readonly Argument[] {
    return rangeCommand(this.range, limit, bytes, this.width === 1)
  }

  behind([key]: readonly Reply[], limit: number): Paged {
    const { range } = this
    const last = { key: bytesOf(key!), inclusive: false }
    return new PagedRange({ ...range, limit, ...(range.reverse ? { upper: last } : { lower: last }) }, this.width === 1)
  }
}

/** Records and bytes after which a page ends. The first is short: many ranges are, and many loops are left early. */
const PAGE_RECORDS = 1000
const FIRST_PAGE_BYTES = 65536
const PAGE_BYTES = 1048576

/** What one command has answered. */
export interface Page {
  /** The parts, one behind the other. */
  readonly items: Reply[]
  /** The rest of the range, or undefined if there is none. */
  readonly rest: Paged | undefined
}

export const pageOf = async (ask: Ask, range: Paged, bytes: number = FIRST_PAGE_BYTES): Promise<Page> => {
  const { width } = range
  const limit = Math.min(PAGE_RECORDS, range.limit)
  const items = listOf(await ask(range.command(limit, bytes)))
  const records = items.length / width
  const size = items.reduce<number>((sum, item) => sum + bytesOf(item).length, 0)
  if ((records < limit && size < bytes) || records === range.limit) return { items, rest: undefined }
  return { items, rest: range.behind(items.slice(-width), range.limit - records) }
}

export async function* pagesOf(ask: Ask, range: Paged): AsyncGenerator<Reply[], undefined> {
  let page = range.isEmpty ? undefined : await pageOf(ask, range)
  while (page !== undefined) {
    yield page.items
    page = page.rest === undefined ? undefined : await pageOf(ask, page.rest, PAGE_BYTES)
  }
  return undefined
}

/** What is made of the parts of each; `left`: at most so many. */
export async function* itemsOf<T>(
  pages: AsyncIterable<Reply[]>,
  width: number,
  left: number,
  item: (parts: readonly Reply[]) => T | undefined,
): AsyncGenerator<T, undefined> {
  if (left === 0) return undefined
  for await (const page of pages)
    for (let i = 0; i + width <= page.length; i += width) {
      const made = item(page.slice(i, i + width))
      if (made === undefined) continue
      yield made
      if (--left === 0) return undefined
    }
  return undefined
}
