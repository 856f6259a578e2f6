/** Findings of one sort: all are counted, the first ones kept. */
export const KEPT = 100

export class Notes<T> {
  count = 0
  readonly kept: T[] = []

  add(note: T): void {
    this.count++
    if (this.kept.length < KEPT) this.kept.push(note)
  }
}
