/**
 * Waiting for locks: only asynchronous transactions do it. Whoever meets a lock stands in a queue; when a transaction
 * ends, those it stood in the way of go on in the order in which they came, and a block lock is handed to its waiter at
 * once, so that nobody slips in between.
 *
 * A deadlock is found when it would arise: the waiting transactions and those they wait for form a graph, and a wait
 * that would close a circle in it ends the youngest transaction of the circle.
 */
import { DeadlockError, LockConflictError } from '../errors.ts'
import type { LockTable } from './locks.ts'
import type { TransactionState } from './transaction-state.ts'

/** What a conflict was about: the transactions in the way, and the block (0: a range of keys). */
export interface Conflict {
  readonly holders: readonly number[]
  readonly block: number
  readonly exclusive: boolean
}

interface Waiter {
  readonly state: TransactionState
  readonly block: number
  readonly exclusive: boolean
  /** Transactions that it waits for. */
  holders: number[]
  resolve(): void
  reject(error: unknown): void
}

export class Waits {
  /** Waits, deadlocks found, and waits that ended by their time limit. */
  count = 0
  deadlocks = 0
  timeouts = 0
  private readonly locks: LockTable
  private readonly queue: Waiter[] = []

  constructor(locks: LockTable) {
    this.locks = locks
  }

  get waiting(): number {
    return this.queue.length
  }

  /** True if others wait for the block that came before the transaction and would be overtaken. */
  isQueued(block: number, state: TransactionState, exclusive: boolean): boolean {
    return this.queue.some(
      other => other.block === block && other.state !== state && (exclusive || other.exclusive),
    )
  }

  /** The transactions that wait for a block, which somebody who comes later stands behind. */
  waitersFor(block: number, except: TransactionState): number[] {
    return this.queue
      .filter(other => other.block === block && other.state !== except)
      .map(other => other.state.id)
  }

  /**
   * Waits until the conflict may be gone.
   * @throws DeadlockError if the transaction is picked to end a deadlock, LockConflictError after `timeout` ms,
   *   the signal's reason when it is aborted.
   */
  wait(
    state: TransactionState,
    conflict: Conflict,
    timeout: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (signal?.aborted === true) return Promise.reject(signal.reason)
    this.count++
    return new Promise((resolve, reject) => {
      let timer: ReturnType<typeof setTimeout> | undefined
      const leave = (): void => {
        if (timer !== undefined) clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
        const at = this.queue.indexOf(waiter)
        if (at < 0) return
        this.queue.splice(at, 1)
        this.wakeBehind(waiter)
      }
      const waiter: Waiter = {
        state,
        block: conflict.block,
        exclusive: conflict.exclusive,
        holders: [...conflict.holders],
        resolve: () => {
          leave()
          resolve()
        },
        reject: error => {
          leave()
          reject(error)
        },
      }
      const onAbort = (): void => waiter.reject(signal!.reason)
      this.queue.push(waiter)
      const victim = this.victimOf(waiter)
      if (victim !== undefined) {
        this.deadlocks++
        victim.reject(
          new DeadlockError(
            `transaction ${victim.state.id} was ended to resolve a deadlock; run it again (transact does)`,
          ),
        )
        if (victim === waiter) return
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      if (timeout === Number.POSITIVE_INFINITY) return
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

  /** A transaction has ended: those who waited for it alone go on. */
  ended(id: number): void {
    if (this.queue.length === 0) return
    for (const waiter of [...this.queue]) {
      if (!this.queue.includes(waiter) || !waiter.holders.includes(id)) continue
      this.tryAgain(waiter)
    }
  }

  /** Somebody who stood in the queue has left it: others may have waited behind. */
  private wakeBehind(gone: Waiter): void {
    for (const waiter of [...this.queue])
      if (waiter.block === gone.block && waiter.block !== 0 && this.queue.includes(waiter))
        this.tryAgain(waiter)
  }

  private tryAgain(waiter: Waiter): void {
    const { state, block, exclusive } = waiter
    if (block === 0) {
      waiter.resolve()
      return
    }
    const holders = this.inTheWay(waiter)
    if (holders.length > 0) {
      waiter.holders = holders
      return
    }
    const isNew = exclusive
      ? this.locks.lockExclusive(block, state.id)
      : this.locks.lockShared(block, state.id)
    if (isNew) state.lockedBlocks.push(block)
    waiter.resolve()
  }

  /** Who keeps a waiter from its block now: holders of locks, and those who came before. */
  private inTheWay(waiter: Waiter): number[] {
    const { state, block, exclusive } = waiter
    const holders = this.locks.holders(block, state.id, exclusive)
    const isUpgrade = this.locks.isHeldBy(block, state.id)
    for (const other of this.queue) {
      if (other === waiter) break
      if (isUpgrade || other.block !== block || other.state === state) continue
      if (exclusive || other.exclusive) holders.push(other.state.id)
    }
    return holders
  }

  /** The youngest transaction of a circle that a new waiter closes, as the waiter that it is. */
  private victimOf(waiter: Waiter): Waiter | undefined {
    const path: Waiter[] = []
    const seen = new Set<Waiter>()
    const leadsBack = (from: Waiter): boolean => {
      if (seen.has(from)) return false
      seen.add(from)
      path.push(from)
      for (const id of from.holders) {
        if (id === waiter.state.id) return true
        for (const next of this.queue) if (next.state.id === id && leadsBack(next)) return true
      }
      path.pop()
      return false
    }
    if (!leadsBack(waiter)) return undefined
    return path.reduce((youngest, other) => (other.state.id > youngest.state.id ? other : youngest))
  }
}
