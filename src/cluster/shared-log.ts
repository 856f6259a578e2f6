/**
 * The shared log of one shard, as the node sees it: a sequence of messages, replicated and made durable by somebody else.
 * `nats/` implements it on a stream of JetStream, the simulator in memory.
 *
 * Sequences count from 1 without gaps; 0 is "before the first one". What is stored never changes, and goes only by
 * `purge`, from the front. An implementation keeps no state of the cluster: it never retries an append, never caches what
 * it was asked for, and gives an answer that it is not sure of as `unknown`.
 *
 * Every method that asks the log rejects with a XenonError `XENON_CONNECTION` when nobody who may answer does so in time,
 * unless it says otherwise; the node asks again.
 */

/** What became of an append. */
export type AppendOutcome =
  /** In the log, acknowledged by a majority. `sequence` is that of the last message of the append. */
  | { readonly kind: 'stored'; readonly sequence: number }
  /** This attempt has stored nothing, and never will. What an earlier attempt with the same bytes did is not said. */
  | { readonly kind: 'refused'; readonly reason: RefusalReason; readonly message: string }
  /** No answer, or one that tells nothing: it may have been stored, or may be stored later. */
  | { readonly kind: 'unknown'; readonly cause: unknown }

export type RefusalReason =
  /** The last sequence is another one than expected. A deposed leader of the log may say so wrongly. */
  | 'wrong last'
  /** The log has reached one of its limits. */
  | 'full'
  /** A message is larger than the log takes, or the log takes no several messages at once. */
  | 'too large'

export interface LogMessage {
  readonly sequence: number
  /** The bytes are the receiver's own: nobody else changes them. */
  readonly bytes: Uint8Array
  /** Messages behind this one that the log had when it sent this one. */
  readonly pending: number
}

/** Sequences that the log holds: from `first` to `last`. An empty log has `first` = `last` + 1. */
export interface LogBounds {
  readonly first: number
  readonly last: number
}

export interface LogInfo extends LogBounds {
  /** Bytes and messages stored, and the limits of both (Infinity: none). */
  readonly bytes: number
  readonly maxBytes: number
  readonly messages: number
  readonly maxMessages: number
  /** Name of the server that leads the log, undefined while nobody does. */
  readonly leader: string | undefined
  readonly replicas: readonly { readonly name: string; readonly current: boolean; readonly lag: number }[]
  /** A majority of the servers, the leader among them, is current. */
  readonly hasQuorum: boolean
}

export interface LogLimits {
  /** Bytes that a message may have. */
  readonly messageBytes: number
  /** Messages that one append may store, all or none; 1 where the log has no such thing. */
  readonly batch: number
}

/** What the check of all servers has found. */
export interface LogCheck {
  readonly servers: readonly {
    readonly name: string
    readonly version: string
    /** Whether each acknowledged message is on the disk: undefined if nobody could say. */
    readonly syncsAlways: boolean | undefined
  }[]
  /** Why the log must not be used, each a sentence that says what to do. Empty: it may be. */
  readonly problems: readonly string[]
  /** What an operator should know, and overrides that were given. */
  readonly warnings: readonly string[]
}

export interface FeedHandlers {
  /**
   * The next message, in order without a gap. The feed gives the one after it when this has returned; a promise holds
   * the feed back until it is settled (back-pressure). If it throws or rejects, the feed closes, and `onEnd` is called.
   */
  onMessage(message: LogMessage): void | Promise<void>
  /** The log begins behind the sequence that comes next; the feed has closed. `first`: where the log begins. */
  onGap(first: number): void
  /** The feed has closed for another reason than `close()`; open another one. Outages are bridged, they do not end it. */
  onEnd(cause: unknown): void
}

export interface Feed {
  /** No handler is called after this. */
  close(): void
}

export interface SharedLog {
  /** Name of the log: cluster, shard and generation (`XENON_shop_0_1`). */
  readonly name: string
  readonly limits: LogLimits

  /** Whether there is a connection to a server; says nothing of a majority. */
  readonly isConnected: boolean
  /** Calls `listener` at each change of `isConnected`; the result stops that. */
  onConnection(listener: (isConnected: boolean) => void): () => void

  /**
   * Stores messages (one, or up to `limits.batch` all or none) if the last sequence is `expectedLast`. One attempt: never
   * retried within, never rejects.
   */
  append(messages: readonly Uint8Array[], expectedLast: number): Promise<AppendOutcome>

  /**
   * One stored message; undefined if whoever answered has none of that sequence, which a server that is behind may say
   * wrongly. What is returned is committed in the log.
   */
  read(sequence: number): Promise<Uint8Array | undefined>

  /**
   * Where the log begins and ends, from a leader that has a current majority at the time of the answer. A deposed leader
   * must not answer as if it had one: verify, or reject.
   */
  bounds(): Promise<LogBounds>

  /** Messages from `from` on, those that are stored and those that come. */
  feed(from: number, handlers: FeedHandlers): Feed

  /** Removes all messages below `below`. */
  purge(below: number): Promise<void>

  /** For figures and operators: whatever the server at hand says. */
  info(): Promise<LogInfo>

  /** Every server that takes part in the log. */
  check(): Promise<LogCheck>

  readonly snapshots: SnapshotStore

  close(): Promise<void>
}

/** A snapshot in the store: state of the store at a position of the log. */
export interface SnapshotEntry {
  /** Unique; the store's own name for it. */
  readonly name: string
  /** The mark that it stands for, as `encodeMark` has it. */
  readonly mark: Uint8Array
  readonly sequence: number
  readonly bytes: number
  /** Milliseconds since 1970 when it was put. */
  readonly time: number
  /** Somebody has restored it and found it sound. */
  readonly isVerified: boolean
}

/** Where snapshots of a shard are kept, apart from the messages. An entry is listed only when it is there completely. */
export interface SnapshotStore {
  /** Stores a stream under a name of its own; it is not verified yet. */
  put(mark: Uint8Array, sequence: number, content: AsyncIterable<Uint8Array>): Promise<SnapshotEntry>
  /** All, newest position first. */
  list(): Promise<SnapshotEntry[]>
  /** Bytes as they were put; the iteration throws if they are not (digest). */
  get(name: string): AsyncIterable<Uint8Array>
  /** Notes that the snapshot was restored and found sound. */
  setVerified(name: string): Promise<void>
  /** An absent one is fine. */
  remove(name: string): Promise<void>
}
