/** BITFIELD: integers of 1 to 64 bits at any bit of a value, the highest bit first. */

import { parseInteger } from '../protocol/numbers.ts'
import { type Arguments, bytesAt, isWord, shownAt, textAt } from '../protocol/request.ts'
import { bitAt, bitProblem, integerAt } from './arguments.ts'
import type { Caller } from './caller.ts'
import { CommandError, SYNTAX } from './errors.ts'

type Overflow = 'wrap' | 'sat' | 'fail'

interface Operation {
  readonly name: 'get' | 'set' | 'incrby'
  readonly signed: boolean
  readonly width: number
  /** The first bit. */
  readonly at: number
  /** What to set, or to add. */
  readonly argument: bigint
  readonly overflow: Overflow
}

const NOTHING = new Uint8Array(0)
const OVERFLOWS: readonly Overflow[] = ['wrap', 'sat', 'fail']
const NAMES = ['get', 'set', 'incrby'] as const

/** Reads, and unless it is for reading alone changes, what the request asks for. */
export const bitfield = ({ keys, out }: Caller, request: Arguments, readOnly: boolean): void => {
  const operations = operationsOf(request, keys.maxValueBytes)
  const changes = operations.filter(({ name }) => name !== 'get')
  if (changes.length > 0 && readOnly) throw new CommandError('ERR BITFIELD_RO only supports the GET subcommand')
  const key = bytesAt(request, 1)
  const old = keys.get(key)
  if (changes.length === 0) keys.lookedFor(old !== undefined, key)
  const needed = changes.reduce((most, { at, width }) => Math.max(most, Math.ceil((at + width) / 8)), 0)
  const grows = needed > (old?.length ?? 0)
  let value = old ?? NOTHING
  if (changes.length > 0) {
    keys.requireLength(needed)
    value = new Uint8Array(Math.max(needed, value.length))
    value.set(old ?? NOTHING)
  }
  let changed = grows
  const replies = operations.map(operation => {
    const { name, at, width, signed } = operation
    const before = read(value, at, width, signed)
    if (name === 'get') return before
    const after = fitted(operation, before)
    if (after === undefined) return undefined
    if (BigInt.asUintN(width, after) !== BigInt.asUintN(width, before)) changed = true
    write(value, at, width, after)
    return name === 'set' ? before : after
  })
  if (changed) keys.put(key, value, keys.timeOf(key) ?? 0, 'setbit')
  out.array(replies.length)
  for (const reply of replies) {
    if (reply === undefined) out.null()
    else out.integer(reply)
  }
}

/** What BITFIELD does to its key: it may change it unless there are but GETs. */
export const bitfieldKeyFlags = (request: Arguments): string => {
  for (let i = 2; i < request.count; ) {
    const more = request.count - 1 - i
    if (isWord(request, i, 'get') && more >= 2) i += 3
    else if (isWord(request, i, 'overflow') && more >= 1) i += 2
    else return 'RW access update'
  }
  return 'RO access'
}

const operationsOf = (request: Arguments, maxValueBytes: number): Operation[] => {
  const operations: Operation[] = []
  let overflow: Overflow = 'wrap'
  for (let i = 2; i < request.count; ) {
    const more = request.count - 1 - i
    if (isWord(request, i, 'overflow') && more >= 1) {
      const found = OVERFLOWS.find(each => isWord(request, i + 1, each))
      if (found === undefined) throw new CommandError('ERR Invalid OVERFLOW type specified')
      overflow = found
      i += 2
      continue
    }
    const name = NAMES.find(each => isWord(request, i, each) && more >= (each === 'get' ? 2 : 3))
    if (name === undefined) throw new CommandError(SYNTAX)
    const { signed, width } = typeAt(request, i + 1)
    const at = placeAt(request, i + 2, width, maxValueBytes)
    const argument = name === 'get' ? 0n : integerAt(request, i + 3)
    operations.push({ name, signed, width, at, argument, overflow })
    i += name === 'get' ? 3 : 4
  }
  return operations
}

/** i1 … i64, u1 … u63. */
const typeAt = (request: Arguments, index: number): { signed: boolean; width: number } => {
  const match = /^([iu])([1-9][0-9]?)$/.exec(shownAt(request, index))
  const signed = match?.[1] === 'i'
  const width = Number(match?.[2])
  if (match === null || width > (signed ? 64 : 63))
    throw new CommandError(
      'ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.',
    )
  return { signed, width }
}

/** A bit, or with `#` before it an integer of this width. */
const placeAt = (request: Arguments, index: number, width: number, maxValueBytes: number): number => {
  const text = textAt(request, index)
  if (!text.startsWith('#')) return bitAt(request, index, maxValueBytes)
  const count = parseInteger(text.slice(1))
  if (count === undefined) throw bitProblem()
  const at = BigInt.asIntN(64, count * BigInt(width))
  if (at < 0n || at >> 3n >= BigInt(maxValueBytes)) throw bitProblem()
  return Number(at)
}

/** Bits behind the end are 0. */
const read = (value: Uint8Array, at: number, width: number, signed: boolean): bigint => {
  const from = Math.floor(at / 8)
  const to = Math.floor((at + width - 1) / 8)
  let bits = 0n
  for (let i = from; i <= to; i++) bits = (bits << 8n) | BigInt(value[i] ?? 0)
  bits >>= BigInt(7 - ((at + width - 1) % 8))
  return signed ? BigInt.asIntN(width, bits) : BigInt.asUintN(width, bits)
}

const write = (value: Uint8Array, at: number, width: number, number: bigint): void => {
  for (let i = 0; i < width; i++) {
    const place = at + i
    const mask = 128 >> (place % 8)
    const byte = Math.floor(place / 8)
    if ((number >> BigInt(width - 1 - i)) & 1n) value[byte]! |= mask
    else value[byte]! &= ~mask
  }
}

/** What is to be stored; undefined if it does not fit, and OVERFLOW FAIL was said. */
const fitted = ({ name, signed, width, argument, overflow }: Operation, before: bigint): bigint | undefined => {
  const wide = BigInt(width)
  const most = (1n << (signed ? wide - 1n : wide)) - 1n
  const least = signed ? -most - 1n : 0n
  const wanted = name === 'set' ? argument : before + argument
  const isAbove = wanted > most || (name === 'set' && width < 64 && wrapsInRedis(signed, most, argument))
  if (!isAbove && wanted >= least) return wanted
  if (overflow === 'fail') return undefined
  if (overflow === 'sat') return isAbove ? most : least
  return signed ? BigInt.asIntN(width, wanted) : BigInt.asUintN(width, wanted)
}

/** Redis compares in 64 bits: it takes a number far below the least one, or any below 0 if there is no sign, for large. */
const wrapsInRedis = (signed: boolean, most: bigint, argument: bigint): boolean =>
  signed ? BigInt.asIntN(64, most - argument) < 0n : argument < 0n
