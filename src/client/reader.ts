/**
 * Replies of a server, RESP2 and RESP3, from chunks of bytes that end anywhere.
 *
 * | begins with | | gives |
 * | --- | --- | --- |
 * | `+` | status | string |
 * | `-` `!` | error | ServerError |
 * | `:` | integer | number, or bigint beyond 2^53 |
 * | `(` | big number | bigint |
 * | `$` `=` | bytes, text with a format | Uint8Array (a Buffer of its own memory), null for `$-1` |
 * | `*` `~` | array, set | array, null for `*-1` |
 * | `%` | map | Map |
 * | `,` | double | number |
 * | `#` `_` | boolean, null | boolean, null |
 * | `>` | push | handed to `onPush`; no reply |
 * | `\|` | attributes | read and dropped |
 */
import { ProtocolError, ServerError } from './errors.ts'

/** A reply of a server as it came, bytes as bytes. */
export type Reply = null | boolean | number | bigint | string | Uint8Array | ServerError | Reply[] | Map<Reply, Reply>

/** What is being filled: `left` items are missing. */
interface Frame {
  kind: 'array' | 'map' | 'push' | 'attributes'
  items: Reply[]
  left: number
}

const CR = 13
const LF = 10
const LONGEST_LINE = 1 << 16
/** Most lines end within so many bytes: a loop finds that faster than a native function. */
const SHORT_LINE = 12
/** Digits of a number that is small enough for a loop, and far below 2^53. */
const FEW_DIGITS = 15
const LONGEST_BULK = 1 << 30
const DEEPEST = 64

const NO_BYTES = Buffer.alloc(0)

/** What has not been read yet, without the memory of a large reply before it. */
const remaining = (bytes: Buffer, from: number): Buffer => {
  if (from === bytes.length) return NO_BYTES
  const rest = bytes.subarray(from)
  return rest.length < from && from > LONGEST_LINE ? Buffer.from(rest) : rest
}

export class ReplyReader {
  private readonly onReply: (reply: Reply) => void
  private readonly onPush: (items: Reply[]) => void
  private rest: Buffer = NO_BYTES
  private at = 0
  /** Chunks behind `rest`, kept apart until as many bytes as are needed have come: a large value is joined once. */
  private later: Buffer[] = []
  private have = 0
  private need = 0
  private frames: Frame[] = []

  constructor(onReply: (reply: Reply) => void, onPush: (items: Reply[]) => void) {
    this.onReply = onReply
    this.onPush = onPush
  }

  /** @throws ProtocolError: what comes is no RESP, and nothing behind it can be read. */
  push(chunk: Buffer): void {
    this.have += chunk.length
    if (this.have < this.need) {
      this.later.push(chunk)
      return
    }
    if (this.rest.length === 0 && this.later.length === 0) this.rest = chunk
    else this.rest = Buffer.concat([this.rest, ...this.later, chunk])
    this.later = []
    this.at = 0
    this.need = 0
    while (this.at < this.rest.length && this.token());
    this.rest = remaining(this.rest, this.at)
    this.at = 0
    this.have = this.rest.length
  }

  /** Reads one token; false if it is not all there. */
  private token(): boolean {
    const { rest, at } = this
    const end = this.endOfLine(at + 1)
    if (end < 0 || end + 1 >= rest.length) {
      if (rest.length - at > LONGEST_LINE) throw new ProtocolError('a line without an end')
      return false
    }
    if (rest[end + 1] !== LF) throw new ProtocolError('a carriage return without a line feed')
    const next = end + 2
    switch (rest[at]) {
      case 0x24: // $
      case 0x3d: // =
      case 0x21: // !
        return this.bulk(rest[at]!, at + 1, end)
      case 0x2b: // +
        return this.done(isOk(rest, at + 1, end) ? 'OK' : rest.toString('utf8', at + 1, end), next)
      case 0x2d: // -
        return this.done(new ServerError(rest.toString('utf8', at + 1, end)), next)
      case 0x3a: // :
        return this.done(digits(rest, at + 1, end) ?? integer(rest.toString('latin1', at + 1, end)), next)
      case 0x28: // (
        return this.done(bigInteger(rest.toString('latin1', at + 1, end)), next)
      case 0x2c: // ,
        return this.done(double(rest.toString('latin1', at + 1, end)), next)
      case 0x23: // #
        return this.done(boolean(rest.toString('latin1', at + 1, end)), next)
      case 0x5f: // _
        return this.done(null, next)
      case 0x2a: // *
      case 0x7e: // ~
        return this.open('array', this.length(at + 1, end), next)
      case 0x25: // %
        return this.open('map', this.length(at + 1, end) * 2, next)
      case 0x7c: // |
        return this.open('attributes', this.length(at + 1, end) * 2, next)
      case 0x3e: // >
        return this.open('push', this.length(at + 1, end), next)
      default:
        throw new ProtocolError(`a reply that begins with byte ${rest[at]}`)
    }
  }

  /** Where the next carriage return is; -1 if it has not come. */
  private endOfLine(from: number): number {
    const { rest } = this
    const near = Math.min(rest.length, from + SHORT_LINE)
    for (let at = from; at < near; at++) if (rest[at] === CR) return at
    return rest.indexOf(CR, near)
  }

  private bulk(kind: number, from: number, end: number): boolean {
    const length = this.length(from, end)
    const start = end + 2
    if (length < 0) return this.done(null, start)
    if (this.rest.length < start + length + 2) {
      this.need = start - this.at + length + 2
      return false
    }
    if (this.rest[start + length] !== CR || this.rest[start + length + 1] !== LF)
      throw new ProtocolError('bytes that are longer than they say')
    const stop = start + length
    if (kind === 0x21) return this.done(new ServerError(this.rest.toString('utf8', start, stop)), stop + 2)
    // `=` has three letters of format and a colon in front.
    const bytes = Buffer.from(this.rest.subarray(kind === 0x3d ? Math.min(stop, start + 4) : start, stop))
    return this.done(bytes, stop + 2)
  }

  private open(kind: Frame['kind'], length: number, next: number): boolean {
    if (length < 0) return this.done(null, next)
    if (length === 0) return this.close(kind, [], next)
    if (this.frames.length >= DEEPEST) throw new ProtocolError('arrays nested too deep')
    this.at = next
    this.frames.push({ kind, items: [], left: length })
    return true
  }

  private close(kind: Frame['kind'], items: Reply[], next: number): boolean {
    if (kind === 'array') return this.done(items, next)
    if (kind === 'map') return this.done(mapOf(items), next)
    this.at = next
    if (kind === 'push') this.onPush(items)
    return true
  }

  /** A value is complete, and perhaps what it stands in. */
  private done(value: Reply, next: number): boolean {
    this.at = next
    const frame = this.frames[this.frames.length - 1]
    if (frame === undefined) {
      this.onReply(value)
      return true
    }
    frame.items.push(value)
    if (--frame.left > 0) return true
    this.frames.pop()
    return this.close(frame.kind, frame.items, next)
  }

  private length(from: number, end: number): number {
    const few = digits(this.rest, from, end)
    if (few !== undefined && few <= LONGEST_BULK) return few
    const text = this.rest.toString('latin1', from, end)
    const length = Number(text)
    if (text === '' || !Number.isInteger(length) || length < -1 || length > LONGEST_BULK)
      throw new ProtocolError(`the length ${JSON.stringify(text.slice(0, 40))}`)
    return length
  }
}

function mapOf(items: readonly Reply[]): Map<Reply, Reply> {
  const map = new Map<Reply, Reply>()
  for (let i = 0; i < items.length; i += 2) map.set(items[i]!, items[i + 1]!)
  return map
}

const isOk = (bytes: Buffer, from: number, end: number): boolean =>
  end - from === 2 && bytes[from] === 0x4f && bytes[from + 1] === 0x4b

/** A number of a few digits; undefined if it is another one, or none. */
function digits(bytes: Buffer, from: number, end: number): number | undefined {
  if (end === from || end - from > FEW_DIGITS) return undefined
  let number = 0
  for (let at = from; at < end; at++) {
    const digit = bytes[at]! - 48
    if (digit < 0 || digit > 9) return undefined
    number = number * 10 + digit
  }
  return number
}

function integer(text: string): number | bigint {
  if (!/^[+-]?\d+$/.test(text)) throw new ProtocolError(`the integer ${JSON.stringify(text.slice(0, 40))}`)
  const number = Number(text)
  return Number.isSafeInteger(number) ? number : BigInt(text)
}

function bigInteger(text: string): bigint {
  if (!/^[+-]?\d+$/.test(text)) throw new ProtocolError(`the big number ${JSON.stringify(text)}`)
  return BigInt(text)
}

function double(text: string): number {
  const lower = text.toLowerCase()
  if (lower === 'inf' || lower === '+inf') return Number.POSITIVE_INFINITY
  if (lower === '-inf') return Number.NEGATIVE_INFINITY
  if (/^-?nan/.test(lower)) return Number.NaN
  const number = Number(text)
  if (text === '' || Number.isNaN(number)) throw new ProtocolError(`the double ${JSON.stringify(text)}`)
  return number
}

function boolean(text: string): boolean {
  if (text !== 't' && text !== 'f') throw new ProtocolError(`the boolean ${JSON.stringify(text)}`)
  return text === 't'
}
