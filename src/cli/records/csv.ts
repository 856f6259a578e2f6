/**
 * CSV: a header row, then one record per row.
 *
 * | column           | |
 * | ---------------- | --- |
 * | `key`            | text, 1 byte at least; with `--key-encoding tuple` the JSON of a tuple (`values/tuple-json.ts`) |
 * | `value`          | text; JSON with `--encoding json`; base64 with `--encoding binary` |
 * | `expires_at`     | optional column: when the record expires, in milliseconds since 1970, or nothing |
 * | `key_encoding`   | optional column: `base64` where the key is not UTF-8, `tuple` where it is a tuple, else empty |
 * | `value_encoding` | optional column: `base64` where the value is not UTF-8, else empty |
 *
 * With `--key column` the columns are any: a row is a record whose value is a JSON object of all its cells, as texts, and
 * the column makes its key (`key-fields.ts`).
 *
 * An import takes the columns in any order; an export writes the last three only when some record needs them.
 */
import { RecordError } from '../errors.ts'
import { type KeyEncoding, keyFromJson, keyToJson } from '../key-text.ts'
import type { Place, Writing } from '../place.ts'
import {
  asBuffer,
  base64ToBytes,
  bytesToBase64,
  bytesToText,
  type Encoding,
  notInEncoding,
  TextError,
  textToBytes,
  valueFromText,
  valueToText,
} from '../text.ts'
import { CsvParser, type CsvRow } from './csv-parser.ts'
import { type KeyFields, keyOfFields } from './key-fields.ts'
import { DEFAULT_LIMIT } from './limit.ts'
import type { FileRecord, ImportedRecord, Reading, RecordReader, RecordWriter } from './record.ts'
import { checkedTime } from './time.ts'

const COLUMNS = ['key', 'value', 'expires_at', 'key_encoding', 'value_encoding'] as const

type Column = (typeof COLUMNS)[number]

export class CsvReader implements RecordReader {
  readonly #parser: CsvParser
  readonly #place: Place
  readonly #reading: Reading
  #columns: readonly string[] | undefined

  constructor(place: Place, reading: Reading = { limit: DEFAULT_LIMIT }) {
    this.#place = place
    this.#reading = reading
    this.#parser = new CsvParser(reading.limit)
  }

  *push(chunk: Uint8Array): Generator<ImportedRecord> {
    for (const row of this.#parser.push(chunk)) yield* this.#row(row)
  }

  *end(): Generator<ImportedRecord> {
    for (const row of this.#parser.end()) yield* this.#row(row)
  }

  *#row(row: CsvRow): Generator<ImportedRecord> {
    if (this.#columns === undefined) {
      const { key } = this.#reading
      this.#columns = key === undefined ? columnsOf(row) : anyColumnsOf(row, key)
      return
    }
    try {
      yield this.#record(row, this.#columns)
    } catch (error) {
      const bad = error instanceof TextError ? new RecordError(row.line, error.message) : error
      const { onBad } = this.#reading
      if (onBad === undefined || !(bad instanceof RecordError)) throw bad
      onBad(bad)
    }
  }

  #record(row: CsvRow, columns: readonly string[]): ImportedRecord {
    if (row.fields.length !== columns.length)
      throw new TextError(`${row.fields.length} fields where the header has ${columns.length}`)
    const { key: fields } = this.#reading
    const place = this.#place
    if (fields !== undefined) return wholeRow(row, columns, place, fields)
    const cell = (column: Column) => row.fields[columns.indexOf(column)] ?? new Uint8Array(0)
    const key = cellKey(cell('key'), cell('key_encoding'), place.keyEncoding)
    const value = cellBytes(cell('value'), cell('value_encoding'), place.encoding)
    return { key, value, expiresAt: cellTime(cell('expires_at')), line: row.line, place }
  }
}

/** All cells are the value. */
function wholeRow(row: CsvRow, columns: readonly string[], place: Place, key: KeyFields): ImportedRecord {
  const texts = row.fields.map(field => {
    const text = bytesToText(field)
    if (text === undefined) throw new TextError('not UTF-8')
    return text
  })
  const fields = key.names.map(name => ({ plain: texts[columns.indexOf(name)], text: '' }))
  const value = textToBytes(JSON.stringify(Object.fromEntries(columns.map((name, i) => [name, texts[i]]))))
  const { line } = row
  return { key: keyOfFields(key, fields, place.keyEncoding), value, expiresAt: undefined, line, place }
}

function namesOf(row: CsvRow): string[] {
  return row.fields.map(field => asBuffer(field).toString('utf8').trim())
}

function anyColumnsOf(row: CsvRow, { names: wanted }: KeyFields): string[] {
  const names = namesOf(row)
  for (const name of wanted)
    if (!names.includes(name))
      throw new RecordError(row.line, `the header has no column ${JSON.stringify(name)}, which makes the key`)
  if (new Set(names).size < names.length) throw new RecordError(row.line, 'the header has two columns of one name')
  return names
}

function columnsOf(row: CsvRow): Column[] {
  const names = namesOf(row)
  const columns = names.filter((name): name is Column => (COLUMNS as readonly string[]).includes(name))
  const complete = columns.includes('key') && columns.includes('value')
  if (!complete || columns.length < names.length || new Set(columns).size < columns.length) {
    throw new RecordError(row.line, `the header must be key,value (or hold ${COLUMNS.join(', ')} once each)`)
  }
  return columns
}

function cellKey(cell: Uint8Array, mark: Uint8Array, encoding: KeyEncoding): Uint8Array {
  const marked = asBuffer(mark).toString('utf8')
  if (marked !== 'tuple' && (marked !== '' || encoding === 'utf8')) return cellBytes(cell, mark, 'utf8')
  const text = bytesToText(cell)
  if (text === undefined) throw new TextError('not UTF-8')
  return keyFromJson(text)
}

/** UTF-8 cells are stored byte for byte. */
function cellBytes(cell: Uint8Array, mark: Uint8Array, encoding: Encoding): Uint8Array {
  const marked = asBuffer(mark).toString('utf8')
  if (marked !== '' && marked !== 'base64') throw new TextError('an encoding column can only hold base64 or nothing')
  const text = bytesToText(cell)
  if (text === undefined) throw new TextError('not UTF-8')
  if (marked === 'base64') return base64ToBytes(text)
  return encoding === 'utf8' ? cell : valueFromText(text, encoding)
}

function cellTime(cell: Uint8Array): number | undefined {
  const text = asBuffer(cell).toString('utf8')
  if (text === '') return undefined
  return checkedTime('expires_at', /^\d+$/.test(text) ? Number(text) : text)
}

/** The optional columns that some record needs. */
export interface CsvColumns {
  /** The two encoding columns. */
  marks: boolean
  times: boolean
}

export class CsvWriter implements RecordWriter {
  readonly #encoding: Encoding
  readonly #columns: CsvColumns
  readonly #keyEncoding: KeyEncoding

  constructor({ encoding, keyEncoding }: Writing, columns: CsvColumns) {
    this.#encoding = encoding
    this.#keyEncoding = keyEncoding
    this.#columns = columns
  }

  header(): string {
    const { marks, times } = this.#columns
    return `key,value${times ? ',expires_at' : ''}${marks ? ',key_encoding,value_encoding' : ''}\n`
  }

  record({ key, value, expiresAt }: FileRecord): string {
    const [keyText, keyMark] = writtenKey(key, this.#keyEncoding)
    const valueText = valueToText(value, this.#encoding)
    if (valueText === undefined && this.#encoding === 'json') throw notInEncoding(key, 'json')
    const { marks, times } = this.#columns
    const time = times ? `,${expiresAt ?? ''}` : ''
    const cells = `${cellText(keyText)},${cellText(valueText ?? bytesToBase64(value))}${time}`
    if (!marks) return `${cells}\n`
    return `${cells},${keyMark},${valueText === undefined ? 'base64' : ''}\n`
  }

  /** Whether a record can only be written with the encoding columns. */
  static needsMarks({ key, value }: FileRecord, encoding: Encoding): boolean {
    return bytesToText(key) === undefined || (encoding === 'utf8' && bytesToText(value) === undefined)
  }
}

/** A key as text, and its mark. Among tuples, what is none is base64. */
function writtenKey(key: Uint8Array, encoding: KeyEncoding): [text: string, mark: 'base64' | 'tuple' | ''] {
  const tuple = encoding === 'tuple' ? keyToJson(key) : undefined
  if (tuple !== undefined) return [tuple, 'tuple']
  const text = encoding === 'utf8' ? bytesToText(key) : undefined
  return text === undefined ? [bytesToBase64(key), 'base64'] : [text, '']
}

function cellText(text: string): string {
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
