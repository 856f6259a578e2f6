/**
 * Memory and text, the two things every layer above touches.
 *
 * An `Arena` is the one ArrayBuffer of an open database: scratch space, the log's buffer and the frames of the
 * buffer pool lie in it side by side, so that bytes travel between them by `copyWithin` (14 ns for 120 bytes here,
 * where `set(subarray)` takes 33) and a block access allocates nothing. The typed arrays are views of the whole
 * arena; a position is a byte offset into it.
 */

/** A byte array that can also read and write UTF-8 text without an intermediate object. */
export interface TextBytes extends Uint8Array {
  utf8Slice(start: number, end: number): string
  /** Writes as much of `text` as fits; returns the bytes written. */
  utf8Write(text: string, start: number): number
}

/** The name of a typed array's kind, undefined for everything else: it asks the object itself, not its prototypes. */
const kindOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)!
  .get as (this: unknown) => string | undefined

/** A Uint8Array (a Buffer too), of whichever realm: of a `vm` context, say, whose Uint8Array is another class. */
export const isBytes = (value: unknown): value is Uint8Array =>
  ArrayBuffer.isView(value) && (value instanceof Uint8Array || kindOf.call(value) === 'Uint8Array')

/** True when the buffer below was transferred: the bytes look empty then. */
export const isDetached = (bytes: Uint8Array): boolean => {
  if (bytes.byteLength > 0) return false
  try {
    return new Uint8Array(bytes.buffer).length < 0
  } catch {
    return true
  }
}

/** What a value is that should have been something else, for messages. */
export const describe = (value: unknown): string => {
  if (value === null) return 'null'
  if (typeof value !== 'object') return typeof value
  if (Array.isArray(value)) return 'an array'
  if (typeof (value as { then?: unknown }).then === 'function') return 'a promise'
  const name = Object.prototype.toString.call(value).slice(8, -1)
  const article = /^[AEIO]/.test(name) ? 'an' : 'a'
  if (!ArrayBuffer.isView(value))
    return name.endsWith('ArrayBuffer') ? `${article} ${name} (wrap it: new Uint8Array(buffer))` : 'object'
  return `${article} ${name} (wrap it: new Uint8Array(view.buffer, view.byteOffset, view.byteLength))`
}

interface BufferLike {
  from(buffer: ArrayBuffer, byteOffset?: number, length?: number): TextBytes
}

/** Gives a view text methods: Node's Buffer where there is one (Node, Bun, Deno), else TextEncoder and TextDecoder. */
export const textBytes = (
  buffer: ArrayBuffer,
  offset: number = 0,
  length: number = buffer.byteLength - offset,
): TextBytes => {
  const native = (globalThis as unknown as { Buffer?: BufferLike }).Buffer
  if (native?.from) return native.from(buffer, offset, length)
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  const encoder = new TextEncoder()
  const view = new Uint8Array(buffer, offset, length)
  return Object.assign(view, {
    utf8Slice: (start: number, end: number): string => decoder.decode(view.subarray(start, end)),
    utf8Write: (text: string, start: number): number => encoder.encodeInto(text, view.subarray(start)).written,
  }) as TextBytes
}

/** Wraps bytes that are not part of an arena. */
export const asText = (bytes: Uint8Array): TextBytes =>
  textBytes(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength)

export class Arena {
  buffer: ArrayBuffer
  u8: TextBytes
  u16: Uint16Array
  u32: Uint32Array

  constructor(byteLength: number) {
    this.buffer = new ArrayBuffer(byteLength)
    this.u8 = textBytes(this.buffer)
    this.u16 = new Uint16Array(this.buffer)
    this.u32 = new Uint32Array(this.buffer)
  }

  /**
   * Moves to a larger buffer. Nobody may hold on to one of the views across this.
   * @throws RangeError, with nothing changed, if there is not so much memory.
   */
  grow(byteLength: number): void {
    const old = this.u8
    const buffer = new ArrayBuffer(byteLength)
    this.buffer = buffer
    this.u8 = textBytes(this.buffer)
    this.u16 = new Uint16Array(this.buffer)
    this.u32 = new Uint32Array(this.buffer)
    this.u8.set(old)
  }

  /** Fills [start, end) with zeros; both are multiples of 4. */
  clear(start: number, end: number): void {
    this.u32.fill(0, start >>> 2, end >>> 2)
  }

  /** A window for system calls. */
  window(position: number, length: number): Uint8Array {
    return this.u8.subarray(position, position + length)
  }
}

const TWO_32 = 4294967296

/** Reads an unsigned 64-bit number (below 2^53) at index `word` of a u32 view. */
export const readU64 = (u32: Uint32Array, word: number): number => u32[word]! + u32[word + 1]! * TWO_32

export const writeU64 = (u32: Uint32Array, word: number, value: number): void => {
  u32[word] = value % TWO_32
  u32[word + 1] = Math.floor(value / TWO_32)
}

export const alignUp = (value: number, alignment: number): number => Math.ceil(value / alignment) * alignment

export const toHex = (bytes: Uint8Array): string => Array.from(bytes, b => b.toString(16).padStart(2, '0')).join('')

/** An end of a range. */
export interface Bound {
  readonly key: Uint8Array
  /** The key itself belongs to the range. */
  readonly inclusive: boolean
}

export interface Bounds {
  readonly lower: Bound | undefined
  readonly upper: Bound | undefined
}

/** Bytes up to which a text is put together from its characters, for less than a call of a decoder takes. */
const SHORT_TEXT = 24

/** The text of bytes that are few, and ASCII; of others undefined. */
export const shortText = (bytes: Uint8Array, start: number, end: number): string | undefined => {
  if (end - start > SHORT_TEXT) return undefined
  let text = ''
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!
    if (byte > 127) return undefined
    text += String.fromCharCode(byte)
  }
  return text
}

/** Bytewise order, a prefix before what it begins. */
export const compareBytes = (a: Uint8Array, b: Uint8Array): number => {
  const shared = Math.min(a.length, b.length)
  for (let i = 0; i < shared; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return a.length - b.length
}

/** Bytes up to which a loop takes less time than a call into the engine. */
const SHORT = 64

export const copyBytes = (bytes: Uint8Array, start: number, end: number): Uint8Array => {
  const length = end - start
  const copy = new Uint8Array(length)
  if (length > SHORT) copy.set(bytes.subarray(start, end))
  else for (let i = 0; i < length; i++) copy[i] = bytes[start + i]!
  return copy
}

/** Whether text has no half of a surrogate pair alone, which UTF-8 cannot tell. */
export const isWellFormed = (text: string): boolean => (text as unknown as { isWellFormed(): boolean }).isWellFormed()
