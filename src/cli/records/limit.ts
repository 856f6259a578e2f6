/** How long a line of JSON Lines or a row of CSV may be: an input without line ends must not fill the memory. */
import { constants } from 'node:buffer'

export interface RecordLimit {
  readonly bytes: number
  /** The option that raises it. */
  readonly option: string
}

export const DEFAULT_LIMIT: RecordLimit = { bytes: 16_777_216, option: '--max-record-bytes' }

/** A line becomes a string. */
export const LARGEST_LIMIT: number = constants.MAX_STRING_LENGTH

/** `what`: line or row. */
export const tooLong = (what: string, { bytes, option }: RecordLimit): string =>
  `the ${what} is longer than ${bytes} bytes; if that is right, raise the limit with ${option}`
