/** The records of a range, one RANGE after the other: each begins behind the last key of the one before. */
import type { ResolvedRange } from '../values/range.ts'
import type { Argument } from './encoder.ts'
import { rangeCommand } from './range.ts'
import type { Reply } from './reader.ts'
import { bytesOf, listOf } from './values.ts'

export type Ask = (command: readonly Argument[]) => Promise<Reply>

/** Records and bytes after which a page ends. The first is short: many ranges are, and many loops are left early. */
const PAGE_RECORDS = 1000
const FIRST_PAGE_BYTES = 65536
const PAGE_BYTES = 1048576

/** What one RANGE has answered. */
export interface Page {
  /** Keys, or keys and values in turn. */
  readonly items: Reply[]
  /** The rest of the range, or undefined if there is none. */
  readonly rest: ResolvedRange | undefined
}

export const pageOf = async (
  ask: Ask,
  range: ResolvedRange,
  keysOnly: boolean,
  bytes: number = FIRST_PAGE_BYTES,
): Promise<Page> => {
  const limit = Math.min(PAGE_RECORDS, range.limit)
  const items = listOf(await ask(rangeCommand(range, limit, bytes, keysOnly)))
  const records = keysOnly ? items.length : items.length / 2
  const size = items.reduce<number>((sum, item) => sum + bytesOf(item).length, 0)
  if ((records < limit && size < bytes) || records === range.limit) return { items, rest: undefined }
  const last = { key: bytesOf(items[keysOnly ? items.length - 1 : items.length - 2]!), inclusive: false }
  const rest = { ...range, limit: range.limit - records }
  return { items, rest: range.reverse ? { ...rest, upper: last } : { ...rest, lower: last } }
}

export async function* pagesOf(ask: Ask, range: ResolvedRange, keysOnly: boolean): AsyncGenerator<Reply[], undefined> {
  let page = range.isEmpty ? undefined : await pageOf(ask, range, keysOnly)
  while (page !== undefined) {
    yield page.items
    page = page.rest === undefined ? undefined : await pageOf(ask, page.rest, keysOnly, PAGE_BYTES)
  }
  return undefined
}
