/**
 * Copies a database, while it is in use, to a directory where a plain `open` finds it as it was when the copy began.
 *
 * The blocks are copied as a snapshot sees them, with their numbers and checksums. What transactions had changed and
 * not committed at that moment is in those blocks too; it is put back in the copy before that gets its name.
 */

import { Engine, type EngineOptions } from '../engine/engine.ts'
import { CorruptionError, InvalidArgumentError, XenonError } from '../errors.ts'
import { LogSegments } from '../log/segments.ts'
import { DataFile } from '../pager/data-file.ts'
import { Metadata } from '../pager/metadata.ts'
import type { AsOf } from '../records/as-of.ts'
import type { Store } from '../records/store.ts'
import { Arena, alignUp } from '../runtime/bytes.ts'
import { performance } from '../runtime/timers.ts'
import { requireInPlace } from '../storage/home.ts'
import type { File, Storage } from '../storage/storage.ts'
import { fromLatin1 } from '../txn/changed-keys.ts'
import type { BackupReport, ProgressOptions } from '../types.ts'
import { isVacant, liesInside } from './new-directory.ts'

/** Bytes copied between two turns of the event loop, and between two syncs of the copy. */
const SLICE_BYTES = 524288
const SYNC_BYTES = 33554432
/** Milliseconds of taking back between two turns of the event loop. */
const SLICE_MS = 3
const PARTIAL = 'data.new'
const FREED_AT_ONCE = 64
const LSN_STEP = 4096

/** @throws XenonError `XENON_EXISTS` unless there is nothing, or an empty directory, at the path. */
export const backup = async <V>(
  engine: Engine,
  store: Store<V>,
  storage: Storage,
  source: string,
  given: string,
  options: ProgressOptions & Pick<EngineOptions, 'logSegmentBytes'>,
): Promise<BackupReport> => {
  if (typeof given !== 'string' || given.length === 0 || given.includes('\0'))
    throw new InvalidArgumentError('backup() takes the path of a new directory')
  const directory = storage.resolve?.(given) ?? given
  if (!isVacant(storage, directory))
    throw new XenonError(
      'XENON_EXISTS',
      `${directory} exists and is not an empty directory; a backup goes to a new one`,
    )
  if (liesInside(storage, directory, source))
    throw new InvalidArgumentError('a backup cannot lie inside the database itself; choose another directory')
  const view = store.asOfNow()
  const files = new Copy(engine, storage, directory, view)
  try {
    await files.write(options)
    return await files.finish(options.logSegmentBytes)
  } catch (error) {
    files.abandon()
    throw error
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
  private readonly created: string[] = []
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
    const { transactions } = this.engine
    for (const state of transactions.open.values())
      for (const block of this.engine.root.view.allocatedBy(state)) this.allocated.push(block)
  }

  async write(options: ProgressOptions & Pick<EngineOptions, 'logSegmentBytes'>): Promise<void> {
    const { storage, directory, metadata } = this
    for (let path = directory; storage.kind(path) === 'none'; path = storage.join(path, '..')) this.created.push(path)
    storage.makeDirectory(this.logDirectory)
    for (const path of this.created) storage.syncDirectory(storage.join(path, '..'))
    this.startLog(options.logSegmentBytes)
    const file = storage.open(storage.join(directory, PARTIAL), { create: true })
    this.partial = file
    const data = new DataFile(file, metadata, storage)
    const identity = metadata.encodeIdentity(storage)
    file.write(identity, 0, identity.length, 0)
    data.writeFirstState(metadata)
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
      const bases: number[] = []
      view.read(() => {
        for (let i = 0; i < count; i++) {
          bases.push(i * blockSize)
          engine.pool.copyTo(first + i, arena, i * blockSize)
        }
      })
      data.writeRun(first, bases, arena)
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
  async finish(logSegmentBytes: number): Promise<BackupReport> {
    const { storage, directory } = this
    const partial = storage.join(directory, PARTIAL)
    const data = storage.join(directory, 'data')
    const isTouched = [...this.view.everywhere()].some(([, before]) => !before.isEmpty)
    if (isTouched || this.allocated.length > 0) {
      const engine = new Engine(
        directory,
        {
          storage: renamed(storage, data, partial),
          readOnly: false,
          cacheBytes: 16777216,
          checkpointBytes: 67108864,
          logSegmentBytes,
          snapshotBytes: 0,
          syncsCommits: false,
        },
        undefined,
      )
      try {
        await this.takeBack(engine)
        await engine.checkpointer.runInSlices(() => this.engine.turn())
      } finally {
        engine.close()
      }
    }
    if (this.partial !== undefined) requireInPlace(this.partial)
    storage.rename(partial, data)
    storage.syncDirectory(directory)
    const file = storage.open(data, { readOnly: true })
    try {
      return { directory, bytes: file.size(), records: this.committed }
    } finally {
      file.close()
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

/** Block 0 of a database that was closed cleanly with the blocks as they are now. */
const stateNow = (engine: Engine): Metadata => {
  const { metadata, log, transactions } = engine
  const state = new Metadata({ ...metadata.identity })
  state.ordered = metadata.ordered
  state.firstSpace = metadata.firstSpace
  state.firstCondemned = metadata.firstCondemned
  state.spaces = metadata.spaces
  state.blocks = metadata.blocks
  state.fileBlocks = metadata.blocks
  state.freeHead = metadata.freeHead
  state.freeBlocks = metadata.freeBlocks
  state.peakRecords = metadata.peakRecords
  state.records = metadata.records
  // The blocks hold what open transactions have changed, too.
  for (const open of transactions.open.values()) state.records += open.records
  state.redoLsn = alignUp(log.endLsn + 1, LSN_STEP)
  state.logLsn = state.redoLsn
  state.lsn = state.redoLsn
  return state
}

/** The storage as the copy sees it while its data file has another name. */
const renamed = (storage: Storage, from: string, to: string): Storage => {
  const real = (path: string): string => (path === from ? to : path)
  return Object.assign(Object.create(storage) as Storage, {
    kind: (path: string) => storage.kind(real(path)),
    open: (path: string, options: Parameters<Storage['open']>[1]) => storage.open(real(path), options),
  })
}
