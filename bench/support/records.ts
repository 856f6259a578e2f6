/**
 * The records of every benchmark: keys of 15 ASCII bytes, values of 100.
 *
 * All strings are flat: V8 would charge the flattening of a concatenated string to the store that first reads it.
 */
import { Random, scramble } from './random.ts'

export const KEY_BYTES = 15
export const VALUE_BYTES = 100
/** Bytes of a record that a user would count. */
export const RECORD_BYTES: number = KEY_BYTES + VALUE_BYTES

/** Added to a record's number, it gives the number of a record that is never stored. */
export const NEVER_STORED = 0x4000_0000

/** 2^32 × STRIDE is just below 10^14, so that a scrambled number and a remainder fit 14 digits. */
const STRIDE = 23_283
const SEVEN_DIGITS = 10_000_000
const DISTINCT_VALUES = 4096
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_'

const keyBytes = Buffer.alloc(KEY_BYTES, 'k')
const values: string[] = makeValues()

/** The key of record `number`: `k` and 14 digits, different for each number, spread over the whole key space. */
export function keyOf(number: number): string {
  const spread = scramble(number) * STRIDE + (scramble(number ^ 0x5bd1e995) % STRIDE)
  const high = Math.floor(spread / SEVEN_DIGITS)
  writeDigits(spread - high * SEVEN_DIGITS, 14)
  writeDigits(high, 7)
  return keyBytes.toString('latin1', 0, KEY_BYTES)
}

/**
 * A value for record `number`. Another `version` gives another value (until 4,096 later), so that an update always
 * changes something: SQLite leaves out the write of an equal value.
 */
export function valueAt(number: number, version: number): string {
  return values[(number + version) % DISTINCT_VALUES]!
}

function writeDigits(number: number, last: number): void {
  let rest = number
  for (let position = last; position > last - 7; position -= 1) {
    const tens = (rest / 10) | 0
    keyBytes[position] = 48 + rest - tens * 10
    rest = tens
  }
}

/** Random letters: blocks of them do not compress, in no store. */
function makeValues(): string[] {
  const random = new Random(20_240_229)
  const bytes = Buffer.alloc(VALUE_BYTES)
  return Array.from({ length: DISTINCT_VALUES }, () => {
    for (let at = 0; at < VALUE_BYTES; at += 1) bytes[at] = ALPHABET.charCodeAt(random.below(ALPHABET.length))
    return bytes.toString('latin1')
  })
}
