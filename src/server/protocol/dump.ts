/**
 * A value as DUMP gives it and RESTORE takes it: an object of Redis's RDB, with a footer.
 *
 *   type u8 (0: string) · string · version of RDB u16 · CRC-64 (Jones) of all before it u64, both little-endian
 *
 * | string begins with | |
 * | --- | --- |
 * | `00xxxxxx` | that many bytes follow |
 * | `01xxxxxx` u8 | the same with 14 bits, big-endian |
 * | `0x80` u32, `0x81` u64 | the same, big-endian |
 * | `0xC0` i8, `0xC1` i16, `0xC2` i32 | a number in little-endian, for its decimal digits |
 * | `0xC3` | two lengths as above, compressed and not, and bytes that LZF has compressed |
 *
 * Strings have been the same in every version of RDB.
 */
import { crc64 } from './crc64.ts'
import { parseInteger } from './numbers.ts'

/** Of Redis 7.0. */
const VERSION = 10
const FOOTER_BYTES = 10
const STRING = 0
const LZF = 0xc3
/** Decimal digits and a sign of what 32 bits hold. */
const LONGEST_NUMBER = 11

export const encodeDump = (value: Uint8Array): Buffer => {
  const head = headOf(value)
  const body = head.isWhole ? 0 : value.length
  const dump = Buffer.allocUnsafe(1 + head.bytes.length + body + FOOTER_BYTES)
  dump[0] = STRING
  dump.set(head.bytes, 1)
  if (!head.isWhole) dump.set(value, 1 + head.bytes.length)
  const footer = dump.length - FOOTER_BYTES
  dump.writeUInt16LE(VERSION, footer)
  dump.writeBigUInt64LE(crc64(dump.subarray(0, footer + 2)), footer + 2)
  return dump
}

/** What stands before the bytes of a string; `isWhole`: it says all, since it is a number. */
const headOf = (value: Uint8Array): { bytes: Buffer; isWhole: boolean } => {
  const { length } = value
  const number = length <= LONGEST_NUMBER ? parseInteger(Buffer.from(value).toString('latin1')) : undefined
  if (number !== undefined && number >= -(2n ** 31n) && number < 2n ** 31n)
    return { bytes: encodeNumber(Number(number)), isWhole: true }
  if (length < 64) return { bytes: Buffer.of(length), isWhole: false }
  if (length < 16384) return { bytes: Buffer.of(0x40 | (length >> 8), length & 0xff), isWhole: false }
  const bytes = Buffer.alloc(5, 0x80)
  bytes.writeUInt32BE(length, 1)
  return { bytes, isWhole: false }
}

const encodeNumber = (number: number): Buffer => {
  const width = number >= -128 && number < 128 ? 0 : number >= -32768 && number < 32768 ? 1 : 2
  const bytes = Buffer.alloc(1 + 2 ** width, 0xc0 | width)
  bytes.writeIntLE(number, 1, 2 ** width)
  return bytes
}

/** Why bytes are no dump of a string: their footer is wrong, or what stands before it. */
export type DumpProblem = 'footer' | 'data'

/** The value of a dump of at most `most` bytes, or what is wrong with it; 'too long' if it is a longer one. */
export const decodeDump = (dump: Uint8Array, most: number): Uint8Array | DumpProblem | 'too long' => {
  const bytes = Buffer.from(dump.buffer, dump.byteOffset, dump.length)
  const footer = bytes.length - FOOTER_BYTES
  if (footer < 0 || crc64(bytes.subarray(0, footer + 2)) !== bytes.readBigUInt64LE(footer + 2)) return 'footer'
  if (bytes[0] !== STRING) return 'data'
  try {
    return new StringReader(bytes.subarray(0, footer), most).read()
  } catch (error) {
    if (error === tooLong) return 'too long'
    // Whatever it claims does not lie there.
    if (error instanceof RangeError) return 'data'
    throw error
  }
}

const tooLong = new RangeError('longer than a value may be')
const bad = (): never => {
  throw new RangeError('no string of RDB')
}

class StringReader {
  private readonly bytes: Buffer
  private readonly most: number
  private at = 1

  constructor(bytes: Buffer, most: number) {
    this.bytes = bytes
    this.most = most
  }

  /** The string that all of the bytes are. */
  read(): Uint8Array {
    const { bytes } = this
    const first = bytes.readUInt8(this.at)
    const value = first < 0xc0 ? this.take(this.length()) : first === LZF ? this.compressed() : this.number(first)
    return this.at === bytes.length ? value : bad()
  }

  /** @throws tooLong */
  private length(): number {
    const length = this.anyLength()
    if (length > this.most) throw tooLong
    return length
  }

  private anyLength(): number {
    const { bytes } = this
    const first = bytes.readUInt8(this.at++)
    if (first < 0x40) return first
    if (first < 0x80) return ((first & 0x3f) << 8) | bytes.readUInt8(this.at++)
    const width = first === 0x80 ? 4 : first === 0x81 ? 8 : bad()
    this.at += width
    return width === 4 ? bytes.readUInt32BE(this.at - 4) : Number(bytes.readBigUInt64BE(this.at - 8))
  }

  private take(length: number): Buffer {
    const from = this.at
    this.at += length
    return this.at <= this.bytes.length ? this.bytes.subarray(from, this.at) : bad()
  }

  private number(first: number): Buffer {
    const width = first <= 0xc2 ? 2 ** (first & 3) : bad()
    this.at += 1 + width
    return Buffer.from(String(this.bytes.readIntLE(this.at - width, width)))
  }

  private compressed(): Buffer {
    this.at++
    const compressed = this.length()
    const length = this.length()
    return expandLzf(this.take(compressed), length)
  }
}

/**
 * Bytes that LZF has compressed. `000lllll` and l + 1 bytes as they are; or `lllooooo` (l = 7: a byte more of the
 * length) and a byte more of the offset: l + 2 bytes from that far behind.
 */
const expandLzf = (from: Buffer, length: number): Buffer => {
  const to = Buffer.alloc(length)
  let written = 0
  for (let at = 0; at < from.length; ) {
    const control = from[at++]!
    let count = control >> 5
    if (count === 0) {
      count = control + 1
      if (at + count > from.length || written + count > length) bad()
      from.copy(to, written, at, at + count)
      at += count
      written += count
      continue
    }
    if (count === 7) count += from.readUInt8(at++)
    count += 2
    const back = written - ((control & 0x1f) << 8) - from.readUInt8(at++) - 1
    if (back < 0 || written + count > length) bad()
    // Byte by byte: what is copied may overlap what it is copied to.
    for (let i = 0; i < count; i++) to[written + i] = to[back + i]!
    written += count
  }
  return written === length ? to : bad()
}
