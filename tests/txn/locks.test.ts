import { describe, expect, test } from 'vitest'
import { Grant, LockTable } from '../../src/txn/locks.ts'
import { withMemoryDatabase } from '../support/database.ts'
import { thrownBy } from '../support/errors.ts'
import { Random, runs, seeded } from '../support/random.ts'
import { steadyStorage } from '../support/steady.ts'

describe('a lock', () => {
  test('is shared by many, or held by one', () => {
    const locks = new LockTable()
    expect(locks.lockShared(7, 1)).toBe(Grant.fresh)
    expect(locks.lockShared(7, 2)).toBe(Grant.fresh)
    expect(locks.exclusiveOwner(7)).toBe(0)
    expect(locks.lockExclusive(7, 1)).toBe(Grant.refused)
    locks.release(7, 2)
    expect(locks.lockExclusive(7, 1)).toBe(Grant.held)
    expect(locks.exclusiveOwner(7)).toBe(1)
    expect(locks.lockShared(7, 2)).toBe(Grant.refused)
    expect(locks.lockExclusive(7, 2)).toBe(Grant.refused)
    locks.release(7, 1)
    expect(locks.lockExclusive(7, 2)).toBe(Grant.fresh)
  })

  test('is new to a transaction once, so that it is released once', () => {
    const locks = new LockTable()
    expect(locks.lockShared(7, 1)).toBe(Grant.fresh)
    expect(locks.lockShared(7, 1)).toBe(Grant.held)
    expect(locks.lockExclusive(7, 1)).toBe(Grant.held)
    expect(locks.lockExclusive(7, 1)).toBe(Grant.held)
    expect(locks.lockShared(7, 1)).toBe(Grant.held)
    expect([locks.exclusive, locks.size]).toEqual([1, 1])
    locks.release(7, 1)
    expect([locks.exclusive, locks.size]).toEqual([0, 0])
  })

  test('of one transaction in a million is given back, with the memory that they took', () => {
    const locks = new LockTable()
    const step = 2654435761
    let fresh = 0
    for (let i = 0; i < 1_000_000; i++) if (locks.lockExclusive((i * step) | 0, 1) === Grant.fresh) fresh++
    expect(fresh).toBe(1_000_000)
    expect([locks.exclusive, locks.size]).toEqual([1_000_000, 1_000_000])
    for (let i = 0; i < 1_000_000; i++) locks.release((i * step) | 0, 1)
    expect([locks.exclusive, locks.size]).toEqual([0, 0])
    expect((locks as unknown as { words: Int32Array }).words.length).toBe(64)
  })
})

describe('a conflict', () => {
  test('names the key, says who has it, and what to do', () =>
    withMemoryDatabase({}, ({ db }) => {
      const tx = db.begin()
      tx.put('cat', 'a feline')
      expect((thrownBy(() => db.put('cat', 'x')) as Error).message).toMatch(
        /transaction \d+ has changed the key 'cat'; commit or roll it back first, then try again.*db\.async/,
      )
      expect(tx.get('dog')).toBe(undefined)
      expect((thrownBy(() => db.put('dog', 'x')) as Error).message).toMatch(/open transaction has read the key 'dog'/)
      const bytes = new Uint8Array([255, 254])
      expect(tx.get(bytes)).toBe(undefined)
      expect(thrownBy(() => db.delete(bytes))).toBe(undefined)
      tx.rollback()
      expect(db.stats().transactions.lockConflicts).toBe(2)
    }))

  test('is never met for another key, of the same bucket or one that is split meanwhile', () =>
    // With a key of the hash by which no two of these keys share a lock: by one in two hundred some do.
    withMemoryDatabase({ storage: steadyStorage(new Random(1)) }, ({ db }) => {
      const tx = db.begin()
      // 101 buckets at first: every key of the other meets the bucket of one of these.
      for (let i = 0; i < 500; i++) tx.put(`mine ${i}`, 'x'.repeat(50))
      for (let i = 0; i < 20000; i++) db.put(`other ${i}`, 'y'.repeat(50))
      for (let i = 0; i < 20000; i += 2) expect(db.delete(`other ${i}`)).toBe(true)
      for (let i = 500; i < 1000; i++) tx.put(`mine ${i}`, 'x'.repeat(50))
      expect(db.stats().index.splits).toBeGreaterThan(100)
      expect(db.stats().transactions.lockConflicts).toBe(0)
      tx.rollback()
      expect(db.count()).toBe(10000)
      expect(db.count('mine')).toBe(0)
    }))
})

describe('the lock table agrees with a model', () => {
  test('after every operation', () =>
    seeded(random => {
      for (let run = 0; run < 6 * runs; run++) {
        const locks = new LockTable()
        const model = new Model()
        // Some of them want the same place in the table of 64, at its end, where the next place is its first.
        const all = [0, 1, 2, 63, -1, 127, 64 * 3 + 63, 64 * 9, 2 ** 31 - 1, -(2 ** 31), 200_000]
        const transactions = [1, 2, 3, 0x7ffffff0]
        for (let step = 0; step < 400; step++) {
          const lock = random.pick(all)
          const transaction = random.pick(transactions)
          const roll = random.below(100)
          if (roll < 30) expect(locks.lockShared(lock, transaction)).toBe(model.shared(lock, transaction))
          else if (roll < 60) expect(locks.lockExclusive(lock, transaction)).toBe(model.exclusive(lock, transaction))
          else {
            locks.release(lock, transaction)
            model.release(lock, transaction)
          }
          // As one text each: half a million expectations would take their time.
          const seen = all.map(each => [
            locks.exclusiveOwner(each),
            ...[...transactions, 99].map(other => [
              locks.isFreeFor(each, other),
              locks.isHeldBy(each, other),
              ...[true, false].map(exclusive => locks.holders(each, other, exclusive).sort()),
            ]),
          ])
          const wanted = all.map(each => [
            model.of(each).owner,
            ...[...transactions, 99].map(other => [
              model.isFreeFor(each, other),
              model.isHeldBy(each, other),
              ...[true, false].map(exclusive => model.holders(each, other, exclusive)),
            ]),
          ])
          expect(JSON.stringify(seen)).toBe(JSON.stringify(wanted))
          expect(locks.exclusive).toBe(all.filter(each => model.of(each).owner !== 0).length)
          expect(locks.size).toBe(all.filter(each => !model.isFreeFor(each, 0)).length)
        }
      }
    }))
})

interface Holders {
  owner: number
  readers: Set<number>
}

class Model {
  readonly #locks: Map<number, Holders> = new Map()

  of(lock: number): Holders {
    const known = this.#locks.get(lock) ?? { owner: 0, readers: new Set() }
    this.#locks.set(lock, known)
    return known
  }

  isFreeFor(lock: number, transaction: number): boolean {
    const { owner, readers } = this.of(lock)
    if (owner !== 0) return owner === transaction
    return [...readers].every(reader => reader === transaction)
  }

  isHeldBy(lock: number, transaction: number): boolean {
    const { owner, readers } = this.of(lock)
    return owner === transaction || readers.has(transaction)
  }

  holders(lock: number, transaction: number, exclusive: boolean): number[] {
    const { owner, readers } = this.of(lock)
    if (owner !== 0) return owner === transaction ? [] : [owner]
    return exclusive ? [...readers].filter(reader => reader !== transaction).sort() : []
  }

  shared(lock: number, transaction: number): Grant {
    const { owner, readers } = this.of(lock)
    if (owner !== 0) return owner === transaction ? Grant.held : Grant.refused
    if (readers.has(transaction)) return Grant.held
    readers.add(transaction)
    return Grant.fresh
  }

  exclusive(lock: number, transaction: number): Grant {
    const holders = this.of(lock)
    if (holders.owner === transaction) return Grant.held
    if (!this.isFreeFor(lock, transaction)) return Grant.refused
    const isNew = holders.readers.size === 0
    this.#locks.set(lock, { owner: transaction, readers: new Set() })
    return isNew ? Grant.fresh : Grant.held
  }

  release(lock: number, transaction: number): void {
    const holders = this.of(lock)
    if (holders.owner === transaction) holders.owner = 0
    holders.readers.delete(transaction)
  }
}
