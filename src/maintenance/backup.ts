/**
 * Copies a database, while it is in use, to a directory where a plain `open` finds it as it was when the copy began.
 *
 * The blocks are copied as a snapshot sees them, with their numbers and checksums. What transactions had changed and
 * not committed at that moment is in those blocks too; it is put back in the copy before that gets its name.
 */

import { Engine, type EngineOptions } from '../engine/engine.ts'
import { CorruptionError, InvalidArgumentError, noRoomFor, XenonError } from '../errors.ts'
import { LogSegments } from '../log/segments.ts'
import { blanks, isBlank, noteWritten } from '../pager/blank.ts'
import { blockLsn } from '../pager/bucket.ts'
import { DataFile } from '../pager/data-file.ts'
import { Metadata } from '../pager/metadata.ts'
import type { Block } from '../pager/place.ts'
import type { AsOf } from '../records/as-of.ts'
import type { Store } from '../records/store.ts'
import { Arena, alignUp, toHex } from '../runtime/bytes.ts'
import { performance } from '../runtime/timers.ts'
import { requireInPlace } from '../storage/home.ts'
import type { File, Storage } from '../storage/storage.ts'
import { fromLatin1 } from '../txn/changed-keys.ts'
import type { ProgressOptions } from '../types.ts'
import { makeDurably, PARTIAL, underName } from './database-files.ts'
import { DatedBackups } from './dated-backups.ts'
import { isVacant, liesInside } from './new-directory.ts'
import type { BackupOptions, BackupReport } from './shapes.ts'
import { verifyDatabase } from './verify/verify.ts'

/** Bytes copied between two turns of the event loop, and between two syncs of the copy. */
const SLICE_BYTES = 524288
const SYNC_BYTES = 33554432
/** Milliseconds of taking back between two turns of the event loop. */
const SLICE_MS = 3
const FREED_AT_ONCE = 64
const LSN_STEP = 4096

export type BackupSettings = Omit<BackupOptions, 'keep' | 'asFile'> & Pick<EngineOptions, 'logSegmentBytes'>

/**
 * `source`: the directory of the database.
 * @throws XenonError `XENON_EXISTS` unless there is nothing, or an empty directory, at the path.
 */
export const backup = async <V>(
  engine: Engine,
  store: Store<V>,
  storage: Storage,
  source: string,
  given: string,
  options: BackupSettings,
): Promise<BackupReport> => {
  const directory = absolute(storage, given)
  if (!isVacant(storage, directory))
    throw new XenonError(
      'XENON_EXISTS',
      `${directory} exists and is not an empty directory; a backup goes to a new one, or with keep into a folder of its own`,
    )
  if (liesInside(storage, directory, source))
    throw new InvalidArgumentError('a backup cannot lie inside the database itself; choose another directory')
  return { directory, ...(await copy(engine, store, storage, directory, options)) }
}

/** A backup in a folder of its own that bears the time; of those that there are, the newest `keep` stay. */
export const backupDated = async <V>(
  engine: Engine,
  store: Store<V>,
  storage: Storage,
  source: string,
  given: string,
  options: BackupSettings & { keep: number },
): Promise<BackupReport> => {
  const uuid = toHex(engine.metadata.identity.uuid)
  const dated = new DatedBackups(storage, absolute(storage, given), source, uuid)
  const begun = dated.begin((storage.now ?? Date.now)())
  let report: Copied
  let directory: string
  try {
    report = await copy(engine, store, storage, begun.partial, options)
    directory = begun.complete()
  } catch (error) {
    begun.abandon()
    throw noRoomFor('the backup', error)
  }
  return { directory, ...report, ...dated.rotate(options.keep) }
}

const absolute = (storage: Storage, given: string): string => {
  if (typeof given !== 'string' || given.length === 0 || given.includes('\0'))
    throw new InvalidArgumentError('backup() takes the path of a new directory')
  return storage.resolve?.(given) ?? given
}

interface Copied {
  bytes: number
  records: number
}

const copy = async <V>(
  engine: Engine,
  store: Store<V>,
  storage: Storage,
  directory: string,
  options: BackupSettings,
): Promise<Copied> => {
  const view = store.asOfNow()
  const files = new Copy(engine, storage, directory, view)
  try {
    await files.write(options)
    return await files.finish(options)
  } catch (error) {
    files.abandon()
    throw noRoomFor('the backup', error)
  } finally {
    files.close()
    view.end()
  }
}

class Copy {
  private readonly engine: Engine
  private readonly storage: Storage
  private readonly directory: string
  private readonly view: AsOf
  private readonly metadata: Metadata
  private readonly logDirectory: string
  /** Open until the end, to tell that the directory is still the one it was made in. */
  private partial: File | undefined
  /** Records of the root that were committed when the copy began. */
  private readonly committed: number
  /** Blocks that large values of open transactions had taken then. */
  private readonly allocated: number[] = []

  constructor(engine: Engine, storage: Storage, directory: string, view: AsOf) {
    this.engine = engine
    this.storage = storage
    this.directory = directory
    this.view = view
    this.logDirectory = storage.join(directory, 'log')
    this.committed = this.engine.metadata.records
    this.metadata = stateNow(this.engine)
    this.leaveBlank()
    const { transactions } = this.engine
    for (const state of transactions.open.values())
      for (const block of this.engine.root.view.allocatedBy(state)) this.allocated.push(block)
  }

  /** Blank blocks that nobody has changed need not be written to the copy either. */
  private leaveBlank(): void {
    const { engine, view, metadata } = this
    const arena = new Arena(engine.pool.blockSize)
    metadata.blank = engine.file.blankNow()
    view.read(() => {
      for (const block of blanks(metadata.blank)) {
        engine.pool.copyTo(block, arena, 0)
        if (blockLsn(arena, 0) !== 0) noteWritten(metadata.blank, block, 1)
      }
    })
    while (isBlank(metadata.blank, metadata.fileBlocks - 1)) metadata.fileBlocks--
  }

  async write(options: BackupSettings): Promise<void> {
    const { storage, directory, metadata } = this
    makeDurably(storage, directory)
    storage.makeDirectory(this.logDirectory)
    this.startLog(options.logSegmentBytes)
    const file = storage.open(storage.join(directory, PARTIAL), { create: true })
    this.partial = file
    const data = new DataFile(file, metadata, storage)
    data.writeFirst(metadata)
    await this.copyBlocks(data, options)
    data.sync()
    requireInPlace(file)
    storage.syncDirectory(directory)
  }

  private startLog(segmentBytes: number): void {
    const { storage, metadata, logDirectory } = this
    const segments = new LogSegments(storage, logDirectory, metadata.identity.uuid, segmentBytes)
    try {
      segments.startSegment(metadata.redoLsn)
      segments.sync()
    } finally {
      segments.close()
    }
    storage.syncDirectory(logDirectory)
  }

  private async copyBlocks(data: DataFile, { onProgress }: ProgressOptions): Promise<void> {
    const { engine, view, metadata } = this
    const { blockSize } = engine.pool
    const perSlice = Math.max(1, Math.floor(SLICE_BYTES / blockSize))
    const arena = new Arena(perSlice * blockSize)
    const total = metadata.blocks
    let unsynced = 0
    for (let first = 1; first < total; first += perSlice) {
      const count = Math.min(perSlice, total - first)
      view.read(() => {
        for (let i = 0; i < count; i++) engine.pool.copyTo(first + i, arena, i * blockSize)
      })
      for (const { from, length } of runs(first, count, block => !isBlank(metadata.blank, block)))
        data.writeRun(
          from,
          Array.from({ length }, (_, i) => (from - first + i) * blockSize),
          arena,
        )
      onProgress?.({ done: first + count, total })
      unsynced += count * blockSize
      if (unsynced >= SYNC_BYTES) {
        // Little by little: the syncs of commits would wait for all of it, too.
        await data.syncAside()
        unsynced = 0
      }
      await engine.turn()
    }
  }

  /** Takes back in the copy what was not committed, and gives the data file its name. */
  async finish({ logSegmentBytes, verify = false, onProgress }: BackupSettings): Promise<Copied> {
    const { storage, directory } = this
    const partial = storage.join(directory, PARTIAL)
    const data = storage.join(directory, 'data')
    const isTouched = [...this.view.everywhere()].some(([, before]) => !before.isEmpty)
    if (isTouched || this.allocated.length > 0) {
      const engine = this.open(logSegmentBytes, false)
      try {
        await this.takeBack(engine)
        await engine.checkpointer.runInSlices(() => this.engine.turn())
      } finally {
        engine.close()
      }
    }
    if (verify) await this.check(logSegmentBytes, onProgress)
    if (this.partial !== undefined) requireInPlace(this.partial)
    storage.rename(partial, data)
    storage.syncDirectory(directory)
    const file = storage.open(data, { readOnly: true })
    try {
      return { bytes: file.size(), records: this.committed }
    } finally {
      file.close()
    }
  }

  /** The copy, which has no name yet. */
  private open(logSegmentBytes: number, readOnly: boolean): Engine {
    const { directory } = this
    const files = underName(this.storage, directory)
    return new Engine(
      directory,
      {
        storage: files,
        readOnly,
        cacheBytes: 16777216,
        checkpointBytes: 67108864,
        logSegmentBytes,
        snapshotBytes: 0,
        syncsCommits: false,
      },
      undefined,
    )
  }

  private async check(logSegmentBytes: number, onProgress: ProgressOptions['onProgress']): Promise<void> {
    const engine = this.open(logSegmentBytes, true)
    try {
      const report = await verifyDatabase(engine, {
        onProgress: progress => {
          // Whoever closes the database ends its backups.
          if (this.engine.health.attention) this.engine.attend()
          onProgress?.(progress)
        },
      })
      if (!report.ok || report.records !== this.committed)
        throw new CorruptionError(
          this.directory,
          `the copy is not sound, and does not count as a backup: ${report.problems[0] ?? `${report.records} records instead of ${this.committed}`}`,
        )
    } finally {
      engine.close()
    }
  }

  /** Nobody else knows the engine of the copy, so that one transaction may go on from slice to slice. */
  private async takeBack(engine: Engine): Promise<void> {
    const { transactions, arena, fieldAt } = engine
    const state = transactions.begin(false)
    const unused = new Set(this.allocated)
    let until = performance.now() + SLICE_MS
    const turn = async (): Promise<void> => {
      if (performance.now() < until) return
      await this.engine.turn()
      until = performance.now() + SLICE_MS
    }
    for (const [number, changed] of this.view.everywhere()) {
      const { index } = engine.spaceOf(number)
      for (const [name, before] of changed) {
        await turn()
        index.key.set(fromLatin1(name))
        for (const block of index.largeBlocks()) unused.delete(block)
        if (before === undefined) index.remove(state)
        else {
          arena.u8.set(before.field, fieldAt)
          index.put(state, before.flags, fieldAt, before.field.length)
        }
      }
    }
    // Values that a transaction had replaced again itself: no record leads to them.
    const blocks = [...unused]
    for (let from = 0; from < blocks.length; from += FREED_AT_ONCE) {
      await turn()
      const some = blocks.slice(from, from + FREED_AT_ONCE)
      some.forEach((block, i) => {
        arena.u32[(fieldAt >>> 2) + i] = block
      })
      engine.large.undoAllocate(state, arena, fieldAt, 4 * some.length)
    }
    transactions.commit(state)
    if (engine.metadata.records !== this.committed)
      throw new CorruptionError(this.directory, 'the copy does not hold as many records as it should')
  }

  /** Removes what there is of the copy. */
  abandon(): void {
    const { storage, directory, logDirectory } = this
    try {
      // If another directory has taken the place of the copy's own, nothing in there is ours.
      if (this.partial !== undefined) requireInPlace(this.partial)
      storage.remove(storage.join(directory, PARTIAL))
      for (const name of storage.list(logDirectory)) storage.remove(storage.join(logDirectory, name))
    } catch {
      // Without a data file it is no database.
    }
  }

  close(): void {
    this.partial?.close()
  }
}

/** Runs of neighbours among `count` blocks that are to be written. */
const runs = function* (first: Block, count: number, isWritten: (block: Block) => boolean) {
  for (let from = first; from < first + count; from++) {
    let length = 0
    while (from + length < first + count && isWritten(from + length)) length++
    if (length > 0) yield { from, length }
    from += length
  }
}

/** Block 0 of a database that was closed cleanly with the blocks as they are now. */
const stateNow = (engine: Engine): Metadata => {
  const { metadata, log, transactions, follower } = engine
  const state = new Metadata({ ...metadata.identity })
  state.ordered = metadata.ordered
  state.firstSpace = metadata.firstSpace
  state.firstCondemned = metadata.firstCondemned
  state.spaces = metadata.spaces
  state.valueEncoding = metadata.valueEncoding
  state.keyEncoding = metadata.keyEncoding
  state.mark = metadata.mark
  state.blocks = metadata.blocks
  state.fileBlocks = metadata.blocks
  state.freeHead = metadata.freeHead
  state.freeBlocks = metadata.freeBlocks
  state.peakRecords = metadata.peakRecords
  state.records = metadata.records
  // The blocks hold what open transactions have changed, too.
  follower?.countChanges()
  for (const open of transactions.open.values()) state.records += open.records
  state.redoLsn = alignUp(log.endLsn + 1, LSN_STEP)
  state.logLsn = state.redoLsn
  state.lsn = state.redoLsn
  return state
}
