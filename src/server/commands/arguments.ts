/** Reading numbers and times out of a request; each throws the error that Redis answers with. */

import { inRange, parseInteger } from '../protocol/numbers.ts'
import { type Arguments, textAt } from '../protocol/request.ts'
import { CommandError, invalidExpireTime, NOT_AN_INTEGER } from './errors.ts'

export const integerAt = (request: Arguments, index: number, problem: string = NOT_AN_INTEGER): bigint => {
  const length = request.ends[index]! - request.starts[index]!
  const value = length > 20 ? undefined : parseInteger(textAt(request, index))
  if (value === undefined) throw new CommandError(problem)
  return value
}

/** The same as a number; one that no length can reach loses its last digits. */
export const numberAt = (request: Arguments, index: number, problem?: string): number =>
  Number(integerAt(request, index, problem))

export const bitProblem = (): CommandError => new CommandError('ERR bit offset is not an integer or out of range')

/** The number of a bit of a value. */
export const bitAt = (request: Arguments, index: number, maxValueBytes: number): number => {
  const at = integerAt(request, index, bitProblem().message)
  if (at < 0n || at >> 3n >= BigInt(maxValueBytes)) throw bitProblem()
  return Number(at)
}

/** The number of one of the databases. */
export const databaseAt = (request: Arguments, index: number, { count }: { count: number }): number => {
  const value = integerAt(request, index)
  if (value < -(2n ** 31n) || value >= 2n ** 31n)
    throw new CommandError('ERR value is out of range, value must between -2147483648 and 2147483647')
  return requireDatabase(value, count)
}

export const requireDatabase = (value: bigint, count: number): number => {
  if (value < 0n || value >= count) throw new CommandError('ERR DB index is out of range')
  return Number(value)
}

export const EXPIRE_OPTIONS: Readonly<Record<string, { unit: bigint; absolute: boolean }>> = {
  ex: { unit: 1000n, absolute: false },
  px: { unit: 1n, absolute: false },
  exat: { unit: 1000n, absolute: true },
  pxat: { unit: 1n, absolute: true },
}

/** The time that a SET asks for: it must be positive. */
export const positiveTime = (
  request: Arguments,
  index: number,
  unit: { unit: bigint; absolute: boolean },
  now: number,
  command: string,
): number => {
  const value = integerAt(request, index)
  if (value <= 0n) throw new CommandError(invalidExpireTime(command))
  return timeOf(value, unit, now, command)
}

/** The time that an EXPIRE asks for: it may be past. */
export const anyTime = (
  request: Arguments,
  index: number,
  unit: { unit: bigint; absolute: boolean },
  now: number,
  command: string,
): number => {
  return timeOf(integerAt(request, index), unit, now, command)
}

const timeOf = (
  value: bigint,
  { unit, absolute }: { unit: bigint; absolute: boolean },
  now: number,
  command: string,
): number => {
  const time = value * unit + (absolute ? 0n : BigInt(now))
  if (!inRange(value * unit) || !inRange(time)) throw new CommandError(invalidExpireTime(command))
  return clampedTime(time)
}

const LAST_TIME = 2n ** 48n - 1n
/** The engine keeps times of 48 bits, up to the year 10889. */
export const clampedTime = (time: bigint): number => Number(time > LAST_TIME ? LAST_TIME : time < 0n ? 0n : time)
