/** The changes of a log that concern some slots. */
import { compareBytes } from '../../runtime/bytes.ts'
import type { Change } from '../group-store.ts'
import { slotAt, slotPrefix } from '../slots.ts'
import { hasSlot, type SlotSet } from './slot-ranges.ts'

/** Puts and deletes of their keys, and of ranges that were cleared the parts that lie in the slots. */
export const changesOfSlots = (changes: readonly Change[], slots: SlotSet): Change[] =>
  changes.flatMap((change): Change[] => {
    // Records of clients lie in the root.
    if (change.space.length > 0 || change.type === 'sub') return []
    if (change.type !== 'clearRange') return hasSlot(slots, slotAt(change.key)) ? [change] : []
    return slots.flatMap(({ from, to }) => {
      const lower = later(slotPrefix(from), change.lower)
      const upper = earlier(slotPrefix(to + 1), change.upper)
      return compareBytes(lower, upper) < 0 ? [{ ...change, lower, upper }] : []
    })
  })

const later = (a: Uint8Array, b: Uint8Array | undefined): Uint8Array =>
  b === undefined || compareBytes(a, b) > 0 ? a : b

const earlier = (a: Uint8Array, b: Uint8Array | undefined): Uint8Array =>
  b === undefined || compareBytes(a, b) < 0 ? a : b
