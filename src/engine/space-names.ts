/**
 * The names of key spaces: what callers call them, with a letter before it that says what they are for. A name is unique
 * among those in the same outer space.
 */
import { shown } from '../errors.ts'
import type { SpaceFacts } from '../pager/space-block.ts'

/** The letter before the name. */
export const SUB = 's'
export const INDEX = 'i'

/** A key space by the way to it. */
export interface SpaceName {
  readonly kind: 'sub' | 'index'
  /** The names of the spaces that it lies in, from the outermost on, and its own at the end. */
  readonly path: string[]
}

/** The spaces of a list by their numbers. */
export type SpacesByNumber = ReadonlyMap<number, SpaceFacts>

/** The way to a space; undefined if one that it lies in is gone, so that nobody finds it (J1). */
export const nameOf = (facts: SpaceFacts, all: Pick<SpacesByNumber, 'get'>): SpaceName | undefined => {
  const path = [facts.name.slice(1)]
  for (let { parent, number } = facts; parent !== 0; ) {
    const outer = all.get(parent)
    // An outer space is the older one, so that the way comes to an end.
    if (outer === undefined || parent >= number) return undefined
    path.unshift(outer.name.slice(1))
    number = parent
    parent = outer.parent
  }
  return { kind: facts.name.startsWith(INDEX) ? 'index' : 'sub', path }
}

/** As messages name a space: `sub-database 'inner' of 'outer'`. */
export const spaceText = ({ kind, path }: SpaceName): string => {
  const names = path.map(name => `'${shown(name)}'`).reverse()
  return `${kind === 'sub' ? 'sub-database' : 'index'} ${names.join(' of ')}`
}

/** The same for one that nobody finds. */
export const spaceTextOf = (facts: SpaceFacts, all: SpacesByNumber): string => {
  const name = nameOf(facts, all)
  return name === undefined ? `dropped key space '${shown(facts.name.slice(1))}'` : spaceText(name)
}
