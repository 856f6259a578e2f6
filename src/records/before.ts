/**
 * What a snapshot sees in place of what the blocks say: the committed records of keys that open transactions had
 * changed when it began and, for a transaction that reads from a snapshot, its own changes.
 */
import type { Bounds } from '../runtime/bytes.ts'
import { type ChangedKeys, type CommittedRecord, partOf, placeOf } from '../txn/changed-keys.ts'

/** The first `size` keys of a transaction. */
class Layer {
  readonly changed: ChangedKeys
  readonly size: number
  /** Of its own transaction: reads the record as it stands. */
  readonly recordNow: ((name: string) => CommittedRecord | undefined) | undefined
  private runs: readonly (readonly string[])[] | undefined

  constructor(changed: ChangedKeys, recordNow?: Layer['recordNow']) {
    this.changed = changed
    this.size = changed.size
    this.recordNow = recordNow
  }

  has(name: string): boolean {
    return this.changed.hasWithin(this.size, name)
  }

  /** Its keys in order, in one or several runs. */
  get inOrder(): readonly (readonly string[])[] {
    this.runs ??= this.changed.inOrder(this.size)
    return this.runs
  }
}

export class Before {
  private readonly layers: readonly Layer[]

  /** @internal */
  constructor(layers: readonly Layer[]) {
    this.layers = layers
  }

  /** No key is in two of them: each transaction has locked what it has changed. */
  static of(changed: readonly ChangedKeys[]): Before {
    return changed.length === 0 ? NOTHING : new Before(changed.map(keys => new Layer(keys)))
  }

  /** With a transaction's own changes over all others, as `recordNow` finds them. */
  withOwn(changed: ChangedKeys, recordNow: (name: string) => CommittedRecord | undefined): Before {
    return new Before([new Layer(changed, recordNow), ...this.layers])
  }

  get isEmpty(): boolean {
    return this.layers.length === 0
  }

  /** At least as many keys as there are. */
  get size(): number {
    return this.layers.reduce((sum, { size }) => sum + size, 0)
  }

  has(name: string): boolean {
    return this.layerOf(name) !== undefined
  }

  /** The record of such a key, undefined if there was none. */
  get(name: string): CommittedRecord | undefined {
    const layer = this.layerOf(name)
    return layer?.recordNow === undefined ? layer?.changed.get(name) : layer.recordNow(name)
  }

  /** True for what the reader has changed itself. */
  isOwn(name: string): boolean {
    return this.layerOf(name)?.recordNow !== undefined
  }

  /** The keys between bounds, in order or in reverse. */
  within(bounds: Bounds, reverse: boolean): BeforeKeys {
    const runs: Run[] = []
    for (const { inOrder } of this.layers)
      for (const names of inOrder) {
        const { from, to } = partOf(names, bounds)
        if (from < to) runs.push({ names, from, to })
      }
    return new BeforeKeys(runs, reverse)
  }

  /** All of them with their records, in no order. */
  *[Symbol.iterator](): Generator<[string, CommittedRecord | undefined], undefined> {
    for (const { changed, size, recordNow } of this.layers)
      for (const [name, record] of changed.entries(size))
        if (recordNow !== undefined) yield [name, recordNow(name)]
        else if (!this.isOwn(name)) yield [name, record]
  }

  private layerOf(name: string): Layer | undefined {
    for (const layer of this.layers) if (layer.has(name)) return layer
    return undefined
  }
}

/** What is left, [from, to), of some names in order. */
interface Run {
  readonly names: readonly string[]
  from: number
  to: number
}

/** Goes through the keys of several runs as one. */
export class BeforeKeys {
  /** The key at hand; undefined behind the last one. */
  name: string | undefined
  private readonly runs: readonly Run[]
  private readonly reverse: boolean

  constructor(runs: readonly Run[], reverse: boolean) {
    this.runs = runs
    this.reverse = reverse
    this.choose()
  }

  /** Goes to the next key. */
  advance(): void {
    const { name, reverse } = this
    for (const run of this.runs) {
      if (run.from === run.to) continue
      if (reverse && run.names[run.to - 1] === name) run.to--
      else if (!reverse && run.names[run.from] === name) run.from++
    }
    this.choose()
  }

  /** Goes to the first key that is not before `name` in the order at hand. */
  seek(name: string): void {
    for (const run of this.runs) {
      if (this.reverse) run.to = Math.max(run.from, Math.min(run.to, placeOf(run.names, name, true)))
      else run.from = Math.min(run.to, Math.max(run.from, placeOf(run.names, name, false)))
    }
    this.choose()
  }

  private choose(): void {
    const { reverse } = this
    let best: string | undefined
    for (const { names, from, to } of this.runs) {
      if (from === to) continue
      const name = names[reverse ? to - 1 : from]!
      if (best === undefined || (reverse ? name > best : name < best)) best = name
    }
    this.name = best
  }
}

const NOTHING: Before = new Before([])
