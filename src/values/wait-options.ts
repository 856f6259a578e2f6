/** The options of calls that may wait for a lock, and of transactions, checked. */
import { InvalidArgumentError } from '../errors.ts'
import type {
  AsyncPutOptions,
  AsyncTransactionOptions,
  IsolationLevel,
  TransactOptions,
  WaitOptions,
} from '../types.ts'
import { milliseconds, refuseOptions, requireIsolation, requireSignal } from './checks.ts'
import { checkedRetries } from './transact.ts'
import { checkedTtl } from './ttl.ts'

/** What the caller has said about waiting. */
export interface Waiting {
  readonly signal?: AbortSignal | undefined
  readonly lockTimeout?: number | undefined
}

/** @throws InvalidArgumentError, or the reason of a signal that is aborted already. */
export const checkedWaiting = (options: WaitOptions): Waiting => {
  requireOptions(options)
  const { signal, lockTimeout, ...others } = options
  refuseOptions(others)
  requireSignal(signal)
  if (lockTimeout !== undefined) milliseconds('lockTimeout', lockTimeout)
  signal?.throwIfAborted()
  return { signal, lockTimeout }
}

/** The same with the time to live of a put; `Infinity` and undefined mean that it stays. */
export const checkedPut = (options: AsyncPutOptions): Waiting & { readonly ttl: number | undefined } => {
  requireOptions(options)
  const { ttl, ...others } = options
  const waiting = checkedWaiting(others)
  return {
    ...waiting,
    ttl: ttl === undefined || ttl === Number.POSITIVE_INFINITY ? undefined : checkedTtl(ttl),
  }
}

export interface Beginning extends Waiting {
  readonly isolation: IsolationLevel
  readonly readOnly: boolean
}

/** The options of a transaction. */
export const checkedBeginning = (options: AsyncTransactionOptions): Beginning => {
  requireOptions(options)
  const { isolation = 'serializable', readOnly = false, ...others } = options
  requireIsolation(isolation)
  if (typeof readOnly !== 'boolean') throw new InvalidArgumentError('readOnly must be true or false')
  return { isolation, readOnly, ...checkedWaiting(others) }
}

/** The options of `transact`: how often it runs again, and those of its transactions. */
export const checkedRuns = (
  options: TransactOptions,
): { readonly retries: number; readonly others: AsyncTransactionOptions } => {
  requireOptions(options)
  const { retries, ...others } = options
  return { retries: checkedRetries(retries), others }
}

const requireOptions = (options: unknown): void => {
  if (options === null || typeof options !== 'object')
    throw new InvalidArgumentError('the options must be an object, such as { lockTimeout: 1000 }')
}
