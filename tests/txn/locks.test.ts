import { describe, expect, test } from 'vitest'
import { LockConflictError } from '../../src/index.ts'
import { LockTable } from '../../src/txn/locks.ts'
import { expectCode, thrownBy } from '../support/errors.ts'
import { runs, seeded } from '../support/random.ts'

describe('a lock', () => {
  test('is shared by many, or held by one', () => {
    const locks = new LockTable()
    expect(locks.lockShared(7, 1)).toBe(true)
    expect(locks.lockShared(7, 2)).toBe(true)
    expect(locks.exclusiveOwner(7)).toBe(0)
    expectCode(() => locks.lockExclusive(7, 1), 'XENON_LOCK_CONFLICT')
    locks.release(7, 2)
    expect(locks.lockExclusive(7, 1)).toBe(false)
    expect(locks.exclusiveOwner(7)).toBe(1)
    expectCode(() => locks.lockShared(7, 2), 'XENON_LOCK_CONFLICT')
    expectCode(() => locks.lockExclusive(7, 2), 'XENON_LOCK_CONFLICT')
    expect(locks.conflicts).toBe(3)
    locks.release(7, 1)
    expect(locks.lockExclusive(7, 2)).toBe(true)
  })

  test('is new to a transaction once, so that it is released once', () => {
    const locks = new LockTable()
    expect(locks.lockShared(7, 1)).toBe(true)
    expect(locks.lockShared(7, 1)).toBe(false)
    expect(locks.lockExclusive(7, 1)).toBe(false)
    expect(locks.lockExclusive(7, 1)).toBe(false)
    expect(locks.lockShared(7, 1)).toBe(false)
    expect(locks.exclusive).toBe(1)
    locks.release(7, 1)
    expect(locks.exclusive).toBe(0)
  })

  test('says in its conflict what to do, and which block', () => {
    const locks = new LockTable()
    locks.lockExclusive(4711, 3)
    expect((thrownBy(() => locks.lockShared(4711, 4)) as Error).message).toMatch(
      /transaction 3 has changed block 4711.*commit or roll it back/,
    )
    locks.lockShared(4712, 3)
    expect((thrownBy(() => locks.requireFree(4712)) as Error).message).toMatch(/has read block 4712/)
  })

  test('of a block that was taken anew belongs to its taker, whoever held the number before', () => {
    const locks = new LockTable()
    for (const holder of [1, 2, 3]) locks.lockShared(9, holder)
    locks.assign(9, 4)
    for (const holder of [1, 2, 3]) locks.release(9, holder)
    expect(locks.exclusiveOwner(9)).toBe(4)
    expect(locks.exclusive).toBe(1)
    locks.assign(9, 0)
    expect(locks.isFreeFor(9, 5)).toBe(true)
    expect(locks.exclusive).toBe(0)
    // Nobody of before is still listed beside the new readers.
    locks.lockShared(9, 5)
    locks.lockShared(9, 6)
    locks.release(9, 6)
    expect(locks.lockExclusive(9, 5)).toBe(false)
  })
})

describe('the lock table agrees with a model', () => {
  test('after every operation', () =>
    seeded(random => {
      for (let run = 0; run < 6 * runs; run++) {
        const locks = new LockTable()
        const model = new Model()
        // Pages of the table hold 65,536 blocks.
        const blocks = [1, 2, 65535, 65536, 200_000, 2 ** 31 + 5]
        const transactions = [1, 2, 3, 0x7ffffff0]
        for (let step = 0; step < 400; step++) {
          const block = random.pick(blocks)
          const transaction = random.pick(transactions)
          const roll = random.below(100)
          if (roll < 30) same(() => locks.lockShared(block, transaction), model.shared(block, transaction))
          else if (roll < 55) same(() => locks.lockExclusive(block, transaction), model.exclusive(block, transaction))
          else if (roll < 85) same(() => locks.release(block, transaction), model.release(block, transaction))
          else if (roll < 95) same(() => locks.requireFree(block), model.requireFree(block))
          else {
            const owner = random.chance(0.5) ? 0 : transaction
            locks.assign(block, owner)
            model.assign(block, owner)
          }
          for (const each of blocks) {
            expect(locks.exclusiveOwner(each)).toBe(model.of(each).owner)
            for (const other of [...transactions, 99])
              expect(locks.isFreeFor(each, other)).toBe(model.isFreeFor(each, other))
          }
          expect(locks.exclusive).toBe(blocks.filter(each => model.of(each).owner !== 0).length)
          expect(locks.conflicts).toBe(model.conflicts)
        }
        expect(model.conflicts).toBeGreaterThan(0)
      }
    }))

  /** Both answer the same, where the model says 'conflict' for a LockConflictError. */
  const same = (actual: () => unknown, expected: boolean | undefined | 'conflict'): void => {
    if (expected === 'conflict') expect(thrownBy(actual)).toBeInstanceOf(LockConflictError)
    else expect(actual()).toBe(expected)
  }
})

interface Holders {
  owner: number
  readers: Set<number>
}

class Model {
  conflicts = 0
  readonly #blocks: Map<number, Holders> = new Map()

  of(block: number): Holders {
    const known = this.#blocks.get(block) ?? { owner: 0, readers: new Set() }
    this.#blocks.set(block, known)
    return known
  }

  isFreeFor(block: number, transaction: number): boolean {
    const { owner, readers } = this.of(block)
    if (owner !== 0) return owner === transaction
    return [...readers].every(reader => reader === transaction)
  }

  shared(block: number, transaction: number): boolean | 'conflict' {
    const { owner, readers } = this.of(block)
    if (owner === transaction) return false
    if (owner !== 0) return this.#conflict()
    if (readers.has(transaction)) return false
    readers.add(transaction)
    return true
  }

  exclusive(block: number, transaction: number): boolean | 'conflict' {
    const holders = this.of(block)
    if (holders.owner === transaction) return false
    if (!this.isFreeFor(block, transaction)) return this.#conflict()
    const isNew = holders.readers.size === 0
    this.assign(block, transaction)
    return isNew
  }

  release(block: number, transaction: number): undefined {
    const holders = this.of(block)
    if (holders.owner === transaction) holders.owner = 0
    holders.readers.delete(transaction)
  }

  requireFree(block: number): undefined | 'conflict' {
    const { owner, readers } = this.of(block)
    return owner === 0 && readers.size === 0 ? undefined : this.#conflict()
  }

  assign(block: number, owner: number): void {
    this.#blocks.set(block, { owner, readers: new Set() })
  }

  #conflict(): 'conflict' {
    this.conflicts++
    return 'conflict'
  }
}
