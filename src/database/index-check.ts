/** Compares an index with the records as of one moment: each entry with its record, each record with its entries. */
import { reasonOf, XenonError, type XenonErrorCode } from '../errors.ts'
import type { AsOf } from '../records/as-of.ts'
import type { Found } from '../records/found.ts'
import type { IndexReader } from '../records/index-reader.ts'
import type { Indexes, KeptIndex } from '../records/indexes.ts'
import { RangeReader } from '../records/range-reader.ts'
import { compareBytes } from '../runtime/bytes.ts'
import { performance } from '../runtime/timers.ts'
import type { IndexReport, TupleKey } from '../types.ts'
import { BINARY_KEYS } from '../values/key-codec.ts'
import { resolveRange } from '../values/range.ts'
import { decodeTuple, encodeTuple, joinTuples } from '../values/tuple.ts'
import { tupleToJson } from '../values/tuple-json.ts'

const SLICE_MS = 4
const MOST_PROBLEMS = 100
/** Errors that say something of one record. */
const OF_A_RECORD: ReadonlySet<XenonErrorCode> = new Set(['XENON_INDEX', 'XENON_DECODE', 'XENON_INVALID_ARGUMENT'])
const ALL = resolveRange(undefined)

export interface CheckedIndex<V> {
  readonly name: string
  readonly unique: boolean
  readonly reader: IndexReader<V>
  readonly indexes: Indexes<V>
  readonly kept: KeptIndex<V>
}

/** @throws XenonError `XENON_SNAPSHOT_LOST`. */
export const checkIndex = async <V>(parts: CheckedIndex<V>): Promise<IndexReport> => {
  const check = new IndexCheck(parts)
  try {
    await check.records()
    await check.entries()
  } finally {
    check.end()
  }
  return check.report
}

class IndexCheck<V> {
  readonly report: IndexReport = { ok: true, records: 0, entries: 0, problems: [], problemCount: 0 }
  private readonly parts: CheckedIndex<V>
  private readonly view: AsOf
  private readonly entryView: AsOf
  private until = performance.now() + SLICE_MS

  constructor(parts: CheckedIndex<V>) {
    this.parts = parts
    this.view = parts.reader.records.asOfNow()
    this.entryView = parts.reader.entries.asOfNow()
  }

  end(): void {
    this.view.end()
    this.entryView.end()
  }

  /** Each record has its entries. */
  async records(): Promise<void> {
    const { reader } = this.parts
    const keys = new RangeReader<V, Uint8Array>(reader.records, ALL, KEYS, this.view)
    while (keys.load())
      for (const key of keys.keys) {
        const found = this.view.find(key)
        if (found === undefined) continue
        this.report.records++
        for (const indexKey of this.keysOf(key, found))
          if (!this.has(indexKey, key)) this.note('has no entry for', key, indexKey)
        await this.turn()
      }
  }

  /** Each entry has its record. */
  async entries(): Promise<void> {
    const { reader } = this.parts
    const entries = reader.readerOf(ALL, this.entryView)
    const at = reader.newEntry()
    while (entries.load())
      for (const [i, entry] of entries.keys.entries()) {
        this.report.entries++
        at.goTo(entry, entries.values[i])
        const { indexKey, key } = at
        const found = this.view.find(key)
        // It may have expired, and wait for the sweep.
        if (found === undefined && this.isStanding(key)) continue
        const bytes = encodeTuple(indexKey)
        const keys = found === undefined ? [] : this.keysOf(key, found)
        if (!keys.some(each => compareBytes(each, bytes) === 0))
          this.noteKey('has an entry too many for', key, indexKey)
        await this.turn()
      }
  }

  /** What cannot be asked of a record is a problem too. */
  private keysOf(key: Uint8Array, found: Found): readonly Uint8Array[] {
    try {
      return this.parts.indexes.keysOf(this.parts.kept, key, found)
    } catch (error) {
      if (!(error instanceof XenonError && OF_A_RECORD.has(error.code))) throw error
      this.add(`the index '${this.parts.name}' cannot be compared: ${reasonOf(error)}`)
      return []
    }
  }

  private has(indexKey: Uint8Array, key: Uint8Array): boolean {
    const { unique, reader } = this.parts
    const found = this.entryView.find(unique ? indexKey : joinTuples(indexKey, key))
    if (found === undefined || !unique) return found !== undefined
    return compareBytes(reader.entries.values.bytesOf(found), key) === 0
  }

  private isStanding(key: Uint8Array): boolean {
    const { space } = this.parts.reader.records
    const { before } = this.view
    space.index.key.set(key)
    const { name } = space.index.key
    if (before.has(name)) return before.get(name) !== undefined
    return this.view.read(() => space.index.find() !== 0)
  }

  private note(what: string, key: Uint8Array, indexKey: Uint8Array): void {
    this.noteKey(what, key, decodeTuple(indexKey))
  }

  private noteKey(what: string, key: Uint8Array, indexKey: TupleKey): void {
    const { parts } = this
    const named = parts.reader.records.keys.named(key)
    const shown = typeof named === 'string' ? `'${named}'` : `0x${Array.from(named, toHex).join('')}`
    this.add(`the index '${parts.name}' ${what} the key ${shown} under ${tupleToJson(indexKey)}`)
  }

  private add(problem: string): void {
    const { report } = this
    report.ok = false
    report.problemCount++
    if (report.problems.length < MOST_PROBLEMS) report.problems.push(problem)
  }

  private async turn(): Promise<void> {
    if (performance.now() < this.until) return
    await this.parts.reader.records.space.turn()
    this.until = performance.now() + SLICE_MS
  }
}

const KEYS = { keys: true, values: false, codec: BINARY_KEYS }
const toHex = (byte: number): string => byte.toString(16).padStart(2, '0')
