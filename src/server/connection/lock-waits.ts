/**
 * Commands outside of transactions that have met the lock of one: they hold nothing themselves, and are tried again
 * when a transaction has ended, in the order in which they came.
 */

import { LockConflictError } from '../../errors.ts'
import { nextTurn, setTimeout } from '../../runtime/timers.ts'
import { replyFor } from '../commands/errors.ts'
import { discardQueue } from '../commands/transactions.ts'
import type { Command } from '../commands/types.ts'
import type { Arguments } from '../protocol/request.ts'
import type { Session } from './session.ts'

interface Waiter {
  session: Session
  command: Command
  request: Arguments
  deadline: number
}

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

  add(session: Session, command: Command, request: Arguments): void {
    session.take()
    session.busy = true
    this.waiters.push({ session, command, request, deadline: Date.now() + this.timeout })
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

  private tryOne({ session, command, request, deadline }: Waiter): boolean {
    if (session.closed) return true
    let done = true
    session.answer(out => {
      try {
        command.run(session, request)
      } catch (error) {
        out.truncate(0)
        done = !(error instanceof LockConflictError) || error.conflict === undefined || Date.now() >= deadline
        if (!done) return
        if (command.name === 'exec') discardQueue(session)
        out.error(replyFor(error))
      }
    })
    if (done) session.ready()
    return done
  }
}
