/**
 * The lock table: shared and exclusive locks of transactions on keys, held to the transaction's end (strict two-phase
 * locking). Nobody waits here: a lock that cannot be had is refused, `waits.ts` stands above this.
 *
 * A key is locked by the position of its hash, whether it is there or not, and wherever its record lies: so records may
 * move between blocks whatever is locked. Two keys of one position share a lock; of a million keys some hundred do.
 *
 * Open addressing with linear probing over two arrays: the locks, whose bits are evenly spread already, and one word
 * for each: 0 free, +t exclusive by transaction t, -t shared by t alone, SHARED by several (listed aside).
 */

/** Position of the hash of a key, as a signed number of 32 bits. */
export type Lock = number

/** What came of asking for a lock. */
export const Grant = {
  /** The transaction has it already, in this mode or a stronger one, or has it now in place of a weaker one. */
  held: 0,
  /** It is new to the transaction, so that it must be released at its end. */
  fresh: 1,
  refused: 2,
} as const
export type Grant = (typeof Grant)[keyof typeof Grant]

const SHARED = -0x80000000
const LEAST_CAPACITY = 64

export class LockTable {
  conflicts = 0
  /** Number of exclusive locks held. */
  exclusive = 0
  /** Number of locks held in any mode. */
  size = 0
  private locks: Int32Array = new Int32Array(LEAST_CAPACITY)
  private words: Int32Array = new Int32Array(LEAST_CAPACITY)
  private mask = LEAST_CAPACITY - 1
  private readonly sharers: Map<Lock, Set<number>> = new Map()

  /** The transaction that holds a lock exclusively, or 0. */
  exclusiveOwner(lock: Lock): number {
    return Math.max(this.wordOf(lock), 0)
  }

  /** The only transaction that holds a lock, in whatever mode; 0 if there is none, or there are several. */
  soleHolder(lock: Lock): number {
    const word = this.wordOf(lock)
    return word === SHARED ? 0 : Math.abs(word)
  }

  /** True when nobody but `transaction` holds the lock in any mode. */
  isFreeFor(lock: Lock, transaction: number): boolean {
    const word = this.wordOf(lock)
    if (word === 0 || word === transaction || word === -transaction) return true
    return word === SHARED && this.isSoleSharer(lock, transaction)
  }

  lockExclusive(lock: Lock, transaction: number): Grant {
    const at = this.find(lock)
    const word = this.words[at]!
    if (word === transaction) return Grant.held
    if (word !== 0 && word !== -transaction && !(word === SHARED && this.isSoleSharer(lock, transaction)))
      return Grant.refused
    this.exclusive++
    if (word === 0) {
      this.add(at, lock, transaction)
      return Grant.fresh
    }
    this.words[at] = transaction
    this.sharers.delete(lock)
    return Grant.held
  }

  lockShared(lock: Lock, transaction: number): Grant {
    const at = this.find(lock)
    const word = this.words[at]!
    if (word === transaction || word === -transaction) return Grant.held
    if (word > 0) return Grant.refused
    if (word === 0) {
      this.add(at, lock, -transaction)
      return Grant.fresh
    }
    const sharers = this.sharers.get(lock) ?? new Set([-word])
    if (sharers.has(transaction)) return Grant.held
    sharers.add(transaction)
    this.sharers.set(lock, sharers)
    this.words[at] = SHARED
    return Grant.fresh
  }

  release(lock: Lock, transaction: number): void {
    const at = this.find(lock)
    const word = this.words[at]!
    if (word === 0) return
    if (word === transaction) {
      this.remove(at)
      this.exclusive--
    } else if (word === -transaction) this.remove(at)
    else if (word === SHARED) {
      const sharers = this.sharers.get(lock)!
      sharers.delete(transaction)
      if (sharers.size > 1) return
      this.words[at] = -[...sharers][0]!
      this.sharers.delete(lock)
    }
  }

  /** True when the transaction holds the lock in any mode. */
  isHeldBy(lock: Lock, transaction: number): boolean {
    const word = this.wordOf(lock)
    if (word === SHARED) return this.sharers.get(lock)!.has(transaction)
    return word !== 0 && (word === transaction || word === -transaction)
  }

  /** The transactions whose locks keep `transaction` (0: an operation outside of any) from a lock. */
  holders(lock: Lock, transaction: number, exclusive: boolean): number[] {
    const word = this.wordOf(lock)
    if (word === 0 || word === transaction || word === -transaction) return []
    if (word > 0) return [word]
    if (!exclusive) return []
    if (word === SHARED) return [...this.sharers.get(lock)!].filter(id => id !== transaction)
    return [-word]
  }

  private isSoleSharer(lock: Lock, transaction: number): boolean {
    const sharers = this.sharers.get(lock)!
    return sharers.size === 1 && sharers.has(transaction)
  }

  private wordOf(lock: Lock): number {
    return this.size === 0 ? 0 : this.words[this.find(lock)]!
  }

  /** Where a lock stands, or would. */
  private find(lock: Lock): number {
    const { locks, words, mask } = this
    let at = lock & mask
    while (words[at] !== 0 && locks[at] !== lock) at = (at + 1) & mask
    return at
  }

  private add(at: number, lock: Lock, word: number): void {
    this.locks[at] = lock
    this.words[at] = word
    if (2 * ++this.size > this.mask) this.resize(2 * (this.mask + 1))
  }

  /** Those behind a lock that goes close up, so that no search ends too early. */
  private remove(at: number): void {
    const { locks, words, mask } = this
    let hole = at
    for (let next = (at + 1) & mask; words[next] !== 0; next = (next + 1) & mask) {
      const home = locks[next]! & mask
      if (((next - home) & mask) < ((next - hole) & mask)) continue
      locks[hole] = locks[next]!
      words[hole] = words[next]!
      hole = next
    }
    words[hole] = 0
    // What one large transaction has needed is given back after it.
    if (--this.size === 0 && mask >= 64 * LEAST_CAPACITY) this.resize(LEAST_CAPACITY)
  }

  private resize(capacity: number): void {
    const { locks, words } = this
    this.locks = new Int32Array(capacity)
    this.words = new Int32Array(capacity)
    this.mask = capacity - 1
    for (let i = 0; i < words.length; i++) {
      if (words[i] === 0) continue
      const at = this.find(locks[i]!)
      this.locks[at] = locks[i]!
      this.words[at] = words[i]!
    }
  }
}
