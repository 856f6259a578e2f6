/**
 * Where in the hash index the keys lie that an open transaction has changed, so that whoever goes through the buckets
 * finds those of one bucket without looking at all of them.
 */
import { INDEX_BLOCKS } from '../pager/layout.ts'
import { type ChangedKeys, fromLatin1 } from '../txn/changed-keys.ts'
import type { KeyHash } from './key-hash.ts'

interface KeyPlace {
  readonly position: number
  readonly name: string
}

interface Places {
  /** By index block; those of the blocks in `sorted` ascend by position. */
  readonly byRoot: KeyPlace[][]
  readonly sorted: Set<number>
  /** Keys taken in so far. */
  taken: number
}

export class ChangedPlaces {
  private readonly hash: KeyHash
  private readonly known: WeakMap<ChangedKeys, Places> = new WeakMap()

  constructor(hash: KeyHash) {
    this.hash = hash
  }

  /** The keys of an interval of hash positions below one of the index blocks, by its number from 1. */
  within(changed: ChangedKeys, root: number, from: number, to: number): string[] {
    const { byRoot, sorted } = this.placesOf(changed)
    const places = byRoot[root]!
    if (!sorted.has(root)) {
      places.sort((a, b) => a.position - b.position)
      sorted.add(root)
    }
    const names: string[] = []
    for (let i = firstFrom(places, from); i < places.length && places[i]!.position < to; i++)
      names.push(places[i]!.name)
    return names
  }

  private placesOf(changed: ChangedKeys): Places {
    const { hash } = this
    let places = this.known.get(changed)
    if (places === undefined) {
      places = { byRoot: Array.from({ length: INDEX_BLOCKS + 1 }, () => []), sorted: new Set(), taken: 0 }
      this.known.set(changed, places)
    }
    for (const name of changed.namesFrom(places.taken)) {
      const key = fromLatin1(name)
      hash.of(key, 0, key.length)
      const root = hash.start.lone === 0 ? hash.root : 1
      places.byRoot[root]!.push({ position: hash.position, name })
      places.sorted.delete(root)
    }
    places.taken = changed.size
    return places
  }
}

/** Index of the first place at or behind a position. */
const firstFrom = (places: readonly KeyPlace[], position: number): number => {
  let low = 0
  let high = places.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (places[middle]!.position < position) low = middle + 1
    else high = middle
  }
  return low
}
