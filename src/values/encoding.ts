/** Values between JavaScript and bytes, by the database's value encoding. */

import { InvalidArgumentError, reasonOf, XenonError } from '../errors.ts'
import { type Arena, describe, isBytes, isDetached, type TextBytes } from '../runtime/bytes.ts'
import { letGo } from '../runtime/callbacks.ts'
import type { ValueCodec, ValueEncoding } from '../types.ts'

const MAX_VALUE_BYTES = 268435456
const NO_BYTES = new Uint8Array(0)
const encoder = new TextEncoder()

/**
 * Encodes values. Up to `limit` bytes are put into the scratch at `at` of the arena, which holds three times as many;
 * longer ones are kept in `bytes`.
 */
export class ValueEncoder<V> {
  /** The bytes of the last value that was longer than `limit`. */
  bytes: Uint8Array = NO_BYTES
  private readonly kind: 'utf8' | 'json' | 'binary' | 'custom'
  private readonly codec: ValueCodec<V> | undefined
  private readonly arena: Arena
  private readonly at: number
  private readonly limit: number

  constructor(encoding: ValueEncoding<V>, arena: Arena, at: number, limit: number) {
    this.kind = typeof encoding === 'string' ? encoding : 'custom'
    this.codec = typeof encoding === 'string' ? undefined : encoding
    this.arena = arena
    this.at = at
    this.limit = limit
  }

  /** Returns the number of bytes. */
  encode(value: V): number {
    if (this.kind === 'utf8') return this.text(value as unknown as string)
    if (this.kind === 'json') return this.json(value)
    return this.binary(value)
  }

  /** Other bytes take the place of the last value's, which they stand for. Returns their number. */
  replace(bytes: Uint8Array): number {
    if (bytes.length > this.limit) this.bytes = bytes
    else this.arena.u8.set(bytes, this.at)
    return bytes.length
  }

  /** The last value has been stored, or has not come to it: a large one is not kept for the next one to come. */
  letGo(): void {
    this.bytes = NO_BYTES
  }

  /** For a value that lies in the scratch, its bytes as an array of their own. */
  spill(length: number): Uint8Array {
    if (length > this.limit) return this.bytes
    const copy = new Uint8Array(length)
    copy.set(this.arena.u8.subarray(this.at, this.at + length))
    return copy
  }

  private text(value: string): number {
    if (typeof value !== 'string')
      throw new InvalidArgumentError(
        `a value must be a string with the encoding 'utf8', not ${describe(value)}; choose valueEncoding 'json' or 'binary'`,
      )
    const length = value.length
    if (length > MAX_VALUE_BYTES) throw tooLarge(length)
    if (length > this.limit) return this.keep(encodeText(value))
    const bytes = this.arena.u8.utf8Write(value, this.at)
    if (bytes !== length) requireWellFormed(value)
    if (bytes > this.limit) return this.keep(encodeText(value))
    return bytes
  }

  private json(value: V): number {
    let text: string | undefined
    try {
      text = JSON.stringify(value)
    } catch (error) {
      throw new InvalidArgumentError(`a value cannot be written as JSON: ${reasonOf(error)}`, {
        cause: error,
      })
    }
    if (text === undefined)
      throw new InvalidArgumentError(`a value cannot be written as JSON: it is ${describe(value)}`)
    return this.text(text)
  }

  private binary(value: V): number {
    const bytes = this.codec === undefined ? value : this.codec.encode(value)
    if (!isBytes(bytes)) {
      letGo(bytes)
      throw new InvalidArgumentError(
        this.codec === undefined
          ? `a value must be a Uint8Array with the encoding 'binary', not ${describe(value)}`
          : `the value encoding '${this.codec.name}' must encode to a Uint8Array, not ${describe(bytes)}`,
      )
    }
    if (bytes.length > this.limit) return this.keep(bytes)
    if (bytes.length === 0 && isDetached(bytes))
      throw new InvalidArgumentError('the bytes of a value lie in a buffer that was detached')
    this.arena.u8.set(bytes, this.at)
    return bytes.length
  }

  private keep(bytes: Uint8Array): number {
    if (bytes.length > MAX_VALUE_BYTES) throw tooLarge(bytes.length)
    this.bytes = bytes
    return bytes.length
  }
}

/** Decodes the bytes [start, end) to a value that shares no memory with them. */
export type Decode<V> = (bytes: TextBytes, start: number, end: number) => V

export const valueDecoder = <V>(encoding: ValueEncoding<V>): Decode<V> => {
  if (encoding === 'utf8') return (bytes, start, end) => bytes.utf8Slice(start, end) as unknown as V
  if (encoding === 'json') return (bytes, start, end) => JSON.parse(bytes.utf8Slice(start, end)) as V
  if (encoding === 'binary') return (bytes, start, end) => copyBytes(bytes, start, end) as unknown as V
  return (bytes, start, end) => encoding.decode(copyBytes(bytes, start, end))
}

/** Bytes up to which a loop takes less time than a call into the engine. */
const SHORT = 64

export const copyBytes = (bytes: Uint8Array, start: number, end: number): Uint8Array => {
  const length = end - start
  const copy = new Uint8Array(length)
  if (length > SHORT) copy.set(bytes.subarray(start, end))
  else for (let i = 0; i < length; i++) copy[i] = bytes[start + i]!
  return copy
}

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

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

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

const tooLarge = (length: number): XenonError =>
  new XenonError(
    'XENON_VALUE_TOO_LARGE',
    `a value of ${length} bytes; the largest allowed is ${MAX_VALUE_BYTES}`,
  )

/** A key as text, or as bytes where it is none. */
export const keyText = (key: Uint8Array): string | Uint8Array => {
  try {
    return strict.decode(key)
  } catch {
    return key
  }
}

const encodeText = (value: string): Uint8Array => {
  requireWellFormed(value)
  return encoder.encode(value)
}

const requireWellFormed = (value: string): void => {
  if (!(value as unknown as { isWellFormed(): boolean }).isWellFormed())
    throw new InvalidArgumentError(
      'a value must be well-formed Unicode: this one has a lone surrogate; use bytes',
    )
}
