/** A long text, put together of many short ones: kept in flat stretches, which take no more memory than their bytes. */

/** So many pieces become one stretch. */
const MANY = 1024

export class Pieces {
  /** Bytes so far. */
  length = 0
  private stretches: string[] = []
  private pieces: string[] = []

  add(text: string): void {
    this.length += text.length
    if (this.pieces.push(text) < MANY) return
    this.stretches.push(this.pieces.join(''))
    this.pieces = []
  }

  join(): string {
    return this.stretches.join('') + this.pieces.join('')
  }
}
