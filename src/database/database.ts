/** The database: the synchronous key-value API over the engine. */

import type { Engine } from '../engine/engine.ts'
import { InvalidArgumentError, XenonError } from '../errors.ts'
import { KEYS_AHEAD, LOOK_AHEAD_FROM } from '../hash/keys-ahead.ts'
import { backup } from '../maintenance/backup.ts'
import { compact } from '../maintenance/compact.ts'
import { convertIndex } from '../maintenance/convert.ts'
import { collectStats } from '../maintenance/stats.ts'
import { verifyDatabase } from '../maintenance/verify/verify.ts'
import { Records } from '../records/bulk.ts'
import { RangeCursor, type RangeIterator } from '../records/range-iterator.ts'
import { Ranges } from '../records/ranges.ts'
import { Store } from '../records/store.ts'
import { Sweeper } from '../records/sweeper.ts'
import { requireDone, requireProgress, requireSyncFunction } from '../runtime/callbacks.ts'
import { setTimeout } from '../runtime/timers.ts'
import type { Storage } from '../storage/storage.ts'
import type { TransactionState } from '../txn/transaction-state.ts'
import type {
  BackupReport,
  BatchOperation,
  CompactReport,
  Durability,
  Entry,
  GivenRange,
  Key,
  ProgressOptions,
  PutOptions,
  Stats,
  TransactionOptions,
  VerifyOptions,
  VerifyReport,
  WatchOptions,
} from '../types.ts'
import { type BatchChange, readBatch } from '../values/batch.ts'
import { refuseOptions, requireIsolation, requireList, requireObject } from '../values/checks.ts'
import { Compression } from '../values/compression.ts'
import { BINARY_KEYS } from '../values/key-codec.ts'
import { checkedTtl } from '../values/ttl.ts'
import { checkedWatch, type Watcher } from '../values/watcher.ts'
import { AsyncDatabase } from './async-store.ts'
import { Cursor } from './cursor.ts'
import { GroupCommit } from './group-commit.ts'
import type { ResolvedOptions } from './options.ts'
import { Snapshot } from './snapshot.ts'
import { Transaction } from './transaction.ts'
import { Watching } from './watching.ts'

/** With durability 'none', what lies in the log's buffer is written at the latest after this time. */
const WRITE_DELAY_MS = 1000

export class Database<V = string, K = string> {
  /** The path that it was opened under. */
  readonly directory: string
  readonly durability: Durability
  /** The same database with promises: what meets a lock waits for it, and commits share their fdatasync. */
  readonly async: AsyncDatabase<V, K>
  private readonly engine: Engine
  private readonly store: Store<V>
  private readonly ranges: Ranges<V>
  private readonly sweeper: Sweeper
  private readonly watching: Watching<V, K>
  private readonly storage: Storage
  /** Opened for reading alone. */
  readonly readOnly: boolean
  private readonly groupCommit: GroupCommit
  private cursorOfItsOwn: Cursor<V, K> | undefined
  private writeTimer = false
  private readonly stay: (() => void) | undefined

  /** @internal Use `open`. */
  constructor(directory: string, engine: Engine, options: ResolvedOptions<V>) {
    this.directory = directory
    this.engine = engine
    this.durability = options.durability
    this.storage = options.storage
    this.readOnly = options.readOnly
    this.store = new Store(
      engine,
      options.valueEncoding,
      new Compression(options.compression, options.storage.deflate),
      options.keys,
    )
    this.ranges = new Ranges(this.store, directory)
    this.watching = new Watching(this.store)
    this.sweeper = new Sweeper(engine, () => this.write())
    if (!options.readOnly) {
      this.sweeper.begin()
      this.stay = options.storage.onExit?.(this)
    }
    this.groupCommit = new GroupCommit(
      () => this.makeDurable(),
      () => this.makeDurableAside(),
    )
    this.async = new AsyncDatabase<V, K>(this, {
      store: this.store,
      lockTimeout: options.lockTimeout,
      check: () => this.check(),
      checkWritable: () => this.checkWritable(),
      ttlOf: given => this.ttlOf(given),
      apply: changes => this.apply(changes),
      changeExpiry: (key, ttl) => this.changeExpiry(key, ttl),
      clear: range => this.clearNow(range),
      clearInside: tx => this.clearRecords(key => tx.delete(key)),
      durableSoon: () => this.durableSoon(),
    })
  }

  /** The value of a key, or `undefined`. */
  get(key: K | Key): V | undefined {
    const given = this.store.keys.given(key)
    this.check()
    return this.store.values.of(this.store.committed.find(given))
  }

  /** The values of several keys, in their order. */
  getMany(keys: readonly (K | Key)[]): (V | undefined)[] {
    const wanted = this.store.keys.allGiven(requireList(keys))
    this.check()
    const { values, committed, engine } = this.store
    const { keysAhead } = engine
    const looksAhead = wanted.length >= LOOK_AHEAD_FROM
    try {
      return wanted.map((key, i) => {
        if (looksAhead && i % KEYS_AHEAD === 0) keysAhead.load(wanted, i)
        return values.of(committed.find(key))
      })
    } finally {
      keysAhead.clear()
    }
  }

  has(key: K | Key): boolean {
    const given = this.store.keys.given(key)
    this.check()
    return this.store.committed.has(given)
  }

  /** Stores a record; durable when it returns, as `durability` says. */
  put(key: K | Key, value: V, options?: PutOptions): void {
    const given = this.store.keys.given(key)
    this.checkWritable()
    const { writer } = this.store
    writer.put(given, value, options === undefined ? 0 : writer.timeAfter(this.ttlOf(options)))
    this.makeDurable()
  }

  /** Removes a record; true if it was there. */
  delete(key: K | Key): boolean {
    const given = this.store.keys.given(key)
    this.checkWritable()
    const { removed, found } = this.store.writer.delete(given)
    if (removed) this.makeDurable()
    return found
  }

  /** Milliseconds until a record expires: `Infinity` if it never does, `undefined` if there is none. */
  ttl(key: K | Key): number | undefined {
    const given = this.store.keys.given(key)
    this.check()
    return this.store.committed.find(given)?.ttl
  }

  /** Lets a record expire after `ttl` milliseconds from now; false if there is none. */
  expire(key: K | Key, ttl: number): boolean {
    this.checkWritable()
    const checked = this.ttlOf({ ttl: checkedTtl(ttl) })
    const changed = this.changeExpiry(key, checked)
    if (changed) this.makeDurable()
    return changed
  }

  /** Lets a record stay that was to expire; false if there is none that was. */
  persist(key: K | Key): boolean {
    this.checkWritable()
    const changed = this.changeExpiry(key, 0)
    if (changed) this.makeDurable()
    return changed
  }

  private changeExpiry(key: K | Key, ttl: number): boolean {
    const { writer, keys } = this.store
    const given = keys.given(key)
    let changed = false
    this.engine.implicitly(state => {
      changed = writer.changeExpiry(state, given, writer.timeAfter(ttl))
    })
    return changed
  }

  /** Applies the operations in order, as one transaction. */
  batch(operations: readonly BatchOperation<V, K>[]): void {
    this.checkWritable()
    this.apply(readBatch(operations, ttl => this.ttlOf({ ttl })))
    this.makeDurable()
  }

  /** When it resolves, everything committed so far survives power loss, whatever `durability` says. */
  async flush(): Promise<void> {
    this.check()
    await this.engine.log.syncAside()
    this.watching.publish(this.engine.log.syncedLsn)
  }

  /** Begins an explicit transaction; end it with `commit` or `rollback`. */
  begin(options: TransactionOptions = {}): Transaction<V, K> {
    this.check()
    if (options === null || typeof options !== 'object')
      throw new InvalidArgumentError('the options of a transaction must be an object')
    const { readOnly = false, isolation = 'serializable', ...others } = options
    requireIsolation(isolation)
    if (typeof readOnly !== 'boolean') throw new InvalidArgumentError('readOnly must be true or false')
    refuseOptions(others)
    return new Transaction(
      this.store,
      this.ranges,
      given => this.ttlOf(given),
      { now: () => this.makeDurable(), soon: () => this.durableSoon() },
      isolation,
      readOnly || this.readOnly,
    )
  }

  /** Runs `work` in a transaction, commits it and returns its result; rolls back if it throws. */
  transaction<T>(work: (tx: Transaction<V, K>) => T, options: TransactionOptions = {}): T {
    requireSyncFunction('transaction()', work)
    const tx = this.begin(options)
    let result: T
    try {
      result = work(tx)
      requireDone('transaction()', result)
      if (!tx.ended) tx.commit()
    } catch (error) {
      tx[Symbol.dispose]()
      throw error
    }
    return result
  }

  /** Puts the built-in cursor before the first record. */
  reset(): void {
    this.check()
    this.builtInCursor().reset()
  }

  /** Moves the built-in cursor to the next record; false behind the last one. */
  next(): boolean {
    this.check()
    return this.builtInCursor().next()
  }

  /** The record under the built-in cursor. */
  readCurrent(): Entry<V, K> {
    this.check()
    return this.builtInCursor().readCurrent()
  }

  /** A cursor of its own: over all records as they lie in the blocks, or, given a range, over that in key order. */
  cursor(): Cursor<V, K>
  cursor(range: GivenRange<K>): RangeCursor<V, K>
  cursor(range?: GivenRange<K>): Cursor<V, K> | RangeCursor<V, K> {
    this.check()
    if (range === undefined) return new Cursor(this.store)
    const resolved = this.ranges.resolve(range)
    return new RangeCursor(
      () => this.ranges.reader(resolved, 'entries'),
      key => this.store.keys.bound('the key to seek', key),
    )
  }

  /**
   * The keys of a range, in bytewise order (`keys('user:')`: those that begin so). An iterator sees the database as it
   * was when it was made, whatever changes meanwhile. With `keyEncoding: 'binary'` the keys are `Uint8Array`s.
   * @throws XenonError `XENON_NOT_SUPPORTED` if the database was created with `ordered: false`.
   */
  keys(range?: GivenRange<K>): RangeIterator<K, V, K> {
    this.check()
    return this.ranges.now(range, 'keys')
  }

  /** The values of a range, in the order of their keys. */
  values(range?: GivenRange<K>): RangeIterator<V, V, K> {
    this.check()
    return this.ranges.now(range, 'values')
  }

  /** The records of a range as `[key, value]`, in the order of their keys. */
  entries(range?: GivenRange<K>): RangeIterator<[K, V], V, K> {
    this.check()
    return this.ranges.now(range, 'entries')
  }

  [Symbol.iterator](): RangeIterator<[K, V], V, K> {
    return this.entries()
  }

  /** Number of records, or of those in a range. */
  count(range?: GivenRange<K>): number {
    const snapshot = this.snapshot()
    try {
      return snapshot.count(range)
    } finally {
      snapshot.close()
    }
  }

  /** Removes all records, or those of a range, as one transaction. */
  clear(range?: GivenRange<K>): void {
    this.checkWritable()
    this.clearNow(range)
    this.makeDurable()
  }

  private clearNow(range: GivenRange<K> | undefined): void {
    this.engine.implicitly(state => {
      if (range !== undefined || this.engine.metadata.ordered) this.ranges.clear(state, this.ranges.resolve(range))
      else this.clearRecords(key => this.store.writer.deleteIn(state, key))
    })
  }

  /** Removes all records in the order in which they lie. */
  private clearRecords(remove: (key: Uint8Array) => void): void {
    const cursor = new Cursor<V, Uint8Array>(this.store, BINARY_KEYS)
    while (cursor.next()) remove(cursor.currentKey())
  }

  /**
   * A consistent view of what is committed now. It never blocks and is never blocked; close it, since it keeps the
   * earlier states of blocks in memory that change meanwhile (at most `snapshotBytes`).
   */
  snapshot(): Snapshot<V, K> {
    this.check()
    return new Snapshot(this.store, this.ranges)
  }

  /**
   * The changes that are committed from now on, in commit order, each once it is as durable as `durability` says:
   * `for await (const { type, key, value } of db.watch('user:'))`. Records that expire are deleted when the sweep
   * comes to them.
   */
  watch(range?: GivenRange<K>, options: WatchOptions = {}): Watcher<V, K> {
    this.check()
    const { range: watched, buffer, signal } = checkedWatch(range, options, this.store.keys)
    return this.watching.watch(watched, buffer, signal)
  }

  /** @internal What the server reads and writes, and makes durable once for all clients of a turn. */
  records(): Records<V> {
    return new Records(this.store, this.ranges, {
      check: () => this.check(),
      checkWritable: () => this.checkWritable(),
      makeDurable: () => (this.readOnly ? undefined : this.groupCommit.begin()),
      expires: time => this.sweeper.schedule(time),
    })
  }

  /** Brings the data file up to date with the log and cuts the log. Others may read and write meanwhile. */
  async checkpoint(options: ProgressOptions = {}): Promise<void> {
    this.checkWritable()
    requireProgress(requireObject(options).onProgress)
    const { engine } = this
    await this.meeting(engine.checkpointer.runInSlices(() => engine.turn(), options.onProgress))
  }

  /**
   * Gives the space that deletions have left back to the file system. Others may read and write meanwhile, but it waits
   * for open transactions to end.
   */
  async compact(options: ProgressOptions = {}): Promise<CompactReport> {
    this.checkWritable()
    requireProgress(requireObject(options).onProgress)
    return await this.meeting(compact(this.engine, options))
  }

  /**
   * Copies the database, as it is committed now, to a new directory, where a plain `open` finds it. Others may read and
   * write meanwhile.
   * @throws XenonError `XENON_EXISTS` unless the directory is missing or empty; `XENON_SNAPSHOT_LOST` if so much was
   *   changed meanwhile that the earlier states of blocks took more than `snapshotBytes`.
   */
  async backup(directory: string, options: ProgressOptions = {}): Promise<BackupReport> {
    this.check()
    requireProgress(requireObject(options).onProgress)
    this.engine.requirePlace()
    return await backup(this.store, this.storage, this.engine.home.directory, directory, {
      ...options,
      logSegmentBytes: this.engine.log.segments.segmentBytes,
    })
  }

  /** @internal Nobody else may use the database meanwhile: use `convert` of the package. */
  async convert(ordered: boolean, options: ProgressOptions): Promise<void> {
    this.checkWritable()
    await convertIndex(this.engine, ordered, options)
  }

  /** Checks every block, chain, count and free list of the files. Works while the database is in use. */
  async verify(options: VerifyOptions = {}): Promise<VerifyReport> {
    this.check()
    requireProgress(requireObject(options).onProgress)
    this.engine.requirePlace()
    return await verifyDatabase(this.engine, options)
  }

  stats(): Stats {
    this.check()
    return collectStats(this.engine, this.storage, this.directory, this.durability)
  }

  get closed(): boolean {
    return this.engine.closed
  }

  /** Rolls back open transactions, makes everything durable and closes the files. Closing twice is fine. */
  close(): void {
    const { engine } = this
    if (engine.closed) return
    const { transactions, health } = engine
    if (health.busy) engine.attend()
    this.sweeper.stop()
    this.stay?.()
    try {
      for (const state of [...transactions.open.values()]) {
        if (health.failure === undefined) transactions.rollback(state)
        else transactions.finish(state)
      }
      if (!this.readOnly && health.failure === undefined) engine.log.sync()
    } finally {
      this.groupCommit.settle()
      this.watching.end()
      engine.close()
    }
  }

  [Symbol.dispose](): void {
    this.close()
  }

  private apply(changes: readonly BatchChange<V, K>[]): void {
    const keys = this.store.keys.allGiven(changes.map(change => change.key))
    const { writer, engine } = this.store
    const { keysAhead } = engine
    const looksAhead = keys.length >= LOOK_AHEAD_FROM
    const work = (state: TransactionState): void => {
      for (let i = 0; i < changes.length; i++) {
        const { isPut, value, ttl } = changes[i]!
        const key = keys[i]!
        if (engine.health.attention) engine.attend()
        if (looksAhead && i % KEYS_AHEAD === 0) keysAhead.load(keys, i, changes)
        if (isPut) writer.putIn(state, key, value as V, writer.timeAfter(ttl))
        else writer.deleteIn(state, key)
      }
    }
    try {
      engine.implicitly(work)
    } finally {
      keysAhead.clear()
    }
  }

  /** After a commit: as durable as the option says; then perhaps a step of a checkpoint. */
  private makeDurable(): void {
    const { log, checkpointer } = this.engine
    if (this.durability === 'power') {
      log.sync()
    } else if (this.durability === 'process') log.write()
    else if (!this.writeTimer) this.writeLater()
    this.watching.publish()
    checkpointer.afterCommit()
  }

  /** The same while others go on; undefined where it is soon done in line. */
  private makeDurableAside(): Promise<void> | undefined {
    const { log } = this.engine
    const { syncsAside = false } = this.storage
    if (!syncsAside || this.durability !== 'power' || log.isSoonSynced || log.isSynced) return undefined
    return this.syncAside()
  }

  private async syncAside(): Promise<void> {
    const { engine } = this
    const { log, checkpointer } = engine
    await log.syncAside()
    // What was committed meanwhile waits for the next sync.
    this.watching.publish(log.syncedLsn)
    if (!engine.closed) checkpointer.afterCommit()
  }

  /** After changes that nobody was promised: written, and synced only for those who watch. */
  private write(): void {
    const { log, checkpointer } = this.engine
    log.write()
    if (this.durability !== 'power') this.watching.publish()
    else if (this.watching.publish(log.syncedLsn) > 0) this.groupCommit.wait().catch(() => {})
    checkpointer.afterCommit()
  }

  /**
   * Resolves when the commit is as durable as the option says. Commits that wait for the end of the turn may be so many
   * that the log would grow beyond what was promised of it: then steps of a checkpoint are made at once.
   */
  private durableSoon(): Promise<void> {
    if (this.engine.checkpointer.isBehind) {
      try {
        this.engine.log.write()
        this.engine.checkpointer.afterCommit()
      } catch (error) {
        return Promise.reject(error)
      }
    }
    return this.groupCommit.wait()
  }

  /** The checked ttl of a put, 0 = none. */
  private ttlOf(options: PutOptions): number {
    if (options === null || typeof options !== 'object')
      throw new InvalidArgumentError('the options of a put must be an object, such as { ttl: 1000 }')
    for (const name of Object.keys(options))
      if (name !== 'ttl') throw new InvalidArgumentError(`there is no option '${name}' here`)
    if (options.ttl === undefined || options.ttl === Number.POSITIVE_INFINITY) return 0
    const ttl = checkedTtl(options.ttl)
    this.sweeper.schedule(this.engine.now() + ttl)
    return ttl
  }

  /** @internal The thread ends, and nobody has closed the database: what is committed goes to the files. */
  atExit(): void {
    this.writeQuietly()
  }

  private writeQuietly(): void {
    const { closed, health, log } = this.engine
    if (closed || health.failure !== undefined) return
    try {
      log.write()
    } catch {
      // The health of the handle remembers it: the next operation says so.
    }
  }

  private writeLater(): void {
    this.writeTimer = true
    const timer: unknown = setTimeout(() => {
      this.writeTimer = false
      this.writeQuietly()
    }, WRITE_DELAY_MS)
    ;(timer as { unref?: () => void }).unref?.()
  }

  /** What fails aside stops the handle; a call that was at work meanwhile throws that error itself. */
  private async meeting<T>(work: Promise<T>): Promise<T> {
    try {
      return await work
    } catch (error) {
      throw this.engine.health.failure ?? error
    }
  }

  private builtInCursor(): Cursor<V, K> {
    this.cursorOfItsOwn ??= this.cursor()
    return this.cursorOfItsOwn
  }

  private check(): void {
    const { engine } = this
    if (engine.health.attention) engine.attend()
  }

  private checkWritable(): void {
    this.check()
    if (this.readOnly)
      throw new XenonError('XENON_READ_ONLY', 'the database was opened with readOnly; open it without it to write')
  }
}
