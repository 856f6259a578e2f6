/**
 * Waiting for locks: only asynchronous transactions do it. Whoever meets a lock stands in a queue; when a transaction
 * ends, those it stood in the way of go on in the order in which they came, and the lock of a key is handed to its waiter at
 * once, so that nobody slips in between.
 *
 * A deadlock is found when it would arise: the waiting transactions and those they wait for form a graph, and a wait
 * that would close a circle in it ends the youngest transaction of the circle.
 */

import { DeadlockError, LockConflictError } from '../errors.ts'
import { type Bounds, isBytes } from '../runtime/bytes.ts'
import { clearTimeout, setTimeout } from '../runtime/timers.ts'
import { Grant, type Lock, type LockTable } from './locks.ts'
import { isWithin } from './range-locks.ts'
import type { TransactionState } from './transaction-state.ts'

/** What a conflict was about: the transactions in the way, and the lock of a key (undefined: a range of keys). */
export interface Conflict {
  readonly holders: readonly number[]
  readonly lock: Lock | undefined
  readonly exclusive: boolean
  /** Of a range: the key to be added or taken out, or the range to be read. */
  readonly key?: Uint8Array
  readonly bounds?: Bounds
}

interface Waiter {
  readonly state: TransactionState
  readonly conflict: Conflict
  /** Transactions that it waits for. */
  holders: number[]
  resolve(): void
  reject(error: unknown): void
}

/** A timer cannot be longer. */
const LONGEST_TIMEOUT_MS = 0x7fffffff

export class Waits {
  /** Waits, deadlocks found, and waits that ended by their time limit. */
  count = 0
  deadlocks = 0
  timeouts = 0
  private readonly locks: LockTable
  /** All that wait, and those that wait for one lock (undefined: for a range), in the order in which they came. */
  private readonly all: Set<Waiter> = new Set()
  private readonly queues: Map<Lock | undefined, Waiter[]> = new Map()

  constructor(locks: LockTable) {
    this.locks = locks
  }

  get waiting(): number {
    return this.all.size
  }

  /** True if others wait for the lock that came before the transaction and would be overtaken. */
  isQueued(lock: Lock, state: TransactionState, exclusive: boolean): boolean {
    const queue = this.queues.get(lock)
    return queue?.some(other => other.state !== state && (exclusive || other.conflict.exclusive)) === true
  }

  /** The transactions that wait for a lock, behind which somebody stands who comes later. */
  waitersFor(lock: Lock, except: TransactionState, exclusive: boolean): number[] {
    const queue = this.queues.get(lock) ?? []
    return this.ahead(queue, queue.length, except, exclusive)
  }

  /** Those who wait to change a key of the range, or to read a range with the key, and would be overtaken. */
  waitersForRange(state: TransactionState, what: Uint8Array | Bounds): number[] {
    const ids: number[] = []
    for (const { state: other, conflict, holders } of this.queues.get(undefined) ?? []) {
      const { key, bounds } = conflict
      // Whoever they wait for must be let through.
      if (other === state || holders.includes(state.id)) continue
      const meets = isBytes(what)
        ? bounds !== undefined && isWithin(what, bounds)
        : key !== undefined && isWithin(key, what)
      if (meets) ids.push(other.id)
    }
    return ids
  }

  /**
   * Waits until the conflict may be gone.
   * @throws DeadlockError if the transaction is picked to end a deadlock, LockConflictError after `timeout` ms,
   *   the signal's reason when it is aborted.
   */
  wait(state: TransactionState, conflict: Conflict, timeout: number, signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted === true) return Promise.reject(signal.reason)
    this.count++
    return new Promise((resolve, reject) => {
      let timer: ReturnType<typeof setTimeout> | undefined
      const clear = (): void => {
        if (timer !== undefined) clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
        this.remove(waiter)
      }
      const waiter: Waiter = {
        state,
        conflict,
        holders: [...conflict.holders],
        resolve: () => {
          clear()
          resolve()
        },
        reject: error => {
          clear()
          reject(error)
          this.wakeBehind(waiter)
        },
      }
      const onAbort = (): void => waiter.reject(signal!.reason)
      this.add(waiter)
      this.resolveDeadlocks(waiter)
      if (!this.all.has(waiter)) return
      signal?.addEventListener('abort', onAbort, { once: true })
      if (timeout > LONGEST_TIMEOUT_MS) return
      timer = setTimeout(() => {
        this.timeouts++
        waiter.reject(
          new LockConflictError(
            `waited ${timeout} ms for a lock (lockTimeout) that transaction ${waiter.holders.join(', ')} holds; end that one first, or try again`,
          ),
        )
      }, timeout)
    })
  }

  /** A transaction has ended, its locks are free: what it waited for itself is pointless, and others go on. */
  ended(state: TransactionState): void {
    if (this.all.size === 0) return
    const locks = new Set<Lock>()
    for (const waiter of [...this.all]) {
      const { lock } = waiter.conflict
      if (waiter.state === state) {
        if (lock !== undefined) locks.add(lock)
        // Its operation is tried again, and finds that the transaction has ended.
        waiter.resolve()
      } else if (waiter.holders.includes(state.id)) {
        if (lock !== undefined) locks.add(lock)
        else {
          waiter.holders = waiter.holders.filter(id => id !== state.id)
          if (waiter.holders.length === 0) waiter.resolve()
        }
      }
    }
    for (const lock of locks) this.settle(lock)
  }

  private add(waiter: Waiter): void {
    const { lock } = waiter.conflict
    this.all.add(waiter)
    const queue = this.queues.get(lock)
    if (queue === undefined) this.queues.set(lock, [waiter])
    else queue.push(waiter)
  }

  private remove(waiter: Waiter): void {
    if (!this.all.delete(waiter)) return
    const { lock } = waiter.conflict
    const queue = this.queues.get(lock)!
    if (queue.length === 1) this.queues.delete(lock)
    else queue.splice(queue.indexOf(waiter), 1)
  }

  /** Somebody has left the queue without what it waited for: others may have waited behind. */
  private wakeBehind({ state, conflict }: Waiter): void {
    if (conflict.lock !== undefined) {
      this.settle(conflict.lock)
      return
    }
    for (const waiter of [...(this.queues.get(undefined) ?? [])])
      if (waiter.holders.includes(state.id)) waiter.resolve()
  }

  /** Gives a lock to those in its queue that can have it now. */
  private settle(lock: Lock): void {
    const queue = this.queues.get(lock) ?? []
    for (let at = 0; at < queue.length; ) {
      const waiter = queue[at]!
      const { state, conflict } = waiter
      const holders = this.locks.holders(lock, state.id, conflict.exclusive)
      if (!this.locks.isHeldBy(lock, state.id)) holders.push(...this.ahead(queue, at, state, conflict.exclusive))
      if (holders.length > 0) {
        waiter.holders = holders
        at++
        continue
      }
      const grant = conflict.exclusive
        ? this.locks.lockExclusive(lock, state.id)
        : this.locks.lockShared(lock, state.id)
      if (grant === Grant.fresh) state.locks.push(lock)
      if (queue.length === 1) at++
      waiter.resolve()
    }
  }

  /**
   * Who stands before the place `at` of a queue and has to be waited for. Those before an exclusive waiter are waited
   * for by that one, unless it holds a shared lock already, which takes it past them.
   */
  private ahead(queue: readonly Waiter[], at: number, state: TransactionState, exclusive: boolean): number[] {
    const ids: number[] = []
    for (let i = at - 1; i >= 0; i--) {
      const { state: other, conflict } = queue[i]!
      if (other === state || !(exclusive || conflict.exclusive)) continue
      ids.push(other.id)
      if (conflict.exclusive && !this.locks.isHeldBy(conflict.lock!, other.id)) break
    }
    return ids
  }

  /** A new wait can close several circles. */
  private resolveDeadlocks(waiter: Waiter): void {
    while (this.all.has(waiter)) {
      const victim = this.victimOf(waiter)
      if (victim === undefined) return
      this.deadlocks++
      victim.reject(
        new DeadlockError(
          `transaction ${victim.state.id} was ended to resolve a deadlock; run it again (transact does)`,
        ),
      )
    }
  }

  /** The youngest transaction of a circle that a new waiter closes, as the waiter that it is. */
  private victimOf(waiter: Waiter): Waiter | undefined {
    const { id } = waiter.state
    let isWaitedFor = false
    const waiters = new Map<number, Waiter[]>()
    for (const other of this.all) {
      if (other.holders.includes(id)) isWaitedFor = true
      const others = waiters.get(other.state.id)
      if (others === undefined) waiters.set(other.state.id, [other])
      else others.push(other)
    }
    if (!isWaitedFor) return undefined
    const behind = (of: Waiter): Waiter[] => of.holders.flatMap(holder => waiters.get(holder) ?? [])
    const seen = new Set([waiter])
    const path = [waiter]
    const ways = [behind(waiter)]
    while (path.length > 0) {
      if (path[path.length - 1]!.holders.includes(id))
        return path.reduce((youngest, other) => (other.state.age > youngest.state.age ? other : youngest))
      const next = ways[ways.length - 1]!.pop()
      if (next === undefined) {
        path.pop()
        ways.pop()
      } else if (!seen.has(next)) {
        seen.add(next)
        path.push(next)
        ways.push(behind(next))
      }
    }
    return undefined
  }
}
