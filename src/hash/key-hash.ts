/**
 * HalfSipHash-1-3 (Aumasson and Bernstein; 32-bit operations, keyed with a random key of block 0, so that nobody can
 * prepare colliding keys) over the UTF-8 bytes of a key. Its 32-bit output is the position: position mod 101 chooses
 * the index block, the whole position orders the records inside a directory. The tag in a slot is 15 bits of v0 ^ v2 of
 * the same final state.
 */
import { INDEX_BLOCKS } from '../pager/layout.ts'
import type { Block } from '../pager/place.ts'

/** Where the index of a key space begins: at its only index block, or (0) at the 101 of the root. */
export interface IndexStart {
  lone: Block
}

export const FIXED: IndexStart = Object.freeze({ lone: 0 })

export class KeyHash {
  /** Number of the index block. */
  root = 0
  readonly start: IndexStart
  /** Hash tag of a slot, with the bit that marks it as in use. */
  tag = 0
  /** The position as a signed number, which V8 keeps out of the heap. */
  private bits = 0
  private readonly k0: number
  private readonly k1: number
  /** Bytes that lie anywhere, as words; a damaged record may tell a longer key than there can be. */
  private readonly words: Uint32Array = new Uint32Array(520)

  constructor(hashKey: readonly [number, number], start: IndexStart = FIXED) {
    this.start = start
    this.k0 = hashKey[0] | 0
    this.k1 = hashKey[1] | 0
  }

  get position(): number {
    return this.bits >>> 0
  }

  /** Takes over the hash of a key that was hashed before. */
  set(root: number, position: number, tag: number): void {
    this.root = root
    this.bits = position | 0
    this.tag = tag
  }

  /** Hashes `length` bytes at `start`, wherever that is. */
  of(u8: Uint8Array, start: number, length: number): void {
    const { words } = this
    const last = length >>> 2
    let at = start
    for (let i = 0; i < last; i++, at += 4)
      words[i] = u8[at]! | (u8[at + 1]! << 8) | (u8[at + 2]! << 16) | (u8[at + 3]! << 24)
    let rest = 0
    for (let shift = 0; at < start + length; at++, shift += 8) rest |= u8[at]! << shift
    words[last] = rest
    this.ofWords(words, 0, length)
  }

  /** Hashes `length` bytes from index `word` of a u32 view on, with zeros behind them up to a whole word. */
  ofWords(u32: Uint32Array, word: number, length: number): void {
    let v0 = this.k0
    let v1 = this.k1
    let v2 = this.k0 ^ 0x6c796765
    let v3 = this.k1 ^ 0x74656462
    const last = word + (length >>> 2)
    for (let at = word; at < last; at++) {
      const m = u32[at]!
      v3 ^= m
      v0 = (v0 + v1) | 0
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
      v0 = (v0 << 16) | (v0 >>> 16)
      v2 = (v2 + v3) | 0
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
      v0 = (v0 + v3) | 0
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
      v2 = (v2 + v1) | 0
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
      v2 = (v2 << 16) | (v2 >>> 16)
      v0 ^= m
    }
    const rest = (length & 3) === 0 ? 0 : u32[last]!
    this.finish(v0, v1, v2, v3, rest | (length << 24))
  }

  /**
   * Hashes ASCII text while writing its bytes at `at`, which is a multiple of 4 with 4 bytes to spare: whole words
   * go from the string into the hash without a way through memory. False, with nothing hashed, if it is not ASCII.
   */
  ofText(text: string, u32: Uint32Array, at: number): boolean {
    let v0 = this.k0
    let v1 = this.k1
    let v2 = this.k0 ^ 0x6c796765
    let v3 = this.k1 ^ 0x74656462
    const { length } = text
    let word = at >>> 2
    let i = 0
    for (const end = length & ~3; i < end; i += 4) {
      const c0 = text.charCodeAt(i)
      const c1 = text.charCodeAt(i + 1)
      const c2 = text.charCodeAt(i + 2)
      const c3 = text.charCodeAt(i + 3)
      if ((c0 | c1 | c2 | c3) > 127) return false
      const m = c0 | (c1 << 8) | (c2 << 16) | (c3 << 24)
      u32[word++] = m
      v3 ^= m
      v0 = (v0 + v1) | 0
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
      v0 = (v0 << 16) | (v0 >>> 16)
      v2 = (v2 + v3) | 0
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
      v0 = (v0 + v3) | 0
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
      v2 = (v2 + v1) | 0
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
      v2 = (v2 << 16) | (v2 >>> 16)
      v0 ^= m
    }
    let m = 0
    for (let shift = 0; i < length; i++, shift += 8) {
      const code = text.charCodeAt(i)
      if (code > 127) return false
      m |= code << shift
    }
    u32[word] = m
    this.finish(v0, v1, v2, v3, m | (length << 24))
    return true
  }

  /** The last word and the three rounds of the end. */
  private finish(a: number, b: number, c: number, d: number, m: number): void {
    let v0 = a
    let v1 = b
    let v2 = c
    let v3 = d ^ m
    for (let round = 0; round < 4; round++) {
      v0 = (v0 + v1) | 0
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
      v0 = (v0 << 16) | (v0 >>> 16)
      v2 = (v2 + v3) | 0
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
      v0 = (v0 + v3) | 0
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
      v2 = (v2 + v1) | 0
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
      v2 = (v2 << 16) | (v2 >>> 16)
      if (round === 0) {
        v0 ^= m
        v2 ^= 0xff
      }
    }
    const bits = v1 ^ v3
    this.bits = bits
    this.root = this.start === FIXED ? 1 + ((bits >>> 0) % INDEX_BLOCKS) : this.start.lone
    this.tag = ((v0 ^ v2) & 0x7fff) | 0x8000
  }
}
