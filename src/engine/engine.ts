/**
 * Builds the layers of an open database, from the files up, and takes them down again.
 */

import { BlockImages } from '../buffer/images.ts'
import { BufferPool } from '../buffer/pool.ts'
import { BlockVersions } from '../buffer/versions.ts'
import { CorruptionError, DiskFullError, InvalidArgumentError, XenonError } from '../errors.ts'
import { FreeBlocks } from '../freelist/blocks.ts'
import { FindMany } from '../hash/find-many.ts'
import { KeysAhead } from '../hash/keys-ahead.ts'
import { LargeValues } from '../hash/large.ts'
import { Health } from '../log/health.ts'
import { LogReader } from '../log/reader.ts'
import { Reserve } from '../log/reserve.ts'
import { LogSegments } from '../log/segments.ts'
import { LogWriter } from '../log/writer.ts'
import { DataFile } from '../pager/data-file.ts'
import { EXPIRY_ROOT, ORDERED_ROOT } from '../pager/layout.ts'
import { Metadata } from '../pager/metadata.ts'
import { Arena, alignUp } from '../runtime/bytes.ts'
import { TextBatch } from '../runtime/text-batch.ts'
import { nextTurn, performance } from '../runtime/timers.ts'
import { closeAll, closeAllQuietly } from '../storage/close-all.ts'
import { Home } from '../storage/home.ts'
import type { DirectoryLock, Storage } from '../storage/storage.ts'
import { SCAN_KEYS, ScanRoom } from '../tree/tree-scan.ts'
import { Checkpointer } from '../txn/checkpoint.ts'
import { TransactionManager } from '../txn/manager.ts'
import { analyse } from '../txn/recovery.ts'
import type { TransactionState } from '../txn/transaction-state.ts'
import type { RecoveryProgress, RecoveryReport } from '../types.ts'
import { planArena, SCAN_SCRATCH_BYTES } from './arena-plan.ts'
import { notADirectory } from './create.ts'
import { FollowedFile } from './followed-file.ts'
import { Follower } from './follower.ts'
import { recover } from './recover.ts'
import { Room } from './room.ts'
import { Space } from './space.ts'
import { Spaces } from './spaces.ts'

const PAGE = 4096
/** What the files with images of blocks may take, as a share of checkpointBytes. */
const IMAGES_SHARE = 0.375
export interface EngineOptions {
  storage: Storage
  /** Nothing is written, and somebody else may be writing. */
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
  readonly findMany: FindMany
  /** The key space that `open` gives, and those that lie in it. */
  readonly root: Space
  readonly spaces: Spaces
  readonly checkpointer: Checkpointer
  readonly room: Room
  readonly recovery: RecoveryReport
  /** Position and size of the scratch for the field of a record to be written. */
  readonly fieldAt: number
  readonly scanRoom: ScanRoom
  readonly texts: TextBatch
  readonly keysAhead: KeysAhead
  /** Milliseconds since 1970, by `clock`. */
  readonly now: () => number
  clock: () => number
  closed = false
  /** Where the files are, and whether they still are there. */
  readonly home: Home
  private readonly lock: DirectoryLock | undefined
  readonly readOnly: boolean
  /** Of one that is open for reading alone: keeps it at one moment of what somebody else may write. */
  readonly follower: Follower | undefined

  /** Opens the files of an existing database whose lock the caller holds. */
  constructor(directory: string, options: EngineOptions, lock: DirectoryLock | undefined) {
    const started = performance.now()
    const { storage, readOnly } = options
    this.home = new Home(storage, directory, lock)
    this.lock = lock
    this.readOnly = readOnly
    // Not the function itself: a test may put another clock in its place, and take it away again.
    this.clock = storage.now ?? (() => Date.now())
    this.now = () => this.clock()
    const dataPath = storage.join(directory, 'data')
    const opened = storage.open(dataPath, { readOnly })
    this.home.keep(opened)
    let segments: LogSegments | undefined
    let images: BlockImages | undefined
    try {
      this.metadata = readMetadata(opened, storage)
      const { metadata } = this
      const { blockSize, hashKey, uuid } = metadata.identity
      const followed = readOnly ? new FollowedFile(opened, metadata, storage) : undefined
      this.file = followed ?? new DataFile(opened, metadata, storage)
      if (!readOnly) this.file.requireLength(metadata)
      const segmentBytes = alignUp(Math.max(options.logSegmentBytes, 16 * blockSize, 131072), PAGE)
      segments = new LogSegments(storage, storage.join(directory, 'log'), uuid, segmentBytes, this.home)
      requireLog(storage, segments.directory)
      // A follower reads them when it begins.
      if (!readOnly) segments.load(false)
      // Between the lock and the files somebody may have exchanged the directory.
      this.home.check()
      const reader = new LogReader(segments, storage)
      const analysis = readOnly ? undefined : analyse(reader, metadata, segments.directory)

      const plan = planArena(blockSize, segmentBytes, options.cacheBytes)
      this.fieldAt = plan.fieldAt
      this.scanRoom = new ScanRoom(plan.scanAt, SCAN_SCRATCH_BYTES)
      this.arena = new Arena(plan.bytes)
      this.log = new LogWriter(
        this.arena,
        plan.logAt,
        plan.logBytes,
        segments,
        storage,
        this.health,
        analysis?.end.lsn ?? metadata.redoLsn,
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
        plan.framesAt,
        plan.firstFrames,
        plan.frames,
        this.file,
        this.log,
        this.health,
        new BlockVersions(options.snapshotBytes),
        images,
        plan.visitorAt,
      )
      this.pool.basisLsn = metadata.redoLsn
      this.pool.limit = () => metadata.blocks
      const { pool, log } = this
      this.free = new FreeBlocks(pool, log, metadata, dataPath)
      this.transactions = new TransactionManager(pool, log, metadata, this.free)
      const { free, transactions } = this
      this.large = new LargeValues(pool, log, free, transactions, dataPath, plan.listAt)
      this.keysAhead = new KeysAhead({ pool, metadata }, plan.keysAheadAt)
      this.texts = new TextBatch(this.arena, plan.textAt)
      this.findMany = new FindMany({ pool, free, metadata }, SCAN_KEYS)
      this.checkpointer = new Checkpointer(
        { pool, log, file: this.file, metadata, transactions, health: this.health },
        options.checkpointBytes,
        !options.syncsCommits,
      )
      this.recovery = {
        needed: (analysis?.records ?? 0) > 0,
        recordsScanned: analysis?.records ?? 0,
        redone: 0,
        transactionsRolledBack: analysis?.losers.size ?? 0,
        tornTailBytes: analysis?.end.tornBytes ?? 0,
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
      const roots = { index: 0, ordered: ORDERED_ROOT, expiry: EXPIRY_ROOT, hashKey }
      this.root = new Space(this, transactions.root, roots, plan)
      this.spaces = new Spaces(this, plan)
      transactions.onUndo((state, bytes, undo) => this.spaceOf(undo.space).index.undo(state, bytes, undo))
      if (analysis !== undefined) {
        if (metadata.isTorn) this.file.mendIdentity(metadata)
        recover(this, reader, analysis, plan.blockAt, options.onRecovery)
        this.room.begin()
      }
      if (followed !== undefined) this.follower = this.follow(followed, plan.blockAt)
      this.recovery.milliseconds = performance.now() - started
      // What it took is the time that recovery took.
      this.health.longestStall = undefined
    } catch (error) {
      closeAllQuietly([images, segments, opened])
      throw error
    }
  }

  private follow(file: FollowedFile, scratch: number): Follower {
    const follower = new Follower(this, file, scratch)
    follower.refresh()
    const { recordsRead, open } = follower
    Object.assign(this.recovery, { needed: recordsRead > 0, recordsScanned: recordsRead, transactionsRolledBack: open })
    return follower
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

  /** The key space of this number: of the root, or of one that there is. */
  spaceOf(number: number): Space {
    return number === 0 ? this.root : this.spaces.byNumber(number)
  }

  /** The root, and those that somebody has opened. */
  openSpaces(): readonly Space[] {
    return [this.root, ...this.spaces.opened]
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

  /** Runs `work` in a transaction that nobody else can see into, and commits it; takes it back if that fails. */
  implicitly(work: (state: TransactionState) => void): void {
    const state = this.transactions.begin(false)
    try {
      work(state)
      this.transactions.commit(state)
    } catch (error) {
      this.takeBack(state)
      throw error
    }
  }

  /** Runs `work` inside of a transaction: all that it changes stays or, if it throws, nothing. */
  within<T>(state: TransactionState, work: () => T): T {
    const { transactions, health } = this
    const before = transactions.savepoint(state)
    try {
      return work()
    } catch (error) {
      if (health.failure === undefined) {
        try {
          transactions.rollbackTo(state, before)
        } catch (second) {
          health.fail(second)
        }
      }
      throw error
    }
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

const requireLog = (storage: Storage, directory: string): void => {
  const kind = storage.kind(directory)
  if (kind !== 'directory' && kind !== 'none') throw notADirectory(directory)
  if (kind === 'none')
    throw new CorruptionError(directory, 'the log is missing; data and log must stay together (restore both)')
}
