/** Waiting for locks as `src/txn/waits.ts` does it, by looking through everything: a model to compare with. */
import { isBytes } from '../../src/runtime/bytes.ts'
import { Grant, type Lock, type LockTable } from '../../src/txn/locks.ts'
import { isWithin, type RangeLocks } from '../../src/txn/range-locks.ts'
import type { TransactionState } from '../../src/txn/transaction-state.ts'
import type { Conflict } from '../../src/txn/wait-line.ts'

type Bounds = Parameters<RangeLocks['add']>[1]

interface Waiter {
  readonly state: TransactionState
  readonly conflict: Conflict
  /** Of one that waits for a range. */
  holders: number[]
  resolve(): void
  reject(error: unknown): void
}

export class NaiveWaits {
  readonly #locks: LockTable
  #all: Waiter[] = []

  constructor(locks: LockTable) {
    this.#locks = locks
  }

  get waiting(): number {
    return this.#all.length
  }

  #queue(lock: Lock | undefined): Waiter[] {
    return this.#all.filter(({ conflict }) => conflict.lock === lock)
  }

  isQueued(lock: Lock, state: TransactionState, exclusive: boolean): boolean {
    return this.#queue(lock).some(other => other.state !== state && (exclusive || other.conflict.exclusive))
  }

  waitersFor(lock: Lock, except: TransactionState, exclusive: boolean): number[] {
    return this.#ahead(this.#queue(lock), except, exclusive)
  }

  waitersForRange(state: TransactionState, what: Uint8Array | Bounds): number[] {
    return this.#queue(undefined)
      .filter(({ state: other, conflict: { key, bounds }, holders }) => {
        if (other === state || holders.includes(state.id)) return false
        if (isBytes(what)) return bounds !== undefined && isWithin(what, bounds)
        return key !== undefined && isWithin(key, what)
      })
      .map(({ state: other }) => other.id)
  }

  wait(state: TransactionState, conflict: Conflict, _timeout: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#all = this.#all.filter(other => other !== waiter)
      }
      const waiter: Waiter = {
        state,
        conflict,
        holders: conflict.lock === undefined ? [...new Set(conflict.holders)] : [],
        resolve: () => {
          leave()
          resolve()
        },
        reject: error => {
          leave()
          reject(error)
          if (conflict.lock !== undefined) this.#settle(conflict.lock)
          else for (const other of this.#queue(undefined)) if (other.holders.includes(state.id)) other.resolve()
        },
      }
      this.#all.push(waiter)
      for (;;) {
        const victim = this.#all.includes(waiter) ? this.#victimOf(waiter) : undefined
        if (victim === undefined) break
        victim.reject(new Error('deadlock'))
      }
      signal?.addEventListener('abort', () => {
        if (this.#all.includes(waiter)) waiter.reject(signal.reason)
      })
    })
  }

  ended(state: TransactionState): void {
    for (const waiter of this.#all) {
      if (waiter.state === state) waiter.resolve()
      else if (waiter.holders.includes(state.id)) {
        waiter.holders = waiter.holders.filter(id => id !== state.id)
        if (waiter.holders.length === 0) waiter.resolve()
      }
    }
    // In the order in which the first of each came.
    for (const lock of new Set(this.#all.map(({ conflict }) => conflict.lock)))
      if (lock !== undefined) this.#settle(lock)
  }

  #settle(lock: Lock): void {
    for (const waiter of this.#queue(lock)) {
      if (this.#holdersOf(waiter).length > 0) continue
      const { state, conflict } = waiter
      const grant = conflict.exclusive
        ? this.#locks.lockExclusive(lock, state.id)
        : this.#locks.lockShared(lock, state.id)
      if (grant === Grant.fresh) state.locks.push(lock)
      waiter.resolve()
    }
  }

  #holdersOf(waiter: Waiter): number[] {
    const { state, conflict } = waiter
    const { lock, exclusive } = conflict
    if (lock === undefined) return waiter.holders
    const holders = this.#locks.holders(lock, state.id, exclusive)
    if (this.#locks.isHeldBy(lock, state.id)) return holders
    const queue = this.#queue(lock)
    return [...holders, ...this.#ahead(queue.slice(0, queue.indexOf(waiter)), state, exclusive)]
  }

  #ahead(queue: readonly Waiter[], state: TransactionState, exclusive: boolean): number[] {
    const ids: number[] = []
    for (const { state: other, conflict } of queue.toReversed()) {
      if (other === state || !(exclusive || conflict.exclusive)) continue
      ids.push(other.id)
      if (conflict.exclusive && !this.#locks.isHeldBy(conflict.lock!, other.id)) break
    }
    return ids
  }

  #victimOf(waiter: Waiter): Waiter | undefined {
    const { id } = waiter.state
    const behind = (of: Waiter): Waiter[] =>
      this.#holdersOf(of).flatMap(holder => this.#all.filter(({ state }) => state.id === holder))
    const seen = new Set([waiter])
    const search = (path: readonly Waiter[]): Waiter | undefined => {
      const last = path.at(-1)!
      if (this.#holdersOf(last).includes(id))
        return path.reduce((one, other) => (other.state.age > one.state.age ? other : one))
      for (const next of behind(last).toReversed()) {
        if (seen.has(next)) continue
        seen.add(next)
        const victim = search([...path, next])
        if (victim !== undefined) return victim
      }
      return undefined
    }
    return search([waiter])
  }
}
