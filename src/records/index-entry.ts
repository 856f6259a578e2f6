/** One entry of an index, taken apart. */
import { asText, shortText } from '../runtime/bytes.ts'
import type { TupleKey } from '../types.ts'
import type { KeyCodec } from '../values/key-codec.ts'
import { TupleReader } from '../values/tuple.ts'

const NO_BYTES = new Uint8Array(0)

/** The entry that a reader is at: its index key, and where the key of its record lies. */
export class IndexEntry {
  indexKey: TupleKey = null
  /** All of it. */
  bytes: Uint8Array = NO_BYTES
  private source: Uint8Array = NO_BYTES
  private start = 0
  /** An entry that begins with the index key at hand, if that is no object, and how many bytes of it those are. */
  private prefix: Uint8Array = NO_BYTES
  private prefixLength = 0
  private readonly unique: boolean
  private readonly keys: KeyCodec

  constructor(unique: boolean, keys: KeyCodec) {
    this.unique = unique
    this.keys = keys
  }

  /** `holder`: of a unique index, the value of the entry. */
  goTo(entry: Uint8Array, holder: Uint8Array | undefined): void {
    this.bytes = entry
    // Most often many have the same one, which need not be read again. An object is the caller's from then on.
    if (!this.isSame(entry)) {
      const reader = new TupleReader(entry, 0, entry.length)
      this.indexKey = reader.value()
      this.prefix = typeof this.indexKey === 'object' ? NO_BYTES : entry
      this.prefixLength = reader.at
    }
    this.source = this.unique ? holder! : entry
    this.start = this.unique ? 0 : this.prefixLength
  }

  private isSame(entry: Uint8Array): boolean {
    const { prefix, prefixLength } = this
    if (prefix.length === 0 || entry.length < prefixLength) return false
    for (let i = 0; i < prefixLength; i++) if (entry[i] !== prefix[i]) return false
    return true
  }

  get indexKeyBytes(): Uint8Array {
    return this.unique ? this.bytes : this.bytes.subarray(0, this.start)
  }

  get key(): Uint8Array {
    return this.start === 0 ? this.source : this.source.subarray(this.start)
  }

  /** The key as callers get it. */
  keyOfCaller<K>(): K {
    const { keys, source, start } = this
    const text = keys.asTexts ? shortText(source, start, source.length) : undefined
    return text === undefined ? keys.decode<K>(asText(source), start, source.length) : (text as K)
  }
}
