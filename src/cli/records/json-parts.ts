/**
 * Splits a JSON array of objects into the texts of its items, as bytes come: `[{…}, {…}]`, over any number of lines.
 * Knows strings and brackets; what is wrong inside an item is for whoever parses it.
 */
import { RecordError } from '../errors.ts'
import { DEFAULT_LIMIT, type RecordLimit, tooLong } from './limit.ts'
import type { Line } from './lines.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const OPEN = 0x5b
const CLOSE = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const LINE_FEED = 0x0a

const isSpace = (byte: number): boolean => byte === 0x20 || byte === LINE_FEED || byte === 0x0d || byte === 0x09

export class ArraySplitter {
  /** 0 before the array, 1 in it, more in an item. */
  #depth = 0
  #inString = false
  #escaped = false
  #ended = false
  #line = 1
  #itemLine = 1
  #item: Uint8Array = new Uint8Array(256)
  #length = 0
  #afterComma = false
  readonly #limit: RecordLimit

  constructor(limit: RecordLimit = DEFAULT_LIMIT) {
    this.#limit = limit
  }

  *push(chunk: Uint8Array): Generator<Line> {
    for (const byte of chunk) {
      const item = this.#take(byte)
      if (item !== undefined) yield item
      if (byte === LINE_FEED) this.#line++
    }
  }

  /** @throws RecordError if the array is not closed. */
  end(): void {
    if (!this.#ended) throw new RecordError(this.#length > 0 ? this.#itemLine : this.#line, 'the array is not closed')
  }

  #take(byte: number): Line | undefined {
    if (this.#inString) {
      this.#append(byte)
      if (this.#escaped) this.#escaped = false
      else if (byte === BACKSLASH) this.#escaped = true
      else if (byte === QUOTE) this.#inString = false
      return undefined
    }
    if (this.#ended || this.#depth === 0) {
      if (isSpace(byte)) return undefined
      if (this.#ended || byte !== OPEN) throw new RecordError(this.#line, 'something stands outside of the array')
      this.#depth = 1
      return undefined
    }
    if (this.#depth === 1 && (byte === COMMA || byte === CLOSE)) return this.#endItem(byte)
    if (this.#length === 0 && isSpace(byte)) return undefined
    if (this.#length === 0) this.#itemLine = this.#line
    this.#append(byte)
    if (byte === QUOTE) this.#inString = true
    else if (byte === OPEN || byte === OPEN_BRACE) this.#depth++
    else if (byte === CLOSE || byte === CLOSE_BRACE) this.#depth--
    return undefined
  }

  #endItem(byte: number): Line | undefined {
    const isEmptyArray = byte === CLOSE && !this.#afterComma
    if (this.#length === 0 && !isEmptyArray) throw new RecordError(this.#line, 'an item of the array is missing')
    const item = this.#length === 0 ? undefined : { bytes: this.#item.slice(0, this.#length), number: this.#itemLine }
    this.#length = 0
    if (byte === CLOSE) this.#ended = true
    this.#afterComma = byte === COMMA
    return item
  }

  #append(byte: number): void {
    if (this.#length >= this.#limit.bytes) throw new RecordError(this.#itemLine, tooLong('item', this.#limit))
    if (this.#length === this.#item.length) {
      const longer = new Uint8Array(this.#item.length * 2)
      longer.set(this.#item)
      this.#item = longer
    }
    this.#item[this.#length++] = byte
  }
}
