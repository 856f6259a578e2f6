/**
 * A client of a node of a cluster. A request whose keys lie elsewhere is answered with where; one that reads runs at once
 * while the node has its lease; one that writes runs in a group of the node (`ShardNode.execute`), and its reply waits
 * until the group is in the log. What has arrived behind it goes into the same group as far as that may be: a batch. So
 * each client has one batch under way at most.
 *
 * While a shard has no leader its requests are held, not refused: `execute` and `read` of the node wait for one.
 *
 * Invariants
 *  A3  No reply to a change leaves before its group is in the log and committed here.
 *  A4  No reply to a read of the leader leaves unless its lease was valid after the read, or a group had it.
 *  A5  A batch may run several times (its group was superseded); what counts is the last run: replies and announcements
 *      are those of it, and the connection is before each run as it was before the first.
 */

import type { ReadLevel } from '../../cluster/node-types.ts'
import { NotLeaderError, XenonError } from '../../errors.ts'
import { performance, setTimeout } from '../../runtime/timers.ts'
import type { Command } from '../commands/command.ts'
import { CommandError, replyFor } from '../commands/errors.ts'
import { findCommand } from '../commands/index.ts'
import { redirection, slotOfKeys, slotOfQueue } from '../commands/routing.ts'
import { type Arguments, argumentBytes, keep } from '../protocol/request.ts'
import type { Announcement } from '../service/announcements.ts'
import type { Cluster } from '../service/cluster.ts'
import { mayWrite, problemOf } from './admission.ts'
import type { CommitWith } from './interactive.ts'
import { holdersIn } from './lock-conflict.ts'
import type { QueuedCalls } from './queued-calls.ts'
import { Session, type SessionOwner } from './session.ts'

/** What a group of its own is begun for. */
const MOST_CALLS = 1000
const MOST_BYTES = 262_144
/** A request waits for a leader so long. */
const HOLD_MS = 5000
/** How often it is looked whether a transaction has ended that was in the way. */
const RETRY_MS = 10

const NO_REPLIES = Buffer.alloc(0)

/** How a command is run: at once, on what is committed, or in a group. */
type Kind = 'now' | 'read' | 'write'

interface Call {
  readonly command: Command
  readonly request: Arguments
}

class Batch {
  kind: Kind
  /** Which slots are served here is as it was when the calls were let in, if it has this number. */
  slotsVersion = -1
  readonly calls: Call[] = []
  private bytes = 0
  /** What EXEC runs, of a batch that is EXEC alone. */
  readonly queue: QueuedCalls | undefined
  /** EXEC stands for nothing if something has changed that was watched; after its first run nobody knows. */
  readonly watches: boolean
  runs = 0
  /** What its last run has answered, and announced. */
  replies: Buffer = NO_REPLIES
  announced: Announcement[] = []
  /** Calls that the last run has answered; the next one has met a lock, if `holders` is there. */
  done = 0
  holders: readonly number[] | undefined
  /** The next one is for a slot that is not served here at the moment, or not any more. */
  isElsewhere = false
  /** It waits for a leader no longer than that. */
  heldUntil: number | undefined
  /** What LOCKTIMEOUT has said of it. */
  lockTimeout: number | undefined
  /** When the wait for locks ends. */
  deadline: number | undefined

  constructor(kind: Kind, queue: QueuedCalls | undefined, watches: boolean) {
    this.kind = kind
    this.queue = queue
    this.watches = watches
  }

  add(kind: Kind, command: Command, request: Arguments): void {
    if (kind === 'write') this.kind = 'write'
    this.calls.push({ command, request: keep(request) })
    this.bytes += argumentBytes(request)
  }

  get isFull(): boolean {
    return this.queue !== undefined || this.calls.length >= MOST_CALLS || this.bytes >= MOST_BYTES
  }
}

export interface ClusterOwner extends SessionOwner {
  readonly cluster: Cluster
}

export class ClusterSession extends Session {
  private readonly cluster: Cluster
  /** What has arrived and is to run together. */
  private batch: Batch | undefined
  /** A request that comes behind the batch, and is none of it. */
  private deferred: Arguments | undefined
  /** The batch that runs now. */
  private running: Batch | undefined
  /** `slotsVersion` of the cluster when the transaction began, and at the first WATCH. */
  private begunWith = 0
  private watchedWith = 0

  constructor(...[id, server, socket]: ConstructorParameters<typeof Session>) {
    super(id, server, socket)
    this.cluster = (server as ClusterOwner).cluster
  }

  protected override execute(request: Arguments): void {
    const { batch } = this
    if (batch === undefined) super.execute(request)
    else if (!this.joins(batch, request)) {
      this.deferred = keep(request)
      this.submit(batch)
    }
  }

  protected override collected(): void {
    // What breaks the protocol is answered, and nothing before it is done.
    if (this.closing) this.batch = undefined
    if (this.batch !== undefined) this.submit(this.batch)
  }

  /** Adds a request to the batch that came before it, if it may stand in it. */
  private joins(batch: Batch, request: Arguments): boolean {
    const command = findCommand(request)
    if (batch.isFull || command === undefined || command.name === 'exec' || this.queue !== undefined) return false
    if (problemOf(command, request) !== undefined || this.isSubscribed || this.server.pause.kind !== undefined)
      return false
    const kind = this.kindOf(command, request)
    if (kind === 'now' || this.refusalOf(command, request) !== undefined) return false
    this.server.counts.commands++
    batch.add(kind, command, request)
    return true
  }

  protected override admit(command: Command, problem: string | undefined, request: Arguments): void {
    const refusal = problem === undefined && this.authenticated ? this.refusalOf(command, request) : undefined
    if (refusal === undefined) super.admit(command, problem, request)
    else {
      this.lastCommand = command.name
      if (command.name === 'exec') this.discardQueue()
      this.reject(refusal)
    }
  }

  /** Why it is not for this node. */
  private refusalOf(command: Command, request: Arguments): string | undefined {
    const { cluster, queue } = this
    const isExec = command.name === 'exec' && queue !== undefined
    if (isExec && queue.failed) return undefined
    const slot = isExec ? slotOfQueue(queue.calls) : slotOfKeys(command, request)
    const writes = this.writes(command, request)
    if (slot !== undefined) {
      const refusal = redirection(cluster, slot, this.readsFollowers && !writes)
      if (refusal !== undefined || slot === 'cross') return refusal
      // It cannot be waited for: its locks would be in the way.
      return this.inTransaction && cluster.isHeld(slot) ? ON_ITS_WAY : undefined
    }
    const isElsewhere = writes && !command.name.startsWith('eval') && !cluster.isLeader && cluster.isFollowing
    return isElsewhere ? "READONLY You can't write against a read only replica." : undefined
  }

  private writes(command: Command, request: Arguments): boolean {
    if (TELLING.has(command.name)) return false
    return mayWrite(command, request, this.queue, this.server.scripts)
  }

  private kindOf(command: Command, request: Arguments): Kind {
    const { cluster } = this
    if (this.writes(command, request)) {
      // A script without keys runs where it is sent, and is refused there what it may not do.
      return !cluster.isLeader && cluster.isFollowing ? 'now' : 'write'
    }
    const isExec = command.name === 'exec'
    const calls = isExec ? (this.queue?.calls ?? []) : [{ command, request }]
    if (!calls.some(readsRecords)) return 'now'
    if (cluster.isLeader) return 'read'
    const hasKeys = isExec || slotOfKeys(command, request) !== undefined
    if (!hasKeys) return 'now'
    return this.readsFollowers && this.maxLag === undefined && cluster.isFollowing ? 'now' : 'read'
  }

  protected override call(command: Command, request: Arguments): void {
    const kind = this.running !== undefined ? 'now' : this.kindOf(command, request)
    if (command.name === 'watch' && this.watched.size === 0) this.watchedWith = this.cluster.slotsVersion
    if (kind === 'now') super.call(command, request)
    else if (kind === 'write' || command.name === 'exec' || !this.readUnderLease(command, request))
      this.start(kind, command, request)
  }

  /** False: there is no lease, or none any more (A4), and nothing was answered. */
  private readUnderLease(command: Command, request: Arguments): boolean {
    const { cluster, out } = this
    if (!cluster.hasLease || (cluster.holdsSlots && !this.mayRun(command, request, undefined))) return false
    const before = out.length
    super.call(command, request)
    if (cluster.hasLease) return true
    out.truncate(before)
    return false
  }

  private start(kind: Kind, command: Command, request: Arguments): void {
    const isExec = command.name === 'exec'
    const watches = isExec && this.watched.size > 0
    // A key may have been elsewhere meanwhile, and been changed there.
    if (watches && this.watchedWith !== this.cluster.slotsVersion) this.dirty = true
    const batch = new Batch(kind, isExec ? this.queue : undefined, watches)
    if (!this.cluster.holdsSlots) batch.slotsVersion = this.cluster.slotsVersion
    batch.add(kind, command, request)
    batch.lockTimeout = this.lockTimeout
    this.lockTimeout = undefined
    this.batch = batch
    // What CLIENT REPLY holds back is one reply.
    if (this.isSilent) this.submit(batch)
  }

  private submit(batch: Batch): void {
    this.batch = undefined
    this.later(() => this.settle(batch))
  }

  private async settle(batch: Batch): Promise<void> {
    batch.heldUntil ??= performance.now() + HOLD_MS
    try {
      await this.runWhereItMay(batch)
    } catch (error) {
      if (batch.calls.length > 1 && error instanceof XenonError && error.code === 'XENON_VALUE_TOO_LARGE') {
        for (const call of batch.calls) await this.settle(alone(batch, call))
        return
      }
      if (error instanceof NotLeaderError && (await this.mayTryAgain(batch))) await this.settle(batch)
      else this.fail(batch, error)
      return
    }
    // A3: the promise of the node was that.
    if (!this.isSilent) this.reply(batch.replies)
    for (const announcement of batch.announced) this.server.announcements.make(announcement)
    if (batch.done === batch.calls.length) return
    const rest = alone(batch, ...batch.calls.slice(batch.done))
    if (batch.isElsewhere) {
      rest.heldUntil = batch.heldUntil
      await this.settleHeld(rest)
      return
    }
    if (batch.holders !== undefined) {
      rest.deadline = batch.deadline
      await this.untilFree(batch)
    }
    await this.settle(rest)
  }

  /** Its first call is for a slot that is on its way to another shard: it waits until it is here again, or there. */
  private async settleHeld(batch: Batch): Promise<void> {
    const { cluster } = this
    const [first, ...others] = batch.calls
    const { command, request } = first!
    const isHeld = (): boolean => {
      if (batch.queue !== undefined) this.queue = batch.queue
      return this.refusalOf(command, request) === undefined && !this.mayRun(command, request, batch.queue)
    }
    while (!this.closed && performance.now() < batch.heldUntil! && isHeld()) await cluster.change(RETRY_MS * 5)
    if (this.closed) return
    if (!isHeld() && this.refusalOf(command, request) === undefined) {
      batch.heldUntil = undefined
      await this.settle(batch)
      return
    }
    this.fail(
      alone(batch, first!),
      new NotLeaderError('the slot is on its way to another shard; nothing was executed: try again'),
    )
    if (others.length > 0) await this.settle(alone(batch, ...others))
  }

  /** Whether what a call is about is served here, so that it may run in this turn. */
  private mayRun(command: Command, request: Arguments, queue: QueuedCalls | undefined): boolean {
    const { cluster } = this
    const slot = queue === undefined ? slotOfKeys(command, request) : slotOfQueue(queue.calls)
    if (slot === 'cross') return true
    if (slot === undefined) return !cluster.isHeld(undefined) || !this.writes(command, request)
    return cluster.shardOf(slot) === cluster.shard && cluster.hasSlot(slot) && !cluster.isHeld(slot)
  }

  /** Nobody can be named who leads: it is held for a while. So it is by a leader that does not reach the log. */
  private async mayTryAgain(batch: Batch): Promise<boolean> {
    const { cluster } = this
    if (this.closed || performance.now() >= batch.heldUntil!) return false
    if (cluster.isLeader) return true
    if (cluster.isFollowing) return false
    await cluster.change(RETRY_MS * 5)
    return true
  }

  /** A transaction that was in the way of a batch has ended, or the wait for it. */
  private async untilFree({ holders = [], deadline = 0 }: Batch): Promise<void> {
    const { records } = this.server.keys
    while (!this.closed && Date.now() < deadline && records.areOpen(holders))
      await new Promise<void>(resolve => setTimeout(resolve, RETRY_MS))
  }

  /** It holds nothing itself; the rest of the batch comes behind it. */
  protected override waitForLock(
    command: Command,
    request: Arguments,
    lockTimeout: number | undefined,
    error: unknown,
  ): void {
    const { running } = this
    if (running === undefined) super.waitForLock(command, request, lockTimeout, error)
    else {
      running.deadline ??= Date.now() + (lockTimeout ?? this.server.settings.lockTimeout)
      if (Date.now() < running.deadline) running.holders = holdersIn(error)
      else {
        if (command.name === 'exec') this.discardQueue()
        this.replyFailure(error, command)
      }
    }
  }

  private runWhereItMay(batch: Batch): Promise<void> {
    const { cluster } = this
    const work = (): void => this.runCalls(batch)
    if (batch.kind === 'write') return cluster.node.execute(work)
    return cluster.node.read(this.level, work)
  }

  private get level(): ReadLevel {
    const { maxLag } = this
    if (!this.readsFollowers || this.cluster.isLeader) return 'leader'
    return maxLag === undefined ? 'stale' : { maxLagMs: maxLag }
  }

  /** Runs the calls, as far as their replies have room. */
  private runCalls(batch: Batch): void {
    const { server } = this
    const { activity, announcements, settings } = server
    // A5
    if (batch.queue !== undefined) this.queue = batch.queue
    if (batch.runs++ > 0 && batch.watches) this.dirty = true
    batch.announced = []
    batch.done = 0
    batch.holders = undefined
    batch.isElsewhere = false
    const isAsBefore = batch.slotsVersion === this.cluster.slotsVersion
    this.lockTimeout = batch.lockTimeout
    this.running = batch
    try {
      activity.begin(performance.now())
      batch.replies = announcements.collect(batch.announced, () =>
        this.capture(out => {
          for (const { command, request } of batch.calls) {
            if (out.length >= settings.pauseOutputBytes) break
            batch.isElsewhere = !isAsBefore && !this.mayRun(command, request, batch.queue)
            if (batch.isElsewhere) break
            out.limitNext(settings.maxOutputBytes)
            this.lastCommand = command.name
            super.call(command, request)
            if (batch.holders !== undefined) break
            batch.done++
          }
        }),
      )
      activity.endGroup()
    } finally {
      this.running = undefined
      this.lockTimeout = undefined
    }
  }

  /** Nothing of the batch was answered: each call is told why. */
  private fail(batch: Batch, error: unknown): void {
    const { queue } = batch
    if (queue !== undefined) this.queue = queue
    this.answer(out => {
      for (const { command, request } of batch.calls)
        out.error(
          (error instanceof NotLeaderError ? this.refusalOf(command, request) : undefined) ?? this.textOf(error),
        )
    })
    if (queue !== undefined) this.discardQueue()
  }

  private textOf(error: unknown): string {
    if (!(error instanceof XenonError)) {
      this.server.log.error('internal error', { error: (error as Error).stack ?? String(error) })
      return replyFor(error)
    }
    const { code, message } = error
    if (code === 'XENON_OUTCOME_UNKNOWN') return `OUTCOMEUNKNOWN ${message}`
    if (code === 'XENON_FULL') return `LOGFULL ${message}`
    if (code === 'XENON_NOT_LEADER' || code === 'XENON_HALTED' || code === 'XENON_CLOSED' || code === 'XENON_NOT_READY')
      return `CLUSTERDOWN ${message}`
    return replyFor(error)
  }

  override ready(): void {
    if (this.batch !== undefined && !this.closed) {
      this.submit(this.batch)
      return
    }
    const { deferred } = this
    this.deferred = undefined
    if (deferred === undefined || this.closed) {
      super.ready()
      return
    }
    this.endSilence()
    this.tell(() => {
      this.busy = false
      this.execute(deferred)
    })
    if (!this.busy) this.ready()
  }

  protected override admitting<T>(begin: () => T): T {
    this.begunWith = this.cluster.slotsVersion
    return this.cluster.admitting(begin)
  }

  protected override get commitWith(): CommitWith {
    const { cluster, begunWith } = this
    // What it has read or changed may be another shard's by now.
    const guard = (): void => {
      if (cluster.slotsVersion !== begunWith || cluster.holdsSlots) throw new CommandError(`ABORTED ${MOVED_MEANWHILE}`)
    }
    return transaction => cluster.node.commit(transaction, { guard })
  }

  protected override release(): void {
    this.batch = undefined
    this.deferred = undefined
    super.release()
  }
}

const ON_ITS_WAY = 'TRYAGAIN the slot is on its way to another shard'
const MOVED_MEANWHILE = 'slots were moved from or to this shard meanwhile; begin again'

/** `mayWrite` counts them in, but they change no record. */
const TELLING: ReadonlySet<string> = new Set(['publish', 'spublish', 'commit'])

const alone = (batch: Batch, ...calls: readonly Call[]): Batch => {
  const single = new Batch(batch.kind, batch.queue, batch.watches)
  for (const { command, request } of calls) single.add(batch.kind, command, request)
  return single
}

/** What it answers depends on records. */
const readsRecords = ({ command }: Call): boolean =>
  command.flags.includes('readonly') ||
  command.name === 'watch' ||
  command.within.some(([, { keys }]) => keys.length > 0)
