/**
 * Tuples as bytes that are ordered as the tuples are: byte by byte what `compareBytes` says of two encodings is what
 * the order of keys says of the two values. The ideas are those of FoundationDB's tuple layer: a byte that tells the
 * type, text and bytes that end with a zero, numbers whose magnitude reads from the left.
 *
 *   null    02
 *   false   03
 *   true    04
 *   number  05       at most -2^53                         \  bytes of the magnitude, all complemented
 *           06 - 0D  negative, 7 to 0 bytes of whole part  /
 *           0E - 15  from 0, 0 to 7 bytes of whole part    \  bytes of the magnitude
 *           16       2^53 and more                         /
 *   text    18       its UTF-8, escaped, 00
 *   bytes   19       the bytes, escaped, 00
 *   array   1A       its items, 00
 *
 *   escaped:    00 is 01 01, and 01 is 01 02
 *   magnitude:  0 to 7 bytes of whole part, then a tag: 0 a number, 1 a bigint, 2 a fraction follows (the magnitude as
 *               a double, 8 bytes)
 *               2^53 and more: the largest double up to it, 8 bytes, then a tag: 0 a number, 1 a bigint, 2 a bigint,
 *               and what the double lacks of it follows (u16 number of bytes, the bytes)
 *
 * The types are control characters, which hardly any key of plain text begins with: bytes of another key encoding are
 * refused rather than taken for a tuple.
 *
 * Invariants
 *  K1  Encodings are ordered as their values; -0 is 0, and of a number and a bigint that are equal the number is first.
 *  K2  No encoding is the beginning of another one: those that are joined are ordered by the first, then by the second.
 */
import { InvalidArgumentError } from '../errors.ts'
import { asText, copyBytes, describe, isBytes, isDetached, isWellFormed } from '../runtime/bytes.ts'
import type { TupleKey } from '../types.ts'
import { keyTooLarge, MAX_KEY_BYTES } from './limits.ts'

const END = 0x00
const ESCAPE = 0x01
const NULL = 0x02
const FALSE = 0x03
const TRUE = 0x04
const LARGEST_NEGATIVE = 0x05
const NEGATIVE = 0x0d
const POSITIVE = 0x0e
const LARGEST = 0x16
const TEXT = 0x18
const BYTES = 0x19
const ARRAY = 0x1a

const NUMBER_TAG = 0
const BIGINT_TAG = 1
const MORE_TAG = 2

/** Whole numbers below it are exact as numbers, and have at most 7 bytes. */
const TWO_53 = 2 ** 53
/** Bytes of a whole part below 2^53 are written one by one; a larger magnitude is a double. */
const DOUBLE_BYTES = 8

const utf8 = /* @__PURE__ */ new TextEncoder()
const double = new DataView(new ArrayBuffer(DOUBLE_BYTES))

/**
 * The key as bytes, at most 1024.
 * @throws XenonError `XENON_KEY_TOO_LARGE`; `XENON_INVALID_ARGUMENT` for what is no key: NaN, undefined, objects, text
 *   with a lone surrogate.
 */
export const encodeTuple = (key: TupleKey): Uint8Array => written(writer => writer.value(key))

/** What every array begins with whose first items are these: they are the beginning of its encoding. */
export const tuplePrefix = (items: readonly TupleKey[]): Uint8Array => written(writer => writer.begin(items))

/** Encodings one behind the other, which are ordered by the first of them, then by the second, and so on (K2). */
export const joinTuples = (...encodings: readonly Uint8Array[]): Uint8Array => {
  const joined = new Uint8Array(encodings.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const encoding of encodings) {
    joined.set(encoding, at)
    at += encoding.length
  }
  return joined
}

/**
 * The key that the bytes are the encoding of; numbers, text and bytes share no memory with them.
 * @throws InvalidArgumentError if they are none.
 */
export const decodeTuple = (bytes: Uint8Array): TupleKey => {
  const reader = new TupleReader(bytes, 0, bytes.length)
  const key = reader.value()
  if (reader.at !== bytes.length) throw reader.error()
  return key
}

/** Where the encoding ends that begins at `start`: behind it lies what was joined to it. */
export const tupleEnd = (bytes: Uint8Array, start: number): number => {
  const reader = new TupleReader(bytes, start, bytes.length)
  reader.value()
  return reader.at
}

class TupleWriter {
  private readonly bytes: Uint8Array = new Uint8Array(MAX_KEY_BYTES)
  private at = 0

  /** What `write` has written, as bytes of their own. */
  collect(write: (writer: TupleWriter) => void): Uint8Array {
    this.at = 0
    write(this)
    return copyBytes(this.bytes, 0, this.at)
  }

  value(key: unknown): void {
    if (typeof key === 'string') this.text(key)
    else if (typeof key === 'number') this.number(key)
    else if (Array.isArray(key)) {
      this.begin(key)
      this.byte(END)
    } else if (typeof key === 'bigint') this.bigint(key)
    else if (typeof key === 'boolean') this.byte(key ? TRUE : FALSE)
    else if (key === null) this.byte(NULL)
    else if (isBytes(key)) this.octets(key)
    else throw noKey(key)
  }

  /** An array without its end. */
  begin(items: readonly unknown[]): void {
    this.byte(ARRAY)
    for (let i = 0; i < items.length; i++) this.value(items[i])
  }

  private number(value: number): void {
    if (Number.isNaN(value))
      throw new InvalidArgumentError('NaN cannot be a key, or a part of one: it has no place in the order of numbers')
    const start = this.at
    const isNegative = value < 0
    const magnitude = isNegative ? -value : value
    // K1: of two equal ones, the number comes before the bigint.
    const tag = isNegative ? BIGINT_TAG : NUMBER_TAG
    if (magnitude >= TWO_53) {
      this.byte(LARGEST)
      this.double(magnitude)
      this.byte(tag)
    } else {
      const whole = Math.floor(magnitude)
      this.whole(whole)
      if (whole === magnitude) this.byte(tag)
      else {
        this.byte(MORE_TAG)
        this.double(magnitude)
      }
    }
    if (isNegative) this.complement(start)
  }

  private bigint(value: bigint): void {
    const start = this.at
    const isNegative = value < 0n
    const magnitude = isNegative ? -value : value
    const tag = isNegative ? NUMBER_TAG : BIGINT_TAG
    if (magnitude < TWO_53) {
      this.whole(Number(magnitude))
      this.byte(tag)
    } else {
      const below = doubleUpTo(magnitude)
      this.byte(LARGEST)
      this.double(below)
      this.rest(magnitude - BigInt(below), tag)
    }
    if (isNegative) this.complement(start)
  }

  /** The type of a number from 0 below 2^53, and its whole part. */
  private whole(whole: number): void {
    let length = 0
    for (let rest = whole; rest >= 1; rest /= 256) length++
    this.byte(POSITIVE + length)
    this.require(length)
    this.at += length
    for (let at = this.at - 1, rest = whole; rest >= 1; at--, rest = Math.floor(rest / 256)) this.bytes[at] = rest % 256
  }

  /** What the double before it lacks of a bigint. */
  private rest(rest: bigint, tag: number): void {
    if (rest === 0n) {
      this.byte(tag)
      return
    }
    const hex = rest.toString(16)
    const length = (hex.length + 1) >>> 1
    this.require(3 + length)
    this.byte(MORE_TAG)
    this.byte(length >>> 8)
    this.byte(length & 0xff)
    for (let end = hex.length - 2 * (length - 1); end <= hex.length; end += 2)
      this.byte(Number.parseInt(hex.slice(Math.max(0, end - 2), end), 16))
  }

  private double(value: number): void {
    this.require(DOUBLE_BYTES)
    double.setFloat64(0, value)
    for (let i = 0; i < DOUBLE_BYTES; i++) this.bytes[this.at++] = double.getUint8(i)
  }

  private complement(start: number): void {
    // The types of negative numbers mirror those of the others.
    this.bytes[start] = NEGATIVE + POSITIVE - this.bytes[start]!
    for (let at = start + 1; at < this.at; at++) this.bytes[at] = ~this.bytes[at]!
  }

  private text(text: string): void {
    const { length } = text
    this.require(length + 2)
    const { bytes } = this
    let { at } = this
    bytes[at++] = TEXT
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i)
      if (code > 127 || code <= ESCAPE) {
        // Not so plain.
        if (!isWellFormed(text))
          throw new InvalidArgumentError('text in a key must be well-formed Unicode: this one has a lone surrogate')
        this.escaped(TEXT, utf8.encode(text))
        return
      }
      bytes[at++] = code
    }
    bytes[at++] = END
    this.at = at
  }

  private octets(bytes: Uint8Array): void {
    if (isDetached(bytes)) throw new InvalidArgumentError('bytes in a key lie in a buffer that was detached')
    this.escaped(BYTES, bytes)
  }

  private escaped(type: number, source: Uint8Array): void {
    this.byte(type)
    for (let i = 0; i < source.length; i++) {
      const byte = source[i]!
      if (byte > ESCAPE) this.byte(byte)
      else {
        this.byte(ESCAPE)
        this.byte(byte + 1)
      }
    }
    this.byte(END)
  }

  private byte(byte: number): void {
    if (this.at === MAX_KEY_BYTES) this.require(1)
    this.bytes[this.at++] = byte
  }

  private require(length: number): void {
    if (this.at + length > MAX_KEY_BYTES) throw keyTooLarge(this.at + length)
  }
}

/** Getters of an array may come back here: whoever finds no writer takes one of their own. */
let idle: TupleWriter | undefined = /* @__PURE__ */ new TupleWriter()

const written = (write: (writer: TupleWriter) => void): Uint8Array => {
  const writer = idle ?? new TupleWriter()
  idle = undefined
  try {
    return writer.collect(write)
  } finally {
    idle = writer
  }
}

/** The largest double that is not above a bigint from 2^53. */
const doubleUpTo = (magnitude: bigint): number => {
  const nearest = Number(magnitude)
  if (nearest === Number.POSITIVE_INFINITY) return Number.MAX_VALUE
  if (BigInt(nearest) <= magnitude) return nearest
  double.setFloat64(0, nearest)
  double.setBigUint64(0, double.getBigUint64(0) - 1n)
  return double.getFloat64(0)
}

/** Reads encodings between `at` and `end`. */
export class TupleReader {
  at: number
  private readonly bytes: Uint8Array
  private readonly start: number
  private readonly end: number
  /** 0xff while a negative number is read. */
  private mask = 0

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.bytes = bytes
    this.at = start
    this.start = start
    this.end = end
  }

  value(): TupleKey {
    const type = this.byte()
    if (type === TEXT) return this.text()
    if (type >= POSITIVE && type <= LARGEST) return this.number(type, 0)
    if (type >= LARGEST_NEGATIVE && type <= NEGATIVE) return this.number(NEGATIVE + POSITIVE - type, 0xff)
    if (type === ARRAY) return this.array()
    if (type === BYTES) return this.octets()
    if (type === NULL) return null
    if (type === FALSE || type === TRUE) return type === TRUE
    this.at--
    throw this.error()
  }

  error(): InvalidArgumentError {
    return new InvalidArgumentError(
      `the bytes are no tuple: there is nothing of that kind at byte ${this.at - this.start}`,
    )
  }

  private byte(): number {
    if (this.at >= this.end) throw this.error()
    return this.bytes[this.at++]! ^ this.mask
  }

  private array(): TupleKey[] {
    const items: TupleKey[] = []
    while (this.at < this.end && this.bytes[this.at] !== END) items.push(this.value())
    this.byte()
    return items
  }

  private number(type: number, mask: number): number | bigint {
    this.mask = mask
    const magnitude = type === LARGEST ? this.large() : this.small(type - POSITIVE)
    this.mask = 0
    return mask === 0 ? magnitude : -magnitude
  }

  private small(length: number): number | bigint {
    let whole = 0
    for (let i = 0; i < length; i++) whole = whole * 256 + this.byte()
    return this.isWhole() ? (this.isBigint ? BigInt(whole) : whole) : this.double()
  }

  private large(): number | bigint {
    const below = this.double()
    if (!(below >= TWO_53)) throw this.error()
    const isWhole = this.isWhole()
    if (isWhole && !this.isBigint) return below
    if (below === Number.POSITIVE_INFINITY) throw this.error()
    if (isWhole) return BigInt(below)
    const length = this.byte() * 256 + this.byte()
    let hex = '0x0'
    for (let i = 0; i < length; i++) hex += this.byte().toString(16).padStart(2, '0')
    return BigInt(below) + BigInt(hex)
  }

  private isBigint = false

  /** Reads a tag; false if more of the number follows. */
  private isWhole(): boolean {
    const tag = this.byte()
    if (tag === MORE_TAG) return false
    if (tag !== NUMBER_TAG && tag !== BIGINT_TAG) throw this.error()
    this.isBigint = (tag === BIGINT_TAG) !== (this.mask !== 0)
    return true
  }

  private double(): number {
    for (let i = 0; i < DOUBLE_BYTES; i++) double.setUint8(i, this.byte())
    return double.getFloat64(0)
  }

  private text(): string {
    const { bytes, at } = this
    let text = ''
    for (let i = at; i < this.end; i++) {
      const byte = bytes[i]!
      if (byte === END) {
        this.at = i + 1
        return text
      }
      // Short plain text is put together here, for less than a call of the decoder takes.
      if (byte > 127 || byte === ESCAPE || i - at > LONGEST_PLAIN) break
      text += String.fromCharCode(byte)
    }
    const plain = asText(this.octets())
    return plain.utf8Slice(0, plain.length)
  }

  private octets(): Uint8Array {
    const { bytes, at } = this
    let end = at
    let escapes = 0
    while (end < this.end && bytes[end] !== END) {
      const isEscape = bytes[end] === ESCAPE
      if (isEscape) escapes++
      end += isEscape ? 2 : 1
    }
    const plain = new Uint8Array(end - at - escapes)
    for (let i = 0; i < plain.length; i++) {
      const byte = this.byte()
      plain[i] = byte === ESCAPE ? this.byte() - 1 : byte
    }
    if (this.byte() !== END) throw this.error()
    return plain
  }
}

/** Bytes up to which a text is put together from its characters. */
const LONGEST_PLAIN = 24

const noKey = (given: unknown): InvalidArgumentError =>
  new InvalidArgumentError(
    given instanceof Date
      ? 'a Date cannot be a key: use its getTime(), which orders as dates do'
      : `a key is a string, number, bigint, boolean, null or Uint8Array, or an array of these, not ${describe(given)}`,
  )
