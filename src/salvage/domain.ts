/** A key space whose records are looked for: how its keys are hashed, and where records of it may be missing. */
import { FIXED, KeyHash } from '../hash/key-hash.ts'
import { INDEX_BLOCKS } from '../pager/layout.ts'
import type { FoundSpace } from './spaces.ts'

/** A part of a key space: an interval of hash positions, [low, high), below an index block. */
export interface Way {
  readonly domain: Domain
  readonly root: number
  readonly low: number
  readonly high: number
}

export class Domain {
  /** Of the root it is lost with the identity in block 0. */
  readonly hash: KeyHash | undefined
  /** Its index blocks. */
  readonly roots: readonly number[]
  /** Undefined: the root. */
  readonly found: FoundSpace | undefined
  gaps = 0
  lostKeys = 0
  /** By index block: where a record may be missing from the index though it was there. */
  private readonly uncertain: Map<number, Way[]> = new Map()

  private constructor(found: FoundSpace | undefined, hash: KeyHash | undefined, roots: readonly number[]) {
    this.found = found
    this.hash = hash
    this.roots = roots
  }

  /** `hashKey`: undefined if it is lost. */
  static root(hashKey: readonly [number, number] | undefined): Domain {
    const roots = Array.from({ length: INDEX_BLOCKS }, (_, i) => i + 1)
    return new Domain(undefined, hashKey === undefined ? undefined : new KeyHash(hashKey, FIXED), roots)
  }

  static of(found: FoundSpace): Domain {
    const { index, hashKey } = found.facts
    // What stands for a lost one begins nowhere.
    if (index === 0) return new Domain(found, undefined, [])
    return new Domain(found, new KeyHash(hashKey, { lone: index }), [index])
  }

  get isRoot(): boolean {
    return this.found === undefined
  }

  get isIndex(): boolean {
    return this.found?.isIndex === true
  }

  /** Number of the key space. */
  get number(): number {
    return this.found?.facts.number ?? 0
  }

  /** What entries of the report say of it. */
  get inReport(): { space?: string[] } {
    return this.found === undefined ? {} : { space: this.found.path }
  }

  /** Whether a key belongs to a part of the space, as far as that can be told. */
  holds({ root, low, high }: Way, key: Uint8Array): boolean {
    const { hash } = this
    if (hash === undefined) return true
    hash.of(key, 0, key.length)
    return hash.root === root && hash.position >= low && hash.position < high
  }

  /** Whether the tag of a slot is that of the key here. */
  hasTag({ key, tag }: { readonly key: Uint8Array; readonly tag: number }): boolean {
    const { hash } = this
    if (hash === undefined) return false
    hash.of(key, 0, key.length)
    return hash.tag === tag
  }

  /** No record of it can be missing from its index. */
  get isCertain(): boolean {
    return this.uncertain.size === 0
  }

  isUncertain(key: Uint8Array): boolean {
    const { hash, uncertain } = this
    if (hash === undefined) return uncertain.size > 0
    hash.of(key, 0, key.length)
    const { position } = hash
    return (uncertain.get(hash.root) ?? []).some(way => position >= way.low && position < way.high)
  }

  doubt(way: Way): void {
    const known = this.uncertain.get(way.root)
    if (known === undefined) this.uncertain.set(way.root, [way])
    else known.push(way)
  }
}
