/**
 * Keys as they are written on the command line and in files: as the text that they are, or as the JSON of a tuple
 * (`--key-encoding tuple`): `["user",42]`, `{"bigint":"42"}`, `{"base64":"AAE="}` (`values/tuple-json.ts`).
 */
import type { Command } from 'cac'
import { XenonError } from '../errors.ts'
import type { Key, TupleKey } from '../types.ts'
import { TUPLE_KEYS } from '../values/key-codec.ts'
import { decodeTuple, encodeTuple } from '../values/tuple.ts'
import { tupleFromPlain, tupleToJson } from '../values/tuple-json.ts'
import { choiceOption, type Options } from './arguments.ts'
import { UsageError } from './errors.ts'
import { asBuffer, TextError } from './text.ts'

export type KeyEncoding = 'utf8' | 'tuple'

const KEY_ENCODINGS: readonly KeyEncoding[] = ['utf8', 'tuple']

export function keyEncodingOption(command: Command): Command {
  return command.option('--key-encoding <encoding>', 'What the keys are: utf8 (default), tuple (JSON: \'["user",42]\')')
}

export function givenKeyEncoding(options: Options): KeyEncoding | undefined {
  return choiceOption(options, 'keyEncoding', KEY_ENCODINGS)
}

/** A key of the command line. */
export function keyFromText(text: string, encoding: KeyEncoding): Key {
  return encoding === 'utf8' ? text : usage('the key', () => encodeTuple(tupleFromJson(text)))
}

/** A bound of a range; a prefix is the first items of arrays. */
export function boundFromText(name: string, text: string, encoding: KeyEncoding): Key {
  if (encoding === 'utf8') return text
  return usage(`--${name}`, () => {
    const key = tupleFromJson(text)
    return name === 'prefix' ? TUPLE_KEYS.prefix(key) : encodeTuple(key)
  })
}

/** A key of a file, as its JSON was parsed. */
export function keyFromPlain(plain: unknown): Uint8Array {
  try {
    return encodeTuple(tupleFromPlain(plain))
  } catch (error) {
    throw error instanceof XenonError ? new TextError(error.message) : error
  }
}

/** The same as it is written. */
export function keyFromJson(json: string): Uint8Array {
  return keyFromPlain(parsed(json))
}

/** The JSON of a tuple, or undefined for bytes that are none. */
export function keyToJson(key: Uint8Array): string | undefined {
  try {
    return tupleToJson(decodeTuple(key))
  } catch {
    return undefined
  }
}

/** A key for people: bytes that are not UTF-8, or no tuple, show with U+FFFD. */
export function keyToText(key: Uint8Array, encoding: KeyEncoding): string {
  return (encoding === 'tuple' ? keyToJson(key) : undefined) ?? asBuffer(key).toString('utf8')
}

const tupleFromJson = (json: string): TupleKey => tupleFromPlain(parsed(json))

const parsed = (json: string): unknown => {
  try {
    return JSON.parse(json)
  } catch (error) {
    throw new TextError(`not JSON such as ["user",42] (${(error as Error).message})`)
  }
}

function usage(what: string, decode: () => Key): Key {
  try {
    return decode()
  } catch (error) {
    if (error instanceof TextError) throw new UsageError(`${what} is ${error.message}`)
    throw error instanceof XenonError ? new UsageError(`${what}: ${error.message}`) : error
  }
}
