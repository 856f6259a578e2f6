/** Commands on the bits of a value: bit 0 is the highest of the first byte. A key that is not there holds no bytes. */

import { type Arguments, bytesAt, isWord } from '../protocol/request.ts'
import { bitAt, numberAt } from './arguments.ts'
import { bitfield, bitfieldKeyFlags } from './bitfield.ts'
import type { Caller, Handler } from './caller.ts'
import { type Family, family } from './command.ts'
import { CommandError, SYNTAX } from './errors.ts'

const NOTHING = new Uint8Array(0)

/** How many bits of a byte are set. */
const ONES: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll('0', '').length)

const setBit: Handler = ({ keys, out }, request) => {
  const problem = 'ERR bit is not an integer or out of range'
  const at = bitAt(request, 2, keys.maxValueBytes)
  const bit = numberAt(request, 3, problem)
  if (bit !== 0 && bit !== 1) throw new CommandError(problem)
  const key = bytesAt(request, 1)
  const old = keys.get(key) ?? NOTHING
  const byte = Math.floor(at / 8)
  const mask = 128 >> (at % 8)
  const was = byte < old.length && (old[byte]! & mask) !== 0
  if (byte >= old.length || was !== (bit === 1)) {
    const time = keys.timeOf(key) ?? 0
    const value = new Uint8Array(Math.max(old.length, byte + 1))
    value.set(old)
    if (bit === 1) value[byte]! |= mask
    else value[byte]! &= ~mask
    keys.put(key, value, time, 'setbit')
  }
  out.integer(was ? 1 : 0)
}

const getBit: Handler = ({ keys, out }, request) => {
  const at = bitAt(request, 2, keys.maxValueBytes)
  const key = bytesAt(request, 1)
  const value = keys.get(key)
  keys.lookedFor(value !== undefined, key)
  const byte = value?.[Math.floor(at / 8)] ?? 0
  out.integer((byte & (128 >> (at % 8))) === 0 ? 0 : 1)
}

/** The unit of a range that the last argument names. */
const isInBits = (request: Arguments, index: number): boolean => {
  if (index >= request.count || isWord(request, index, 'byte')) return false
  if (isWord(request, index, 'bit')) return true
  throw new CommandError(SYNTAX)
}

/** From the first to the last bit; none if `first` is above `last`. Negative places count from the end. */
const bitRange = (start: number, end: number, length: number, inBits: boolean): { first: number; last: number } => {
  const total = inBits ? length * 8 : length
  const from = Math.max(0, start < 0 ? total + start : start)
  const to = Math.min(total - 1, Math.max(0, end < 0 ? total + end : end))
  if (inBits || from > to) return { first: from, last: to }
  return { first: from * 8, last: to * 8 + 7 }
}

const bitCount: Handler = ({ keys, out }, request) => {
  const key = bytesAt(request, 1)
  const value = keys.get(key)
  keys.lookedFor(value !== undefined, key)
  if (value === undefined) {
    out.integer(0)
    return
  }
  if (request.count === 2) {
    out.integer(ones(value, 0, value.length * 8 - 1))
    return
  }
  if (request.count !== 4 && request.count !== 5) throw new CommandError(SYNTAX)
  const start = numberAt(request, 2)
  const end = numberAt(request, 3)
  if (start < 0 && end < 0 && start > end) {
    out.integer(0)
    return
  }
  const { first, last } = bitRange(start, end, value.length, isInBits(request, 4))
  out.integer(ones(value, first, last))
}

/** How many bits from `first` to `last` are set. */
const ones = (value: Uint8Array, first: number, last: number): number => {
  if (first > last) return 0
  const from = Math.floor(first / 8)
  const to = Math.floor(last / 8)
  let count = 0
  for (let at = from; at <= to; at++) count += ONES[value[at]!]!
  const before = value[from]! & ~(255 >> (first % 8))
  const behind = value[to]! & (127 >> (last % 8))
  return count - ONES[before]! - ONES[behind]!
}

const bitPosition: Handler = ({ keys, out }, request) => {
  const bit = numberAt(request, 2)
  if (bit !== 0 && bit !== 1) throw new CommandError('ERR The bit argument must be 1 or 0.')
  const key = bytesAt(request, 1)
  const value = keys.get(key)
  keys.lookedFor(value !== undefined, key)
  if (value === undefined) {
    out.integer(bit === 1 ? -1 : 0)
    return
  }
  if (request.count > 6) throw new CommandError(SYNTAX)
  const start = request.count > 3 ? numberAt(request, 3) : 0
  const inBits = isInBits(request, 5)
  const end = request.count > 4 ? numberAt(request, 4) : Number.POSITIVE_INFINITY
  const { first, last } = bitRange(start, end, value.length, inBits)
  out.integer(first > last ? -1 : firstBit(value, bit, first, last, request.count > 4))
}

/** The first bit that is `bit`. Behind a value whose end was not asked for there are zeros. */
const firstBit = (value: Uint8Array, bit: number, first: number, last: number, endGiven: boolean): number => {
  const skipped = bit === 1 ? 0 : 255
  const to = Math.floor(last / 8)
  for (let at = Math.floor(first / 8); at <= to; at++) {
    if (value[at] === skipped) continue
    const from = Math.max(first, at * 8)
    const until = Math.min(last, at * 8 + 7)
    for (let place = from; place <= until; place++) if (((value[at]! >> (7 - (place % 8))) & 1) === bit) return place
  }
  return bit === 1 || endGiven ? -1 : (to + 1) * 8
}

const OPERATIONS: Readonly<Record<string, (a: number, b: number) => number>> = {
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  not: a => ~a,
}

const bitOperation: Handler = (caller, request) => {
  const name = Object.keys(OPERATIONS).find(each => isWord(request, 1, each))
  if (name === undefined) throw new CommandError(SYNTAX)
  if (name === 'not' && request.count !== 4)
    throw new CommandError('ERR BITOP NOT must be called with a single source key.')
  const { keys, out } = caller
  const sources: Uint8Array[] = []
  for (let i = 3; i < request.count; i++) {
    const source = keys.get(bytesAt(request, i))
    keys.lookedFor(source !== undefined, bytesAt(request, i))
    sources.push(source ?? NOTHING)
  }
  const result = combined(sources, OPERATIONS[name]!, name === 'not')
  store(caller, bytesAt(request, 2), result)
  out.integer(result.length)
}

const combined = (
  sources: readonly Uint8Array[],
  operation: (a: number, b: number) => number,
  isNot: boolean,
): Uint8Array => {
  const length = Math.max(...sources.map(source => source.length))
  const result = new Uint8Array(length)
  result.set(sources[0]!)
  if (isNot) for (let at = 0; at < length; at++) result[at] = ~result[at]!
  for (const source of sources.slice(1))
    for (let at = 0; at < length; at++) result[at] = operation(result[at]!, at < source.length ? source[at]! : 0)
  return result
}

const store = ({ keys }: Caller, key: Uint8Array, value: Uint8Array): void => {
  if (value.length === 0) keys.delete(key)
  else keys.put(key, value, 0, 'set')
}

export const bits: Family = family(
  { group: 'bitmap', afterIn: true },
  {
    setbit: {
      arity: 4,
      keys: '1 RW access update',
      flags: 'write denyoom',
      categories: '@write @bitmap @slow',
      since: '2.2.0',
      complexity: 'O(1)',
      summary: 'Sets or clears the bit at offset in the string value stored at key',
      run: setBit,
    },
    getbit: {
      arity: 3,
      keys: '1 RO access',
      flags: 'readonly fast',
      categories: '@read @bitmap @fast',
      since: '2.2.0',
      complexity: 'O(1)',
      summary: 'Returns the bit value at offset in the string value stored at key',
      run: getBit,
    },
    bitcount: {
      arity: -2,
      keys: '1 RO access',
      flags: 'readonly',
      categories: '@read @bitmap @slow',
      since: '2.6.0',
      complexity: 'O(N)',
      summary: 'Count set bits in a string',
      run: bitCount,
    },
    bitpos: {
      arity: -3,
      keys: '1 RO access',
      flags: 'readonly',
      categories: '@read @bitmap @slow',
      since: '2.8.7',
      complexity: 'O(N)',
      summary: 'Find first bit set or clear in a string',
      run: bitPosition,
    },
    bitop: {
      arity: -4,
      keys: ['2 OW update', '3..-1 RO access'],
      flags: 'write denyoom',
      categories: '@write @bitmap @slow',
      since: '2.6.0',
      complexity: 'O(N)',
      summary: 'Perform bitwise operations between strings',
      run: bitOperation,
    },
    bitfield: {
      arity: -2,
      keys: '1 RW access update variable_flags (This command allows both access and modification of the key)',
      keyFlags: bitfieldKeyFlags,
      flags: 'write denyoom',
      categories: '@write @bitmap @slow',
      since: '3.2.0',
      complexity: 'O(1) for each subcommand specified',
      summary: 'Perform arbitrary bitfield integer operations on strings',
      run: (caller, request) => bitfield(caller, request, false),
    },
    bitfield_ro: {
      arity: -2,
      keys: '1 RO access',
      flags: 'readonly fast',
      categories: '@read @bitmap @fast',
      since: '6.0.0',
      complexity: 'O(1) for each subcommand specified',
      summary: 'Perform arbitrary bitfield integer operations on strings. Read-only variant of BITFIELD',
      run: (caller, request) => bitfield(caller, request, true),
    },
  },
)
