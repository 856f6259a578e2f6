/**
 * Turns many short pieces of UTF-8 into strings. A call into the engine for each costs more than the decoding, so some
 * are put side by side, decoded as one text, and cut apart; what is cut shares the memory of that text, hence few and
 * short ones at a time. Only ASCII can be cut by byte positions; anything else is decoded piece by piece.
 */
import type { Arena } from './bytes.ts'

/** Bytes of scratch, pieces of one text, and length from which on a piece is decoded alone. */
export const TEXT_SCRATCH_BYTES = 4096
const PIECES = 32
const ALONE = 512
/** Pieces with fewer bytes between them are decoded where they lie, together with those. */
const GAP = 4

export class TextBatch {
  private readonly arena: Arena
  private readonly scratch: number
  /** Where each piece begins in the text at hand. */
  private readonly begins: Int32Array = new Int32Array(PIECES)

  /** `scratch`: TEXT_SCRATCH_BYTES of the arena. */
  constructor(arena: Arena, scratch: number) {
    this.arena = arena
    this.scratch = scratch
  }

  /**
   * The texts of the pieces [0, count). Where a piece begins less than GAP bytes behind the one before it, what lies
   * between them should be ASCII, or each is decoded alone.
   */
  decode(count: number, at: Int32Array, length: Int32Array): string[] {
    const { u8 } = this.arena
    const { scratch, begins } = this
    const out = new Array<string>(count)
    for (let from = 0; from < count; ) {
      const first = at[from]!
      let start = first
      let to = from
      let bytes = 0
      while (to < count && to - from < PIECES) {
        const size = length[to]!
        if (size >= ALONE || bytes + GAP + size > TEXT_SCRATCH_BYTES) break
        if (start === first) {
          const gap = at[to]! - first - bytes
          if (gap >= 0 && gap < GAP) bytes += gap
          else {
            start = scratch
            u8.copyWithin(scratch, first, first + bytes)
          }
        }
        if (start === scratch) u8.copyWithin(scratch + bytes, at[to]!, at[to]! + size)
        begins[to - from] = bytes
        bytes += size
        to++
      }
      if (to - from < 2) {
        out[from] = u8.utf8Slice(at[from]!, at[from]! + length[from]!)
        from++
        continue
      }
      const text = u8.utf8Slice(start, start + bytes)
      if (text.length === bytes) {
        for (let i = from; i < to; i++) {
          const begin = begins[i - from]!
          out[i] = text.substring(begin, begin + length[i]!)
        }
      } else for (let i = from; i < to; i++) out[i] = u8.utf8Slice(at[i]!, at[i]! + length[i]!)
      from = to
    }
    return out
  }
}
