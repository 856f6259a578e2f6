/** The key of the operation at hand: its bytes in the arena's key scratch, and its hash. */
import { InvalidArgumentError } from '../errors.ts'
import type { Position } from '../pager/place.ts'
import { type Arena, describe, isBytes, isWellFormed } from '../runtime/bytes.ts'
import type { LeafPlace } from '../tree/search.ts'
import { latin1 } from '../txn/changed-keys.ts'
import type { Lock } from '../txn/locks.ts'
import type { SpaceLocks } from '../txn/space-locks.ts'
import type { Key } from '../types.ts'
import { keyTooLarge, MAX_KEY_BYTES } from '../values/limits.ts'
import type { KeyHash } from './key-hash.ts'

/** What somebody has found out about keys ahead of their turn (`keys-ahead.ts`). */
export interface Ahead {
  /** If `key` is the next one: puts its hash into `hash` and returns its position in the arena, else -1. */
  take(key: string, hash: KeyHash): Position
  /** The same for a key that lies among other bytes. */
  takePart(source: Uint8Array, start: number, length: number, hash: KeyHash): Position
  /** Where the key at a position that `take` has returned is in the ordered index, or would go. */
  placeOf(position: Position): LeafPlace | undefined
  /** Index among the keys that were looked at of the one at a position, or -1. */
  indexOf(position: Position): number
  /** What was seen of each in its bucket. */
  readonly seen: SeenInBuckets
}

/** What was seen of some keys, each in its bucket. */
export interface SeenInBuckets {
  /** Block of the bucket, and the LSN of its last change: -1 if nothing was seen, or the bucket has several blocks. */
  readonly blocks: Uint32Array
  readonly lsns: Float64Array
  /** Anything but 0 if there was a record with the key's tag, and its slot. */
  readonly records: Int32Array
  readonly slots: Int32Array
}

/** The key scratch: the bytes lie at `at` of the arena. */
export class KeyBuffer {
  /** Where the key lies: at home in the key scratch, among the keys ahead, or wherever `use` found it. */
  at: Position
  length = 0
  readonly hash: KeyHash
  /** The key space of its keys. */
  readonly space: SpaceLocks
  private readonly arena: Arena
  private readonly home: Position
  private readonly ahead: Ahead

  constructor(arena: Arena, at: Position, hash: KeyHash, space: SpaceLocks, ahead: Ahead) {
    this.arena = arena
    this.home = at
    this.at = at
    this.hash = hash
    this.space = space
    this.ahead = ahead
  }

  /** Where the key is in the ordered index, or would go, if somebody has looked ahead. */
  get place(): LeafPlace | undefined {
    return this.ahead.placeOf(this.at)
  }

  /** Its index in `seen`, if somebody has looked ahead, else -1. */
  get seenIndex(): number {
    return this.ahead.indexOf(this.at)
  }

  get seen(): SeenInBuckets {
    return this.ahead.seen
  }

  /** What stands for it in the lock table. */
  get lock(): Lock {
    return this.hash.position | 0
  }

  /** Its bytes as Latin-1 text, by which `ChangedKeys` knows it. */
  get name(): string {
    return latin1(this.arena.u8, this.at, this.length)
  }

  set(key: Key): void {
    if (typeof key === 'string') {
      const ready = this.ahead.take(key, this.hash)
      if (ready >= 0) {
        this.at = ready
        this.length = key.length
        return
      }
      this.at = this.home
      const { length } = key
      if (length === 0) throw new InvalidArgumentError('a key must not be empty')
      if (length > MAX_KEY_BYTES) throw keyTooLarge(length)
      if (this.hash.ofText(key, this.arena.u32, this.at)) {
        this.length = length
        return
      }
      this.setUnicode(key)
    } else this.setBytes(key)
  }

  /** A key that lies among other bytes. */
  setPart(source: Uint8Array, start: number, end: number): void {
    const length = end - start
    if (this.isReady(source, start, length)) return
    if (length > 64) {
      this.set(source.subarray(start, end))
      return
    }
    if (length === 0) throw new InvalidArgumentError('a key must not be empty')
    const { u8 } = this.arena
    const { home } = this
    for (let i = 0; i < length; i++) u8[home + i] = source[start + i]!
    this.at = home
    this.length = length
    this.hash.of(u8, home, length)
  }

  /** Takes over a key that was looked at ahead of its turn, if it is this one. */
  private isReady(source: Uint8Array, start: number, length: number): boolean {
    const ready = this.ahead.takePart(source, start, length, this.hash)
    if (ready < 0) return false
    this.at = ready
    this.length = length
    return true
  }

  /** A key whose bytes lie in an arena already. */
  copy(source: Arena, position: Position, length: number): void {
    this.at = this.home
    if (source === this.arena) this.arena.u8.copyWithin(this.at, position, position + length)
    else this.arena.u8.set(source.u8.subarray(position, position + length), this.at)
    this.length = length
    this.hash.of(this.arena.u8, this.at, length)
  }

  /** A key that stays where it lies in the arena, until another one is set. For reading only. */
  use(position: Position, length: number): void {
    this.at = position
    this.length = length
    this.hash.of(this.arena.u8, position, length)
  }

  private setUnicode(key: string): void {
    if (!isWellFormed(key))
      throw new InvalidArgumentError('a key must be well-formed Unicode: this one has a lone surrogate; use bytes')
    // The scratch has room for three bytes per code unit.
    const length = this.arena.u8.utf8Write(key, this.at)
    if (length > MAX_KEY_BYTES) throw keyTooLarge(length)
    this.length = length
    this.hash.of(this.arena.u8, this.at, length)
  }

  private setBytes(key: Uint8Array): void {
    if (!isBytes(key)) throw new InvalidArgumentError(`a key must be a string or a Uint8Array, not ${describe(key)}`)
    const length = key.length
    if (length === 0) throw new InvalidArgumentError('a key must not be empty (or its buffer was detached)')
    if (length > MAX_KEY_BYTES) throw keyTooLarge(length)
    if (this.isReady(key, 0, length)) return
    this.at = this.home
    this.arena.u8.set(key, this.at)
    this.length = length
    this.hash.of(this.arena.u8, this.at, length)
  }
}

/** Bytes of the key scratch: three per code unit of the longest string key. */
export const KEY_SCRATCH_BYTES: number = 4 * MAX_KEY_BYTES
