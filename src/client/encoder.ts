/** Commands as bytes: an array of byte strings each, as the Redis protocol has it. */
import { isBytes } from '../runtime/bytes.ts'

/** An argument of a command: text goes as UTF-8, a number as its decimal digits. */
export type Argument = string | Uint8Array | number | bigint

/** Bytes from this length on are not copied. */
const LARGE = 16384
/** A larger chunk goes with what was sent in it. */
const KEPT = 65536
/** Socket writes of the usual length that go into one chunk. */
const WRITES = 8
/** Up to so many characters a loop writes faster than the call of a native function. */
const SHORT = 64
/** Bytes of the longest header. */
const HEADER = 20

const ARRAY = 42 // *
const BYTES = 36 // $

/** The commands of one socket write. */
export class CommandEncoder {
  private chunk: Buffer = Buffer.allocUnsafe(1024)
  /** Bytes of the next chunk: several writes of the usual length go into one. */
  private room = 1024
  private length = 0
  private done: Uint8Array[] = []

  add(args: readonly Argument[]): void {
    this.header(ARRAY, args.length)
    for (const arg of args) {
      if (isBytes(arg)) this.bytes(arg)
      else this.text(typeof arg === 'string' ? arg : String(arg))
    }
  }

  /** What was added, in order. */
  take(): Uint8Array[] {
    if (this.length > 0) this.done.push(this.chunk.subarray(0, this.length))
    const chunks = this.done
    this.done = []
    this.room = Math.max(1024, Math.min(KEPT, WRITES * this.length))
    // The socket may keep what it was given.
    const rest = this.chunk.subarray(this.length)
    this.chunk = rest.buffer.byteLength > KEPT ? Buffer.allocUnsafe(1024) : rest
    this.length = 0
    return chunks
  }

  private header(kind: number, count: number): void {
    this.reserve(HEADER)
    const { chunk } = this
    let at = this.length
    chunk[at++] = kind
    let next = at + 1
    for (let bound = 10; count >= bound; bound *= 10) next++
    let rest = count
    for (at = next - 1; rest >= 10; rest = Math.floor(rest / 10)) chunk[at--] = 48 + (rest % 10)
    chunk[at] = 48 + rest
    this.length = next
    this.end()
  }

  private text(text: string): void {
    if (text.length <= SHORT && this.ascii(text)) return
    const length = text.length > LARGE ? LARGE + 1 : Buffer.byteLength(text)
    if (length > LARGE) {
      this.bytes(Buffer.from(text))
      return
    }
    this.header(BYTES, length)
    this.reserve(length + 2)
    this.length += this.chunk.write(text, this.length)
    this.end()
  }

  /** Writes a text of ASCII; false, with nothing written, if it is of more. */
  private ascii(text: string): boolean {
    const before = this.length
    this.header(BYTES, text.length)
    this.reserve(text.length + 2)
    const { chunk } = this
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i)
      if (code > 127) {
        this.length = before
        return false
      }
      chunk[this.length++] = code
    }
    this.end()
    return true
  }

  private bytes(bytes: Uint8Array): void {
    this.header(BYTES, bytes.length)
    if (bytes.length > LARGE) {
      this.done.push(this.chunk.subarray(0, this.length), bytes)
      this.chunk = this.chunk.subarray(this.length)
      this.length = 0
      this.reserve(2)
    } else {
      this.reserve(bytes.length + 2)
      this.chunk.set(bytes, this.length)
      this.length += bytes.length
    }
    this.end()
  }

  private end(): void {
    this.chunk[this.length++] = 13
    this.chunk[this.length++] = 10
  }

  private reserve(bytes: number): void {
    if (this.length + bytes <= this.chunk.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.room, (this.length + bytes) * 2))
    larger.set(this.chunk.subarray(0, this.length))
    this.chunk = larger
  }
}
