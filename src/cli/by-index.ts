/**
 * `--index NAME` of `get`, `count`, `keys` and `range`: a secondary index in place of the keys. Index keys are written as
 * JSON (`7`, `"Oslo"`, `["user",42]`, as tuple keys are); what is no JSON is the text that it is.
 */
import type { Command } from 'cac'
import { XenonError } from '../errors.ts'
import type { IndexRange, TupleKey } from '../types.ts'
import { tupleFromPlain, tupleToJson } from '../values/tuple-json.ts'
import { argument, countOption, flagOption, type Options, textOption } from './arguments.ts'
import { UsageError } from './errors.ts'
import { type KeyEncoding, keyToJson, keyToText } from './key-text.ts'
import { Output } from './output.ts'
import { type Encoding, notInEncoding, valueToText } from './text.ts'
import type { IndexEntry, IndexView, SpaceView } from './view/view.ts'

const BOUNDS = ['gt', 'gte', 'lt', 'lte', 'prefix'] as const

export function indexOption(command: Command): Command {
  return command.option('--index <name>', 'By this secondary index: keys, and bounds, are index keys as JSON, or text')
}

/** The index that the options name, if they name one. */
export function indexOf(options: Options, view: SpaceView): IndexView | undefined {
  const { index } = options
  return index === undefined ? undefined : view.index(argument(String(index)))
}

/** JSON, or the text that it is. */
export function indexKeyFromText(text: string): TupleKey {
  let plain: unknown
  try {
    plain = JSON.parse(text)
  } catch {
    return text
  }
  try {
    return tupleFromPlain(plain)
  } catch (error) {
    throw error instanceof XenonError ? new UsageError(`an index key: ${error.message}`) : error
  }
}

export function readIndexRange(options: Options): IndexRange<TupleKey> {
  const range: IndexRange<TupleKey> = {}
  for (const name of BOUNDS) {
    const text = textOption(options, name)
    if (text !== undefined) range[name] = indexKeyFromText(text) as string
  }
  if (flagOption(options, 'reverse')) range.reverse = true
  const limit = countOption(options, 'limit')
  if (limit !== undefined) range.limit = limit
  return range
}

interface Shape {
  readonly keys: boolean
  readonly values: boolean
  readonly json: boolean
  readonly encoding: Encoding
  readonly keyEncoding: KeyEncoding
}

/** Prints entries: index key, key and value, with tabs between them or as JSON Lines. */
export async function writeIndex(index: IndexView, range: IndexRange<TupleKey>, shape: Shape): Promise<void> {
  const output = new Output(process.stdout)
  try {
    const found = shape.values ? index.entries(range) : index.keys(range)
    for await (const [indexKey, key, value] of found as AsyncIterable<IndexEntry>) {
      output.addStored(lineOf(indexKey, key, shape.values ? value : undefined, shape))
      if (output.full && !(await output.flush())) return
    }
  } finally {
    await output.flush()
  }
}

function lineOf(indexKey: TupleKey, key: Uint8Array, value: Uint8Array | undefined, shape: Shape): string {
  const { json, keys, encoding, keyEncoding } = shape
  const text = value && valueToText(value, encoding)
  if (value !== undefined && text === undefined) throw notInEncoding(key, encoding)
  if (!json) {
    const parts = keys ? [indexKeyToText(indexKey), keyToText(key, keyEncoding)] : []
    return `${[...parts, ...(text === undefined ? [] : [text])].join('\t')}\n`
  }
  const shownValue = encoding === 'json' ? text : JSON.stringify(text)
  if (!keys) return `${shownValue}\n`
  const shownKey = (keyEncoding === 'tuple' ? keyToJson(key) : undefined) ?? JSON.stringify(keyToText(key, 'utf8'))
  const fields = [`"index":${tupleToJson(indexKey)}`, `"key":${shownKey}`]
  if (text !== undefined) fields.push(`"value":${shownValue}`)
  return `{${fields.join(',')}}\n`
}

/** A text that is taken for itself when it is given again; all else is JSON. */
function indexKeyToText(indexKey: TupleKey): string {
  const isPlain = typeof indexKey === 'string' && !/[\t\n\r]/.test(indexKey) && indexKeyFromText(indexKey) === indexKey
  return isPlain ? indexKey : tupleToJson(indexKey)
}
