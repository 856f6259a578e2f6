/** What the function of an index makes of a record: index keys, as bytes that are ordered as they are. */
import { IndexFunctionError, InvalidArgumentError, reasonOf, XenonError } from '../errors.ts'
import { letGo, requireDone } from '../runtime/callbacks.ts'
import { latin1 } from '../txn/changed-keys.ts'
import type { IndexFunction, TupleKey } from '../types.ts'
import type { KeyCodec } from '../values/key-codec.ts'
import { MAX_KEY_BYTES } from '../values/limits.ts'
import { encodeTuple } from '../values/tuple.ts'

const NONE: readonly Uint8Array[] = []

export class IndexKeys<V> {
  /** Name of the index. */
  readonly name: string
  private readonly keysOf: IndexFunction<V, unknown, TupleKey>
  private readonly keys: KeyCodec

  constructor(name: string, keysOf: IndexFunction<V, never, TupleKey>, keys: KeyCodec) {
    this.name = name
    this.keysOf = keysOf as IndexFunction<V, unknown, TupleKey>
    this.keys = keys
  }

  /**
   * The index keys of a record, each once. The caller's code runs: nobody may come back into the database meanwhile.
   * @throws IndexFunctionError; InvalidArgumentError for what cannot be an index key.
   */
  of(value: V, key: Uint8Array): readonly Uint8Array[] {
    return this.encoded(this.resultOf(value, this.keys.decodeAll(key.slice()), key), key)
  }

  /** What the function gives; `named`: the key as callers know it. */
  resultOf(value: V, named: unknown, key: Uint8Array): unknown {
    try {
      return this.keysOf(value, named)
    } catch (error) {
      throw new IndexFunctionError(this.name, this.keys.named(key), error)
    }
  }

  /** The index keys that a result of the function stands for. */
  encoded(result: unknown, key: Uint8Array): readonly Uint8Array[] {
    if (result === undefined) return NONE
    try {
      if (!Array.isArray(result)) return [this.one(result, key)]
      if (result.length === 1) return [this.one(result[0], key)]
      return this.distinct(result, key)
    } catch (error) {
      letGo(result)
      if (!(error instanceof XenonError)) throw new IndexFunctionError(this.name, this.keys.named(key), error)
      throw error
    }
  }

  private distinct(given: readonly unknown[], key: Uint8Array): readonly Uint8Array[] {
    const all = new Map<string, Uint8Array>()
    for (let i = 0; i < given.length; i++) {
      const bytes = this.one(given[i], key)
      all.set(latin1(bytes), bytes)
    }
    return [...all.values()]
  }

  private one(given: unknown, key: Uint8Array): Uint8Array {
    let bytes: Uint8Array
    try {
      if (typeof given === 'object') requireDone('an index', given)
      bytes = encodeTuple(given as TupleKey)
    } catch (error) {
      if (!(error instanceof XenonError)) throw error
      throw this.noKey(key, reasonOf(error), error)
    }
    if (bytes.length + key.length > MAX_KEY_BYTES)
      throw this.noKey(
        key,
        `index key and key have ${bytes.length + key.length} bytes together; ${MAX_KEY_BYTES} are allowed`,
      )
    return bytes
  }

  private noKey(key: Uint8Array, reason: string, cause?: unknown): InvalidArgumentError {
    const named = this.keys.named(key)
    const shown = typeof named === 'string' ? `'${named.slice(0, 64)}'` : `a key of ${named.length} bytes`
    return new InvalidArgumentError(
      `the index '${this.name}' cannot have what its function made of ${shown}: ${reason}; nothing was changed`,
      { cause },
    )
  }
}
