/**
 * The records of a key space as commands see them: those of the root or of a sub-database, or inside BEGIN those that
 * the transaction sees.
 */

import type { IndexReads } from '../../database/index-reads.ts'
import type { KeyListener, KeyObserver } from '../../database/key-observer.ts'
import type { EncodingNames } from '../../database/stored-encodings.ts'
import type { Outer } from '../../database/sub.ts'
import type { Transaction } from '../../database/transaction.ts'
import { shown, XenonError } from '../../errors.ts'
import type { Records } from '../../records/bulk.ts'
import type { Range } from '../../types.ts'
import type { KeyUse } from '../../values/key.ts'
import { MAX_KEY_BYTES } from '../../values/limits.ts'
import type { Watcher } from '../../values/watcher.ts'
import type { ReplyWriter } from '../protocol/reply.ts'
import type { Arguments } from '../protocol/request.ts'
import type { Counts } from '../service/counts.ts'
import type { KeyEvent } from '../service/key-events.ts'
import { CommandError } from './errors.ts'
import type { Observation } from './observation.ts'

/** The records of a key space: those of the database, or in a cluster those with their slots in front (`slotted.ts`). */
export type KeyRecords = Pick<Records<Uint8Array>, keyof Records<Uint8Array>>

/** What commands do with an interactive transaction. */
export type KeyTransaction = Pick<
  Transaction<Uint8Array, Uint8Array>,
  'get' | 'has' | 'timeOf' | 'putUntil' | 'delete' | 'changeExpiryTime' | 'count' | 'clear' | 'keys' | 'entries'
>

/** Keys that an open transaction has changed. */
export type ChangedKeys = Map<Keyspace, Set<string>>

/** Somebody who waits for a key to change (WATCH). */
export interface KeyWatcher {
  dirty: boolean
}

/** What holds for all key spaces of a server. */
interface Shared {
  /** Set while a command runs inside an interactive transaction. */
  inside: Inside | undefined
  /** What every change is refused with, while the database is open for reading alone. */
  refusal: XenonError | undefined
}

/** What CONFIG SET may change. */
export interface Limits {
  readonly maxArgumentBytes: number
}

export interface Inside {
  /** Where the transaction was begun: the root. */
  readonly keys: Keyspace
  readonly transaction: Transaction<Uint8Array, Uint8Array>
  /** Keys that it has changed. */
  readonly changed: ChangedKeys
}

export class Keyspace {
  readonly db: Outer<Uint8Array, Uint8Array>
  readonly records: KeyRecords
  /** The longest key. */
  readonly maxKeyBytes: number
  private watchers: Map<string, Set<KeyWatcher>> = new Map()
  private readonly inner: Map<string, Keyspace> = new Map()

  private readonly shared: Shared
  private readonly counts: Counts
  private readonly limits: Limits
  private readonly observation: Observation
  private observer: KeyObserver | undefined
  /** Of one of the numbered databases. */
  number: number | undefined

  constructor(
    db: Outer<Uint8Array, Uint8Array>,
    limits: Limits,
    counts: Counts,
    observation: Observation,
    shared: Shared = { inside: undefined, refusal: undefined },
    records: KeyRecords = db.records(),
    maxKeyBytes: number = MAX_KEY_BYTES,
  ) {
    this.shared = shared
    this.counts = counts
    this.observation = observation
    this.db = db
    this.records = records
    this.maxKeyBytes = maxKeyBytes
    this.limits = limits
  }

  /** Runs a command inside an interactive transaction. */
  during(inside: Inside, work: () => void): void {
    const { shared } = this
    shared.inside = inside
    try {
      work()
    } finally {
      shared.inside = undefined
    }
  }

  /** The interactive transaction that the command at hand runs in. */
  get transaction(): KeyTransaction | undefined {
    const { inside } = this.shared
    if (inside === undefined) return undefined
    return inside.keys === this ? inside.transaction : inside.transaction.in<Uint8Array, Uint8Array>(this.db)
  }

  get refusal(): XenonError | undefined {
    return this.shared.refusal
  }

  set refusal(refusal: XenonError | undefined) {
    this.shared.refusal = refusal
  }

  /** The longest value. */
  get maxValueBytes(): number {
    return this.limits.maxArgumentBytes
  }

  now(): number {
    return this.records.now()
  }

  /** Commands that read say whether they have found the key that they looked for. */
  lookedFor(found: boolean, key: Uint8Array): void {
    this.counts.lookedFor(found)
    if (!found) this.tell('keymiss', key)
  }

  /** Tells whoever listens to keyspace notifications what has happened to a key. */
  tell(event: KeyEvent, key: Uint8Array): void {
    const { observation, number } = this
    if (observation.isOn && number !== undefined) observation.events.publish(number, event, key)
  }

  /** The database tells of changes of this and of the sub-databases in it that are known, or does not any more. */
  observe(isOn: boolean): void {
    const { observation } = this
    this.observer?.end()
    this.observer = isOn
      ? this.db.observeKeys(
          this.listener({
            changed: (name, now) => observation.changed(this.number, name, now),
            cleared: () => observation.cleared(),
          }),
        )
      : undefined
    for (const inner of this.inner.values()) if (!inner.db.closed) inner.observe(isOn)
  }

  /** Told of keys as clients know them. */
  protected listener(listener: KeyListener): KeyListener {
    return listener
  }

  /** Answers with the value of a key of the request. */
  answer(out: ReplyWriter, request: Arguments, index: number): void {
    const { source, starts, ends } = request
    const start = starts[index]!
    const end = ends[index]!
    if (this.transaction === undefined && end > start && end - start <= this.maxKeyBytes) {
      const { records } = this
      const length = records.find(source, start, end)
      this.counts.lookedFor(length >= 0)
      if (length < 0) {
        if (this.observation.isOn) this.tell('keymiss', source.subarray(start, end))
        out.null()
        return
      }
      out.bulkPart(records.bytes, records.at, length)
      records.letGo()
      return
    }
    const value = this.get(source.subarray(start, end))
    this.lookedFor(value !== undefined, source.subarray(start, end))
    if (value === undefined) out.null()
    else out.bulk(value)
  }

  get(key: Uint8Array): Uint8Array | undefined {
    if (!this.isKey(key)) return undefined
    return this.transaction === undefined ? this.records.get(key) : this.transaction.get(key)
  }

  has(key: Uint8Array): boolean {
    if (!this.isKey(key)) return false
    return this.transaction === undefined ? this.records.has(key) : this.transaction.has(key)
  }

  /** `has` for a key of the request. */
  hasAt({ source, starts, ends }: Arguments, index: number): boolean {
    const start = starts[index]!
    const end = ends[index]!
    if (this.transaction !== undefined || end === start || end - start > this.maxKeyBytes)
      return this.has(source.subarray(start, end))
    return this.records.hasPart(source, start, end)
  }

  /** Calls `work` for every `step`th argument of the request, to change the key there or to read it. */
  each(request: Arguments, step: number, use: KeyUse, work: (index: number) => void): void {
    this.records.each(request, 1, step, use, work)
  }

  /** When a key expires, in milliseconds since 1970: 0 if it does not, undefined if there is none. */
  timeOf(key: Uint8Array): number | undefined {
    if (!this.isKey(key)) return undefined
    return this.transaction === undefined ? this.records.timeOf(key) : this.transaction.timeOf(key)
  }

  /** `event`: what it is called in keyspace notifications; false: the caller tells it, and the key counts as new. */
  put(key: Uint8Array, value: Uint8Array, expiresAt: number, event: KeyEvent | false): void {
    if (!this.isKey(key)) throw new CommandError(`ERR a key has 1 to ${this.maxKeyBytes} bytes`)
    this.requireLength(value.length)
    this.requireWritable()
    const { isOn, events } = this.observation
    const isNew = isOn && events.wants('new') && (event === false || !this.has(key))
    if (this.transaction === undefined) this.records.put(key, value, expiresAt)
    else this.transaction.putUntil(key, value, expiresAt)
    this.counts.changes++
    this.touch(key)
    if (isNew) this.tell('new', key)
    if (isOn && event !== false) this.tell(event, key)
  }

  private requireWritable(): void {
    if (this.refusal !== undefined) throw this.refusal
  }

  requireLength(bytes: number): void {
    if (bytes > this.maxValueBytes)
      throw new CommandError('ERR string exceeds maximum allowed size (proto-max-bulk-len)')
  }

  /** `event`: as of `put`. */
  delete(key: Uint8Array, event: KeyEvent | false = 'del'): boolean {
    if (!this.isKey(key)) return false
    this.requireWritable()
    const found = this.transaction === undefined ? this.records.delete(key) : this.transaction.delete(key)
    if (found) {
      this.counts.changes++
      this.touch(key)
      if (event !== false) this.tell(event, key)
    }
    return found
  }

  /** False if there is no such key, or (to take the time away with 0) none that expires. */
  changeExpiry(key: Uint8Array, expiresAt: number): boolean {
    if (!this.isKey(key)) return false
    this.requireWritable()
    const changed =
      this.transaction === undefined
        ? this.records.changeExpiry(key, expiresAt)
        : this.transaction.changeExpiryTime(key, expiresAt)
    if (changed) {
      this.counts.changes++
      this.touch(key)
      this.tell(expiresAt === 0 ? 'persist' : 'expire', key)
    }
    return changed
  }

  private isKey(key: Uint8Array): boolean {
    return key.length > 0 && key.length <= this.maxKeyBytes
  }

  count(): number {
    return this.transaction?.count() ?? this.records.count()
  }

  /** The keys of a range, in their order. */
  rangeKeys(range: Range): Iterable<Uint8Array> {
    return (this.transaction ?? this.db).keys(range)
  }

  /** Keys and values of a range, in the order of the keys. */
  rangeEntries(range: Range): Iterable<[Uint8Array, Uint8Array]> {
    return (this.transaction ?? this.db).entries(range)
  }

  /** A secondary index, as the transaction at hand sees it. */
  index(name: string): IndexReads<Uint8Array, Uint8Array> {
    const found = this.db.foundIndex(name)
    const { inside } = this.shared
    return inside === undefined ? found : found.in(inside.transaction)
  }

  rangeCount(range: Range): number {
    return (this.transaction ?? this.db).count(range)
  }

  /** The keys that begin so lie together, so that they are found without a look at the others. */
  finds(prefix: Uint8Array): boolean {
    if (this.transaction !== undefined) return true
    return this.records.ordered && prefix.length > 0 && prefix.length <= this.maxKeyBytes
  }

  watchRange(range: Range): Watcher<Uint8Array, Uint8Array> {
    return this.db.watch(range)
  }

  /** Runs `work` so that all of it happens or nothing. */
  together<T>(work: () => T): T {
    return this.observation.announcements.together(() =>
      this.transaction === undefined ? this.records.together(work) : work(),
    )
  }

  /**
   * Outside of EXEC and BEGIN: what clears waits for open transactions, since it would go by records beside them. It is
   * refused while somebody watches a range; `all`: also of the sub-databases that lie in it.
   */
  requireQuiet(all: boolean): void {
    if (this.transaction !== undefined) return
    if ((all ? this.withInner() : [this]).some(({ records }) => records.isWatched))
      throw new CommandError(
        'ERR somebody watches a range of these records (WATCHRANGE) and is told of each, so ASYNC would hold up all others; say SYNC',
      )
    this.records.requireQuiet()
  }

  /** Removes everything. Who watches a key that is not there notices nothing. */
  clear(): void {
    this.requireWritable()
    const watched = [...this.watchers.keys()].filter(key => this.has(Buffer.from(key, 'latin1')))
    if (this.transaction === undefined) this.records.clear()
    else this.transaction.clear()
    this.counts.changes++
    for (const key of watched) this.touchName(key)
    this.observation.cleared()
  }

  /** Removes everything, of the sub-databases that lie in it too, which stay. */
  clearAll(): void {
    const all = this.withInner()
    const clear = (): void => {
      for (const each of all) each.clear()
    }
    // Nobody is in the way of any: each goes at once, whatever it holds.
    if (this.transaction === undefined && this.records.isQuiet) clear()
    else this.together(clear)
  }

  private withInner(): Keyspace[] {
    return [this, ...this.db.subs().flatMap(name => this.sub(name).withInner())]
  }

  /**
   * A sub-database that lies in it.
   * @throws XenonError `XENON_NOT_FOUND`
   */
  sub(name: string): Keyspace {
    const known = this.inner.get(name)
    if (known !== undefined && !known.db.closed) return known
    const db = this.db.subAsBytes(name)
    if (db === undefined) throw new XenonError('XENON_NOT_FOUND', `there is no sub-database '${shown(name)}'`)
    const keys = new Keyspace(db, this.limits, this.counts, this.observation, this.shared)
    if (this.observation.isOn) keys.observe(true)
    this.inner.set(name, keys)
    return keys
  }

  /** The encodings of a sub-database that lies in it, made if there is none; one that exists must have those given. */
  declareSub(name: string, encodings: Partial<EncodingNames>): EncodingNames {
    if (this.refusal !== undefined && this.db.subAsBytes(name) === undefined) throw this.refusal
    return this.db.declareSub(name, encodings)
  }

  /** Drops a sub-database that lies in it. Who watches a key there learns that it has changed. */
  drop(name: string): boolean {
    this.requireWritable()
    const dropped = this.db.drop(name)
    const inner = this.inner.get(name)
    this.inner.delete(name)
    if (dropped && inner !== undefined) {
      inner.stopObserving()
      inner.notifyAll()
    }
    return dropped
  }

  /** Everything in it may be another: caches are told. */
  tellCleared(): void {
    this.observation.cleared()
  }

  /** It was dropped, with what lies in it. */
  private stopObserving(): void {
    this.observer?.end()
    this.observer = undefined
    for (const inner of this.inner.values()) inner.stopObserving()
  }

  private notifyAll(): void {
    for (const key of this.watchers.keys()) this.notify(key)
    for (const inner of this.inner.values()) inner.notifyAll()
  }

  watch(key: string, watcher: KeyWatcher): void {
    let watchers = this.watchers.get(key)
    if (watchers === undefined) {
      watchers = new Set()
      this.watchers.set(key, watchers)
    }
    watchers.add(watcher)
  }

  unwatch(key: string, watcher: KeyWatcher): void {
    const watchers = this.watchers.get(key)
    if (watchers?.delete(watcher) && watchers.size === 0) this.watchers.delete(key)
  }

  /** The records of both change places: a key that either has is one that changes, in both. */
  notifyChanged(other: Keyspace): void {
    for (const keys of [this, other])
      for (const key of keys.watchers.keys()) {
        const bytes = Buffer.from(key, 'latin1')
        if (this.has(bytes) || other.has(bytes)) keys.notify(key)
      }
  }

  swapWatchers(other: Keyspace): void {
    const { watchers } = this
    this.watchers = other.watchers
    other.watchers = watchers
  }

  /** Whoever watches the key learns that it has changed. */
  notify(key: string): void {
    for (const watcher of this.watchers.get(key) ?? []) watcher.dirty = true
  }

  private touch(key: Uint8Array): void {
    if (this.watchers.size > 0 || this.shared.inside !== undefined) this.touchName(keyName(key))
  }

  private touchName(name: string): void {
    const changed = this.shared.inside?.changed
    if (changed === undefined) this.notify(name)
    else {
      const names = changed.get(this) ?? new Set()
      changed.set(this, names.add(name))
    }
  }
}

/** A key as a string of one character per byte. */
export const keyName = (key: Uint8Array): string =>
  Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1')
