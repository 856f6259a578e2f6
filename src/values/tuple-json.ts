/**
 * Tuples as JSON, for the command line, files and messages. What JSON has stands for itself; of the rest:
 *
 * | key | JSON |
 * | --- | --- |
 * | `42n` | `{"bigint":"42"}` |
 * | `Infinity`, `-Infinity` | `{"number":"Infinity"}`, `{"number":"-Infinity"}` |
 * | bytes | `{"base64":"AAE="}` |
 */
import { InvalidArgumentError } from '../errors.ts'
import type { TupleKey } from '../types.ts'

/** As one line of JSON. */
export const tupleToJson = (key: TupleKey): string => JSON.stringify(plainOf(key))

const plainOf = (key: TupleKey): unknown => {
  if (typeof key === 'bigint') return { bigint: key.toString() }
  if (typeof key === 'number') return Number.isFinite(key) ? key : { number: `${key}` }
  if (key instanceof Uint8Array) return { base64: toBase64(key) }
  return Array.isArray(key) ? key.map(plainOf) : key
}

/** @throws InvalidArgumentError for JSON that stands for no key. */
export const tupleFromPlain = (plain: unknown): TupleKey => {
  if (Array.isArray(plain)) return plain.map(tupleFromPlain)
  if (typeof plain !== 'object' || plain === null) return plain as TupleKey
  const [entry, other] = Object.entries(plain)
  const [kind, text] = entry ?? []
  if (other === undefined && typeof text === 'string') {
    if (kind === 'bigint' && /^-?\d{1,2500}$/.test(text)) return BigInt(text)
    if (kind === 'number' && /^-?Infinity$/.test(text)) return Number(text)
    if (kind === 'base64') return fromBase64(text)
  }
  throw new InvalidArgumentError(
    'an object in a key is one of {"bigint":"42"}, {"number":"Infinity"}, {"number":"-Infinity"}, {"base64":"AAE="}',
  )
}

const toBase64 = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes))

const fromBase64 = (text: string): Uint8Array => {
  try {
    return Uint8Array.from(atob(text), character => character.charCodeAt(0))
  } catch {
    throw new InvalidArgumentError('"base64" in a key is not base64')
  }
}
