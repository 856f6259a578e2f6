/** Messages of the log and marks, byte for byte; whatever else comes is refused (X7, X8). */

import { describe, expect, test } from 'vitest'
import type { Change } from '../../src/cluster/group-store.ts'
import { decodeMark, encodeMark, hashOf, MARK_BYTES, type Mark, NO_MARK } from '../../src/cluster/mark.ts'
import {
  addressNote,
  addressOf,
  decodeBody,
  decodeMessage,
  encodeMessage,
  HEADER_BYTES,
  isOf,
  KINDS,
  type MessageHeader,
  nodeNote,
  nodeOf,
} from '../../src/cluster/message.ts'
import { XenonError } from '../../src/errors.ts'
import { toHex } from '../../src/runtime/bytes.ts'
import { expectCode } from '../support/errors.ts'
import fc from '../support/property.ts'

const bytes = fc.uint8Array({ maxLength: 40 })
const space = fc.array(fc.string({ unit: 'grapheme', maxLength: 8 }), { maxLength: 3 })
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({
    type: fc.constant('put' as const),
    space,
    key: bytes,
    value: bytes,
    flags: fc.integer({ min: 0, max: 255 }),
    expiresAt: fc.oneof(fc.constant(0), fc.maxSafeNat()),
  }),
  fc.record({ type: fc.constant('delete' as const), space, key: bytes }),
  fc.record({
    type: fc.constant('clearRange' as const),
    space,
    lower: fc.option(bytes, { nil: undefined }),
    upper: fc.option(bytes, { nil: undefined }),
  }),
  fc.record({ type: fc.constant('sub' as const), space, keyEncoding: fc.string(), valueEncoding: fc.string() }),
)
const header: fc.Arbitrary<MessageHeader> = fc.record({
  kind: fc.constantFrom(...KINDS),
  node: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  epoch: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  id: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  time: fc.maxSafeNat(),
})
const before = fc.uint8Array({ minLength: 16, maxLength: 16 })

/** Puts the parts together again. */
const decoded = (messages: readonly Uint8Array[]) => {
  const parts = messages.map(message => decodeMessage(message, 'a message'))
  const body = Buffer.concat(parts.map(part => part.body))
  return { parts, ...decodeBody(parts[0]!.kind, body, 'a message') }
}

describe('a message', () => {
  test('has the bytes that its table says', () => {
    const given: MessageHeader = {
      kind: 'group',
      node: 0x01020304,
      epoch: 5,
      id: Uint8Array.from({ length: 16 }, (_, i) => i),
      time: 1,
    }
    const changes: Change[] = [
      { type: 'put', space: [], key: Buffer.from('k'), value: Buffer.from('v'), flags: 0x40, expiresAt: 0 },
      { type: 'put', space: [], key: Buffer.from('k'), value: Buffer.from(''), flags: 0, expiresAt: 1 },
      { type: 'delete', space: ['a'], key: Buffer.from('d') },
      { type: 'clearRange', space: ['a'], lower: Buffer.from('l'), upper: undefined },
      { type: 'sub', space: ['a'], keyEncoding: 'x', valueEncoding: 'y' },
    ]
    const { messages, hash } = encodeMessage(given, { changes }, new Uint8Array(16).fill(0xee), 1000, 1)
    expect(toHex(messages[0]!)).toBe(
      [
        '58010100', // magic, version, kind, flags
        '04030201', // node
        '05000000', // epoch
        '01000100', // part 1 of 1
        '000102030405060708090a0b0c0d0e0f', // id
        '000000000000f03f', // time
        'ee'.repeat(16), // hash of the message before
        '06000000', // changes, and one that names a sub-database
        '0140010000006b0100000076',
        '0200000000000000f03f010000006b00000000',
        '06010100000061',
        '030100000064',
        '0401010000006c',
        '0501000000780100000079',
      ].join(''),
    )
    expect(hash).toEqual(hashOf(messages[0]!))
  })

  test('comes back as it was, in one part or several, each with the hash of the one before', () => {
    fc.assert(
      fc.property(
        header,
        fc.array(change, { maxLength: 12 }),
        bytes,
        before,
        fc.integer({ min: 1, max: 400 }),
        (given, changes, note, chain, room) => {
          const hasNote = given.kind !== 'group' && given.kind !== 'heartbeat'
          const body = { changes, note: hasNote ? note : new Uint8Array(0) }
          const { messages, hash } = encodeMessage(given, body, chain, HEADER_BYTES + room, 1000)
          const found = decoded(messages)
          expect(found.changes.map(plain)).toEqual(changes.map(plain))
          expect([...found.note]).toEqual([...body.note])
          let expected: Uint8Array = chain
          for (const [i, part] of found.parts.entries()) {
            expect(part).toMatchObject({ kind: given.kind, node: given.node, epoch: given.epoch, time: given.time })
            expect([part.part, part.of]).toEqual([i + 1, messages.length])
            expect(messages[i]!.length).toBeLessThanOrEqual(HEADER_BYTES + room)
            expect([...part.before]).toEqual([...expected])
            expect(isOf(messages[i]!, given.id)).toBe(true)
            expected = hashOf(messages[i]!)
          }
          expect(hash).toEqual(expected)
        },
      ),
    )
  })

  test('that is too large for the log is refused with its size', () => {
    const put: Change = {
      type: 'put',
      space: [],
      key: Buffer.from('k'),
      value: Buffer.alloc(100),
      flags: 0,
      expiresAt: 0,
    }
    const given: MessageHeader = { kind: 'group', node: 1, epoch: 1, id: new Uint8Array(16), time: 0 }
    const encode = (most: number) =>
      encodeMessage(given, { changes: [put] }, new Uint8Array(16), HEADER_BYTES + 10, most)
    expect(encode(12).messages).toHaveLength(12)
    expect(expectCode(() => encode(11), 'XENON_VALUE_TOO_LARGE').message).toContain('the changes take 115 bytes')
  })

  test('with any byte changed, cut, or made up is decoded or refused with a typed error', () => {
    const isTyped = (given: Uint8Array): void => {
      try {
        decoded([given])
      } catch (error) {
        expect(XenonError.is(error) && error.code).toMatch(/^XENON_(CORRUPT|NOT_SUPPORTED)$/)
      }
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), isTyped))
    fc.assert(
      fc.property(header, fc.array(change, { maxLength: 6 }), fc.nat(), fc.nat(), (given, changes, at, to) => {
        const [message] = encodeMessage(given, { changes }, new Uint8Array(16), 1_000_000, 1).messages
        isTyped(message!.subarray(0, at % message!.length))
        message![at % message!.length] = to
        isTyped(message!)
      }),
    )
  })

  test.each([
    ['no magic', { at: 0, to: 0 }, 'XENON_CORRUPT'],
    ['a later version', { at: 1, to: 2 }, 'XENON_NOT_SUPPORTED'],
    ['a kind that nobody knows', { at: 2, to: KINDS.length + 1 }, 'XENON_NOT_SUPPORTED'],
    ['flags', { at: 3, to: 1 }, 'XENON_NOT_SUPPORTED'],
    ['part 0', { at: 12, to: 0 }, 'XENON_CORRUPT'],
    ['part 2 of 1', { at: 12, to: 2 }, 'XENON_CORRUPT'],
    ['a time that is none', { at: 39, to: 0xff }, 'XENON_CORRUPT'],
    ['more changes than bytes', { at: 59, to: 0xff }, 'XENON_CORRUPT'],
    ['bytes behind its changes', { at: 56, to: 0 }, 'XENON_CORRUPT'],
  ] as const)('with %s is refused', (_, { at, to }, code) => {
    const given: MessageHeader = { kind: 'group', node: 1, epoch: 1, id: new Uint8Array(16), time: 1 }
    const changes: Change[] = [{ type: 'delete', space: [], key: Buffer.from('d') }]
    const [message] = encodeMessage(given, { changes }, new Uint8Array(16), 1000, 1).messages
    message![at] = to
    expectCode(() => decoded([message!]), code)
  })

  test('notes of EPOCH and TRANSFER', () => {
    expect(addressOf(addressNote('[::1]:7001'))).toBe('[::1]:7001')
    expect(nodeOf(nodeNote(2 ** 32 - 1))).toBe(2 ** 32 - 1)
    expect(nodeOf(new Uint8Array(3))).toBe(0)
  })
})

/** Without the differences between one kind of byte array and another. */
const plain = (given: Change): unknown =>
  Object.fromEntries(
    Object.entries(given).map(([name, value]) => [name, value instanceof Uint8Array ? toHex(value) : value]),
  )

describe('a mark', () => {
  const mark: fc.Arbitrary<Mark> = fc.record({
    sequence: fc.maxSafeNat(),
    epoch: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    time: fc.maxSafeNat(),
    hash: before,
  })

  test('comes back as it was, and takes no more than the engine keeps', () => {
    expect(MARK_BYTES).toBeLessThanOrEqual(64)
    fc.assert(
      fc.property(mark, fc.string(), (given, log) => {
        const found = decodeMark(encodeMark(given, log), log)
        expect({ ...found, hash: [...found.hash] }).toEqual({ ...given, hash: [...given.hash] })
      }),
    )
  })

  test('of another log is refused, and one of a later release', () => {
    const given = encodeMark({ ...NO_MARK, sequence: 7 }, 'XENON_shop_0_1')
    expect(expectCode(() => decodeMark(given, 'XENON_shop_1_1'), 'XENON_NOT_SUPPORTED').message).toContain(
      'another log',
    )
    given[0] = 2
    expectCode(() => decodeMark(given, 'XENON_shop_0_1'), 'XENON_NOT_SUPPORTED')
    expectCode(() => decodeMark(given.subarray(1), 'XENON_shop_0_1'), 'XENON_NOT_SUPPORTED')
    expect(decodeMark(undefined, 'XENON_shop_0_1')).toBe(NO_MARK)
  })
})
