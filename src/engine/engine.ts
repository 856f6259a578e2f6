/**
 * Builds the layers of an open database, from the files up, and takes them down again: creation, recovery, close.
 *
 * The arena holds, in this order: scratch for a key, for a value field, for a field to be put back, for a block, for
 * a list of blocks, for the earlier state of a block, for keys of the trees, for the keys of a scan, for texts to be decoded; the log's buffer;
 * the frames of the pool.
 */

import { StoredImages } from '../buffer/image-format.ts'
import { BlockImages } from '../buffer/images.ts'
import { BufferPool } from '../buffer/pool.ts'
import { BlockVersions } from '../buffer/versions.ts'
import { CorruptionError, DiskFullError, InvalidArgumentError, XenonError } from '../errors.ts'
import { FreeBlocks } from '../freelist/blocks.ts'
import { ChangedPlaces } from '../hash/changed-places.ts'
import { FindMany } from '../hash/find-many.ts'
import { HashIndex } from '../hash/hash.ts'
import { KEY_SCRATCH_BYTES, KeyBuffer } from '../hash/key.ts'
import { KeyHash } from '../hash/key-hash.ts'
import { KEYS_AHEAD_BYTES, KeysAhead } from '../hash/keys-ahead.ts'
import { LargeValues } from '../hash/large.ts'
import { probeWay } from '../hash/probe.ts'
import { Structure } from '../hash/structure.ts'
import { UndoKind } from '../log/format.ts'
import { Health } from '../log/health.ts'
import { LogReader } from '../log/reader.ts'
import { Reserve } from '../log/reserve.ts'
import { LogSegments, type Segment } from '../log/segments.ts'
import { LogWriter } from '../log/writer.ts'
import { DataFile } from '../pager/data-file.ts'
import { EXPIRY_ROOT, ORDERED_ROOT } from '../pager/layout.ts'
import { Metadata } from '../pager/metadata.ts'
import { MAX_TREE_KEY_BYTES } from '../pager/node.ts'
import { Arena, alignUp } from '../runtime/bytes.ts'
import { TEXT_SCRATCH_BYTES, TextBatch } from '../runtime/text-batch.ts'
import { nextTurn, performance } from '../runtime/timers.ts'
import { closeAll, closeAllQuietly } from '../storage/close-all.ts'
import { Home } from '../storage/home.ts'
import type { DirectoryLock, Storage } from '../storage/storage.ts'
import { KeyTree } from '../tree/key-tree.ts'
import { TreeChanges } from '../tree/tree-changes.ts'
import { SCAN_KEYS, ScanRoom } from '../tree/tree-scan.ts'
import { Checkpointer } from '../txn/checkpoint.ts'
import type { CommittedView } from '../txn/committed-view.ts'
import { TransactionManager } from '../txn/manager.ts'
import { type Analysis, analyse, checkUndo, Redo, undoLosers } from '../txn/recovery.ts'
import type { TransactionState } from '../txn/transaction-state.ts'
import type { RecoveryProgress, RecoveryReport } from '../types.ts'
import { notADirectory } from './create.ts'
import { Room } from './room.ts'

const LOG_BUFFER_BYTES = 1048576
const LIST_SCRATCH_BYTES = 1024
const SCAN_SCRATCH_BYTES = 65536
const TREE_KEY_SCRATCH: number = alignUp(MAX_TREE_KEY_BYTES, 64)
const PAGE = 4096
/** What taking back one change takes of the log besides the record itself, about. */
const UNDO_RECORD_BYTES = 256
/** What the files with images of blocks may take, as a share of checkpointBytes. */
const IMAGES_SHARE = 0.375
/**
 * The pool begins with this size and takes its full one when that is used up: V8 answers the allocation of a large
 * buffer with garbage collections that take longer than all the rest of opening a database.
 */
const FIRST_POOL_BYTES = 25165824

export interface EngineOptions {
  storage: Storage
  /** Nothing is to stay of what is written, recovery included: the storage keeps it in memory, over files that it only reads. */
  readOnly: boolean
  cacheBytes: number
  checkpointBytes: number
  logSegmentBytes: number
  /** Bytes that earlier states of blocks, kept for snapshots, may take. */
  snapshotBytes: number
  /** Commits are synced one by one: keep zeros ahead of the log's end, and the steps of a checkpoint small. */
  syncsCommits: boolean
  /** Hears of a recovery as it goes on. */
  onRecovery?: ((progress: RecoveryProgress) => void) | undefined
}

export class Engine {
  readonly arena: Arena
  readonly health: Health = new Health()
  readonly metadata: Metadata
  readonly file: DataFile
  readonly log: LogWriter
  readonly pool: BufferPool
  readonly free: FreeBlocks
  readonly transactions: TransactionManager
  readonly large: LargeValues
  readonly structure: Structure
  readonly index: HashIndex
  readonly findMany: FindMany
  /** The trees over the keys (empty unless `metadata.ordered`) and over the times of expiry. */
  readonly ordered: KeyTree
  readonly expiry: KeyTree
  readonly checkpointer: Checkpointer
  readonly view: CommittedView
  readonly changedPlaces: ChangedPlaces
  readonly room: Room
  readonly recovery: RecoveryReport
  /** Position and size of the scratch for the field of a record to be written. */
  readonly fieldAt: number
  readonly scanRoom: ScanRoom
  readonly texts: TextBatch
  readonly keysAhead: KeysAhead
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Records that the sweep has removed. */
  expired = 0
  closed = false
  /** Where the files are, and whether they still are there. */
  readonly home: Home
  private readonly lock: DirectoryLock | undefined
  private readonly readOnly: boolean

  /** Opens the files of an existing database whose lock the caller holds. */
  constructor(directory: string, options: EngineOptions, lock: DirectoryLock | undefined) {
    const started = performance.now()
    const { storage, readOnly } = options
    this.home = new Home(storage, directory, lock)
    this.lock = lock
    this.readOnly = readOnly
    // Not the function itself: a test may put another clock in its place, and take it away again.
    this.now = storage.now ?? (() => Date.now())
    const dataPath = storage.join(directory, 'data')
    const opened = storage.open(dataPath)
    this.home.keep(opened)
    let segments: LogSegments | undefined
    let images: BlockImages | undefined
    try {
      this.metadata = readMetadata(opened, storage)
      const { metadata } = this
      const { blockSize, hashKey, uuid } = metadata.identity
      this.file = new DataFile(opened, metadata, storage)
      requireLength(this.file, metadata)
      const segmentBytes = alignUp(Math.max(options.logSegmentBytes, 16 * blockSize, 131072), PAGE)
      segments = new LogSegments(storage, storage.join(directory, 'log'), uuid, segmentBytes, this.home)
      requireLog(storage, segments.directory)
      segments.load(false)
      // Between the lock and the files somebody may have exchanged the directory.
      this.home.check()
      const reader = new LogReader(segments, storage)
      const analysis = analyse(reader, metadata, segments.directory)

      const frames = Math.max(16, Math.floor(options.cacheBytes / blockSize))
      const logCapacity = Math.min(LOG_BUFFER_BYTES, segmentBytes - 512)
      const keyAt = 0
      this.fieldAt = KEY_SCRATCH_BYTES
      const undoFieldAt = this.fieldAt + blockSize
      const blockAt = undoFieldAt + blockSize
      const listAt = blockAt + blockSize
      const visitorAt = listAt + LIST_SCRATCH_BYTES
      const treeKeysAt = visitorAt + blockSize
      const scanAt = treeKeysAt + 4 * TREE_KEY_SCRATCH
      this.scanRoom = new ScanRoom(scanAt, SCAN_SCRATCH_BYTES)
      const textAt = scanAt + SCAN_SCRATCH_BYTES
      const keysAheadAt = textAt + TEXT_SCRATCH_BYTES
      const logAt = keysAheadAt + KEYS_AHEAD_BYTES
      const frameStart = alignUp(logAt + logCapacity, PAGE)
      const firstFrames = Math.min(frames, Math.floor(FIRST_POOL_BYTES / blockSize))
      // Whoever asks for the lines of a record ahead may look behind the last frame.
      this.arena = new Arena(frameStart + firstFrames * blockSize + PAGE)
      this.log = new LogWriter(
        this.arena,
        logAt,
        logCapacity,
        segments,
        storage,
        this.health,
        analysis.end.lsn,
        options.syncsCommits,
      )
      images = new BlockImages(
        this.home,
        segments.directory,
        this.file,
        uuid,
        this.health,
        IMAGES_SHARE * options.checkpointBytes,
      )
      this.pool = new BufferPool(
        this.arena,
        frameStart,
        firstFrames,
        frames,
        this.file,
        this.log,
        this.health,
        new BlockVersions(options.snapshotBytes),
        images,
        visitorAt,
      )
      this.pool.basisLsn = metadata.redoLsn
      this.pool.limit = () => metadata.blocks
      const { pool, log } = this
      this.free = new FreeBlocks(pool, log, metadata, dataPath)
      this.transactions = new TransactionManager(pool, log, metadata, this.free)
      const { free, transactions } = this
      this.large = new LargeValues(pool, log, free, transactions, dataPath, listAt)
      this.structure = new Structure({ pool, log, free, transactions, hashKey }, blockAt)
      const treeParts = { pool, log, free, path: dataPath }
      this.ordered = new KeyTree(treeParts, ORDERED_ROOT, blockAt, treeKeysAt)
      this.expiry = new KeyTree(treeParts, EXPIRY_ROOT, blockAt, treeKeysAt)
      const { ordered, expiry, large, structure } = this
      this.keysAhead = new KeysAhead({ pool, metadata, ordered, hashKey }, keysAheadAt)
      const key = new KeyBuffer(this.arena, keyAt, new KeyHash(hashKey), this.keysAhead)
      const trees = new TreeChanges(
        { pool, log, metadata, key, ordered, expiry },
        treeKeysAt + TREE_KEY_SCRATCH,
        treeKeysAt + 2 * TREE_KEY_SCRATCH,
      )
      this.index = new HashIndex(
        { pool, log, transactions, large, structure, trees, key, path: dataPath },
        undoFieldAt,
        blockAt,
      )
      this.texts = new TextBatch(this.arena, textAt)
      this.findMany = new FindMany(pool, hashKey, SCAN_KEYS)
      this.view = transactions.view
      this.changedPlaces = new ChangedPlaces(new KeyHash(hashKey))
      this.checkpointer = new Checkpointer(
        { pool, log, file: this.file, metadata, transactions, health: this.health },
        options.checkpointBytes,
        !options.syncsCommits,
      )
      this.recovery = {
        needed: analysis.records > 0,
        recordsScanned: analysis.records,
        redone: 0,
        transactionsRolledBack: analysis.losers.size,
        tornTailBytes: analysis.end.tornBytes,
        milliseconds: 0,
      }
      this.room = new Room(
        {
          pool,
          log,
          file: this.file,
          metadata,
          transactions,
          checkpointer: this.checkpointer,
        },
        directory,
        new Reserve(storage, segments.directory, this.home),
      )
      this.recoverFor(options.onRecovery, report => this.recover(reader, analysis, dataPath, blockAt, report))
      if (!readOnly) this.room.begin()
      this.recovery.milliseconds = performance.now() - started
    } catch (error) {
      closeAllQuietly([images, segments, opened])
      throw error
    }
  }

  /** What the caller's function throws comes out as it is: reading the log would take it for the log's own fault. */
  private recoverFor(
    onRecovery: EngineOptions['onRecovery'],
    recover: (report: (progress: RecoveryProgress) => void) => void,
  ): void {
    let thrown: { error: unknown } | undefined
    try {
      recover(progress => {
        try {
          onRecovery?.(progress)
        } catch (error) {
          thrown = { error }
          throw error
        }
      })
    } catch (error) {
      throw thrown === undefined ? error : thrown.error
    }
  }

  private recover(
    reader: LogReader,
    analysis: Analysis,
    dataPath: string,
    scratch: number,
    report: (progress: RecoveryProgress) => void,
  ): void {
    const { log, metadata } = this
    const { chain, tornBytes } = analysis.end
    // A damaged copy of the state in block 0 is written anew by the checkpoint that ends a recovery, and a segment with a
    // damaged copy of its header is needed no longer after it.
    const isHalf = chain.some(segment => segment.isHalf)
    const needed = this.recovery.needed || tornBytes > 0 || metadata.soundCopies < 2 || isHalf
    if (this.readOnly && !this.recovery.needed) return
    if (needed) log.segments.setAside(chain)
    const isSettled = log.segments.count > chain.length || metadata.isNew
    if (!needed) {
      // A segment that nothing was written to yet may have been made by a process that was killed before it synced its name.
      const isBare = analysis.end.lsn <= chain[chain.length - 1]!.startLsn
      if (isSettled) this.settle(chain)
      else if (isBare) this.file.storage.syncDirectory(log.segments.directory)
      log.segments.keepOnly(chain)
      return
    }
    const { directory } = log.segments
    const { uuid } = metadata.identity
    const stored = new StoredImages(directory, this.file, uuid, metadata.redoLsn, analysis.end.lsn)
    try {
      const redo = new Redo(
        { pool: this.pool, log, metadata },
        analysis,
        stored,
        dataPath,
        scratch,
        (done, total) => report({ phase: 'redo', done, total }),
      )
      this.bringUpToDate(reader, analysis, redo, report)
    } finally {
      stored.close()
    }
    if (this.readOnly) return
    // Not if there was no room for that checkpoint: then all of the log is needed.
    const isDone = metadata.redoLsn >= log.endLsn
    if (isHalf && isDone && log.startFreshSegment()) log.segments.leaveCurrent()
    // Nothing that looks like a torn tail stays for the next recovery to wonder about.
    else if (log.records === 0) log.segments.cut(chain, analysis.end.lsn)
    else log.segments.dropSpares()
  }

  private bringUpToDate(
    reader: LogReader,
    analysis: Analysis,
    redo: Redo,
    report: (progress: RecoveryProgress) => void,
  ): void {
    const { log, pool, metadata, file } = this
    const { chain, lsn } = analysis.end
    const total = lsn - metadata.redoLsn
    report({ phase: 'redo', done: 0, total })
    // The whole pool, at once: with less of it, blocks would be written and read again and again.
    pool.grow(analysis.changed.size)
    this.checkRecovery(redo, analysis)
    if (!this.readOnly) this.settle(chain)
    if (redo.restore(file)) file.sync()
    log.continueInFreshSegment(() => {
      // Segments behind the end, and an empty one at the end, would be in the way of the new one.
      const used = chain.filter(segment => segment.startLsn < lsn)
      log.segments.keepOnly([...used, log.segments.current!])
    })
    pool.limit = () => Number.POSITIVE_INFINITY
    pool.isRepeating = true
    redo.run(reader)
    pool.isRepeating = false
    this.recovery.redone = redo.redone
    pool.limit = () => metadata.blocks
    report({ phase: 'undo', done: 0, total: analysis.losers.size })
    undoLosers(this.transactions, analysis)
    // What was recovered for reading alone stays in memory, in the pool and in the storage over the files.
    if (this.readOnly) return
    this.room.begin()
    try {
      this.checkpointer.run(({ done, total: blocks }) => report({ phase: 'write', done, total: blocks }))
    } catch (error) {
      // The blocks stay in the pool, and the log is kept: it can be read, and records can be deleted.
      if (!(error instanceof DiskFullError)) throw error
    }
  }

  /** A file that is refused is left as it was: what recovery would stumble over is looked for before it writes. */
  private checkRecovery(redo: Redo, analysis: Analysis): void {
    redo.check()
    const { key } = this.index
    let undoBytes = 0
    checkUndo(this.log, analysis, (log, undo) => {
      if (undo.kind === UndoKind.allocate) return
      key.copy(log, undo.key, undo.keyLength)
      probeWay(this.pool, key, block => analysis.changed.has(block))
      undoBytes += UNDO_RECORD_BYTES + undo.keyLength + undo.fieldLength
    })
    if (!this.readOnly) this.room.requireToRecover(undoBytes)
  }

  /**
   * Recovery builds on what it reads, and a process that was killed may have left that in the system's memory: it is
   * made durable first, or a loss of power during or after the recovery would take away what it stood on.
   */
  private settle(chain: readonly Segment[]): void {
    const { segments } = this.log
    for (const segment of chain) segment.file.sync()
    const { storage } = this.file
    storage.syncDirectory(segments.directory)
    storage.syncDirectory(this.home.directory)
    // After an fsync that failed, the system may hold for clean what it has lost: block 0 is written again, because
    // segments are deleted in the belief that no older one will come back. Last, since it makes the database look used.
    // Before that the data file is synced: whoever was killed may have written the one copy of the state and not have come
    // to sync it, and a loss of power could tear both.
    this.file.sync()
    this.file.writeState(this.metadata)
    this.file.sync()
  }

  /**
   * Called before an operation when `health.attention` is raised: refuses work on a closed or failed handle, and lets
   * the pool grow, since no operation holds a position in the arena now.
   */
  attend(): void {
    if (this.health.busy)
      throw new InvalidArgumentError(
        'the database cannot be used from inside toJSON or encode, nor from decode while a range is read',
      )
    if (this.closed) throw new XenonError('XENON_CLOSED', 'the database is closed; open it again to use it')
    this.health.check()
    this.pool.grow()
    this.health.attention = false
  }

  /** Before longer work that reads or writes by name. A database that is lost stays lost. */
  requirePlace(): void {
    try {
      this.log.segments.requirePlace()
    } catch (error) {
      throw this.health.fail(error)
    }
  }

  /** Lets the event loop turn; the handle may have been closed, or have failed, meanwhile. */
  async turn(): Promise<void> {
    await new Promise<void>(resolve => nextTurn(resolve))
    if (this.health.attention) this.attend()
  }

  /** Rolls back; if that fails too, changes are left that nobody can take back any more: recovery has to. */
  takeBack(state: TransactionState): void {
    const { transactions, health } = this
    if (health.failure === undefined) {
      try {
        transactions.rollback(state)
        return
      } catch (error) {
        health.fail(error)
      }
    }
    transactions.finish(state)
  }

  private lastCheckpoint(): void {
    const { checkpointer, file, metadata, log, pool } = this
    try {
      checkpointer.run()
    } catch (error) {
      // On a full disk the log is kept, from which the next open recovers what could not be written.
      if (!(error instanceof DiskFullError)) throw error
      log.sync()
      return
    }
    // The other copy of the state too, so that damage to one never brings back an older one.
    file.writeState(metadata)
    file.sync()
    // A rollback that failed still needs the log from its first record on.
    if (metadata.redoLsn >= log.syncedLsn) {
      log.segments.shrink()
      pool.images.shrink()
    }
  }

  /** A last checkpoint, unless nothing was written; then the files are closed and the lock released. */
  close(): void {
    if (this.closed) return
    this.closed = true
    this.health.attention = true
    try {
      if (!this.readOnly) this.requirePlace()
      if (this.health.failure === undefined && !this.readOnly && this.log.records > 0) {
        this.lastCheckpoint()
      }
      if (this.health.failure === undefined && !this.readOnly) this.room.end()
    } finally {
      try {
        closeAll([this.pool.images, this.log.segments, this.file.file])
      } finally {
        this.lock?.release()
      }
    }
  }
}

const readMetadata = (file: DataFile['file'], storage: Storage): Metadata => {
  const bytes = new Uint8Array(PAGE)
  const got = file.read(bytes, 0, bytes.length, 0)
  return Metadata.decode(bytes.subarray(0, got), file.path, storage)
}

const requireLength = (file: DataFile, metadata: Metadata): void => {
  const expected = metadata.fileBlocks * file.blockSize
  const size = file.file.size()
  if (size < expected)
    throw new CorruptionError(
      file.file.path,
      `is ${size} bytes long, but held ${expected} at the last checkpoint: it was cut off; restore a backup`,
    )
}

const requireLog = (storage: Storage, directory: string): void => {
  const kind = storage.kind(directory)
  if (kind !== 'directory' && kind !== 'none') throw notADirectory(directory)
  if (kind === 'none')
    throw new CorruptionError(directory, 'the log is missing; data and log must stay together (restore both)')
}
