/**
 * The committed changes of a shard for whoever is outside of the cluster (a search index, a cache, another database):
 * once and in order, from the log itself. What is in the log is committed; what was rolled back never gets there.
 *
 * Whoever keeps the sequence of the last group that it has dealt with, together with what it made of it, goes on behind
 * that after a crash, and so deals with every group once.
 */
import { CorruptionError, InvalidArgumentError, XenonError } from '../errors.ts'
import type { Change, SpacePath } from './group-store.ts'
import { connectNats } from './load.ts'
import { hashOf } from './mark.ts'
import { decodeBody, decodeMessage, type MessageKind, type MessagePart, sameBytes } from './message.ts'
import type { NatsOptions } from './services.ts'
import type { LogMessage, SharedLog } from './shared-log.ts'
import { SLOT_BYTES, slotAt } from './slots.ts'

/**
 * What a record is from now on. `space`: names of the sub-database that it lies in, from the outermost on; `[]` for those
 * of Redis clients, which lie in slots.
 */
export type CommittedChange =
  | (KeyPlace & {
      readonly kind: 'put'
      readonly space: readonly string[]
      readonly value: Uint8Array
      /** Milliseconds since 1970; undefined: never. */
      readonly expiresAt: number | undefined
      /** How the value is compressed (bits as in the file format); 0: not at all. */
      readonly flags: number
    })
  | (KeyPlace & { readonly kind: 'delete'; readonly space: readonly string[] })
  /** All records from `from` on and before `to` are gone; undefined: without a bound there. */
  | {
      readonly kind: 'clear'
      readonly space: readonly string[]
      readonly from: KeyPlace | undefined
      readonly to: KeyPlace | undefined
    }
  /** There is such a sub-database. */
  | {
      readonly kind: 'sub'
      readonly space: readonly string[]
      readonly keyEncoding: string
      readonly valueEncoding: string
    }

/** A key as the client gave it, and its slot (0 to 16,383); undefined in a sub-database. Ordered by slot, then by key. */
export interface KeyPlace {
  /** 0 to 16,383. */
  readonly slot: number | undefined
  /** Without its slot. */
  readonly key: Uint8Array
}

/** What was executed and committed as one. */
export interface CommittedGroup {
  /** Of its last message; the group after it is had by `from: sequence + 1`. */
  readonly sequence: number
  /** `group`: of clients. `import-data`, `slot-drop`: a slot has come from another shard, or gone to one. */
  readonly kind: MessageKind
  /** Node that executed it, and the number of its reign. */
  readonly node: number
  /** Of the reign of that node. */
  readonly epoch: number
  /** When, in milliseconds since 1970. */
  readonly time: number
  /** In the order in which they were made. */
  readonly changes: readonly CommittedChange[]
}

/** Where to begin, and when to end. */
export interface ChangesOptions {
  /** Sequence to begin with; default: the oldest that the log still has. */
  readonly from?: number | undefined
  /** Ends the iteration. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Groups with changes, those that are in the log and those that come; without end.
 * @throws XenonError `XENON_NOT_FOUND`, while iterating, if the log begins behind `from` by now: begin with a snapshot, or
 *   without what was purged
 * @throws InvalidArgumentError if `from` lies within a group
 * @throws CorruptionError if the log contradicts itself
 */
export async function* changesOf(log: SharedLog, options: ChangesOptions = {}): AsyncGenerator<CommittedGroup> {
  const from = options.from ?? (await log.bounds()).first
  const reader = new GroupReader(log.name)
  for await (const message of messagesOf(log, from, options.signal)) {
    const group = reader.read(message)
    if (group !== undefined && group.changes.length > 0) yield group
  }
}

/** What to follow, and how NATS is reached. */
export interface FollowOptions extends NatsOptions, ChangesOptions {
  /** Its name. */
  readonly cluster: string
  /** Shard to follow. Slots that move to another shard are found in the log of that one from then on. */
  readonly shard: number
}

/**
 * The changes of a shard, over a connection of one's own.
 *
 * @example
 * for await (const group of changes({ servers: ['nats://n1:4222'], cluster: 'shop', shard: 0, from: 1 }))
 *   console.log(group.sequence, group.changes.length)
 *
 * @throws XenonError `XENON_NOT_SUPPORTED` if the packages of NATS are not installed; `XENON_NOT_FOUND` if there is no such
 *   cluster or shard; `XENON_CONNECTION` if NATS does not answer. Outages after that are bridged.
 */
export async function* changes(options: FollowOptions): AsyncGenerator<CommittedGroup> {
  const { cluster, shard } = options
  // Nothing is stored: how the servers are configured is the nodes' concern.
  const services = await connectNats({ trustServers: true, ...options })
  try {
    const stored = await services.shardMap(cluster).read()
    const found = stored?.map.shards.find(entry => entry.shard === shard)
    if (found === undefined)
      throw new XenonError('XENON_NOT_FOUND', `the cluster ${cluster} has no shard ${shard} (xenondb cluster status)`)
    yield* changesOf(await services.openLog({ cluster, shard, generation: found.generation }), options)
  } finally {
    await services.close()
  }
}

/** The feed as an iteration: the next message is asked for when the one before was dealt with. */
async function* messagesOf(log: SharedLog, from: number, signal: AbortSignal | undefined): AsyncGenerator<LogMessage> {
  let given: { message: LogMessage; taken: () => void } | undefined
  let over: { error: unknown } | undefined
  let wake = (): void => {}
  const end = (error: unknown): void => {
    over ??= { error }
    wake()
  }
  const feed = log.feed(from, {
    onMessage: message =>
      new Promise<void>(taken => {
        given = { message, taken }
        wake()
      }),
    onGap: first =>
      end(
        new XenonError(
          'XENON_NOT_FOUND',
          `${log.name} begins at ${first}: what was before, from ${from} on, is only in snapshots`,
        ),
      ),
    onEnd: end,
  })
  const aborted = (): void => end(undefined)
  signal?.addEventListener('abort', aborted)
  if (signal?.aborted === true) aborted()
  try {
    for (;;) {
      if (over !== undefined) {
        if (over.error !== undefined) throw over.error
        return
      }
      if (given === undefined) {
        await new Promise<void>(resolve => {
          wake = resolve
        })
        continue
      }
      const { message, taken } = given
      given = undefined
      yield message
      taken()
    }
  } finally {
    signal?.removeEventListener('abort', aborted)
    feed.close()
  }
}

/** Puts the parts of groups together, and checks that each message is the one that follows. */
class GroupReader {
  readonly #log: string
  #hash: Uint8Array | undefined
  #epoch = 0
  #parts: MessagePart[] = []

  constructor(log: string) {
    this.#log = log
  }

  /** Undefined until the last part. */
  read({ sequence, bytes }: LogMessage): CommittedGroup | undefined {
    const where = `${this.#log}, message ${sequence}`
    const part = decodeMessage(bytes, where)
    this.#check(part, where)
    this.#hash = hashOf(bytes)
    this.#epoch = part.epoch
    this.#parts.push(part)
    if (part.part < part.of) return undefined
    const body = joined(this.#parts.map(({ body }) => body))
    this.#parts = []
    const { kind, node, epoch, time } = part
    return { sequence, kind, node, epoch, time, changes: decodeBody(kind, body, where).changes.map(committed) }
  }

  #check(part: MessagePart, where: string): void {
    const [first] = this.#parts
    if (this.#hash === undefined) {
      if (part.part !== 1)
        throw new InvalidArgumentError(
          `from: ${where} is part ${part.part} of ${part.of} of a group: begin with its first`,
        )
    } else if (!sameBytes(part.before, this.#hash))
      throw new CorruptionError(where, 'does not follow the one before it')
    if (part.epoch < this.#epoch) throw new CorruptionError(where, `has epoch ${part.epoch} after ${this.#epoch}`)
    const isNext = part.part === this.#parts.length + 1 && (first === undefined || sameBytes(part.id, first.id))
    if (!isNext)
      throw new CorruptionError(where, `is part ${part.part} of ${part.of} after ${this.#parts.length} parts`)
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

function committed(change: Change): CommittedChange {
  const { space } = change
  if (change.type === 'sub') {
    const { keyEncoding, valueEncoding } = change
    return { kind: 'sub', space, keyEncoding, valueEncoding }
  }
  if (change.type === 'clearRange') {
    const [from, to] = [change.lower, change.upper].map(key => (key === undefined ? undefined : placeOf(key, space)))
    return { kind: 'clear', space, from, to }
  }
  const place = placeOf(change.key, space)
  if (change.type === 'delete') return { kind: 'delete', space, ...place }
  const { value, expiresAt, flags } = change
  return { kind: 'put', space, ...place, value, expiresAt: expiresAt === 0 ? undefined : expiresAt, flags }
}

const placeOf = (bytes: Uint8Array, space: SpacePath): KeyPlace =>
  space.length > 0 ? { slot: undefined, key: bytes } : { slot: slotAt(bytes), key: bytes.subarray(SLOT_BYTES) }
