/**
 * What callers call keys, and what the engine does: one codec for each database, by its `keyEncoding`.
 *
 * | | callers give | callers get | the engine takes |
 * | --- | --- | --- | --- |
 * | `'utf8'` | text, or bytes | text | what was given |
 * | `'binary'` | text, or bytes | bytes | what was given |
 * | `'tuple'` | tuples | tuples | bytes that are ordered as the tuples are (`tuple.ts`) |
 *
 * Every face turns a key over once, where it comes in; whatever lies below takes text or bytes.
 */
import { DecodeError, InvalidArgumentError } from '../errors.ts'
import {
  type Bound,
  copyBytes,
  describe,
  isBytes,
  isDetached,
  isWellFormed,
  shortText,
  type TextBytes,
} from '../runtime/bytes.ts'
import type { Key, KeyEncoding, TupleKey } from '../types.ts'
import { keyBytes, keyText } from './key.ts'
import { MAX_KEY_BYTES } from './limits.ts'
import { decodeTuple, encodeTuple, TupleReader, tuplePrefix } from './tuple.ts'
import { tupleToJson } from './tuple-json.ts'

export class KeyCodec {
  readonly encoding: KeyEncoding
  /** Keys are given back as text. */
  readonly asTexts: boolean
  /** Keys are given back as bytes. */
  readonly asBytes: boolean
  private readonly isTuple: boolean
  /** Between which all keys lie, if they are but some of those that there are. */
  readonly lowest: Bound | undefined
  readonly highest: Bound | undefined

  constructor(encoding: KeyEncoding) {
    this.encoding = encoding
    this.asTexts = encoding === 'utf8'
    this.asBytes = encoding === 'binary'
    this.isTuple = encoding === 'tuple'
  }

  /** For the engine: text and bytes as they were given, which it checks itself. */
  given(key: unknown): Key {
    return this.isTuple ? encodeTuple(key as TupleKey) : (key as Key)
  }

  allGiven(keys: readonly unknown[]): readonly Key[] {
    return this.isTuple ? keys.map(key => this.given(key)) : (keys as readonly Key[])
  }

  /** The same key, which nobody else can change while it waits for its turn. */
  owned<K>(key: K): K {
    if (this.isTuple) return decodeTuple(encodeTuple(key as TupleKey)) as K
    return isBytes(key) ? (Uint8Array.prototype.slice.call(key) as K) : key
  }

  /** For the caller: the key whose bytes are [start, end). */
  decode<K>(bytes: TextBytes, start: number, end: number): K {
    if (this.asTexts) return bytes.utf8Slice(start, end) as K
    if (this.asBytes) return copyBytes(bytes, start, end) as K
    return this.tuple(bytes, start, end) as K
  }

  /** The same for bytes of their own. */
  decodeAll<K>(bytes: Uint8Array): K {
    if (this.asTexts) return (shortText(bytes, 0, bytes.length) ?? lenient.decode(bytes)) as K
    return (this.asBytes ? bytes : this.tuple(bytes, 0, bytes.length)) as K
  }

  /** The bytes of a key as a caller may give them. */
  asGiven(bytes: Uint8Array): Uint8Array {
    return bytes
  }

  /** What an error calls a key. */
  named(bytes: Uint8Array): string | Uint8Array {
    if (!this.isTuple) return keyText(bytes)
    try {
      return tupleToJson(decodeTuple(bytes))
    } catch {
      return bytes
    }
  }

  /** The same for the caller to go on with: the key itself, or its bytes where it cannot be decoded. */
  ofError(bytes: Uint8Array): TupleKey {
    if (this.asBytes) return bytes
    if (!this.isTuple) return keyText(bytes)
    try {
      return decodeTuple(bytes)
    } catch {
      return bytes
    }
  }

  /** A key, or what is no key but stands for an end of a range: the empty text, which all keys come after. */
  bound(name: string, key: unknown): Uint8Array {
    return this.isTuple ? encodeTuple(key as TupleKey) : boundBytes(name, key as Key)
  }

  /** What all keys of a prefix begin with. */
  prefix(prefix: unknown): Uint8Array {
    if (!this.isTuple) return boundBytes('prefix', prefix as Key)
    if (Array.isArray(prefix)) return tuplePrefix(prefix)
    throw new InvalidArgumentError(
      `prefix must be an array with keyEncoding 'tuple', such as ['user']: the first items of keys that are arrays; not ${describe(prefix)}`,
    )
  }

  /** What is short for the range of the keys that begin with it. */
  isPrefix(given: unknown): boolean {
    return this.isTuple ? Array.isArray(given) : typeof given === 'string' || isBytes(given)
  }

  private tuple(bytes: Uint8Array, start: number, end: number): TupleKey {
    try {
      const reader = new TupleReader(bytes, start, end)
      const key = reader.value()
      if (reader.at === end) return key
      throw reader.error()
    } catch (error) {
      throw new DecodeError(bytes.slice(start, end), 'tuple', error, 'key')
    }
  }
}

export const UTF8_KEYS: KeyCodec = /* @__PURE__ */ new KeyCodec('utf8')
export const BINARY_KEYS: KeyCodec = /* @__PURE__ */ new KeyCodec('binary')
export const TUPLE_KEYS: KeyCodec = /* @__PURE__ */ new KeyCodec('tuple')

const lenient = /* @__PURE__ */ new TextDecoder('utf-8', { ignoreBOM: true })

/** @throws InvalidArgumentError for anything but a key encoding. */
export const keyCodec = (encoding: unknown): KeyCodec => {
  const codec = [UTF8_KEYS, BINARY_KEYS, TUPLE_KEYS].find(each => each.encoding === encoding)
  if (codec !== undefined) return codec
  throw new InvalidArgumentError(`keyEncoding must be 'utf8', 'binary' or 'tuple', not ${shownEncoding(encoding)}`)
}

const shownEncoding = (encoding: unknown): string =>
  typeof encoding === 'string' ? `'${encoding}'` : describe(encoding)

/** A bound may be empty, which a key may not; longer than any key is no use. */
const boundBytes = (name: string, key: Key): Uint8Array => {
  if (typeof key !== 'string' && !isBytes(key))
    throw new InvalidArgumentError(`${name} must be a string or a Uint8Array, not ${describe(key)}`)
  if (typeof key === 'string' && !isWellFormed(key))
    throw new InvalidArgumentError(`${name} must be well-formed Unicode: this one has a lone surrogate`)
  // An empty bound stands for everything: a detached buffer, which looks empty too, was not meant so.
  if (typeof key !== 'string' && isDetached(key))
    throw new InvalidArgumentError(`${name} lies in a buffer that was detached`)
  const bytes = typeof key === 'string' ? keyBytes(key) : new Uint8Array(key)
  if (bytes.length > MAX_KEY_BYTES)
    throw new InvalidArgumentError(`${name} is ${bytes.length} bytes long; the longest key has ${MAX_KEY_BYTES}`)
  return bytes
}
