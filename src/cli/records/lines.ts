/** Splits chunks of bytes at line feeds. Only there: U+2028 or a carriage return may stand inside a JSON string. */
import { RecordError } from '../errors.ts'
import { DEFAULT_LIMIT, type RecordLimit, tooLong } from './limit.ts'

export interface Line {
  /** Without the line feed. */
  bytes: Uint8Array
  /** From 1. */
  number: number
}

const LINE_FEED = 0x0a

export class LineSplitter {
  #started: Uint8Array[] = []
  #startedLength = 0
  #number = 0
  readonly #limit: RecordLimit

  constructor(limit: RecordLimit = DEFAULT_LIMIT) {
    this.#limit = limit
  }

  *push(chunk: Uint8Array): Generator<Line> {
    let start = 0
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      yield this.#finish(chunk.subarray(start, end))
      start = end + 1
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start))
  }

  /** The last line, when it does not end in a line feed. */
  *end(): Generator<Line> {
    if (this.#startedLength > 0) yield this.#finish(new Uint8Array(0))
  }

  #keep(part: Uint8Array): void {
    this.#started.push(part)
    this.#startedLength += part.length
    this.#check(this.#startedLength)
  }

  #check(length: number): void {
    if (length > this.#limit.bytes) throw new RecordError(this.#number + 1, tooLong('line', this.#limit))
  }

  #finish(last: Uint8Array): Line {
    this.#check(this.#startedLength + last.length)
    const bytes = this.#startedLength === 0 ? last : Buffer.concat([...this.#started, last])
    this.#started = []
    this.#startedLength = 0
    return { bytes, number: ++this.#number }
  }
}
