/** The options of a range: checked, and turned into two bounds. */

import { InvalidArgumentError, shown } from '../errors.ts'
import { type Bound, type Bounds, compareBytes, isBytes } from '../runtime/bytes.ts'
import { requireSyncFunction } from '../runtime/callbacks.ts'
import type { OnDecodeError, Range } from '../types.ts'
import { type KeyCodec, UTF8_KEYS } from './key-codec.ts'

export interface ResolvedRange extends Bounds {
  readonly reverse: boolean
  readonly limit: number
  /** No key can be in it. */
  readonly isEmpty: boolean
  readonly onDecodeError: OnDecodeError
}

const KNOWN = new Set(['gt', 'gte', 'lt', 'lte', 'prefix', 'reverse', 'limit', 'onDecodeError'])

/** @throws InvalidArgumentError for an unknown option or a bound that is no key. */
export const resolveRange = (given: unknown, keys: KeyCodec = UTF8_KEYS): ResolvedRange => {
  // A key alone is short for the prefix that it is.
  const range = keys.isPrefix(given) ? { prefix: given } : ((given ?? {}) as Range<unknown>)
  requireOptions(range, keys.encoding === 'tuple' ? "['user']" : "'user:'")
  const { gt, gte, lt, lte, prefix, reverse = false, limit = Number.POSITIVE_INFINITY } = range
  const { onDecodeError = 'throw' } = range
  requireLimits(reverse, limit)
  requireOnDecodeError(onDecodeError)
  let lower: Bound | undefined = keys.lowest
  let upper: Bound | undefined = keys.highest
  const raise = (key: Uint8Array, inclusive: boolean): void => {
    const order = lower === undefined ? 1 : compareBytes(key, lower.key)
    if (order > 0 || (order === 0 && !inclusive)) lower = { key, inclusive }
  }
  const reduce = (key: Uint8Array, inclusive: boolean): void => {
    const order = upper === undefined ? -1 : compareBytes(key, upper.key)
    if (order < 0 || (order === 0 && !inclusive)) upper = { key, inclusive }
  }
  if (gt !== undefined) raise(keys.bound('gt', gt), false)
  if (gte !== undefined) raise(keys.bound('gte', gte), true)
  if (lt !== undefined) reduce(keys.bound('lt', lt), false)
  if (lte !== undefined) reduce(keys.bound('lte', lte), true)
  if (prefix !== undefined) {
    const { lower: first, upper: end } = prefixBounds(keys.prefix(prefix))
    if (first !== undefined) raise(first.key, true)
    if (end !== undefined) reduce(end.key, false)
  }
  return { lower, upper, reverse, limit, isEmpty: limit === 0 || nothingBetween(lower, upper), onDecodeError }
}

/** The range of all byte strings that begin with the prefix. */
export const prefixBounds = (prefix: Uint8Array): Bounds => {
  const end = successor(prefix)
  return {
    lower: prefix.length === 0 ? undefined : { key: prefix, inclusive: true },
    upper: end === undefined ? undefined : { key: end, inclusive: false },
  }
}

/** Checks all of a range but its bounds, where nobody knows what keys are. */
export const requireRange = (given: unknown): void => {
  if (typeof given !== 'object' || given === null || Array.isArray(given) || isBytes(given)) return
  requireOptions(given)
  const { reverse = false, limit = Number.POSITIVE_INFINITY, onDecodeError = 'throw' } = given as Range<unknown>
  requireLimits(reverse, limit)
  requireOnDecodeError(onDecodeError)
}

/** `prefix`: one, as an example. */
const requireOptions = (range: object, prefix: string = "'user:'"): void => {
  // A RegExp, a Date or a Map has no members of its own, as a range of everything has none.
  const kind = typeof range === 'object' ? Object.prototype.toString.call(range).slice(8, -1) : typeof range
  if (kind !== 'Object') {
    const article = /^[AEIO]/.test(kind) ? 'an' : 'a'
    throw new InvalidArgumentError(
      `a range must be an object, such as { gte: …, lt: …, reverse: true, limit: 10 }, or a prefix, such as ${prefix}; not ${article} ${kind}`,
    )
  }
  for (const name of Object.keys(range))
    if (!KNOWN.has(name))
      throw new InvalidArgumentError(`there is no range option '${name}'; known are ${[...KNOWN].join(', ')}`)
}

const requireLimits = (reverse: unknown, limit: number): void => {
  if (typeof reverse !== 'boolean') throw new InvalidArgumentError('reverse must be true or false')
  if (limit !== Number.POSITIVE_INFINITY && !(Number.isSafeInteger(limit) && limit >= 0))
    throw new InvalidArgumentError(`limit must be a whole number, not ${shown(limit)}`)
}

const requireOnDecodeError = (given: unknown): void => {
  if (given === 'throw' || given === 'skip') return
  if (typeof given !== 'function')
    throw new InvalidArgumentError(`onDecodeError must be 'throw', 'skip' or a function, not ${shown(given)}`)
  requireSyncFunction('onDecodeError', given)
}

const nothingBetween = (lower: Bound | undefined, upper: Bound | undefined): boolean => {
  if (upper === undefined) return false
  // No key is empty.
  if (upper.key.length === 0) return true
  if (lower === undefined) return false
  const order = compareBytes(lower.key, upper.key)
  return order > 0 || (order === 0 && !(lower.inclusive && upper.inclusive))
}

/** The first byte string behind all those that begin with the prefix. */
export const successor = (prefix: Uint8Array): Uint8Array | undefined => {
  let length = prefix.length
  while (length > 0 && prefix[length - 1] === 255) length--
  if (length === 0) return undefined
  const end = prefix.slice(0, length)
  end[length - 1] = end[length - 1]! + 1
  return end
}
