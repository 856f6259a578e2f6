/** Commands as bytes: an array of byte strings each, as the Redis protocol has it. */
import { isBytes } from '../runtime/bytes.ts'

/** An argument of a command: text goes as UTF-8, a number as its decimal digits. */
export type Argument = string | Uint8Array | number | bigint

/** Bytes from this length on are not copied. */
const LARGE = 16384
/** A larger chunk goes with what was sent in it. */
const KEPT = 65536

/** The commands of one socket write. */
export class CommandEncoder {
  private chunk: Buffer = Buffer.allocUnsafe(1024)
  private length = 0
  private done: Uint8Array[] = []

  add(args: readonly Argument[]): void {
    this.header('*', args.length)
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
    // The socket may keep what it was given.
    const rest = this.chunk.subarray(this.length)
    this.chunk = rest.buffer.byteLength > KEPT ? Buffer.allocUnsafe(1024) : rest
    this.length = 0
    return chunks
  }

  private header(kind: '*' | '$', count: number): void {
    const text = `${kind}${count}\r\n`
    this.reserve(text.length)
    this.length += this.chunk.write(text, this.length, 'latin1')
  }

  private text(text: string): void {
    const length = text.length > LARGE ? LARGE + 1 : Buffer.byteLength(text)
    if (length > LARGE) {
      this.bytes(Buffer.from(text))
      return
    }
    this.header('$', length)
    this.reserve(length + 2)
    this.length += this.chunk.write(text, this.length)
    this.end()
  }

  private bytes(bytes: Uint8Array): void {
    this.header('$', bytes.length)
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
    const larger = Buffer.allocUnsafe(Math.max(1024, (this.length + bytes) * 2))
    larger.set(this.chunk.subarray(0, this.length))
    this.chunk = larger
  }
}
