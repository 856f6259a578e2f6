/**
 * Applies the log, message by message.
 *
 *  X3  The state of a database is that after groups 1 to its mark: changes and mark are one commit.
 *  X2  No effect is visible, and no success answered, before its message is in the log.
 *
 * It is open while the node follows. What it hears, or does not, decides when the node may take over.
 */
import { XenonError } from '../errors.ts'
import { encodeMark, hashOf, type Mark } from './mark.ts'
import { addressOf, decodeBody, decodeMessage, joinedBody, type MessagePart, nodeOf, sameBytes } from './message.ts'
import type { Replica } from './replica.ts'
import type { Feed, LogMessage } from './shared-log.ts'

/** Between two attempts to apply a message that the database has refused. */
const RETRY_MS = 500
/** A leader's clock that is so far ahead of this node's is told to the operator. */
const CLOCK_AHEAD_MS = 60_000

export class Applier {
  /** When the last message came, or the connection, by `Clock.now()`. */
  lastHeard = 0
  /** When it had all that the log had. */
  caughtUpAt: number = Number.NEGATIVE_INFINITY
  /** Sequence of the last TRANSFER record. */
  handedOverAt = -1
  /** Messages behind the last one that the log was known to have. */
  pending = 0
  readonly #node: Replica
  #feed: Feed | undefined
  /** Parts of a group whose last one has not come. */
  #parts: MessagePart[] = []
  /** Where the next message belongs: behind the mark, or behind the parts. */
  #before: Uint8Array = new Uint8Array(0)

  constructor(node: Replica) {
    this.#node = node
  }

  get isOpen(): boolean {
    return this.#feed !== undefined
  }

  heard(): void {
    this.lastHeard = this.#node.clock.now()
  }

  open(): void {
    if (this.isOpen) return
    this.#parts = []
    this.#before = this.#node.mark.hash
    const feed = this.#node.log.feed(this.#node.mark.sequence + 1, {
      onMessage: message => (this.#feed === feed ? this.#receive(message) : undefined),
      onGap: first => {
        if (this.#feed !== feed) return
        this.close()
        this.#node.go('restore', `the log begins at ${first}, behind message ${this.#node.mark.sequence + 1}`)
      },
      onEnd: cause => {
        if (this.#feed !== feed) return
        this.close()
        this.#node.emit({ kind: 'warning', message: `the feed of the log has ended: ${String(cause)}` })
        this.#node.clock.after(RETRY_MS, () => this.#reopen())
      },
    })
    this.#feed = feed
  }

  close(): void {
    this.#feed?.close()
    this.#feed = undefined
    this.#parts = []
  }

  /** Behind an end of the feed, if the node follows still and nobody has opened another one. */
  #reopen(): void {
    if (this.#node.state === 'follow' || this.#node.state === 'candidate') this.open()
  }

  #receive(message: LogMessage): void | Promise<void> {
    const due = this.#node.mark.sequence + this.#parts.length + 1
    if (message.sequence < due) return
    this.heard()
    const where = `${this.#node.log.name}, message ${message.sequence}`
    let part: MessagePart
    try {
      if (message.sequence > due) throw new XenonError('XENON_PROTOCOL', `${where}: message ${due} was due`)
      part = decodeMessage(message.bytes, where)
      this.#check(part, where)
      this.#parts.push(part)
      this.#before = hashOf(message.bytes)
      if (part.part < part.of) return
      this.pending = message.pending
      return this.#apply(part, message.sequence, where)
    } catch (error) {
      this.close()
      this.#node.go('halted', (error as Error).message)
    }
  }

  /** Only what a leader of this log could have appended here is applied. (X7) */
  #check(part: MessagePart, where: string): void {
    const wrong = (what: string): never => {
      throw new XenonError('XENON_HALTED', `${where}: ${what}`)
    }
    const { mark } = this.#node
    if (!sameBytes(part.before, this.#before)) wrong('it does not follow the message before it: the log is another one')
    if (part.kind === 'epoch' ? part.epoch <= mark.epoch : part.epoch !== mark.epoch)
      wrong(`it is of epoch ${part.epoch}, kind ${part.kind}, where epoch ${mark.epoch} reigns`)
    const first = this.#parts[0]
    if (part.part !== this.#parts.length + 1 || (first !== undefined && !sameBytes(first.id, part.id)))
      wrong(`it is part ${part.part} of ${part.of}, where part ${this.#parts.length + 1} was due`)
  }

  #apply(last: MessagePart, sequence: number, where: string): void | Promise<void> {
    const { node: own } = this.#node.settings
    const body = joinedBody(this.#parts)
    this.#parts = []
    const { changes, note } = decodeBody(last.kind, body, where)
    const { mark } = this.#node
    const next: Mark = {
      sequence,
      epoch: last.epoch,
      time: Math.max(mark.time, last.time),
      hash: this.#before,
    }
    const done = (): void => {
      this.#node.setMark(next)
      this.#node.counts.applied++
      if (this.pending === 0) this.caughtUpAt = this.#node.clock.now()
      if (last.time > this.#node.clock.time() + CLOCK_AHEAD_MS)
        this.#node.emit({
          kind: 'warning',
          message: `the clock of node ${last.node} is ahead of this node's by a minute or more`,
        })
      if (last.kind === 'epoch') this.#node.setLeader({ node: last.node, address: addressOf(note), epoch: last.epoch })
      else if (last.kind === 'transfer') {
        this.handedOverAt = sequence
        this.#node.setLeader(undefined)
        if (nodeOf(note) === own) this.#node.go('candidate', `node ${last.node} has handed over`)
      } else if (last.kind !== 'group' && last.kind !== 'heartbeat')
        this.#node.onRecord({ kind: last.kind, note }, next)
      if (last.kind !== 'epoch' && last.kind !== 'transfer') this.#node.learnLeader(last.node, last.epoch)
      this.#node.reads.poke()
    }
    const attempt = (): boolean => {
      try {
        // X3, X11
        this.#node.store.apply(changes, encodeMark(next, this.#node.log.name))
      } catch (error) {
        this.#node.emit({ kind: 'warning', message: `${where} cannot be applied: ${(error as Error).message}` })
        return false
      }
      done()
      return true
    }
    return attempt() ? undefined : this.#retry(attempt)
  }

  /** The database has refused a message, for want of room for one: again and again, while the feed waits. */
  async #retry(attempt: () => boolean): Promise<void> {
    const feed = this.#feed
    do await new Promise<void>(resolve => void this.#node.clock.after(RETRY_MS, resolve))
    while (this.#feed === feed && !attempt())
  }
}
