/** How long keys and values may be. */
import { XenonError } from '../errors.ts'

export const MAX_KEY_BYTES = 1024
export const MAX_VALUE_BYTES = 268435456
/** Of UTF-8. */
export const MAX_SUB_NAME_BYTES = 1023

export const keyTooLarge = (length: number): XenonError =>
  new XenonError('XENON_KEY_TOO_LARGE', `a key of ${length} bytes; the longest allowed has ${MAX_KEY_BYTES}`)

export const valueTooLarge = (length: number): XenonError =>
  new XenonError('XENON_VALUE_TOO_LARGE', `a value of ${length} bytes; the largest allowed has ${MAX_VALUE_BYTES}`)
