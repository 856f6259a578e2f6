/**
 * Compresses values, each by itself; one that does not shrink is stored plain. A value says what it was compressed with,
 * so that a database reads all of its values whatever the option is now:
 *
 *   deflate   'deflated' in its record's flags
 *   codec     'encoded': with the caller's codec, which the option must give again
 *   named     both: the first byte of the value says with which of the compressors (NAMED)
 */

import { InvalidArgumentError, shown, XenonError } from '../errors.ts'
import { describe, isBytes } from '../runtime/bytes.ts'
import { letGo, requireCodec } from '../runtime/callbacks.ts'
import { COMPRESSORS, type CompressorName, compressor } from '../runtime/compressors.ts'
import type { Deflate } from '../runtime/deflate.ts'
import type { CompressionCodec, CompressionOption } from '../types.ts'
import { MAX_VALUE_BYTES } from './limits.ts'

/** Shorter values are not worth the time. */
const LEAST_BYTES = 64

/** What a named compressor's values begin with. */
const NAMED: Readonly<Record<CompressorName, number>> = { snappy: 1, brotli: 2, zstd: 3 }

/** How a value was compressed, as far as its record's flags tell. */
export type CompressionKind = 'deflate' | 'codec' | 'named'

export class Compression {
  /** What values are written with. */
  readonly kind: 'none' | CompressionKind
  /** What errors call it. */
  readonly name: string
  private readonly deflate: Deflate | undefined
  private readonly codec: CompressionCodec | undefined
  private readonly named: CompressorName | undefined

  constructor(option: CompressionOption, deflate: Deflate | undefined) {
    this.deflate = deflate
    this.codec = typeof option === 'object' ? option : undefined
    this.named = isNamed(option) ? option : undefined
    this.kind = isNamed(option) ? 'named' : typeof option === 'object' ? 'codec' : option
    this.name = typeof option === 'object' ? shown(option.name) : option
  }

  /** The compressed bytes, or undefined if they are not worth it. Whatever the codec throws comes out of here. */
  compress(bytes: Uint8Array): Uint8Array | undefined {
    if (bytes.length < LEAST_BYTES) return undefined
    const { named, codec } = this
    if (named !== undefined) {
      const compressed = compressor(named).compress(bytes)
      return compressed.length + 1 < bytes.length ? behind(NAMED[named], compressed) : undefined
    }
    const compressed: unknown = codec === undefined ? this.deflate!.compress(bytes) : codec.compress(bytes)
    if (!isBytes(compressed)) {
      letGo(compressed)
      throw new TypeError(`compress returned ${describe(compressed)}, not a Uint8Array`)
    }
    return compressed.length < bytes.length ? compressed : undefined
  }

  /** `kind` is what they were written with. Whatever the codec throws comes out of here. */
  decompress(kind: CompressionKind, bytes: Uint8Array): Uint8Array {
    if (kind === 'codec') return this.decode(bytes)
    if (kind === 'named') return decompressNamed(bytes)
    if (this.deflate === undefined)
      throw new InvalidArgumentError('the value is compressed with deflate, which this storage does not have')
    return this.deflate.decompress(bytes, MAX_VALUE_BYTES)
  }

  private decode(bytes: Uint8Array): Uint8Array {
    if (this.codec === undefined)
      throw new InvalidArgumentError(
        'the value was compressed with a codec of its own; open the database with compression: { name, compress, decompress }',
      )
    const plain: unknown = this.codec.decompress(bytes)
    if (isBytes(plain)) return plain
    letGo(plain)
    throw new TypeError(`decompress returned ${describe(plain)}, not a Uint8Array`)
  }
}

/**
 * The option `compression`, checked: what it names is there.
 * @throws InvalidArgumentError, or XenonError `XENON_NOT_SUPPORTED`
 */
export const checkedCompression = (
  given: unknown,
  storage: { readonly name: string; readonly deflate?: Deflate | undefined },
): CompressionOption => {
  if (given === 'none') return given
  if (isNamed(given)) {
    compressor(given)
    return given
  }
  if (given === 'deflate') {
    if (storage.deflate !== undefined) return given
    throw new InvalidArgumentError(
      `the storage '${storage.name}' has no deflate here; give a codec: { name, compress(bytes), decompress(bytes) }`,
    )
  }
  const codec = given as CompressionCodec | null
  if (typeof codec !== 'object' || typeof codec?.compress !== 'function' || typeof codec.decompress !== 'function')
    throw new InvalidArgumentError(
      `compression must be 'none', 'deflate', ${COMPRESSORS.map(name => `'${name}'`).join(', ')} or { name, compress(bytes), decompress(bytes) }`,
    )
  requireCodec('compression', codec, 'compress', 'decompress')
  return codec
}

const isNamed = (option: unknown): option is CompressorName => (COMPRESSORS as readonly unknown[]).includes(option)

/** What compresses other values in the way in which this one was; of a codec of the caller's own only that knows. */
export const compressionOf = (kind: Exclude<CompressionKind, 'codec'>, bytes: Uint8Array): CompressionOption =>
  kind === 'deflate' ? kind : compressorOf(bytes)

const decompressNamed = (bytes: Uint8Array): Uint8Array =>
  compressor(compressorOf(bytes)).decompress(bytes.subarray(1), MAX_VALUE_BYTES)

const compressorOf = (bytes: Uint8Array): CompressorName => {
  const name = COMPRESSORS.find(each => NAMED[each] === bytes[0])
  if (name === undefined)
    throw new XenonError(
      'XENON_NOT_SUPPORTED',
      `the value is compressed in way ${bytes[0]}, which this release does not know; read it with the release that wrote it`,
    )
  return name
}

const behind = (first: number, bytes: Uint8Array): Uint8Array => {
  const joined = new Uint8Array(bytes.length + 1)
  joined[0] = first
  joined.set(bytes, 1)
  return joined
}
