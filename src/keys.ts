/** What keys and values are, and how they are encoded. */

/**
 * A key with `keyEncoding: 'tuple'`, encoded in 1 to 1024 bytes. Keys are ordered by type (null, false, true, numbers,
 * text, bytes, arrays) and then by value: numbers and bigints together as numbers, text by code points, arrays item by
 * item.
 */
export type TupleKey = null | boolean | number | bigint | string | Uint8Array | readonly TupleKey[]

/** A key: a string, or its bytes. A string and its UTF-8 bytes are the same key. 1 to 1024 bytes. */
export type Key = string | Uint8Array

/** What keys are: text, bytes, or tuples. */
export type KeyEncoding = 'utf8' | 'binary' | 'tuple'

/** A custom value encoding. `encode` must return bytes that the caller no longer changes. */
export interface ValueCodec<V> {
  /** It is stored with the database, which is refused with a codec of another name. */
  name: string
  /** The bytes of a value. What it throws is the `cause` of an EncodeError. */
  encode(value: V): Uint8Array
  /** The value of such bytes, which are its own. What it throws is the `cause` of a DecodeError. */
  decode(bytes: Uint8Array): V
}

/**
 * What values are: `'utf8'` text, `'json'`, `'binary'` bytes, `'msgpack'` (with the package `msgpackr`: Date, Map, Set,
 * bigint, undefined and typed arrays come back as they went), or what a codec makes of them.
 */
export type ValueEncoding<V> = 'utf8' | 'json' | 'binary' | 'msgpack' | ValueCodec<V>

/** The value encodings that need nothing but their name. */
export type BuiltInEncoding = 'utf8' | 'json' | 'binary' | 'msgpack'

/** What values are if nothing but the name of their encoding says so. */
export type ValueOf<E> = 0 extends 1 & E
  ? E
  : E extends 'binary'
    ? Uint8Array
    : E extends 'json' | 'msgpack'
      ? unknown
      : string

/** What keys are given back as. */
export type KeyOf<E> = E extends 'binary' ? Uint8Array : E extends 'tuple' ? TupleKey : string

/** Options that fit values of the type `V`: whoever names another type than text also says how it is encoded. */
export type Encoded<V> = [V] extends [string]
  ? { valueEncoding?: 'utf8' | 'json' | 'msgpack' | ValueCodec<V> | undefined }
  : {
      valueEncoding: 'json' | 'msgpack' | ValueCodec<V> | ([V] extends [Uint8Array] ? 'binary' : never)
    }

/**
 * What becomes of the name of an encoding that is stored with the records. `'check'`: it must be the given one.
 * `'replace'`: the given one takes its place; no record is changed. `'ignore'`: it is not looked at, and stays.
 */
export type StoredEncoding = 'check' | 'replace' | 'ignore'

/** Characters or bytes of a key that a message shows. */
const SHOWN = 64

/** @internal A key, or what was given as one, as a message shows it. */
export const quoted = (key: TupleKey): string => {
  if (typeof key === 'string') return `the key ${JSON.stringify(key.length > SHOWN ? `${key.slice(0, SHOWN)}…` : key)}`
  if (ArrayBuffer.isView(key)) {
    const bytes = key as Uint8Array
    return `the key ${hexOf(bytes.subarray(0, SHOWN / 2))}${bytes.length > SHOWN / 2 ? '…' : ''}`
  }
  const text = tupleText(key)
  return `the key ${text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text}`
}

/** Of what was given as a key, and may be none. */
const tupleText = (key: unknown): string => {
  try {
    const text: string | undefined = JSON.stringify(key, (_, part: unknown) => {
      if (typeof part === 'bigint') return { bigint: String(part) }
      return ArrayBuffer.isView(part) ? hexOf(part as Uint8Array) : part
    })
    return text ?? typeof key
  } catch {
    return typeof key
  }
}

const hexOf = (bytes: Uint8Array): string =>
  `0x${Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')}`
