/** Sets of slots as ranges: in order, disjoint, not touching. */
import { InvalidArgumentError } from '../../errors.ts'
import { SLOTS, type SlotRange } from '../shard-map.ts'

export type SlotSet = readonly SlotRange[]

/** The same slots in order, each once, as few ranges as can be. */
export const normalized = (ranges: SlotSet): SlotRange[] => {
  const sorted = [...ranges].sort((a, b) => a.from - b.from)
  const set: SlotRange[] = []
  for (const { from, to } of sorted) {
    const last = set.at(-1)
    if (last !== undefined && from <= last.to + 1) set[set.length - 1] = { from: last.from, to: Math.max(last.to, to) }
    else set.push({ from, to })
  }
  return set
}

export const union = (a: SlotSet, b: SlotSet): SlotRange[] => normalized([...a, ...b])

/** Those of `a` that are not in `b`. */
export const without = (a: SlotSet, b: SlotSet): SlotRange[] => {
  let left: SlotRange[] = normalized(a)
  for (const { from, to } of b)
    left = left.flatMap(range => {
      if (to < range.from || from > range.to) return [range]
      const parts: SlotRange[] = []
      if (range.from < from) parts.push({ from: range.from, to: from - 1 })
      if (range.to > to) parts.push({ from: to + 1, to: range.to })
      return parts
    })
  return left
}

export const intersection = (a: SlotSet, b: SlotSet): SlotRange[] => without(a, without(a, b))

/** Whether all of `inner` is in `outer`. */
export const contains = (outer: SlotSet, inner: SlotSet): boolean => without(inner, outer).length === 0

export const hasSlot = (set: SlotSet, slot: number): boolean => set.some(({ from, to }) => slot >= from && slot <= to)

export const countOf = (set: SlotSet): number => set.reduce((sum, { from, to }) => sum + to - from + 1, 0)

export const sameSlots = (a: SlotSet, b: SlotSet): boolean =>
  a.length === b.length && a.every(({ from, to }, i) => from === b[i]!.from && to === b[i]!.to)

/** `0-99 200`, as `CLUSTER NODES` has it. */
export const slotsText = (set: SlotSet, between: string = ' '): string =>
  set.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`)).join(between)

/**
 * `0-99,200`
 * @throws InvalidArgumentError
 */
export const slotsFrom = (text: string): SlotRange[] => {
  const set = text.split(',').map(part => {
    const found = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part.trim())
    const from = Number(found?.[1])
    const to = Number(found?.[2] ?? found?.[1])
    if (found === null || from > to || to >= SLOTS)
      throw new InvalidArgumentError(`slots are given as 0-99,200: numbers from 0 to ${SLOTS - 1}, not "${text}"`)
    return { from, to }
  })
  return normalized(set)
}

/** The last so many slots of a set. */
export const lastOf = (set: SlotSet, count: number): SlotRange[] => {
  const taken: SlotRange[] = []
  let left = count
  for (const { from, to } of [...set].reverse()) {
    if (left <= 0) break
    const start = Math.max(from, to - left + 1)
    taken.unshift({ from: start, to })
    left -= to - start + 1
  }
  return taken
}
