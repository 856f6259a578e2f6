/** The log of a shard on a stream of JetStream. Which stream that is, and of what kind, stands in `stream.ts`. */
import {
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  type StreamInfo,
} from '@nats-io/jetstream'
import { XenonError } from '../../errors.ts'
import type { LogPlace } from '../services.ts'
import type {
  AppendOutcome,
  Feed,
  FeedHandlers,
  LogBounds,
  LogCheck,
  LogInfo,
  LogLimits,
  SharedLog,
  SnapshotStore,
} from '../shared-log.ts'
import { append } from './append.ts'
import { type NatsLink, plain } from './connection.ts'
import { StreamFeed } from './feed.ts'
import { logName, logSubject } from './names.ts'
import { judgeServers, type NatsServer } from './servers.ts'
import { batchOf, problemsOf, streamInfo } from './stream.ts'

/** Bytes of a message's headers at most (expected stream and sequence, batch), which count towards `max_payload`. */
const HEADER_BYTES = 512
/** Milliseconds after which the outcome of an append is unknown. */
const APPEND_MS = 1_500
/**
 * A server that leads has heard from the others each second. A follower that has answered it in this time (milliseconds)
 * has not begun an election: it waits for at least 4 s before it does.
 */
const CURRENT_MS = 3_000

export interface LogParts {
  readonly link: NatsLink
  readonly manager: JetStreamManager
  readonly snapshots: (replicas: number) => SnapshotStore
  /** Asks all servers; the warnings of doing so are added to `warnings`. Undefined: nobody could be asked. */
  readonly servers: (warnings: string[]) => Promise<readonly NatsServer[] | undefined>
}

export class StreamLog implements SharedLog {
  readonly name: string
  readonly limits: LogLimits
  readonly snapshots: SnapshotStore
  readonly #place: LogPlace
  readonly #parts: LogParts
  readonly #client: JetStreamClient
  readonly #feeds = new Set<Feed>()

  private constructor(place: LogPlace, parts: LogParts, info: StreamInfo) {
    this.#place = place
    this.#parts = parts
    this.name = logName(place)
    this.snapshots = parts.snapshots(info.config.num_replicas)
    this.#client = jetstream(parts.link.connection)
    const payload = parts.link.connection.info?.max_payload ?? 1024 ** 2
    this.limits = { messageBytes: payload - HEADER_BYTES, batch: batchOf(info) }
  }

  /** @throws XenonError `XENON_NOT_FOUND` if there is no such stream, `XENON_CONNECTION` if nobody says */
  static async open(place: LogPlace, parts: LogParts): Promise<StreamLog> {
    const name = logName(place)
    const info = await parts.link.ask(`stream ${name}`, () => streamInfo(parts.manager, name))
    if (info === undefined)
      throw new XenonError(
        'XENON_NOT_FOUND',
        `NATS has no stream ${name}: create the cluster first (xenondb cluster create ${place.cluster})`,
      )
    return new StreamLog(place, parts, info)
  }

  get isConnected(): boolean {
    return this.#parts.link.isConnected
  }

  onConnection(listener: (isConnected: boolean) => void): () => void {
    return this.#parts.link.onConnection(listener)
  }

  append(messages: readonly Uint8Array[], expectedLast: number): Promise<AppendOutcome> {
    const target = { stream: this.name, subject: logSubject(this.#place), limits: this.limits, timeout: APPEND_MS }
    return append(this.#parts.link, target, messages, expectedLast)
  }

  read(sequence: number): Promise<Uint8Array | undefined> {
    return this.#parts.link.ask(`message ${sequence} of ${this.name}`, async () => {
      // Sequences count from 1; NATS takes 0 for a wrong question.
      if (sequence < 1) return undefined
      const found = await this.#parts.manager.streams.getMessage(this.name, { seq: sequence })
      return found === null ? undefined : plain(found.data)
    })
  }

  bounds(): Promise<LogBounds> {
    return this.#parts.link.ask(`the ends of ${this.name}`, async () => {
      const info = await this.#info()
      if (!hasCurrentMajority(info))
        throw new XenonError(
          'XENON_CONNECTION',
          `${this.name} has no leader that has heard from a majority in the last ${CURRENT_MS / 1000} s`,
        )
      return { first: firstOf(info), last: info.state.last_seq }
    })
  }

  feed(from: number, handlers: FeedHandlers): Feed {
    const { link, manager } = this.#parts
    const feed = new StreamFeed({ link, manager, client: this.#client, stream: this.name }, from, handlers)
    this.#feeds.add(feed)
    return {
      close: () => {
        this.#feeds.delete(feed)
        feed.close()
      },
    }
  }

  async purge(below: number): Promise<void> {
    await this.#parts.link.ask(`purge of ${this.name}`, () =>
      this.#parts.manager.streams.purge(this.name, { seq: below }),
    )
  }

  info(): Promise<LogInfo> {
    return this.#parts.link.ask(`figures of ${this.name}`, async () => {
      const info = await this.#info()
      const { config, state, cluster } = info
      return {
        first: firstOf(info),
        last: state.last_seq,
        bytes: state.bytes,
        maxBytes: limitOf(config.max_bytes),
        messages: state.messages,
        maxMessages: limitOf(config.max_msgs),
        leader: cluster === undefined ? 'the only server' : cluster.leader,
        replicas: (cluster?.replicas ?? []).map(({ name, current, lag = 0 }) => ({ name, current, lag })),
        hasQuorum: hasCurrentMajority(info),
      }
    })
  }

  check(): Promise<LogCheck> {
    return this.#parts.link.ask(`check of ${this.name}`, async () => {
      const problems: string[] = []
      const warnings: string[] = []
      const info = await this.#info()
      problems.push(...problemsOf(info, this.#place).map(problem => `stream ${this.name}: ${problem}`))
      if (this.limits.batch === 1)
        warnings.push(
          `a transaction is limited to ${this.limits.messageBytes} bytes: the log has no atomic batches (nats-server 2.12)`,
        )
      const servers = await this.#parts.servers(warnings)
      if (servers !== undefined) {
        judgeServers(servers, problems, warnings)
        this.#judgeReplicas(info, servers, problems, warnings)
      }
      return { servers: servers ?? [], problems, warnings }
    })
  }

  /** A server that holds the log must have been asked, unless it is away. */
  #judgeReplicas(info: StreamInfo, servers: readonly NatsServer[], problems: string[], warnings: string[]): void {
    const asked = new Set(servers.map(({ name }) => name))
    const { leader, replicas = [] } = info.cluster ?? {}
    if (info.cluster === undefined && asked.size === 0) problems.push('no nats-server has told how it is configured')
    if (leader !== undefined && leader !== '' && !asked.has(leader))
      problems.push(`nats-server ${leader}, which leads ${this.name}, has not told how it is configured`)
    for (const { name, offline, current } of replicas) {
      if (asked.has(name)) continue
      if (offline === true || !current) warnings.push(`nats-server ${name} is away: it is not checked`)
      else problems.push(`nats-server ${name}, which holds ${this.name}, has not told how it is configured`)
    }
  }

  async #info(): Promise<StreamInfo> {
    try {
      return await this.#parts.manager.streams.info(this.name)
    } catch (cause) {
      if (cause instanceof JetStreamApiError)
        throw new XenonError('XENON_CONNECTION', `stream ${this.name}: ${cause.message}`, { cause })
      throw cause
    }
  }

  /** The connection stays: it is shared. */
  async close(): Promise<void> {
    for (const feed of this.#feeds) feed.close()
    this.#feeds.clear()
  }
}

/** A stream from which nothing was stored yet says 0 or 1. */
const firstOf = ({ state }: StreamInfo): number => Math.max(1, state.first_seq)

const limitOf = (limit: number): number => (limit <= 0 ? Number.POSITIVE_INFINITY : limit)

/** Whether the server that answered leads, and has heard from a majority lately. */
function hasCurrentMajority({ cluster, config }: StreamInfo): boolean {
  if (cluster === undefined || config.num_replicas === 1) return true
  const { leader, replicas = [] } = cluster
  if (leader === undefined || leader === '') return false
  // `active`: nanoseconds since the replica was heard from; 0 or less for one that never was.
  const heard = replicas.filter(({ active, offline }) => offline !== true && active > 0 && active < CURRENT_MS * 1e6)
  return (heard.length + 1) * 2 > config.num_replicas
}
