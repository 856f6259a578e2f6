/**
 * The keys that one open transaction has changed, each with the record that was committed before: keys are only ever
 * added, so that a snapshot shares them and remembers how many there were when it began. Keys are Latin-1 text of their
 * bytes, which sorts as the bytes do.
 */
import type { Bounds } from '../runtime/bytes.ts'

/** The record as it was: its flags and field; `undefined` where there was none. */
export interface CommittedRecord {
  flags: number
  field: Uint8Array
}

interface ChangedKey {
  readonly record: CommittedRecord | undefined
  /** How many were known before it. */
  readonly number: number
}

/** A run takes in the one behind it once that has a quarter of its size: each key is merged a few times in all. */
const RUN_RATIO = 4

export class ChangedKeys {
  private readonly keys: Map<string, ChangedKey> = new Map()
  private readonly names: string[] = []
  /** The names in order, in runs of falling length that are never changed, and how many are in them. */
  private runs: (readonly string[])[] = []
  private sorted = 0

  get size(): number {
    return this.names.length
  }

  has(name: string): boolean {
    return this.keys.has(name)
  }

  get(name: string): CommittedRecord | undefined {
    return this.keys.get(name)?.record
  }

  /** True if it was one of the first `size` keys. */
  hasWithin(size: number, name: string): boolean {
    const key = this.keys.get(name)
    return key !== undefined && key.number < size
  }

  /** The first `size` keys with their records, in no order. */
  *entries(size: number = this.size): Generator<[string, CommittedRecord | undefined], undefined> {
    for (let i = 0; i < size; i++) {
      const name = this.names[i]!
      yield [name, this.keys.get(name)!.record]
    }
  }

  /** Those that were added after the first `from`. */
  namesFrom(from: number): readonly string[] {
    return this.names.slice(from)
  }

  [Symbol.iterator](): Iterator<[string, CommittedRecord | undefined]> {
    return this.entries()
  }

  /** The first record of a key stays: what a transaction has changed twice was committed before the first time. */
  add(name: string, record: CommittedRecord | undefined): void {
    if (this.keys.has(name)) return
    this.keys.set(name, { record, number: this.names.length })
    this.names.push(name)
  }

  /** The first `size` keys in order, in one or several runs. */
  inOrder(size: number = this.size): readonly (readonly string[])[] {
    if (size < this.size) return [this.names.slice(0, size).sort(byCode)]
    if (this.sorted < size) this.sortNew()
    return this.runs
  }

  private sortNew(): void {
    const runs = [...this.runs]
    let last: readonly string[] = this.names.slice(this.sorted).sort(byCode)
    while (runs.length > 0 && runs.at(-1)!.length <= RUN_RATIO * last.length) last = merged(runs.pop()!, last)
    runs.push(last)
    this.runs = runs
    this.sorted = this.size
  }

  /** Whether one of them lies between the bounds. */
  isAnyWithin(bounds: Bounds): boolean {
    return this.inOrder().some(run => {
      const { from, to } = partOf(run, bounds)
      return from < to
    })
  }
}

const byCode = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const merged = (a: readonly string[], b: readonly string[]): string[] => {
  const all: string[] = []
  let i = 0
  for (const name of b) {
    while (i < a.length && a[i]! < name) all.push(a[i++]!)
    all.push(name)
  }
  while (i < a.length) all.push(a[i++]!)
  return all
}

/** The part [from, to) of names in order that lies between bounds. */
export const partOf = (names: readonly string[], { lower, upper }: Bounds): { from: number; to: number } => ({
  from: lower === undefined ? 0 : placeOf(names, latin1(lower.key), !lower.inclusive),
  to: upper === undefined ? names.length : placeOf(names, latin1(upper.key), upper.inclusive),
})

/** Index of the first name that is not before `name`, or `behind` it. */
export const placeOf = (names: readonly string[], name: string, behind: boolean): number => {
  let low = 0
  let high = names.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const other = names[middle]!
    if (behind ? other <= name : other < name) low = middle + 1
    else high = middle
  }
  return low
}

/** The bytes of such a string. */
export const fromLatin1 = (text: string): Uint8Array => {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i)
  return bytes
}

/** A key's bytes as a string of one character each, to look it up in a Map. */
export const latin1 = (u8: Uint8Array, start: number = 0, length: number = u8.length): string => {
  let text = ''
  for (let i = start; i < start + length; i++) text += String.fromCharCode(u8[i]!)
  return text
}
