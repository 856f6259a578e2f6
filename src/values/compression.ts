/** Compresses values, each by itself; one that does not shrink is stored plain. */

import { InvalidArgumentError, shown } from '../errors.ts'
import { describe, isBytes } from '../runtime/bytes.ts'
import { letGo } from '../runtime/callbacks.ts'
import type { Deflate } from '../runtime/deflate.ts'
import type { CompressionCodec } from '../types.ts'
import { MAX_VALUE_BYTES } from './limits.ts'

/** Shorter values are not worth the time. */
const LEAST_BYTES = 64

export class Compression {
  /** What values are written with. */
  readonly kind: 'none' | 'deflate' | 'codec'
  private readonly deflate: Deflate | undefined
  private readonly codec: CompressionCodec | undefined

  constructor(option: 'none' | 'deflate' | CompressionCodec, deflate: Deflate | undefined) {
    this.deflate = deflate
    this.codec = typeof option === 'object' ? option : undefined
    this.kind = typeof option === 'object' ? 'codec' : option
  }

  /** The compressed bytes, or undefined if they are not worth it. */
  compress(bytes: Uint8Array): Uint8Array | undefined {
    if (bytes.length < LEAST_BYTES) return undefined
    const compressed: unknown = this.codec === undefined ? this.deflate!.compress(bytes) : this.codec.compress(bytes)
    if (!isBytes(compressed)) {
      letGo(compressed)
      throw new InvalidArgumentError(
        `the compression '${this.codec?.name}' must give a Uint8Array, not ${describe(compressed)}`,
      )
    }
    return compressed.length < bytes.length ? compressed : undefined
  }

  /** `kind` is what they were written with. Whatever the codec throws comes out of here. */
  decompress(kind: 'deflate' | 'codec', bytes: Uint8Array): Uint8Array {
    if (kind === 'codec') {
      if (this.codec === undefined)
        throw new InvalidArgumentError(
          'the value was compressed with a codec of its own; open the database with compression: { name, compress, decompress }',
        )
      const plain: unknown = this.codec.decompress(bytes)
      if (isBytes(plain)) return plain
      letGo(plain)
      throw new TypeError(`decompress gave ${describe(plain)}, not a Uint8Array`)
    }
    if (this.deflate === undefined)
      throw new InvalidArgumentError('the value is compressed with deflate, which this storage does not have')
    return this.deflate.decompress(bytes, MAX_VALUE_BYTES)
  }

  /** What values are compressed with. */
  get name(): string {
    return this.codec === undefined ? 'deflate' : shown(this.codec.name)
  }
}
