/** Keys and values between JavaScript and the wire, refused here for the same reasons as by a database. */

import { DecodeError, EncodeError, InvalidArgumentError, XenonError } from '../errors.ts'
import { asText, describe, isBytes } from '../runtime/bytes.ts'
import type { Key, TupleKey } from '../types.ts'
import {
  type Decode,
  encodedBy,
  encodingName,
  jsonText,
  type LoadedEncoding,
  valueDecoder,
} from '../values/encoding.ts'
import { requireUtf8Key } from '../values/key.ts'
import type { KeyCodec } from '../values/key-codec.ts'
import { keyTooLarge, MAX_KEY_BYTES, MAX_VALUE_BYTES, valueTooLarge } from '../values/limits.ts'
import type { Argument } from './encoder.ts'
import { ProtocolError } from './errors.ts'
import type { Reply } from './reader.ts'

export class Values<V> {
  private readonly encoding: LoadedEncoding<V>
  private readonly decodeBytes: Decode<V>
  readonly keys: KeyCodec

  constructor(encoding: LoadedEncoding<V>, keys: KeyCodec) {
    this.encoding = encoding
    this.decodeBytes = valueDecoder(encoding)
    this.keys = keys
  }

  /** A key, whatever for. */
  keyArgument(key: unknown): Argument {
    return keyArgument(this.keys.given(key))
  }

  /** A key that is put. */
  encodeKey(key: unknown): Argument {
    const argument = this.keyArgument(key)
    if (this.keys.asTexts && isBytes(argument)) requireUtf8Key(argument, 0, argument.length)
    return argument
  }

  /** @throws EncodeError that names the key. */
  encode(value: V, key: unknown): Argument {
    const encoded = this.encoded(value, key)
    if (encoded.length * 3 > MAX_VALUE_BYTES && byteLength(encoded) > MAX_VALUE_BYTES)
      throw valueTooLarge(byteLength(encoded))
    return encoded
  }

  private encoded(value: V, key: unknown): string | Uint8Array {
    const { encoding } = this
    if (encoding === 'utf8') return wellFormed('a value', text('a value', value))
    if (encoding === 'binary') {
      if (!isBytes(value))
        throw new InvalidArgumentError(`a value must be a Uint8Array with this encoding, not ${describe(value)}`)
      // It is sent later; whoever owns the bytes may change them meanwhile.
      return Uint8Array.prototype.slice.call(value)
    }
    try {
      return encoding === 'json' ? jsonText(value) : encodedBy(encoding, value)
    } catch (error) {
      if (error instanceof XenonError) throw error
      throw new EncodeError(key as TupleKey, encodingName(encoding), error)
    }
  }

  /**
   * The value in a reply of bytes or of nothing.
   * @throws DecodeError that names the key.
   */
  decode(reply: Reply, key: Argument): V | undefined {
    if (reply === null) return undefined
    const bytes = bytesOf(reply)
    try {
      return this.decodeBytes(asText(bytes), 0, bytes.length)
    } catch (error) {
      if (error instanceof XenonError) throw error
      const named = this.keys.ofError(isBytes(key) ? new Uint8Array(key) : Buffer.from(String(key)))
      throw new DecodeError(named, encodingName(this.encoding), error)
    }
  }

  /** @throws DecodeError */
  decodeKey<K>(reply: Reply): K {
    const bytes = bytesOf(reply)
    return this.keys.decode<K>(asText(bytes), 0, bytes.length)
  }
}

function keyArgument(key: Key): Argument {
  if (typeof key !== 'string' && !isBytes(key))
    throw new InvalidArgumentError(`a key must be a string or a Uint8Array, not ${describe(key)}`)
  if (key.length === 0) throw new InvalidArgumentError('a key must have at least 1 byte')
  if (typeof key === 'string') wellFormed('a key', key)
  const length = byteLength(key)
  if (length > MAX_KEY_BYTES) throw keyTooLarge(length)
  return typeof key === 'string' ? key : new Uint8Array(key)
}

/** @throws ProtocolError if the reply is something else. */
export function bytesOf(reply: Reply): Buffer {
  if (isBytes(reply)) return reply as Buffer
  throw new ProtocolError(`bytes were expected, not ${reply === null ? 'null' : typeof reply}`)
}

export function numberOf(reply: Reply): number {
  if (typeof reply === 'number') return reply
  throw new ProtocolError(`a number was expected, not ${reply === null ? 'null' : typeof reply}`)
}

export function listOf(reply: Reply): Reply[] {
  if (Array.isArray(reply)) return reply
  throw new ProtocolError(`an array was expected, not ${reply === null ? 'null' : typeof reply}`)
}

function text(what: string, value: unknown): string {
  if (typeof value === 'string') return value
  throw new InvalidArgumentError(
    `${what} must be a string with the encoding 'utf8', not ${describe(value)}; choose valueEncoding 'json' or 'binary'`,
  )
}

function wellFormed(what: string, value: string): string {
  if ((value as unknown as { isWellFormed(): boolean }).isWellFormed()) return value
  throw new InvalidArgumentError(`${what} must be well-formed Unicode: this one has a lone surrogate; use bytes`)
}

function byteLength(value: string | Uint8Array): number {
  return typeof value === 'string' ? Buffer.byteLength(value) : value.length
}
