/**
 * `valueEncoding: 'msgpack'`: MessagePack by the package `msgpackr`, which is loaded when the first database asks for
 * it. With records (an extension of msgpackr: the names of an object's fields stand in front of its values), because
 * only so an object and a Map are told from each other. Each value is whole in itself.
 */
import { loadPackage } from '../runtime/packages.ts'
import type { ValueCodec } from '../types.ts'

interface Packr {
  pack(value: unknown): Uint8Array
  unpack(bytes: Uint8Array): unknown
  useBuffer(buffer: Uint8Array): void
}

interface Msgpackr {
  Packr: new (options: object) => Packr
}

const OPTIONS = { structuredClone: true, moreTypes: true, useRecords: true, copyBuffers: true }
/** Longer encodings leave a buffer behind that would be kept for the next one. */
const LONG = 65536
const FRESH = 8192

let codec: ValueCodec<unknown> | undefined

/** @throws XenonError `XENON_NOT_SUPPORTED` if the package is not installed. */
export const msgpackEncoding = (): ValueCodec<unknown> => {
  codec ??= makeCodec()
  return codec
}

const makeCodec = (): ValueCodec<unknown> => {
  const { Packr } = loadPackage<Msgpackr>('msgpackr', "valueEncoding 'msgpack'")
  const packr = new Packr(OPTIONS)
  return {
    name: 'msgpack',
    encode: value => {
      const bytes = packr.pack(value)
      if (bytes.length > LONG) packr.useBuffer(freshBuffer())
      return bytes
    },
    decode: bytes => packr.unpack(bytes),
  }
}

const freshBuffer = (): Uint8Array =>
  (globalThis as unknown as { Buffer: { allocUnsafeSlow(length: number): Uint8Array } }).Buffer.allocUnsafeSlow(FRESH)
