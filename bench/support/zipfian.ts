/**
 * Numbers drawn with Zipf's law, as YCSB draws them: Gray et al., Quickly Generating Billion-Record Synthetic
 * Databases, SIGMOD 1994. Rank 0 comes most often, rank i in proportion to 1 / (i + 1)^theta.
 */
import { absolute, fnv64 } from './hash.ts'
import type { Random } from './random.ts'

export const THETA = 0.99

/** YCSB's scrambled generator draws from so many ranks, whatever the records, and knows their sum. */
const SCRAMBLED_RANKS = 10_000_000_000
const SCRAMBLED_ZETA = 26.46902820178302

export class Zipfian {
  readonly #random: Random
  readonly #half = 1 + 0.5 ** THETA
  #ranks: number
  #zeta: number

  /** `zeta` when it is known: the sum of 1 / i^theta up to `ranks`. */
  constructor(random: Random, ranks: number, zeta: number = zetaOf(0, ranks, 0)) {
    this.#random = random
    this.#ranks = ranks
    this.#zeta = zeta
  }

  /** There are more ranks from now on. */
  grow(ranks: number): void {
    this.#zeta = zetaOf(this.#ranks, ranks, this.#zeta)
    this.#ranks = ranks
  }

  next(): number {
    const share = this.#random.next() / 2 ** 32
    const scaled = share * this.#zeta
    if (scaled < 1) return 0
    if (scaled < this.#half) return 1
    const eta = (1 - (2 / this.#ranks) ** (1 - THETA)) / (1 - this.#half / this.#zeta)
    const rank = Math.floor(this.#ranks * (eta * share - eta + 1) ** (1 / (1 - THETA)))
    return Math.min(rank, this.#ranks - 1)
  }
}

/** The popular ones lie anywhere among `records`, not side by side. */
export function scrambledZipfian(random: Random, records: number): () => number {
  const zipfian = new Zipfian(random, SCRAMBLED_RANKS, SCRAMBLED_ZETA)
  return () => Number(absolute(fnv64(zipfian.next())) % BigInt(records))
}

function zetaOf(from: number, to: number, sum: number): number {
  let zeta = sum
  for (let rank = from + 1; rank <= to; rank += 1) zeta += 1 / rank ** THETA
  return zeta
}
