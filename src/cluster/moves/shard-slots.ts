/**
 * The slots of a node's shard as its database has them: which it serves, which it holds requests for, which are another
 * shard's. All that answers requests asks here, in the turn in which it reads or writes.
 */
import { type ShardMap, SLOTS } from '../shard-map.ts'
import type { MoveStore } from './move-store.ts'
import { intersection, type SlotSet, sameSlots, union, without } from './slot-ranges.ts'
import { decodeState, heldBy, hiddenIn, type SlotState, servedBy } from './slot-state.ts'

/**
 * `served`: the shard has it. `held`: it is on its way from here to another shard, and nobody serves it for a moment.
 * `elsewhere`: the shard does not have it. `unknown`: the shard has never taken part in a move; the map says it.
 */
export type Standing = 'served' | 'held' | 'elsewhere' | 'unknown'

const CODES: readonly Standing[] = ['elsewhere', 'served', 'held']

export class ShardSlots {
  readonly shard: number
  /** As it is committed. */
  state: SlotState | undefined
  /** Goes up whenever a request might have to be answered otherwise. */
  version = 0
  /** Slots whose records are here and are not the shard's. */
  hidden: SlotSet = []
  readonly #store: Pick<MoveStore, 'readState'>
  readonly #codes: Uint8Array = new Uint8Array(SLOTS)
  /** The freeze record of these may be on its way. */
  #freezing: SlotSet = []
  #text = ''
  readonly #listeners = new Set<() => void>()

  constructor(shard: number, store: Pick<MoveStore, 'readState'>) {
    this.shard = shard
    this.#store = store
    this.reload()
  }

  /** Reads the state anew: a record of a move was committed or applied, or the node has entered another state. */
  reload(): void {
    const bytes = this.#store.readState()
    this.state = bytes && decodeState(bytes)
    this.#freezing = []
    this.#changed()
  }

  /** From now on these are held: their freeze record is about to be sent. Until `reload`. (X13) */
  freeze(slots: SlotSet): void {
    this.#freezing = slots
    this.#changed()
  }

  /** That record is not in the log, and never will be. */
  unfreeze(): void {
    if (this.#freezing.length > 0) this.reload()
  }

  #changed(): void {
    const { state } = this
    this.hidden = state === undefined ? [] : hiddenIn(state)
    const [served, held] = [this.served, this.held]
    const text = JSON.stringify([served, held, this.hidden])
    if (text === this.#text) return
    this.#text = text
    this.version++
    this.#codes.fill(0)
    for (const { from, to } of served ?? []) this.#codes.fill(1, from, to + 1)
    for (const { from, to } of held) this.#codes.fill(2, from, to + 1)
    for (const listener of [...this.#listeners]) listener()
  }

  /** Undefined: those that the map has for it. */
  get served(): SlotSet | undefined {
    return this.state && without(servedBy(this.state), this.#freezing)
  }

  get held(): SlotSet {
    const { state } = this
    if (state === undefined) return this.#freezing
    return union(heldBy(state), this.#freezing)
  }

  standingOf(slot: number): Standing {
    const code = this.#codes[slot]!
    return code === 0 && this.state === undefined ? 'unknown' : CODES[code]!
  }

  /** Some slots are held. */
  get holds(): boolean {
    return this.held.length > 0
  }

  /** Called when `version` has gone up; the result stops that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** The map as it is if what this shard says of its slots is later than what the map says. */
  mend(map: ShardMap): ShardMap {
    const { state, served } = this
    if (state === undefined || served === undefined) return map
    const mended = withSlots(map, this.shard, served)
    return state.away.reduce(
      (before, { shard, slots }) => withSlots(before, shard, intersection(slots, slotsOf(before, this.shard))),
      mended,
    )
  }
}

const slotsOf = (map: ShardMap, shard: number): SlotSet => map.shards.find(each => each.shard === shard)?.slots ?? []

/** The map with these slots as those of a shard, besides the others that it has; the same one if it has them. */
export const withSlots = (map: ShardMap, shard: number, slots: SlotSet): ShardMap => {
  const shards = map.shards.map(each => {
    const kept = each.shard === shard ? union(each.slots, slots) : without(each.slots, slots)
    return sameSlots(kept, each.slots) ? each : { ...each, slots: kept }
  })
  return shards.every((each, i) => each === map.shards[i]) ? map : { ...map, shards }
}
