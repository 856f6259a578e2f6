/**
 * JSON Lines: one object per line.
 *
 * | member          | |
 * | --------------- | --- |
 * | `key`           | string, 1 byte at least; with `--key-encoding tuple` the JSON of a tuple (`values/tuple-json.ts`) |
 * | `value`         | a string; any JSON value with `--encoding json`; base64 with `--encoding binary` |
 * | `expiresAt`     | only when the record expires: the time in milliseconds since 1970 |
 * | `keyEncoding`   | only when the key is not UTF-8: `"base64"`; of a tuple: `"tuple"` |
 * | `valueEncoding` | only when the value is not text in the encoding: `"base64"` |
 *
 * | `sub`           | only of a record in a sub-database: the names that lead to it, its own at the end |
 *
 * A line with `sub` and without `key` says that there is such a sub-database, and its `keyEncoding` and `valueEncoding`, by
 * which its records are written: JSON values as they are, text as text, anything else in base64, which is marked.
 *
 * Lines of white space are skipped. Unknown members are refused rather than lost.
 *
 * An input that begins with `[` is an array of such objects, over any number of lines. With `--key field` the objects are
 * of any shape: each is the value of a record, and the field makes its key (`key-fields.ts`).
 */
import { XenonError } from '../../errors.ts'
import { RecordError } from '../errors.ts'
import { compactJson, memberText } from '../json-text.ts'
import { type KeyEncoding, keyFromPlain, keyToJson } from '../key-text.ts'
import { type EncodingNames, type Place, placeIn, type Writing } from '../place.ts'
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
import { ArraySplitter } from './json-parts.ts'
import { type KeyFields, keyOfFields } from './key-fields.ts'
import { DEFAULT_LIMIT } from './limit.ts'
import { type Line, LineSplitter } from './lines.ts'
import type { FileRecord, ImportedRecord, Reading, RecordReader, RecordWriter } from './record.ts'
import { checkedTime } from './time.ts'

const OPEN_BRACKET = 0x5b
const SPACES: readonly number[] = [0x20, 0x0a, 0x0d, 0x09]

const MEMBERS: ReadonlySet<string> = new Set(['key', 'value', 'expiresAt', 'keyEncoding', 'valueEncoding', 'sub'])

export class JsonReader implements RecordReader {
  readonly #lines: LineSplitter
  readonly #array: ArraySplitter
  /** Undefined until its first character has come. */
  #isArray: boolean | undefined
  readonly #reading: Reading
  readonly #place: Place
  /** Those of the sub-databases that have come, by the JSON of their names. */
  readonly #places: Map<string, Place> = new Map()

  constructor(place: Place, reading: Reading = { limit: DEFAULT_LIMIT }) {
    this.#place = place
    this.#reading = reading
    this.#lines = new LineSplitter(reading.limit)
    this.#array = new ArraySplitter(reading.limit)
  }

  *push(chunk: Uint8Array): Generator<ImportedRecord> {
    const first = chunk.find(byte => !SPACES.includes(byte))
    if (this.#isArray === undefined && first !== undefined) this.#isArray = first === OPEN_BRACKET
    // What comes before is white space, of which only the line ends count.
    for (const line of this.#isArray === true ? this.#array.push(chunk) : this.#lines.push(chunk))
      yield* this.#tried(line)
  }

  *end(): Generator<ImportedRecord> {
    if (this.#isArray === true) this.#array.end()
    else for (const line of this.#lines.end()) yield* this.#tried(line)
  }

  *#tried(line: Line): Generator<ImportedRecord> {
    const { onBad } = this.#reading
    if (onBad === undefined) yield* this.#record(line)
    else {
      let records: ImportedRecord[]
      try {
        records = [...this.#record(line)]
      } catch (error) {
        if (!(error instanceof RecordError)) throw error
        onBad(error)
        return
      }
      yield* records
    }
  }

  *#record(line: Line): Generator<ImportedRecord> {
    const text = bytesToText(line.bytes)
    if (text === undefined) throw new RecordError(line.number, 'not UTF-8')
    if (text.trim() === '') return
    try {
      const object = parseObject(text)
      const { key } = this.#reading
      if (key !== undefined) {
        yield wholeRecord(text, object, line.number, this.#place, key)
        return
      }
      const unknown = Object.keys(object).find(name => !MEMBERS.has(name))
      if (unknown !== undefined) throw new TextError(`unknown member ${JSON.stringify(unknown)}`)
      if (object.sub !== undefined && object.key === undefined) this.#declare(object)
      else yield recordOf(text, object, line.number, this.#placeOf(object))
    } catch (error) {
      throw isAboutLine(error) ? new RecordError(line.number, error.message) : error
    }
  }

  #declare({ sub, keyEncoding = 'utf8', valueEncoding = 'utf8', ...others }: Record<string, unknown>): void {
    const [other] = Object.keys(others)
    if (other !== undefined) throw new TextError(`"key" is missing`)
    if (typeof keyEncoding !== 'string' || typeof valueEncoding !== 'string')
      throw new TextError('"keyEncoding" and "valueEncoding" of a sub-database are names')
    this.#places.set(JSON.stringify(sub), placeIn(this.#place, pathOf(sub), { keyEncoding, valueEncoding }))
  }

  #placeOf({ sub }: Record<string, unknown>): Place {
    if (sub === undefined) return this.#place
    const name = JSON.stringify(sub)
    const place = this.#places.get(name) ?? placeIn(this.#place, pathOf(sub), undefined)
    this.#places.set(name, place)
    return place
  }
}

function pathOf(sub: unknown): string[] {
  if (Array.isArray(sub) && sub.length > 0 && sub.every(name => typeof name === 'string')) return sub
  throw new TextError('"sub" is not an array of the names of sub-databases')
}

const ABOUT_LINE: readonly string[] = ['XENON_INVALID_ARGUMENT', 'XENON_ENCODING']

function isAboutLine(error: unknown): error is Error {
  return error instanceof TextError || (error instanceof XenonError && ABOUT_LINE.includes(error.code))
}

function recordOf(text: string, object: Record<string, unknown>, line: number, place: Place): ImportedRecord {
  if (!Object.hasOwn(object, 'value')) throw new TextError('"value" is missing')
  const key = keyBytes(object, place.keyEncoding)
  return { key, value: valueBytes(text, object, place.encoding), expiresAt: expiresAt(object), line, place }
}

/** The object is the value. */
function wholeRecord(
  text: string,
  object: Record<string, unknown>,
  line: number,
  place: Place,
  key: KeyFields,
): ImportedRecord {
  const fields = key.names.map(name => {
    if (!Object.hasOwn(object, name)) throw new TextError(`${JSON.stringify(name)} is missing, which makes the key`)
    return { plain: object[name], text: memberText(text, name)!.trim() }
  })
  const bytes = keyOfFields(key, fields, place.keyEncoding)
  return { key: bytes, value: textToBytes(compactJson(text)), expiresAt: undefined, line, place }
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

function keyBytes({ key, keyEncoding: mark }: Record<string, unknown>, encoding: KeyEncoding): Uint8Array {
  if (key !== undefined && (mark === 'tuple' || (mark === undefined && encoding === 'tuple')))
    return within('key', () => keyFromPlain(key))
  if (typeof key !== 'string')
    throw new TextError(
      key === undefined
        ? '"key" is missing'
        : '"key" is not a string; import keys of other types with --key-encoding tuple',
    )
  return within('key', () => (isBase64('keyEncoding', mark) ? base64ToBytes(key) : textToBytes(key)))
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
  readonly #keyEncoding: KeyEncoding
  /** What each record of a sub-database begins with. */
  readonly #sub: string
  readonly #names: EncodingNames | undefined
  /** Values that are none of the encoding are kept as they are. */
  readonly #keepsOthers: boolean

  /** `path`: of a sub-database of what is written, the names that lead to it from there. */
  constructor({ encoding, keyEncoding, names }: Writing, path: readonly string[] = []) {
    this.#encoding = encoding
    this.#keyEncoding = keyEncoding
    this.#sub = path.length === 0 ? '' : `"sub":${JSON.stringify(path)},`
    this.#names = path.length === 0 ? undefined : names
    this.#keepsOthers = names !== undefined
  }

  header(): string {
    return this.#names === undefined ? '' : `{${this.#sub}${JSON.stringify(this.#names).slice(1)}\n`
  }

  record({ key, value, expiresAt }: FileRecord): string {
    const [json, mark] = writtenKey(key, this.#keyEncoding)
    const head = `{${this.#sub}"key":${json},"value":`
    const time = expiresAt === undefined ? '' : `,"expiresAt":${expiresAt}`
    const keyMark = mark === '' ? '' : `,"keyEncoding":"${mark}"`
    if (this.#encoding === 'json') {
      const written = valueToText(value, 'json')
      if (written !== undefined) return `${head}${written}${time}${keyMark}}\n`
      // What somebody has put beside the stored encoding is kept as it is.
      if (!this.#keepsOthers) throw notInEncoding(key, 'json')
    }
    const text = this.#encoding === 'utf8' ? bytesToText(value) : undefined
    const valueMark = text === undefined ? ',"valueEncoding":"base64"' : ''
    return `${head}${JSON.stringify(text ?? bytesToBase64(value))}${time}${keyMark}${valueMark}}\n`
  }
}

/** A key as JSON, and its mark. Among tuples, what is none is base64, so that an import takes it for nothing else. */
function writtenKey(key: Uint8Array, encoding: KeyEncoding): [json: string, mark: 'base64' | 'tuple' | ''] {
  const tuple = encoding === 'tuple' ? keyToJson(key) : undefined
  if (tuple !== undefined) return [tuple, 'tuple']
  const text = encoding === 'utf8' ? bytesToText(key) : undefined
  return text === undefined ? [JSON.stringify(bytesToBase64(key)), 'base64'] : [JSON.stringify(text), '']
}
