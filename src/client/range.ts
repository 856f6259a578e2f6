/** Ranges as the server's RANGE and WATCHRANGE take them: `-`, `+`, `[key` (included), `(key` (excluded). */
import type { Bound } from '../runtime/bytes.ts'
import type { ResolvedRange } from '../values/range.ts'
import type { Argument } from './encoder.ts'

export const rangeCommand = (
  { lower, upper, reverse }: ResolvedRange,
  limit: number,
  bytes: number,
  keysOnly: boolean,
): Argument[] => {
  const command: Argument[] = ['RANGE', lowerBound(lower), upperBound(upper), 'LIMIT', limit, 'BYTES', bytes]
  if (reverse) command.push('REV')
  if (keysOnly) command.push('KEYS')
  return command
}

export const countCommand = ({ lower, upper, limit }: ResolvedRange): Argument[] => {
  const command: Argument[] = ['RANGE', lowerBound(lower), upperBound(upper), 'COUNT']
  if (limit !== Number.POSITIVE_INFINITY) command.push('LIMIT', limit)
  return command
}

export const lowerBound = (bound: Bound | undefined): Argument =>
  bound === undefined || bound.key.length === 0 ? '-' : boundOf(bound)

export const upperBound = (bound: Bound | undefined): Argument => (bound === undefined ? '+' : boundOf(bound))

const boundOf = ({ key, inclusive }: Bound): Uint8Array => {
  const bytes = new Uint8Array(key.length + 1)
  bytes[0] = inclusive ? 0x5b : 0x28
  bytes.set(key, 1)
  return bytes
}
