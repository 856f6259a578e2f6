/**
 * Transactions: begin, commit, rollback, savepoints, and the one place where a transaction first touches a key.
 *
 * Undo is logical: a change's log record carries what takes it back (remove this key, put this record back), because
 * structure changes move records between blocks and are themselves never undone. Rolling back, live or in recovery,
 * is one walk over the transaction's records from the last to the first, each step logged as a compensation record.
 *
 * Invariants
 *  T1  A key changed by a locking transaction is locked exclusively by it until its end.
 *  T2  The commit record is one record: the change of the record count, the freeing of replaced large values and the
 *      mark are parts of it, so that a transaction is whole or absent.
 */

import type { BufferPool } from '../buffer/pool.ts'
import { LockConflictError, shown, XenonError } from '../errors.ts'
import type { FreeBlocks } from '../freelist/blocks.ts'
import {
  LogOp,
  RecordFlag,
  RecordType,
  recordFlags,
  recordPrevious,
  type UndoSection,
  undoSection,
} from '../log/format.ts'
import type { LogWriter } from '../log/writer.ts'
import { AT_NEXT } from '../pager/layout.ts'
import { AT_MARK, type Metadata } from '../pager/metadata.ts'
import type { Block, Lsn, Position } from '../pager/place.ts'
import { type Arena, type Bounds, copyBytes } from '../runtime/bytes.ts'
import { broken } from '../runtime/invariant.ts'
import { performance } from '../runtime/timers.ts'
import { keyText } from '../values/key.ts'
import { Grant, type Lock, LockTable } from './locks.ts'
import { Quiet } from './quiet.ts'
import { SpaceLocks } from './space-locks.ts'
import { Step } from './step.ts'
import { type SavepointState, TransactionState } from './transaction-state.ts'
import type { Conflict, WaitLine } from './wait-line.ts'
import { Waits } from './waits.ts'

const NO_LINES: readonly WaitLine[] = []

/** Takes back one change, logging it as the compensation that `state` describes. */
export type UndoAction = (state: TransactionState, log: Arena, undo: UndoSection) => void

/** A key in the arena, and what stands for it in the lock table. */
export interface LockedKey {
  readonly lock: Lock
  /** The key space that it is one of. */
  readonly space: SpaceLocks
  readonly at: Position
  readonly length: number
}

/** Somebody who wants to hear of commits in one key space. */
export interface CommitObserver {
  transaction(state: TransactionState): void
}

export class TransactionManager {
  readonly locks: LockTable = new LockTable()
  readonly waits: Waits = new Waits(this.locks)
  readonly quiet: Quiet = new Quiet()
  /** Of the root's key space. */
  readonly root: SpaceLocks
  readonly autocommit: TransactionState = new TransactionState(0, true, false)
  /** Open transactions that a caller holds, by id. */
  readonly open: Map<number, TransactionState> = new Map()
  /** That in which everything happens at the moment, so that all who read see what it has changed. */
  entered: TransactionState | undefined
  /** Told of every commit that has changed records, before its locks go. */
  readonly observers: Set<CommitObserver> = new Set()
  commits = 0
  rollbacks = 0
  /** Every transaction under way, those that no caller holds included. */
  private readonly active: Set<TransactionState> = new Set()
  private readonly pool: BufferPool
  private readonly log: LogWriter
  private readonly metadata: Metadata
  private readonly step: Step
  private undoAction: UndoAction = () => {}
  private nextId = 1

  constructor(pool: BufferPool, log: LogWriter, metadata: Metadata, free: FreeBlocks) {
    this.pool = pool
    this.log = log
    this.metadata = metadata
    this.step = new Step({ pool, log, free })
    this.root = new SpaceLocks(0, log)
    this.waits.onDeadlock = (circle, ended) => log.health.observer?.deadlock(circle, ended)
  }

  /** The index above knows how to take a change back. */
  onUndo(action: UndoAction): void {
    this.undoAction = action
  }

  /** `shared`: others may act while it is open, so it takes locks from its first touch on. */
  begin(shared: boolean): TransactionState {
    const state = new TransactionState(this.nextId++, false, shared || this.open.size > 0)
    if (this.nextId > 0x7ffffff0) this.nextId = 1
    if (shared) {
      state.began = performance.now()
      this.open.set(state.id, state)
    }
    this.active.add(state)
    return state
  }

  /** A transaction that recovery found without an end. */
  adopt(id: number, lastLsn: Lsn): TransactionState {
    const state = new TransactionState(id, false, false)
    state.lastLsn = lastLsn
    state.firstLsn = lastLsn
    return state
  }

  /** Before the first change of a key, there or not: locks it for the transaction, or throws. */
  beforeChange(state: TransactionState, key: LockedKey): void {
    if (state.locking) {
      if (state.waits) this.requireTurn(state, key, true)
      this.granted(state, key, this.locks.lockExclusive(key.lock, state.id), true)
    } else if (this.open.size > 0 && !this.locks.isFreeFor(key.lock, 0)) throw this.conflict(state, key, true)
  }

  private granted(state: TransactionState, key: LockedKey, grant: Grant, exclusive: boolean): void {
    if (grant === Grant.fresh) state.locks.push(key.lock)
    else if (grant === Grant.refused) throw this.conflict(state, key, exclusive)
  }

  /** The error for a key that somebody else has locked; `state` of an autocommit has no lock itself. */
  private conflict(state: TransactionState, key: LockedKey, exclusive: boolean): LockConflictError {
    const { locks } = this
    const { lock } = key
    locks.conflicts++
    const owner = locks.exclusiveOwner(lock)
    const who = owner > 0 ? `transaction ${owner} has changed` : 'another open transaction has read'
    return new LockConflictError(
      `${who} ${this.named(key)}; commit or roll it back first, then try again (the calls of db.async wait for it)`,
      { holders: locks.holders(lock, state.isAutocommit ? 0 : state.id, exclusive), lock, exclusive },
    )
  }

  private named({ at, length }: LockedKey): string {
    const key = keyText(copyBytes(this.pool.arena.u8, at, at + length))
    return typeof key === 'string' ? `the key '${shown(key)}'` : `a key of ${length} bytes`
  }

  /** Whoever can wait does not overtake those who wait already. */
  private requireTurn(state: TransactionState, key: LockedKey, exclusive: boolean): void {
    const { locks, waits } = this
    const { lock } = key
    if (waits.waiting === 0 || state.undoNext >= 0 || locks.isHeldBy(lock, state.id)) return
    if (!waits.isQueued(lock, state, exclusive)) return
    throw new LockConflictError(`others wait for ${this.named(key)}`, {
      holders: [...locks.holders(lock, state.id, exclusive), ...waits.waitersFor(lock, state, exclusive)],
      lock,
      exclusive,
    })
  }

  /** Before a key is read, there or not. */
  beforeRead(state: TransactionState, key: LockedKey): void {
    if (!state.locking || !state.locksReads) return
    if (state.readsToWrite) {
      this.beforeChange(state, key)
      return
    }
    if (state.waits) this.requireTurn(state, key, false)
    this.granted(state, key, this.locks.lockShared(key.lock, state.id), false)
  }

  /**
   * Before it is found that there is nothing to change: what another open transaction has done there may be taken back.
   * At the levels that lock no reads, it is only waited for.
   */
  beforeNoChange(state: TransactionState, key: LockedKey): void {
    if (state.locking && state.locksReads) {
      this.beforeRead(state, key)
      return
    }
    const owner = this.locks.exclusiveOwner(key.lock)
    if (owner !== 0 && owner !== state.id) throw this.conflict(state, key, false)
  }

  /** Before a key is added or taken out: nobody else may have read a range with it. */
  beforeKeyChange(state: TransactionState, { space, at, length }: LockedKey): void {
    const { ranges } = space
    const mayOvertake = state.waits && this.waits.waiting > 0
    if (state.undoNext >= 0 || (ranges.isEmpty && !mayOvertake)) return
    // Whoever waits keeps it, when the arena has long held another key there.
    const key = copyBytes(this.pool.arena.u8, at, at + length)
    const holders = ranges.holdersOf(key, state.isAutocommit ? 0 : state.id)
    const readers = holders.length
    if (mayOvertake) holders.push(...this.waits.waitersForRange(state, key, ranges))
    if (holders.length === 0) return
    this.locks.conflicts++
    const conflict: Conflict = { holders, lock: undefined, exclusive: true, key, ranges }
    throw new LockConflictError(
      `transaction ${holders[0]} ${readers > 0 ? 'has read' : 'waits to read'} a range that the key belongs to; commit or roll it back first, then try again`,
      conflict,
    )
  }

  /**
   * Before a range is read in a transaction: nobody else may have changed a key of it (a deleted one, which may come
   * back, is not met otherwise), or, if the level locks ranges, change one until its end.
   */
  beforeRangeRead(state: TransactionState, { ranges, view }: SpaceLocks, bounds: Bounds): void {
    if (!state.locking || !state.locksReads) return
    const holders: number[] = []
    for (const other of this.open.values()) {
      if (other === state || other.lastLsn === 0) continue
      if (view.of(other).isAnyWithin(bounds)) holders.push(other.id)
    }
    const changers = holders.length
    if (state.waits && state.locksRanges && this.waits.waiting > 0)
      holders.push(...this.waits.waitersForRange(state, bounds, ranges))
    if (holders.length === 0) {
      if (!state.locksRanges) return
      ranges.add(state.id, bounds)
      state.ranges ??= new Set()
      state.ranges.add(ranges)
      return
    }
    this.locks.conflicts++
    const conflict: Conflict = { holders, lock: undefined, exclusive: false, bounds, ranges }
    throw new LockConflictError(
      `transaction ${holders[0]} ${changers > 0 ? 'has changed' : 'waits to change'} a key of the range; commit or roll it back first, then try again`,
      conflict,
    )
  }

  /** Book-keeping after the log record of a change; `space`: number of the key space of a record. */
  changed(state: TransactionState, lsn: Lsn, records: number, space: number = 0): void {
    if (state.isAutocommit) {
      if (records !== 0) {
        this.metadata.addRecords(records)
        this.metadata.lsn = lsn
      }
      this.commits++
      return
    }
    if (state.lastLsn === 0) state.firstLsn = this.log.groupLsn
    state.lastLsn = lsn
    state.records += records
    if (space === 0) return
    state.changedSpaces ??= new Set()
    state.changedSpaces.add(space)
  }

  /** Remembers a replaced chain of large blocks; it is freed by the commit. */
  freeAtCommit(state: TransactionState, head: Block, tail: Block, blocks: number): void {
    if (state.undoNext >= 0) return
    if (state.pendingHead === 0) state.pendingTail = tail
    else this.step.run(() => this.link(tail, state.pendingHead))
    state.pendingHead = head
    state.pendingBlocks += blocks
  }

  /** Links the chain with this tail to another one. */
  private link(tail: Block, head: Block): void {
    const { step, log } = this
    const place = step.pin(tail)
    step.begin(64, [place])
    this.pool.arena.u32[(place.base + AT_NEXT) >>> 2] = head
    step.part(place)
    log.setWord(AT_NEXT, head)
    step.endPart()
    step.end()
  }

  /**
   * Appends the commit record and releases the locks. Making it durable is the caller's next step. `mark`: what the state
   * is called from this commit on; the bytes are kept as they are.
   */
  commit(state: TransactionState, mark?: Uint8Array): void {
    const hasChanged = state.lastLsn !== 0
    if (hasChanged || mark !== undefined) this.logCommit(state, mark)
    if (hasChanged) {
      for (const observer of this.observers) observer.transaction(state)
    }
    this.finish(state)
    this.commits++
  }

  private logCommit(state: TransactionState, mark: Uint8Array | undefined): void {
    const { log, locks } = this
    for (const lock of state.locks)
      if (!locks.isHeldBy(lock, state.id))
        broken('T1', `transaction ${state.id} has lost the lock ${lock} of a key`, log.health)
    const { records } = log
    if (state.pendingHead === 0) this.logCommitOfRecords(state, mark)
    else this.step.run(() => this.logCommitOfChains(state, mark))
    if (log.records !== records + 1) broken('T2', 'a commit took more than one record', log.health)
  }

  private logCommitOfRecords({ id, lastLsn, records }: TransactionState, mark: Uint8Array | undefined): void {
    const { log, metadata } = this
    log.reserve(256)
    log.begin(RecordType.commit, 0, id, lastLsn)
    const changesState = records !== 0 || mark !== undefined
    if (changesState) {
      log.part(0)
      if (records !== 0) log.operation(LogOp.records, records)
      if (mark !== undefined) log.setBytes(AT_MARK, mark)
      log.endPart()
    }
    const lsn = log.end()
    if (!changesState) return
    metadata.addRecords(records)
    if (mark !== undefined) metadata.mark = mark
    metadata.lsn = lsn
  }

  /** A commit that frees replaced large values. */
  private logCommitOfChains(state: TransactionState, mark: Uint8Array | undefined): void {
    const { step } = this
    const tail = step.fresh(state.pendingTail)
    step.beginOf(state, 256, [], RecordType.commit)
    step.freeChain(state.pendingHead, tail, state.pendingBlocks)
    if (mark !== undefined) step.setMark(mark)
    step.end(state.records)
  }

  /** The log is needed from this LSN on to undo what is under way, or Infinity. */
  oldestLsn(): Lsn {
    let oldest = Number.POSITIVE_INFINITY
    for (const state of this.active) if (state.lastLsn !== 0 && state.firstLsn < oldest) oldest = state.firstLsn
    return oldest
  }

  savepoint(state: TransactionState): SavepointState {
    const { lastLsn, records, pendingHead, pendingTail, pendingBlocks } = state
    return { lsn: lastLsn, records, pendingHead, pendingTail, pendingBlocks }
  }

  rollbackTo(state: TransactionState, savepoint: SavepointState): void {
    this.undoBackTo(state, savepoint.lsn)
    state.records = savepoint.records
    state.pendingHead = savepoint.pendingHead
    state.pendingTail = savepoint.pendingTail
    state.pendingBlocks = savepoint.pendingBlocks
  }

  rollback(state: TransactionState): void {
    if (state.lastLsn !== 0) {
      this.undoBackTo(state, 0)
      this.log.reserve(64)
      this.log.begin(RecordType.end, 0, state.id, 0)
      this.log.end()
    }
    this.finish(state)
    this.rollbacks++
  }

  /** Undoes the transaction's changes whose LSN is above `stop`, from the last to the first. */
  private undoBackTo(state: TransactionState, stop: Lsn): void {
    let lsn = state.lastLsn
    try {
      while (lsn > stop) {
        const { arena, position } = this.log.locate(lsn)
        const previous = recordPrevious(arena, position)
        if ((recordFlags(arena, position) & RecordFlag.undo) !== 0) {
          state.undoNext = previous
          this.undoAction(state, arena, undoSection(arena, position))
        }
        lsn = previous
      }
    } finally {
      state.undoNext = -1
    }
  }

  /** Gives up a handle without touching the files: after a failure, or when the database closes broken. */
  finish(state: TransactionState): void {
    if (state.ended) throw new XenonError('XENON_TRANSACTION_ENDED', 'the transaction has already ended')
    state.ended = true
    const { waits } = this
    const lines = waits.waiting === 0 ? NO_LINES : waits.linesBehind(state)
    for (const lock of state.locks) this.locks.release(lock, state.id)
    state.locks.length = 0
    if (state.ranges !== undefined) for (const ranges of state.ranges) ranges.release(state.id)
    this.open.delete(state.id)
    this.active.delete(state)
    waits.ended(state, lines)
  }
}
