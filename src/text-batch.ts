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

export class TextBatch {
  private readonly arena: Arena
  private readonly scratch: number

  /** `scratch`: TEXT_SCRATCH_BYTES of the arena. */
  constructor(arena: Arena, scratch: number) {
    this.arena = arena
    this.scratch = scratch
  }

  /** Appends the texts of the pieces [0, count) to `out`. */
  decode(count: number, at: Int32Array, length: Int32Array, out: string[]): void {
    const { u8 } = this.arena
    const { scratch } = this
    for (let from = 0; from < count; ) {
      // Pieces that lie side by side already are not copied.
      const first = at[from]!
      let start = first
      let to = from
      let bytes = 0
      while (to < count && to - from < PIECES) {
        const size = length[to]!
        if (size >= ALONE || bytes + size > TEXT_SCRATCH_BYTES) break
        if (start === first && at[to] !== first + bytes) {
          start = scratch
          u8.copyWithin(scratch, first, first + bytes)
        }
        if (start === scratch) u8.copyWithin(scratch + bytes, at[to]!, at[to]! + size)
        bytes += size
        to++
      }
      if (to - from < 2) {
        out.push(u8.utf8Slice(at[from]!, at[from]! + length[from]!))
        from++
        continue
      }
      const text = u8.utf8Slice(start, start + bytes)
      if (text.length === bytes) {
        for (let i = from, begin = 0; i < to; i++) {
          const end = begin + length[i]!
          out.push(text.substring(begin, end))
          begin = end
        }
      } else for (let i = from; i < to; i++) out.push(u8.utf8Slice(at[i]!, at[i]! + length[i]!))
      from = to
    }
  }
}
