/**
 * Waiting for locks: only asynchronous transactions do it. Whoever meets a lock stands in a line (`wait-line.ts`); when
 * a transaction ends, those it stood in the way of go on in the order in which they came, and the lock of a key is
 * handed to its waiter at once, so that nobody slips in between.
 *
 * A deadlock is found when it would arise: the waiting transactions and those they wait for form a graph, and a wait
 * that would close a circle in it ends the youngest transaction of the circle. What a waiter in a line waits for is not
 * noted, but told by the line and the lock table when somebody asks: so nothing that happens to a line has to be told
 * to all who stand in it.
 */

import { DeadlockError, LockConflictError } from '../errors.ts'
import { type Bounds, isBytes } from '../runtime/bytes.ts'
import { clearTimeout, setTimeout } from '../runtime/timers.ts'
import type { Lock, LockTable } from './locks.ts'
import { isWithin, type RangeLocks } from './range-locks.ts'
import type { TransactionState } from './transaction-state.ts'
import { type Conflict, Waiter, WaitLine } from './wait-line.ts'

/** A timer cannot be longer. */
const LONGEST_TIMEOUT_MS = 0x7fffffff

export class Waits {
  /** Waits, deadlocks found, and waits that ended by their time limit. */
  count = 0
  deadlocks = 0
  timeouts = 0
  /** How many wait now. */
  waiting = 0
  /** A circle was found, and which of its transactions is ended. */
  onDeadlock: (circle: readonly number[], ended: number) => void = () => {}
  private readonly locks: LockTable
  private readonly lines: Map<Lock, WaitLine> = new Map()
  /** Those who wait to change a key of a range, and those who wait to read one, in the order in which they came. */
  private readonly changers: Set<Waiter> = new Set()
  private readonly readers: Set<Waiter> = new Set()
  /** By transaction: its waiters, and those who wait for it because of a range. */
  private readonly byTransaction: Index = new Index()
  private readonly byHolder: Index = new Index()

  constructor(locks: LockTable) {
    this.locks = locks
  }

  /** True if others wait for the lock that came before the transaction and would be overtaken. */
  isQueued(lock: Lock, state: TransactionState, exclusive: boolean): boolean {
    return this.lines.get(lock)?.isBefore(state, exclusive) === true
  }

  /** The transactions that wait for a lock, behind which somebody stands who comes later. */
  waitersFor(lock: Lock, except: TransactionState, exclusive: boolean): number[] {
    return this.lines.get(lock)?.aheadOfNew(except, exclusive) ?? []
  }

  /** Those who wait to change a key of the range, or to read a range with the key, and would be overtaken. */
  waitersForRange(state: TransactionState, what: Uint8Array | Bounds, ranges: RangeLocks): number[] {
    const ids: number[] = []
    for (const { state: other, conflict, holders } of isBytes(what) ? this.readers : this.changers) {
      const { key, bounds } = conflict
      if (conflict.ranges !== ranges) continue
      // Whoever they wait for must be let through.
      if (other === state || holders.has(state.id)) continue
      const meets = isBytes(what) ? isWithin(what, bounds!) : isWithin(key!, what)
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
    return new Promise((resolve, reject) => {
      const waiter = new Waiter(state, conflict, this.count++)
      let timer: ReturnType<typeof setTimeout> | undefined
      const clear = (): void => {
        if (timer !== undefined) clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
        this.remove(waiter)
      }
      waiter.resolve = () => {
        clear()
        resolve()
      }
      waiter.reject = error => {
        clear()
        reject(error)
        this.wakeBehind(waiter)
      }
      const onAbort = (): void => waiter.reject(signal!.reason)
      this.add(waiter)
      this.resolveDeadlocks(waiter)
      if (!waiter.isWaiting) return
      signal?.addEventListener('abort', onAbort, { once: true })
      if (timeout > LONGEST_TIMEOUT_MS) return
      timer = setTimeout(() => {
        this.timeouts++
        waiter.reject(
          new LockConflictError(
            `waited ${timeout} ms for a lock (lockTimeout) that transaction ${holdersOf(waiter).join(', ')} holds; end that one first, or try again`,
          ),
        )
      }, timeout)
    })
  }

  /** The lines for what a transaction holds, to be asked for before its locks go. */
  linesBehind({ id, locks }: TransactionState): WaitLine[] {
    const { lines } = this
    if (lines.size < locks.length) return [...lines.values()].filter(({ lock }) => this.locks.isHeldBy(lock, id))
    return locks.map(lock => lines.get(lock)).filter(line => line !== undefined)
  }

  /**
   * A transaction has ended, its locks are free: what it waited for itself is pointless, and others go on. `lines`:
   * those that stood behind it.
   */
  ended(state: TransactionState, lines: readonly WaitLine[]): void {
    if (this.waiting === 0) return
    const freed = new Set(lines)
    for (const waiter of [...this.byTransaction.of(state.id), ...this.byHolder.of(state.id)].sort(byNumber)) {
      const { line, holders } = waiter
      if (line !== undefined) freed.add(line)
      else if (waiter.state !== state) {
        this.byHolder.delete(state.id, waiter)
        holders.delete(state.id)
        if (holders.size > 0) continue
      }
      // If it is its own, its operation is tried again, and finds that the transaction has ended.
      waiter.resolve()
    }
    const inOrder = [...freed].filter(({ first }) => first !== undefined)
    for (const line of inOrder.sort((a, b) => byNumber(a.first!, b.first!))) line.settle()
  }

  /** @internal For the explorer: who waits, and for which transactions. */
  get edges(): { transaction: number; holders: number[]; exclusive: boolean; lock: Lock | undefined }[] {
    return this.byTransaction.all().map(waiter => ({
      transaction: waiter.state.id,
      holders: holdersOf(waiter),
      exclusive: waiter.conflict.exclusive,
      lock: waiter.conflict.lock,
    }))
  }

  private add(waiter: Waiter): void {
    const { state, conflict, holders } = waiter
    const { lock, key } = conflict
    this.waiting++
    this.byTransaction.add(state.id, waiter)
    if (lock !== undefined) {
      let line = this.lines.get(lock)
      if (line === undefined) {
        line = new WaitLine(lock, this.locks)
        this.lines.set(lock, line)
      }
      line.add(waiter)
      return
    }
    if (key === undefined) this.readers.add(waiter)
    else this.changers.add(waiter)
    for (const holder of holders) this.byHolder.add(holder, waiter)
  }

  private remove(waiter: Waiter): void {
    if (!waiter.isWaiting) return
    const { state, line, holders } = waiter
    waiter.isWaiting = false
    this.waiting--
    this.byTransaction.delete(state.id, waiter)
    if (line !== undefined) {
      line.remove(waiter)
      if (line.first === undefined) this.lines.delete(line.lock)
      return
    }
    this.readers.delete(waiter)
    this.changers.delete(waiter)
    for (const holder of holders) this.byHolder.delete(holder, waiter)
  }

  /** Somebody has left without what it waited for: others may have waited behind. */
  private wakeBehind({ state, line }: Waiter): void {
    if (line !== undefined) line.settle()
    else for (const waiter of this.byHolder.of(state.id)) waiter.resolve()
  }

  /** A new wait can close several circles. */
  private resolveDeadlocks(waiter: Waiter): void {
    while (waiter.isWaiting) {
      const circle = this.circleOf(waiter)
      if (circle === undefined) return
      const victim = circle.reduce((youngest, other) => (other.state.age > youngest.state.age ? other : youngest))
      this.deadlocks++
      this.onDeadlock(
        circle.map(({ state }) => state.id),
        victim.state.id,
      )
      victim.reject(
        new DeadlockError(
          `transaction ${victim.state.id} was ended to resolve a deadlock; run it again (transact does)`,
        ),
      )
    }
  }

  /** False if nobody can wait for the transaction: so it is with one that has nothing but what it waits for now. */
  private mayBeWaitedFor(state: TransactionState): boolean {
    const { id } = state
    if (this.byHolder.has(id) || this.linesBehind(state).length > 0) return true
    return this.byTransaction.of(id).some(({ after }) => after !== undefined)
  }

  /** A circle that a new waiter closes: each waits for the next one, the last for the first. */
  private circleOf(waiter: Waiter): Waiter[] | undefined {
    const { id } = waiter.state
    if (!this.mayBeWaitedFor(waiter.state)) return undefined
    const seen = new Set([waiter])
    const path = [waiter]
    let holders = holdersOf(waiter)
    const behind = (): Waiter[] => holders.flatMap(holder => this.byTransaction.of(holder))
    const ways = [behind()]
    const closes = [holders.includes(id)]
    while (path.length > 0) {
      if (closes[closes.length - 1] === true) return path
      const next = ways[ways.length - 1]!.pop()
      if (next === undefined) {
        path.pop()
        ways.pop()
        closes.pop()
      } else if (!seen.has(next)) {
        seen.add(next)
        path.push(next)
        holders = holdersOf(next)
        ways.push(behind())
        closes.push(holders.includes(id))
      }
    }
    return undefined
  }
}

const byNumber = (a: Waiter, b: Waiter): number => a.number - b.number

/** The transactions that a waiter waits for. */
const holdersOf = (waiter: Waiter): number[] => waiter.line?.holdersOf(waiter) ?? [...waiter.holders]

/** Waiters by the id of a transaction. */
class Index {
  private readonly waiters: Map<number, Set<Waiter>> = new Map()

  has(transaction: number): boolean {
    return this.waiters.has(transaction)
  }

  /** A copy: they may leave while it is gone through. */
  of(transaction: number): Waiter[] {
    return [...(this.waiters.get(transaction) ?? [])]
  }

  all(): Waiter[] {
    return [...this.waiters.values()].flatMap(waiters => [...waiters])
  }

  add(transaction: number, waiter: Waiter): void {
    const waiters = this.waiters.get(transaction)
    if (waiters === undefined) this.waiters.set(transaction, new Set([waiter]))
    else waiters.add(waiter)
  }

  delete(transaction: number, waiter: Waiter): void {
    const waiters = this.waiters.get(transaction)
    if (waiters?.delete(waiter) === true && waiters.size === 0) this.waiters.delete(transaction)
  }
}
