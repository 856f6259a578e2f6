/** Which slots go where so that each shard has as many as the others, one more or less. */
import type { MapShard, SlotRange } from '../shard-map.ts'
import { countOf, lastOf, type SlotSet, union, without } from './slot-ranges.ts'

export interface PlannedMove {
  readonly from: number
  readonly to: number
  readonly slots: readonly SlotRange[]
}

/** As few slots as can be, in an order in which the moves can be made one after the other. */
export function balance(shards: readonly Pick<MapShard, 'shard' | 'slots'>[]): PlannedMove[] {
  const all = shards.reduce((sum, { slots }) => sum + countOf(slots), 0)
  const least = Math.floor(all / shards.length)
  // Those that have more than the others keep one more, if not all can have the same.
  const byCount = [...shards].sort((a, b) => countOf(b.slots) - countOf(a.slots) || a.shard - b.shard)
  const parts = byCount.map(({ shard, slots }, i) => ({
    shard,
    slots: slots as SlotSet,
    wanted: least + (i < all - least * shards.length ? 1 : 0),
  }))
  const moves: PlannedMove[] = []
  for (const giver of parts)
    for (const taker of parts) {
      const count = Math.min(countOf(giver.slots) - giver.wanted, taker.wanted - countOf(taker.slots))
      if (count <= 0) continue
      const slots = lastOf(giver.slots, count)
      moves.push({ from: giver.shard, to: taker.shard, slots })
      giver.slots = without(giver.slots, slots)
      taker.slots = union(taker.slots, slots)
    }
  return moves
}
