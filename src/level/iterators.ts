/** The three iterators of abstract-level over one way of going through a snapshot. */
import { AbstractIterator, AbstractKeyIterator, AbstractValueIterator } from 'abstract-level'
import type { RangeIterator } from '../range-iterator.ts'
import type { Snapshot } from '../snapshot.ts'
import { guarded } from './errors.ts'
import type { XenonLevel } from './index.ts'
import { type Data, fromStored, toText } from './keys.ts'
import { LevelRange, type RangeOptions } from './range.ts'

/** What abstract-level hands to `_iterator`, `_keys` and `_values`. */
export interface IteratorOptions extends RangeOptions {
  keyEncoding: string
  valueEncoding: string
  keys?: boolean
  values?: boolean
  snapshot?: unknown
}

/** A snapshot, and whether the iterator is the one to close it. */
export interface IteratorView {
  readonly snapshot: Snapshot<Uint8Array>
  readonly isOwn: boolean
}

type Entry = [Data | undefined, Data | undefined]
