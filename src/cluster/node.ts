/**
 * A node: member of a shard, which follows its log or leads it.
 *
 * START → CHECK → RESTORE → FOLLOW ⇄ CANDIDATE → LEAD          any → SUSPECT → HALTED (an operator alone leaves it)
 *
 * Each state is a file in `states/`. This one holds what they share, and is what callers see.
 *
 *  X11  Nobody writes to the database but the group loop and `apply`.
 */
import { InvalidArgumentError, NotLeaderError, XenonError } from '../errors.ts'
import { requireSyncFunction } from '../runtime/callbacks.ts'
import { Appender } from './appender.ts'
import { Applier } from './applier.ts'
import { type Clock, systemClock } from './clock.ts'
import { Commands, type RecordKind, type Task } from './commands.ts'
import type { GroupStore } from './group-store.ts'
import { GroupTime } from './group-time.ts'
import { Lease } from './lease.ts'
import { decodeMark, type Mark } from './mark.ts'
import { ID_BYTES, type MessageKind } from './message.ts'
import type {
  CommitOptions,
  ExecuteOptions,
  Leader,
  NodeCounts,
  NodeEvent,
  NodeOptions,
  NodeStatus,
  ReadLevel,
  ShardNode,
} from './node-types.ts'
import type { NodeStateName, PeerReport, Peers } from './peers.ts'
import type { Settings } from './replica.ts'
import type { SharedLog } from './shared-log.ts'
import { Snapshots } from './snapshots.ts'
import { Candidate } from './states/candidate.ts'
import { Check } from './states/check.ts'
import { Follow } from './states/follow.ts'
import { Halted, haltedError } from './states/halted.ts'
import { Lead } from './states/lead.ts'
import { Restore } from './states/restore.ts'
import type { Context, State } from './states/state.ts'
import { Suspect } from './states/suspect.ts'
import { Suspicion } from './suspicion.ts'
import { WaitingReads } from './waiting-reads.ts'

const STATES = {
  check: Check,
  restore: Restore,
  follow: Follow,
  candidate: Candidate,
  lead: Lead,
  suspect: Suspect,
  halted: Halted,
}

const NOTHING: ExecuteOptions = {}

/** Peers that answer later than that are not heard. */
const PEERS_MS = 300
/** Messages by which the next leader may be behind. */
const HANDOVER_LAG = 100

export class ClusterNode implements ShardNode, Context {
  readonly settings: Settings
  readonly log: SharedLog
  readonly store: GroupStore
  readonly peers: Peers
  readonly clock: Clock
  readonly time: GroupTime
  readonly lease: Lease
  readonly appender: Appender
  readonly applier: Applier
  readonly suspicion: Suspicion
  readonly commands: Commands
  readonly reads: WaitingReads
  readonly counts: NodeCounts = {
    groups: 0,
    commands: 0,
    appends: 0,
    attempts: 0,
    appendMs: 0,
    applied: 0,
    superseded: 0,
    heartbeats: 0,
    full: 0,
  }
  mark: Mark
  leader: Leader | undefined
  readonly #options: NodeOptions
  #current: State | undefined
  #state: NodeStateName = 'start'
  #reason = ''
  readonly #snapshots: Snapshots
  /** The epoch whose leader's address the other nodes are asked for. */
  #asked: number | undefined
  /** Settles `start()`. */
  #started: { resolve(): void; reject(error: unknown): void } | undefined
  readonly #onStop: (() => void)[] = []

  /** @throws XenonError `XENON_NOT_SUPPORTED` if the database has followed another log */
  constructor(options: NodeOptions) {
    const { log, store, clock = systemClock, silenceMs = 2_000 } = options
    this.#options = options
    if (!Number.isInteger(options.node) || options.node < 1 || options.node >= 2 ** 32)
      throw new InvalidArgumentError(`the number of a node is a whole one from 1 to 4294967295, not ${options.node}`)
    this.settings = {
      node: options.node,
      shard: options.shard,
      address: options.address,
      silenceMs,
      heartbeatMs: silenceMs / 4,
      rank: options.rank ?? 0,
      holdMs: options.holdMs ?? 5_000,
      groupBytes: options.groupBytes ?? 512 * 1024,
      newId: options.newId ?? randomId,
    }
    this.log = log
    this.store = store
    this.peers = options.peers
    this.clock = clock
    this.mark = decodeMark(store.mark, log.name)
    this.time = new GroupTime(clock)
    this.time.raise(this.mark.time)
    store.setTime(() => this.time.now())
    this.lease = new Lease(clock, silenceMs)
    this.suspicion = new Suspicion(clock, what => this.go('halted', what))
    this.appender = new Appender(log, clock, silenceMs / 2, this.suspicion)
    this.applier = new Applier(this)
    this.commands = new Commands(clock, options.queueLength ?? 65_536)
    this.reads = new WaitingReads(clock)
    this.#snapshots = new Snapshots(this, options.snapshots || {})
  }

  get state(): NodeStateName {
    return this.#state
  }

  start(): Promise<void> {
    if (this.#state !== 'start') throw new InvalidArgumentError('a node is started once')
    // X5: whoever led while this node was down may do so still.
    this.applier.heard()
    this.#onStop.push(this.peers.answer(() => this.#report()))
    this.#onStop.push(
      this.log.onConnection(isConnected => {
        // Whatever was sent meanwhile comes now, or another node was heard: D begins anew.
        this.applier.heard()
        this.emit({ kind: 'connection', isConnected })
      }),
    )
    if (this.#options.snapshots !== false) this.#snapshots.start()
    return new Promise((resolve, reject) => {
      this.#started = { resolve, reject }
      this.go('check', 'started')
    })
  }

  go(to: NodeStateName, reason: string): void {
    if (this.#state === 'stopped' || this.#state === 'halted') return
    const from = this.#state
    this.#current?.leave()
    this.#state = to
    this.#reason = reason
    const State = STATES[to as keyof typeof STATES]
    this.#current = new State(this, reason)
    this.emit({ kind: 'state', from, to, reason })
    if (to === 'halted') this.#started?.reject(haltedError(reason))
    else if (to === 'follow') this.#started?.resolve()
    this.#current.begin()
  }

  setMark(mark: Mark): void {
    this.mark = mark
    this.time.raise(mark.time)
    this.applier.heard()
  }

  setLeader(leader: Leader | undefined): void {
    const { leader: before } = this
    this.leader = leader
    if (leader?.epoch === before?.epoch && leader?.node === before?.node) return
    this.emit({ kind: 'leader', leader })
    // Those that were held go where they can be executed.
    if (leader !== undefined && leader.node !== this.settings.node) this.commands.rejectWaiting(() => this.#notLeader())
  }

  learnLeader(node: number, epoch: number): void {
    if (this.leader?.node === node && this.leader.epoch === epoch) return
    if (this.#asked === epoch) return
    this.#asked = epoch
    void this.peers.ask(PEERS_MS).then(reports => {
      this.#asked = undefined
      const address = reports.find(report => report.node === node)?.address
      if (address !== undefined && this.mark.epoch === epoch && this.#state !== 'lead')
        this.setLeader({ node, address, epoch })
    })
  }

  emit(event: NodeEvent): void {
    this.#options.onEvent?.(event)
  }

  onRecord(record: RecordKind, mark: Mark): void {
    this.#options.onRecord?.(record, mark)
  }

  status(): NodeStatus {
    const { settings, mark, log, clock, applier } = this
    const leads = this.#state === 'lead'
    return {
      node: settings.node,
      shard: settings.shard,
      address: settings.address,
      log: log.name,
      state: this.#state,
      reason: this.#reason,
      sequence: mark.sequence,
      epoch: mark.epoch,
      lag: leads ? 0 : applier.pending,
      behindMs: leads ? 0 : clock.now() - applier.caughtUpAt,
      leader: this.leader,
      leaseLeft: this.lease.left,
      isConnected: log.isConnected,
      queued: this.commands.length,
      counts: { ...this.counts, attempts: this.appender.attempts },
    }
  }

  #report(): PeerReport {
    const { settings, mark, lease, applier } = this
    const { node, address, shard } = settings
    const state = this.#state
    return {
      node,
      address,
      shard,
      state,
      sequence: mark.sequence,
      epoch: mark.epoch,
      leaseLeft: lease.left,
      lag: applier.pending,
    }
  }

  execute<T>(command: () => T, options: ExecuteOptions = NOTHING): Promise<T> {
    return this.#add('execute', { run: command, record: undefined, transaction: undefined }, options)
  }

  executeRecord<T>(
    kind: MessageKind,
    note: Uint8Array,
    command: () => T,
    options: ExecuteOptions = NOTHING,
  ): Promise<T> {
    return this.#add('executeRecord', { run: command, record: { kind, note }, transaction: undefined }, options)
  }

  commit(transaction: unknown, options: CommitOptions = NOTHING): Promise<void> {
    return this.#add('commit', { run: options.guard ?? (() => {}), record: undefined, transaction }, options)
  }

  #add<T>(who: string, task: Task, options: ExecuteOptions): Promise<T> {
    try {
      requireSyncFunction(who, task.run)
      const refusal = this.#refusal()
      if (refusal !== undefined) throw refusal
    } catch (error) {
      return Promise.reject(error)
    }
    const added = this.commands.add(task, options.holdMs ?? this.settings.holdMs)
    this.#current?.wake()
    return added as Promise<T>
  }

  /** Why this node executes nothing and will not soon. */
  #refusal(): XenonError | undefined {
    if (this.#state === 'stopped') return stoppedError()
    if (this.#state === 'halted') return haltedError(this.#reason)
    const { leader, applier, clock, settings } = this
    const isOther = leader !== undefined && leader.node !== settings.node
    return isOther && clock.now() - applier.lastHeard < settings.silenceMs ? this.#notLeader() : undefined
  }

  #notLeader(): NotLeaderError {
    const { leader } = this
    return leader === undefined || leader.node === this.settings.node
      ? new NotLeaderError('nobody leads this shard at the moment; nothing was executed: try again')
      : new NotLeaderError(`node ${leader.node} at ${leader.address} leads this shard; nothing was executed`, leader)
  }

  mayRead(level: ReadLevel): boolean {
    const { applier, clock, mark } = this
    if (level === 'leader') return this.#state === 'lead' && this.lease.isValid
    if (level === 'stale') return this.#state !== 'restore' && this.#state !== 'stopped'
    if ('after' in level) return mark.sequence >= level.after
    return this.mayRead('leader') || (this.#state !== 'restore' && clock.now() - applier.caughtUpAt <= level.maxLagMs)
  }

  read<T>(level: ReadLevel, work: () => T, { holdMs = this.settings.holdMs }: ExecuteOptions = {}): Promise<T> {
    return new Promise((resolve, reject) => {
      const attempt = (): boolean => {
        const refusal = this.#state === 'stopped' ? stoppedError() : level === 'leader' ? this.#refusal() : undefined
        if (refusal !== undefined) reject(refusal)
        else if (!this.mayRead(level)) return false
        else
          try {
            resolve(work())
          } catch (error) {
            reject(error)
          }
        return true
      }
      if (!attempt())
        this.reads.add(attempt, holdMs, () =>
          reject(
            level === 'leader'
              ? this.#notLeader()
              : new XenonError(
                  'XENON_NOT_READY',
                  `this node is not as new as asked for: message ${this.mark.sequence}`,
                ),
          ),
        )
    })
  }

  async transferTo(node: number): Promise<void> {
    const lead = this.#current
    if (!(lead instanceof Lead)) throw this.#notLeader()
    // As they are asked: by the time of the last answer this node has gone on, and they too.
    const { sequence } = this.mark
    const peer = (await this.peers.ask(PEERS_MS)).find(report => report.node === node)
    const isReady = peer?.state === 'follow' && sequence - peer.sequence <= HANDOVER_LAG
    if (!isReady)
      throw new XenonError(
        'XENON_NOT_READY',
        peer === undefined
          ? `node ${node} does not answer`
          : `node ${node} is in the state ${peer.state} and ${sequence - peer.sequence} messages behind`,
      )
    if (!lead.isActive) throw this.#notLeader()
    await lead.handOver(node)
  }

  raiseTime(time: number): void {
    this.time.raise(time)
  }

  takeSnapshot(): Promise<number> {
    return this.#snapshots.take()
  }

  async stop(): Promise<void> {
    if (this.#state === 'stopped') return
    const from = this.#state
    const left = this.#current
    left?.leave()
    this.#state = 'stopped'
    this.#reason = 'stopped'
    this.#current = undefined
    for (const end of this.#onStop) end()
    this.#snapshots.stop()
    this.applier.close()
    this.appender.giveUp()
    this.lease.drop()
    this.commands.rejectWaiting(stoppedError)
    this.#started?.reject(stoppedError())
    this.reads.poke()
    this.emit({ kind: 'state', from, to: 'stopped', reason: 'stopped' })
    // The open group is rolled back when its append has been given up.
    await left?.finished()
  }
}

const stoppedError = (): XenonError => new XenonError('XENON_CLOSED', 'the node was stopped')

const randomId = (): Uint8Array => globalThis.crypto.getRandomValues(new Uint8Array(ID_BYTES))
