/** What moves in an open database: the frames of its pool, its transactions and who waits for whom. */
import type { Engine } from '../engine/engine.ts'
import { XenonError } from '../errors.ts'
import { RecordFlag, recordFlags, recordPrevious, recordTransaction, UndoKind, undoSection } from '../log/format.ts'
import { performance } from '../runtime/timers.ts'
import type { TransactionState } from '../txn/transaction-state.ts'
import { type ShownBytes, shownBytes } from './shown.ts'

/** Changes of a transaction that are shown, the last ones. */
const SHOWN_CHANGES = 20

export const FrameFlag = { dirty: 1, pinned: 2 } as const

/** The frames of the pool, the one that was used last first. */
export interface PoolView {
  readonly frames: number
  /** There were evictions, so that the order is known. */
  readonly isOrdered: boolean
  readonly blocks: Uint32Array
  readonly flags: Uint8Array
}

export const viewPool = ({ pool }: Engine): PoolView => {
  const blocks = new Uint32Array(pool.framesUsed)
  const flags = new Uint8Array(pool.framesUsed)
  let count = 0
  pool.eachFrame((block, isDirty, pins) => {
    blocks[count] = block
    flags[count++] = (isDirty ? FrameFlag.dirty : 0) | (pins > 0 ? FrameFlag.pinned : 0)
  })
  return { frames: pool.frames, isOrdered: pool.evictions > 0, blocks, flags }
}

export interface OpenTransaction {
  readonly id: number
  /** Milliseconds since it began. */
  readonly age: number
  /** Change of the number of records so far. */
  readonly records: number
  readonly locks: number
  /** LSN of its first and its last record, 0: none. */
  readonly firstLsn: number
  readonly lastLsn: number
  /** What it has changed, the last first: a key was added (`insert`), or changed or taken away (`restore`). */
  readonly changes: readonly { readonly kind: 'insert' | 'restore'; readonly key: ShownBytes; readonly space: number }[]
}

export interface TransactionsView {
  readonly open: readonly OpenTransaction[]
  /** An operation of a transaction that waits, and the transactions that it waits for. */
  readonly waits: readonly { readonly transaction: number; readonly holders: readonly number[] }[]
  readonly deadlocks: number
  readonly commits: number
  readonly rollbacks: number
  readonly snapshots: { readonly open: number; readonly bytes: number; readonly copies: number }
}

export const viewTransactions = (engine: Engine): TransactionsView => {
  const { transactions, pool } = engine
  const { versions } = pool
  return {
    open: [...transactions.open.values()].map(state => viewTransaction(engine, state)),
    waits: transactions.waits.edges.map(({ transaction, holders }) => ({ transaction, holders })),
    deadlocks: transactions.waits.deadlocks,
    commits: transactions.commits,
    rollbacks: transactions.rollbacks,
    snapshots: { open: versions.snapshots, bytes: versions.bytes, copies: versions.copies },
  }
}

const viewTransaction = (engine: Engine, state: TransactionState): OpenTransaction => ({
  id: state.id,
  age: performance.now() - state.began,
  records: state.records,
  locks: state.locks.length,
  firstLsn: state.firstLsn,
  lastLsn: state.lastLsn,
  changes: changesOf(engine, state),
})

/** By its records in the log, which lead back to its first one. */
const changesOf = ({ log }: Engine, state: TransactionState): OpenTransaction['changes'][number][] => {
  const changes: OpenTransaction['changes'][number][] = []
  try {
    for (let lsn = state.lastLsn; lsn > 0 && changes.length < SHOWN_CHANGES; ) {
      const { arena, position } = log.locate(lsn)
      if (recordTransaction(arena, position) !== state.id) break
      if ((recordFlags(arena, position) & RecordFlag.undo) !== 0) {
        const { kind, space, key, keyLength } = undoSection(arena, position)
        if (kind !== UndoKind.allocate) {
          const shown = shownBytes(arena.u8.subarray(key, key + keyLength))
          changes.push({ kind: kind === UndoKind.insert ? 'insert' : 'restore', key: shown, space })
        }
      }
      lsn = recordPrevious(arena, position)
    }
  } catch (error) {
    // The log cannot be read back: what was found is shown.
    if (!(error instanceof XenonError)) throw error
  }
  return changes
}
