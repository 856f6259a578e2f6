/** INCR and its kin. */

import type { Session } from '../connection/session.ts'
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
import { CommandError, NOT_A_FLOAT, NOT_AN_INTEGER } from './errors.ts'
import type { Handlers } from './types.ts'

const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')

const add = ({ server, out }: Session, request: Arguments, amount: bigint): void => {
  const { keys } = server
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
  keys.put(key, Buffer.from(String(sum), 'latin1'), time)
  out.integer(sum)
}

const LEAST = -(2n ** 63n)

export const counters: Handlers = {
  incr: (session, request) => add(session, request, 1n),
  decr: (session, request) => add(session, request, -1n),
  incrby: (session, request) => add(session, request, integerAt(request, 2)),
  decrby: (session, request) => {
    const amount = integerAt(request, 2)
    if (amount === LEAST) throw new CommandError('ERR decrement would overflow')
    add(session, request, -amount)
  },
  incrbyfloat: ({ server, out }, request) => {
    const { keys } = server
    const key = bytesAt(request, 1)
    const old = keys.get(key)
    const value = parseLongDouble(old === undefined ? '0' : latin1(old))
    const amount = parseLongDouble(textAt(request, 2))
    if (value === undefined || amount === undefined) throw new CommandError(NOT_A_FLOAT)
    if (value === 'infinite' || amount === 'infinite')
      throw new CommandError('ERR increment would produce NaN or Infinity')
    const sum = Buffer.from(formatLongDouble(addLongDoubles(value, amount)), 'latin1')
    keys.put(key, sum, old === undefined ? 0 : (keys.timeOf(key) ?? 0))
    out.bulk(sum)
  },
}
