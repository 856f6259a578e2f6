/** Patterns as Redis has them. Against Redis itself they are compared in tests/redis. */

import { describe, expect, test } from 'vitest'
import { literalPrefix, matches } from '../../../src/server/protocol/glob.ts'
import fc from '../../support/property.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1')
const isMatch = (pattern: string, text: string): boolean => matches(bytes(pattern), bytes(text))

describe('a pattern', () => {
  test.each([
    ['', ''],
    ['a*', 'a'],
    ['a*c', 'abbc'],
    ['a*b*c', 'aXbYbZc'],
    ['h?llo', 'hello'],
    ['[a-c]x', 'bx'],
    ['[c-a]x', 'bx'],
    ['[^a]x', 'bx'],
    ['[\\]]', ']'],
    ['[ab', 'b'],
    ['\\*', '*'],
  ])('%j matches %j', (pattern, text) => expect(isMatch(pattern, text)).toBe(true))

  test.each([
    ['', 'a'],
    ['a', ''],
    ['*', ''],
    ['a*c', 'abb'],
    ['h?llo', 'hllo'],
    ['[a-c]x', 'dx'],
    ['[^a]x', 'ax'],
    ['\\*', 'a'],
    ['[]', 'a'],
  ])('%j does not match %j', (pattern, text) => expect(isMatch(pattern, text)).toBe(false))
})

test('many stars take no longer than pattern × text', () => {
  const start = performance.now()
  expect(isMatch('a*'.repeat(200), 'a'.repeat(5000).concat('b'))).toBe(true)
  expect(isMatch(`${'a*'.repeat(200)}c`, 'a'.repeat(5000))).toBe(false)
  expect(performance.now() - start).toBeLessThan(10_000)
})

const unit = fc.constantFrom('a', 'b', '*', '?', '[', ']', '^', '-', '\\')

test('what matches begins with the literal prefix', () => {
  fc.assert(
    fc.property(
      fc.string({ unit, maxLength: 8 }),
      fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 8 }),
      (pattern, text) => {
        const prefix = Buffer.from(literalPrefix(bytes(pattern))).toString('latin1')
        expect(pattern.startsWith(prefix)).toBe(true)
        if (isMatch(pattern, text)) expect(text.startsWith(prefix)).toBe(true)
      },
    ),
  )
})
