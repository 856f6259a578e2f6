/** BEGIN … COMMIT: a transaction that stays open between the commands of a connection, and waits for locks. */
import type { AsyncTransaction } from '../../database/async-transaction.ts'
import { DeadlockError, WriteConflictError, XenonError } from '../../errors.ts'
import { CommandError, replyFor } from '../commands/errors.ts'
import type { Command } from '../commands/types.ts'
import { TooMuchOutput } from '../protocol/reply.ts'
import type { Arguments } from '../protocol/request.ts'
import type { Session } from './session.ts'

export class Interactive {
  /** Why it was rolled back: until ROLLBACK no command runs, lest it run outside of it. */
  problem: string | undefined
  private readonly transaction: AsyncTransaction<Uint8Array>
  private readonly ended: AbortController
  private readonly changed: Set<string> = new Set()

  constructor(transaction: AsyncTransaction<Uint8Array>, ended: AbortController) {
    this.transaction = transaction
    this.ended = ended
  }

  /** The client's next request waits until this one has its locks, while others go on. */
  run(session: Session, command: Command, request: Arguments): void {
    session.later(async () => {
      try {
        await this.transaction.together(tx => this.once(session, command, request, tx))
      } catch (error) {
        if (error instanceof DeadlockError || error instanceof WriteConflictError || this.transaction.ended) {
          this.problem = error instanceof XenonError ? error.code : 'failed'
          this.transaction.abandon()
          session.server.lockWaits.wake()
        }
        session.answer(out => out.error(replyFor(error)))
      }
    })
  }

  private once(
    session: Session,
    command: Command,
    request: Arguments,
    tx: NonNullable<Session['server']['keys']['transaction']>,
  ): void {
    const { keys } = session.server
    keys.transaction = tx
    keys.changed = this.changed
    let failure: unknown
    try {
      session.answer(out => {
        try {
          command.run(session, request)
        } catch (error) {
          if (error instanceof TooMuchOutput) throw error
          out.truncate(0)
          failure = error
        }
      })
    } finally {
      keys.transaction = undefined
      keys.changed = undefined
    }
    if (failure !== undefined) throw failure
  }

  commit(session: Session): void {
    session.interactive = undefined
    session.later(async () => {
      const { keys, lockWaits } = session.server
      try {
        if (this.problem !== undefined)
          throw new CommandError(`ABORTED the transaction was rolled back (${this.problem})`)
        const committed = this.transaction.commit()
        for (const key of this.changed) keys.notify(key)
        await committed
        session.answer(out => out.ok())
      } catch (error) {
        this.transaction.abandon()
        session.answer(out => out.error(replyFor(error)))
      } finally {
        lockWaits.wake()
      }
    })
  }

  rollback(session: Session): void {
    session.interactive = undefined
    this.transaction.abandon()
    session.server.lockWaits.wake()
    session.out.ok()
  }

  /** The client is gone. */
  abandon(): void {
    this.ended.abort(new XenonError('XENON_TRANSACTION_ENDED', 'the client is gone'))
    this.transaction.abandon()
  }
}
