/** Times of expiry as files hold them. */
import { TextError } from '../text.ts'

/** The last time that a record can expire at (48 bits). */
const LAST_TIME = 2 ** 48 - 1

/** `what`: the place, for the message. */
export function checkedTime(what: string, time: unknown): number {
  if (typeof time === 'number' && Number.isInteger(time) && time > 0 && time <= LAST_TIME) return time
  throw new TextError(`${what} is not a time in whole milliseconds since 1970`)
}
