/**
 * Builds an index of the records that there are, a few milliseconds at a time. Whatever is changed meanwhile brings its
 * own entries along (`Indexes`), so that the build only ever adds what is missing:
 *
 *  - It goes through the records in the order of their keys, as each slice finds them committed.
 *  - What an open transaction has changed may be taken back, by a rollback that no index follows. Such a record waits
 *    until that has ended: those that were changed when the build began, and those that it meets.
 *
 * With the entries of each slice goes the key of the first record that may lack some (`IndexEntries.setProgress`). So a
 * crash, or a close, leaves an index that is said to be `building`, and the next one to declare it goes on from there. What
 * was changed meanwhile by those who had not declared it has made it `stale` (Q2).
 */
import { XenonError } from '../errors.ts'
import { countRange } from '../records/counts.ts'
import type { Indexes, KeptIndex } from '../records/indexes.ts'
import { RangeReader } from '../records/range-reader.ts'
import type { Store } from '../records/store.ts'
import { compareBytes } from '../runtime/bytes.ts'
import { performance, setTimeout } from '../runtime/timers.ts'
import { fromLatin1 } from '../txn/changed-keys.ts'
import type { TransactionState } from '../txn/transaction-state.ts'
import { BINARY_KEYS } from '../values/key-codec.ts'
import { resolveRange } from '../values/range.ts'
import type { Handle } from './handle.ts'

/** Milliseconds after which a slice lets others go first, and records that it takes at once. */
const SLICE_MS = 2
const SLICE_RECORDS = 256
/** Up to so many records the index is built before `db.index` returns. */
const SMALL = 2000
/** Between two looks at records that open transactions hold. */
const PAUSE_MS = 5

const ALL = resolveRange(undefined)

export interface BuildOwner<V> {
  readonly handle: Handle
  readonly store: Store<V>
  readonly indexes: Indexes<V>
  readonly kept: KeptIndex<V>
  readonly onProgress: ((progress: { done: number; total: number }) => void) | undefined
  /** It is complete: what is written down of the index says so. */
  finished(): void
  /** It cannot be built. */
  failed(): void
}

export class IndexBuild<V> {
  isReady = false
  failure: unknown = undefined
  done = 0
  total = 0
  private readonly owner: BuildOwner<V> | undefined
  private settle: { resolve: () => void; reject: (error: unknown) => void } | undefined
  private promise: Promise<void> | undefined
  /** The key behind which it goes on; undefined: it has been through. */
  private from: Uint8Array | undefined = new Uint8Array(0)
  /** Where it goes on may itself lack entries. */
  private fromInclusive = false
  /** Keys of records that wait for open transactions. */
  private waiting: Uint8Array[] = []
  /** None of those that wait, or have waited since none did, lies before it. */
  private lowest: Uint8Array | undefined

  /** Without an owner, the index is complete already. */
  constructor(owner: BuildOwner<V> | undefined) {
    this.owner = owner
    this.isReady = owner === undefined
  }

  get ready(): Promise<void> {
    if (this.promise === undefined) {
      this.promise = new Promise((resolve, reject) => {
        this.settle = { resolve, reject }
      })
      // Whoever does not wait for it finds the reason when he reads.
      this.promise.catch(() => {})
      if (this.isReady) this.settle!.resolve()
      else if (this.failure !== undefined) this.settle!.reject(this.failure)
    }
    return this.promise
  }

  /** Builds a small index at once, and begins with a large one. */
  begin(): void {
    const { store } = this.owner!
    const { space } = store
    for (const state of space.transactions.open.values())
      if (state.lastLsn !== 0) for (const [name] of space.view.of(state)) this.wait(fromLatin1(name))
    this.total = space.isRoot ? space.metadata.records : countRange(space, undefined, ALL)
    const { progress } = this.owner!.kept.entries
    if (progress !== undefined) {
      this.from = progress
      this.fromInclusive = true
      this.done = countRange(space, undefined, { ...ALL, upper: { key: progress, inclusive: false } })
    }
    if (this.total <= SMALL) {
      while (this.from !== undefined) this.slice()
      if (this.isThrough()) {
        this.finish()
        return
      }
    }
    void this.run()
  }

  /** Somebody else has taken its place, or the index was dropped. */
  abandon(reason: XenonError): void {
    if (!this.isReady && this.failure === undefined) this.fail(reason)
    this.isReady = false
    this.failure ??= reason
  }

  private async run(): Promise<void> {
    const { store, kept, handle, onProgress } = this.owner!
    const { space } = store
    try {
      while (this.failure === undefined) {
        await space.turn()
        if (this.failure !== undefined) return
        if (space.isDropped || kept.entries.space.isDropped)
          throw new XenonError('XENON_NOT_FOUND', `the index '${kept.keys.name}' was dropped while it was built`)
        this.slice()
        handle.write()
        onProgress?.({ done: this.done, total: this.total })
        if (this.failure !== undefined) return
        if (this.isThrough()) {
          this.finish()
          handle.write()
          return
        }
        if (this.from === undefined) await new Promise<void>(resolve => setTimeout(resolve, PAUSE_MS))
      }
    } catch (error) {
      this.fail(error)
    }
  }

  private isThrough(): boolean {
    return this.from === undefined && this.waiting.length === 0
  }

  private finish(): void {
    const { finished, store, kept } = this.owner!
    store.space.implicitly(state => kept.entries.setProgress(state, undefined))
    finished()
    this.total = Math.max(this.total, this.done)
    this.isReady = true
    this.settle?.resolve()
  }

  private fail(error: unknown): void {
    this.failure = error
    this.owner!.failed()
    this.settle?.reject(error)
  }

  /** Adds the entries of some records. */
  private slice(): void {
    const { space } = this.owner!.store
    const until = performance.now() + SLICE_MS
    if (space.room.tight) space.room.admit(true)
    const keys = this.from === undefined ? this.waiting : this.next(this.from)
    if (this.from === undefined) this.waiting = []
    else if (keys.length === 0) this.from = undefined
    let i = 0
    space.implicitly(state => {
      for (; i < keys.length; i++) {
        const key = keys[i]!
        if (!this.add(state, key)) this.wait(key)
        if (this.from !== undefined) {
          this.from = key
          this.fromInclusive = false
          this.done++
        }
        if (performance.now() > until) break
      }
      if (this.total > SMALL) this.note(state)
    })
    if (this.from === undefined) this.waiting = this.waiting.concat(keys.slice(i + 1))
    if (this.waiting.length === 0) this.lowest = undefined
  }

  private wait(key: Uint8Array): void {
    this.waiting.push(key)
    if (this.lowest === undefined || compareBytes(key, this.lowest) < 0) this.lowest = key
  }

  /** Writes down from where somebody else would have to go on. */
  private note(state: TransactionState): void {
    const { from, lowest, owner } = this
    const isLower = lowest !== undefined && (from === undefined || compareBytes(lowest, from) < 0)
    const point = isLower ? lowest : from
    if (point !== undefined && point.length > 0) owner!.kept.entries.setProgress(state, point)
  }

  /** The keys of the next committed records, those included that open transactions have changed or removed. */
  private next(from: Uint8Array): Uint8Array[] {
    const { store } = this.owner!
    const view = store.asOfNow()
    try {
      const range = from.length === 0 ? ALL : { ...ALL, lower: { key: from, inclusive: this.fromInclusive } }
      const wanted = { keys: true, values: false, codec: BINARY_KEYS }
      const reader = new RangeReader<V, Uint8Array>(store, range, wanted, view)
      const keys: Uint8Array[] = []
      while (keys.length < SLICE_RECORDS && reader.load(SLICE_RECORDS - keys.length)) keys.push(...reader.keys)
      return keys
    } finally {
      view.end()
    }
  }

  /** False if an open transaction stands in the way. */
  private add(state: TransactionState, key: Uint8Array): boolean {
    const { store, indexes, kept } = this.owner!
    const { index, transactions } = store.space
    index.key.set(key)
    if (transactions.locks.exclusiveOwner(index.key.lock) !== 0) return false
    const before = transactions.savepoint(state)
    try {
      indexes.addTo(kept, state, key)
      return true
    } catch (error) {
      if (!(error instanceof XenonError && error.code === 'XENON_LOCK_CONFLICT')) throw error
      transactions.rollbackTo(state, before)
      return false
    }
  }
}
