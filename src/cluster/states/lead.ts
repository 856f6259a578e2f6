/**
 * LEAD: executes what waits as one group, appends its changes as one message, commits, and answers; then the next group.
 * While a message is on its way, commands gather.
 *
 *  X6  An answer that changes nothing is given under a valid lease; without one, after a message that was confirmed.
 */
import { XenonError } from '../../errors.ts'
import type { AppendResult } from '../appender.ts'
import type { Command, RecordKind } from '../commands.ts'
import { Gathering } from '../gathering.ts'
import type { OpenGroup } from '../group-store.ts'
import { LogRoom } from '../log-room.ts'
import { encodeMark, type Mark } from '../mark.ts'
import { type EncodedMessage, encodeMessage, type MessageKind, nodeNote } from '../message.ts'
import type { NodeStateName } from '../peers.ts'
import { State } from './state.ts'

/** A command that was executed in the open group, and what came of it. */
interface Ran {
  readonly command: Command
  readonly isRefused: boolean
  /** Its result, or what it has thrown. */
  readonly value: unknown
}

interface Handover {
  readonly to: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

const GROUP: RecordKind = { kind: 'group', note: new Uint8Array(0) }
const HEARTBEAT: RecordKind = { kind: 'heartbeat', note: new Uint8Array(0) }

/** What may not take the reserve of the log. */
const FOR_GROUPS: ReadonlySet<MessageKind> = new Set<MessageKind>(['group', 'import-data'])

/** Between two sweeps, and records of one. */
const SWEEP_MS = 1_000
const MOST_SWEPT = 500

/** Commands of a group at most: others wait for the last of them. */
const MOST_COMMANDS = 4096

export class Lead extends State {
  readonly name: NodeStateName = 'lead'
  #isBusy = false
  /** `#begin` is about to be called. */
  #isDue = false
  #working: Promise<void> = Promise.resolve()
  #lastSend = 0
  /** Commands that a group takes at most; less after one that did not fit into a message. */
  #mostCommands = MOST_COMMANDS
  #lastSweep = 0
  #handover: Handover | undefined
  #stopHeartbeat: (() => void) | undefined
  readonly #gathering: Gathering = new Gathering(this.node.clock)
  #stopGathering: (() => void) | undefined
  readonly #room: LogRoom = new LogRoom(this.node.log, this.node.clock)

  begin(): void {
    this.#limitTime()
    this.#lastSweep = this.node.clock.now()
    this.#lastSend = this.node.clock.now()
    void this.#room.ask()
    this.wake()
  }

  /** Hands over when the message that is on its way has its outcome. */
  handOver(to: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#handover = { to, resolve, reject }
      this.wake()
    })
  }

  /** Begins the next group when what has arrived by now is there, or what it waits for. */
  override wake(): void {
    if (this.#isBusy || this.#isDue || !this.isActive) return
    const { clock, commands } = this.node
    const left = this.#handover === undefined && commands.length > 0 ? this.#gathering.left(commands.length) : 0
    if (left > 0) {
      this.#stopGathering ??= this.after(left, () => {
        this.#stopGathering = undefined
        this.wake()
      })
      return
    }
    this.#isDue = true
    clock.soon(() => {
      this.#isDue = false
      if (this.isActive) this.#begin()
    })
  }

  #begin(): void {
    this.#isBusy = true
    this.#stopHeartbeat?.()
    this.#stopGathering?.()
    this.#stopGathering = undefined
    this.#gathering.end(this.node.commands.length)
    this.#working = this.#work().then(
      () => {
        this.#isBusy = false
        this.#rest()
      },
      error => {
        this.#isBusy = false
        if (this.isActive) this.node.go('halted', `a defect: ${(error as Error).message}`)
      },
    )
  }

  /** X10: until the next message what is read is judged by no later time. */
  #limitTime(): void {
    this.node.time.setLimit(this.node.mark.time + this.node.settings.silenceMs)
  }

  protected override end(): void {
    this.node.lease.drop()
    this.node.time.setLimit()
    this.#handover?.reject(new XenonError('XENON_NOT_READY', 'the node does not lead any more'))
  }

  override finished(): Promise<void> {
    return this.#working
  }

  /** Until the next heartbeat, unless something comes. */
  #rest(): void {
    if (!this.isActive) return
    const isIdle = this.node.commands.length === 0 && this.#handover === undefined
    const left = this.#lastSend + this.node.settings.heartbeatMs - this.node.clock.now()
    if (isIdle) this.#stopHeartbeat = this.after(Math.max(1, left), () => this.wake())
    else this.wake()
  }

  /** One message at most. */
  async #work(): Promise<void> {
    // After a pause, or an outage of the log, others may have gone on, and the log may have lost what they have.
    const ahead = this.node.lease.isValid ? undefined : await this.peersAhead()
    if (!this.isActive) return
    if (ahead !== undefined) return this.node.go('follow', ahead)
    if (this.#handover !== undefined) return await this.#transfer(this.#handover)
    if (this.node.commands.length > 0) return await this.#group()
    if (this.node.clock.now() - this.#lastSend >= this.node.settings.heartbeatMs) await this.#group()
  }

  /** What waits, as one group; a heartbeat if nothing is to be changed. */
  async #group(): Promise<void> {
    const { node } = this
    await this.#room.known()
    await node.store.whenFree()
    if (!this.isActive) return
    let group: OpenGroup
    try {
      group = node.store.begin()
    } catch (error) {
      return node.commands.rejectWaiting(() => error)
    }
    node.time.isInGroup = true
    this.#sweep(group)
    const ran = this.#execute(group)
    node.time.isInGroup = false
    const [first] = ran
    // One that has thrown has nothing to say.
    const record = first?.isRefused === true ? undefined : first?.command.record
    if (group.hasChanges || record !== undefined) return await this.#append(record ?? GROUP, group, ran)
    group.rollback()
    // X6
    if (ran.length > 0 && node.lease.isValid && node.time.isWithinLimit) this.#answer(ran)
    else {
      node.counts.heartbeats++
      await this.#append(HEARTBEAT, undefined, ran)
    }
  }

  /** Records that have expired go now and then, some at a time: every node removes them by the message. */
  #sweep(group: OpenGroup): void {
    const now = this.node.clock.now()
    if (now - this.#lastSweep < SWEEP_MS) return
    const swept = group.sweep(MOST_SWEPT)
    // The next group goes on at once where there were more.
    if (swept < MOST_SWEPT) this.#lastSweep = now
  }

  /** Commands until the group is large enough; a record is a group of its own. */
  #execute(group: OpenGroup): Ran[] {
    const { commands, settings, log } = this.node
    const room = Math.min(settings.groupBytes, log.limits.messageBytes / 2)
    const ran: Ran[] = []
    while (ran.length < this.#mostCommands && group.size < room) {
      if (ran.length > 0 && commands.peek()?.record !== undefined) break
      const command = commands.take()
      if (command === undefined) break
      try {
        let value: unknown
        if (command.transaction === undefined) value = group.run(command.run)
        else {
          command.run()
          group.absorb(command.transaction)
        }
        ran.push({ command, isRefused: false, value })
      } catch (error) {
        ran.push({ command, isRefused: true, value: error })
      }
      if (command.record !== undefined) break
    }
    return ran
  }

  /** Appends what the group has changed, and does what follows from the outcome. */
  async #append(record: RecordKind, group: OpenGroup | undefined, ran: Ran[]): Promise<void> {
    const { node } = this
    const id = node.settings.newId()
    node.time.isInGroup = true
    const at = node.time.now()
    node.time.isInGroup = false
    let encoded: EncodedMessage
    try {
      encoded = encodeMessage(
        { kind: record.kind, node: node.settings.node, epoch: node.mark.epoch, id, time: at },
        { changes: group?.changes() ?? [], note: record.note },
        node.mark.hash,
        node.log.limits.messageBytes,
        node.log.limits.batch,
      )
    } catch (error) {
      group?.rollback()
      return this.#tooLarge(ran, error)
    }
    const lack = FOR_GROUPS.has(record.kind) ? this.#room.lackFor(encoded.messages) : undefined
    if (lack !== undefined) {
      group?.rollback()
      this.#full(ran, lack)
      if (node.clock.now() - this.#lastSend < node.settings.heartbeatMs) return
      // Whoever is refused again and again must not take the lease with him.
      node.counts.heartbeats++
      return await this.#append(HEARTBEAT, undefined, [])
    }
    node.commands.opened(ran.map(({ command }) => command))
    this.#lastSend = node.clock.now()
    const result = await node.appender.append(encoded.messages, id, node.mark.sequence)
    node.counts.appends++
    node.counts.appendMs += node.clock.now() - result.firstSend
    if (result.outcome.kind === 'stored') this.#stored(encoded, at, record, group, ran, result)
    else this.#notStored(group, ran, result)
  }

  #stored(
    { messages, hash }: EncodedMessage,
    at: number,
    record: RecordKind,
    group: OpenGroup | undefined,
    ran: Ran[],
    { outcome, firstSend }: AppendResult,
  ): void {
    const { node } = this
    if (outcome.kind !== 'stored') return
    const mark: Mark = { ...node.mark, sequence: outcome.sequence, time: Math.max(node.mark.time, at), hash }
    try {
      // X2, X3
      if (group === undefined) node.store.apply([], encodeMark(mark, node.log.name))
      else group.commit(encodeMark(mark, node.log.name))
    } catch (error) {
      this.#notCommitted(group, ran, error)
      return
    }
    this.#room.noteAppended(messages)
    node.setMark(mark)
    this.#limitTime()
    if (record.kind !== 'transfer') node.lease.confirm(firstSend)
    this.#mostCommands = MOST_COMMANDS
    if (group !== undefined) {
      node.counts.groups++
      node.counts.commands += ran.length
      const bytes = messages.reduce((sum, message) => sum + message.length, 0)
      node.emit({ kind: 'group', commands: ran.length, bytes, appendMs: node.clock.now() - firstSend })
    }
    if (record.kind !== 'group' && record.kind !== 'heartbeat' && record.kind !== 'transfer')
      node.onRecord(record, mark)
    this.#gathering.begin(ran.length, node.commands.length, node.clock.now() - firstSend)
    this.#answer(ran)
    node.reads.poke()
  }

  /** The log has the group and this database does not: the node follows, and applies it from the log. */
  #notCommitted(group: OpenGroup | undefined, ran: Ran[], error: unknown): void {
    const { node } = this
    try {
      group?.rollback()
    } catch {
      // The database has said already that it can do no more.
    }
    const message = `a group is in the log, and the database could not commit it: ${(error as Error).message}`
    for (const { command } of ran) node.commands.reject(command, new XenonError('XENON_OUTCOME_UNKNOWN', message))
    node.go('follow', message)
  }

  #notStored(group: OpenGroup | undefined, ran: Ran[], { outcome }: AppendResult): void {
    const { node } = this
    // X4: what is rolled back here is not in the log, or comes back from it.
    group?.rollback()
    const all = ran.map(({ command }) => command)
    if (outcome.kind === 'superseded') {
      node.counts.superseded++
      node.commands.putBack(all)
      node.go('follow', 'another node has appended in this one’s place')
    } else if (outcome.kind === 'refused' && outcome.reason === 'too large')
      this.#tooLarge(ran, new XenonError('XENON_VALUE_TOO_LARGE', outcome.message))
    else if (outcome.kind === 'refused') {
      void this.#room.ask()
      this.#full(ran, outcome.message)
    } else {
      for (const command of all)
        node.commands.reject(
          command,
          new XenonError(
            'XENON_OUTCOME_UNKNOWN',
            'the command was executed, and this node cannot tell whether the log has it: read to see',
          ),
        )
      if (outcome.kind === 'passed') node.go('follow', 'the log went on without this node')
    }
  }

  #full(ran: readonly Ran[], message: string): void {
    const { counts, commands } = this.node
    counts.full += ran.length
    for (const { command } of ran) commands.reject(command, new XenonError('XENON_FULL', message))
  }

  /** One command alone is refused; of several each half is tried. */
  #tooLarge(ran: Ran[], error: unknown): void {
    const { commands } = this.node
    if (ran.length <= 1) {
      for (const { command } of ran) commands.reject(command, error)
      this.#mostCommands = MOST_COMMANDS
    } else {
      this.#mostCommands = ran.length >> 1
      commands.putBack(ran.map(({ command }) => command))
    }
  }

  #answer(ran: readonly Ran[]): void {
    for (const { command, isRefused, value } of ran)
      if (isRefused) this.node.commands.reject(command, value)
      else this.node.commands.resolve(command, value)
  }

  /** From the first attempt on this node answers nothing as the leader: the next one need not wait for its lease. */
  async #transfer({ to, resolve, reject }: Handover): Promise<void> {
    const { node } = this
    node.lease.drop()
    const { sequence } = node.mark
    await this.#append({ kind: 'transfer', note: nodeNote(to) }, undefined, [])
    if (!this.isActive) return
    this.#handover = undefined
    if (node.mark.sequence === sequence)
      return reject(new XenonError('XENON_NOT_READY', 'the log has not taken the record: this node leads on'))
    resolve()
    node.setLeader(undefined)
    node.go('follow', `handed over to node ${to}`)
  }
}
