/**
 * Waiting for locks: only asynchronous transactions do it. Whoever meets a lock stands in a queue; when a transaction
 * ends, those it stood in the way of go on in the order in which they came, and a block lock is handed to its waiter at
 * once, so that nobody slips in between.
 *
 * A deadlock is found when it would arise: the waiting transactions and those they wait for form a graph, and a wait
 * that would close a circle in it ends the youngest transaction of the circle.
 */

import { DeadlockError, LockConflictError } from '../errors.ts'
import type { Block } from '../pager/place.ts'
import { type Bounds, isBytes } from '../runtime/bytes.ts'
import { clearTimeout, setTimeout } from '../runtime/timers.ts'
import type { LockTable } from './locks.ts'
import { isWithin } from './range-locks.ts'
import type { TransactionState } from './transaction-state.ts'

/** What a conflict was about: the transactions in the way, and the block (0: a range of keys). */
export interface Conflict {
  readonly holders: readonly number[]
  readonly block: Block
  readonly exclusive: boolean
  /** With block 0: the key to be added or taken out, or the range to be read. */
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
  /** All that wait, and those that wait for one block (0: for a range), in the order in which they came. */
  private readonly all: Set<Waiter> = new Set()
  private readonly queues: Map<number, Waiter[]> = new Map()

  constructor(locks: LockTable) {
    this.locks = locks
  }

  get waiting(): number {
    return this.all.size
  }

  /** True if others wait for the block that came before the transaction and would be overtaken. */
  isQueued(block: Block, state: TransactionState, exclusive: boolean): boolean {
    const queue = this.queues.get(block)
    return queue?.some(other => other.state !== state && (exclusive || other.conflict.exclusive)) === true
  }

  /** The transactions that wait for a block, behind which somebody stands who comes later. */
  waitersFor(block: Block, except: TransactionState, exclusive: boolean): number[] {
    const queue = this.queues.get(block) ?? []
    return this.ahead(queue, queue.length, except, exclusive)
  }

  /** Those who wait to change a key of the range, or to read a range with the key, and would be overtaken. */
  waitersForRange(state: TransactionState, what: Uint8Array | Bounds): number[] {
    const ids: number[] = []
    for (const { state: other, conflict, holders } of this.queues.get(0) ?? []) {
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
    const blocks = new Set<number>()
    for (const waiter of [...this.all]) {
      const { block } = waiter.conflict
      if (waiter.state === state) {
        if (block !== 0) blocks.add(block)
        // Its operation is tried again, and finds that the transaction has ended.
        waiter.resolve()
      } else if (waiter.holders.includes(state.id)) {
        if (block !== 0) blocks.add(block)
        else {
          waiter.holders = waiter.holders.filter(id => id !== state.id)
          if (waiter.holders.length === 0) waiter.resolve()
        }
      }
    }
    for (const block of blocks) this.settle(block)
  }

  private add(waiter: Waiter): void {
    const { block } = waiter.conflict
    this.all.add(waiter)
    const queue = this.queues.get(block)
    if (queue === undefined) this.queues.set(block, [waiter])
    else queue.push(waiter)
  }

  private remove(waiter: Waiter): void {
    if (!this.all.delete(waiter)) return
    const { block } = waiter.conflict
    const queue = this.queues.get(block)!
    if (queue.length === 1) this.queues.delete(block)
    else queue.splice(queue.indexOf(waiter), 1)
  }

  /** Somebody has left the queue without what it waited for: others may have waited behind. */
  private wakeBehind({ state, conflict }: Waiter): void {
    if (conflict.block !== 0) {
      this.settle(conflict.block)
      return
    }
    for (const waiter of [...(this.queues.get(0) ?? [])]) if (waiter.holders.includes(state.id)) waiter.resolve()
  }

  /** Gives a block to those in its queue that can have it now. */
  private settle(block: Block): void {
    const queue = this.queues.get(block) ?? []
    for (let at = 0; at < queue.length; ) {
      const waiter = queue[at]!
      const { state, conflict } = waiter
      const holders = this.locks.holders(block, state.id, conflict.exclusive)
      if (!this.locks.isHeldBy(block, state.id)) holders.push(...this.ahead(queue, at, state, conflict.exclusive))
      if (holders.length > 0) {
        waiter.holders = holders
        at++
        continue
      }
      const isNew = conflict.exclusive
        ? this.locks.lockExclusive(block, state.id)
        : this.locks.lockShared(block, state.id)
      if (isNew) state.lockedBlocks.push(block)
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
      if (conflict.exclusive && !this.locks.isHeldBy(conflict.block, other.id)) break
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
