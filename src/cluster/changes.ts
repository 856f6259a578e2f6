/**
 * The committed changes of a shard for whoever is outside of the cluster (a search index, a cache, another database):
 * once and in order, from the log itself. What is in the log is committed; what was rolled back never gets there.
 *
 * While slots move, each change is told once: by the log of the shard that the slot belonged to when it was made. What a
 * shard copies from another one, and what it removes of slots that it has given away, is left out. A group of the kind
 * `import-commit` says from where on the slots are found here, and up to where in the log of the shard before.
 *
 * Whoever keeps the sequence of the last group that it has dealt with, together with what it made of it, goes on behind
 * that after a crash, and so deals with every group once.
 */
import { XenonError } from '../errors.ts'
import type { Change, SpacePath } from './group-store.ts'
import { connectNats } from './load.ts'
import { groupsOf } from './logged-groups.ts'
import type { MessageKind } from './message.ts'
import { CLUSTER_SPACE, decodeNote, type MoveNote } from './moves/move-note.ts'
import { hasSlot, type SlotSet, union, without } from './moves/slot-ranges.ts'
import type { NatsOptions } from './services.ts'
import type { SharedLog } from './shared-log.ts'
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
  /** `group`: of clients. `import-commit`: slots have come from another shard, as `moved` says. */
  readonly kind: MessageKind
  /** Node that executed it, and the number of its reign. */
  readonly node: number
  /** Of the reign of that node. */
  readonly epoch: number
  /** When, in milliseconds since 1970. */
  readonly time: number
  /** In the order in which they were made. */
  readonly changes: readonly CommittedChange[]
  /** Of an `import-commit`: slots whose changes are told here from now on. */
  readonly moved?: MovedSlots | undefined
}

/** Slots that have come to a shard. */
export interface MovedSlots {
  /** Numbers of the first and the last one of each range. */
  readonly slots: readonly { readonly from: number; readonly to: number }[]
  /** The shard that had them. */
  readonly from: number
  /** Sequence of the last message of that shard's log that concerns them. */
  readonly sequence: number
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
  // Slots whose records in this log are not its shard's, as far as the groups so far have said.
  let foreign: SlotSet = []
  for await (const group of groupsOf(log, from, { signal: options.signal })) {
    const { sequence, kind, node, epoch, time } = group
    const note = OF_MOVES.has(kind) ? decodeNote(group.note) : undefined
    if (note !== undefined) foreign = union(foreign, note.slots)
    const changes = group.changes.filter(change => isOwn(change, foreign, note !== undefined)).map(committed)
    const moved = kind === 'import-commit' && note !== undefined ? movedBy(note) : undefined
    if (moved !== undefined) foreign = without(foreign, moved.slots)
    if (changes.length > 0 || moved !== undefined) yield { sequence, kind, node, epoch, time, changes, moved }
  }
}

/** Records whose changes are those that the log of another shard tells, or has told. */
const OF_MOVES: ReadonlySet<MessageKind> = new Set([
  ...(['import-begin', 'import-data', 'import-commit', 'import-abort', 'slot-drop'] as const),
])

const movedBy = ({ slots, from = 0, sequence = 0 }: MoveNote): MovedSlots => ({ slots, from, sequence })

/** What has expired goes in groups of all kinds, also of slots that are not the shard's. */
const isOwn = (change: Change, foreign: SlotSet, isOfMove: boolean): boolean => {
  if (change.space.length > 0) return change.space[0] !== CLUSTER_SPACE
  return 'key' in change ? !hasSlot(foreign, slotAt(change.key)) : !isOfMove
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
