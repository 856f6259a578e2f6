/** Times to live: how long from now a record stays, and the time when it goes. */
import { InvalidArgumentError, shown } from '../errors.ts'

/** Milliseconds since 1970: the last time that fits the six bytes of a record. */
export const MAX_TIME: number = 2 ** 48 - 1

/** Milliseconds of a `ttl` option, checked. */
export const checkedTtl = (ttl: unknown): number => {
  if (typeof ttl !== 'number' || !(ttl > 0))
    throw new InvalidArgumentError(`ttl must be a positive number of milliseconds, not ${shown(ttl)}`)
  return ttl
}

/** The time when a record with this ttl expires. `Infinity` becomes the last time there is. */
export const expiryTime = (now: number, ttl: number): number => Math.min(MAX_TIME, Math.ceil(now + ttl))
