/**
 * Ranges that open transactions have read: nobody else may add a key to one, or take one out, until the reader ends, so
 * that reading again finds the same keys (no phantoms), also where a range is empty.
 */
import { type Bounds, compareBytes } from '../runtime/bytes.ts'

export class RangeLocks {
  private readonly held: Map<number, Bounds[]> = new Map()

  get isEmpty(): boolean {
    return this.held.size === 0
  }

  add(transaction: number, bounds: Bounds): void {
    const ranges = this.held.get(transaction)
    if (ranges === undefined) this.held.set(transaction, [bounds])
    else ranges.push(bounds)
  }

  release(transaction: number): void {
    this.held.delete(transaction)
  }

  /** The transactions other than `transaction` that have read a range with the key in it. */
  holdersOf(key: Uint8Array, transaction: number): number[] {
    const holders: number[] = []
    for (const [holder, ranges] of this.held)
      if (holder !== transaction && ranges.some(bounds => isWithin(key, bounds))) holders.push(holder)
    return holders
  }
}

export const isWithin = (key: Uint8Array, { lower, upper }: Bounds): boolean => {
  const low = lower === undefined ? 1 : compareBytes(key, lower.key)
  if (low < 0 || (low === 0 && !lower!.inclusive)) return false
  const high = upper === undefined ? -1 : compareBytes(key, upper.key)
  return high < 0 || (high === 0 && upper!.inclusive)
}
