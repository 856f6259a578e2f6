/** Ranges of abstract-level as ranges of the engine. Where `gt` and `gte` are given, `gte` counts; so does `lte`. */
import { type Bound, compareBytes } from '../../runtime/bytes.ts'
import type { Range } from '../../types.ts'
import { type Data, toStoredBytes } from './keys.ts'

/** What abstract-level hands over; a limit of -1 is none. */
export interface RangeOptions {
  gt?: Data
  gte?: Data
  lt?: Data
  lte?: Data
  reverse: boolean
  limit: number
}

export class LevelRange {
  readonly lower: Bound | undefined
  readonly upper: Bound | undefined
  readonly reverse: boolean
  readonly limit: number

  constructor(lower: Bound | undefined, upper: Bound | undefined, reverse: boolean, limit: number) {
    this.lower = lower
    this.upper = upper
    this.reverse = reverse
    this.limit = limit
  }

  static of({ gt, gte, lt, lte, reverse, limit }: RangeOptions): LevelRange {
    const lower = gte !== undefined ? lowerBound(gte, true) : gt !== undefined ? lowerBound(gt, false) : undefined
    const upper = lte !== undefined ? upperBound(lte, true) : lt !== undefined ? upperBound(lt, false) : undefined
    return new LevelRange(lower, upper, reverse, limit)
  }

  /** The part that begins at `target`, in the direction of the range; undefined if the range does not hold `target`. */
  from(target: Data): LevelRange | undefined {
    const { lower, upper, reverse, limit } = this
    const start = reverse ? upperBound(target, true) : lowerBound(target, true)
    if (lower !== undefined) {
      const order = compareBytes(start.key, lower.key)
      if (order < 0 || (order === 0 && !lower.inclusive && start.inclusive)) return undefined
    }
    if (upper !== undefined) {
      const order = compareBytes(start.key, upper.key)
      if (order > 0 || (order === 0 && !upper.inclusive)) return undefined
    }
    return reverse ? new LevelRange(lower, start, true, limit) : new LevelRange(start, upper, false, limit)
  }

  get forEngine(): Range {
    const { lower, upper, reverse, limit } = this
    const range: Range = { reverse }
    if (lower !== undefined) range[lower.inclusive ? 'gte' : 'gt'] = lower.key
    if (upper !== undefined) range[upper.inclusive ? 'lte' : 'lt'] = upper.key
    if (limit >= 0) range.limit = limit
    return range
  }
}

const lowerBound = (key: Data, inclusive: boolean): Bound => {
  const { key: bytes, cut } = toStoredBytes(key)
  return { key: bytes, inclusive: inclusive && !cut }
}

const upperBound = (key: Data, inclusive: boolean): Bound => {
  const { key: bytes, cut } = toStoredBytes(key)
  return { key: bytes, inclusive: inclusive || cut }
}
