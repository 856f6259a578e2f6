/** Records that are in the file and are not the shard's: their slots have not come yet, or are gone already. */
import type { ShardSlots } from '../../cluster/moves/shard-slots.ts'
import { hasSlot, type SlotSet, without } from '../../cluster/moves/slot-ranges.ts'
import { SLOTS, type SlotRange } from '../../cluster/shard-map.ts'
import { slotAt, slotPrefix } from '../../cluster/slots.ts'
import type { Outer } from '../../database/sub.ts'
import type { Range } from '../../types.ts'
import { CommandError } from './errors.ts'

export class HiddenSlots {
  private readonly db: Outer<Uint8Array, Uint8Array>
  private readonly slots: Pick<ShardSlots, 'hidden'> | undefined

  constructor(db: Outer<Uint8Array, Uint8Array>, slots: Pick<ShardSlots, 'hidden'> | undefined) {
    this.db = db
    this.slots = slots
  }

  private get hidden(): SlotSet {
    return this.slots?.hidden ?? []
  }

  hides(key: Uint8Array): boolean {
    return this.hidden.length > 0 && hasSlot(this.hidden, slotAt(key))
  }

  /** The slot behind those that are hidden from this one on; undefined: it is not hidden. */
  behind(slot: number): number | undefined {
    const range = this.hidden.find(({ from, to }) => slot >= from && slot <= to)
    return range && range.to + 1
  }

  count(): number {
    return this.hidden.reduce((sum, range) => sum + this.db.count(boundsOf(range)), 0)
  }

  /** Removes all records but these; false: there are none. */
  clearOthers(): boolean {
    if (this.hidden.length === 0) return false
    for (const range of without([{ from: 0, to: SLOTS - 1 }], this.hidden)) this.db.clear(boundsOf(range))
    return true
  }

  /** @throws CommandError where what is hidden could not be told from the rest */
  requireNone(): void {
    if (this.hidden.length > 0) throw new CommandError('TRYAGAIN slots are on their way to or from this shard')
  }
}

const boundsOf = ({ from, to }: SlotRange): Range<Uint8Array> => ({ gte: slotPrefix(from), lt: slotPrefix(to + 1) })
