/** The database: its root's key space, and what concerns the whole file. */

import type { EncodingNames } from '../engine/create.ts'
import type { Engine } from '../engine/engine.ts'
import { InvalidArgumentError } from '../errors.ts'
import { backup, backupDated } from '../maintenance/backup.ts'
import { compact } from '../maintenance/compact.ts'
import { convertIndex } from '../maintenance/convert.ts'
import { requireKeep } from '../maintenance/dated-backups.ts'
import { backupToFile } from '../maintenance/one-file.ts'
import type { BackupOptions, BackupReport, CompactReport, VerifyOptions, VerifyReport } from '../maintenance/shapes.ts'
import { collectStats } from '../maintenance/stats.ts'
import { verifyDatabase } from '../maintenance/verify/verify.ts'
import { vitalsOf } from '../maintenance/vitals.ts'
import { type Raised, Warnings } from '../maintenance/warnings.ts'
import { requireProgress } from '../runtime/callbacks.ts'
import { showAs } from '../runtime/inspecting.ts'
import type { Storage } from '../storage/storage.ts'
import type { Durability, Health, IndexReport, ProgressOptions, Stats } from '../types.ts'
import { refuseOptions, requireFlag, requireObject } from '../values/checks.ts'
import { READ_ONLY } from './guard.ts'
import { Handle } from './handle.ts'
import { Monitor } from './monitor.ts'
import type { Inspection, ResolvedOptions } from './options.ts'
import { nameEncodings, storedNames } from './stored-encodings.ts'
import { Outer } from './sub.ts'
import { UnopenedSubs } from './unopened.ts'

/** Problems that a report keeps. */
const MOST_PROBLEMS = 100

/** An open database, from `open`: the records of its root, its sub-databases, and what concerns the whole file. */
export class Database<V = string, K = string> extends Outer<V, K> {
  static {
    showAs('Database', Database, ({ directory, closed, readOnly, engine }) => ({
      directory,
      ...(closed ? { closed } : { records: engine.metadata.records }),
      ...(readOnly && { readOnly }),
    }))
  }

  /** The path that it was opened under. */
  readonly directory: string
  /** When a commit returns, as it was opened. */
  readonly durability: Durability
  /** Opened for reading alone. */
  readonly readOnly: boolean
  private readonly engine: Engine
  private readonly stay: (() => void) | undefined
  private readonly warnings: Warnings = new Warnings()
  private readonly monitor: Monitor | undefined
  private readonly unopened: UnopenedSubs | undefined
  /** @internal What others can ask of it while it is open, if anything. */
  readonly inspection: Inspection
  /** Called before it closes, or the thread ends. */
  private readonly leaving: Set<() => void> = new Set()

  /** @internal Use `open`. */
  constructor(directory: string, engine: Engine, options: ResolvedOptions<V>) {
    const handle = new Handle(directory, engine, options as ResolvedOptions<unknown>)
    super(handle, engine.root, options)
    this.directory = directory
    this.engine = engine
    this.durability = options.durability
    this.readOnly = options.readOnly
    this.engine.health.isReader = options.readOnly
    this.inspection = options.inspect
    if (!options.readOnly) {
      handle.reclaiming.begin()
      this.unopened = new UnopenedSubs(handle, this as Outer<unknown, unknown>)
      this.unopened.begin()
      this.stay = options.storage.onExit?.(this)
    }
    const { onWarning } = options
    if (onWarning !== undefined) this.monitor = new Monitor(() => this.raised(), onWarning)
  }

  /**
   * Of a database that was opened with `readOnly`: goes from the moment that it shows to what is committed now, by
   * whatever process; true if that is another moment. Snapshots, iterators and transactions that are open stay at theirs.
   * What was opened for writing is always up to date.
   * @throws ViewLostError if its owner writes faster than it can be followed; MovedError if the database was replaced.
   * @example if (db.refresh()) console.log(db.count())
   */
  refresh(): boolean {
    const { follower, health } = this.engine
    if (this.engine.closed || health.busy) this.engine.attend()
    if (follower === undefined) {
      this.check()
      return false
    }
    const isLater = follower.refresh()
    if (isLater) {
      this.handle.endDropped()
      this.recheckIndexes()
      for (const sub of this.handle.subs) sub.recheckIndexes()
    }
    return isLater
  }

  /**
   * Brings the data file up to date with the log and cuts the log. Others may read and write meanwhile.
   * @example await db.checkpoint()
   */
  async checkpoint(options: ProgressOptions = {}): Promise<void> {
    this.checkFiles()
    requireOnlyProgress(options)
    const { engine } = this
    await this.handle.meeting(engine.checkpointer.runInSlices(() => engine.turn(), options.onProgress))
  }

  /**
   * Gives the space that deletions have left back to the file system. Others may read and write meanwhile, but it waits
   * for open transactions to end.
   * @example const { bytesBefore, bytesAfter } = await db.compact()
   */
  async compact(options: ProgressOptions = {}): Promise<CompactReport> {
    this.checkFiles()
    requireOnlyProgress(options)
    return await this.handle.meeting(compact(this.engine, options))
  }

  /**
   * Copies the database, as it is committed now, to a new directory, where a plain `open` finds it. Others may read and
   * write meanwhile. With `keep`, the directory may exist, and each backup gets a folder in it that bears the time.
   * @example const { directory } = await db.backup('backups', { keep: 7, verify: true })
   * @throws XenonError `XENON_EXISTS` unless the directory is missing or empty; `XENON_SNAPSHOT_LOST` if so much was
   *   changed meanwhile that the earlier states of blocks took more than `snapshotBytes`.
   */
  async backup(directory: string, options: BackupOptions = {}): Promise<BackupReport> {
    this.check()
    const { keep, verify, asFile, ...progress } = requireObject(options)
    requireOnlyProgress(progress)
    requireKeep(keep)
    requireFlag('verify', verify)
    requireFlag('asFile', asFile)
    if (asFile === true && keep !== undefined)
      throw new InvalidArgumentError('a backup as one file is a single one: give asFile or keep')
    const { engine, store } = this
    engine.requirePlace()
    const { storage } = this.handle
    const all = { ...options, logSegmentBytes: engine.log.segments.segmentBytes }
    const { directory: source } = engine.home
    if (asFile === true) return await backupToFile(engine, store, storage, source, directory, all)
    return keep === undefined
      ? await backup(engine, store, storage, source, directory, all)
      : await backupDated(engine, store, storage, source, directory, { ...all, keep })
  }

  /** @internal Copies it to a new directory of another storage. */
  async copyTo(storage: Storage, directory: string): Promise<void> {
    this.check()
    const { engine, store } = this
    const logSegmentBytes = engine.log.segments.segmentBytes
    await this.handle.meeting(backup(engine, store, storage, engine.home.directory, directory, { logSegmentBytes }))
  }

  /**
   * What a cluster calls the state that is committed: 1 to 64 bytes that its last commit has written down together with
   * the changes; undefined in a database that is none of a cluster's. A copy.
   * @example const isReplica = db.mark !== undefined
   */
  get mark(): Uint8Array | undefined {
    return this.engine.metadata.mark?.slice()
  }

  /** Before work on the files that changes no record. */
  private checkFiles(): void {
    this.check()
    if (this.readOnly) throw READ_ONLY.refusal()
  }

  /** @internal The names of the root's encodings, '' if they were never said. */
  get storedEncodings(): EncodingNames {
    return storedNames(this.engine)
  }

  /** @internal For those who write bytes and know what they are. */
  nameEncodings(names: EncodingNames): void {
    this.checkUnguarded()
    nameEncodings(this.engine, names)
  }

  /** @internal Nobody else may use the database meanwhile: use `convert` of the package. */
  async convert(ordered: boolean, options: ProgressOptions): Promise<void> {
    this.checkUnguarded()
    await convertIndex(this.engine, ordered, options)
  }

  /**
   * Checks every block, chain, count and free list of the files, and the indexes that were declared. Works while the
   * database is in use.
   * @example const { ok, problems } = await db.verify()
   */
  async verify(options: VerifyOptions = {}): Promise<VerifyReport> {
    this.check()
    requireOnlyProgress(options)
    this.engine.requirePlace()
    const report = await verifyDatabase(this.engine, options)
    // What is damaged would be found once more.
    if (report.ok) for (const found of await this.checkIndexes()) addProblems(report, found)
    return report
  }

  /**
   * What there is and what was done since the open: records, blocks, cache, log, transactions.
   * @example console.log(db.stats().records)
   */
  stats(): Stats {
    this.check()
    return collectStats(this.engine, this.handle.storage, this.directory, this.durability)
  }

  /**
   * How the database is, in a few microseconds and from figures that are kept anyway: whether it has failed, the oldest
   * transaction and snapshot and what they hold, the log, the disk, and what will hurt. Works on a handle that has failed
   * or was closed, too.
   * @example if (!db.health().ok) process.exit(1) // so that whoever watches it starts it again
   */
  health(): Health {
    const vitals = vitalsOf(this.engine)
    return { ...vitals, warnings: this.warnings.look(this.engine, vitals).map(({ warning }) => warning) }
  }

  /** @internal For the explorer, which looks at the layers and changes nothing. */
  get layers(): Engine {
    this.check()
    return this.engine
  }

  private raised(): readonly Raised[] {
    return this.warnings.look(this.engine, vitalsOf(this.engine))
  }

  get closed(): boolean {
    return this.engine.closed
  }

  /**
   * Rolls back open transactions, makes everything durable and closes the files. Closing twice is fine.
   * @example db.close()
   */
  close(): void {
    const { engine } = this
    if (engine.closed) return
    const { transactions, health } = engine
    if (health.busy) engine.attend()
    this.leave()
    this.end()
    this.handle.reclaiming.stop()
    this.unopened?.stop()
    this.stay?.()
    this.monitor?.stop()
    try {
      for (const state of [...transactions.open.values()]) {
        if (health.failure === undefined && !this.readOnly) transactions.rollback(state)
        else transactions.finish(state)
      }
      if (!this.readOnly && health.failure === undefined) engine.log.sync()
    } finally {
      this.handle.groupCommit.settle()
      this.endWatching()
      engine.close()
    }
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** @internal Nobody uses it any more, nor its sub-databases. */
  override end(): void {
    super.end()
    for (const sub of this.handle.subs) sub.end()
  }

  /** @internal */
  override endWatching(): void {
    super.endWatching()
    for (const sub of this.handle.subs) sub.endWatching()
  }

  /** @internal The thread ends, and nobody has closed the database: what is committed goes to the files. */
  atExit(): void {
    this.leave()
    this.handle.writeQuietly()
  }

  /** @internal Calls `work` before it closes, or the thread ends. */
  beforeEnd(work: () => void): void {
    this.leaving.add(work)
  }

  /**
   * @internal Which of all databases this is, now: `lock` is in the lock's file for as long as it is open, `directory`
   * tells its directory from every other one.
   * @throws MovedError if the directory is no longer the one that was opened.
   */
  identity(): { directory: string; lock: string | undefined; place: string | undefined } {
    const { engine, handle } = this
    this.check()
    engine.requirePlace()
    const { directory, nonce } = engine.home
    return { directory, lock: nonce, place: handle.storage.identity?.(directory) }
  }

  private leave(): void {
    for (const work of this.leaving) {
      try {
        work()
      } catch {
        // The files come first.
      }
    }
    this.leaving.clear()
  }
}

const addProblems = (report: VerifyReport, { ok, problems, problemCount }: IndexReport): void => {
  report.ok &&= ok
  report.problems = [...report.problems, ...problems].slice(0, MOST_PROBLEMS)
  report.problemCount += problemCount
}

/** Who mistypes `keep` wants to hear of it, and not to find one backup where there should be seven. */
const requireOnlyProgress = (options: ProgressOptions): void => {
  const { onProgress, ...others } = requireObject(options)
  refuseOptions(others)
  requireProgress(onProgress)
}
