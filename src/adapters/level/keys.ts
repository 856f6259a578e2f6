/**
 * Keys of abstract-level as keys of the engine. They are the same bytes, with one exception: the engine has no empty
 * key. So a key of n zero bytes, the empty one included, is stored as n + 1 zero bytes. That keeps the order (every key
 * of zeros alone comes before all others), and no two keys become the same.
 */

import { asText, isBytes } from '../../runtime/bytes.ts'
import { keyBytes } from '../../values/key.ts'
import { MAX_KEY_BYTES } from '../../values/limits.ts'
import { LevelError } from './errors.ts'

/** What abstract-level hands over, as the encodings of the manifest say. */
export type Data = string | Uint8Array

const encoder = new TextEncoder()

export const toStored = (key: Data): Data => {
  if (typeof key === 'string') {
    if ((key.length === 0 || key.charCodeAt(0) === 0) && isZeros(key)) return `${key}\0`
    return isWellFormed(key) ? key : reject('key')
  }
  const bytes = viewOf(key)
  return isZeros(bytes) ? new Uint8Array(bytes.length + 1) : bytes
}

export const fromStored = (key: Uint8Array): Uint8Array => (key[0] === 0 && isZeros(key) ? key.subarray(1) : key)

/**
 * An end of a range: the bytes, and how much of them a key can have. A longer end is cut, and lies behind what is left.
 */
export const toStoredBytes = (key: Data): { key: Uint8Array; cut: boolean } => {
  const stored = toStored(key)
  const bytes = typeof stored === 'string' ? keyBytes(stored) : new Uint8Array(stored)
  return bytes.length > MAX_KEY_BYTES
    ? { key: bytes.subarray(0, MAX_KEY_BYTES), cut: true }
    : { key: bytes, cut: false }
}

export const toBytes = (value: Data): Uint8Array => {
  if (typeof value !== 'string') return viewOf(value)
  return isWellFormed(value) ? encoder.encode(value) : reject('value')
}

export const toText = (bytes: Uint8Array): string => asText(bytes).utf8Slice(0, bytes.length)

/** abstract-level lets every view pass as bytes. */
const viewOf = (data: Uint8Array): Uint8Array =>
  isBytes(data)
    ? data
    : new Uint8Array(
        (data as ArrayBufferView).buffer as ArrayBuffer,
        (data as ArrayBufferView).byteOffset,
        (data as ArrayBufferView).byteLength,
      )

const isZeros = (key: Data): boolean => {
  if (typeof key === 'string') {
    for (let i = 0; i < key.length; i++) if (key.charCodeAt(i) !== 0) return false
  } else for (let i = 0; i < key.length; i++) if (key[i] !== 0) return false
  return true
}

const isWellFormed = (text: string): boolean => (text as unknown as { isWellFormed(): boolean }).isWellFormed()

const reject = (what: 'key' | 'value'): never => {
  throw new LevelError(
    what === 'key' ? 'LEVEL_INVALID_KEY' : 'LEVEL_INVALID_VALUE',
    `a ${what} must be well-formed Unicode: this one has a lone surrogate; use the encoding 'view' or 'buffer'`,
  )
}
