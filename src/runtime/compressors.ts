/**
 * Ways to compress besides deflate: `'snappy'` by the package snappyjs, `'brotli'` and `'zstd'` by Node's zlib. Each is
 * loaded when a value is first compressed or decompressed with it.
 */
import { XenonError } from '../errors.ts'
import type { Deflate } from './deflate.ts'
import { builtinModule, loadPackage } from './packages.ts'

export const COMPRESSORS = ['snappy', 'brotli', 'zstd'] as const
export type CompressorName = (typeof COMPRESSORS)[number]

type Sync = (bytes: Uint8Array, options: object) => Uint8Array

interface Zlib {
  readonly constants: Record<string, number | undefined>
  readonly brotliCompressSync?: Sync
  readonly brotliDecompressSync?: Sync
  readonly zstdCompressSync?: Sync
  readonly zstdDecompressSync?: Sync
}

interface Snappy {
  compress(bytes: Uint8Array): Uint8Array
  uncompress(bytes: Uint8Array, most: number): Uint8Array
}

/** Node's own default, 11, takes a hundred times as long for a few percent. */
const BROTLI_QUALITY = 4

const loaded: Map<CompressorName, Deflate> = new Map()

/** @throws XenonError `XENON_NOT_SUPPORTED` if there is none of that name here. */
export const compressor = (name: CompressorName): Deflate => {
  let found = loaded.get(name)
  if (found === undefined) {
    found = MAKERS[name]()
    loaded.set(name, found)
  }
  return found
}

const brotli = (): Deflate => {
  const { brotliCompressSync, brotliDecompressSync, constants } = zlib('brotli', 'brotliCompressSync', 'Node')
  const params = { [constants.BROTLI_PARAM_QUALITY!]: BROTLI_QUALITY }
  return {
    compress: bytes =>
      brotliCompressSync!(bytes, { params: { ...params, [constants.BROTLI_PARAM_SIZE_HINT!]: bytes.length } }),
    decompress: (bytes, limit) => brotliDecompressSync!(bytes, { maxOutputLength: limit }),
  }
}

const zstd = (): Deflate => {
  const { zstdCompressSync, zstdDecompressSync } = zlib('zstd', 'zstdCompressSync', 'Node 22.15 or newer')
  return {
    compress: bytes => zstdCompressSync!(bytes, {}),
    decompress: (bytes, limit) => {
      const plain = zstdDecompressSync!(bytes, { maxOutputLength: limit })
      // Node does not say when the bytes end too early.
      const length = zstdLength(bytes)
      if (length === 0 || plain.length !== length)
        throw new Error(`zstd data of ${plain.length} bytes where ${length} were put`)
      return plain
    },
  }
}

/** What a frame says of the length of its content, after a magic number of 4 bytes (RFC 8878, 3.1.1.1). */
const zstdLength = (bytes: Uint8Array): number => {
  const descriptor = bytes[4] ?? 0
  const isSingle = (descriptor & 0x20) !== 0
  const start = 5 + (isSingle ? 0 : 1) + [0, 1, 2, 4][descriptor & 3]!
  const size = [isSingle ? 1 : 0, 2, 4, 8][descriptor >>> 6]!
  let length = size === 2 ? 256 : 0
  for (let i = 0; i < size; i++) length += (bytes[start + i] ?? 0) * 2 ** (8 * i)
  return length
}

const zlib = (name: CompressorName, needed: keyof Zlib, where: string): Zlib => {
  const found = builtinModule<Zlib>('node:zlib')
  if (typeof found?.[needed] === 'function') return found
  throw new XenonError('XENON_NOT_SUPPORTED', `compression '${name}' needs the zlib of ${where}, which is not here`)
}

const snappy = (): Deflate => {
  const { compress, uncompress } = loadPackage<Snappy>('snappyjs', "compression 'snappy'")
  return {
    compress,
    decompress: (bytes, limit) => {
      // It does not say when the bytes end too early.
      requireWhole(bytes)
      return uncompress(bytes, limit)
    },
  }
}

/** The length that the bytes begin with is the length of what they make (the format description of Snappy). */
const requireWhole = (bytes: Uint8Array): void => {
  let at = 0
  let length = 0
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++]
    if (byte === undefined || shift > 28) throw new Error('no length in front of snappy data')
    length += (byte & 0x7f) * 2 ** shift
    if (byte < 0x80) break
  }
  let made = 0
  while (at < bytes.length) {
    const tag = bytes[at++]!
    const kind = tag & 3
    if (kind === 0) {
      let literal = tag >>> 2
      if (literal >= 60) {
        const extra = literal - 59
        literal = 0
        for (let i = 0; i < extra; i++) literal += (bytes[at + i] ?? 0) * 2 ** (8 * i)
        at += extra
      }
      at += literal + 1
      made += literal + 1
    } else {
      made += kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1
      at += kind === 3 ? 4 : kind
    }
  }
  if (at !== bytes.length || made !== length) throw new Error(`snappy data of ${made} bytes where ${length} were put`)
}

const MAKERS: Readonly<Record<CompressorName, () => Deflate>> = { snappy, brotli, zstd }
