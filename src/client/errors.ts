/** What can go wrong between a client and its server. */
import { named, XenonError, type XenonErrorCode } from '../errors.ts'

/** Errors of the engine that a server names by their first word. */
const CODES: Readonly<Record<string, XenonErrorCode>> = {
  DEADLOCK: 'XENON_DEADLOCK',
  WRITECONFLICT: 'XENON_WRITE_CONFLICT',
  LOCKTIMEOUT: 'XENON_LOCK_CONFLICT',
  ABORTED: 'XENON_TRANSACTION_ENDED',
  LOCKED: 'XENON_LOCK_CONFLICT',
  READONLY: 'XENON_READ_ONLY',
  DISKFULL: 'XENON_FULL',
}

/** The server has answered with an error: `message` is its text as it came, `prefix` the first word (`ERR`). */
export class ServerError extends XenonError {
  static {
    named(ServerError, 'ServerError')
  }

  /** The first word, if it is written in capitals; else ''. */
  readonly prefix: string

  constructor(text: string) {
    const prefix = /^[A-Z][A-Z0-9_]*(?= |$)/.exec(text)?.[0] ?? ''
    super(codeOf(prefix, text), text)
    this.prefix = prefix
  }
}

function codeOf(prefix: string, text: string): XenonErrorCode {
  const named = /\[(XENON_[A-Z_]+)\]$/.exec(text)?.[1]
  return (named as XenonErrorCode | undefined) ?? CODES[prefix] ?? 'XENON_SERVER'
}

/** There is no connection. `sent`: the command may have been executed, or not; nobody knows. */
export class ConnectionError extends XenonError {
  static {
    named(ConnectionError, 'ConnectionError')
  }

  /** The command was sent before the connection was lost. */
  readonly sent: boolean

  constructor(message: string, sent: boolean, cause?: unknown) {
    super('XENON_CONNECTION', message, cause === undefined ? undefined : { cause })
    this.sent = sent
  }
}

/** No answer in time. `sent`: the command may still be executed. */
export class TimeoutError extends XenonError {
  static {
    named(TimeoutError, 'TimeoutError')
  }

  /** The command was sent before the time was over. */
  readonly sent: boolean

  constructor(message: string, sent: boolean) {
    super('XENON_TIMEOUT', message)
    this.sent = sent
  }
}

/** What the server sends is not the Redis protocol. */
export class ProtocolError extends XenonError {
  static {
    named(ProtocolError, 'ProtocolError')
  }

  constructor(what: string) {
    super('XENON_PROTOCOL', `the server sent what is not the Redis protocol: ${what}`)
  }
}

export const closedError = (): XenonError => new XenonError('XENON_CLOSED', 'the client is closed')
