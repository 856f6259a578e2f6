/** What a command answers when it cannot be done: the text as it goes over the wire, beginning with its code. */
import {
  DeadlockError,
  DiskFullError,
  isError,
  LockConflictError,
  WriteConflictError,
  XenonError,
} from '../../errors.ts'

export class CommandError extends Error {
  override name = 'CommandError'
}

export const SYNTAX = 'ERR syntax error'
export const NOT_AN_INTEGER = 'ERR value is not an integer or out of range'
export const NOT_A_FLOAT = 'ERR value is not a valid float'
export const NO_SUCH_KEY = 'ERR no such key'

/** As Redis refuses what needs several databases. */
export const notInCluster = (command: string): CommandError =>
  new CommandError(`ERR ${command} is not allowed in cluster mode`)

export const wrongArity = (command: string): string => `ERR wrong number of arguments for '${command}' command`

export const invalidExpireTime = (command: string): string => `ERR invalid expire time in '${command}' command`

/** The reply to a failure. Errors of the engine keep their code, in brackets. */
export const replyFor = (error: unknown): string => {
  if (error instanceof CommandError) return error.message
  if (error instanceof DeadlockError) return `DEADLOCK ${error.message}`
  if (error instanceof WriteConflictError) return `WRITECONFLICT ${error.message}`
  if (error instanceof DiskFullError) return `DISKFULL ${error.message}`
  if (error instanceof LockConflictError) return `LOCKTIMEOUT ${error.message}`
  if (error instanceof XenonError)
    return error.code === 'XENON_READ_ONLY'
      ? "READONLY You can't write against a read only database."
      : `ERR ${error.message} [${error.code}]`
  return `ERR internal error: ${isError(error) ? error.message : String(error)}`
}

/** Codes of a handle that does nothing more. */
const STOPPED: ReadonlySet<string> = new Set(['XENON_IO', 'XENON_FAILED', 'XENON_MOVED'])

/** The handle does nothing more. */
export const hasStopped = (error: unknown): boolean => error instanceof XenonError && STOPPED.has(error.code)
