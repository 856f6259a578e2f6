/**
 * Replies as bytes, in RESP2 or RESP3. One writer serves all connections, one at a time: what a connection's requests
 * have answered is one stretch of a slab, which is used again once it has been sent.
 */

const SLAB_BYTES = 262144
const CRLF = 0x0a0d
/** Codes of errors that are counted, and how long they may be. */
const MOST_CODES = 128
const LONGEST_CODE = 64
const ERROR_MARK = 45
const OK = Buffer.from('+OK\r\n')
const NULL2 = Buffer.from('$-1\r\n')
const NULL3 = Buffer.from('_\r\n')
const NULL_ARRAY = Buffer.from('*-1\r\n')

/** A reply takes more than one may, or the replies to a client more than it may have unsent. */
export class TooMuchOutput extends Error {
  override name = 'TooMuchOutput'
}

export class ReplyWriter {
  /** Speaks RESP3 to the connection at hand. */
  resp3 = false
  /** How many errors were written with each code (`ERR`), those that were taken back included; of the first 128 codes. */
  readonly errors: Map<string, number> = new Map()
  private slab: Buffer = Buffer.allocUnsafeSlow(SLAB_BYTES)
  private start = 0
  private at = 0
  private limit = Number.POSITIVE_INFINITY
  /** That of the stretch. */
  private whole = Number.POSITIVE_INFINITY

  /** Begins a connection's stretch, which may take `limit` bytes. */
  begin(resp3: boolean, limit: number): void {
    this.resp3 = resp3
    this.whole = limit
    this.limit = limit
    this.start = this.at
  }

  /** What is written from now on may take so many bytes, and no more than is left of the stretch. */
  limitNext(bytes: number): void {
    this.limit = Math.min(this.whole, this.at - this.start + bytes)
  }

  /** Ends the stretch and gives it out; undefined if it is empty. */
  cut(): Buffer | undefined {
    if (this.at === this.start) return undefined
    const stretch = this.slab.subarray(this.start, this.at)
    this.start = this.at
    return stretch
  }

  /** Bytes of the stretch at hand; `truncate` takes back what was written since. */
  get length(): number {
    return this.at - this.start
  }

  /** What was written of the stretch at hand since it had this length; it stays until something else is written. */
  since(length: number): Buffer {
    return this.slab.subarray(this.start + length, this.at)
  }

  /** What was written since is, or begins with, an error. */
  isErrorSince(length: number): boolean {
    const at = this.start + length
    return at < this.at && this.slab[at] === ERROR_MARK
  }

  truncate(length: number): void {
    this.at = this.start + length
  }

  /** Everything that was given out has been sent (`all`), or somebody still holds some of it. */
  reuse(all: boolean): void {
    if (all && this.slab.length === SLAB_BYTES) {
      this.start = 0
      this.at = 0
    } else if (!all || this.slab.length > SLAB_BYTES) {
      this.slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
      this.start = 0
      this.at = 0
    }
  }

  ok(): void {
    this.raw(OK)
  }

  simple(text: string): void {
    this.line('+', text)
  }

  /** `message` begins with its code: 'ERR …'. */
  error(message: string): void {
    const code = message.slice(0, Math.max(0, message.indexOf(' '))) || 'ERR'
    this.count(code)
    this.line('-', message.replace(/[\r\n]/g, ' '))
  }

  /** Scripts may make up codes: of these there is an end. */
  private count(code: string): void {
    const before = this.errors.get(code)
    if (before !== undefined) this.errors.set(code, before + 1)
    else if (code.length <= LONGEST_CODE && this.errors.size < MOST_CODES) this.errors.set(code, 1)
  }

  integer(value: number | bigint): void {
    if (typeof value === 'number' && value >= 0 && value < 10) {
      this.reserve(4)
      const { slab } = this
      slab[this.at] = 58
      slab[this.at + 1] = 48 + value
      slab[this.at + 2] = 13
      slab[this.at + 3] = 10
      this.at += 4
    } else this.line(':', String(value))
  }

  /** A bulk string in RESP2. */
  double(value: number): void {
    if (this.resp3) this.line(',', String(value))
    else this.text(String(value))
  }

  bulk(bytes: Uint8Array): void {
    this.bulkPart(bytes, 0, bytes.length)
  }

  bulkPart(bytes: Uint8Array, start: number, length: number): void {
    this.reserve(length + 24)
    this.header(36, length)
    const { slab } = this
    let { at } = this
    if (length <= 32) for (let i = 0; i < length; i++) slab[at + i] = bytes[start + i]!
    else slab.set(start === 0 && length === bytes.length ? bytes : bytes.subarray(start, start + length), at)
    at += length
    slab[at] = 13
    slab[at + 1] = 10
    this.at = at + 2
  }

  text(text: string): void {
    const length = Buffer.byteLength(text)
    this.reserve(length + 24)
    this.header(36, length)
    this.at += this.slab.write(text, this.at)
    this.at = this.slab.writeUInt16LE(CRLF, this.at)
  }

  /** Text of several lines, which RESP3 marks as such. */
  verbatim(text: string): void {
    if (!this.resp3) {
      this.text(text)
      return
    }
    const length = Buffer.byteLength(text) + 4
    this.reserve(length + 24)
    this.header(61, length)
    this.at += this.slab.write(`txt:${text}\r\n`, this.at)
  }

  null(): void {
    this.raw(this.resp3 ? NULL3 : NULL2)
  }

  nullArray(): void {
    this.raw(this.resp3 ? NULL3 : NULL_ARRAY)
  }

  array(length: number): void {
    this.reserve(24)
    this.header(42, length)
  }

  /** A set in RESP3. */
  set(length: number): void {
    this.reserve(24)
    this.header(this.resp3 ? 126 : 42, length)
  }

  /** `length` pairs: a map in RESP3, a flat array in RESP2. */
  map(length: number): void {
    this.reserve(24)
    if (this.resp3) this.header(37, length)
    else this.header(42, 2 * length)
  }

  /** Out of band in RESP3, an array in RESP2. */
  push(length: number): void {
    this.reserve(24)
    this.header(this.resp3 ? 62 : 42, length)
  }

  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length)
    const { slab, at } = this
    if (bytes.length <= 16) for (let i = 0; i < bytes.length; i++) slab[at + i] = bytes[i]!
    else slab.set(bytes, at)
    this.at = at + bytes.length
  }

  private line(mark: string, text: string): void {
    this.reserve(text.length + 8)
    this.at += this.slab.write(`${mark}${text}\r\n`, this.at, 'latin1')
  }

  private header(mark: number, length: number): void {
    const { slab } = this
    let { at } = this
    slab[at++] = mark
    if (length < 10) slab[at++] = 48 + length
    else if (length < 100) {
      slab[at++] = 48 + ((length / 10) | 0)
      slab[at++] = 48 + (length % 10)
    } else if (length < 1000) {
      slab[at++] = 48 + ((length / 100) | 0)
      slab[at++] = 48 + (((length / 10) | 0) % 10)
      slab[at++] = 48 + (length % 10)
    } else at += slab.write(String(length), at)
    slab[at++] = 13
    slab[at++] = 10
    this.at = at
  }

  private reserve(bytes: number): void {
    if (this.at + bytes <= this.slab.length) {
      if (this.at - this.start + bytes > this.limit) throw new TooMuchOutput('too much output')
      return
    }
    const used = this.at - this.start
    if (used + bytes > this.limit) throw new TooMuchOutput('too much output')
    const larger = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, 2 * (used + bytes)))
    larger.set(this.slab.subarray(this.start, this.at))
    this.slab = larger
    this.start = 0
    this.at = used
  }
}
