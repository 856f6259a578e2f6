/** Running a command, and what becomes of its failure. */
import { LockConflictError, XenonError } from '../../errors.ts'
import { replyFor } from '../commands/errors.ts'
import type { Command } from '../commands/types.ts'
import { TooMuchOutput } from '../protocol/reply.ts'
import { type Arguments, keep } from '../protocol/request.ts'
import type { Session } from './session.ts'

/** A command that MULTI has put off. */
export interface QueuedCall {
  readonly command: Command
  readonly request: Arguments
}

/** Runs a command; one that meets the lock of a transaction waits for it. */
export const call = (session: Session, command: Command, request: Arguments): void => {
  const { out } = session
  const before = out.length
  try {
    command.run(session, request)
  } catch (error) {
    if (error instanceof TooMuchOutput) throw error
    out.truncate(before)
    if (error instanceof LockConflictError && error.conflict !== undefined)
      session.server.lockWaits.add(session, command, keep(request))
    else {
      noteFailure(session, error)
      out.error(replyFor(error))
    }
  }
}

/** Runs a command of an EXEC: its failure is its reply, unless all of them are to be tried again. */
export const callQueued = (session: Session, { command, request }: QueuedCall): void => {
  const { out } = session
  const before = out.length
  try {
    command.run(session, request)
  } catch (error) {
    if (error instanceof TooMuchOutput) throw error
    if (error instanceof LockConflictError && error.conflict !== undefined) throw error
    noteFailure(session, error)
    out.truncate(before)
    out.error(replyFor(error))
  }
}

/** Codes of a handle that does nothing more. */
const STOPPED: ReadonlySet<string> = new Set(['XENON_IO', 'XENON_FAILED', 'XENON_MOVED'])

const noteFailure = (session: Session, error: unknown): void => {
  if (error instanceof XenonError && STOPPED.has(error.code)) session.server.fail(error)
  else if (!(error instanceof XenonError) && (error as Error).name !== 'CommandError')
    session.server.log.error('internal error', { error: (error as Error).stack ?? String(error) })
}
