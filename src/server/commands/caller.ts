/** What a command may ask of the connection that calls it. A session implements it; a script could as well. */

import type { AsyncTransactionOptions, Range } from '../../types.ts'
import type { ReplyWriter } from '../protocol/reply.ts'
import type { Arguments } from '../protocol/request.ts'
import type { Subscriptions } from '../service/channels.ts'
import type { Client, Host, UnblockReason } from './host.ts'
import type { Keyspace, KeyWatcher } from './keyspace.ts'

/** Answers a request whose number of arguments is right. */
export type Handler = (caller: Caller, request: Arguments) => void

export interface Caller extends Client, KeyWatcher {
  readonly server: Host
  /** The records that its commands work on: those of the selected database, or behind IN of a sub-database. */
  readonly keys: Keyspace
  /** A command stands behind IN. */
  readonly isWithin: boolean
  /** Chooses the numbered database that its commands work on. */
  select(database: number): void
  /**
   * Runs a command in a sub-database, as IN says: from the selected database on, the names of those that it lies in, and
   * its own.
   */
  within(path: readonly string[], work: () => void): void
  /** Takes the reply to the command at hand. */
  readonly out: ReplyWriter
  readonly closed: boolean
  name: string
  /** With its subcommand (`client|list`). */
  lastCommand: string
  library: string
  libraryVersion: string
  dirty: boolean

  readonly authenticated: boolean
  authenticate(): void
  /** Replies are written in RESP3, or in RESP2, from now on. */
  speak(resp3: boolean): void

  /** Writes replies later than the command that owes them. Those written before stay before them. */
  answer(write: (out: ReplyWriter) => void): void
  /** Sends what is no reply to the command at hand: CLIENT REPLY does not hold it back. */
  tell(write: (out: ReplyWriter) => void): void
  /** Replies are sent, not any more, or not for the next command (CLIENT REPLY). */
  replies(mode: 'on' | 'off' | 'skip'): void
  /** What the command at hand writes is no reply, and is sent in any case. */
  isPushing(): void
  /** False inside EXEC: what would wait answers at once. */
  readonly mayBlock: boolean
  /** Further requests wait for so many milliseconds, or until CLIENT UNBLOCK; `answer` says what happened. */
  block(timeout: number, answer: (out: ReplyWriter, reason: UnblockReason) => void): void
  /** Further requests wait until the work is done. */
  later(work: () => Promise<void>, forOthers?: boolean): void

  /** READONLY: nodes of a cluster that follow answer it too; `maxLag`: unless they lie so many milliseconds behind. */
  readsFollowers: boolean
  maxLag: number | undefined

  unwatchAll(): void
  /** MULTI: what follows is queued. */
  startQueue(): void
  /** EXEC: runs what is queued, all of it or nothing. When it meets a lock the queue stays, to be tried again. */
  runQueue(): void
  /** Forgets what is queued, and what is watched. */
  discardQueue(): void

  /** Between BEGIN and COMMIT or ROLLBACK. */
  readonly inTransaction: boolean
  begin(options: AsyncTransactionOptions): void
  commit(): void
  rollback(): void
  /** Answers with its number. */
  savepoint(): void
  rollbackTo(savepoint: number): void

  /** Milliseconds that the next command may wait for a lock, if that is not what the server is set to. */
  lockTimeout: number | undefined
  /**
   * LOCKWAIT PUSH: a command that meets a lock is answered with a number at once, and what it has done is pushed with
   * that number, later. What follows goes on meanwhile, but for changes of the same keys.
   */
  pushesLockWaits: boolean
  /** Gives up what waits under a number, and pushes that; false if it waits no more. */
  cancelLockWait(number: number): boolean

  /** Is sent what it has not asked for: messages, or after WATCHRANGE changes. */
  readonly isSubscribed: boolean
  /** WATCHRANGE. */
  watchRange(range: Range): void
  /** To a channel or a pattern. */
  subscribe(kind: Subscriptions, name: string): void
  unsubscribe(kind: Subscriptions, name: string): void

  /** Back to the state of a connection that has just been made. */
  reset(): void
}
