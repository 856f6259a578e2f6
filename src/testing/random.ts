/**
 * A seeded generator of random numbers (sfc32): whatever a simulation decides follows from its seed, so that a
 * failure can be repeated. Not for keys, salts or anything that an adversary should not guess.
 */
export class Random {
  /** What all numbers follow from. */
  readonly seed: number
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: number) {
    this.seed = seed
    this.#a = seed >>> 0
    this.#b = (seed ^ 0x9e3779b9) >>> 0
    this.#c = (seed ^ 0x243f6a88) >>> 0
    for (let i = 0; i < 16; i++) this.next()
  }

  /**
   * The next 32 random bits.
   * @example const number = random.next()
   */
  next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum
    return sum >>> 0
  }

  /**
   * From 0 to `end` - 1.
   * @example const index = random.below(10)
   */
  below(end: number): number {
    return Math.floor((this.next() / 2 ** 32) * end)
  }

  /**
   * From `low` to `high`, both included.
   * @example const age = random.between(18, 99)
   */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1)
  }

  /**
   * True with this probability, 0 to 1.
   *
   * @example if (random.chance(0.1)) console.log('rarely')
   */
  chance(probability: number): boolean {
    return this.next() < probability * 2 ** 32
  }

  /**
   * One of the items.
   *
   * @example const city = random.pick(['Oslo', 'Bern'])
   */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T
  }

  /**
   * The items in another order, as a new array.
   *
   * @example const mixed = random.shuffle([1, 2, 3])
   */
  shuffle<T>(items: readonly T[]): T[] {
    const result = [...items]
    for (let i = result.length - 1; i > 0; i--) {
      const j = this.below(i + 1)
      ;[result[i], result[j]] = [result[j] as T, result[i] as T]
    }
    return result
  }

  /**
   * `length` bytes: a random pattern of up to 64 bytes, repeated, with its position stirred in now and then.
   * @example const bytes = random.bytes(16)
   */
  bytes(length: number): Uint8Array {
    const result = new Uint8Array(length)
    const head = Math.min(length, 64)
    for (let i = 0; i < head; i++) result[i] = this.next()
    for (let filled = head; filled < length; filled *= 2) result.copyWithin(filled, 0, filled)
    for (let i = 512; i < length; i += 512) result[i] = this.next()
    return result
  }
}
