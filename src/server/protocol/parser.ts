/**
 * Requests out of the bytes of a connection, however they are cut: arrays of bulk strings, and inline commands.
 *
 * A request that has arrived whole in one chunk is read where it lies. What is left of a chunk is copied to a buffer of
 * the connection's own, which grows with what arrives, never with what a length announces. The texts of errors are
 * those of Redis.
 */
import { splitInline } from './inline.ts'
import type { Arguments } from './request.ts'

export interface RequestLimits {
  /** Arguments of a request. */
  arguments: number
  /** Bytes of one argument. */
  argumentBytes: number
  /** Bytes of a request that has not arrived whole. */
  queryBytes: number
}

/** A line (a length, or an inline command) may be so long. */
/** Limits of an argument are never lower (`maxArgumentBytes`): up to here nobody has to look at them. */
const LEAST_LIMIT = 1024
const LINE_BYTES = 65536
const SMALLEST_BUFFER = 4096
/** A buffer up to this size is kept for the next rest. */
const KEPT_BUFFER = 65536

/** `readNumber`: the line has not arrived whole, or is no number. */
const INCOMPLETE = -2
const INVALID = -3

const CR = 13
const LF = 10
const ASTERISK = 42
const DOLLAR = 36
const MINUS = 45
const ZERO = 48

const NO_BYTES = Buffer.alloc(0)

export type Step = 'request' | 'more' | 'failed'

export class RequestParser implements Arguments {
  source: Buffer = NO_BYTES
  readonly starts: number[] = []
  readonly ends: number[] = []
  count = 0
  /** What was wrong, after 'failed'. */
  problem = ''
  /** Limits of clients that have authenticated, and of others. */
  private readonly limits: RequestLimits
  private readonly strangers: RequestLimits
  trusted: boolean

  /** What has arrived is [base, end) of `input`; up to `position` it has been read. */
  private input: Buffer = NO_BYTES
  private base = 0
  private position = 0
  private end = 0
  private isOwn = false
  /** Arguments that the request at hand still lacks, and the length of the next one (-1: not known yet). */
  private missing = 0
  private bulk = -1
  private found = 0

  constructor(limits: RequestLimits, strangers: RequestLimits, trusted: boolean) {
    this.limits = limits
    this.strangers = strangers
    this.trusted = trusted
  }

  /** Bytes that have arrived and are not part of a request that was given out. */
  get waiting(): number {
    return this.end - this.base
  }

  /** Bytes of memory that it takes for them. */
  get held(): number {
    return this.isOwn ? this.input.length : this.waiting
  }

  /** In the middle of a request. */
  get isPartial(): boolean {
    return this.end > this.base
  }

  feed(chunk: Buffer): void {
    if (this.end === this.base) {
      this.input = chunk
      this.isOwn = false
      this.base = 0
      this.position = 0
      this.end = chunk.length
      return
    }
    this.makeRoom(chunk.length)
    this.input.set(chunk, this.end)
    this.end += chunk.length
  }

  /** To be called when no more is read from a chunk now: its rest is copied, since the chunk is not ours. */
  settle(): void {
    if (this.end === this.base) {
      if (!this.isOwn || this.input.length > KEPT_BUFFER) this.input = NO_BYTES
      this.base = 0
      this.position = 0
      this.end = 0
      this.source = NO_BYTES
      return
    }
    if (!this.isOwn) this.makeRoom(0)
  }

  /** Gives up what has not been read. */
  drop(): void {
    this.end = this.base
    this.position = this.base
    this.missing = 0
    this.settle()
  }

  private makeRoom(bytes: number): void {
    const length = this.end - this.base
    if (this.isOwn && this.end + bytes <= this.input.length) return
    const enough = this.isOwn && length + bytes <= this.input.length
    const target = enough ? this.input : Buffer.allocUnsafeSlow(Math.max(SMALLEST_BUFFER, 2 * length, length + bytes))
    // Copies within one buffer too.
    target.set(this.input.subarray(this.base, this.end), 0)
    for (let i = 0; i < this.found; i++) {
      this.starts[i] = this.starts[i]! - this.base
      this.ends[i] = this.ends[i]! - this.base
    }
    this.input = target
    this.isOwn = true
    this.position -= this.base
    this.base = 0
    this.end = length
  }

  /** The next request: then `source`, `starts`, `ends` and `count` say where it lies, until the next call. */
  next(): Step {
    for (;;) {
      if (this.missing === 0) {
        if (this.position === this.end) return this.more()
        this.found = 0
        if (this.input[this.position] !== ASTERISK) {
          const step = this.inline()
          if (step !== undefined) return step
          continue
        }
        const step = this.multibulk()
        if (step !== undefined) return step
        continue
      }
      const step = this.argument()
      if (step !== undefined) return step
      if (this.missing > 0) continue
      this.source = this.input
      this.count = this.found
      this.found = 0
      this.base = this.position
      return 'request'
    }
  }

  private more(): Step {
    const { queryBytes } = this.trusted ? this.limits : this.strangers
    if (this.end - this.base <= queryBytes) return 'more'
    return this.fail(`the request takes more than ${queryBytes} bytes (client-query-buffer-limit)`)
  }

  private fail(problem: string): Step {
    this.problem = `Protocol error: ${problem}`
    return 'failed'
  }

  private multibulk(): Step | undefined {
    const count = this.readNumber(this.position + 1)
    if (count === INCOMPLETE)
      return this.end - this.position > LINE_BYTES ? this.fail('too big mbulk count string') : this.more()
    if (count === INVALID || count > this.limits.arguments) return this.fail('invalid multibulk length')
    if (!this.trusted && count > this.strangers.arguments) return this.fail('unauthenticated multibulk length')
    this.position = this.lineEnd
    if (count <= 0) this.base = this.position
    else this.missing = count
    return undefined
  }

  private argument(): Step | undefined {
    if (this.bulk < 0) {
      if (this.position === this.end) return this.more()
      const first = this.input[this.position]!
      const length = first === DOLLAR ? this.readNumber(this.position + 1) : 0
      if (first !== DOLLAR) return this.fail(`expected '$', got '${String.fromCharCode(first)}'`)
      if (length === INCOMPLETE)
        return this.end - this.position > LINE_BYTES ? this.fail('too big bulk count string') : this.more()
      if (length < 0) return this.fail('invalid bulk length')
      if (length > LEAST_LIMIT && length > this.limits.argumentBytes)
        return this.fail(
          `invalid bulk length: ${length} bytes, of at most ${this.limits.argumentBytes} (proto-max-bulk-len)`,
        )
      if (!this.trusted && length > this.strangers.argumentBytes) return this.fail('unauthenticated bulk length')
      this.position = this.lineEnd
      this.bulk = length
    }
    const { position, bulk, input } = this
    if (this.end - position < bulk + 2) return this.more()
    if (input[position + bulk] !== CR || input[position + bulk + 1] !== LF)
      return this.fail('expected CRLF behind a bulk string')
    this.starts[this.found] = position
    this.ends[this.found] = position + bulk
    this.found++
    this.position = position + bulk + 2
    this.bulk = -1
    this.missing--
    return undefined
  }

  private lineEnd = 0

  /** The number that fills the line from `from` on; `lineEnd` is set behind its CRLF. */
  private readNumber(from: number): number {
    const { input, end } = this
    let at = from
    const negative = at < end && input[at] === MINUS
    if (negative) at++
    const digits = at
    let value = 0
    while (at < end) {
      const code = input[at]! - ZERO
      if (code < 0 || code > 9) break
      value = value * 10 + code
      at++
    }
    if (at >= end) return INCOMPLETE
    if (input[at] !== CR) {
      // Only a whole line is judged, as Redis does.
      const cr = input.indexOf(CR, at)
      return cr < 0 || cr + 1 >= end ? INCOMPLETE : INVALID
    }
    if (at + 1 >= end) return INCOMPLETE
    const length = at - digits
    if (input[at + 1] !== LF || length === 0 || length > 18) return INVALID
    if (input[digits] === ZERO && (length > 1 || negative)) return INVALID
    this.lineEnd = at + 2
    return negative ? -1 : value
  }

  private inline(): Step | undefined {
    const { input, position, end } = this
    const newline = input.subarray(position, end).indexOf(LF)
    if (newline < 0) return end - position > LINE_BYTES ? this.fail('too big inline request') : this.more()
    if (newline > LINE_BYTES) return this.fail('too big inline request')
    let stop = position + newline
    this.position = stop + 1
    if (stop > position && input[stop - 1] === CR) stop--
    const words = splitInline(input.subarray(position, stop))
    if (words === undefined) return this.fail('unbalanced quotes in request')
    this.base = this.position
    if (words.length === 0) return undefined
    if (!this.trusted && words.length > this.strangers.arguments) return this.fail('unauthenticated multibulk length')
    this.source = Buffer.concat(words)
    let at = 0
    words.forEach((word, i) => {
      this.starts[i] = at
      at += word.length
      this.ends[i] = at
    })
    this.count = words.length
    return 'request'
  }
}
