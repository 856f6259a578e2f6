/** Bytes as text and back: how keys and values look on the command line and in files. Pure, strict, exact. */
import { isUtf8 } from 'node:buffer'
import { CommandError, printable } from './errors.ts'
import { compactJson } from './json-text.ts'

/** How a value is written: as the text it is, as JSON, or its bytes in base64. */
export type Encoding = 'utf8' | 'json' | 'binary'

export const ENCODINGS: readonly Encoding[] = ['utf8', 'json', 'binary']

/** A text that does not stand for bytes in the encoding asked for. The caller knows the place and says it. */
export class TextError extends Error {
  override name = 'TextError'
}

export function textToBytes(text: string): Uint8Array {
  if (/\p{Surrogate}/u.test(text)) throw new TextError('half a surrogate pair, which UTF-8 cannot express')
  return Buffer.from(text, 'utf8')
}

/** The text, or undefined when the bytes are not UTF-8. */
export function bytesToText(bytes: Uint8Array): string | undefined {
  return isUtf8(bytes) ? asBuffer(bytes).toString('utf8') : undefined
}

export function bytesToBase64(bytes: Uint8Array): string {
  return asBuffer(bytes).toString('base64')
}

export function base64ToBytes(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64')
  const bare = text.replace(/=+$/, '')
  if (bytes.toString('base64').replace(/=+$/, '') !== bare) throw new TextError('not base64')
  return bytes
}

/** A value of the command line or of a CSV cell as the bytes to store. */
export function valueFromText(text: string, encoding: Encoding): Uint8Array {
  if (encoding === 'binary') return base64ToBytes(text)
  return encoding === 'json' ? jsonToBytes(text) : textToBytes(text)
}

/** The reverse of `valueFromText`; undefined when the bytes are not UTF-8 or not JSON. */
export function valueToText(bytes: Uint8Array, encoding: Encoding): string | undefined {
  if (encoding === 'binary') return bytesToBase64(bytes)
  const text = bytesToText(bytes)
  if (text === undefined || encoding === 'utf8') return text
  try {
    JSON.parse(text)
    return compactJson(text)
  } catch {
    return undefined
  }
}

/** JSON as the engine's own `json` encoding stores it, but with the digits and escapes that it is written with. */
export function jsonToBytes(text: string): Uint8Array {
  try {
    JSON.parse(text)
  } catch (error) {
    throw new TextError(`not JSON (${(error as Error).message})`)
  }
  return textToBytes(compactJson(text))
}

/** The error for stored bytes that cannot be shown in the encoding asked for, with the way out. */
export function notInEncoding(key: Uint8Array, encoding: Encoding): CommandError {
  const what = encoding === 'json' ? 'JSON' : 'UTF-8 text'
  const way = encoding === 'json' ? '--encoding utf8 or binary' : '--encoding binary'
  return new CommandError(`the value of ${quoted(key)} is not ${what}; ask for it with ${way}`)
}

/** A key for a message: quoted, shortened, printable. */
export function quoted(key: Uint8Array | string): string {
  const text = typeof key === 'string' ? key : asBuffer(key).toString('utf8')
  const short = text.length > 60 ? `${text.slice(0, 60)}…` : text
  return printable(JSON.stringify(short))
}

export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
