/** Keys for `keyEncoding: 'tuple'`, and their order told without any bytes. */

import type { TupleKey } from '../../src/types.ts'
import fc from './property.ts'

/** Few values that are close to one another, and many that are anything. */
const numbers = fc.oneof(
  fc.constantFrom(0, 1, -1, 0.5, -0.5, 1.5, 255, 256, 65536, 2 ** 53, -(2 ** 53), 1e300),
  fc.constantFrom(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.MAX_VALUE, Number.MIN_VALUE),
  fc.integer({ min: -300, max: 300 }),
  fc.double({ noNaN: true }).map(number => (number === 0 ? 0 : number)),
)
const bigints = fc.oneof(
  fc.bigInt({ min: -3n, max: 3n }),
  fc.bigInt({ min: 2n ** 53n - 3n, max: 2n ** 53n + 3n }),
  fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }),
  fc.constantFrom(10n ** 320n, -(10n ** 320n)),
)
const texts = fc.oneof(
  fc.string({ unit: fc.constantFrom('\0', '\u0001', '\u0002', 'a', 'é', '\uffff', '\u{10000}'), maxLength: 3 }),
  fc.string({ unit: 'binary', maxLength: 30 }),
)
const bytes = fc.array(fc.constantFrom(0, 1, 2, 254, 255), { maxLength: 4 }).map(list => Uint8Array.from(list))

export const tupleKeys = (): fc.Arbitrary<TupleKey> =>
  fc.letrec<{ key: TupleKey; array: TupleKey[] }>(tie => ({
    key: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constantFrom(null, false, true),
      numbers,
      bigints,
      texts,
      bytes,
      tie('array'),
    ),
    array: fc.array(tie('key'), { maxLength: 4 }),
  })).key

const rankOf = (key: TupleKey): number => {
  if (key === null) return 0
  if (typeof key === 'boolean') return key ? 2 : 1
  if (typeof key === 'number' || typeof key === 'bigint') return 3
  if (typeof key === 'string') return 4
  return key instanceof Uint8Array ? 5 : 6
}

/** JavaScript itself compares a number with a bigint by what they are. */
const compareNumbers = (a: number | bigint, b: number | bigint): number => {
  if (a < b) return -1
  if (a > b) return 1
  return Number(typeof a === 'bigint') - Number(typeof b === 'bigint')
}

const compareLists = <T>(a: readonly T[], b: readonly T[], compare: (a: T, b: T) => number): number => {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const order = compare(a[i]!, b[i]!)
    if (order !== 0) return order
  }
  return a.length - b.length
}

const difference = (a: number, b: number): number => a - b
const codePoints = (text: string): number[] => [...text].map(character => character.codePointAt(0)!)

/** Below 0 if `a` comes first. */
export const compareTuples = (a: TupleKey, b: TupleKey): number => {
  const rank = rankOf(a)
  if (rank !== rankOf(b)) return rank - rankOf(b)
  if (rank === 3) return compareNumbers(a as number, b as number)
  if (rank === 4) return compareLists(codePoints(a as string), codePoints(b as string), difference)
  if (rank === 5) return compareLists([...(a as Uint8Array)], [...(b as Uint8Array)], difference)
  return rank === 6 ? compareLists(a as TupleKey[], b as TupleKey[], compareTuples) : 0
}
