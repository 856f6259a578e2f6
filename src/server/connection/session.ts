/**
 * One client: the state that its commands leave behind, and whether a command may run now, and how: at once, queued by
 * MULTI, or inside BEGIN.
 */

import type { Socket } from 'node:net'
import { XenonError } from '../../errors.ts'
import { performance } from '../../runtime/timers.ts'
import type { AsyncTransactionOptions, Range } from '../../types.ts'
import type { Command } from '../commands/command.ts'
import { CommandError, hasStopped, replyFor } from '../commands/errors.ts'
import type { Host, UnblockReason } from '../commands/host.ts'
import { findCommand } from '../commands/index.ts'
import type { Keyspace } from '../commands/keyspace.ts'
import { depthOf, inProblem, insideOf } from '../commands/subs.ts'
import { knownTraits, traitsFor } from '../commands/traits.ts'
import { type ReplyWriter, TooMuchOutput } from '../protocol/reply.ts'
import { type Arguments, behind, keep } from '../protocol/request.ts'
import type { Announcements } from '../service/announcements.ts'
import type { Subscriptions } from '../service/channels.ts'
import { FEW_ARGUMENTS, isFromBrowser, mayWrite, problemOf, refusedFor, tooLong, unknownCommand } from './admission.ts'
import { Blocking } from './blocking.ts'
import { Connection, type ConnectionOwner } from './connection.ts'
import { type CommitWith, Interactive } from './interactive.ts'
import { meetsLock } from './lock-conflict.ts'
import type { LateCaller, LockWaits } from './lock-waits.ts'
import { QueuedCalls } from './queued-calls.ts'
import { Silence } from './silence.ts'
import { Subscription } from './subscription.ts'

/** What a session asks of the server that it belongs to. */
export interface SessionOwner extends ConnectionOwner, Host {
  readonly lockWaits: LockWaits
  readonly announcements: Announcements
  /** The storage has failed. */
  fail(error: unknown): void
}

export class Session extends Connection<SessionOwner> implements LateCaller {
  name = ''
  library = ''
  libraryVersion = ''
  lastCommand = 'NULL'
  dirty = false
  queue: QueuedCalls | undefined
  readonly watched: Map<Keyspace, Map<string, boolean>> = new Map()
  lockTimeout: number | undefined
  pushesLockWaits = false
  readsFollowers = false
  maxLag: number | undefined
  /** Commands that were answered with a number and wait for a lock, and the last number. */
  private lockWaits = 0
  private lastLockWait = 0
  /** SELECT: the number of the database that its commands work on. */
  database = 0
  /** What the command at hand works on, behind IN. */
  private inner: Keyspace | undefined
  private readonly silence: Silence = new Silence()
  private readonly blocking: Blocking = new Blocking()
  /** False inside EXEC. */
  mayBlock = true
  private interactive: Interactive | undefined
  private subscription: Subscription | undefined

  constructor(id: number, server: SessionOwner, socket: Socket) {
    super(id, server, socket, server.password === undefined)
  }

  get keys(): Keyspace {
    return this.inner ?? this.server.databases.at(this.database)
  }

  get isWithin(): boolean {
    return this.inner !== undefined
  }

  select(database: number): void {
    // It is made now, if it has to be, so that this tells if it cannot.
    this.server.databases.at(database)
    this.database = database
  }

  within(path: readonly string[], work: () => void): void {
    const before = this.inner
    try {
      let { keys } = this
      for (const name of path) keys = keys.sub(name)
      this.inner = keys
      work()
    } finally {
      this.inner = before
    }
  }

  /** Something of it belongs to the database that is open. */
  get hasState(): boolean {
    return (
      this.inTransaction || this.subscription !== undefined || this.watched.size > 0 || this.busy || this.lockWaits > 0
    )
  }

  protected override get heldByState(): number {
    const queued = this.queue?.bytes ?? 0
    return this.isSubscribed ? queued + this.server.channels.memoryOf(this) : queued
  }

  protected get awaitsServer(): boolean {
    return this.busy || this.isSubscribed || this.lockWaits > 0 || this.server.activity.monitors.has(this)
  }

  override lateFor(now: number): string | undefined {
    const { settings, log } = this.server
    if (!this.busy && this.interactive?.expire(now, settings.transactionTimeout))
      log.info('transaction rolled back', { client: this.id, reason: this.interactive.problem })
    return super.lateFor(now)
  }

  authenticate(): void {
    this.trust(true)
  }

  speak(resp3: boolean): void {
    this.resp3 = resp3
    this.out.resp3 = resp3
  }

  protected execute(request: Arguments): void {
    if (this.silence.mode === 'on') this.dispatch(request)
    else
      this.silence.during(this.out, () => {
        this.dispatch(request)
        return !this.busy
      })
  }

  private dispatch(request: Arguments): void {
    const named = findCommand(request)
    this.server.counts.commands++
    if (named === undefined) {
      if (isFromBrowser(request)) this.destroy('HTTP')
      else this.reject(unknownCommand(request))
      return
    }
    if (named.name === 'in') this.executeIn(named, request)
    else this.admit(named, problemOf(named, request), request)
  }

  /** What stands behind IN is what is asked for. */
  private executeIn(named: Command, request: Arguments): void {
    const depth = depthOf(request)
    const asked = behind(request, 2 * depth)
    const problem = problemOf(named, request) ?? inProblem(asked, depth)
    const command = problem === undefined ? findCommand(asked) : named
    if (problem !== undefined) this.admit(named, problem, request)
    else if (command === undefined) this.reject(unknownCommand(asked))
    else if (command.afterIn) this.admit(insideOf(command, depth), problemOf(command, asked), request)
    else this.reject(`ERR '${command.name}' cannot stand behind IN`)
  }

  protected admit(command: Command, problem: string | undefined, request: Arguments): void {
    this.lastCommand = command.name
    if (problem !== undefined) this.rejectCall(command, problem, request)
    else if (!this.authenticated && !command.strangers)
      this.rejectCall(command, 'NOAUTH Authentication required.', request)
    else if (this.server.settings.readOnly && (command.flags.includes('admin') || command.flags.includes('write')))
      this.reject(`READONLY ${this.server.onlyReads.message}: it does not take ${command.name.toUpperCase()}`)
    else if (this.server.pause.kind !== undefined && this.isPaused(command, request)) this.postpone(command, request)
    else if (this.queue !== undefined && command.afterMulti !== 'runs') this.enqueue(this.queue, command, request)
    else if (this.isSubscribed && !this.resp3 && !command.whileSubscribed)
      this.rejectCall(command, refusedFor(command, request), request)
    else if (this.interactive !== undefined && command.afterBegin !== 'apart')
      this.executeInside(this.interactive, command, request)
    else this.call(command, request)
  }

  private isPaused(command: Command, request: Arguments): boolean {
    const { pause, scripts } = this.server
    return pause.kind === 'all' || mayWrite(command, request, this.queue, scripts)
  }

  /** CLIENT PAUSE: it runs when that has ended, and so does what follows it. */
  private postpone(command: Command, request: Arguments): void {
    const kept = keep(request)
    this.wait(true)
    this.server.pause.wait(this, () => {
      this.server.activity.begin(performance.now())
      // Still busy, so that CLIENT REPLY holds for it.
      this.answer(() => {
        this.busy = false
        this.admit(command, undefined, kept)
      })
      if (!this.busy) this.ready()
    })
  }

  replies(mode: 'on' | 'off' | 'skip'): void {
    this.silence.set(mode)
  }

  isPushing(): void {
    this.silence.end()
  }

  override answer(write: (out: ReplyWriter) => void): void {
    super.answer(this.busy ? out => this.silence.answer(out, write) : write)
  }

  tell(write: (out: ReplyWriter) => void): void {
    super.answer(write)
  }

  override ready(): void {
    this.silence.end()
    super.ready()
  }

  /** The reply to the command at hand is not sent. */
  protected get isSilent(): boolean {
    return this.silence.isHolding
  }

  protected endSilence(): void {
    this.silence.end()
  }

  block(timeout: number, answer: (out: ReplyWriter, reason: UnblockReason) => void): void {
    this.later(async () => {
      const reason = await this.blocking.wait(timeout)
      this.answer(out => answer(out, reason))
    }, true)
  }

  unblock(reason: UnblockReason): boolean {
    return this.blocking.end(reason)
  }

  private executeInside(interactive: Interactive, command: Command, request: Arguments): void {
    const { problem } = interactive
    if (command.afterBegin === 'ends') this.call(command, request)
    else if (problem !== undefined) this.out.error(`ABORTED the transaction was rolled back (${problem}); say ROLLBACK`)
    else if (command.afterBegin === 'refused')
      this.out.error(`ERR ${command.name.toUpperCase()} is not allowed between BEGIN and COMMIT`)
    else interactive.run(this, command, keep(request))
  }

  private enqueue(queue: QueuedCalls, command: Command, request: Arguments): void {
    if (command.afterMulti === 'refused') {
      this.reject('ERR Command not allowed inside a transaction')
      return
    }
    if (queue.add(command, request, this.server.settings.maxQueryBytes)) this.out.simple('QUEUED')
    else this.reject('ERR the commands queued since MULTI are too large')
  }

  /** Answers with an error; EXEC is to be refused then. */
  protected reject(message: string): void {
    if (this.queue !== undefined) this.queue.failed = true
    this.out.error(message)
  }

  private rejectCall(command: Command, problem: string, request: Arguments): void {
    this.server.activity.rejected(knownTraits(command, request))
    if (command.name !== 'exec') {
      this.reject(problem)
      return
    }
    this.discardQueue()
    this.out.error(`EXECABORT Transaction discarded because of: ${problem.replace(/^ERR /, '')}`)
  }

  /** Runs a command; one that meets the lock of a transaction waits for it. */
  protected call(command: Command, request: Arguments): void {
    const { out, lockTimeout } = this
    const before = out.length
    this.lockTimeout = undefined
    if (this.lockWaits > 0 && this.server.lockWaits.isBehind(this, command, request, this.queue)) {
      this.pushLater(command, request, lockTimeout)
      return
    }
    const { activity } = this.server
    const { traits } = command
    const isLike = activity.group === traits
    const isGrouped =
      traits.isQuick && !activity.isExact && request.count <= FEW_ARGUMENTS && (isLike || this.unread > 0)
    if (!isGrouped || !isLike) activity.endGroup()
    const start = activity.last
    let failed = false
    try {
      this.perform(command, request)
    } catch (error) {
      out.truncate(before)
      if (meetsLock(error)) {
        this.waitForLock(command, request, lockTimeout, error)
        return
      }
      this.replyFailure(error, command)
      failed = true
    }
    if (isGrouped) activity.addToGroup(traits, failed)
    else {
      const answeredWrong = failed || out.isErrorSince(before)
      activity.executed(this, traitsFor(command, request), request, start, answeredWrong)
    }
  }

  protected waitForLock(command: Command, request: Arguments, lockTimeout: number | undefined, error: unknown): void {
    if (this.pushesLockWaits) this.pushLater(command, request, lockTimeout, error)
    else {
      this.wait(true)
      this.server.lockWaits.add({ caller: this, command, request: keep(request) }, lockTimeout, error)
    }
  }

  perform(command: Command, request: Arguments): void {
    const { observation } = this.server
    if (observation.isOn) observation.during(this, command, request)
    else command.run(this, request)
  }

  /** Answers with a number; what is queued goes with EXEC. */
  private pushLater(command: Command, request: Arguments, lockTimeout: number | undefined, error?: unknown): void {
    const number = ++this.lastLockWait
    const queue = command.name === 'exec' ? this.swapQueue(undefined) : undefined
    this.lockWaits++
    this.out.error(`LOCKWAIT ${number}`)
    this.server.lockWaits.add({ caller: this, command, request: keep(request), number, queue }, lockTimeout, error)
  }

  inDatabase(database: number, work: () => void): void {
    const before = this.database
    this.database = database
    try {
      work()
    } finally {
      this.database = before
    }
  }

  swapQueue(queue: QueuedCalls | undefined): QueuedCalls | undefined {
    const before = this.queue
    this.queue = queue
    return before
  }

  pushed(): void {
    this.lockWaits--
  }

  cancelLockWait(number: number): boolean {
    return this.server.lockWaits.cancel(this, number)
  }

  /** Answers with what went wrong; a failure of the storage is one of the server. */
  replyFailure(error: unknown, command?: Command): void {
    const { server, out } = this
    if (error instanceof TooMuchOutput) {
      out.error(tooLong(server.settings.maxOutputBytes, command))
      return
    }
    if (hasStopped(error)) server.fail(error)
    else if (!(error instanceof XenonError) && !(error instanceof CommandError))
      server.log.error('internal error', { error: (error as Error).stack ?? String(error) })
    out.error(replyFor(error))
  }

  startQueue(): void {
    this.queue = new QueuedCalls()
  }

  runQueue(): void {
    const { queue, server, database } = this
    if (queue === undefined) return
    const subscribed = queue.calls.some(({ command }) => command.flags.includes('pubsub'))
      ? this.server.channels.of(this)
      : undefined
    this.queue = undefined
    this.mayBlock = false
    try {
      server.databases.together(server.sessions, () => server.keys.together(() => queue.run(this)))
    } catch (error) {
      // All was taken back, what SELECT has done too.
      this.database = database
      if (subscribed !== undefined) server.channels.restore(this, subscribed)
      this.noteSubscriptions()
      // What is locked by a transaction makes all of them be tried again.
      if (meetsLock(error)) this.queue = queue
      else this.unwatchAll()
      throw error
    } finally {
      this.mayBlock = true
    }
    this.unwatchAll()
  }

  discardQueue(): void {
    this.queue = undefined
    this.unwatchAll()
  }

  unwatchAll(): void {
    for (const [keys, names] of this.watched) for (const key of names.keys()) keys.unwatch(key, this)
    this.watched.clear()
    this.dirty = false
  }

  get inTransaction(): boolean {
    return this.interactive !== undefined
  }

  begin(options: AsyncTransactionOptions): void {
    const ended = new AbortController()
    const { keys, settings, lockWaits, announcements } = this.server
    const { lockTimeout } = settings
    const given = { lockTimeout, ...options, signal: ended.signal }
    const transaction = this.admitting(() => keys.db.async.beginNow(given))
    const commitWith = options.readOnly === true ? undefined : this.commitWith
    this.interactive = new Interactive(keys, transaction, ended, lockWaits, announcements, commitWith)
  }

  /** Runs what begins an interactive transaction. */
  protected admitting<T>(begin: () => T): T {
    return begin()
  }

  /** If transactions do not commit by themselves. */
  protected get commitWith(): CommitWith | undefined {
    return undefined
  }

  commit(): void {
    const { interactive } = this
    this.interactive = undefined
    interactive?.commit(this)
  }

  rollback(): void {
    this.interactive?.rollback()
    this.interactive = undefined
  }

  savepoint(): void {
    this.interactive?.savepoint(this)
  }

  rollbackTo(savepoint: number): void {
    this.interactive?.rollbackTo(this, savepoint)
  }

  watchRange(range: Range): void {
    if (this.subscription !== undefined) throw new CommandError('ERR this connection watches a range already')
    this.subscription = new Subscription(this, this.keys.watchRange(range))
    this.isSubscribed = true
  }

  subscribe(kind: Subscriptions, name: string): void {
    this.server.channels.subscribe(kind, this, name)
    this.isSubscribed = true
  }

  unsubscribe(kind: Subscriptions, name: string): void {
    this.server.channels.unsubscribe(kind, this, name)
    this.noteSubscriptions()
  }

  private noteSubscriptions(): void {
    this.isSubscribed = this.subscription !== undefined || this.server.channels.has(this)
  }

  reset(): void {
    this.release()
    this.server.lockWaits.wake()
    this.name = ''
    this.database = 0
    this.lockTimeout = undefined
    this.pushesLockWaits = false
    this.readsFollowers = false
    this.maxLag = undefined
    this.speak(false)
    this.trust(this.server.password === undefined)
  }

  protected release(): void {
    this.discardQueue()
    this.server.activity.unwatch(this)
    this.server.pause.leave(this)
    this.blocking.end('timeout')
    this.replies('on')
    this.interactive?.abandon()
    this.interactive = undefined
    this.subscription?.end()
    this.subscription = undefined
    this.server.channels.leave(this)
    this.server.tracking.disable(this)
    this.server.observe()
    this.isSubscribed = false
  }
}
