/**
 * Those who wait for the lock of one key, in the order in which they came. Coming, leaving, and asking who stands before
 * one take the same time however long the line is.
 */
import type { Bounds } from '../runtime/bytes.ts'
import { Grant, type Lock, type LockTable } from './locks.ts'
import type { RangeLocks } from './range-locks.ts'
import type { TransactionState } from './transaction-state.ts'

/** What a conflict was about: the transactions in the way, and the lock of a key (undefined: a range of keys). */
export interface Conflict {
  readonly holders: readonly number[]
  readonly lock: Lock | undefined
  readonly exclusive: boolean
  /** Of a range: the key to be added or taken out, or the range to be read. */
  readonly key?: Uint8Array
  readonly bounds?: Bounds
  /** The range locks of the key space that key or bounds belong to. */
  readonly ranges?: RangeLocks
}

/** An operation of a transaction that waits. */
export class Waiter {
  readonly state: TransactionState
  readonly conflict: Conflict
  /** In the order in which they came. */
  readonly number: number
  isWaiting = true
  /** The line in which it stands; undefined: it waits for a range, until these transactions have ended. */
  line: WaitLine | undefined
  readonly holders: Set<number>
  /** Its neighbours in the line. */
  before: Waiter | undefined
  after: Waiter | undefined
  /** The nearest one for an exclusive lock that stood before it when it came; that may have left since. */
  exclusiveBefore: Waiter | undefined
  resolve: () => void = () => {}
  reject: (error: unknown) => void = () => {}

  constructor(state: TransactionState, conflict: Conflict, number: number) {
    this.state = state
    this.conflict = conflict
    this.number = number
    this.holders = new Set(conflict.holders)
  }
}

/** The waiters of one transaction in a line: it may do several operations at a time. */
interface Group {
  readonly waiters: Set<Waiter>
  /** How many of them want it exclusively. */
  exclusive: number
}

export class WaitLine {
  readonly lock: Lock
  first: Waiter | undefined
  private last: Waiter | undefined
  private lastExclusive: Waiter | undefined
  private size = 0
  /** How many want it exclusively. */
  private exclusive = 0
  /** By the id of the transaction. */
  private readonly groups: Map<number, Group> = new Map()
  private readonly locks: LockTable

  constructor(lock: Lock, locks: LockTable) {
    this.lock = lock
    this.locks = locks
  }

  add(waiter: Waiter): void {
    const { last } = this
    const { exclusive } = waiter.conflict
    waiter.line = this
    waiter.before = last
    waiter.exclusiveBefore = this.lastExclusive
    if (last === undefined) this.first = waiter
    else last.after = waiter
    this.last = waiter
    this.size++
    const group = this.groupOf(waiter.state.id)
    group.waiters.add(waiter)
    if (!exclusive) return
    this.lastExclusive = waiter
    this.exclusive++
    group.exclusive++
  }

  private groupOf(transaction: number): Group {
    let group = this.groups.get(transaction)
    if (group === undefined) {
      group = { waiters: new Set(), exclusive: 0 }
      this.groups.set(transaction, group)
    }
    return group
  }

  remove(waiter: Waiter): void {
    const { before, after } = waiter
    if (before === undefined) this.first = after
    else before.after = after
    if (after === undefined) this.last = before
    else after.before = before
    waiter.before = undefined
    waiter.after = undefined
    // By this those behind it find the one before it; what has left as well is not held on to.
    waiter.exclusiveBefore = standing(waiter.exclusiveBefore)
    this.size--
    const group = this.groups.get(waiter.state.id)!
    group.waiters.delete(waiter)
    if (group.waiters.size === 0) this.groups.delete(waiter.state.id)
    if (!waiter.conflict.exclusive) return
    if (this.lastExclusive === waiter) this.lastExclusive = waiter.exclusiveBefore
    this.exclusive--
    group.exclusive--
  }

  /** True if others stand here whom a transaction that comes now would overtake. */
  isBefore({ id }: TransactionState, exclusive: boolean): boolean {
    const mine = this.groups.get(id)
    return exclusive ? this.size > (mine?.waiters.size ?? 0) : this.exclusive > (mine?.exclusive ?? 0)
  }

  /** The transactions that one who comes now has to wait for, beside those that hold the lock. */
  aheadOfNew(state: TransactionState, exclusive: boolean): number[] {
    return exclusive ? this.aheadOfExclusive(this.last, state) : this.aheadOfShared(this.lastExclusive, state)
  }

  /** The transactions that a waiter waits for: those that hold the lock, and those before it in the line. */
  holdersOf({ state, conflict, before, exclusiveBefore }: Waiter): number[] {
    const { locks, lock } = this
    const holders = locks.holders(lock, state.id, conflict.exclusive)
    // Who holds a shared lock already goes past all others to the exclusive one.
    if (locks.isHeldBy(lock, state.id)) return holders
    const ahead = conflict.exclusive
      ? this.aheadOfExclusive(before, state)
      : this.aheadOfShared(standing(exclusiveBefore), state)
    return [...holders, ...ahead]
  }

  /** Those before an exclusive waiter that goes past nobody are waited for by that one. */
  private aheadOfExclusive(last: Waiter | undefined, state: TransactionState): number[] {
    const ids: number[] = []
    for (let other = last; other !== undefined; other = other.before) {
      if (other.state === state) continue
      ids.push(other.state.id)
      if (other.conflict.exclusive && !this.goesPastOthers(other)) break
    }
    return ids
  }

  /** The same for a shared lock, which waits for exclusive ones alone. */
  private aheadOfShared(last: Waiter | undefined, state: TransactionState): number[] {
    const ids: number[] = []
    for (let other = last; other !== undefined; other = standing(other.exclusiveBefore)) {
      if (other.state === state) continue
      ids.push(other.state.id)
      if (!this.goesPastOthers(other)) break
    }
    return ids
  }

  private goesPastOthers({ state }: Waiter): boolean {
    return this.locks.isHeldBy(this.lock, state.id)
  }

  /**
   * Gives the lock to those who can have it now. The first one who cannot keeps all others waiting that neither have
   * the lock already nor are operations of the same transaction.
   */
  settle(): void {
    const granted = new Set<number>()
    let waiter = this.first
    while (waiter !== undefined && !this.isHeldAgainst(waiter)) {
      const { after } = waiter
      granted.add(waiter.state.id)
      this.grant(waiter)
      waiter = after
    }
    if (waiter === undefined) return
    for (const other of this.whoMayPass(waiter, granted))
      if (!this.isHeldAgainst(other) && this.holdersOf(other).length === 0) this.grant(other)
  }

  private isHeldAgainst({ state, conflict }: Waiter): boolean {
    const { locks, lock } = this
    return conflict.exclusive
      ? !locks.isFreeFor(lock, state.id)
      : locks.exclusiveOwner(lock) !== 0 && locks.exclusiveOwner(lock) !== state.id
  }

  /** Those who may have the lock although `blocked`, which stands before them, may not; in the order of the line. */
  private whoMayPass(blocked: Waiter, granted: ReadonlySet<number>): Waiter[] {
    const { locks, lock, groups } = this
    const transactions = new Set(granted)
    transactions.add(locks.soleHolder(lock))
    if (locks.exclusiveOwner(lock) === 0) transactions.add(blocked.state.id)
    const waiters = [...transactions].flatMap(id => [...(groups.get(id)?.waiters ?? [])])
    return waiters.sort((a, b) => a.number - b.number)
  }

  private grant(waiter: Waiter): void {
    const { locks, lock } = this
    const { state, conflict } = waiter
    const grant = conflict.exclusive ? locks.lockExclusive(lock, state.id) : locks.lockShared(lock, state.id)
    if (grant === Grant.fresh) state.locks.push(lock)
    waiter.resolve()
  }
}

/** The waiter, or if that has left its line, the nearest exclusive one before it that has not. */
const standing = (waiter: Waiter | undefined): Waiter | undefined => {
  let found = waiter
  while (found !== undefined && !found.isWaiting) found = found.exclusiveBefore
  // The way is made shorter for those who ask next.
  for (let at = waiter; at !== undefined && at !== found; ) {
    const next: Waiter | undefined = at.exclusiveBefore
    at.exclusiveBefore = found
    at = next
  }
  return found
}
