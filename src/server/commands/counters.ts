/** INCR and its kin. */

import {
  addLongDoubles,
  formatLongDouble,
  inRange,
  parseInteger,
  parseLongDouble,
  smallInteger,
} from '../protocol/numbers.ts'
import { type Arguments, bytesAt, textAt } from '../protocol/request.ts'
import { integerAt } from './arguments.ts'
import type { Caller } from './caller.ts'
import { type Family, family } from './command.ts'
import { CommandError, NOT_A_FLOAT, NOT_AN_INTEGER } from './errors.ts'

const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')

const add = ({ keys, out }: Caller, request: Arguments, amount: bigint): void => {
  const key = bytesAt(request, 1)
  const old = keys.get(key)
  const small = old === undefined ? 0 : smallInteger(old, 0, old.length)
  let sum: bigint | number
  if (!Number.isNaN(small) && amount <= 1000000n && amount >= -1000000n) sum = small + Number(amount)
  else {
    const value = old === undefined ? 0n : old.length > 20 ? undefined : parseInteger(latin1(old))
    if (value === undefined) throw new CommandError(NOT_AN_INTEGER)
    sum = value + amount
    if (!inRange(sum)) throw new CommandError('ERR increment or decrement would overflow')
  }
  const time = old === undefined ? 0 : (keys.timeOf(key) ?? 0)
  keys.put(key, Buffer.from(String(sum), 'latin1'), time, 'incrby')
  out.integer(sum)
}

const LEAST = -(2n ** 63n)

export const counters: Family = family(
  { group: 'string', afterIn: true },
  {
    incr: {
      arity: 2,
      keys: '1 RW access update',
      flags: 'write denyoom fast',
      categories: '@write @string @fast',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Increment the integer value of a key by one',
      run: (caller, request) => add(caller, request, 1n),
    },
    decr: {
      arity: 2,
      keys: '1 RW access update',
      flags: 'write denyoom fast',
      categories: '@write @string @fast',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Decrement the integer value of a key by one',
      run: (caller, request) => add(caller, request, -1n),
    },
    incrby: {
      arity: 3,
      keys: '1 RW access update',
      flags: 'write denyoom fast',
      categories: '@write @string @fast',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Increment the integer value of a key by the given amount',
      run: (caller, request) => add(caller, request, integerAt(request, 2)),
    },
    decrby: {
      arity: 3,
      keys: '1 RW access update',
      flags: 'write denyoom fast',
      categories: '@write @string @fast',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Decrement the integer value of a key by the given number',
      run(caller, request) {
        const amount = integerAt(request, 2)
        if (amount === LEAST) throw new CommandError('ERR decrement would overflow')
        add(caller, request, -amount)
      },
    },
    incrbyfloat: {
      arity: 3,
      keys: '1 RW access update',
      flags: 'write denyoom fast',
      categories: '@write @string @fast',
      since: '2.6.0',
      complexity: 'O(1)',
      summary: 'Increment the float value of a key by the given amount',
      run({ keys, out }, request) {
        const key = bytesAt(request, 1)
        const old = keys.get(key)
        const value = parseLongDouble(old === undefined ? '0' : latin1(old))
        const amount = parseLongDouble(textAt(request, 2))
        if (value === undefined || amount === undefined) throw new CommandError(NOT_A_FLOAT)
        if (value === 'infinite' || amount === 'infinite')
          throw new CommandError('ERR increment would produce NaN or Infinity')
        const sum = Buffer.from(formatLongDouble(addLongDoubles(value, amount)), 'latin1')
        keys.put(key, sum, old === undefined ? 0 : (keys.timeOf(key) ?? 0), 'incrbyfloat')
        out.bulk(sum)
      },
    },
  },
)
