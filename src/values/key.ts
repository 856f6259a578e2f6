/** Keys between JavaScript and bytes. */
import { InvalidArgumentError } from '../errors.ts'

/** What is to be done with a key. */
export type KeyUse = 'read' | 'put' | 'remove'

/** Characters up to which a loop takes less time than a call into the engine. */
const SHORT = 64
const encoder = /* @__PURE__ */ new TextEncoder()

/** The UTF-8 of a key or a bound, which most often is short and ASCII. */
export const keyBytes = (text: string): Uint8Array => {
  const { length } = text
  if (length > SHORT) return encoder.encode(text)
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i)
    if (code > 127) return encoder.encode(text)
    bytes[i] = code
  }
  return bytes
}

const strict = /* @__PURE__ */ new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Keys that are given back as text must be UTF-8: of others, the text would name another key, which is not there.
 * @throws InvalidArgumentError
 */
export const requireUtf8Key = (bytes: Uint8Array, start: number, end: number): void => {
  let at = start
  while (at < end && bytes[at]! < 128) at++
  if (at === end) return
  try {
    strict.decode(bytes.subarray(at, end))
  } catch {
    throw new InvalidArgumentError(
      "a key that is put must be UTF-8 with keyEncoding 'utf8', which gives keys back as text; open the database with keyEncoding: 'binary' for keys of other bytes",
    )
  }
}

/** A key as text, or as bytes where it is none. */
export const keyText = (key: Uint8Array): string | Uint8Array => {
  try {
    return strict.decode(key)
  } catch {
    return key
  }
}
