/**
 * A streaming CSV parser after RFC 4180: fields between commas, records between line ends (LF or CRLF), fields in
 * quotes when they hold a comma, a quote (doubled) or a line end. Bytes in, bytes out, strict.
 *
 * Our own, because an import must be able to say "line 7 is bad, and all before it is in the database": csv-parse
 * drops the records of a chunk before the bad one and miscounts lines; csv-parser and papaparse give no line numbers.
 */
import { RecordError } from '../errors.ts'
import { DEFAULT_LIMIT, type RecordLimit, tooLong } from './limit.ts'

export interface CsvRow {
  fields: Uint8Array[]
  /** Line where the row begins, from 1. */
  line: number
}

const COMMA = 0x2c
const QUOTE = 0x22
const CARRIAGE_RETURN = 0x0d
const LINE_FEED = 0x0a

/** Where the next byte falls. */
type State =
  | 'field start'
  | 'plain' // inside a field without quotes
  | 'quoted' // between the quotes
  | 'quote' // behind a quote in a quoted field: the closing one, or the first of a doubled one
  | 'closed' // behind a closing quote and a carriage return

export class CsvParser {
  #state: State = 'field start'
  #fields: Uint8Array[] = []
  #field: Uint8Array = new Uint8Array(256)
  #length = 0
  #line = 1
  #rowLine = 1
  /** Bytes of the row at hand. */
  #rowBytes = 0
  readonly #limit: RecordLimit

  constructor(limit: RecordLimit = DEFAULT_LIMIT) {
    this.#limit = limit
  }

  *push(chunk: Uint8Array): Generator<CsvRow> {
    for (const byte of chunk) {
      if (++this.#rowBytes > this.#limit.bytes) throw this.#error(tooLong('row', this.#limit))
      if (this.#take(byte)) {
        this.#rowBytes = 0
        yield* this.#endRow()
      }
      if (byte === LINE_FEED) this.#line++
      if (this.#state === 'field start' && this.#fields.length === 0) this.#rowLine = this.#line
    }
  }

  /** The last row, when it does not end in a line feed. */
  *end(): Generator<CsvRow> {
    if (this.#state === 'quoted') throw new RecordError(this.#rowLine, 'a quote is never closed')
    if (this.#state === 'field start' && this.#fields.length === 0) return
    this.#endField()
    yield* this.#endRow()
  }

  /** True when the byte ends a row. */
  #take(byte: number): boolean {
    switch (this.#state) {
      case 'quoted':
        if (byte === QUOTE) this.#state = 'quote'
        else this.#append(byte)
        return false
      case 'quote':
      case 'closed':
        return this.#afterQuote(byte)
      default:
        return this.#plain(byte)
    }
  }

  #plain(byte: number): boolean {
    if (byte === COMMA) {
      this.#endField()
      return false
    }
    if (byte === LINE_FEED) {
      if (this.#length > 0 && this.#field[this.#length - 1] === CARRIAGE_RETURN) this.#length--
      this.#endField()
      return true
    }
    if (byte === QUOTE) {
      if (this.#state !== 'field start') throw this.#error('a quote inside a field that does not begin with one')
      this.#state = 'quoted'
      return false
    }
    this.#state = 'plain'
    this.#append(byte)
    return false
  }

  #afterQuote(byte: number): boolean {
    if (byte === LINE_FEED) {
      this.#endField()
      return true
    }
    if (this.#state === 'quote') {
      if (byte === COMMA) this.#endField()
      else if (byte === CARRIAGE_RETURN) this.#state = 'closed'
      else if (byte === QUOTE) {
        this.#append(QUOTE)
        this.#state = 'quoted'
      } else throw this.#error('something follows a closing quote')
      return false
    }
    throw this.#error('something follows a closing quote')
  }

  #append(byte: number): void {
    if (this.#length === this.#field.length) {
      const longer = new Uint8Array(this.#field.length * 2)
      longer.set(this.#field)
      this.#field = longer
    }
    this.#field[this.#length++] = byte
  }

  #endField(): void {
    this.#fields.push(this.#field.slice(0, this.#length))
    this.#length = 0
    this.#state = 'field start'
  }

  /** An empty line is no row. */
  *#endRow(): Generator<CsvRow> {
    const row: CsvRow = { fields: this.#fields, line: this.#rowLine }
    this.#fields = []
    if (row.fields.length > 1 || row.fields[0]!.length > 0) yield row
  }

  #error(detail: string): RecordError {
    return new RecordError(this.#rowLine, detail)
  }
}
