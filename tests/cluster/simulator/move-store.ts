/** A map as the store of moves: the slot of a key stands in its first two characters. */
import type { Change } from '../../../src/cluster/group-store.ts'
import type { MoveStore, Slice } from '../../../src/cluster/moves/move-store.ts'
import { hasSlot, type SlotSet } from '../../../src/cluster/moves/slot-ranges.ts'
import { slotAt } from '../../../src/cluster/slots.ts'
import { applied, type Committed, type Items, MapStore } from './map-store.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()
/** Behind all slots. */
const STATE_KEY = '\u0040\u0000state'

/** The key of a slot below 128, so that its bytes are characters. */
export const keyIn = (slot: number, name: string): string => `\u0000${String.fromCharCode(slot)}${name}`
export const slotOfKey = (key: string): number => slotAt(encoder.encode(key))

const stateIn = (items: Items): Uint8Array | undefined => {
  const item = items.get(STATE_KEY)
  return item && encoder.encode(item.value)
}

export class MoveMapStore extends MapStore {
  readonly moves: MoveStore = {
    readState: () => stateIn(this.committed.items),
    stateInGroup: () => stateIn(this.visible),
    writeState: state => this.change(STATE_KEY, { value: decoder.decode(state), expiresAt: undefined }),
    slice: (slots, after) => this.#slice(slots, after),
    apply: changes => {
      const before = this.visible
      const after = applied(before, changes)
      for (const key of new Set([...before.keys(), ...after.keys()]))
        if (before.get(key) !== after.get(key)) this.change(key, after.get(key))
    },
    // One at a time, so that it takes several messages.
    clear: slots => {
      const keys = [...this.visible.keys()].filter(key => hasSlot(slots, slotOfKey(key)))
      for (const key of keys.slice(0, 1)) this.change(key, undefined)
      return keys.length <= 1
    },
  }

  override crashed(committed: Committed): MoveMapStore {
    return new MoveMapStore(committed)
  }

  /** A record at a time, so that a move takes several steps. */
  #slice(slots: SlotSet, after: Uint8Array | undefined): Slice {
    const least = after === undefined ? '' : decoder.decode(after)
    const keys = [...this.committed.items.keys()].filter(key => hasSlot(slots, slotOfKey(key)) && key > least).sort()
    const [first] = keys
    if (first === undefined) return { changes: [], last: undefined, isWhole: true }
    const { value, expiresAt = 0 } = this.committed.items.get(first)!
    const key = encoder.encode(first)
    const put: Change = { type: 'put', space: [], key, value: encoder.encode(value), expiresAt, flags: 0 }
    return { changes: [put], last: key, isWhole: keys.length === 1 }
  }
}
