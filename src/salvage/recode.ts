/**
 * The values of one key space in another encoding: each is decoded, encoded anew, and read again, so that none changes
 * on the way. `'utf8'` and `'binary'` hold the same bytes; of all others a value stays the same value.
 */
import { decodedNote } from '../database/sub-spaces.ts'
import type { EncodingNames } from '../engine/create.ts'
import { DecodeError, EncodeError, InvalidArgumentError, shown, XenonError } from '../errors.ts'
import { COMPRESSED, FLAGS_OF, kindOf } from '../records/record-values.ts'
import { describe, isBytes, isWellFormed } from '../runtime/bytes.ts'
import type { Deflate } from '../runtime/deflate.ts'
import type { BuiltInEncoding } from '../types.ts'
import { Compression, compressionOf } from '../values/compression.ts'
import { jsonText } from '../values/encoding.ts'
import { type KeyCodec, keyCodec } from '../values/key-codec.ts'
import { MAX_VALUE_BYTES, valueTooLarge } from '../values/limits.ts'
import { msgpackEncoding } from '../values/msgpack.ts'
import type { Domain } from './domain.ts'
import type { Source } from './source.ts'

/** What is asked for: of the root, or of the sub-database with these names, from the outermost on. */
export interface Recode {
  readonly path: readonly string[]
  readonly to: BuiltInEncoding
}

interface Way {
  read(bytes: Uint8Array): unknown
  write(value: unknown): Uint8Array
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const utf8 = new TextEncoder()

const BUILT_IN: Readonly<Record<BuiltInEncoding, Way>> = {
  utf8: {
    read: bytes => strict.decode(bytes),
    write: value => {
      if (typeof value !== 'string') throw new TypeError(`it is ${describe(value)}, not text`)
      if (!isWellFormed(value)) throw new TypeError('it has a lone surrogate, which UTF-8 cannot hold')
      return utf8.encode(value)
    },
  },
  json: { read: bytes => JSON.parse(strict.decode(bytes)), write: value => utf8.encode(jsonText(value)) },
  binary: {
    read: bytes => bytes,
    write: value => {
      if (!isBytes(value)) throw new TypeError(`it is ${describe(value)}, not bytes`)
      return value
    },
  },
  msgpack: {
    read: bytes => msgpackEncoding().decode(bytes),
    write: value => msgpackEncoding().encode(value),
  },
}

/** @throws InvalidArgumentError, or XenonError `XENON_NOT_SUPPORTED` if its package is missing. */
export const requireBuiltIn = (encoding: unknown): void => {
  if (!Object.hasOwn(BUILT_IN, encoding as string))
    throw new InvalidArgumentError(
      `convert() writes values as 'utf8', 'json', 'binary' or 'msgpack', not as ${shown(encoding)}`,
    )
  if (encoding === 'msgpack') msgpackEncoding()
}

/** @throws InvalidArgumentError unless values of what is stored can be read by the name of their encoding alone. */
export const requireReadable = ({ valueEncoding }: EncodingNames): void => {
  if (Object.hasOwn(BUILT_IN, valueEncoding)) return
  throw new InvalidArgumentError(
    valueEncoding === ''
      ? 'nothing says which encoding the values are of: open it once with the right valueEncoding and write a record, which stores that name'
      : `the values are of the encoding '${shown(valueEncoding)}', which is not built in: convert() cannot read them; write them into a new database yourself`,
  )
}

export const missingSub = (path: readonly string[]): XenonError =>
  new XenonError('XENON_NOT_FOUND', `there is no sub-database ${path.map(name => `'${shown(name)}'`).join(', in it ')}`)

/** @throws XenonError `XENON_NOT_FOUND`, InvalidArgumentError */
export const recodingOf = (
  { path, to }: Recode,
  domains: readonly Domain[],
  { metadata }: Source,
  deflate: Deflate | undefined,
): Recoding => {
  const isAsked = ({ found, isIndex }: Domain): boolean =>
    found === undefined
      ? path.length === 0
      : !isIndex && found.path.length === path.length && found.path.every((name, i) => name === path[i])
  const of = domains.find(isAsked)
  if (of === undefined) throw missingSub(path)
  const names = of.found === undefined ? metadata : decodedNote(of.found.facts.note)
  requireReadable(names)
  return new Recoding(of, names, to, deflate)
}

export class Recoding {
  /** The key space whose values are rewritten. */
  readonly of: Domain
  /** Of its encodings from now on. */
  readonly names: EncodingNames
  private readonly from: BuiltInEncoding
  private readonly to: BuiltInEncoding
  private readonly keys: KeyCodec
  private readonly deflate: Deflate | undefined

  constructor(of: Domain, { keyEncoding, valueEncoding }: EncodingNames, to: BuiltInEncoding, deflate?: Deflate) {
    this.of = of
    this.names = { keyEncoding, valueEncoding: to }
    this.from = valueEncoding as BuiltInEncoding
    this.to = to
    this.keys = keyCodec(keyEncoding || 'utf8')
    this.deflate = deflate
  }

  /**
   * Flags and bytes of a value, compressed as it was.
   * @throws DecodeError, EncodeError
   */
  recode(key: Uint8Array, flags: number, bytes: Uint8Array): [flags: number, bytes: Uint8Array] {
    if (this.from === this.to) return [flags, bytes]
    if ((flags & COMPRESSED) === 0) return [flags, this.plain(key, bytes)]
    const compression = this.compressionOf(key, flags, bytes)
    const { kind } = compression as { kind: 'deflate' | 'named' }
    const plain = this.plain(
      key,
      this.reading(key, () => compression.decompress(kind, bytes)),
    )
    const smaller = compression.compress(plain)
    return smaller === undefined ? [flags & ~COMPRESSED, plain] : [(flags & ~COMPRESSED) | FLAGS_OF[kind], smaller]
  }

  private compressionOf(key: Uint8Array, flags: number, bytes: Uint8Array): Compression {
    const kind = kindOf(flags)
    return this.reading(key, () => {
      if (kind === 'codec')
        throw new TypeError('it is compressed with a codec of your own, which convert() does not have')
      return new Compression(compressionOf(kind, bytes), this.deflate)
    })
  }

  private plain(key: Uint8Array, bytes: Uint8Array): Uint8Array {
    const { from, to } = this
    if (from === 'utf8' && to === 'binary') return bytes
    const value = this.reading(key, () => BUILT_IN[from].read(bytes))
    try {
      if (from === 'binary' && to === 'utf8') {
        strict.decode(bytes)
        return bytes
      }
      const written = BUILT_IN[to].write(value)
      if (written.length > MAX_VALUE_BYTES) throw valueTooLarge(written.length)
      if (!isSame(value, BUILT_IN[to].read(written))) throw new TypeError('it would come back as another value')
      return written
    } catch (error) {
      throw new EncodeError(this.keys.ofError(key), to, error)
    }
  }

  private reading<T>(key: Uint8Array, read: () => T): T {
    try {
      return read()
    } catch (error) {
      throw new DecodeError(this.keys.ofError(key), this.from, error)
    }
  }
}

/** Of what JSON can hold, and of bytes; whatever else there is, it is another value once it was JSON. */
const isSame = (a: unknown, b: unknown): boolean => {
  if (Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (isBytes(a)) return isBytes(b) && a.length === b.length && a.every((byte, i) => byte === b[i])
  if (Array.isArray(a))
    return Array.isArray(b) && a.length === b.length && b.every((item, i) => isSame(a[i] as unknown, item))
  if (!isPlain(a) || !isPlain(b)) return false
  const names = Object.keys(a)
  return (
    names.length === Object.keys(b).length && names.every(name => Object.hasOwn(b, name) && isSame(a[name], b[name]))
  )
}

const isPlain = (value: object): value is Record<string, unknown> => {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
