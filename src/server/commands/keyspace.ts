/** The records as commands see them: those of the database, or inside BEGIN those that the transaction sees. */

import type { Database } from '../../database/database.ts'
import type { Transaction } from '../../database/transaction.ts'
import type { XenonError } from '../../errors.ts'
import type { Records } from '../../records/bulk.ts'
import type { KeyUse } from '../../values/key.ts'
import { MAX_KEY_BYTES } from '../../values/limits.ts'
import type { ReplyWriter } from '../protocol/reply.ts'
import type { Arguments } from '../protocol/request.ts'
import { CommandError } from './errors.ts'

/** Somebody who waits for a key to change (WATCH). */
export interface KeyWatcher {
  dirty: boolean
}

export class Keyspace {
  /** Set while a command runs inside an interactive transaction. */
  transaction: Transaction<Uint8Array> | undefined
  /** Keys that it has changed. */
  changed: Set<string> | undefined
  /** What every change is refused with, while the database is open for reading alone. */
  refusal: XenonError | undefined
  readonly db: Database<Uint8Array>
  readonly records: Records<Uint8Array>
  private readonly maxValueBytes: number
  private readonly watchers: Map<string, Set<KeyWatcher>> = new Map()

  constructor(db: Database<Uint8Array>, maxValueBytes: number) {
    this.db = db
    this.records = db.records()
    this.maxValueBytes = maxValueBytes
  }

  now(): number {
    return this.records.now()
  }

  /** Answers with the value of a key of the request. */
  answer(out: ReplyWriter, request: Arguments, index: number): void {
    const { source, starts, ends } = request
    const start = starts[index]!
    const end = ends[index]!
    if (this.transaction === undefined && end > start && end - start <= MAX_KEY_BYTES) {
      const { records } = this
      const length = records.find(source, start, end)
      if (length < 0) {
        out.null()
        return
      }
      out.bulkPart(records.bytes, records.at, length)
      records.letGo()
      return
    }
    const value = this.get(source.subarray(start, end))
    if (value === undefined) out.null()
    else out.bulk(value)
  }

  get(key: Uint8Array): Uint8Array | undefined {
    if (!isKey(key)) return undefined
    return this.transaction === undefined ? this.records.get(key) : this.transaction.get(key)
  }

  has(key: Uint8Array): boolean {
    if (!isKey(key)) return false
    return this.transaction === undefined ? this.records.has(key) : this.transaction.has(key)
  }

  /** `has` for a key of the request. */
  hasAt({ source, starts, ends }: Arguments, index: number): boolean {
    const start = starts[index]!
    const end = ends[index]!
    if (this.transaction !== undefined || end === start || end - start > MAX_KEY_BYTES)
      return this.has(source.subarray(start, end))
    return this.records.hasPart(source, start, end)
  }

  /** Calls `work` for every `step`th argument of the request, to change the key there or to read it. */
  each(request: Arguments, step: number, use: KeyUse, work: (index: number) => void): void {
    this.records.each(request, 1, step, use, work)
  }

  /** When a key expires, in milliseconds since 1970: 0 if it does not, undefined if there is none. */
  timeOf(key: Uint8Array): number | undefined {
    if (!isKey(key)) return undefined
    return this.transaction === undefined ? this.records.timeOf(key) : this.transaction.timeOf(key)
  }

  put(key: Uint8Array, value: Uint8Array, expiresAt: number): void {
    if (!isKey(key)) throw new CommandError(`ERR a key has 1 to ${MAX_KEY_BYTES} bytes`)
    this.requireLength(value.length)
    this.requireWritable()
    if (this.transaction === undefined) this.records.put(key, value, expiresAt)
    else this.transaction.putUntil(key, value, expiresAt)
    this.touch(key)
  }

  private requireWritable(): void {
    if (this.refusal !== undefined) throw this.refusal
  }

  requireLength(bytes: number): void {
    if (bytes > this.maxValueBytes)
      throw new CommandError('ERR string exceeds maximum allowed size (proto-max-bulk-len)')
  }

  delete(key: Uint8Array): boolean {
    if (!isKey(key)) return false
    this.requireWritable()
    const found = this.transaction === undefined ? this.records.delete(key) : this.transaction.delete(key)
    if (found) this.touch(key)
    return found
  }

  /** False if there is no such key, or (to take the time away with 0) none that expires. */
  changeExpiry(key: Uint8Array, expiresAt: number): boolean {
    if (!isKey(key)) return false
    this.requireWritable()
    const changed =
      this.transaction === undefined
        ? this.records.changeExpiry(key, expiresAt)
        : this.transaction.changeExpiryTime(key, expiresAt)
    if (changed) this.touch(key)
    return changed
  }

  count(): number {
    return this.transaction?.count() ?? this.records.count()
  }

  /** Runs `work` so that all of it happens or nothing. */
  together<T>(work: () => T): T {
    return this.transaction === undefined ? this.records.together(work) : work()
  }

  /** Removes everything. Who watches a key that is not there notices nothing. */
  clear(): void {
    this.requireWritable()
    const watched = [...this.watchers.keys()].filter(key => this.has(Buffer.from(key, 'latin1')))
    if (this.transaction === undefined) this.records.clear()
    else this.transaction.clear()
    for (const key of watched)
      if (this.changed === undefined) this.notify(key)
      else this.changed.add(key)
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

  /** Whoever watches the key learns that it has changed. */
  notify(key: string): void {
    for (const watcher of this.watchers.get(key) ?? []) watcher.dirty = true
  }

  private touch(key: Uint8Array): void {
    if (this.changed !== undefined) this.changed.add(keyName(key))
    else if (this.watchers.size > 0) this.notify(keyName(key))
  }
}

const isKey = (key: Uint8Array): boolean => key.length > 0 && key.length <= MAX_KEY_BYTES

/** A key as a string of one character per byte. */
export const keyName = (key: Uint8Array): string =>
  Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1')
