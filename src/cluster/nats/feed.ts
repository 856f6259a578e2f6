/**
 * The messages of a stream from a sequence on, in order and without a gap. A consumer in the memory of one server delivers
 * them; when it falls silent, jumps or is lost with its server, another one takes its place at the next sequence, until the
 * feed is closed. What is delivered twice in doing so is left out here.
 */
import {
  AckPolicy,
  type ConsumerMessages,
  DeliverPolicy,
  type JetStreamClient,
  type JetStreamManager,
  type JsMsg,
} from '@nats-io/jetstream'
import { nanos } from '@nats-io/nats-core'
import { XenonError } from '../../errors.ts'
import { setTimeout } from '../../runtime/timers.ts'
import type { Feed, FeedHandlers, LogMessage } from '../shared-log.ts'
import { type NatsLink, plain } from './connection.ts'

/** Messages that a pull asks for: thousands of large ones would stall. */
const PULL = 200
/** A pull ends after this, in milliseconds, and the next one follows. */
const PULL_MS = 5_000
/** A consumer that is silent for twice this is replaced, in milliseconds. */
const HEARTBEAT_MS = 500
/** Between two attempts to make a consumer, in milliseconds. */
const RETRY_MS = 100
/** A consumer that nobody pulls from is forgotten by its server after this, in milliseconds. */
const INACTIVE_MS = 30_000

export interface FeedSource {
  readonly link: NatsLink
  readonly client: JetStreamClient
  readonly manager: JetStreamManager
  readonly stream: string
}

export class StreamFeed implements Feed {
  readonly #source: FeedSource
  readonly #handlers: FeedHandlers
  /** The sequence that comes next. */
  #next: number
  #isClosed = false
  #messages: ConsumerMessages | undefined
  #stopWaiting: (() => void) | undefined

  constructor(source: FeedSource, from: number, handlers: FeedHandlers) {
    this.#source = source
    this.#handlers = handlers
    this.#next = Math.max(1, from)
    void this.#run()
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#messages?.stop()
    this.#stopWaiting?.()
  }

  async #run(): Promise<void> {
    const forget = this.#source.link.onConnection(() => this.#messages?.stop())
    try {
      while (!this.#isClosed) {
        const opened = await this.#open()
        if (opened) await this.#deliver(opened)
        if (!this.#isClosed) await this.#wait(RETRY_MS)
      }
    } catch (cause) {
      if (this.#isClosed) return
      this.#isClosed = true
      this.#handlers.onEnd(cause)
    } finally {
      forget()
      this.#messages?.stop()
    }
  }

  /** A consumer at the next sequence; undefined when none can be had now. */
  async #open(): Promise<ConsumerMessages | undefined> {
    const { link, client, manager, stream } = this.#source
    if (!link.isConnected) return undefined
    try {
      // An empty stream that was purged beyond the next sequence would deliver nothing that shows it.
      if (await this.#isBehind()) return undefined
      const consumer = await manager.consumers.add(stream, {
        ack_policy: AckPolicy.None,
        deliver_policy: DeliverPolicy.StartSequence,
        opt_start_seq: this.#next,
        inactive_threshold: nanos(INACTIVE_MS),
        mem_storage: true,
        num_replicas: 1,
      })
      this.#messages = await client.consumers.getConsumerFromInfo(consumer).consume({
        max_messages: PULL,
        expires: PULL_MS,
        idle_heartbeat: HEARTBEAT_MS,
        abort_on_missing_resource: true,
        bind: true,
      })
    } catch (error) {
      if (link.connection.isClosed()) throw closed(error)
      return undefined
    }
    if (this.#isClosed) this.#messages.stop()
    else void this.#watch(this.#messages)
    return this.#messages
  }

  /** Stops a consumer that is silent, or no longer there. */
  async #watch(messages: ConsumerMessages): Promise<void> {
    for await (const { type } of messages.status())
      if (
        ['heartbeats_missed', 'consumer_deleted', 'consumer_not_found', 'stream_not_found', 'no_responders'].includes(
          type,
        )
      )
        messages.stop()
  }

  /** Returns when the consumer must be replaced. */
  async #deliver(messages: ConsumerMessages): Promise<void> {
    const iterator = messages[Symbol.asyncIterator]()
    while (!this.#isClosed) {
      let given: IteratorResult<JsMsg>
      try {
        given = await iterator.next()
      } catch (error) {
        if (this.#source.link.connection.isClosed()) throw closed(error)
        return
      }
      if (given.done === true || this.#isClosed) return
      const { seq, data, info } = given.value
      if (seq < this.#next) continue
      // Purged, or lost on the way: the next consumer shows which.
      if (seq > this.#next) {
        messages.stop()
        return
      }
      this.#next = seq + 1
      const message: LogMessage = { sequence: seq, bytes: plain(data), pending: info.pending }
      const work = this.#handlers.onMessage(message)
      if (work !== undefined) await work
    }
  }

  /** Whether the stream begins behind the next sequence; the feed is over then. */
  async #isBehind(): Promise<boolean> {
    const { first_seq: first } = (await this.#source.manager.streams.info(this.#source.stream)).state
    if (first <= this.#next || this.#isClosed) return false
    this.#isClosed = true
    this.#handlers.onGap(first)
    return true
  }

  async #wait(ms: number): Promise<void> {
    await new Promise<void>(resolve => {
      this.#stopWaiting = resolve
      setTimeout(resolve, ms)
    })
  }
}

const closed = (cause: unknown): XenonError =>
  new XenonError('XENON_CLOSED', 'the connection to NATS was closed', { cause })
