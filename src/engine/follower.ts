/**
 * Keeps a database that is open for reading alone at one moment, and brings it to a later one when it is asked to, while
 * somebody else writes the files, is killed, or opens them anew. It writes nothing and takes no lock.
 *
 *   1. Block 0 says from where on the log holds what the data file may lack (its redo LSN).
 *   2. The log is read from there to its end, which is the moment. It tells which records have changed which blocks
 *      (`BlockChanges`), and which transactions are open: these are adopted with their locks, so that readers see what
 *      was committed beneath them.
 *   3. A block is read when somebody wants it, and brought up to date by its records (`FollowedFile`).
 *   4. A refresh reads the log from where it ended, and changes the blocks that are in the pool.
 *
 * Invariants
 *  Y1  A refresh ends where the log ended at some moment since it began: at the end of a whole group, behind which there
 *      was none, and not before the place up to which block 0 says that the log was synced.
 *  Y2  A block that the pool holds is what the log's records below the moment have made of it.
 */
import type { BufferPool } from '../buffer/pool.ts'
import { CorruptionError, StorageError, ViewLostError } from '../errors.ts'
import { BlockChanges } from '../log/block-changes.ts'
import { FollowedLog } from '../log/followed-log.ts'
import {
  eachPart,
  RecordFlag,
  RecordType,
  recordFlags,
  recordTransaction,
  recordType,
  UndoKind,
  undoSection,
} from '../log/format.ts'
import { LogReader } from '../log/reader.ts'
import { applyOperations, applyToMetadata, formatsBlock } from '../log/redo.ts'
import type { Segment } from '../log/segments.ts'
import type { LogWriter } from '../log/writer.ts'
import { blockLsn } from '../pager/bucket.ts'
import type { Metadata } from '../pager/metadata.ts'
import type { Block, Lsn, Position } from '../pager/place.ts'
import { type Arena, copyBytes } from '../runtime/bytes.ts'
import { broken } from '../runtime/invariant.ts'
import { pause } from '../runtime/timers.ts'
import type { Home } from '../storage/home.ts'
import { fromLatin1 } from '../txn/changed-keys.ts'
import type { TransactionManager } from '../txn/manager.ts'
import type { TransactionState } from '../txn/transaction-state.ts'
import type { FollowedFile } from './followed-file.ts'
import type { Space } from './space.ts'
import type { Spaces } from './spaces.ts'

const SECTOR = 512
/** Times that the log must look damaged, with nothing new in it, to be called so. */
const DOUBTS = 8
/** Times that the owner may overtake one refresh. */
const TRIES = 200
/** Records of blocks below the redo LSN that are kept until it is worth forgetting them. */
const WORTH_FORGETTING = 8192

/** The owner went on faster than it was followed. */
class Overtaken extends Error {
  override name = 'Overtaken'
}

/** A transaction that was open at the moment. */
interface Adopted {
  readonly state: TransactionState
  /** Keys that it has changed, and that it has not been given the locks of yet. */
  readonly keys: { readonly space: number; readonly key: Uint8Array }[]
}

export interface FollowedParts {
  readonly home: Home
  readonly metadata: Metadata
  readonly log: LogWriter
  readonly pool: BufferPool
  readonly transactions: TransactionManager
  readonly spaces: Spaces
  openSpaces(): readonly Space[]
  spaceOf(number: number): Space
}

export class Follower {
  private readonly parts: FollowedParts
  private readonly file: FollowedFile
  private readonly scratch: Position
  private readonly changes: BlockChanges = new BlockChanges()
  private readonly records: FollowedLog
  /** By the id that the owner gave it. */
  private readonly adopted: Map<number, Adopted> = new Map()
  /** Behind the last record that was followed. */
  private lsn: Lsn = 0
  /** What stands here follows from the log up to `lsn`, and a refresh may go on from there. */
  private isStanding = false
  /** Salt of a segment behind the end of the log, which a crash has left. */
  private stray = 0
  private forgotten: Lsn = 0
  recordsRead = 0

  /** `scratch`: the position of a block in the arena. */
  constructor(parts: FollowedParts, file: FollowedFile, scratch: Position) {
    const { log, metadata } = parts
    const redoNow = (): Lsn => {
      try {
        return file.readHead().redoLsn
      } catch (error) {
        if (isPassing(error)) return Number.POSITIVE_INFINITY
        throw error
      }
    }
    this.parts = parts
    this.file = file
    this.scratch = scratch
    this.records = new FollowedLog(log.segments, redoNow)
    const { changes, records } = this
    file.followed = {
      changes,
      records,
      logDirectory: log.segments.directory,
      get redoLsn(): Lsn {
        return metadata.redoLsn
      },
      isBehind: () => this.isBehind(),
    }
  }

  /** Transactions that are open at the moment. */
  get open(): number {
    return this.adopted.size
  }

  /**
   * Goes to what is committed now; returns whether that is another moment than before.
   * @throws MovedError if other files stand where these were opened; CorruptionError; ViewLostError if the owner writes
   *   so fast that it could not be followed.
   */
  refresh(): boolean {
    const { lsn, isStanding } = this
    this.parts.home.check()
    try {
      if (!this.goOn()) this.beginAnew()
    } catch (error) {
      this.lose(error)
      throw error
    }
    this.file.lost = undefined
    return !isStanding || this.lsn !== lsn
  }

  /** By how many records each open transaction has changed their number in the root: the log does not say it before. */
  countChanges(): void {
    const { index, view } = this.parts.spaceOf(0)
    for (const { state } of this.adopted.values()) {
      state.records = 0
      for (const [name, record] of view.of(state)) {
        index.key.set(fromLatin1(name))
        state.records += Number(index.find() !== 0) - Number(record !== undefined)
      }
    }
  }

  /** Follows the log from where it ended; false if that cannot be done any more. */
  private goOn(): boolean {
    if (!this.isStanding) return false
    const { metadata, pool, spaces } = this.parts
    // A snapshot has to know which key spaces there were.
    if (pool.versions.newest !== 0) void spaces.count
    const before = this.lsn
    try {
      for (;;) {
        const from = this.lsn
        const { newest } = this.walk()
        if (newest !== undefined && newest.salt !== this.stray) return false
        const head = this.file.readHead()
        if (head.redoLsn <= this.lsn && head.logLsn <= this.lsn) {
          if (metadata.isOlderThan(head)) this.moveOn(head)
          break
        }
        if (this.lsn === from) return false
      }
    } catch (error) {
      if (isPassing(error)) return false
      throw error
    }
    return this.lsn === before || this.arrives()
  }

  /** Reads block 0 and all of the log that a recovery would. */
  private beginAnew(): void {
    let doubts = 0
    let seen = ''
    for (let tries = 0; ; tries++) {
      let doubt: unknown
      let head: Metadata | undefined
      try {
        head = this.file.readHead()
        doubt = this.readAll(head)
        if (doubt === undefined) {
          this.arrive()
          break
        }
      } catch (error) {
        if (!isPassing(error)) throw error
        doubt = error
      }
      // What looks like damage may be something that was being written.
      const now = `${head?.redoLsn} ${head?.logLsn} ${this.lsn}`
      doubts = now === seen ? doubts + 1 : 0
      seen = now
      if (doubts >= DOUBTS) {
        if (!(doubt instanceof Overtaken)) throw doubt
        this.stray = this.newestSalt()
      }
      if (tries === TRIES) throw new ViewLostError('its owner writes faster than it can be followed')
      if (doubts > 1) pause(1)
    }
    this.isStanding = true
  }

  /** What speaks against it that the log ends where it seems to end. */
  private readAll(head: Metadata): unknown {
    const { metadata, log } = this.parts
    this.drop()
    metadata.become(head)
    this.file.follow(head)
    this.file.requireLength(head)
    this.lsn = head.redoLsn
    const { newest, reader } = this.walk()
    if (newest !== undefined && newest.salt !== this.stray)
      return new Overtaken(`the log goes on in ${newest.name}, behind LSN ${this.lsn}`)
    if (this.lsn < head.logLsn)
      return new CorruptionError(
        log.segments.directory,
        `the log ends at LSN ${this.lsn}, but it was synced up to LSN ${head.logLsn}; a segment is missing or damaged`,
      )
    try {
      reader.scan(this.lsn, () => {})
    } catch (error) {
      return error
    }
    const now = this.file.readHead()
    return now.logLsn > this.lsn || now.redoLsn > this.lsn ? new Overtaken('block 0 was written meanwhile') : undefined
  }

  /** Visits what the log holds behind `lsn`. `newest`: a segment that begins farther behind the end than the next may. */
  private walk(): { newest: Segment | undefined; reader: LogReader } {
    const { segments } = this.parts.log
    segments.reload()
    this.records.forget()
    const reader = new LogReader(segments, this.file.storage)
    const { lsn, chain } = reader.walk(this.lsn, Number.POSITIVE_INFINITY, (a, position, at) =>
      this.visit(a, position, at),
    )
    this.lsn = lsn
    this.file.end = lsn
    const last = chain.at(-1)!
    const end = last.startLsn + Math.ceil((lsn - last.startLsn) / SECTOR) * SECTOR
    const newest = segments.current!
    return { newest: newest.startLsn > Math.max(end, last.startLsn) ? newest : undefined, reader }
  }

  private visit(a: Arena, position: Position, lsn: Lsn): void {
    const { metadata } = this.parts
    this.recordsRead++
    this.file.end = lsn
    const type = recordType(a, position)
    eachPart(a, position, (block, from, to) => {
      if (block !== 0) this.changed(a, block, from, to, lsn, type)
      else if (lsn > metadata.lsn) {
        applyToMetadata(a, from, to, metadata)
        metadata.lsn = lsn
      }
    })
    const id = recordTransaction(a, position)
    if (type === RecordType.commit || type === RecordType.end) this.release(id)
    else if (type === RecordType.update && (recordFlags(a, position) & RecordFlag.commits) === 0)
      this.adopt(id, a, position, lsn)
  }

  private changed(a: Arena, block: Block, from: number, to: number, lsn: Lsn, type: number): void {
    const { pool } = this.parts
    const isImage = type === RecordType.image
    const isBeginning = isImage || formatsBlock(a, from)
    if (!isImage && this.holds(block, isBeginning)) {
      const base = pool.get(block)
      if (blockLsn(pool.arena, base) > lsn) broken('Y2', `block ${block} has a change that lies behind LSN ${lsn}`)
      pool.preserve(base)
      applyOperations(a, from, to, pool.arena, base, pool.blockSize, this.scratch)
      pool.followed(base, lsn)
    }
    this.changes.add(block, lsn, isBeginning)
  }

  /** Whether the block is in the pool. It is brought there if a snapshot may have to know what it was. */
  private holds(block: Block, isBeginning: boolean): boolean {
    const { pool } = this.parts
    if (pool.isResident(block)) return true
    if (pool.versions.newest === 0 || block >= pool.versions.blocks) return false
    try {
      const { base, problem } = pool.tryGet(block)
      if (problem === undefined) return true
      // A free block perhaps, of which nobody has written a byte.
      if (isBeginning) {
        pool.arena.clear(base, base + pool.blockSize)
        return true
      }
    } catch (error) {
      pool.discard(block)
      if (!(error instanceof ViewLostError)) throw error
    }
    pool.discard(block)
    pool.versions.giveUp()
    return false
  }

  private adopt(id: number, a: Arena, position: Position, lsn: Lsn): void {
    const { transactions } = this.parts
    let known = this.adopted.get(id)
    if (known === undefined) {
      // Under an id of its own, which no transaction of this handle has.
      known = { state: transactions.begin(true), keys: [] }
      known.state.firstLsn = lsn
      this.adopted.set(id, known)
    }
    known.state.lastLsn = lsn
    if ((recordFlags(a, position) & RecordFlag.undo) === 0) return
    const { kind, space, key, keyLength } = undoSection(a, position)
    if (kind === UndoKind.allocate) return
    known.keys.push({ space, key: copyBytes(a.u8, key, key + keyLength) })
    if (space === 0) return
    known.state.changedSpaces ??= new Set()
    known.state.changedSpaces.add(space)
  }

  private release(id: number): void {
    const known = this.adopted.get(id)
    if (known === undefined) return
    this.parts.transactions.finish(known.state)
    this.adopted.delete(id)
  }

  /** False if the owner has gone on meanwhile, too far to be followed from here. */
  private arrives(): boolean {
    try {
      this.arrive()
      return true
    } catch (error) {
      if (isPassing(error)) return false
      throw error
    }
  }

  /** The log was followed to `lsn`: what goes by it learns so. */
  private arrive(): void {
    const { log, spaces, transactions } = this.parts
    log.follows(this.lsn, { locate: lsn => this.locate(lsn) })
    spaces.follow()
    for (const { state, keys } of this.adopted.values()) {
      for (const { space, key } of keys.splice(0)) {
        const buffer = this.parts.spaceOf(space).index.key
        buffer.set(key)
        if (transactions.locks.isHeldBy(buffer.lock, state.id)) continue
        transactions.locks.lockExclusive(buffer.lock, state.id)
        if (!transactions.locks.isHeldBy(buffer.lock, state.id))
          broken('T1', `two open transactions have changed a key of hash ${buffer.lock}`)
        state.locks.push(buffer.lock)
      }
    }
    for (const space of this.parts.openSpaces()) space.index.version++
    const { metadata } = this.parts
    if (this.lsn < metadata.logLsn)
      broken('Y1', `the view ends at ${this.lsn}, and the log was synced to ${metadata.logLsn}`)
  }

  /** Block 0 says that the data file holds more by now. */
  private moveOn(head: Metadata): void {
    const { metadata } = this.parts
    metadata.moveOn(head)
    this.file.follow(head)
    if (metadata.redoLsn === this.forgotten || this.changes.size < WORTH_FORGETTING) return
    this.changes.forget(metadata.redoLsn)
    this.forgotten = metadata.redoLsn
  }

  /** Forgets all that was read. */
  private drop(): void {
    const { pool, transactions } = this.parts
    this.isStanding = false
    for (const { state } of this.adopted.values()) transactions.finish(state)
    this.adopted.clear()
    pool.versions.giveUp()
    pool.discardFrom(0)
    this.changes.clear()
    this.recordsRead = 0
  }

  private lose(error: unknown): void {
    this.drop()
    this.file.lost =
      error instanceof Error ? `it could not be refreshed (${error.message})` : 'it could not be refreshed'
  }

  /** For what open transactions have changed. */
  private locate(lsn: Lsn): { arena: Arena; position: Position } {
    const found = this.records.read(lsn)
    if (!this.records.confirm() || found === undefined)
      throw new ViewLostError(`its owner has ended a transaction that was open, and its log is recycled`)
    return found
  }

  /** Block 0 was written since: the log may begin elsewhere. */
  isPast(): boolean {
    try {
      return this.parts.metadata.isOlderThan(this.file.readHead())
    } catch (error) {
      if (isPassing(error)) return false
      throw error
    }
  }

  private isBehind(): boolean {
    const { log } = this.parts
    if (this.isPast()) return true
    try {
      log.segments.reload()
      this.records.forget()
      return new LogReader(log.segments, this.file.storage).walk(this.lsn, this.lsn + 1, () => {}).lsn > this.lsn
    } catch (error) {
      if (isPassing(error)) return true
      throw error
    }
  }

  private newestSalt(): number {
    return this.parts.log.segments.current?.salt ?? 0
  }
}

/** What may be met while somebody writes, and not any more a moment later. */
const isPassing = (error: unknown): boolean =>
  error instanceof CorruptionError ||
  error instanceof ViewLostError ||
  (error instanceof StorageError && (error.cause as { code?: unknown } | undefined)?.code === 'ENOENT')
