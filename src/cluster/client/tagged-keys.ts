/** Keys of one slot: each stands behind a hash tag that the caller neither gives nor sees. */
import { type Bound, isBytes, isWellFormed, type TextBytes } from '../../runtime/bytes.ts'
import type { Key, KeyEncoding, TupleKey } from '../../types.ts'
import { KeyCodec } from '../../values/key-codec.ts'
import { successor } from '../../values/range.ts'

export class TaggedKeys extends KeyCodec {
  private readonly tag: Uint8Array
  override readonly lowest: Bound
  override readonly highest: Bound

  /** @param tag `{…}` */
  constructor(encoding: KeyEncoding, tag: Uint8Array) {
    super(encoding)
    this.tag = tag
    this.lowest = { key: tag, inclusive: true }
    this.highest = { key: successor(Uint8Array.from(tag))!, inclusive: false }
  }

  private behindTag(bytes: Uint8Array): Uint8Array {
    const whole = new Uint8Array(this.tag.length + bytes.length)
    whole.set(this.tag)
    whole.set(bytes, this.tag.length)
    return whole
  }

  override given(key: unknown): Key {
    const given = super.given(key)
    // What is no key is refused as such, and an empty one would be the tag alone.
    if ((typeof given !== 'string' && !isBytes(given)) || given.length === 0) return given
    if (typeof given === 'string' && !isWellFormed(given)) return given
    return this.behindTag(typeof given === 'string' ? Buffer.from(given) : given)
  }

  override allGiven(keys: readonly unknown[]): readonly Key[] {
    return keys.map(key => this.given(key))
  }

  override decode<K>(bytes: TextBytes, start: number, end: number): K {
    return super.decode(bytes, start + this.tag.length, end)
  }

  override decodeAll<K>(bytes: Uint8Array): K {
    return super.decodeAll(bytes.subarray(this.tag.length))
  }

  override asGiven(bytes: Uint8Array): Uint8Array {
    return bytes.subarray(this.tag.length)
  }

  override named(bytes: Uint8Array): string | Uint8Array {
    return super.named(bytes.subarray(this.tag.length))
  }

  override ofError(bytes: Uint8Array): TupleKey {
    return super.ofError(bytes.subarray(this.tag.length))
  }

  override bound(name: string, key: unknown): Uint8Array {
    return this.behindTag(super.bound(name, key))
  }

  override prefix(prefix: unknown): Uint8Array {
    return this.behindTag(super.prefix(prefix))
  }
}
