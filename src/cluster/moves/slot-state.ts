/**
 * What a shard's log says of slots: those that the shard has, and the moves that it takes part in. It is a record of the
 * database (in a sub-database, where no client sees it), and changes only by records of the log: so it is in the same
 * commit as the mark and as what was copied, in every snapshot, and in the state at every point of the log.
 *
 *  X13  One shard at a time serves a slot: the source stops before it sends its freeze record, and the target begins by
 *       its import-commit, which it appends when it has applied the log of the source up to that record.
 *  X14  What a record of a move changes, and what it says of the move, are one commit: each step is done once, wherever a
 *       crash falls.
 *
 * Source and target, and the kinds of the records that lead from one phase to the next:
 *
 *   target   (none) ─import-begin→ copying ─import-data→ following ─import-commit→ committed ─import-end→ (none)
 *                                     └────────── import-abort ──────────→ aborting ─import-end→ (none)
 *   source   (none) ─freeze→ frozen ─slot-drop→ dropping ─slot-drop→ (none)
 *                              └── unfreeze → (none)
 *
 * A shard takes part in one move as the target and in one as the source, so that two shards which exchange slots do not
 * wait for each other. A shard without a state has never taken part in a move: its slots are
 * those that the map had for it from the start.
 */
import { CorruptionError, XenonError } from '../../errors.ts'
import type { SlotRange } from '../shard-map.ts'
import { intersection, type SlotSet, slotsText, union, without } from './slot-ranges.ts'

/** Where the target goes on in the log of the source: behind this message. */
export interface Tail {
  readonly sequence: number
  readonly epoch: number
  /** Hexadecimal. */
  readonly hash: string
}

interface MoveOf {
  /** Unique for ever. */
  readonly id: string
  readonly slots: readonly SlotRange[]
}

export interface OutgoingMove extends MoveOf {
  readonly phase: 'frozen' | 'dropping'
  readonly to: number
}

export interface IncomingMove extends MoveOf {
  readonly phase: 'copying' | 'following' | 'committed' | 'aborting'
  readonly from: number
  /** Log of the source, and place in it; undefined before the first records came. */
  readonly log: string | undefined
  readonly tail: Tail | undefined
  /** The last key that was copied, in hexadecimal. */
  readonly copied: string | undefined
  /** Records that were copied, and bytes of them. */
  readonly records: number
  readonly bytes: number
  /** Why it is aborted. */
  readonly reason: string | undefined
}

export interface SlotState {
  /** Slots of this shard, those too that it has frozen. */
  readonly owned: readonly SlotRange[]
  /** Slots that it had, and where they have gone. */
  readonly away: readonly { readonly shard: number; readonly slots: readonly SlotRange[] }[]
  readonly incoming: IncomingMove | undefined
  readonly outgoing: OutgoingMove | undefined
  /** What became of the last one that came, or did not. */
  readonly last?: { readonly id: string; readonly isCommitted: boolean; readonly reason?: string | undefined }
}

export const stateOf = (owned: SlotSet): SlotState => ({ owned, away: [], incoming: undefined, outgoing: undefined })

const VERSION = 1

export const encodeState = (state: SlotState): Uint8Array =>
  new TextEncoder().encode(JSON.stringify({ version: VERSION, ...state }))

/** @throws XenonError `XENON_NOT_SUPPORTED` if it is one of a later release; CorruptionError if it is none */
export const decodeState = (bytes: Uint8Array): SlotState => {
  let found: SlotState & { version: number }
  try {
    found = JSON.parse(new TextDecoder().decode(bytes)) as SlotState & { version: number }
  } catch (cause) {
    throw new CorruptionError('the slots of the shard', `are no JSON: ${(cause as Error).message}`)
  }
  if (found.version !== VERSION)
    throw new XenonError(
      'XENON_NOT_SUPPORTED',
      `the slots of the shard have version ${found.version}: update this node`,
    )
  const { version: _, ...state } = found
  return { ...stateOf([]), ...state }
}

const notNow = (what: string): XenonError => new XenonError('XENON_NOT_READY', what)

const requireNone = (move: IncomingMove | OutgoingMove | undefined): void => {
  if (move !== undefined)
    throw notNow(`a move of the slots ${slotsText(move.slots)} is under way (${move.phase}); wait for it, or cancel it`)
}

/** The move of this number if it is in one of the phases. */
const requireIncoming = ({ incoming }: SlotState, id: string, ...phases: IncomingMove['phase'][]): IncomingMove => {
  if (incoming === undefined || incoming.id !== id || !phases.includes(incoming.phase))
    throw notNow(`move ${id} is not ${phases.join(' or ')} here`)
  return incoming
}

const requireOutgoing = ({ outgoing }: SlotState, id: string, phase: OutgoingMove['phase']): OutgoingMove => {
  if (outgoing === undefined || outgoing.id !== id || outgoing.phase !== phase)
    throw notNow(`move ${id} is not ${phase} here`)
  return outgoing
}

/** @throws XenonError `XENON_NOT_FOUND`: asking again would not help */
export const requireOwned = ({ owned }: SlotState, slots: SlotSet): void => {
  const missing = without(slots, owned)
  if (missing.length > 0)
    throw new XenonError('XENON_NOT_FOUND', `the shard does not have the slots ${slotsText(missing)}`)
}

/** Slots that nobody serves: the shard has stopped, and the other one has not begun. */
export const heldBy = ({ outgoing }: SlotState): SlotSet => (outgoing?.phase === 'frozen' ? outgoing.slots : [])

/** Slots that are served: those that the shard has and has not frozen. (X13) */
export const servedBy = (state: SlotState): SlotSet => without(state.owned, heldBy(state))

/** Slots whose records are here and are not the shard's: not yet, or not any more. */
export const hiddenIn = ({ incoming, outgoing }: SlotState): SlotSet =>
  union(
    incoming === undefined || incoming.phase === 'committed' ? [] : incoming.slots,
    outgoing?.phase === 'dropping' ? outgoing.slots : [],
  )

// The target.

export const begun = (
  state: SlotState,
  { id, slots, from }: Pick<IncomingMove, 'id' | 'slots' | 'from'>,
): SlotState => {
  requireNone(state.incoming)
  const already = intersection(state.owned, slots)
  if (intersection(state.outgoing?.slots ?? [], slots).length > 0) requireNone(state.outgoing)
  if (already.length > 0) throw notNow(`the shard has the slots ${slotsText(already)} already`)
  const nothing = { log: undefined, tail: undefined, copied: undefined, records: 0, bytes: 0, reason: undefined }
  return { ...state, incoming: { phase: 'copying', id, slots, from, ...nothing } }
}

/** Records were copied, the last of them `last`; with `isWhole` there are no more. */
export const copiedMore = (
  state: SlotState,
  id: string,
  more: { log: string; tail: Tail; last: string | undefined; records: number; bytes: number; isWhole: boolean },
): SlotState => {
  const move = requireIncoming(state, id, 'copying')
  return {
    ...state,
    incoming: {
      ...move,
      phase: more.isWhole ? 'following' : 'copying',
      log: move.log ?? more.log,
      // All that came to be behind the first look is read from the log, whatever the later ones have seen of it.
      tail: move.tail ?? more.tail,
      copied: more.last ?? move.copied,
      records: move.records + more.records,
      bytes: move.bytes + more.bytes,
    },
  }
}

export const followed = (state: SlotState, id: string, tail: Tail): SlotState => ({
  ...state,
  incoming: { ...requireIncoming(state, id, 'following'), tail },
})

export const committed = (state: SlotState, id: string): SlotState => {
  const move = requireIncoming(state, id, 'following')
  const away = state.away.map(({ shard, slots }) => ({ shard, slots: without(slots, move.slots) }))
  return {
    ...state,
    owned: union(state.owned, move.slots),
    away: away.filter(({ slots }) => slots.length > 0),
    incoming: { ...move, phase: 'committed' },
  }
}

export const aborted = (state: SlotState, id: string, reason: string): SlotState => ({
  ...state,
  incoming: { ...requireIncoming(state, id, 'copying', 'following'), phase: 'aborting', reason },
})

export const ended = (state: SlotState, id: string): SlotState => {
  const { phase, reason } = requireIncoming(state, id, 'committed', 'aborting')
  return { ...state, incoming: undefined, last: { id, isCommitted: phase === 'committed', reason } }
}

// The source.

export const frozen = (state: SlotState, { id, slots, to }: Pick<OutgoingMove, 'id' | 'slots' | 'to'>): SlotState => {
  requireOwned(state, slots)
  requireNone(state.outgoing)
  // Its source has not let go of all of them yet, or nobody has said so.
  if (intersection(state.incoming?.slots ?? [], slots).length > 0) requireNone(state.incoming)
  return { ...state, outgoing: { phase: 'frozen', id, slots, to } }
}

export const unfrozen = (state: SlotState, id: string): SlotState => {
  requireOutgoing(state, id, 'frozen')
  return { ...state, outgoing: undefined }
}

export const handedOver = (state: SlotState, id: string): SlotState => {
  const move = requireOutgoing(state, id, 'frozen')
  const { slots, to } = move
  const others = state.away.map(each => ({ ...each, slots: without(each.slots, slots) }))
  const before = others.find(({ shard }) => shard === to)
  const away = [
    ...others.filter(each => each !== before && each.slots.length > 0),
    { shard: to, slots: union(before?.slots ?? [], slots) },
  ]
  return { ...state, owned: without(state.owned, slots), away, outgoing: { ...move, phase: 'dropping' } }
}

export const dropped = (state: SlotState, id: string): SlotState => {
  requireOutgoing(state, id, 'dropping')
  return { ...state, outgoing: undefined }
}
