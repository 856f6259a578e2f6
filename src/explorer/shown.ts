/** Bytes as JSON: what a page or a terminal shows of a key, a value, or a block. Never markup, always data. */
import { toHex } from '../runtime/bytes.ts'
import { decodeTuple } from '../values/tuple.ts'
import { tupleToJson } from '../values/tuple-json.ts'

/** Of longer byte strings this many bytes are shown. */
export const SHOWN_BYTES = 256

/** A key or a value, as far as it is shown. */
export interface ShownBytes {
  /** How long it is; more than what is shown of it, perhaps. */
  readonly bytes: number
  /** The text, if what is shown is UTF-8; of a tuple its JSON. */
  readonly text: string | undefined
  /** In hexadecimal digits, two for each byte. */
  readonly hex: string
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** `isTuple`: the bytes are a key of the encoding `tuple`. */
export const shownBytes = (bytes: Uint8Array, isTuple: boolean = false): ShownBytes => {
  const part = bytes.length > SHOWN_BYTES ? bytes.subarray(0, SHOWN_BYTES) : bytes
  return {
    bytes: bytes.length,
    text: isTuple ? tupleText(bytes) : textOf(part, part.length < bytes.length),
    hex: toHex(part),
  }
}

/** The text of UTF-8; of bytes that were cut off, without the character that was cut. */
const textOf = (bytes: Uint8Array, isCut: boolean): string | undefined => {
  for (let end = bytes.length; end >= bytes.length - (isCut ? 3 : 0) && end >= 0; end--) {
    try {
      return utf8.decode(bytes.subarray(0, end))
    } catch {
      // A character less, if the end was cut off.
    }
  }
  return undefined
}

const tupleText = (bytes: Uint8Array): string | undefined => {
  try {
    return tupleToJson(decodeTuple(bytes))
  } catch {
    return textOf(bytes.subarray(0, SHOWN_BYTES), bytes.length > SHOWN_BYTES)
  }
}
