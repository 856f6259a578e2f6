/**
 * Commands outside of transactions that have met the lock of one: they hold nothing themselves, and are tried again
 * when a transaction has ended, in the order in which they came.
 *
 * A caller waits with its command, or, after LOCKWAIT PUSH, goes on: then the command has a number, under which its
 * reply is pushed. Of such a caller no change overtakes an earlier one of the same keys.
 */

import { LockConflictError } from '../../errors.ts'
import { nextTurn, setTimeout } from '../../runtime/timers.ts'
import type { Caller } from '../commands/caller.ts'
import type { Command } from '../commands/command.ts'
import { type ReplyWriter, TooMuchOutput } from '../protocol/reply.ts'
import { type Arguments, textAt } from '../protocol/request.ts'
import type { QueuedCalls } from './queued-calls.ts'

/** A caller of commands that run later than they came. */
export interface LateCaller extends Caller {
  /** Its further requests wait too, until `ready`. */
  wait(): void
  ready(): void
  /** Answers with what went wrong; a failure of the storage is one of the server. */
  replyFailure(error: unknown): void
  /** The reply to one that had a number was pushed. */
  pushed(): void
  /** What MULTI has begun gives way to what another EXEC is to run. */
  swapQueue(queue: QueuedCalls | undefined): QueuedCalls | undefined
}

/** A command that is to be tried again. */
interface Waiting {
  readonly caller: LateCaller
  readonly command: Command
  readonly request: Arguments
  /** Its number, if the caller goes on meanwhile; then `queue` is what EXEC is to run. */
  readonly number?: number
  readonly queue?: QueuedCalls | undefined
}

interface Waiter extends Waiting {
  readonly deadline: number
}

/** A transaction holds the lock that a command needs; it may be tried again. */
export const meetsLock = (error: unknown): boolean => error instanceof LockConflictError && error.conflict !== undefined

/** Transactions of the program that has opened the server end without a word to it. */
const RETRY_MS = 10

const LOCKWAIT = Buffer.from('lockwait')

export class LockWaits {
  private waiters: Waiter[] = []
  private readonly timeout: number
  private timer: ReturnType<typeof setTimeout> | undefined
  private soon = false

  constructor(timeout: number) {
    this.timeout = timeout
  }

  get count(): number {
    return this.waiters.length
  }

  add(waiting: Waiting, timeout: number = this.timeout): void {
    this.waiters.push({ ...waiting, deadline: Date.now() + timeout })
    this.timer ??= setTimeout(() => this.onTimer(), RETRY_MS)
  }

  /** True if a change must not come before one of the same caller that waits. */
  isBehind(caller: LateCaller, command: Command, request: Arguments, queue: QueuedCalls | undefined): boolean {
    return isBehind(this.waiters, { caller, command, request, queue })
  }

  /** Gives up what a caller waits for under a number. */
  cancel(caller: LateCaller, number: number): boolean {
    const at = this.waiters.findIndex(waiter => waiter.caller === caller && waiter.number === number)
    if (at < 0) return false
    const [waiter] = this.waiters.splice(at, 1)
    push(waiter!, out => out.error('LOCKTIMEOUT the wait for a lock was cancelled'))
    caller.pushed()
    return true
  }

  /** A transaction has ended. */
  wake(): void {
    if (this.soon || this.waiters.length === 0) return
    this.soon = true
    nextTurn(() => {
      this.soon = false
      this.tryAll()
    })
  }

  private onTimer(): void {
    this.timer = undefined
    this.tryAll()
    if (this.waiters.length > 0) this.timer ??= setTimeout(() => this.onTimer(), RETRY_MS)
  }

  private tryAll(): void {
    const { waiters } = this
    this.waiters = []
    const still: Waiter[] = []
    for (const waiter of waiters) if (!this.tryOne(waiter, still)) still.push(waiter)
    this.waiters = [...still, ...this.waiters]
  }

  /** True if it waits no more. `before`: those that came before it and still wait. */
  private tryOne(waiter: Waiter, before: readonly Waiter[]): boolean {
    const { caller, number, queue } = waiter
    if (caller.closed) return true
    if (number === undefined) {
      const done = this.run(waiter)
      if (done) caller.ready()
      return done
    }
    if (Date.now() < waiter.deadline && isBehind(before, waiter)) return false
    const mine = caller.swapQueue(queue)
    const done = this.run(waiter)
    caller.swapQueue(mine)
    if (done) caller.pushed()
    return done
  }

  private run(waiter: Waiter): boolean {
    const { caller, command, request, deadline } = waiter
    let done = true
    push(waiter, out => {
      const start = out.length
      try {
        command.run(caller, request)
      } catch (error) {
        if (error instanceof TooMuchOutput) throw error
        done = !meetsLock(error) || Date.now() >= deadline
        out.truncate(done ? start : 0)
        if (!done) return
        if (command.name === 'exec') caller.discardQueue()
        caller.replyFailure(error)
      }
    })
    return done
  }
}

/** Writes a reply, or pushes it if the command has a number. */
const push = ({ caller, number }: Waiting, write: (out: ReplyWriter) => void): void =>
  caller.answer(out => {
    if (number !== undefined) {
      out.push(3)
      out.bulk(LOCKWAIT)
      out.integer(number)
    }
    write(out)
  })

const isBehind = (before: readonly Waiting[], waiting: Waiting): boolean => {
  if (!changes(waiting.command)) return false
  const mine = before.filter(other => other.caller === waiting.caller)
  if (mine.length === 0) return false
  const keys = keysOf(waiting)
  return mine.some(other => meet(keysOf(other), keys))
}

const changes = ({ flags, name }: Command): boolean => flags.includes('write') || name === 'exec'

/** The keys that a command changes, or undefined if that may be any. */
const keysOf = ({ command, request, queue }: Omit<Waiting, 'caller'>): string[] | undefined => {
  if (command.name === 'exec') {
    const all = (queue?.calls ?? []).filter(each => changes(each.command)).map(keysOf)
    return all.some(keys => keys === undefined) ? undefined : (all as string[][]).flat()
  }
  const [first, last, step] = command.keys
  if (first === 0) return undefined
  const keys: string[] = []
  const end = last < 0 ? request.count + last : last
  for (let at = first; at <= end; at += step) keys.push(textAt(request, at))
  return keys
}

const meet = (one: string[] | undefined, other: string[] | undefined): boolean =>
  one === undefined || other === undefined || one.some(key => other.includes(key))
