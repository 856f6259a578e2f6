/** JSON whose values are checked as they are read, so that their type is what the check says. */
import { requireDone, requireSyncFunction } from '../runtime/callbacks.ts'
import type { ValueCodec } from '../types.ts'
import { jsonText } from './encoding.ts'

const utf8 = /* @__PURE__ */ new TextEncoder()
const text = /* @__PURE__ */ new TextDecoder()

/**
 * The value encoding `'json'` whose values go through `parse` as they are read: `schema.parse` of zod, `parser(schema)`
 * of valibot, or any function that returns a value of the type or throws. Values are written as they are given. What
 * `parse` throws is the `cause` of a DecodeError, so that `onDecodeError` applies. It is stored as `'json'`: a database
 * of plain JSON can be opened with it, and the other way round.
 * @throws InvalidArgumentError unless it is given a synchronous function.
 * @example
 * const db = open('people', { valueEncoding: jsonCodec(value => ({ name: String((value as { name: unknown }).name) })) })
 */
export const jsonCodec = <T>(parse: (value: unknown) => T): ValueCodec<T> => {
  requireSyncFunction('jsonCodec()', parse)
  return {
    name: 'json',
    encode: value => utf8.encode(jsonText(value)),
    decode: bytes => {
      const value = parse(JSON.parse(text.decode(bytes)))
      requireDone('jsonCodec()', value)
      return value
    },
  }
}
