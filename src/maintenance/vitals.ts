/** What can be said of an open database from figures that are kept anyway: for `stats`, `health` and the warnings. */

import type { Engine } from '../engine/engine.ts'
import { performance } from '../runtime/timers.ts'
import type { Health, LargeValueFigures, OldestTransaction, SyncFigures } from '../types.ts'

export const oldestTransaction = ({ transactions, log }: Engine): OldestTransaction | undefined => {
  const state = transactions.open.values().next().value
  if (state === undefined) return undefined
  return {
    milliseconds: performance.now() - state.began,
    locks: state.locks.length,
    logBytes: state.lastLsn === 0 ? 0 : log.endLsn - state.firstLsn,
  }
}

/** The open transaction that most of the log is kept for, and how long it has been open. */
export const logHolder = ({ transactions, log }: Engine): LogHolder | undefined => {
  let holder: LogHolder | undefined
  const now = performance.now()
  for (const { id, began, lastLsn, firstLsn } of transactions.open.values()) {
    const logBytes = log.endLsn - firstLsn
    if (lastLsn !== 0 && logBytes > (holder?.logBytes ?? 0)) holder = { id, milliseconds: now - began, logBytes }
  }
  return holder
}

export interface LogHolder {
  id: number
  milliseconds: number
  logBytes: number
}

export const logBytesInUse = ({ log, metadata }: Engine): number => Math.max(0, log.endLsn - metadata.redoLsn)

export const syncFigures = ({ log: { pace } }: Engine): SyncFigures => ({
  count: pace.times.count,
  ...pace.times.quantiles(),
})

export const largeValueFigures = ({ large, pool }: Engine): LargeValueFigures => {
  const { values: count, bytes, blocks } = large.written
  const blockBytes = blocks * pool.blockSize
  return { count, bytes, blockBytes, wasted: blocks === 0 ? 0 : 1 - bytes / blockBytes }
}

export type Vitals = Omit<Health, 'warnings'>

/** @internal Works on a handle that has failed or was closed, too. */
export const vitalsOf = (engine: Engine): Vitals => {
  const { closed, health, room, pool, checkpointer } = engine
  return {
    ok: !closed && health.failure === undefined,
    closed,
    failed: health.failure as Error | undefined,
    oldestTransaction: oldestTransaction(engine),
    oldestSnapshot: pool.versions.oldestKept,
    log: { bytesInUse: logBytesInUse(engine), limit: checkpointer.mostLog },
    lastCheckpoint: checkpointer.last,
    disk: { free: orElse(undefined, () => room.free), full: orElse(room.tight, () => room.isFull) },
    fsync: syncFigures(engine),
    longestStall: health.longestStall,
    largeValues: largeValueFigures(engine),
  }
}

/** What asks the storage may meet a disk that has failed. */
export const orElse = <T>(otherwise: T, ask: () => T): T => {
  try {
    return ask()
  } catch {
    return otherwise
  }
}
