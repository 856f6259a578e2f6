/** Checks of options that several faces share. */
import { InvalidArgumentError, shown } from '../errors.ts'
import type { IsolationLevel, TransactionOptions } from '../types.ts'

/** 0 to Infinity. */
export const milliseconds = (name: string, value: unknown): number => {
  if (typeof value !== 'number' || !(value >= 0))
    throw new InvalidArgumentError(`${name} must be a number of milliseconds, or Infinity, not ${shown(value)}`)
  return value
}

/** @throws InvalidArgumentError unless it is a whole number of changes. */
export const checkedBuffer = (buffer: unknown): number => {
  if (typeof buffer !== 'number' || !Number.isSafeInteger(buffer) || buffer < 1)
    throw new InvalidArgumentError(`buffer must be a whole number of changes, not ${shown(buffer)}`)
  return buffer
}

export const ISOLATION_LEVELS: readonly IsolationLevel[] = [
  'read-uncommitted',
  'read-committed',
  'repeatable-read',
  'snapshot',
  'serializable',
]

/** @throws InvalidArgumentError */
export const requireIsolation = (isolation: unknown): void => {
  if (ISOLATION_LEVELS.includes(isolation as IsolationLevel)) return
  throw new InvalidArgumentError(
    `isolation must be ${ISOLATION_LEVELS.map(level => `'${level}'`).join(' or ')}, not ${shown(isolation)}`,
  )
}

/** @throws InvalidArgumentError */
export const checkedTransaction = (options: TransactionOptions): { isolation: IsolationLevel; readOnly: boolean } => {
  if (options === null || typeof options !== 'object')
    throw new InvalidArgumentError('the options of a transaction must be an object')
  const { readOnly = false, isolation = 'serializable', ...others } = options
  requireIsolation(isolation)
  if (typeof readOnly !== 'boolean') throw new InvalidArgumentError('readOnly must be true or false')
  refuseOptions(others)
  return { isolation, readOnly }
}

/** @throws InvalidArgumentError */
export const requireSignal = (signal: AbortSignal | undefined): void => {
  if (signal === undefined) return
  if (typeof signal?.addEventListener !== 'function' || typeof signal.throwIfAborted !== 'function')
    throw new InvalidArgumentError('signal must be an AbortSignal')
}

/** @throws InvalidArgumentError */
export const requireObject = <T extends object>(options: T): T => {
  if (options === null || typeof options !== 'object')
    throw new InvalidArgumentError('the options must be an object, such as { onProgress }')
  return options
}

/** An option that may be left out. @throws InvalidArgumentError */
export const requireFlag = (name: string, value: unknown): void => {
  if (value === undefined || typeof value === 'boolean') return
  throw new InvalidArgumentError(`${name} must be true or false, not ${shown(value)}`)
}

/** @throws InvalidArgumentError */
export const requireList = <T>(keys: readonly T[]): readonly T[] => {
  if (!Array.isArray(keys)) throw new InvalidArgumentError('getMany() takes an array of keys')
  return keys
}

/** Unknown options are refused, never ignored. */
export const refuseOptions = (options: object): void => {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue
    throw new InvalidArgumentError(`there is no option '${name}' here`)
  }
}
