import type { Session } from '../connection/session.ts'
import type { Arguments } from '../protocol/request.ts'
import type { Subcommands } from './subcommands.ts'

/** Answers a request whose number of arguments is right. */
export type Handler = (session: Session, request: Arguments) => void

export type Handlers = Readonly<Record<string, Handler>>

export interface Command {
  readonly name: string
  /** Number of arguments with the name; negative: at least so many. */
  readonly arity: number
  readonly flags: readonly string[]
  readonly firstKey: number
  readonly lastKey: number
  readonly step: number
  readonly categories: readonly string[]
  readonly group: string
  readonly since: string
  readonly complexity: string
  readonly summary: string
  /** For clients that have not authenticated too. */
  readonly strangers: boolean
  /** Executed at once even after MULTI. */
  readonly immediate: boolean
  /** Refused after MULTI. */
  readonly notQueued: boolean
  /** Between BEGIN and COMMIT: part of the transaction, apart from it, refused, or its end. */
  readonly inTransaction: 'inside' | 'apart' | 'no' | 'end'
  /** Allowed after WATCHRANGE in RESP2. */
  readonly whileWatching: boolean
  /** Of CLIENT and others like it: what their second words may be. */
  readonly subcommands: Subcommands | undefined
  readonly run: Handler
}
