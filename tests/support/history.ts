/**
 * The oracle of a crash: committed changes in order, the first of them certain to survive.
 * What is recovered must equal the state after one of the commits, not before the last certain one.
 */
import { firstDifference, type Records, sameValue } from './model.ts'

/** A key and its new value; undefined when it was deleted. */
export type Change<V> = readonly [key: string, value: V | undefined]

export class History<V> {
  #base: Records<V>
  #commits: (readonly Change<V>[])[] = []
  #certain = 0
  /** Grows with each `settle`: the numbers of commits begin anew. */
  epoch = 0

  constructor(base: ReadonlyMap<string, V> = new Map()) {
    this.#base = new Map(base)
  }

  /** Notes a commit; returns its number, counted from 1. */
  commit(changes: readonly Change<V>[]): number {
    return this.#commits.push(changes)
  }

  /** Commits up to this number must survive; all of them when it is left out. */
  certain(number: number = this.#commits.length): void {
    this.#certain = Math.max(this.#certain, number)
  }

  /** Forgets the past: the state is `records` for certain. */
  settle(records: ReadonlyMap<string, V>): void {
    this.#base = new Map(records)
    this.#commits = []
    this.#certain = 0
    this.epoch++
  }

  /** The number of the commit whose state `recovered` equals; throws when there is none that may be. */
  expectRecovered(recovered: ReadonlyMap<string, V>): number {
    const state = new Map(this.#base)
    const different = new Set<string>()
    const weigh = (key: string): void => {
      if (state.has(key) === recovered.has(key) && sameValue(state.get(key), recovered.get(key))) {
        different.delete(key)
      } else {
        different.add(key)
      }
    }
    for (const key of new Set([...state.keys(), ...recovered.keys()])) weigh(key)
    let atCertain: string | undefined
    for (let number = 0; number <= this.#commits.length; number++) {
      for (const [key, value] of number === 0 ? [] : this.#commits[number - 1]!) {
        if (value === undefined) state.delete(key)
        else state.set(key, value)
        weigh(key)
      }
      if (number < this.#certain) continue
      if (different.size === 0) return number
      atCertain ??= `${different.size} records differ, ${firstDifference(recovered, state)}`
    }
    throw new Error(
      `recovered is none of the states after commits ${this.#certain} to ${this.#commits.length}; ` +
        `against the first of these: ${atCertain}`,
    )
  }
}
