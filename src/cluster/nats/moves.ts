/** What shards ask one another about moves of slots, as requests on a subject of each shard. */
import { setTimeout } from '../../runtime/timers.ts'
import type { MoveChannel } from '../moves/move-channel.ts'
import { type NatsLink, plain } from './connection.ts'
import { movesSubject } from './names.ts'

/** Of `max_payload`, for what NATS adds. */
const HEADER_BYTES = 512
/** A shard that nobody listens for is asked again after this, in milliseconds. */
const RETRY_MS = 100

export class NatsMoves implements MoveChannel {
  readonly #link: NatsLink
  readonly #cluster: string

  constructor(link: NatsLink, cluster: string) {
    this.#link = link
    this.#cluster = cluster
  }

  get answerBytes(): number {
    return (this.#link.connection.info?.max_payload ?? 1024 ** 2) - HEADER_BYTES
  }

  async ask(shard: number, question: Uint8Array, ms: number): Promise<Uint8Array | undefined> {
    const { connection } = this.#link
    const until = Date.now() + ms
    while (!connection.isClosed() && Date.now() < until)
      try {
        const timeout = Math.max(1, until - Date.now())
        return plain((await connection.request(movesSubject(this.#cluster, shard), question, { timeout })).data)
      } catch {
        // Nobody listens, or the leader has not answered in time.
        await new Promise<void>(resolve => setTimeout(resolve, Math.max(1, Math.min(RETRY_MS, until - Date.now()))))
      }
    return undefined
  }

  answer(shard: number, answer: (question: Uint8Array) => Promise<Uint8Array | undefined>): () => void {
    const questions = this.#link.connection.subscribe(movesSubject(this.#cluster, shard), {
      callback: (error, message) => {
        if (error !== null || message.reply === undefined) return
        void answer(plain(message.data)).then(
          reply => reply !== undefined && !this.#link.connection.isClosed() && message.respond(reply),
          () => {},
        )
      },
    })
    return () => questions.unsubscribe()
  }
}
