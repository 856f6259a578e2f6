/**
 * The block lock table: shared and exclusive locks of transactions on blocks, held to the transaction's end (strict
 * two-phase locking). Nobody waits here: a conflict is thrown, the asynchronous API will wait above this layer.
 *
 * One word per block: 0 free, +t exclusive by transaction t, -t shared by t alone, SHARED by several (listed aside).
 */
import { LockConflictError } from '../errors.ts'
import type { Block } from '../pager/place.ts'

const PAGE = 8192
const SHARED = -0x80000000

export class LockTable {
  conflicts = 0
  /** Number of exclusive locks held. */
  exclusive = 0
  private readonly table: (Int32Array | undefined)[] = []
  private readonly sharers: Map<number, Set<number>> = new Map()

  /** The transaction that holds the block exclusively, or 0. */
  exclusiveOwner(block: Block): number {
    const word = this.table[block >>> 13]?.[block & 0x1fff] ?? 0
    return Math.max(word, 0)
  }

  /** True when nobody but `transaction` holds the block in any mode. */
  isFreeFor(block: Block, transaction: number): boolean {
    const word = this.table[block >>> 13]?.[block & 0x1fff] ?? 0
    if (word === 0 || word === transaction || word === -transaction) return true
    return word === SHARED && this.soleSharer(block, transaction)
  }

  /** Returns true when the lock is new to the transaction, so that it must be released at its end. */
  lockExclusive(block: Block, transaction: number): boolean {
    const page = this.page(block)
    const word = page[block & 0x1fff]!
    if (word === transaction) return false
    if (!this.isFreeFor(block, transaction)) throw this.conflict(block, transaction, true)
    page[block & 0x1fff] = transaction
    this.exclusive++
    if (word === 0) return true
    this.sharers.delete(block)
    return false
  }

  lockShared(block: Block, transaction: number): boolean {
    const page = this.page(block)
    const word = page[block & 0x1fff]!
    if (word === transaction || word === -transaction) return false
    if (word > 0) throw this.conflict(block, transaction, false)
    if (word === 0) {
      page[block & 0x1fff] = -transaction
      return true
    }
    const sharers = this.sharers.get(block) ?? new Set([-word])
    if (sharers.has(transaction)) return false
    sharers.add(transaction)
    this.sharers.set(block, sharers)
    page[block & 0x1fff] = SHARED
    return true
  }

  /** A block that was just taken for a bucket belongs to `transaction` (0 = nobody), whoever held its number before. */
  assign(block: Block, transaction: number): void {
    const word = this.table[block >>> 13]?.[block & 0x1fff] ?? 0
    if (word > 0) this.exclusive--
    if (word === 0 && transaction === 0) return
    this.sharers.delete(block)
    this.page(block)[block & 0x1fff] = transaction
    if (transaction > 0) this.exclusive++
  }

  release(block: Block, transaction: number): void {
    const page = this.table[block >>> 13]
    const word = page?.[block & 0x1fff] ?? 0
    if (page === undefined || word === 0) return
    if (word === transaction) {
      page[block & 0x1fff] = 0
      this.exclusive--
    } else if (word === -transaction) {
      page[block & 0x1fff] = 0
    } else if (word === SHARED) {
      const sharers = this.sharers.get(block)!
      sharers.delete(transaction)
      if (sharers.size > 1) return
      page[block & 0x1fff] = -[...sharers][0]!
      this.sharers.delete(block)
    }
  }

  /** Throws unless an operation outside any transaction may change the block. */
  requireFree(block: Block): void {
    const word = this.table[block >>> 13]?.[block & 0x1fff] ?? 0
    if (word !== 0) throw this.conflict(block, 0, true)
  }

  /** Throws if another transaction holds the block exclusively. */
  requireReadable(block: Block, transaction: number): void {
    const owner = this.exclusiveOwner(block)
    if (owner !== 0 && owner !== transaction) throw this.conflict(block, transaction, false)
  }

  private soleSharer(block: Block, transaction: number): boolean {
    const sharers = this.sharers.get(block)!
    return sharers.size === 1 && sharers.has(transaction)
  }

  /** True when the transaction holds the block in any mode. */
  isHeldBy(block: Block, transaction: number): boolean {
    const word = this.table[block >>> 13]?.[block & 0x1fff] ?? 0
    if (word === SHARED) return this.sharers.get(block)!.has(transaction)
    return word === transaction || word === -transaction
  }

  /** The transactions whose locks keep `transaction` from the block. */
  holders(block: Block, transaction: number, exclusive: boolean): number[] {
    const word = this.table[block >>> 13]?.[block & 0x1fff] ?? 0
    if (word === 0 || word === transaction || word === -transaction) return []
    if (word > 0) return [word]
    if (!exclusive) return []
    if (word === SHARED) return [...this.sharers.get(block)!].filter(id => id !== transaction)
    return [-word]
  }

  private conflict(block: Block, transaction: number, exclusive: boolean): LockConflictError {
    this.conflicts++
    const holders = this.holders(block, transaction, exclusive)
    const word = this.table[block >>> 13]?.[block & 0x1fff] ?? 0
    const owner = word > 0 ? `transaction ${word} has changed` : 'another open transaction has read'
    return new LockConflictError(
      `${owner} block ${block}, which this operation needs; commit or roll it back first, then try again`,
      { holders, block, exclusive },
    )
  }

  private page(block: Block): Int32Array {
    const index = block >>> 13
    while (this.table.length <= index) this.table.push(undefined)
    this.table[index] ??= new Int32Array(PAGE)
    return this.table[index]
  }
}
