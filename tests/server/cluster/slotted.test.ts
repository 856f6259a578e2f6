/** Commands over keys that carry their slots in the file: the same answers as without, and slots that can be listed. */

import { expect, test } from 'vitest'
import { slotOf } from '../../../src/cluster/slots.ts'
import { slotOfRange } from '../../../src/server/commands/slotted.ts'
import type { Range } from '../../../src/types.ts'
import { successor } from '../../../src/values/range.ts'
import fc from '../../support/property.ts'
import { request, withServer } from '../wire.ts'
import { withShard } from './fake-shard.ts'

test('keys have their slot in front in the file alone', async () => {
  await withShard(async ({ client, db }) => {
    const c = await client()
    await c.expect('SET foo 1\r\nSET {foo}2 2\r\n', '+OK\r\n+OK\r\n')
    expect([...db.keys()].map(key => Buffer.from(key).toString('latin1'))).toEqual(['\x2f\x96foo', '\x2f\x96{foo}2'])
    await c.expect('CLUSTER COUNTKEYSINSLOT 12182\r\n', ':2\r\n')
    await c.expect('CLUSTER COUNTKEYSINSLOT 12183\r\n', ':0\r\n')
    await c.expect('CLUSTER GETKEYSINSLOT 12182 1\r\n', '*1\r\n$3\r\nfoo\r\n')
    await c.expect('CLUSTER GETKEYSINSLOT 12182 10\r\n', '*2\r\n$3\r\nfoo\r\n$6\r\n{foo}2\r\n')
    await c.expect('RANDOMKEY\r\n', /^\$(3\r\nfoo|6\r\n\{foo\}2)\r\n$/)
    await c.expect('KEYS {foo}*\r\n', '*1\r\n$6\r\n{foo}2\r\n')
    await c.expect('FLUSHALL\r\nDBSIZE\r\n', '+OK\r\n:0\r\n')
    expect(db.count()).toBe(0)
  })
})

test('a key may have two bytes less than the file takes', async () => {
  await withShard(async ({ client }) => {
    const c = await client()
    await c.expect(request('SET', 'k'.repeat(1022), 'v'), '+OK\r\n')
    await c.expect(request('GET', 'k'.repeat(1022)), '$1\r\nv\r\n')
    await c.expect(request('SET', 'k'.repeat(1023), 'v'), '-ERR a key has 1 to 1022 bytes\r\n')
    await c.expect(request('GET', 'k'.repeat(1024)), '$-1\r\n')
  })
})

const word = fc.string({ unit: fc.constantFrom('{', '}', 'a', 'b', 'c'), minLength: 1, maxLength: 6 })
const bound = fc.tuple(fc.constantFrom('[', '('), word).map(([kind, key]) => `${kind}${key}`)

test('ranges over all slots, SCAN, KEYS and DBSIZE answer as without slots', async () => {
  await withShard(async shard => {
    await withServer({}, async plain => {
      const [a, b] = [await shard.client(), await plain.client()]
      const both = async (text: string): Promise<string[]> => {
        const replies: string[] = []
        for (const wire of [a, b]) {
          wire.received = ''
          wire.write(`${text}${request('ECHO', '#end#')}`)
          replies.push(await wire.until(found => found.endsWith('$5\r\n#end#\r\n')))
        }
        return replies
      }
      await fc.assert(
        fc.asyncProperty(
          fc.uniqueArray(word, { maxLength: 40 }),
          fc.oneof(fc.constant('-'), bound),
          fc.oneof(fc.constant('+'), bound),
          fc.record({
            reverse: fc.boolean(),
            limit: fc.integer({ min: 0, max: 20 }),
            kind: fc.constantFrom('', 'KEYS', 'COUNT'),
          }),
          async (keys, lower, upper, { reverse, limit, kind }) => {
            await both(request('FLUSHALL') + keys.map(key => request('SET', key, `v${key}`)).join(''))
            const options = [...(reverse ? ['REV'] : []), ...(kind === '' ? [] : [kind])]
            for (const words of [
              ['RANGE', lower, upper, ...options],
              ['RANGE', lower, upper, ...options, 'LIMIT', limit],
              ['DBSIZE'],
              ['EXISTS', ...(keys.length === 0 ? ['a'] : keys.slice(0, 1))],
            ]) {
              const [slotted, ordinary] = await both(request(...words))
              expect([words, slotted]).toEqual([words, ordinary])
            }
            const [slotted, ordinary] = await both(request('KEYS', '*a*'))
            const sorted = (text: string): string[] => text.split(/(?=\$)/).sort()
            expect(sorted(slotted!)).toEqual(sorted(ordinary!))
          },
        ),
        { numRuns: 60 },
      )
    })
  })
}, 60_000)

test('a range of one hash tag is known to lie in one slot', () => {
  const bytes = word.map(text => Buffer.from(text))
  fc.assert(
    fc.property(bytes, bytes, bytes, fc.boolean(), (lower, upper, key, asPrefix) => {
      const end = successor(Uint8Array.from(lower))
      const range = (asPrefix && end !== undefined ? { gte: lower, lt: end } : { gte: lower, lte: upper }) as unknown
      const slot = slotOfRange(range as Range)
      const isIn =
        Buffer.compare(key, lower) >= 0 && (asPrefix ? Buffer.compare(key, end!) < 0 : Buffer.compare(key, upper) <= 0)
      if (slot !== undefined && isIn) expect(slotOf(key)).toBe(slot)
    }),
    { numRuns: 2000 },
  )
  const given = (lower: string, upper: string): unknown => ({ gte: Buffer.from(lower), lt: Buffer.from(upper) })
  expect(slotOfRange(given('{a}1', '{a}2') as Range)).toBe(15495)
  expect(slotOfRange(given('{a}', '{a~') as Range)).toBe(15495)
  expect(slotOfRange(given('a', 'b') as Range)).toBeUndefined()
})
