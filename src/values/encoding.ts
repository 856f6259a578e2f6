/** Values between JavaScript and bytes, by the database's value encoding. */

import { InvalidArgumentError, shown } from '../errors.ts'
import { type Arena, copyBytes, describe, isBytes, isDetached, isWellFormed, type TextBytes } from '../runtime/bytes.ts'
import { letGo, requireCodec } from '../runtime/callbacks.ts'
import type { ValueCodec, ValueEncoding } from '../types.ts'
import { MAX_VALUE_BYTES, valueTooLarge } from './limits.ts'
import { msgpackEncoding } from './msgpack.ts'

const NO_BYTES = new Uint8Array(0)
const encoder = /* @__PURE__ */ new TextEncoder()

/** A value encoding for which everything has been loaded. */
export type LoadedEncoding<V> = Exclude<ValueEncoding<V>, 'msgpack'>

/**
 * The option `valueEncoding`, checked and loaded.
 * @throws InvalidArgumentError, or XenonError `XENON_NOT_SUPPORTED` if a package is missing
 */
export const loadEncoding = <V>(given: unknown): LoadedEncoding<V> => {
  if (given === 'utf8' || given === 'json' || given === 'binary') return given
  if (given === 'msgpack') return msgpackEncoding() as ValueCodec<V>
  const codec = given as ValueCodec<V> | null
  if (typeof codec !== 'object' || typeof codec?.encode !== 'function' || typeof codec.decode !== 'function')
    throw new InvalidArgumentError(
      "valueEncoding must be 'utf8', 'json', 'binary', 'msgpack' or { name, encode(value), decode(bytes) }",
    )
  requireCodec('valueEncoding', codec, 'encode', 'decode')
  return codec
}

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

  constructor(encoding: LoadedEncoding<V>, arena: Arena, at: number, limit: number) {
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
    if (length > MAX_VALUE_BYTES) throw valueTooLarge(length)
    if (length > this.limit) return this.keep(encodeText(value))
    const bytes = this.arena.u8.utf8Write(value, this.at)
    if (bytes !== length) requireWellFormed(value)
    if (bytes > this.limit) return this.keep(encodeText(value))
    return bytes
  }

  private json(value: V): number {
    return this.text(jsonText(value))
  }

  private binary(value: V): number {
    const bytes = this.codec === undefined ? value : encodedBy(this.codec, value)
    if (!isBytes(bytes))
      throw new InvalidArgumentError(`a value must be a Uint8Array with the encoding 'binary', not ${describe(value)}`)
    if (bytes.length > this.limit) return this.keep(bytes)
    if (bytes.length === 0 && isDetached(bytes))
      throw new InvalidArgumentError('the bytes of a value lie in a buffer that was detached')
    this.arena.u8.set(bytes, this.at)
    return bytes.length
  }

  private keep(bytes: Uint8Array): number {
    if (bytes.length > MAX_VALUE_BYTES) throw valueTooLarge(bytes.length)
    this.bytes = bytes
    return bytes.length
  }
}

/**
 * What JSON.stringify makes of a value.
 * @throws Whatever a toJSON throws; TypeError for what JSON cannot write.
 */
export const jsonText = (value: unknown): string => {
  const text: string | undefined = JSON.stringify(value)
  if (text === undefined) throw new TypeError(`it is ${describe(value)}, which JSON cannot write`)
  return text
}

/**
 * What a codec makes of a value.
 * @throws Whatever it throws; TypeError if that is no Uint8Array.
 */
export const encodedBy = <V>(codec: ValueCodec<V>, value: V): Uint8Array => {
  const bytes: unknown = codec.encode(value)
  if (!isBytes(bytes)) {
    letGo(bytes)
    throw new TypeError(`encode returned ${describe(bytes)}, not a Uint8Array`)
  }
  if (bytes.length === 0 && isDetached(bytes))
    throw new TypeError('encode returned bytes of a buffer that was detached')
  return bytes
}

/** What errors call an encoding. */
export const encodingName = <V>(encoding: LoadedEncoding<V>): string =>
  shown(typeof encoding === 'string' ? encoding : encoding.name)

/** Decodes the bytes [start, end) to a value that shares no memory with them. */
export type Decode<V> = (bytes: TextBytes, start: number, end: number) => V

export const valueDecoder = <V>(encoding: LoadedEncoding<V>): Decode<V> => {
  if (encoding === 'utf8') return (bytes, start, end) => bytes.utf8Slice(start, end) as unknown as V
  if (encoding === 'json') return (bytes, start, end) => JSON.parse(bytes.utf8Slice(start, end)) as V
  if (encoding === 'binary') return (bytes, start, end) => copyBytes(bytes, start, end) as unknown as V
  return (bytes, start, end) => encoding.decode(copyBytes(bytes, start, end))
}

const encodeText = (value: string): Uint8Array => {
  requireWellFormed(value)
  return encoder.encode(value)
}

const requireWellFormed = (value: string): void => {
  if (!isWellFormed(value))
    throw new InvalidArgumentError('a value must be well-formed Unicode: this one has a lone surrogate; use bytes')
}
