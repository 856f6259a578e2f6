/** What DUMP gives is read again; whatever else comes is refused, and makes nothing large. */
import { expect, test } from 'vitest'
import { crc64 } from '../../../src/server/protocol/crc64.ts'
import { decodeDump, encodeDump } from '../../../src/server/protocol/dump.ts'
import { seeded } from '../../support/random.ts'

/** Any bytes with a footer that is right. */
const sealed = (body: readonly number[], version = 10): Buffer => {
  const dump = Buffer.from([...body, version, 0, 0, 0, 0, 0, 0, 0, 0, 0])
  dump.writeBigUInt64LE(crc64(dump.subarray(0, -8)), dump.length - 8)
  return dump
}

const read = (body: readonly number[], most = 1000): unknown => {
  const found = decodeDump(sealed(body), most)
  return typeof found === 'string' ? found : Buffer.from(found).toString('latin1')
}

test('the checksum is that of Redis', () => {
  expect(crc64(Buffer.from('123456789'))).toBe(0xe9c6d914c4b8d9can)
})

test('what was encoded is decoded, and any bit that is wrong is noticed', () =>
  seeded(random => {
    for (let i = 0; i < 300; i++) {
      const value = Buffer.from(Array.from({ length: random.below(200) }, () => random.below(256)))
      const dump = encodeDump(value)
      expect(Buffer.from(decodeDump(dump, 1000) as Uint8Array)).toEqual(value)
      const at = random.below(dump.length * 8)
      dump[at >> 3]! ^= 1 << (at & 7)
      expect(decodeDump(dump, 1000)).toBe('footer')
    }
  }))

test('all forms of a string are read, of a later version too', () => {
  expect(read([0, 3, 97, 98, 99])).toBe('abc')
  expect(read([0, 0x40, 3, 97, 98, 99])).toBe('abc')
  expect(read([0, 0x80, 0, 0, 0, 3, 97, 98, 99])).toBe('abc')
  expect(read([0, 0x81, 0, 0, 0, 0, 0, 0, 0, 3, 97, 98, 99])).toBe('abc')
  expect(read([0, 0xc0, 0xff])).toBe('-1')
  expect(read([0, 0xc1, 0, 0x80])).toBe('-32768')
  expect(read([0, 0xc2, 0xff, 0xff, 0xff, 0x7f])).toBe('2147483647')
  // One byte as it is, then eleven from one byte behind.
  expect(read([0, 0xc3, 5, 12, 0x00, 97, 0xe0, 2, 0])).toBe('a'.repeat(12))
  expect(Buffer.from(decodeDump(sealed([0, 1, 97], 99), 10) as Uint8Array).toString()).toBe('a')
})

test('what claims more than is there, more than there may be, or another type is refused', () => {
  const wrong = [
    [],
    [0],
    [1, 1, 97],
    [0, 3, 97, 98],
    [0, 3, 97, 98, 99, 100],
    [0, 0x40],
    [0, 0x82, 1, 97],
    [0, 0xc4],
    [0, 0xc2, 1, 2],
    [0, 0xc3, 5, 13, 0x00, 97, 0xe0, 2, 0],
    [0, 0xc3, 5, 11, 0x00, 97, 0xe0, 2, 0],
    [0, 0xc3, 5, 12, 0x00, 97, 0xe0, 2, 1],
    [0, 0xc3, 2, 12, 0x05, 97],
  ]
  for (const body of wrong) expect(read(body), String(body)).toBe('data')
  expect(decodeDump(encodeDump(Buffer.alloc(101)), 100)).toBe('too long')
  expect(read([0, 0x81, 0xff, 0, 0, 0, 0, 0, 0, 3, 97])).toBe('too long')
  expect(read([0, 0xc3, 1, 0x80, 0xff, 0xff, 0xff, 0xff, 0])).toBe('too long')
})

test('bytes that come by chance end in a value or a refusal', () =>
  seeded(random => {
    for (let i = 0; i < 3000; i++) {
      const body = [0, ...Array.from({ length: random.below(12) }, () => random.below(256))]
      if (random.chance(0.5)) body[1] = 0xc0 | random.below(4)
      const found = read(body, 500)
      expect(typeof found).toBe('string')
      expect((found as string).length).toBeLessThanOrEqual(500)
    }
  }))
