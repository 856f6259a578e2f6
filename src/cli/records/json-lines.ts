/**
 * JSON Lines: one object per line.
 *
 * | member          | |
 * | --------------- | --- |
 * | `key`           | string, 1 byte at least |
 * | `value`         | a string; any JSON value with `--encoding json`; base64 with `--encoding binary` |
 * | `expiresAt`     | only when the record expires: the time in milliseconds since 1970 |
 * | `keyEncoding`   | only when the key is not UTF-8: `"base64"` |
 * | `valueEncoding` | only when the value is not text in the encoding: `"base64"` |
 *
 * Lines of white space are skipped. Unknown members are refused rather than lost.
 */
import { RecordError } from '../errors.ts'
import { compactJson, memberText } from '../json-text.ts'
import {
  base64ToBytes,
  bytesToBase64,
  bytesToText,
  type Encoding,
  notInEncoding,
  TextError,
  textToBytes,
  valueToText,
} from '../text.ts'
import { DEFAULT_LIMIT, type RecordLimit } from './limit.ts'
import { type Line, LineSplitter } from './lines.ts'
import type { FileRecord, ImportedRecord, RecordReader, RecordWriter } from './record.ts'
import { checkedTime } from './time.ts'

const MEMBERS: ReadonlySet<string> = new Set(['key', 'value', 'expiresAt', 'keyEncoding', 'valueEncoding'])

export class JsonLinesReader implements RecordReader {
  readonly #lines: LineSplitter
  readonly #encoding: Encoding

  constructor(encoding: Encoding, limit: RecordLimit = DEFAULT_LIMIT) {
    this.#encoding = encoding
    this.#lines = new LineSplitter(limit)
  }

  *push(chunk: Uint8Array): Generator<ImportedRecord> {
    for (const line of this.#lines.push(chunk)) yield* this.#record(line)
  }

  *end(): Generator<ImportedRecord> {
    for (const line of this.#lines.end()) yield* this.#record(line)
  }

  *#record(line: Line): Generator<ImportedRecord> {
    const text = bytesToText(line.bytes)
    if (text === undefined) throw new RecordError(line.number, 'not UTF-8')
    if (text.trim() === '') return
    yield recordOf(text, line.number, this.#encoding)
  }
}

function recordOf(text: string, line: number, encoding: Encoding): ImportedRecord {
  try {
    const object = parseObject(text)
    const unknown = Object.keys(object).find(name => !MEMBERS.has(name))
    if (unknown !== undefined) throw new TextError(`unknown member ${JSON.stringify(unknown)}`)
    if (!Object.hasOwn(object, 'value')) throw new TextError('"value" is missing')
    const key = keyBytes(object)
    return { key, value: valueBytes(text, object, encoding), expiresAt: expiresAt(object), line }
  } catch (error) {
    throw error instanceof TextError ? new RecordError(line, error.message) : error
  }
}

function parseObject(text: string): Record<string, unknown> {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    throw new TextError('not a JSON object such as {"key":"…","value":"…"}')
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new TextError('not a JSON object such as {"key":"…","value":"…"}')
  }
  return parsed as Record<string, unknown>
}

function keyBytes({ key, keyEncoding }: Record<string, unknown>): Uint8Array {
  if (typeof key !== 'string') throw new TextError(key === undefined ? '"key" is missing' : '"key" is not a string')
  return within('key', () => (isBase64('keyEncoding', keyEncoding) ? base64ToBytes(key) : textToBytes(key)))
}

function valueBytes(line: string, { value, valueEncoding }: Record<string, unknown>, encoding: Encoding): Uint8Array {
  const base64 = isBase64('valueEncoding', valueEncoding) || encoding === 'binary'
  if (encoding === 'json' && !base64) return textToBytes(compactJson(memberText(line, 'value')!))
  if (typeof value !== 'string') {
    const hint = base64 ? '' : '; import it with --encoding json'
    throw new TextError(`"value" is not a string${hint}`)
  }
  return within('value', () => (base64 ? base64ToBytes(value) : textToBytes(value)))
}

function expiresAt({ expiresAt: time }: Record<string, unknown>): number | undefined {
  return time === undefined ? undefined : checkedTime('"expiresAt"', time)
}

function isBase64(name: string, mark: unknown): boolean {
  if (mark === undefined) return false
  if (mark === 'base64') return true
  throw new TextError(`"${name}" can only be "base64"`)
}

function within(name: string, decode: () => Uint8Array): Uint8Array {
  try {
    return decode()
  } catch (error) {
    throw error instanceof TextError ? new TextError(`"${name}" is ${error.message}`) : error
  }
}

export class JsonLinesWriter implements RecordWriter {
  readonly #encoding: Encoding

  constructor(encoding: Encoding) {
    this.#encoding = encoding
  }

  header(): string {
    return ''
  }

  record({ key, value, expiresAt }: FileRecord): string {
    const keyText = bytesToText(key)
    const head = `{"key":${JSON.stringify(keyText ?? bytesToBase64(key))},"value":`
    const time = expiresAt === undefined ? '' : `,"expiresAt":${expiresAt}`
    const keyMark = keyText === undefined ? ',"keyEncoding":"base64"' : ''
    if (this.#encoding === 'json') {
      const json = valueToText(value, 'json')
      if (json === undefined) throw notInEncoding(key, 'json')
      return `${head}${json}${time}${keyMark}}\n`
    }
    const text = this.#encoding === 'utf8' ? bytesToText(value) : undefined
    const valueMark = text === undefined ? ',"valueEncoding":"base64"' : ''
    return `${head}${JSON.stringify(text ?? bytesToBase64(value))}${time}${keyMark}${valueMark}}\n`
  }
}
