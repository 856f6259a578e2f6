/**
 * Whether reads of blocks have to wait for a disk, so that it is worth asking for some ahead: where the system has the
 * file in its memory, to ask takes as long as to read. With reads ahead few are slow; so few that it makes no difference
 * ends them.
 */

/** Milliseconds: from the system's memory a block takes 3 µs, from a fast disk 50. */
const SLOW = 0.02
/** The share of slow reads from which on blocks are read ahead, and below which they are not any more. */
const BEGIN = 0.25
const END = 0.02
/** Weight of one read. */
const WEIGHT = 1 / 32

export class ReadPace {
  isSlow = false
  private share = 0

  took(milliseconds: number): void {
    this.share += WEIGHT * ((milliseconds > SLOW ? 1 : 0) - this.share)
    if (this.isSlow ? this.share < END : this.share > BEGIN) this.isSlow = !this.isSlow
  }
}
