/**
 * Commands outside of transactions that have met the lock of one: they hold nothing themselves, and are tried again
 * when a transaction has ended, in the order in which they came.
 */

import { LockConflictError } from '../../errors.ts'
import { nextTurn, setTimeout } from '../../runtime/timers.ts'
import type { Caller } from '../commands/caller.ts'
import type { Command } from '../commands/command.ts'
import { TooMuchOutput } from '../protocol/reply.ts'
import type { Arguments } from '../protocol/request.ts'

/** A caller of commands that run later than they came. */
export interface LateCaller extends Caller {
  /** Its further requests wait too, until `ready`. */
  wait(): void
  ready(): void
  /** Answers with what went wrong; a failure of the storage is one of the server. */
  replyFailure(error: unknown): void
}

interface Waiter {
  caller: LateCaller
  command: Command
  request: Arguments
  deadline: number
}

/** A transaction holds the lock that a command needs; it may be tried again. */
export const meetsLock = (error: unknown): boolean =>
  error instanceof LockConflictError && error.conflict !== undefined

/** Transactions of the program that has opened the server end without a word to it. */
const RETRY_MS = 10

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

  add(caller: LateCaller, command: Command, request: Arguments): void {
    caller.wait()
    this.waiters.push({ caller, command, request, deadline: Date.now() + this.timeout })
    this.timer ??= setTimeout(() => this.onTimer(), RETRY_MS)
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
    for (const waiter of waiters) if (!this.tryOne(waiter)) still.push(waiter)
    this.waiters = [...still, ...this.waiters]
  }

  private tryOne({ caller, command, request, deadline }: Waiter): boolean {
    if (caller.closed) return true
    let done = true
    caller.answer(out => {
      try {
        command.run(caller, request)
      } catch (error) {
        if (error instanceof TooMuchOutput) throw error
        out.truncate(0)
        done = !meetsLock(error) || Date.now() >= deadline
        if (!done) return
        if (command.name === 'exec') caller.discardQueue()
        caller.replyFailure(error)
      }
    })
    if (done) caller.ready()
    return done
  }
}
