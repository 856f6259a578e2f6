/**
 * One among those that share a database: a process, or a tab of a browser. One of them is the owner: it has the database
 * open and serves the others. When it has gone, those that are left try to take its place, and connect to whoever got it.
 *
 * Of what was sent to an owner and not answered, only reads are sent again, to the next one. What waits for an owner
 * begins in the order in which it was called, all of it before anything that is called later.
 */
import { OwnerLostError, XenonError } from '../errors.ts'
import { nextTurn, performance, setTimeout } from '../runtime/timers.ts'
import type { ValueEncoding } from '../types.ts'
import type { AsyncStore } from '../values/async-store.ts'
import type { Marks } from './marks.ts'

/** What a member is at the moment; `'none'`: there is no owner that it knows. */
export type Role = 'owner' | 'follower' | 'none'

/** The database as this member reaches it, until the owner goes. */
export interface Target<V, K> {
  readonly role: 'owner' | 'follower'
  readonly store: AsyncStore<V, K>
  /** Its calls are done here: none is lost on the way. */
  readonly isLocal: boolean
  /** The owner has gone. */
  isOver: boolean
  /** Lets what is on its way be done. */
  close(): Promise<void>
}

/** A call that waits for an owner. */
interface Waiting<V, K> {
  /** Calls are numbered in the order in which they were made. */
  readonly number: number
  begin(target: Target<V, K>): void
  reject(error: unknown): void
}

/** A store or sub-database, as each owner gives it. */
export interface Place<V, K> {
  readonly member: Member<unknown, unknown>
  of(target: Target<unknown, unknown>): AsyncStore<V, K> | Promise<AsyncStore<V, K>>
}

/** A connection that is lost tells sooner or later than that of others that the owner has gone: so long at most. */
const SURE_AFTER_MS = 200
/** The same where there is no error to say so: a watch ends so, too, when its sub-database was dropped. */
const SURE_OF_WATCH_MS = 2000

export abstract class Member<V, K> {
  current: Target<V, K> | undefined
  closed = false
  /** Of transactions, if they are to be marked. */
  readonly marks: Marks | undefined
  /** Who has gone when an owner has, for messages. */
  protected abstract readonly owner: string
  private readonly onRole: (role: Role) => void
  private election: Promise<void> | undefined
  private waiting: Waiting<V, K>[] = []
  private calls = 0
  private closing: Promise<void> | undefined
  private readonly losses: WeakSet<OwnerLostError> = new WeakSet()

  constructor(onRole: (role: Role) => void, marks?: Marks) {
    this.onRole = onRole
    this.marks = marks
  }

  get role(): Role {
    return this.current?.role ?? 'none'
  }

  /**
   * The database, once there is an owner.
   * @throws OwnerLostError after `ownerTimeout`; or what keeps this member from opening the database
   */
  target(): Promise<Target<V, K>> {
    const { current } = this
    return current === undefined ? this.wait(this.calls++, target => target) : Promise.resolve(current)
  }

  /** What `begin` gives once there is an owner. */
  private wait<T>(number: number, begin: (target: Target<V, K>) => T): Promise<T> {
    if (this.closed) return Promise.reject(closedError())
    return new Promise((resolve, reject) => {
      this.waiting.push({ number, begin: target => resolve(begin(target)), reject })
      this.elect()
      this.onWait()
    })
  }

  /**
   * Does something with the database. If the owner goes meanwhile it is done again with the next one, unless it may have
   * been done already.
   */
  async run<T>(work: (target: Target<V, K>) => Promise<T>, repeatable: boolean): Promise<T> {
    const number = this.calls++
    for (;;) {
      let target = this.current
      let result: Promise<T>
      if (target !== undefined) result = work(target)
      else {
        const begun = await this.wait(number, found => ({ target: found, result: work(found) }))
        target = begun.target
        result = begun.result
      }
      try {
        return await result
      } catch (error) {
        const lost = await this.lossOf(target, error)
        if (lost === undefined) throw error
        if (lost.sent && !repeatable) throw lost
      }
    }
  }

  /** If the error says that the owner has gone: what that means for the call. */
  async lossOf(target: Target<V, K>, error: unknown): Promise<OwnerLostError | undefined> {
    // Of this target, and no other store's that the caller's function works with.
    if (error instanceof OwnerLostError) return target.isOver && this.losses.has(error) ? error : undefined
    if (this.closed || !(error instanceof XenonError)) return undefined
    if (error.code !== 'XENON_CONNECTION' && error.code !== 'XENON_CLOSED') return undefined
    if (!(await hasGone(target, SURE_AFTER_MS))) return undefined
    const sent = (error as { sent?: unknown }).sent === true
    const what = sent ? 'before it answered: the call may have been executed, or not' : 'before it got the call'
    const lost = new OwnerLostError(`${this.owner} has gone ${what}`, sent, error)
    this.losses.add(lost)
    return lost
  }

  /** What a watch of a target ends with, whose source has ended, with an error or without; undefined: with nothing. */
  async endOfWatch(target: Target<V, K>, error: unknown): Promise<unknown> {
    const isLost =
      error === undefined
        ? !this.closed && (await hasGone(target, SURE_OF_WATCH_MS))
        : (await this.lossOf(target, error)) !== undefined
    if (!isLost || this.closed) return error
    const what = 'so the watch has ended: changes may have been missed'
    return new OwnerLostError(`${this.owner} has gone, ${what}`, false, error)
  }

  close(): Promise<void> {
    this.closing ??= this.leave()
    return this.closing
  }

  private async leave(): Promise<void> {
    this.closed = true
    const { current } = this
    this.current = undefined
    this.settle(call => call.reject(closedError()))
    await this.stopLooking()
    await this.election
    await current?.close()
    await this.end()
  }

  private elect(): void {
    if (this.election !== undefined || this.closed) return
    const election = this.findOwner()
      .then(
        target => this.adopt(target),
        error => this.settle(call => call.reject(error)),
      )
      .finally(() => {
        this.election = undefined
      })
    this.election = election
  }

  private async adopt(target: Target<V, K> | undefined): Promise<void> {
    if (target === undefined) return
    if (this.closed || target.isOver) {
      await target.close()
      if (!this.closed) nextTurn(() => this.elect())
      return
    }
    this.current = target
    this.settle(call => call.begin(target))
    this.onRole(target.role)
  }

  private settle(end: (call: Waiting<V, K>) => void): void {
    const calls = this.waiting.sort((a, b) => a.number - b.number)
    this.waiting = []
    for (const call of calls) end(call)
  }

  /** Tries until it is the owner, or has found it; undefined when the store is closed. */
  protected abstract findOwner(): Promise<Target<V, K> | undefined>

  /** What copies values of an encoding. */
  abstract copierOf<T>(encoding: ValueEncoding<T> | undefined): (value: T) => T

  /** A call waits for an owner. */
  protected onWait(): void {}

  /** The store is closed: `findOwner` is to end soon. */
  protected abstract stopLooking(): void | Promise<void>

  /** The store is closed, and all calls were answered. */
  protected async end(): Promise<void> {}

  protected get isAwaited(): boolean {
    return this.waiting.length > 0
  }

  /** The owner has gone. */
  protected lose(target: Target<V, K>): void {
    if (this.current !== target || this.closed) return
    this.current = undefined
    this.onRole('none')
    this.elect()
  }
}

export const closedError = (): XenonError => new XenonError('XENON_CLOSED', 'the shared store is closed')

/** Whether the owner has gone, or does so within some milliseconds. */
const hasGone = async (target: { readonly isOver: boolean }, patience: number): Promise<boolean> => {
  const until = performance.now() + patience
  while (!target.isOver && performance.now() < until) await new Promise<void>(resolve => setTimeout(resolve, 5))
  return target.isOver
}
