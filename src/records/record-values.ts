/**
 * The values of records: from a value field (its time of expiry, the pointer to a large value, compression) to what
 * callers get.
 */

import type { Space } from '../engine/space.ts'
import { CorruptionError, DecodeError, reasonOf, shown, XenonError } from '../errors.ts'
import { pointerAt } from '../hash/hash.ts'
import { LargeValues } from '../hash/large.ts'
import { RecordFlag } from '../pager/bucket.ts'
import { asText, copyBytes } from '../runtime/bytes.ts'
import type { Compression, CompressionKind } from '../values/compression.ts'
import { type Decode, encodingName, type LoadedEncoding, valueDecoder } from '../values/encoding.ts'
import type { KeyCodec } from '../values/key-codec.ts'
import type { Found } from './found.ts'

/** Flags of a record whose value is compressed; both: with the compressor that the value's first byte names. */
export const COMPRESSED: number = RecordFlag.deflated | RecordFlag.encoded

/** The flags of each kind of compression. */
export const FLAGS_OF: Readonly<Record<CompressionKind, number>> = {
  deflate: RecordFlag.deflated,
  codec: RecordFlag.encoded,
  named: COMPRESSED,
}

/** Of a value that is compressed. */
export const kindOf = (flags: number): CompressionKind => {
  if ((flags & COMPRESSED) === COMPRESSED) return 'named'
  return (flags & RecordFlag.encoded) === 0 ? 'deflate' : 'codec'
}

export class RecordValues<V> {
  /** @throws DecodeError that names the key that was looked for last. */
  readonly decode: Decode<V>
  /** Decoding a value runs none of the caller's code, which might come back into the database. */
  readonly decodesAlone: boolean
  /** Values are texts, or JSON. */
  readonly asTexts: boolean
  readonly fromJson: boolean
  private readonly space: Space
  private readonly keys: KeyCodec
  private readonly compression: Compression
  private readonly encodingName: string

  constructor(space: Space, encoding: LoadedEncoding<V>, compression: Compression, keys: KeyCodec) {
    this.space = space
    this.keys = keys
    this.compression = compression
    this.encodingName = encodingName(encoding)
    this.decodesAlone = typeof encoding === 'string'
    this.asTexts = encoding === 'utf8' || encoding === 'json'
    this.fromJson = encoding === 'json'
    const decode = valueDecoder(encoding)
    this.decode =
      encoding === 'utf8' || encoding === 'binary'
        ? decode
        : typeof encoding === 'string'
          ? (bytes, start, end) => {
              try {
                return decode(bytes, start, end)
              } catch (error) {
                throw this.cannotDecode(error, this.keyAtHand())
              }
            }
          : (bytes, start, end) => {
              // The caller's code may come back into the database and look for another key.
              const key = this.keyAtHand()
              try {
                return decode(bytes, start, end)
              } catch (error) {
                throw this.cannotDecode(error, key)
              }
            }
  }

  /** The value of what was found, if anything was. */
  of(found: Found | undefined): V | undefined {
    if (found === undefined) return undefined
    if (found.flags === 0) return this.decode(this.space.arena.u8, found.field, found.field + found.length)
    const bytes = this.bytesOf(found)
    return this.decode(asText(bytes), 0, bytes.length)
  }

  /** The value whose bytes are stored so, compressed as `flags` say. */
  ofStored(flags: number, bytes: Uint8Array): V {
    const plain = (flags & COMPRESSED) === 0 ? bytes : this.decompress(flags, bytes)
    return this.decode(asText(plain), 0, plain.length)
  }

  /** The bytes of the value, decompressed, as an array of their own. */
  bytesOf({ flags, field, length, asOf }: Found): Uint8Array {
    const { arena, pool, large } = this.space
    const start = pointerAt(field, flags)
    const bytes =
      (flags & RecordFlag.large) === 0
        ? copyBytes(arena.u8, start, field + length)
        : pool.readAsOf(asOf, () => large.read(LargeValues.pointer(arena, start)))
    return (flags & COMPRESSED) === 0 ? bytes : this.decompress(flags, bytes)
  }

  private decompress(flags: number, bytes: Uint8Array): Uint8Array {
    const key = this.keyAtHand()
    try {
      return this.compression.decompress(kindOf(flags), bytes)
    } catch (error) {
      if ((flags & RecordFlag.deflated) === 0) throw this.cannotDecode(error, key, this.compression.name)
      if (error instanceof XenonError) throw error
      const where = this.space.file.file.path
      const name = shown(this.keys.named(key))
      throw new CorruptionError(where, `the compressed value of '${name}' cannot be read: ${reasonOf(error)}`)
    }
  }

  /**
   * The error for bytes that are no value; one of the database itself, which the caller's code has met, stays what it
   * is.
   */
  cannotDecode(error: unknown, key: Uint8Array, encoding: string = this.encodingName): XenonError {
    return error instanceof XenonError ? error : new DecodeError(this.keys.ofError(key), encoding, error)
  }

  /** The key that was looked for last. */
  private keyAtHand(): Uint8Array {
    const { index, arena } = this.space
    return copyBytes(arena.u8, index.key.at, index.key.at + index.key.length)
  }
}
