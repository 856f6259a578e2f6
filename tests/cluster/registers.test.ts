/** The checker of registers, beside one that tries all orders. */

import { describe, expect, test } from 'vitest'
import fc from '../support/property.ts'
import { contradictions, type Operation } from './registers.ts'

const operation = (kind: 'write' | 'read', value: string | undefined, began: number, ended: number): Operation => ({
  ...{ kind, key: 'k', value, began, ended },
})
const UNKNOWN = Number.POSITIVE_INFINITY

describe('a history of one register', () => {
  test.each<[string, Operation[], boolean]>([
    ['nothing', [], true],
    ['a read of nothing', [operation('read', undefined, 0, 1)], true],
    ['a write and its read', [operation('write', 'a', 0, 1), operation('read', 'a', 2, 3)], true],
    ['a stale read', [operation('write', 'a', 0, 1), operation('read', undefined, 2, 3)], false],
    ['a read beside a write', [operation('write', 'a', 0, 3), operation('read', undefined, 1, 2)], true],
    ['a value from nowhere', [operation('read', 'a', 0, 1)], false],
    ['a read before the write', [operation('read', 'a', 0, 1), operation('write', 'a', 2, 3)], false],
    ['an unknown write that is seen', [operation('write', 'a', 0, UNKNOWN), operation('read', 'a', 5, 6)], true],
    [
      'an unknown write that is seen late',
      [operation('write', 'a', 0, UNKNOWN), operation('read', undefined, 2, 3), operation('read', 'a', 5, 6)],
      true,
    ],
    [
      'an unknown write that comes and goes',
      [operation('write', 'a', 0, UNKNOWN), operation('read', 'a', 2, 3), operation('read', undefined, 5, 6)],
      false,
    ],
    [
      'a lost write',
      [operation('write', 'a', 0, 1), operation('write', 'b', 2, 3), operation('read', 'a', 4, 5)],
      false,
    ],
    [
      'two writes side by side, both seen',
      [
        ...[operation('write', 'a', 0, 9), operation('write', 'b', 0, 9)],
        ...[operation('read', 'a', 1, 2), operation('read', 'b', 3, 4), operation('read', 'b', 10, 11)],
      ],
      true,
    ],
  ])('%s', (_, history, isLinearizable) => {
    expect(contradictions(history).length === 0).toBe(isLinearizable)
    expect(byAllOrders(history)).toBe(isLinearizable)
  })

  test('is judged as by trying all orders', () => {
    const values = ['a', 'b', 'c']
    const interval = fc.tuple(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 1, max: 15 }))
    const writes = fc.tuple(...values.map(() => fc.tuple(interval, fc.boolean())))
    const reads = fc.array(fc.tuple(interval, fc.constantFrom(undefined, ...values)), { maxLength: 4 })
    fc.assert(
      fc.property(writes, reads, (written, read) => {
        // No two moments are the same: every operation has its own fraction.
        let fraction = 0
        const moment = (at: number): number => {
          fraction += 0.01
          return at + fraction
        }
        const history = [
          ...written.map(([[began, length], isUnknown], i) =>
            operation('write', values[i], moment(began), isUnknown ? UNKNOWN : moment(began + length)),
          ),
          ...read.map(([[began, length], value]) => operation('read', value, moment(began), moment(began + length))),
        ]
        expect(contradictions(history).length === 0).toBe(byAllOrders(history))
      }),
      { numRuns: 2_000, seed: 7 },
    )
  })
})

test('registers are judged one by one', () => {
  const other = { ...operation('read', undefined, 2, 3), key: 'other' }
  expect(contradictions([operation('write', 'a', 0, 1), other])).toEqual([])
  expect(contradictions([operation('write', 'a', 0, 1), { ...other, key: 'k' }])).toEqual([
    expect.stringContaining('k: '),
  ])
})

function byAllOrders(history: readonly Operation[], value?: string): boolean {
  if (history.every(({ kind, ended }) => kind === 'write' && ended === UNKNOWN)) return true
  const firstEnd = Math.min(...history.map(({ ended }) => ended))
  return history.some(next => {
    // Whoever ended before it began comes before it.
    if (next.began > firstEnd) return false
    if (next.kind === 'read' && next.value !== value) return false
    const rest = history.filter(other => other !== next)
    return byAllOrders(rest, next.kind === 'write' ? next.value : value)
  })
}
