/** BEGIN … COMMIT: a transaction that stays open between the commands of a connection, and waits for locks. */

import type { AsyncTransaction } from '../../database/async-transaction.ts'
import type { Savepoint, Transaction } from '../../database/transaction.ts'
import { DeadlockError, WriteConflictError, XenonError } from '../../errors.ts'
import { performance } from '../../runtime/timers.ts'
import type { Command } from '../commands/command.ts'
import { CommandError } from '../commands/errors.ts'
import type { ChangedKeys, Keyspace } from '../commands/keyspace.ts'
import { traitsFor } from '../commands/traits.ts'
import type { Arguments } from '../protocol/request.ts'
import type { Announcement, Announcements } from '../service/announcements.ts'
import { meetsLock } from './lock-conflict.ts'
import type { LateCaller, LockWaits } from './lock-waits.ts'

/** Commits it, in a cluster by the node. */
export type CommitWith = (transaction: AsyncTransaction<Uint8Array, Uint8Array>) => Promise<void>

export class Interactive {
  /** Why it was rolled back: until ROLLBACK no command runs, lest it run outside of it. */
  problem: string | undefined
  /** The root's. */
  private readonly keys: Keyspace
  private readonly transaction: AsyncTransaction<Uint8Array, Uint8Array>
  private readonly ended: AbortController
  private readonly lockWaits: LockWaits
  private readonly changed: ChangedKeys = new Map()
  /** Each with the number of announcements that were held then. */
  private readonly savepoints: (readonly [Savepoint, number])[] = []
  private readonly announcements: Announcements
  private readonly commitWith: CommitWith
  /** What its commands announce, until it is committed. */
  private readonly held: Announcement[] = []
  /** When its last command was done. */
  private lastUsed = Date.now()

  constructor(
    keys: Keyspace,
    transaction: AsyncTransaction<Uint8Array, Uint8Array>,
    ended: AbortController,
    lockWaits: LockWaits,
    announcements: Announcements,
    commitWith: CommitWith = tx => tx.commit(),
  ) {
    this.commitWith = commitWith
    this.keys = keys
    this.transaction = transaction
    this.ended = ended
    this.lockWaits = lockWaits
    this.announcements = announcements
  }

  /** The client's next request waits until this one has its locks, while others go on. */
  run(caller: LateCaller, command: Command, request: Arguments): void {
    caller.later(async () => {
      try {
        await this.transaction.together(tx =>
          this.announcements.collect(this.held, () => this.once(caller, command, request, tx)),
        )
      } catch (error) {
        if (error instanceof DeadlockError || error instanceof WriteConflictError || this.transaction.ended) {
          this.problem = error instanceof XenonError ? error.code : 'failed'
          this.transaction.abandon()
          this.lockWaits.wake()
        }
        caller.answer(() => caller.replyFailure(error))
      } finally {
        this.lastUsed = Date.now()
      }
    }, true)
  }

  private once(
    caller: LateCaller,
    command: Command,
    request: Arguments,
    tx: Transaction<Uint8Array, Uint8Array>,
  ): void {
    const { keys, changed } = this
    let failure: unknown
    keys.during({ keys, transaction: tx, changed }, () =>
      caller.answer(out => {
        const began = performance.now()
        try {
          caller.perform(command, request)
        } catch (error) {
          out.truncate(0)
          failure = error
        }
        if (!meetsLock(failure))
          caller.server.activity.executed(caller, traitsFor(command, request), request, began, failure !== undefined)
      }),
    )
    if (failure !== undefined) throw failure
  }

  savepoint(caller: LateCaller): void {
    this.later(caller, async () => {
      const number = this.savepoints.push([await this.transaction.savepoint(), this.held.length])
      caller.answer(out => out.integer(number))
    })
  }

  rollbackTo(caller: LateCaller, number: number): void {
    this.later(caller, async () => {
      const savepoint = this.savepoints[number - 1]
      if (savepoint === undefined) throw new CommandError('ERR no such savepoint')
      const [place, held] = savepoint
      await this.transaction.rollbackTo(place)
      this.held.length = held
      caller.answer(out => out.ok())
    })
  }

  private later(caller: LateCaller, work: () => Promise<void>): void {
    caller.later(async () => {
      try {
        this.requireStanding()
        await work()
      } catch (error) {
        caller.answer(() => caller.replyFailure(error))
      } finally {
        this.lastUsed = Date.now()
      }
    })
  }

  private requireStanding(): void {
    if (this.problem !== undefined) throw new CommandError(`ABORTED the transaction was rolled back (${this.problem})`)
  }

  commit(caller: LateCaller): void {
    caller.later(async () => {
      try {
        this.requireStanding()
        const committed = this.commitWith(this.transaction)
        for (const [keys, names] of this.changed) for (const name of names) keys.notify(name)
        await committed
        for (const announcement of this.held) this.announcements.make(announcement)
        caller.answer(out => out.ok())
      } catch (error) {
        this.transaction.abandon()
        caller.answer(() => caller.replyFailure(error))
      } finally {
        this.lockWaits.wake()
      }
    })
  }

  rollback(): void {
    this.transaction.abandon()
    this.lockWaits.wake()
  }

  /**
   * Rolls back if no command has come for too long, so that nobody waits for its locks for ever; true if it did. Not to be
   * called while one is at work.
   */
  expire(now: number, timeout: number): boolean {
    if (this.problem !== undefined || now - this.lastUsed <= timeout) return false
    this.problem = `no command came for ${timeout} ms, the server's transaction timeout`
    this.rollback()
    return true
  }

  /** The client is gone. */
  abandon(): void {
    this.ended.abort(new XenonError('XENON_TRANSACTION_ENDED', 'the client is gone'))
    this.transaction.abandon()
  }
}
