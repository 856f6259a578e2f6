/** Nodes of a shard ask one another by requests on a subject of the shard; JSON, as `PeerReport` has it. */
import type { Msg } from '@nats-io/nats-core'
import { createInbox } from '@nats-io/nats-core'
import { clearTimeout, setTimeout } from '../../runtime/timers.ts'
import type { PeerReport, Peers } from '../peers.ts'
import type { NatsLink } from './connection.ts'

export class NatsPeers implements Peers {
  readonly #link: NatsLink
  readonly #subject: string
  readonly #node: number
  readonly #members: () => readonly number[]

  /**
   * @param node number of this node, whose own answers are left out
   * @param members numbers of the shard's nodes: once all of them have answered, nobody else is waited for
   */
  constructor(link: NatsLink, subject: string, node: number, members: () => readonly number[] = () => []) {
    this.#link = link
    this.#subject = subject
    this.#node = node
    this.#members = members
  }

  async ask(ms: number): Promise<PeerReport[]> {
    const { connection, isConnected } = this.#link
    if (!isConnected || connection.isClosed()) return []
    const found = new Map<number, PeerReport>()
    const others = this.#members().filter(node => node !== this.#node)
    let finish = (): void => {}
    const inbox = createInbox()
    const answers = connection.subscribe(inbox, {
      callback: (error, message) => {
        if (error !== null) return
        const report = reportOf(message)
        if (report === undefined || report.node === this.#node) return
        found.set(report.node, report)
        if (others.length > 0 && others.every(node => found.has(node))) finish()
      },
    })
    connection.publish(this.#subject, '', { reply: inbox })
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, ms)
      finish = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    answers.unsubscribe()
    return [...found.values()]
  }

  answer(report: () => PeerReport): () => void {
    const questions = this.#link.connection.subscribe(this.#subject, {
      callback: (error, message) => {
        if (error === null && message.reply !== undefined) message.respond(JSON.stringify(report()))
      },
    })
    return () => questions.unsubscribe()
  }
}

/** Undefined for what is none: that nobody answers is such a message, too. */
function reportOf(message: Msg): PeerReport | undefined {
  if (message.data.length === 0) return undefined
  try {
    const report = message.json<PeerReport>()
    return typeof report.node === 'number' ? report : undefined
  } catch {
    return undefined
  }
}
