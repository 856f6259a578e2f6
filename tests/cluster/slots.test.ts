/** CRC16, hash tags and the keys of the file (slots.ts). */

import { expect, test } from 'vitest'
import { SLOTS } from '../../src/cluster/shard-map.ts'
import { crc16, placed, slotAt, slotOf, slotOfPrefix, slotPrefix } from '../../src/cluster/slots.ts'
import { compareBytes } from '../../src/runtime/bytes.ts'
import fc from '../support/property.ts'

const slot = (key: string): number => slotOf(Buffer.from(key))

test('the check value of CRC16/XMODEM', () => {
  expect(crc16(Buffer.from('123456789'))).toBe(0x31c3)
  expect(crc16(new Uint8Array(0))).toBe(0)
})

test('slots that Redis documents, and redis-server gives', () => {
  const known = { foo: 12182, bar: 5061, a: 15495, b: 3300, '': 0, hello: 866, somekey: 11058, 'foo{hash_tag}': 2515 }
  expect(Object.fromEntries(Object.keys(known).map(key => [key, slot(key)]))).toEqual(known)
})

test('a hash tag is from the first { to the first } behind it, if something stands between', () => {
  expect(slot('{user1000}.following')).toBe(slot('user1000'))
  expect(slot('foo{}{bar}')).toBe(crc16(Buffer.from('foo{}{bar}')) % SLOTS)
  expect(slot('foo{{bar}}zap')).toBe(slot('{bar'))
  expect(slot('foo{bar}{zap}')).toBe(slot('bar'))
  expect(slot('}{a}')).toBe(slot('a'))
  expect(slot('{a')).toBe(crc16(Buffer.from('{a')) % SLOTS)
})

test('a part of a longer buffer has the slot of its own bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), fc.uint8Array(), (before, key, behind) => {
      const source = Buffer.concat([before, key, behind])
      expect(slotOf(source, before.length, before.length + key.length)).toBe(slotOf(key))
    }),
  )
})

test('what begins with a prefix that has a whole hash tag lies in its slot', () => {
  const prefix = fc.string({ unit: fc.constantFrom('{', '}', 'a', 'b') }).map(text => Buffer.from(text))
  fc.assert(
    fc.property(prefix, fc.uint8Array(), (start, rest) => {
      const found = slotOfPrefix(start)
      if (found !== undefined) expect(slotOf(Buffer.concat([start, rest]))).toBe(found)
    }),
  )
  expect(slotOfPrefix(Buffer.from('{a}'))).toBe(slot('a'))
  expect(slotOfPrefix(Buffer.from('{a'))).toBeUndefined()
  expect(slotOfPrefix(Buffer.from('abc'))).toBeUndefined()
})

test('keys of the file lie by their slots, and in a slot as before', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1 }), fc.uint8Array({ minLength: 1 }), (a, b) => {
      const [slotA, slotB] = [slotOf(a), slotOf(b)]
      const order = Math.sign(slotA === slotB ? compareBytes(a, b) : slotA - slotB)
      expect(Math.sign(compareBytes(placed(a), placed(b)))).toBe(order)
      expect(slotAt(placed(a))).toBe(slotA)
      expect(compareBytes(placed(a), slotPrefix(slotA + 1))).toBe(-1)
    }),
  )
})
