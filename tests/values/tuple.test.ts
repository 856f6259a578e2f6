/** Tuples as bytes (K1, K2), against an order that is told in another way. */

import { describe, expect, test } from 'vitest'
import { compareBytes } from '../../src/runtime/bytes.ts'
import type { TupleKey } from '../../src/types.ts'
import { decodeTuple, encodeTuple, joinTuples, tupleEnd, tuplePrefix } from '../../src/values/tuple.ts'
import { expectCode, wrong } from '../support/errors.ts'
import fc from '../support/property.ts'
import { compareTuples, tupleKeys } from '../support/tuples.ts'

const sign = (order: number): number => Math.sign(order)

describe('the encoding of a tuple', () => {
  test('gives it back, whatever lies in it', () => {
    fc.assert(
      fc.property(tupleKeys(), key => {
        expect(decodeTuple(encodeTuple(key))).toStrictEqual(key)
      }),
      { numRuns: 3000 },
    )
  })

  test('is ordered as the tuple is (K1)', () => {
    fc.assert(
      fc.property(tupleKeys(), tupleKeys(), (a, b) => {
        expect(sign(compareBytes(encodeTuple(a), encodeTuple(b)))).toBe(sign(compareTuples(a, b)))
      }),
      { numRuns: 5000 },
    )
  })

  test('is no beginning of another one, so that joined ones are ordered by the first, then by the second (K2)', () => {
    fc.assert(
      fc.property(tupleKeys(), tupleKeys(), tupleKeys(), tupleKeys(), (a, b, c, d) => {
        const [left, right] = [joinTuples(encodeTuple(a), encodeTuple(b)), joinTuples(encodeTuple(c), encodeTuple(d))]
        const order = compareTuples(a, c) || compareTuples(b, d)
        expect(sign(compareBytes(left, right))).toBe(sign(order))
        const end = tupleEnd(left, 0)
        expect([decodeTuple(left.slice(0, end)), decodeTuple(left.slice(end))]).toStrictEqual([a, b])
      }),
      { numRuns: 3000 },
    )
  })

  test('begins with the prefix of its first items, and with that of no others', () => {
    const items = fc.array(tupleKeys(), { maxLength: 4 })
    fc.assert(
      fc.property(items, items, (parts, key) => {
        const prefix = tuplePrefix(parts)
        const begins = compareBytes(encodeTuple(key).slice(0, prefix.length), prefix) === 0
        const expected = parts.length <= key.length && parts.every((part, i) => compareTuples(part, key[i]!) === 0)
        expect(begins).toBe(expected)
        const behind = encodeTuple([...parts, ...key])
        expect(compareBytes(behind.slice(0, prefix.length), prefix)).toBe(0)
      }),
      { numRuns: 2000 },
    )
  })

  test('puts numbers and bigints in one order, exact to the last bit', () => {
    const two53 = 2n ** 53n
    const ordered: TupleKey[] = [
      Number.NEGATIVE_INFINITY,
      -(10n ** 400n),
      -Number.MAX_VALUE,
      -two53 - 1n,
      -(2 ** 53),
      -two53,
      -(2 ** 53) + 1,
      -256,
      -255.5,
      -255,
      -2,
      -1.5,
      -1,
      -1n,
      -0.5,
      -Number.MIN_VALUE,
      0,
      0n,
      Number.MIN_VALUE,
      0.5,
      1,
      1n,
      1.5,
      2n,
      255,
      255.5,
      256,
      2 ** 53 - 1,
      2 ** 53,
      two53,
      two53 + 1n,
      2 ** 53 + 2,
      two53 + 2n,
      two53 + 3n,
      1e300,
      Number.MAX_VALUE,
      BigInt(Number.MAX_VALUE),
      BigInt(Number.MAX_VALUE) + 1n,
      10n ** 400n,
      Number.POSITIVE_INFINITY,
    ]
    const bytes = ordered.map(encodeTuple)
    for (let i = 1; i < bytes.length; i++)
      expect(compareBytes(bytes[i - 1]!, bytes[i]!), `${ordered[i - 1]} < ${ordered[i]}`).toBeLessThan(0)
    expect(bytes.map(decodeTuple)).toStrictEqual(ordered)
  })

  test('is short for small numbers, and one for -0 and 0', () => {
    expect(encodeTuple(['user', 42])).toEqual(Uint8Array.from([0x1a, 0x18, 0x75, 0x73, 0x65, 0x72, 0, 0x0f, 42, 0, 0]))
    expect(encodeTuple(-0)).toEqual(encodeTuple(0))
    expect(decodeTuple(encodeTuple(-0))).toBe(0)
    expect(encodeTuple(Date.UTC(2026, 0)).length).toBe(8)
  })
})

describe('a tuple', () => {
  test('of something that is no key is refused, wherever it lies', () => {
    const bad = [undefined, Number.NaN, {}, new Date(), Symbol('x'), () => 1, new Map(), new Float64Array(2), '\ud800']
    for (const value of bad)
      for (const key of [value, [value], ['a', [value]], new Array(2)])
        expectCode(() => encodeTuple(wrong(key)), 'XENON_INVALID_ARGUMENT')
    const detached = new Uint8Array(4)
    structuredClone(detached, { transfer: [detached.buffer] })
    expectCode(() => encodeTuple([detached]), 'XENON_INVALID_ARGUMENT')
    expect(() => encodeTuple(wrong(new Date()))).toThrow('getTime()')
  })

  test('of 1024 bytes is the longest, whatever fills it', () => {
    expect(encodeTuple('x'.repeat(1022)).length).toBe(1024)
    const self: TupleKey[] = []
    self.push(self)
    const tooLong: TupleKey[] = [
      'x'.repeat(1023),
      'é'.repeat(600),
      '\0'.repeat(512),
      new Uint8Array(1023).fill(7),
      Array.from({ length: 400 }, (_, i) => i),
      10n ** 4000n,
      [...'x'.repeat(342)],
      ['x'.repeat(1018), 2 ** 60],
      self,
    ]
    for (const key of tooLong) expectCode(() => encodeTuple(key), 'XENON_KEY_TOO_LARGE')
  })

  test('whose items are got by code that makes another one', () => {
    const key = ['a', 'b'] as string[]
    const other = (): string => (encodeTuple(['other', 7]).length > 0 ? 'b' : '')
    Object.defineProperty(key, 1, { get: other })
    expect(encodeTuple(key)).toEqual(encodeTuple(['a', 'b']))
    const failing = ['a', 'b']
    Object.defineProperty(failing, 1, { get: () => encodeTuple(wrong({})) })
    expectCode(() => encodeTuple(failing), 'XENON_INVALID_ARGUMENT')
    expect(decodeTuple(encodeTuple(['still', 'well']))).toEqual(['still', 'well'])
  })

  test('shares no memory with its bytes', () => {
    const bytes = encodeTuple([new Uint8Array([9, 9, 9])])
    const [part] = decodeTuple(bytes) as [Uint8Array]
    bytes.fill(0)
    expect(part).toEqual(new Uint8Array([9, 9, 9]))
    expect(part.constructor).toBe(Uint8Array)
  })
})

describe('bytes that are no tuple', () => {
  test('are refused', () => {
    for (const text of ['', 'a', 'user:42', '{"a":1}', '42', '\n'])
      expectCode(() => decodeTuple(Buffer.from(text)), 'XENON_INVALID_ARGUMENT')
  })

  test('or only a part of one, or more than one, are refused', () => {
    fc.assert(
      fc.property(tupleKeys(), fc.nat(), (key, cut) => {
        const bytes = encodeTuple(key)
        expectCode(() => decodeTuple(bytes.slice(0, cut % bytes.length)), 'XENON_INVALID_ARGUMENT')
        expectCode(() => decodeTuple(joinTuples(bytes, Uint8Array.of(2))), 'XENON_INVALID_ARGUMENT')
      }),
    )
  })

  test('never lead to another error than that', () => {
    const types = fc.constantFrom(0, 1, 2, 5, 6, 0x0d, 0x0e, 0x10, 0x16, 0x18, 0x19, 0x1a, 0x1b, 0xff, 0x7f)
    fc.assert(
      fc.property(fc.array(types, { maxLength: 20 }), bytes => {
        try {
          decodeTuple(Uint8Array.from(bytes))
        } catch (error) {
          expect(error).toMatchObject({ code: 'XENON_INVALID_ARGUMENT' })
        }
      }),
      { numRuns: 3000 },
    )
  })
})
